"""Which retrieved source shows each name that a trace claims: `traced`.

A claim is a disease that the policy names: one it answers, or one it looks up. Its sources are what tools showed
*before* it was named and that is about that disease: a matched record (id and publication), a guideline, a passage that
has the name. A guideline that is found for a looked-up name is no source of having asked for it, but of later claims.

Names are compared by `guerdon_medical.dx_scoring.normalised`. A source shows that a disease was *found*; whether it is
the right one, nobody says here. For research, not for clinical use.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from guerdon_medical.dx_scoring import LEAST_CONTAINED, normalised
from guerdon_medical.dx_traces import Source, Trace

ClaimKind = Literal["diagnosis", "lookup"]
NONE = "no source"


@dataclass(frozen=True)
class Claim:
    """One name, and what shows it."""

    kind: ClaimKind
    name: str
    turn: int
    """Which of the policy's turns names it, from 0."""
    sources: tuple[Source, ...]
    """Each once, in the order in which they were shown; empty where the name comes from nowhere."""


@dataclass(frozen=True)
class Report:
    """All claims of a trace, in their order."""

    claims: tuple[Claim, ...]

    @property
    def share(self) -> float:
        """Of claims with a source; NaN without claims."""
        return sum(bool(claim.sources) for claim in self.claims) / len(self.claims) if self.claims else float("nan")

    def as_data(self) -> dict[str, Any]:
        """Plain data for JSON: `claims` and `share` (None without claims)."""
        return {"claims": [asdict(claim) for claim in self.claims], "share": self.share if self.claims else None}

    def text(self, *, most: int = 5) -> str:
        """One line per claim, one per source below it; of many sources the first `most` and how many more."""
        lines = []
        for claim in self.claims:
            lines.append(
                f"{claim.kind} {claim.name!r} (turn {claim.turn + 1}): {'' if claim.sources else NONE}".rstrip()
            )
            lines += [f"  {told(source)}" for source in claim.sources[:most]]
            if len(claim.sources) > most:
                lines.append(f"  and {len(claim.sources) - most} more")
        if self.claims:
            found = sum(bool(claim.sources) for claim in self.claims)
            lines.append(f"{found} of {len(self.claims)} claims have a source")
        return "\n".join(lines) or "the trace names no disease"


def traced(trace: Trace) -> Report:
    """Each name that the trace claims, with the sources shown before it."""
    claims: list[Claim] = []
    shown: list[Source] = []
    for call in trace.calls:
        if call.action == "lookup" and not call.fault:
            claims += [_claim("lookup", name, call.turn, shown) for name in call.names]
        shown += call.sources
    last = len(trace.said) - 1
    claims += [_claim("diagnosis", name, last, shown) for name in trace.names]
    return Report(tuple(claims))


def told(source: Source) -> str:
    """A source in one line: what it is, its id, where it was published and what it is about."""
    where = f", PMID {source.publication}" if source.publication.isdigit() else ""
    about = source.title or "; ".join(source.diseases)
    return f"{source.kind} {source.id}{where}: {about}"


def shows(source: Source, name: str) -> bool:
    """Whether a source is about a disease: by one of its names, or, of a passage, by the name in its text."""
    wanted = normalised(name)
    if not wanted:
        return False
    if any(normalised(one) == wanted for one in source.diseases):
        return True
    long_enough = len(name.strip()) >= LEAST_CONTAINED
    return (
        source.kind == "passage" and long_enough and f" {wanted} " in f" {normalised(f'{source.title} {source.text}')} "
    )


def _claim(kind: ClaimKind, name: str, turn: int, shown: Sequence[Source]) -> Claim:
    found = {(source.kind, source.id): source for source in reversed(shown) if shows(source, name)}
    return Claim(kind, name, turn, tuple(reversed(found.values())))
