"""The names this package offers. Listing them imports none of what they point at."""

from __future__ import annotations

from guerdon.plugins import hookimpl
from guerdon.plugins.catalog import Register


@hookimpl
def guerdon_rewards(register: Register) -> None:
    """What verifiers, rerankers and search answers earn."""
    nuggets = "guerdon_search.nugget_rewards"
    register("search/verifier-v1", f"{nuggets}:Verifier", summary="Search-Gen-V's reward of a nugget verifier's labels")
    register(
        "search/class-recall-v1", f"{nuggets}:ClassRecall", summary="mean recall per class of label; for reporting"
    )
    register("search/nugget-coverage-v1", f"{nuggets}:NuggetCoverage", summary="share of nuggets an answer supports")
    register("search/short-form-v1", f"{nuggets}:ShortForm", summary="exact match, or a verifier's word for it")
    register("search/exact-match-v1", f"{nuggets}:ExactMatch", summary="a gold answer to the letter, 0 or 1")


@hookimpl
def guerdon_claims(register: Register) -> None:
    """What the papers claim, shrunk."""
    gen_v = "guerdon_search.search_gen_v_claim:SearchGenV"
    register("search_gen_v", gen_v, summary="a small nugget verifier gains by RL; batches, and union with exact match")


@hookimpl
def guerdon_judges(register: Register) -> None:
    """A judge without a model."""
    register("search/lexical", "guerdon_search.lexical:Lexical", summary="labels nuggets by shared words, for dry runs")


@hookimpl
def guerdon_tasks(register: Register) -> None:
    """Made-up tasks, and those of files."""
    nuggets = "guerdon_search.nugget_tasks"
    register("search/nuggets-v1", f"{nuggets}:Nuggets", summary="label the nuggets of made-up passages")
    register("search/nugget-file-v1", f"{nuggets}:NuggetFile", summary="label the nuggets of Search-Gen-V's rows")
    register("search/nugget-answers-v1", f"{nuggets}:NuggetAnswers", summary="answer questions from made-up passages")
    register("search/answer-file-v1", f"{nuggets}:AnswerFile", summary="answer questions with nuggets of your own")
