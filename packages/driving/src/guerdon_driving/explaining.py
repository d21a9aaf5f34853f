"""Reasoning for a row: what the simulator's state shows, and the plan that follows from it, in a few plain words.

A language model of 135M parameters pays for every token, so a trace has two parts of fixed form: what is there (the car
ahead, near or far, slower or faster; the limit; the next turn), which a small vision tower learns to see from, and the
reason with the decision. The words come from the state and the label alone, so that a trace never contradicts its
answer; what the state cannot account for is said as plainly as that.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from types import MappingProxyType

from guerdon_driving.actions import PathAction, SpeedAction
from guerdon_driving.recordings import Notice

DECISIONS: Mapping[SpeedAction | PathAction, tuple[str, ...]] = MappingProxyType(
    {
        "KEEP": ("hold speed", "keep speed"),
        "ACCELERATE": ("speed up", "accelerate"),
        "DECELERATE": ("slow down", "brake"),
        "STOP": ("stop", "come to a halt"),
        "STRAIGHT": ("go straight", "stay in lane"),
        "LEFT_CHANGE": ("move left", "change to the left"),
        "RIGHT_CHANGE": ("move right", "change to the right"),
        "LEFT_TURN": ("turn left", "steer left"),
        "RIGHT_TURN": ("turn right", "steer right"),
    }
)
"""How each action is said; the first is the plain one."""
NEAR_M, FAR_M = 15.0, 35.0
CLOSING = 1.5
"""m/s: less than that is "as fast"."""
NEAR_LIMIT = 0.9
"""Share of the posted limit from which on the speed is "at" it."""


def explain(
    notice: Notice,
    speed: float,
    limit: float,
    actions: tuple[SpeedAction, PathAction],
    *,
    random: Random | None = None,
) -> str:
    """One or two short sentences that lead to the actions.

    Args:
        notice: what is around (`simulation`).
        speed: now, in m/s.
        limit: the posted one, in m/s.
        actions: the label.
        random: chooses among ways to say the decision; None: always the plain one.

    >>> explain(Notice(gap=12.3, closing=4.0, left=True, left_free=True), 14.0, 19.4, ("KEEP", "LEFT_CHANGE"))
    'Car ahead near, slower; limit 70; left lane free. Overtake: hold speed, move left.'
    """
    said = [word if random is None else random.choice(ways) for word, ways in _ways(actions)]
    seen = "; ".join([_ahead(notice), _pace(speed, limit), *_around(notice, actions[1])])
    reason = _reason(notice, speed, limit, actions)
    return f"{seen}. {reason}: {', '.join(said)}."


def _ways(actions: tuple[SpeedAction, PathAction]) -> list[tuple[str, tuple[str, ...]]]:
    return [(DECISIONS[action][0], DECISIONS[action]) for action in actions]


def _ahead(notice: Notice) -> str:
    if notice.static:
        return f"Obstacle ahead {distance(notice.gap)}"
    if notice.gap == float("inf"):
        return "Road ahead free"
    how = "slower" if notice.closing > CLOSING else "faster" if notice.closing < -CLOSING else "as fast"
    return f"Car ahead {distance(notice.gap)}, {how}"


def distance(gap: float) -> str:
    """A gap in metres as a word.

    >>> distance(8), distance(20), distance(50)
    ('near', 'medium', 'far')
    """
    return "near" if gap < NEAR_M else "medium" if gap < FAR_M else "far"


def _pace(speed: float, limit: float) -> str:
    kmh = f"limit {limit * 3.6:.0f}"
    return f"at {kmh}" if speed >= NEAR_LIMIT * limit else kmh


def _around(notice: Notice, path: PathAction) -> list[str]:
    """What matters to the path: the next turn, the bend, the lane beside."""
    found = []
    if notice.crossing:
        found.append("crossing car")
    if notice.turn and notice.turn_m < 40:
        found.append(f"route: {notice.turn.lower()} {'now' if notice.turn_m < 12 else 'soon'}")
    if abs(notice.bend) > 0.3:
        found.append(f"bend {'left' if notice.bend > 0 else 'right'}")
    elif abs(notice.tilt) > 0.06:
        found.append(f"lane bears {'left' if notice.tilt > 0 else 'right'}")
    for side, free in (("left", notice.left_free), ("right", notice.right_free)):
        if free and path == f"{side.upper()}_CHANGE":
            found.append(f"{side} lane free")
    return found


def _reason(notice: Notice, speed: float, limit: float, actions: tuple[SpeedAction, PathAction]) -> str:
    """Why: the first that holds and fits the label."""
    pace, path = actions
    blocked = notice.gap < 60 and notice.closing > -CLOSING
    if path != "STRAIGHT" and (path.endswith("CHANGE") or abs(notice.bend) < 0.15):  # a slow change points far aside
        left = path.startswith("LEFT")
        side = 1 if left else -1
        beside = notice.left if left else notice.right
        if side * notice.tilt > 0.06 or side * notice.bend > 0.1 or not (beside or notice.turn):
            return "Follow the lane"
        if notice.turn and not notice.turn.startswith("Straight") and (notice.turn == "Left") == left:
            return "Follow the route"
        return "Overtake" if blocked and notice.closing > 0 else "Better lane"
    if path in ("LEFT_TURN", "RIGHT_TURN"):
        return "Follow the road"
    if pace in ("STOP", "DECELERATE"):
        if notice.yields or notice.crossing:
            return "Give way"
        if blocked:
            return "Keep distance"
        if notice.turn_m < 40 or abs(notice.bend) > 0.3:
            return "Turn ahead"
        return "Careful"
    if pace == "ACCELERATE":
        return "Below limit" if speed < NEAR_LIMIT * limit else "Way free"
    return "Follow" if blocked else "Cruise"
