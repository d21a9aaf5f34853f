"""`Claim`, `Measurement` and `ClaimResult`.

A claim is honest when it can fail: `run` measures over several seeds, states what it needs, and says `held=False`
without raising when the measurement disagrees. A raise means that the experiment itself broke. What could not be run
(its data are not here) is listed, and the claim then holds in part at most. A seed without a finite number in what is
needed is a failure, and is never averaged away.
"""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import compress
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

    >>> print(Measurement("accuracy", (0.25, 0.75), needed=">= 0.4", earlier="about 0.55"))
    accuracy: 0.5 ± 0.3536 (0.25, 0.75), needed >= 0.4, an earlier trial about 0.55
    """

    name: str
    values: tuple[float, ...]
    """One per seed, in the order of the seeds; NaN where a seed gave none."""
    unit: str = ""
    needed: str = ""
    """What it has to be for the claim to hold, in words: ">= 0.05"; "" where nothing hangs on it. Where one of its
    values is not finite, it is not that (`Claim.result`)."""
    earlier: str = ""
    """What an earlier trial of the same experiment measured, for comparison alone: "about 0.62"."""

    @property
    def whole(self) -> bool:
        """Whether every seed gave a finite number."""
        return all(map(math.isfinite, self.values))

    @property
    def mean(self) -> float:
        """Over all seeds; NaN where one of them gave no finite number, so that no comparison with it holds."""
        return self.finite_mean if self.whole else math.nan

    @property
    def finite_mean(self) -> float:
        """Over the seeds that gave a finite number; NaN where none did. Nothing is to be judged by it."""
        numbers = [value for value in self.values if math.isfinite(value)]
        return math.fsum(numbers) / len(numbers) if numbers else math.nan

    @property
    def std(self) -> float:
        """Sample standard deviation (ddof 1) over seeds; NaN for fewer than two, and where the mean is."""
        mean = self.mean
        if len(self.values) < 2 or mean != mean:
            return math.nan
        return math.sqrt(math.fsum((value - mean) ** 2 for value in self.values) / (len(self.values) - 1))

    def __str__(self) -> str:
        spread = f" ± {self.std:.4g}" if math.isfinite(self.std) else ""
        each = ", ".join(f"{value:.4g}" for value in self.values)
        unit = f" {self.unit}" if self.unit else ""
        told = "".join(
            f", {word} {text}" for word, text in zip(_TOLD, (self.needed, self.earlier), strict=True) if text
        )
        return f"{self.name}: {self.mean:.4g}{spread}{unit} ({each}){told}"


_TOLD = ("needed", "an earlier trial")
"""What is printed beside a measurement: a word for each."""


@dataclass(frozen=True)
class ClaimResult:
    """What was claimed, what was measured, and whether it held."""

    claim: str
    """The claim's name."""
    held: bool
    """Whether every part did that was run."""
    measurements: tuple[Measurement, ...]
    seeds: tuple[int, ...] = ()
    notes: str = ""
    """What a reader must know: where the shrunk experiment differs, what did not hold and why."""
    statement: str = ""
    paper: str = ""
    not_run: tuple[str, ...] = ()
    """The parts of the claim that were not run, each with its reason: `held` says nothing about them."""

    @property
    def verdict(self) -> str:
        """`held`, `held in part` where some of it was not run, or `did not hold`."""
        if not self.held:
            return "did not hold"
        return "held in part" if self.not_run else "held"

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
            "verdict": self.verdict,
            "not_run": list(self.not_run),
            "statement": self.statement,
            "paper": self.paper,
            "seeds": list(self.seeds),
            "measurements": [
                {
                    "name": one.name,
                    "values": [value if math.isfinite(value) else None for value in one.values],
                    "unit": one.unit,
                    "needed": one.needed,
                    "earlier": one.earlier,
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
                one["needed"],
                one["earlier"],
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
            tuple(data["not_run"]),
        )

    def __str__(self) -> str:
        head = f"{self.claim}: {self.verdict if self.held else self.verdict.upper()}"
        lines = [
            head,
            *([f"  {self.statement}"] if self.statement else []),
            *([f"  {self.paper}"] if self.paper else []),
        ]
        lines += [f"  {measurement}" for measurement in self.measurements]
        lines += [f"  not run: {part}" for part in self.not_run]
        return "\n".join(lines + ([f"  note: {self.notes}"] if self.notes else []))

    @property
    def _runs(self) -> str:
        """What the column of numbers is called."""
        if not self.seeds:
            return "each run"
        first, last = self.seeds[0], self.seeds[-1]
        return f"seed {first}" if len(self.seeds) == 1 else f"seeds {first} to {last}"

    def __rich__(self) -> Table:
        from rich import box
        from rich.table import Table

        colour = "red" if not self.held else "yellow" if self.not_run else "green"
        said = [*(f"Not run: {part}." for part in self.not_run), *([self.notes] if self.notes else [])]
        table = Table(
            title=f"{self.claim}: [{colour}]{self.verdict}[/{colour}]",
            caption="\n".join(said).replace("[", r"\[") or None,
            title_justify="left",
            caption_justify="left",
            box=box.SIMPLE_HEAD,
        )
        # One column for all seeds, which wraps: a terminal has no room for one each, and a cut number is a wrong one.
        told = [(one.needed, one.earlier) for one in self.measurements]
        used = [any(column) for column in zip(*told, strict=True)]
        for heading in ("measured", "mean", self._runs, *compress(_TOLD, used)):
            table.add_column(heading, justify="right" if heading == "mean" else "left", no_wrap=heading == "mean")
        for one, words in zip(self.measurements, told, strict=True):
            name = f"{one.name} [{one.unit}]" if one.unit else one.name
            numbers = " ".join(f"{value:.4g}" for value in one.values)
            plain = (text.replace("[", r"\[") for text in (name, f"{one.mean:.4g}", numbers, *compress(words, used)))
            table.add_row(*plain)
        return table


class Claim(ABC):
    """The base of all claims: a frozen dataclass whose fields size the experiment, with three class attributes."""

    name: ClassVar[str]
    """As registered: "sql/reasoning-sql"."""
    paper: ClassVar[str]
    """Title and where to find it."""
    statement: ClassVar[str]
    """The claim in one sentence."""
    seeds: ClassVar[int] = 4
    """How many seeds `guerdon claims run` takes where it is not told."""

    @abstractmethod
    def run(self, seeds: Sequence[int], progress: Progress = no_progress) -> ClaimResult:
        """Run the experiment once per seed; the same seeds measure the same numbers."""

    def result(
        self,
        held: bool,
        measurements: Sequence[Measurement],
        seeds: Sequence[int],
        notes: str = "",
        *,
        not_run: Sequence[str] = (),
    ) -> ClaimResult:
        """A result that carries this claim's name, statement and paper.

        Whatever `held` says, it did not hold where something that was `needed` has no finite number on some seed: a run
        that diverged is no run that passed, and comparisons (`min`, `max`) may step over a NaN.
        """
        gone = [one.name for one in measurements if one.needed and not one.whole]
        if gone:
            told = f"not held, whatever else was found: on some seed there is no finite number for {'; '.join(gone)}"
            notes = f"{notes.rstrip('. ')}. {told}" if notes else told
        return ClaimResult(
            self.name,
            held and not gone,
            tuple(measurements),
            tuple(seeds),
            notes,
            self.statement,
            self.paper,
            tuple(not_run),
        )


def dumps(results: Sequence[ClaimResult]) -> str:
    """Results as a JSON text."""
    return json.dumps([result.to_json() for result in results], indent=2, allow_nan=False)
