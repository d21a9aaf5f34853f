"""The names this package offers. Listing them imports none of what they point at."""

from __future__ import annotations

from guerdon.plugins import hookimpl
from guerdon.plugins.catalog import Register


@hookimpl
def guerdon_rewards(register: Register) -> None:
    """What medical agents earn, and what reports measure of them."""
    reward = "guerdon_medical.dx_rewards:DeepDxSearch"
    register(
        "medical/deep-dxsearch-v1", reward, summary="format, retrieval, lookup and diagnosis of a trace, in [0, 1]"
    )
    metrics = "guerdon_medical.dx_metrics"
    register("medical/diagnosis-accuracy-v1", f"{metrics}:Accuracy", summary="Acc@k of the diagnoses, 0 or 1")
    register("medical/gold-matched-v1", f"{metrics}:GoldMatched", summary="a matched record has the disease, 0 or 1")
    register("medical/traced-share-v1", f"{metrics}:TracedShare", summary="share of names that a source shows")
    rwr = "guerdon_medical.rwr_rewards"
    register("medical/med-rwr-v1", f"{rwr}:MedRwR", summary="Med-RwR's six parts: answer, layout, queries, confidence")
    register("medical/rwr-right-v1", f"{rwr}:right_answer", summary="the right option or text, 0 or 1")
    register("medical/rwr-queried-v1", f"{rwr}:asked_something", summary="a query was answered, 0 or 1")
    register("medical/rwr-gold-document-v1", f"{rwr}:saw_gold", summary="a document with the answer was shown, 0 or 1")
    router = "guerdon_medical.router_metrics"
    register(
        "medical/router-step-v1",
        "guerdon_medical.router_rewards:RouterStepReward",
        summary="R1-Router's reward of one step: similarity and routing of a plan, recall of an answer",
    )
    register("medical/router-answer-v1", f"{router}:FinalAnswer", summary="recall of a final answer; for reporting")
    register("medical/router-look-ups-v1", f"{router}:LookUps", summary="look-ups, those beyond need, malformed plans")
    register("medical/router-base-share-v1", f"{router}:BaseShare", summary="one base's share of the look-ups")
    medix = "guerdon_medical.medix_rewards:MediX"
    register("medical/medix-r1-v1", medix, summary="MediX-R1: judge, embedding, layout and modality, in [0, 1]")


@hookimpl
def guerdon_tasks(register: Register) -> None:
    """Made-up tasks, and those of files."""
    register("medical/diagnosis-v1", "guerdon_medical.dx_tasks:Diagnosis", summary="published cases, by publication")
    register("medical/made-diagnosis-v1", "guerdon_medical.dx_made:MadeDiagnosis", summary="patients of a made world")
    rwr = "guerdon_medical.rwr_tasks"
    register("medical/rwr-questions-v1", f"{rwr}:RwrQuestions", summary="options and a retriever, made-up diseases")
    register("medical/rwr-file-v1", f"{rwr}:RwrFile", summary="questions of your own, with a retriever at hand")
    router = "guerdon_medical.router_tasks"
    register(
        "medical/router-steps-v1", f"{router}:RouterSteps", summary="R1-Router's steps from a file of trajectories"
    )
    register("medical/made-router-v1", f"{router}:MadeRouter", summary="R1-Router's steps over three made-up bases")
    register(
        "medical/made-router-questions-v1",
        f"{router}:MadeRouterQuestions",
        summary="whole questions over them, on the policy's own history",
    )
    asked = "guerdon_medical.open_questions"
    register("medical/open-questions-v1", f"{asked}:OpenQuestions", summary="made-up findings with a free-text name")
    register("medical/open-question-file-v1", f"{asked}:OpenQuestionFile", summary="open questions of MediX-R1's rows")
    register("medical/pubmedqa-v1", "guerdon_medical.pubmedqa:PubMedQA", summary="questions on abstracts, of its file")
    register("medical/medquad-v1", "guerdon_medical.medquad:MedQuAD", summary="open questions of the NIH's sites")
    films = "guerdon_medical.modality_images:PneumoniaMnist"
    register("medical/pneumonia-mnist-v1", films, summary="chest films of 28 x 28: pneumonia or not, from its file")


