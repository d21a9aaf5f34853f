"""`Claim`, `Measurement` and `ClaimResult`.

A claim is honest when it can fail: `run` measures over several seeds, states what it expected, and says `held=False`
without raising when the measurement disagrees. A raise means that the experiment itself broke.
"""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from guerdon.errors import ConfigError

if TYPE_CHECKING:
    from rich.table import Table

Progress = Callable[[int, int, str], None]
"""Called as `progress(done, total, what)` now and then; counts are in whatever unit the claim works in."""


def no_progress(done: int, total: int, what: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Measurement:
    """One number, once per seed.

    >>> print(Measurement("accuracy", (0.25, 0.75), expected=">= 0.4"))
    accuracy: 0.5 ± 0.3536 (0.25, 0.75), expected >= 0.4
    """

    name: str
    values: tuple[float, ...]
    """One per seed, in the order of the seeds; NaN where a seed gave none."""
    unit: str = ""
    expected: str = ""
    """What the paper or the sheet says, in words: ">= 0.05", "0.62 [measured]"."""

    @property
    def mean(self) -> float:
        """Over the seeds that gave a number; NaN where none did."""
        numbers = self._numbers
        return math.fsum(numbers) / len(numbers) if numbers else math.nan

    @property
    def std(self) -> float:
        """Sample standard deviation (ddof 1) over seeds; NaN for fewer than two numbers."""
        numbers, mean = self._numbers, self.mean
        if len(numbers) < 2:
            return math.nan
        return math.sqrt(math.fsum((value - mean) ** 2 for value in numbers) / (len(numbers) - 1))

    @property
    def _numbers(self) -> list[float]:
        return [value for value in self.values if math.isfinite(value)]

    def __str__(self) -> str:
        spread = f" ± {self.std:.4g}" if len(self._numbers) > 1 else ""
        each = ", ".join(f"{value:.4g}" for value in self.values)
        unit = f" {self.unit}" if self.unit else ""
        expected = f", expected {self.expected}" if self.expected else ""
        return f"{self.name}: {self.mean:.4g}{spread}{unit} ({each}){expected}"


@dataclass(frozen=True)
class ClaimResult:
    """What was claimed, what was measured, and whether it held."""

    claim: str
    """The claim's name."""
    held: bool
    measurements: tuple[Measurement, ...]
    seeds: tuple[int, ...] = ()
    notes: str = ""
    """What a reader must know: where the shrunk experiment differs, what did not hold and why."""
    statement: str = ""
    paper: str = ""

    def __post_init__(self) -> None:
        for measurement in self.measurements:
            if self.seeds and len(measurement.values) != len(self.seeds):
                raise ConfigError(
                    f"claim {self.claim}: {measurement.name!r} has {len(measurement.values)} values for "
                    f"{len(self.seeds)} seeds"
                )

    def to_json(self) -> dict[str, Any]:
        """Plain data, with NaN as None; `from_json` reads it back."""
        return {
            "claim": self.claim,
            "held": self.held,
            "statement": self.statement,
            "paper": self.paper,
            "seeds": list(self.seeds),
            "measurements": [
                {
                    "name": one.name,
                    "values": [value if math.isfinite(value) else None for value in one.values],
                    "unit": one.unit,
                    "expected": one.expected,
                }
                for one in self.measurements
            ],
            "notes": self.notes,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> ClaimResult:
        """What `to_json` gave."""
        measurements = tuple(
            Measurement(
                one["name"],
                tuple(math.nan if value is None else value for value in one["values"]),
                one["unit"],
                one["expected"],
            )
            for one in data["measurements"]
        )
        return cls(
            data["claim"],
            data["held"],
            measurements,
            tuple(data["seeds"]),
            data["notes"],
            data["statement"],
            data["paper"],
        )

    def __str__(self) -> str:
        head = f"{self.claim}: {'held' if self.held else 'DID NOT HOLD'}"
        lines = [
            head,
            *([f"  {self.statement}"] if self.statement else []),
            *([f"  {self.paper}"] if self.paper else []),
        ]
        lines += [f"  {measurement}" for measurement in self.measurements]
        return "\n".join(lines + ([f"  note: {self.notes}"] if self.notes else []))

    def __rich__(self) -> Table:
        from rich.table import Table

        verdict = "[green]held[/green]" if self.held else "[red]did not hold[/red]"
        table = Table(
            title=f"{self.claim}: {verdict}", caption=self.notes or None, title_justify="left", caption_justify="left"
        )
        table.add_column("measured")
        table.add_column("mean", justify="right")
        for index in range(max((len(one.values) for one in self.measurements), default=0)):
            table.add_column(f"seed {self.seeds[index]}" if self.seeds else f"run {index}", justify="right")
        table.add_column("expected")
        for one in self.measurements:
            name = f"{one.name} [{one.unit}]".replace("[", r"\[") if one.unit else one.name
            table.add_row(
                name, f"{one.mean:.4g}", *(f"{value:.4g}" for value in one.values), one.expected.replace("[", r"\[")
            )
        return table


class Claim(ABC):
    """The base of all claims: a frozen dataclass whose fields size the experiment, with three class attributes."""

    name: ClassVar[str]
    """As registered: "sql/reasoning-sql"."""
    paper: ClassVar[str]
    """Title and where to find it."""
    statement: ClassVar[str]
    """The claim in one sentence."""

    @abstractmethod
    def run(self, seeds: Sequence[int], progress: Progress = no_progress) -> ClaimResult:
        """Run the experiment once per seed; the same seeds measure the same numbers."""

    def result(
        self, held: bool, measurements: Sequence[Measurement], seeds: Sequence[int], notes: str = ""
    ) -> ClaimResult:
        """A result that carries this claim's name, statement and paper."""
        return ClaimResult(self.name, held, tuple(measurements), tuple(seeds), notes, self.statement, self.paper)


def dumps(results: Sequence[ClaimResult]) -> str:
    """Results as a JSON text."""
    return json.dumps([result.to_json() for result in results], indent=2, allow_nan=False)
