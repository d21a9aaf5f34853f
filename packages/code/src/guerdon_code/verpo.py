r"""VeRPO's arithmetic: from which tests passed to what each trajectory and each of its turns earned.

A problem has U tests; a group has N trajectories, the i-th of $T_i$ turns, and a turn is one whole solution,
run against *every* test. With $p_{i,t,j}$ its verdicts and M the turns of the group:

| eq. | | |
|---|---|---|
| 1 | $\rho_j = \frac{1}{M} \sum_{i,t} p_{i,t,j}$ | how often test j passes |
| 2 | $w_j = e^{-\alpha \rho_j}$ | how hard it is |
| 3 | $\hat N_j = \sum_k e^{-(\rho_j - \rho_k)^2 / 2\sigma^2}$ | how many are about as hard, itself included |
| 4 | $w'_j = w_j / (\hat N_j + \delta)$ | what it is worth |
| 5 | $R_{turn}(i,t) = \sum_j w'_j \, p_{i,t,j}$ | stream `turn`: a sum, not a mean |
| 6 | $\tilde R_{traj}(i) = R_{traj}(i) \, \gamma^{T_i}$ | stream `trajectory`; $R_{traj}$: last turn passes all |
| 7-9 | $A = \tilde R_{traj} - \overline{R}_{traj} + \beta \, (R_{turn} - \overline{R}_{turn})$ | core's `streams` |

Each mean is over its own kind, that of the turns over all turns of all trajectories; nothing is divided by a spread. A
third stream, `pass_rate` (the share of tests a turn passes), is what the paper compares with; see `estimators`.

A row is None where the sandbox failed: that attempt leaves $\rho$, M and the means. A trajectory whose *last* attempt
was lost is unscored as a whole, since nobody knows whether it solved the problem; its other turns still count in
$\rho$.

Nothing here runs a program. It has to be given the same tests for every attempt, each run to its end: a runner that
stops at the first failure makes the later tests look hard. Source: VeRPO (arXiv:2601.03525); what the paper leaves open
(the bandwidth $\sigma$, $\gamma$, $\delta$) is a setting.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Literal, get_args

from guerdon.advantages import streams
from guerdon.errors import ConfigError
from guerdon.types import Example, Group, Rollout, Score, Segment, Stream

Row = Sequence[bool] | None
"""One attempt's verdicts, a bool for each of the U tests in an order that is the group's; None: the sandbox failed."""

Attempts = Sequence[Sequence[Row]]
"""N trajectories of at least one turn each: trajectory x turn."""

Rule = Literal["half", "root"]
"""$\\sigma$ from the population std of $\\rho$ over the tests: divided by 2, or by $\\sqrt 2$."""

LEAST_SIGMA = 1e-3
"""Where all tests pass equally often their std is 0, and each has U neighbours."""

FRONTIER = 0.2
"""Tests that pass less often than this are the ones a plain pass rate hardly sees."""


@dataclass(frozen=True)
class Settings:
    """What the paper calls hyper-parameters."""

    alpha: float = 2.0
    """How fast a test's weight falls with its pass rate; above 0."""
    beta: float = 1.0
    """Weight of the turns beside the trajectory; at least 0."""
    gamma: float = 0.995
    """Factor per turn on solving the problem, the first turn included; in (0, 1]."""
    delta: float = 1e-6
    """Added to each density; above 0."""
    sigma: Rule | float = "half"
    """Bandwidth of the density: a rule, or a number above 0. It is never below 1e-3."""

    def __post_init__(self) -> None:
        for name, low, open_below, high in (
            ("alpha", 0.0, True, math.inf),
            ("beta", 0.0, False, math.inf),
            ("gamma", 0.0, True, 1.0),
            ("delta", 0.0, True, math.inf),
            *([] if self.sigma in get_args(Rule) else [("sigma", 0.0, True, math.inf)]),
        ):
            value = getattr(self, name)
            number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
            if not number or not low <= value <= high or (open_below and value == low):
                words = ", or 'half' or 'root'" if name == "sigma" else ""
                span = f"{'above' if open_below else 'at least'} {low:g}" + (
                    f" and at most {high:g}" if high == 1 else ""
                )
                raise ConfigError(f"Settings.{name} is {value!r}; a finite number {span} is needed{words}")

    def estimator(self) -> streams:
        """Equations 7-9 with this `beta`: what a recipe writes as `streams` with these weights."""
        return streams({"trajectory": 1.0, "turn": self.beta})


DEFAULT = Settings()


