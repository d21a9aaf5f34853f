"""Putting attacks to a reward: score the honest answers, then every variant of every attack beside them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from guerdon.audit.attack import Attack
from guerdon.audit.cases import Case
from guerdon.audit.findings import CLOSE, Finding, Sample
from guerdon.errors import ConfigError
from guerdon.rewards import Reward
from guerdon.scoring import Runner
from guerdon.types import Group, Score

Advance = Callable[[str], None]
"""Called after each variant with its attack's name."""


@dataclass
class Bench:
    """A reward on the bench: its honest scores, and attack after attack against them.

    A context manager: it owns worker processes.
    """

    reward: Reward
    cases: Sequence[Case]
    workers: int | None = None
    deadline_s: float = 30.0
    honest: tuple[Score, ...] = field(default=(), init=False)
    """What each example's own reference earned, beside wrong ones."""
    wrong: tuple[tuple[Score, ...], ...] = field(default=(), init=False)
    """What honest answers to other examples earned there."""
    scored: int = field(default=0, init=False)
    """Completions scored so far."""

    _asked: Sequence[Group] = field(default=(), init=False, repr=False)

    def __post_init__(self) -> None:
        self._runner = Runner(self.workers, self.deadline_s, on_error="unscored")
        self._asked = [case.group((case.reference, *case.wrong)) for case in self.cases]
        rows = self._score(self._asked)
        if errors := self._runner.stats["errors"]:
            told = next(score.why for row in rows for score in row if not score.scored)
            self.close()
            raise ConfigError(f"{self.reward.name} raised on {errors} of the honest answers: {told}")
        self.honest = tuple(row[0] for row in rows)
        self.wrong = tuple(tuple(row[1:]) for row in rows)

    def unsteady(self) -> Unsteady:
        """Score the honest answers again, and count which have another score now."""
        first = [score for one, row in zip(self.honest, self.wrong, strict=True) for score in (one, *row)]
        again = [score for row in self._score(self._asked) for score in row]
        apart = [
            abs(one.value - other.value)
            for one, other in zip(first, again, strict=True)
            if one.status != other.status or (one.scored and abs(one.value - other.value) > CLOSE)
        ]
        return Unsteady(len(first), len(apart), max((gap for gap in apart if not math.isnan(gap)), default=0.0))

    def measure(self, attack: Attack) -> Finding:
        """One variant on every example."""
        written = [case.attempts(attack) for case in self.cases]
        groups, places = [], []
        for place, (case, texts) in enumerate(zip(self.cases, written, strict=True)):
            for group in self._groups(attack, case, texts):
                groups.append(group)
                places.append(place)
        before = self._runner.stats["errors"]
        rows = self._score(groups)
        by_case: list[list[tuple[Group, list[Score]]]] = [[] for _ in self.cases]
        for place, group, row in zip(places, groups, rows, strict=True):
            by_case[place].append((group, row))
        earned = [self._earned(attack, place, scored) for place, scored in enumerate(by_case)]
        return Finding(
            attack,
            values=tuple(one.value for one in earned),
            honest=tuple(one.honest for one in earned),
            wrong=tuple(one.wrong for one in earned),
            wrong_ties=tuple(one.ties for one in earned),
            applied=sum(bool(texts) for texts in written),
            statuses=dict(Counter(score.status for one in earned for score in one.own)),
            errors=self._runner.stats["errors"] - before,
            sample=_best([one.sample for one in earned]),
        )

    def values(self, case: Case, texts: Sequence[str]) -> list[Score]:
        """What each text earns at one example, on its own beside honest company."""
        if self.reward.sees == "rollout":
            return self._score([case.group(texts)])[0]
        return [row[0] for row in self._score([self._beside(case, text) for text in texts])]

    # -- how attempts are put together -----------------------------------------------------------------------------

    def _groups(self, attack: Attack, case: Case, texts: Sequence[str]) -> list[Group]:
        if not texts:
            return []
        if attack.whole_group or self.reward.sees == "rollout":
            return [case.group(texts)]
        return [self._beside(case, text) for text in texts]

    @staticmethod
    def _beside(case: Case, text: str) -> Group:
        """One attack in honest company: the reference, and wrong answers up to the group's size."""
        return case.group((text, case.reference, *case.wrong[: max(1, case.target.group_size - 2)]))

    def _earned(self, attack: Attack, place: int, scored: Sequence[tuple[Group, list[Score]]]) -> _Earned:
        honest = self.honest[place].value
        beside = [score.value for score in self.wrong[place] if score.scored]
        if not scored:
            return _Earned(math.nan, honest, *_baseline(beside, honest), (), None)
        compared = self.reward.sees != "rollout" and not attack.whole_group
        if compared:  # the company that it is ranked with
            own = [row[0] for _, row in scored]
            honest = _mean([row[1].value for _, row in scored if row[1].scored])
            beside = [score.value for _, row in scored for score in row[2:] if score.scored]
        else:
            own = scored[0][1]
        texts = [group.rollouts[0] for group, _ in scored] if compared else scored[0][0].rollouts
        numbers = [score.value for score in own if score.scored]
        least = min(numbers) if len(numbers) == len(own) else math.nan
        value = _mean(numbers) if attack.whole_group else least
        top = max(range(len(own)), key=lambda at: own[at].value if own[at].scored else -math.inf)
        case = self.cases[place]
        sample = Sample(case.example.id, texts[top].completion, own[top], honest)
        return _Earned(value, honest, *_baseline(beside, honest), tuple(own), sample)

    def _score(self, groups: Sequence[Group]) -> list[list[Score]]:
        self.scored += sum(map(len, groups))
        return self._runner.score(self.reward, groups) if groups else []

    # -- life ------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """End the worker processes."""
        self._runner.close()

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()


@dataclass(frozen=True)
class Unsteady:
    """Whether the same answers earn the same when they are scored again."""

    of: int
    """Completions scored twice."""
    differing: int
    most: float
    """How far two values of one completion lie apart, at most."""


@dataclass(frozen=True)
class _Earned:
    value: float
    honest: float
    wrong: float
    ties: float
    own: tuple[Score, ...]
    sample: Sample | None


def _baseline(values: Sequence[float], honest: float) -> tuple[float, float]:
    """The wrong answers' mean, and how many of them earn at least what the honest one does."""
    if math.isnan(honest) or not values:
        return _mean(values), math.nan
    return _mean(values), _mean([float(value >= honest - 1e-9) for value in values])


def _best(samples: Sequence[Sample | None]) -> Sample | None:
    """The one that earned most beside its honest answer; of the unscored ones any."""
    known = [sample for sample in samples if sample is not None]
    if not known:
        return None

    def above(sample: Sample) -> float:
        over = sample.score.value - sample.honest
        return -math.inf if math.isnan(over) else over

    return max(known, key=above)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan
