"""The names this package offers. Listing them imports none of what they point at."""

from __future__ import annotations

from guerdon.plugins import hookimpl
from guerdon.plugins.catalog import Register


@hookimpl
def guerdon_rewards(register: Register) -> None:
    """What medical agents earn."""
    medix = "guerdon_medical.medix_rewards:MediX"
    register("medical/medix-r1-v1", medix, summary="MediX-R1: judge, embedding, layout and modality, in [0, 1]")


@hookimpl
def guerdon_judges(register: Register) -> None:
    """Judges without a model."""
    judging = "guerdon_medical.medix_judging"
    register("medical/synonyms", f"{judging}:SynonymJudge", summary="YES where both are names of one thing, by a table")
    register("medical/words", f"{judging}:WordsJudge", summary="YES where all words of the reference occur: weak")


@hookimpl
def guerdon_tasks(register: Register) -> None:
    """Made-up tasks, and those of files."""
    asked = "guerdon_medical.open_questions"
    register("medical/open-questions-v1", f"{asked}:OpenQuestions", summary="made-up findings with a free-text name")
    register("medical/open-question-file-v1", f"{asked}:OpenQuestionFile", summary="open questions of MediX-R1's rows")
    register("medical/pubmedqa-v1", "guerdon_medical.pubmedqa:PubMedQA", summary="questions on abstracts, of its file")
    register("medical/medquad-v1", "guerdon_medical.medquad:MedQuAD", summary="open questions of the NIH's sites")
    films = "guerdon_medical.modality_images:PneumoniaMnist"
    register("medical/pneumonia-mnist-v1", films, summary="chest films of 28 x 28: pneumonia or not, from its file")


@hookimpl
def guerdon_recipes(register: Register) -> None:
    """Runs by name."""
    medix = "guerdon_medical.medix_recipes"
    register("medical-medix-grpo", f"{medix}:medix_grpo", summary="MediX-R1 by GRPO, sized for one GPU")
    register("medical-medix-gspo", f"{medix}:medix_gspo", summary="MediX-R1 by GSPO, sized for one GPU")
    register("medical-medix-dapo", f"{medix}:medix_dapo", summary="MediX-R1 by DAPO, sized for one GPU")


@hookimpl
def guerdon_claims(register: Register) -> None:
    """What the papers claim, shrunk."""
    medix = "guerdon_medical.medix_claim:MediXClaim"
    register("medix_r1", medix, summary="a composite reward is harder to hack than a weak judge alone")


@hookimpl
def guerdon_attacks(register: Register) -> None:
    """What rewards of open medical questions can be audited with, beside core's."""
    medix = "guerdon_medical.medix_attacks"
    register("medical/near-names", f"{medix}:NearNames", summary="a list of names, or one on both sides")
    register("medical/forged-comparison", f"{medix}:ForgedComparison", summary="text that goes on as the judge's")
    register("medical/every-tag", f"{medix}:EveryTag", summary="all modalities at once")
    register("medical/bare-answer", f"{medix}:BareAnswer", summary="the right answer without its layout")