@dataclass(frozen=True)
class Weighed:
    """One group's tests, weighed, and what its attempts earned by them."""

    rates: tuple[float, ...]
    """Test: pass rate over all attempts there are, in [0, 1] (eq. 1); empty where there is none."""
    sigma: float
    densities: tuple[float, ...]
    """Test: how many tests pass about as often, itself included, in [1, U] (eq. 3)."""
    weights: tuple[float, ...]
    """Test: its worth, in (0, 1) (eq. 4)."""
    turns: tuple[tuple[float, ...], ...]
    """Trajectory x turn: the worth of the tests passed (eq. 5), from 0 to the sum of weights; NaN where lost."""
    trajectories: tuple[float, ...]
    """Trajectory: gamma to the number of turns where solved, else 0 (eq. 6); NaN where its last attempt was lost."""


def pass_rates(attempts: Attempts) -> tuple[float, ...]:
    """How often each test passes, over all attempts that there are (eq. 1).

    Returns:
        U shares in [0, 1]; none where every attempt was lost.

    Raises:
        ValueError: a trajectory without turns, rows of unequal length or of none, or a verdict that is no bool.

    >>> pass_rates([[(True, True)], [(True, False)], [None]])
    (1.0, 0.5)
    """
    rows = _rows(attempts)
    return tuple(sum(column) / len(rows) for column in zip(*rows, strict=True))


def bandwidth(rates: Sequence[float], sigma: Rule | float = "half") -> float:
    """The density's sigma; at least 1e-3."""
    if not isinstance(sigma, str):
        return max(float(sigma), LEAST_SIGMA)
    if not rates:
        return LEAST_SIGMA
    mean = math.fsum(rates) / len(rates)
    std = math.sqrt(math.fsum((rate - mean) ** 2 for rate in rates) / len(rates))
    return max(std / (2.0 if sigma == "half" else math.sqrt(2.0)), LEAST_SIGMA)


def densities(rates: Sequence[float], sigma: float) -> tuple[float, ...]:
    """How many tests pass about as often as each, itself included (eq. 3).

    Computed over distinct rates, of which there are at most M + 1 however many tests there are.
    """
    counts = sorted(Counter(rates).items())
    at = {
        rate: math.fsum(count * math.exp(-((rate - other) ** 2) / (2.0 * sigma * sigma)) for other, count in counts)
        for rate, _ in counts
    }
    return tuple(at[rate] for rate in rates)


def weigh(attempts: Attempts, settings: Settings = DEFAULT) -> Weighed:
    """Equations 1 to 6 for one group.

    Raises:
        ValueError: as `pass_rates`.

    >>> found = weigh([[(True, True, True, True)], *[[(True, True, True, False)]] * 3])
    >>> [round(weight, 3) for weight in found.weights], [round(turn, 3) for turn, in found.turns]
    ([0.045, 0.045, 0.045, 0.606], [0.742, 0.135, 0.135, 0.135])
    """
    rates = pass_rates(attempts)
    sigma = bandwidth(rates, settings.sigma)
    density = densities(rates, sigma)
    weights = tuple(
        math.exp(-settings.alpha * rate) / (near + settings.delta) for rate, near in zip(rates, density, strict=True)
    )
    return Weighed(
        rates,
        sigma,
        density,
        weights,
        turns=tuple(
            tuple(math.nan if row is None else math.fsum(compress(weights, row)) for row in turns) for turns in attempts
        ),
        trajectories=tuple(
            math.nan if turns[-1] is None else float(all(turns[-1])) * settings.gamma ** len(turns)
            for turns in attempts
        ),
    )


def scores(attempts: Attempts, settings: Settings = DEFAULT) -> list[Score]:
    """What one group earned: the seam for a reward that runs the tests.

    Args:
        attempts: one trajectory per rollout of the group, one row per turn (`Rollout.turns`).
        settings: of the paper.

    Returns:
        One score per trajectory, with the streams `trajectory`, `turn` and `pass_rate` and the parts `outcome` (0 or 1)
        and `tests` (the last turn's share of passed tests). The value is the trajectory's reward plus beta times the
        mean over its turns, in [0, 1 + beta * U]: with one turn each, centring it gives the same advantages as the
        streams do. Status `ok` where solved, else `fail`; `infra` where the last attempt was lost.

    Raises:
        ValueError: as `pass_rates`.
    """
    return _scores(attempts, weigh(attempts, settings), settings.beta)


def _scores(attempts: Attempts, found: Weighed, beta: float) -> list[Score]:
    worth = math.fsum(found.weights)
    return [
        _score(turns, earned, trajectory, worth, beta)
        for turns, earned, trajectory in zip(attempts, found.turns, found.trajectories, strict=True)
    ]