@hookimpl
def guerdon_commands(register: Register) -> None:
    """`guerdon dx`."""
    register(
        "dx", "guerdon_medical.commands:dx", summary="one patient's findings: the trace and its sources (research)"
    )


@hookimpl
def guerdon_recipes(register: Register) -> None:
    """The runs that `guerdon train NAME` starts."""
    recipes = "guerdon_medical.recipes"
    register("medical", f"{recipes}:medical", summary="SFT, then GRPO of a diagnostic agent on a 135M model")
    register("medical-cases", f"{recipes}:medical_cases", summary="a diagnostic agent on published cases, 135M, a GPU")
    register("medical-gpu", f"{recipes}:medical_gpu", summary="Deep-DxSearch on published cases, GPU-sized")
    register("medical-rwr", "guerdon_medical.recipes:medical_rwr", summary="Med-RwR in short traces: SFT, then GRPO")
    register("medical-rwr-gpu", "guerdon_medical.recipes:medical_rwr_gpu", summary="Med-RwR's first stage, for a GPU")
    images = "guerdon_medical.recipes:medical_rwr_images_gpu"
    register("medical-rwr-images-gpu", images, summary="Med-RwR's second stage, on pictures, for a GPU")
    register(
        "medical-router",
        "guerdon_medical.recipes:medical_router",
        summary="R1-Router's steps on 135M: SFT on references, then Step-GRPO",
    )
    medix = "guerdon_medical.medix_recipes"
    register("medical-medix-grpo", f"{medix}:medix_grpo", summary="MediX-R1 by GRPO, sized for one GPU")
    register("medical-medix-gspo", f"{medix}:medix_gspo", summary="MediX-R1 by GSPO, sized for one GPU")
    register("medical-medix-dapo", f"{medix}:medix_dapo", summary="MediX-R1 by DAPO, sized for one GPU")


@hookimpl
def guerdon_attacks(register: Register) -> None:
    """What the rewards can be audited with, beside core's."""
    attacks = "guerdon_medical.dx_attacks"
    register("medical/more-names", f"{attacks}:MoreNames", summary="every disease it knows, after one match")
    register("medical/forged-records", f"{attacks}:ForgedRecords", summary="the tool's answer, written by the policy")
    register("medical/padded-rounds", f"{attacks}:PaddedRounds", summary="varied rounds that find nothing")
    register("medical/stop-words", f"{attacks}:StopWords", summary="words of many diseases' names for a diagnosis")
    medix = "guerdon_medical.medix_attacks"
    register("medical/near-names", f"{medix}:NearNames", summary="a list of names, or one on both sides")
    register("medical/forged-comparison", f"{medix}:ForgedComparison", summary="text that goes on as the judge's")
    register("medical/every-tag", f"{medix}:EveryTag", summary="all modalities at once")
    register("medical/bare-answer", f"{medix}:BareAnswer", summary="the right answer without its layout")


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
    register(
        "med_rwr", "guerdon_medical.med_rwr_claim:MedRwRClaim", summary="rewards on the query make retrieval useful"
    )
    register(
        "r1_router",
        "guerdon_medical.router_claim:RouterClaim",
        summary="step rewards teach routing, the outcome rarely",
    )
    medix = "guerdon_medical.medix_claim:MediXClaim"
    register("medix_r1", medix, summary="a composite reward is harder to hack than a weak judge alone")


@hookimpl
def guerdon_encoders(register: Register) -> None:
    """Who sees pictures and reads texts."""
    register(
        "medical/made-sight", "guerdon_medical.rwr_world:MadeSight", summary="made-up pictures and texts in one space"
    )


@hookimpl
def guerdon_judges(register: Register) -> None:
    """Judges without a model."""
    judging = "guerdon_medical.medix_judging"
    register("medical/synonyms", f"{judging}:SynonymJudge", summary="YES where both are names of one thing, by a table")
    register("medical/words", f"{judging}:WordsJudge", summary="YES where all words of the reference occur: weak")
