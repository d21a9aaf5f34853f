"""What is asked of a diagnostic agent: one patient's findings, and which disease it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from guerdon.types import Example
from guerdon_medical.cases import Case


class DiagnosisExample(Example):
    """One patient. `gold` is empty where nobody knows: such a case can be asked about, and earns nothing."""

    findings: tuple[str, ...]
    """Names of what was found, as the chart lists it."""
    absent: tuple[str, ...] = ()
    """Names of what was looked for and not found: never a symptom."""
    sex: str = ""
    """`FEMALE`, `MALE`, or empty."""
    publication: str = ""
    gold: tuple[str, ...] = ()
    """Names of the disease."""
    gold_ids: tuple[str, ...] = ()
    telling: tuple[str, ...] = ()
    """Findings that a reference asks the records for; empty where there is no reference."""
    others: tuple[str, ...] = ()
    """Other diseases of the records that these findings show, in their order."""

    @property
    def exclude_ids(self) -> frozenset[str]:
        """What no tool may show: the case's own record, and whatever else its publication reports."""
        return frozenset(name for name in (self.id, self.publication) if name)


def example_of(case: Case, names: Mapping[str, str], *, listed: Sequence[str] = ()) -> DiagnosisExample:
    """A case as it is asked about.

    Args:
        case: of a split that is asked about, never a record.
        names: of findings by id; a finding without a name stands as its id.
        listed: what the chart lists in place of what was found, noise included; noise that the patient was looked at
            for is not told to be absent as well.
    """
    findings = tuple(dict.fromkeys(listed or (names.get(id, id) for id in case.observed)))
    return DiagnosisExample(
        id=case.id,
        findings=findings,
        absent=tuple(name for id in case.excluded if (name := names.get(id, id)) not in findings),
        sex=case.sex,
        publication=case.publication,
        gold=tuple(disease.name for disease in case.diagnoses),
        gold_ids=tuple(disease.id for disease in case.diagnoses),
    )