def _score(turns: Sequence[Row], earned: Sequence[float], trajectory: float, worth: float, beta: float) -> Score:
    last = turns[-1]
    if last is None:
        return Score.unscored("the sandbox failed on the last attempt")
    shares = [math.nan if row is None else sum(row) / len(row) for row in turns]
    there = [value for value in earned if value == value]
    said = [_said(row, value, worth) for row, value in zip(turns, earned, strict=True)]
    return Score(
        trajectory + beta * math.fsum(there) / len(there),
        said[0] if len(said) == 1 else "; ".join(f"turn {number}: {text}" for number, text in enumerate(said, 1)),
        {"outcome": Score(float(all(last))), "tests": Score(shares[-1])},
        "ok" if all(last) else "fail",
        {
            "trajectory": Stream("rollout", (trajectory,)),
            "turn": Stream("turn", tuple(earned)),
            "pass_rate": Stream("turn", tuple(shares)),
        },
    )


def _said(row: Row, earned: float, worth: float) -> str:
    if row is None:
        return "lost, the sandbox failed"
    share = earned / worth if worth else 0.0  # a huge alpha leaves no test any weight
    return f"{sum(row)} of {len(row)} tests passed, {share:.0%} of their weight"


def estimators(beta: float = DEFAULT.beta) -> dict[str, streams]:
    """VeRPO and what it is compared with, over the same scores."""
    return {
        "outcome": streams({"trajectory": 1.0}),
        "pass rate": streams({"pass_rate": 1.0}),
        "pass rate + outcome": streams({"trajectory": 1.0, "pass_rate": 1.0}),
        "VeRPO, local only": streams({"turn": 1.0}),
        "VeRPO": streams({"trajectory": 1.0, "turn": beta}),
    }


def advantages(attempts: Attempts, settings: Settings = DEFAULT) -> list[list[float]]:
    """A(i, t) of equation 9, trajectory x turn: every token of a turn gets that turn's. 0 for unscored trajectories.

    Raises:
        ValueError: as `pass_rates`.
    """
    return settings.estimator().estimate([_group(attempts)], [scores(attempts, settings)]).values[0]


def measures(groups: Sequence[Attempts], settings: Settings = DEFAULT) -> dict[str, float]:
    """What to log of a batch, for metrics.jsonl.

    Returns:
        `dead/outcome`, `dead/pass_rate`, `dead/verpo`: the share of these groups that teaches nothing under the outcome
        alone, under the pass rate alone and under VeRPO. `rate/mean`: the tests' pass rate, and `weight/frontier`: the
        share of the weight on tests that pass less often than 0.2; both are means over groups. NaN of no group.

    Raises:
        ValueError: as `pass_rates`.
    """
    arms = estimators(settings.beta)
    rollouts, every = [_group(attempts) for attempts in groups], [weigh(attempts, settings) for attempts in groups]
    earned = [_scores(attempts, found, settings.beta) for attempts, found in zip(groups, every, strict=True)]
    dead = {
        name: arms[arm].estimate(rollouts, earned).dead
        for name, arm in (("outcome", "outcome"), ("pass_rate", "pass rate"), ("verpo", "VeRPO"))
    }
    weighed = [found for found in every if found.rates]
    return {
        **{f"dead/{name}": _mean([float(flag) for flag in flags]) for name, flags in dead.items()},
        "rate/mean": _mean([_mean(found.rates) for found in weighed]),
        "weight/frontier": _mean([_frontier(found) for found in weighed]),
    }


def _frontier(found: Weighed) -> float:
    hard = [weight for weight, rate in zip(found.weights, found.rates, strict=True) if rate < FRONTIER]
    return math.fsum(hard) / math.fsum(found.weights)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan


def _group(attempts: Attempts) -> Group:
    """Stand-in rollouts: one step per turn, so that there is one advantage for each."""
    example = Example(id="verpo")
    return Group(tuple(Rollout(example, tuple(Segment("policy", action=0) for _ in turns)) for turns in attempts))


def _rows(attempts: Attempts) -> list[Sequence[bool]]:
    """The rows that there are, in order, checked."""
    rows: list[Sequence[bool]] = []
    for number, turns in enumerate(attempts):
        if not turns:
            raise ValueError(f"trajectory {number} has no turns; one attempt is the least")
        for turn, row in enumerate(turns):
            if row is None:
                continue
            where = f"turn {turn} of trajectory {number}"
            if not row:
                raise ValueError(f"{where} has no tests; a problem without tests cannot be scored")
            if rows and len(row) != len(rows[0]):
                raise ValueError(f"{where} has {len(row)} verdicts where the first attempt has {len(rows[0])}")
            if set(map(type, row)) != {bool}:
                wrong = next((test, value) for test, value in enumerate(row) if type(value) is not bool)
                raise ValueError(f"{where}, test {wrong[0]}: {wrong[1]!r} is no verdict; True or False is needed")
            rows.append(row)
    return rows
