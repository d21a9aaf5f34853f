"""Steps and runs in which nothing was scored: the update then teaches nothing, and that must not go unsaid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from guerdon.trainer.records import score_of
from guerdon.types import Score, Status

if TYPE_CHECKING:
    from guerdon.runs import RunFolder

Reason = tuple[Status, str]

_NEXT: dict[Status, str] = {
    "abstain": "The reward does not apply to what it was given: name another reward, or another task.",
    "invalid": "The task itself is broken: mend its examples, or name another task.",
    "infra": "Something of ours, or a server that was asked, failed: `guerdon doctor` looks at this machine.",
}


def reason(score: Score) -> Reason:
    """Status and words of an unscored score; of the first unscored part, where it has one.

    >>> reason(Score.unscored("every part abstains", status="abstain"))
    ('abstain', 'every part abstains')
    """
    for name, part in score.parts.items():
        if not part.scored:
            status, why = reason(part)
            return status, f"{name}: {why}"
    return score.status, score.why or "no reason was given"


def most_common_reason(reasons: Counter[Reason]) -> str:
    """The reason most rollouts share, and what to do about it."""
    (status, why), count = reasons.most_common(1)[0]
    return f"Most often ({count} of {reasons.total()}): {status}, {why}. {_NEXT.get(status, '')}".rstrip()


def why_unscored(scores: Iterable[Score]) -> str:
    """Why none of a step's scores is a number; empty where one is, or there are none."""
    reasons: Counter[Reason] = Counter()
    for score in scores:
        if score.scored:
            return ""
        reasons[reason(score)] += 1
    return most_common_reason(reasons) if reasons else ""


def why_never_scored(run: RunFolder) -> str:
    """Why no rollout of a whole run's RL steps was scored, as an error says it; empty where one was, or none was drawn.

    From the folder, so that the steps before a resume count too.
    """
    steps = [int(line["step"]) for line in run.metrics() if line["phase"] == "rl"]
    reasons: Counter[Reason] = Counter()
    for step in steps:
        for record in run.read_rollouts("rl", step):
            if record["score"]["value"] is not None:
                return ""
            reasons[reason(score_of(record["score"]))] += 1
    if not reasons:
        return ""
    return (
        f"nothing was learnt: none of the {reasons.total()} rollouts of {len(steps)} steps was scored. "
        f"{most_common_reason(reasons)} See each rollout with `guerdon score {run.path} --step N`."
    )
