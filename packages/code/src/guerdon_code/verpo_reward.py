"""VeRPO as a reward: every turn of every attempt is put to every test, and the tests weigh as their pass rates say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from guerdon.rewards import Context, Reward, Scores
from guerdon.types import Group, Rollout, Score
from guerdon_code import verpo
from guerdon_code.answers import Fallback
from guerdon_code.problems import CodeProblem
from guerdon_code.rewards import code_of, status_of, told
from guerdon_code.verdicts import Testing, Verdict, verdicts
from guerdon_code.verpo import Row, Rule, Settings


@dataclass(frozen=True)
class Verpo(Reward, name="code/verpo-v1", bounds=(0.0, float("inf")), sees="group"):
    """Tests weighed by how hard they are for the group (arXiv:2601.03525); see `guerdon_code.verpo` for the equations.

    Train with the advantage `streams: {weights: {trajectory: 1, turn: BETA}}`, which centres its two streams apart. The
    value, for logs, is the trajectory's reward plus `beta` times the mean over its turns; it has no upper bound that
    holds for all problems, so do not add it to other rewards before centring.
    """

    alpha: float = 2.0
    """How fast a test's weight falls with its pass rate; above 0."""
    beta: float = 1.0
    """Weight of the turns beside the trajectory, in the value; the advantage has its own."""
    gamma: float = 0.995
    """Factor per turn on solving the problem, the first turn included; in (0, 1]."""
    delta: float = 1e-6
    """Added to each density."""
    sigma: Rule | float = "half"
    """Bandwidth of the density: `half` or `root` of the spread of pass rates, or a number above 0."""
    fallback: Fallback = "whole"
    """What is the code where there is no fenced block: the `whole` attempt, or `none` of it."""
    floor_s: float = 1.0
    """Processor seconds that a test has at least; more where the reference is slow."""

    def __post_init__(self) -> None:
        _ = self._settings  # checks them

    @cached_property
    def _settings(self) -> Settings:
        return Settings(self.alpha, self.beta, self.gamma, self.delta, self.sigma)

    def score_batch(self, groups: Sequence[Group], context: Context) -> Scores:
        """All groups' scores: one round of tests for the whole batch, then each group by itself."""
        turns = [
            [
                [(problem, code) for code in attempts(rollout, problem, self.fallback)]
                for rollout in group.rollouts
                for problem in [rollout.example_as(CodeProblem)]
            ]
            for group in groups
        ]
        asked = [answer for group in turns for rollout in group for answer in rollout]
        rows = iter(verdicts(asked, Testing(floor_s=self.floor_s)))
        return [self._group([[next(rows) for _ in rollout] for rollout in group]) for group in turns]

    def _group(self, turns: Sequence[Sequence[Sequence[Verdict]]]) -> list[Score]:
        earned = verpo.scores([[_row(row) for row in each] for each in turns], self._settings)
        return [_explained(score, each[-1]) for score, each in zip(earned, turns, strict=True)]


def _explained(score: Score, last: Sequence[Verdict]) -> Score:
    """The score, with what the tests said of the last attempt beside the share of them that passed."""
    if not score.scored:
        return score
    why, status = told(last), status_of(last)
    return replace(score, parts={name: replace(part, why=why, status=status) for name, part in score.parts.items()})


def attempts(rollout: Rollout, problem: CodeProblem, fallback: Fallback = "whole") -> list[str]:
    """The code of each of the policy's turns, in order."""
    codes = []
    text = ""
    for segment in rollout.segments:
        if segment.author == "policy":
            codes.append(code_of(problem, text + segment.text, fallback))
        text = text + segment.text if segment.author == "forced" else ""
    return codes


def _row(row: Sequence[Verdict]) -> Row:
    return None if any(verdict.ours for verdict in row) else [verdict.passed for verdict in row]
