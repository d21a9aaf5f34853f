"""Looking for proxy points in one run: Nelder and Mead's search over thresholds, each tried by training on.

A vertex is a threshold per component. `evaluate` trains *the same policy* on with these thresholds for a while and says
how good it is by a measure that is not trained on; so evaluations are noisy and depend on their order, and what comes
back is best taken together with the policy it was measured on (`Found.best`).

Source: the released code of arXiv:2310.04373; see each function for what is our choice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from guerdon.errors import ConfigError
from guerdon.fields import proper_share
from guerdon.rewards.lagrange import same_names

Vertex = Mapping[str, float]


@dataclass(frozen=True)
class Evaluation:
    """One vertex that was tried."""

    thresholds: Vertex
    score: float
    """Higher is better."""


@dataclass(frozen=True)
class Found:
    """What a search came to."""

    evaluations: tuple[Evaluation, ...]
    """In the order they were made; those answered from the cache are none."""
    iterations: int
    best: int
    """The place of the best among `evaluations`: keep each policy by it, and take this one."""
    stopped: str
    """`spread`, `iterations` or `budget`."""

    @property
    def thresholds(self) -> Vertex:
        """The best vertex."""
        return self.evaluations[self.best].thresholds

    @property
    def score(self) -> float:
        """What it scored when it was tried."""
        return self.evaluations[self.best].score


@dataclass(frozen=True)
class NelderMead:
    """The search's settings."""

    reflection: float = 1.0
    expansion: float = 2.0
    contraction: float = 0.5
    shrink: float = 0.5
    spread: float = 0.01
    """It stops when the best and the worst score of the simplex are less than this apart (that the spread of the scores
    is meant is our reading)."""
    iterations: int = 20
    budget: int = 40
    """At most so many evaluations."""
    cached_within: float = 5e-3
    """A vertex closer than this (Euclidean, our choice) to one that was tried has its score."""

    def __post_init__(self) -> None:
        if not (self.reflection > 0.0 and self.expansion > 1.0 and 0.0 < self.contraction < 1.0):
            raise ConfigError("NelderMead: reflection > 0, expansion > 1 and 0 < contraction < 1 are needed")
        proper_share("NelderMead.shrink", self.shrink)
        if self.budget < 1 or self.iterations < 0:
            raise ConfigError("NelderMead: a budget >= 1 and iterations >= 0 are needed")

    def search(self, evaluate: Callable[[Vertex], float], simplex: Sequence[Vertex]) -> Found:
        """The thresholds with the highest score met.

        Args:
            evaluate: the score of training on with these thresholds; finite. Called once per vertex that is new.
            simplex: N + 1 vertices of the same N names; see `start_simplex`.

        Raises:
            ConfigError: the simplex is not one, or a score is not finite.
        """
        names = _names(simplex)
        run = _Run(self, names, evaluate)
        try:
            run.start(simplex)
            for iteration in range(self.iterations):
                if run.narrow:
                    return run.found(iteration, "spread")
                run.iterate()
                run.iterations = iteration + 1
        except _BudgetSpent:
            return run.found(run.iterations, "budget")
        return run.found(self.iterations, "spread" if run.narrow else "iterations")


def start_simplex(low: Vertex, high: Vertex, seed: int) -> list[Vertex]:
    """N + 1 vertices, each threshold uniform between its two ends: in the released code a middling value of the
    component and the largest seen.

    Raises:
        ConfigError: the ends name different components, or are in the wrong order.
    """
    same_names("low", low, "high", high)
    for name in low:
        if not (math.isfinite(low[name]) and low[name] < high[name] < math.inf):
            raise ConfigError(
                f"start_simplex: {name!r} goes from {low[name]!r} to {high[name]!r}; low < high is needed"
            )
    random = Random(seed)
    return [{name: random.uniform(low[name], high[name]) for name in low} for _ in range(len(low) + 1)]


class _BudgetSpent(Exception):  # noqa: N818 - no error: caught by the search
    """No evaluation is left."""


_Point = tuple[float, ...]


@dataclass
class _Run:
    """One search; `points` are the simplex, best first, each with its score."""

    settings: NelderMead
    names: tuple[str, ...]
    evaluate: Callable[[Vertex], float]
    made: list[Evaluation] = field(default_factory=list)
    tried: list[tuple[_Point, float]] = field(default_factory=list)
    points: list[tuple[float, _Point]] = field(default_factory=list)
    iterations: int = 0

    def start(self, simplex: Sequence[Vertex]) -> None:
        for vertex in simplex:
            self._take(tuple(vertex[name] for name in self.names))

    @property
    def narrow(self) -> bool:
        return self.points[0][0] - self.points[-1][0] < self.settings.spread

    def iterate(self) -> None:
        """Replace the worst vertex by a better one, or draw all towards the best."""
        settings = self.settings
        worst_score, worst = self.points[-1]
        others = [point for _, point in self.points[:-1]]
        centre = tuple(math.fsum(axis) / len(others) for axis in zip(*others, strict=True))

        def beyond(factor: float) -> tuple[float, _Point]:
            point = tuple(c + factor * (c - w) for c, w in zip(centre, worst, strict=True))
            return self._score(point), point

        reflected = beyond(settings.reflection)
        if reflected[0] > self.points[0][0]:
            expanded = beyond(settings.reflection * settings.expansion)
            return self._replace_worst(max(expanded, reflected, key=lambda pair: pair[0]))
        if reflected[0] > self.points[-2][0]:
            return self._replace_worst(reflected)
        outside = reflected[0] > worst_score
        contracted = beyond(settings.contraction * (settings.reflection if outside else -1.0))
        if contracted[0] > max(reflected[0], worst_score):
            return self._replace_worst(contracted)
        best = self.points[0][1]
        kept, self.points = self.points[1:], self.points[:1]
        for _, point in kept:
            self._take(tuple(b + settings.shrink * (p - b) for b, p in zip(best, point, strict=True)))
        return None

    def found(self, iterations: int, stopped: str) -> Found:
        best = max(range(len(self.made)), key=lambda place: self.made[place].score)
        return Found(tuple(self.made), iterations, best, stopped)

    def _replace_worst(self, pair: tuple[float, _Point]) -> None:
        self.points[-1] = pair
        self.points.sort(key=lambda pair: -pair[0])

    def _take(self, point: _Point) -> None:
        self.points.append((self._score(point), point))
        self.points.sort(key=lambda pair: -pair[0])

    def _score(self, point: _Point) -> float:
        for known, score in self.tried:
            if math.dist(known, point) < self.settings.cached_within:
                return score
        if len(self.made) >= self.settings.budget:
            raise _BudgetSpent
        thresholds = dict(zip(self.names, point, strict=True))
        score = float(self.evaluate(thresholds))
        if not math.isfinite(score):
            raise ConfigError(f"the thresholds {thresholds} scored {score!r}; a finite number is needed")
        self.tried.append((point, score))
        self.made.append(Evaluation(thresholds, score))
        return score


def _names(simplex: Sequence[Vertex]) -> tuple[str, ...]:
    if not simplex:
        raise ConfigError("the simplex is empty; N + 1 vertices of N thresholds are needed")
    names = tuple(simplex[0])
    for vertex in simplex:
        same_names("the first vertex", simplex[0], "another", vertex)
        if not all(math.isfinite(value) for value in vertex.values()):
            raise ConfigError(f"the simplex has the vertex {dict(vertex)}; finite thresholds are needed")
    if len(simplex) != len(names) + 1:
        raise ConfigError(f"the simplex has {len(simplex)} vertices of {len(names)} thresholds; one more is needed")
    return names
