"""The names this package offers. Listing them imports none of what they point at."""

from __future__ import annotations

from guerdon.plugins import hookimpl
from guerdon.plugins.catalog import Register


@hookimpl
def guerdon_retrievers(register: Register) -> None:
    """Records by symptoms, and guidelines by name."""
    records, lookup = "guerdon_medical.records:SymptomMatch", "guerdon_medical.dx_lookup:ByName"
    register("medical/symptom-match", records, summary="patient records, by the best match of each symptom")
    register("medical/by-name", lookup, summary="guidelines by a disease's name, else by Okapi BM25 above a floor")


@hookimpl
def guerdon_tools(register: Register) -> None:
    """What a diagnostic agent calls."""
    tools = "guerdon_medical.dx_tools"
    register("medical/match", f"{tools}:Match", summary="records of patients with such symptoms, as JSON")
    register("medical/lookup", f"{tools}:Lookup", summary="guidelines of the diseases that are named, as JSON")


@hookimpl
def guerdon_claims(register: Register) -> None:
    """What the papers claim, shrunk."""
    claim = "guerdon_medical.deep_dxsearch_claim:DeepDxSearchClaim"
    register("deep_dxsearch", claim, summary="a trained diagnostic agent beats fixed work flows on noisy charts")
