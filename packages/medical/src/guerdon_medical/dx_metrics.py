"""How good diagnostic traces are: for reports, not to train on.

| name | value |
|---|---|
| `medical/diagnosis-accuracy-v1` | 1 where one of the first k diagnoses is right (Acc@k), else 0 |
| `medical/gold-matched-v1` | 1 where a matched record has the right disease, else 0 |
| `medical/traced-share-v1` | share of the names that a trace claims which a retrieved source shows |

Source: Deep-DxSearch's evaluation [code]; containment counts from four characters on, since "a" is in nearly every
name, and never of "disease" or "syndrome" alone. The share of traced claims is ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from guerdon.errors import ConfigError
from guerdon.fields import one_of
from guerdon.rewards import Reward
from guerdon.types import Rollout, Score
from guerdon_medical.dx_examples import DiagnosisExample
from guerdon_medical.dx_layout import layout_of
from guerdon_medical.dx_rewards import Reading
from guerdon_medical.dx_scoring import accuracy_at, is_hit
from guerdon_medical.dx_traces import Trace, read_trace
from guerdon_medical.traceability import traced


@dataclass(frozen=True)
class _OfTrace(Reward):
    """What the three have in common."""

    layout: str = "released"
    """As the task's."""

    def __post_init__(self) -> None:
        layout_of(self.layout)

    def score(self, rollout: Rollout) -> Score:
        """Read the trace, and measure it."""
        example = rollout.example_as(DiagnosisExample)
        trace = read_trace(rollout, layout_of(self.layout))
        if failed := next((call for call in trace.calls if call.failed), None):
            return Score.unscored(f"the tool {failed.action!r} failed", status="infra")
        return self.measure(trace, example)

    def measure(self, trace: Trace, example: DiagnosisExample) -> Score:
        """Of a trace whose tools worked."""
        raise NotImplementedError


@dataclass(frozen=True)
class Accuracy(_OfTrace, name="medical/diagnosis-accuracy-v1", bounds=(0.0, 1.0)):
    """Acc@k: one of the first `k` marked names is right, or one contains the other, in lower case."""

    k: int = 1
    reading: Reading = "repaired"
    """`released` lets a name of any length be contained."""

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of(f"{self.name}.reading", self.reading, get_args(Reading))
        if self.k < 1:
            raise ConfigError(f"{self.name}.k is {self.k!r}; a number >= 1 is needed")

    @property
    def unaudited(self) -> str:
        """Names are shown to be right or wrong; five guesses are what Acc@5 counts."""
        return "it measures for reports; audit medical/deep-dxsearch-v1" if self.k > 1 else ""

    def measure(self, trace: Trace, example: DiagnosisExample) -> Score:
        """1 or 0; `invalid` without gold."""
        if not example.gold:
            return Score.unscored(f"the case {example.id!r} has no diagnosis", status="invalid")
        if not trace.names:
            return Score(0.0, "no diagnosis", status="fail")
        right = accuracy_at(trace.names, example.gold, self.k, released=self.reading == "released")
        why = "" if right else f"says {', '.join(trace.names[: self.k])}; it is {', '.join(example.gold)}"
        return Score(float(right), why, status="ok" if right else "fail")


@dataclass(frozen=True)
class GoldMatched(_OfTrace, name="medical/gold-matched-v1", bounds=(0.0, 1.0)):
    """Whether some matched record has the right disease."""

    @property
    def unaudited(self) -> str:
        """What is answered does not matter to it."""
        return "it measures what was matched, whatever is answered; audit medical/deep-dxsearch-v1"

    def measure(self, trace: Trace, example: DiagnosisExample) -> Score:
        """1 or 0; `invalid` without gold."""
        if not example.gold:
            return Score.unscored(f"the case {example.id!r} has no diagnosis", status="invalid")
        found = is_hit(
            [name for call in trace.of("match") for one in call.sources for name in one.diseases], example.gold
        )
        return Score(
            float(found), "" if found else "no matched record has the disease", status="ok" if found else "fail"
        )


@dataclass(frozen=True)
class TracedShare(_OfTrace, name="medical/traced-share-v1", bounds=(0.0, 1.0)):
    """The share of a trace's claims that a source shows, retrieved before they were made. Abstains without claims."""

    @property
    def unaudited(self) -> str:
        """Whether a name is right does not matter to it."""
        return "it measures where names come from, right or wrong; audit medical/deep-dxsearch-v1"

    def measure(self, trace: Trace, example: DiagnosisExample) -> Score:
        """Of the names answered and looked up."""
        report = traced(trace)
        if not report.claims:
            return Score.unscored("the trace names no disease", status="abstain")
        untraced = [claim.name for claim in report.claims if not claim.sources]
        return Score(report.share, f"no source shows {', '.join(untraced)}" if untraced else "")
