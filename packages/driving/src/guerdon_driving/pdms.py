"""PDMS and EPDMS of planned trajectories in a scene: every term, when it is first violated, and the composite.

Two departures from NAVSIM, both by choice: the reference of progress is the path that was driven, and no tracker runs
before scoring. NAVSIM first lets a controller drive a kinematic bicycle after the plan, which smooths what no car could
do; here the plan is judged as it stands, so that what it says is what it earns.

Axes: B trajectories, N poses after now, T poses at 10 Hz.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from guerdon_driving.at_fault import collisions
from guerdon_driving.batches import Batch, alike
from guerdon_driving.comfort import comfort_of, first
from guerdon_driving.composites import (
    DAC,
    DDC,
    EC,
    EP,
    EPDMS_GATES,
    EPDMS_WEIGHTS,
    HC,
    LK,
    NC,
    PDMS_GATES,
    PDMS_WEIGHTS,
    TLC,
    TTC,
    C,
    epdms_value,
    excused,
    gate,
    pdms_value,
)
from guerdon_driving.direction import driving_direction
from guerdon_driving.ego_areas import EgoAreas, Loose, drivable, ego_areas
from guerdon_driving.extended_comfort import extended_comfort
from guerdon_driving.lane_keeping import lane_keeping
from guerdon_driving.lights import traffic_lights
from guerdon_driving.motions import STEP_S, Motion, Start, joined, motions
from guerdon_driving.plans import Plans, plans_of
from guerdon_driving.progress import ego_progress, progress_m
from guerdon_driving.scenes import Scene
from guerdon_driving.time_to_collision import time_to_collision
from guerdon_driving.trajectories import with_headings


@dataclass(frozen=True, eq=False)
class Pdms:
    """What B trajectories earn in one scene."""

    value: np.ndarray
    """(B,) in [0, 1]: the composite; 0 where a trajectory is none."""
    terms: Mapping[str, np.ndarray]
    """(B,) in [0, 1] each, by NAVSIM's name (`composites`)."""
    first_s: Mapping[str, np.ndarray]
    """(B,): seconds from now to the first violation of a term; inf where there is none. Not for progress."""
    reasons: tuple[str, ...]
    """Why each trajectory is none; empty where it is one."""
    excused: tuple[str, ...] = ()
    """EPDMS: terms that count 1 since the human has 0 of them; here they stand as found."""

    def why(self, row: int) -> str:
        """What cost something, in words: "time_to_collision_within_bound 0 at 1.2 s, ego_progress 0.8"."""
        if self.reasons[row]:
            return self.reasons[row]
        told = []
        for name, values in self.terms.items():
            if values[row] < 1 and name not in self.excused:
                when = self.first_s.get(name)
                at = "" if when is None or np.isinf(when[row]) else f" at {when[row]:.1f} s"
                told.append(f"{name} {values[row]:.3g}{at}")
        return ", ".join(told) or "nothing violated"


@dataclass(frozen=True, eq=False)
class Previous:
    """The plan of the frame before, for extended comfort."""

    poses: np.ndarray
    """(N, 2 or 3) after that frame's now, in that frame's coordinates, at the same step as the plans."""
    speed: float
    """The ego vehicle's speed then, in m/s."""
    since_s: float
    """Seconds from that frame to this one, a multiple of 0.1."""


