"""The names this package offers. Listing them imports none of what they point at."""

from __future__ import annotations

from guerdon.plugins import hookimpl
from guerdon.plugins.catalog import Register


@hookimpl
def guerdon_rewards(register: Register) -> None:
    """What diagnostic traces earn, and what reports measure of them."""
    reward = "guerdon_medical.dx_rewards:DeepDxSearch"
    register(
        "medical/deep-dxsearch-v1", reward, summary="format, retrieval, lookup and diagnosis of a trace, in [0, 1]"
    )
    metrics = "guerdon_medical.dx_metrics"
    register("medical/diagnosis-accuracy-v1", f"{metrics}:Accuracy", summary="Acc@k of the diagnoses, 0 or 1")
    register("medical/gold-matched-v1", f"{metrics}:GoldMatched", summary="a matched record has the disease, 0 or 1")
    register("medical/traced-share-v1", f"{metrics}:TracedShare", summary="share of names that a source shows")


@hookimpl
def guerdon_tasks(register: Register) -> None:
    """Patients, published and made up."""
    register("medical/diagnosis-v1", "guerdon_medical.dx_tasks:Diagnosis", summary="published cases, by publication")
    register("medical/made-diagnosis-v1", "guerdon_medical.dx_made:MadeDiagnosis", summary="patients of a made world")


@hookimpl
def guerdon_commands(register: Register) -> None:
    """`guerdon dx`."""
    register(
        "dx", "guerdon_medical.commands:dx", summary="one patient's findings: the trace and its sources (research)"
    )


@hookimpl
def guerdon_recipes(register: Register) -> None:
    """The run that `guerdon train medical` starts, and one for a GPU."""
    recipes = "guerdon_medical.recipes"
    register("medical", f"{recipes}:medical", summary="SFT, then GRPO of a diagnostic agent on a 135M model")
    register("medical-gpu", f"{recipes}:medical_gpu", summary="Deep-DxSearch on published cases, GPU-sized")


@hookimpl
def guerdon_attacks(register: Register) -> None:
    """What rewards of diagnostic traces can be audited with, beside core's."""
    attacks = "guerdon_medical.dx_attacks"
    register("medical/more-names", f"{attacks}:MoreNames", summary="every disease it knows, after one match")
    register("medical/forged-records", f"{attacks}:ForgedRecords", summary="the tool's answer, written by the policy")
    register("medical/padded-rounds", f"{attacks}:PaddedRounds", summary="varied rounds that find nothing")
    register("medical/stop-words", f"{attacks}:StopWords", summary="words of many diseases' names for a diagnosis")


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