def pdms(scene: Scene, trajectories: np.ndarray, *, step_s: float | None = None, start: Start = "speed") -> Pdms:
    """PDMS of B trajectories in one scene, all at once: NC * DAC * (5 EP + 5 TTC + 2 C) / 12.

    Args:
        scene: at least four poses after now. What it knows nothing of (no drivable area, no lanes) costs nothing.
        trajectories: (B, N, 2) or (B, N, 3): x, y and perhaps the heading after now (now itself is not among them), in
            the scene's frame, of the ego box's centre. Missing headings follow the direction of motion. Any numbers:
            what is no trajectory has a reason instead of terms, and 0. Poses beyond the scene's end are not judged.
        step_s: seconds between poses; None: as in the scene.
        start: see `motions`: "speed" judges comfort from the speed the ego vehicle has now; "free" by the poses alone.

    Returns:
        Each term, the time of its first violation, and the composite.

    Raises:
        TaskError: the scene is too short to judge by.

    Source: NAVSIM, as in the companion sheet.

    >>> still = np.zeros((0, 3))
    >>> scene = Scene(0.5, (4.0, 1.8), np.array([[5.0 * i, 0, 0] for i in range(7)]), 10.0, still,
    ...     others=np.full((1, 7, 3), [30.0, 0.0, 0.0]), sizes=np.array([[4.0, 1.8]]), kinds=("vehicle",))
    >>> slow, same = [[9.0, 0], [16, 0], [20, 0], [22, 0], [22.5, 0], [22.5, 0]], scene.ego[1:, :2]
    >>> found = pdms(scene, np.array([slow, same]))
    >>> found.terms["no_at_fault_collisions"].tolist(), found.first_s["no_at_fault_collisions"].tolist()
    ([1.0, 0.0], [inf, 2.6])
    """
    return pdms_many([scene], [trajectories], step_s=step_s, start=start)[0]


def epdms(
    scene: Scene,
    trajectories: np.ndarray,
    *,
    step_s: float | None = None,
    start: Start = "speed",
    previous: Previous | None = None,
) -> Pdms:
    """EPDMS of B trajectories in one scene; arguments and results as for `pdms`.

    Args:
        scene: its `past` is what history comfort prepends; without, it is judged as comfort is.
        trajectories: as for `pdms`.
        step_s: as for `pdms`.
        start: as for `pdms`.
        previous: the plan of the frame before, for extended comfort; None: that term is 1 for all [choice].
    """
    return epdms_many([scene], [trajectories], step_s=step_s, start=start, previous=[previous])[0]


def pdms_many(
    scenes: Sequence[Scene],
    trajectories: Sequence[np.ndarray],
    *,
    step_s: float | None = None,
    start: Start = "speed",
) -> list[Pdms]:
    """`pdms` of several scenes, each with its own trajectories: what no scene decides (comfort) is judged together."""
    plans = plans_of(scenes, trajectories, step_s, start)
    felt = _comforts([(each.motion, 0) for each in plans])
    return [_pdms(*each) for each in zip(_terms(plans), felt, strict=True)]


def epdms_many(
    scenes: Sequence[Scene],
    trajectories: Sequence[np.ndarray],
    *,
    step_s: float | None = None,
    start: Start = "speed",
    previous: Sequence[Previous | None] | None = None,
) -> list[Pdms]:
    """`epdms` of several scenes, as `pdms_many`."""
    plans = plans_of(scenes, trajectories, step_s, start)
    felt = _comforts([each.with_past() for each in plans])
    before = previous or [None] * len(plans)
    return [_epdms(*each) for each in zip(_terms(plans), felt, before, strict=True)]


Felt = tuple[np.ndarray, np.ndarray]
"""Comfort of each row, 0 or 1, and seconds from now to its first violation."""


def _comforts(moving: Sequence[tuple[Motion, int]]) -> list[Felt]:
    """Of motions, each with the number of poses before now; those of one length are judged together."""
    found: dict[int, Felt] = {}
    for places in alike([motion for motion, _ in moving]):
        felt = comfort_of(joined([moving[place][0] for place in places]))
        ends = np.cumsum([len(moving[place][0]) for place in places])[:-1]
        parts = zip(places, np.split(felt.all.astype(np.float64), ends), np.split(felt.first_s, ends), strict=True)
        found |= {place: (kept, when - moving[place][1] * STEP_S) for place, kept, when in parts}
    return [found[place] for place in range(len(moving))]


def _terms(plans: Sequence[Plans]) -> list[_Terms]:
    """What both composites ask of each scene's plans, found in all scenes at once: collisions, areas, progress."""
    found: dict[int, _Terms] = {}
    for places in alike([each.motion for each in plans]):
        found |= zip(places, _Terms.of(Batch.of([plans[place] for place in places])), strict=True)
    return [found[place] for place in range(len(plans))]


@dataclass(frozen=True, eq=False)
class _Terms:
    """Terms of all rows of one scene's plans, as they are found."""

    plans: Plans
    values: dict[str, np.ndarray]
    first_s: dict[str, np.ndarray]
    areas: EgoAreas
    gained: np.ndarray
    """Metres along the route, whatever the gates say."""

    @classmethod
    def of(cls, batch: Batch) -> list[_Terms]:
        """The two gates that both composites have, and the time to collision, and progress as far as it is known."""
        areas = ego_areas(batch)
        around = (batch.size[batch.scene], batch.others, batch.sizes)
        whole = {
            NC: collisions(
                batch.motion, *around, batch.speeds, batch.agents, batch.at_start, Loose(batch, areas), batch.pairs
            ),
            TTC: time_to_collision(
                batch.motion, *around, batch.at_start, Loose(batch, areas, crossing=True), pairs=batch.pairs
            ),
        }
        kept, off_road = drivable(areas)
        gained = progress_m(batch.motion, batch.lines, batch.scene)
        whole[DAC] = kept, first(off_road)
        return [
            cls(
                plans,
                {name: values[rows] for name, (values, _) in whole.items()},
                {name: first_s[rows] for name, (_, first_s) in whole.items()},
                areas.of_rows(rows),
                gained[rows],
            )
            for plans, rows in zip(batch.plans, batch.rows(), strict=True)
        ]

    def put(self, name: str, found: tuple[np.ndarray, np.ndarray]) -> None:
        """A term and its times."""
        self.values[name], self.first_s[name] = found

    def mark(self, name: str, found: tuple[np.ndarray, np.ndarray]) -> None:
        """A term, and the poses at which it is violated."""
        self.put(name, (found[0], first(found[1])))

    def progress(self, gates: Mapping[str, np.ndarray]) -> None:
        """Progress, once the gates are known, as the composite counts them."""
        safe = gate(gates, tuple(gates))
        self.values[EP] = ego_progress(self.gained, safe, self.gained[-1] * safe[-1])

    def record(self, value: np.ndarray, names: Sequence[str], nobody_asked: tuple[str, ...] = ()) -> Pdms:
        """What is told of the trajectories given, the terms in the composite's order."""
        timed = [name for name in names if name in self.first_s]
        given, *values = self.plans.scattered([value, *(self.values[name] for name in names)], 0.0)
        first_s = self.plans.scattered([self.first_s[name] for name in timed], np.inf)
        return Pdms(
            given,
            dict(zip(names, values, strict=True)),
            dict(zip(timed, first_s, strict=True)),
            tuple(self.plans.reasons),
            nobody_asked,
        )


def _pdms(terms: _Terms, felt: Felt) -> Pdms:
    terms.put(C, felt)
    terms.progress({name: terms.values[name] for name in PDMS_GATES})
    return terms.record(pdms_value(terms.values), (*PDMS_GATES, *PDMS_WEIGHTS))


def _epdms(terms: _Terms, felt: Felt, previous: Previous | None) -> Pdms:
    plans, motion = terms.plans, terms.plans.motion
    terms.mark(DDC, driving_direction(motion, terms.areas))
    terms.mark(TLC, traffic_lights(terms.areas, plans.scene.red_lights))
    terms.mark(LK, lane_keeping(motion, terms.areas, plans.scene.route))
    terms.put(HC, felt)
    terms.values[EC] = np.ones(len(motion))
    if previous is not None:
        poses = with_headings(np.asarray(previous.poses, dtype=np.float64)[None])
        before = motions(poses, plans.step_s, speed=None if plans.speed is None else previous.speed)
        terms.values[EC] = extended_comfort(motion, before, previous.since_s)
    gates = {name: terms.values[name] for name in EPDMS_GATES}
    # A gate that the human broke is not asked of the reference either, or standing still would be all the progress.
    terms.progress(excused(gates, {name: values[-1] for name, values in gates.items()}))
    names = (*EPDMS_GATES, *EPDMS_WEIGHTS)
    human = {name: terms.values[name][-1] for name in names}
    nobody_asked = tuple(name for name in names if human[name] == 0)
    return terms.record(epdms_value(terms.values, human), names, nobody_asked)
