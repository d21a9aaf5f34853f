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
    relevance = "guerdon_search.relevance_rewards"
    register("search/retro-star-v1", f"{relevance}:RetroStar", summary="Retro*'s composite over linked groups")
    calibration = f"{relevance}:RelevanceCalibration"
    register("search/relevance-calibration-v1", calibration, summary="how near a score of 0 to 100 is to what is known")
    register("search/pair-order-v1", f"{relevance}:PairOrder", summary="the relevant of two is above; for reporting")
    register("search/r3-v1", "guerdon_search.topical_rewards:R3", summary="on topic, by a frozen encoder, regularised")
    criteria = "guerdon_search.criterion_rewards"
    register("search/rule-criterion-v1", f"{criteria}:RuleCriterion", summary="one of SearchLLM's criteria, by a rule")
    register("search/judged-criterion-v1", f"{criteria}:JudgedCriterion", summary="one of them, by a judge")
    register(
        "search/search-llm-v1", f"{criteria}:search_llm", summary="bottom lines as a gate on behaviours, in [0, 1]"
    )


@hookimpl
def guerdon_claims(register: Register) -> None:
    """What the papers claim, shrunk."""
    gen_v = "guerdon_search.search_gen_v_claim:SearchGenV"
    register(
        "r3", "guerdon_search.r3_claim:R3Claim", summary="regularised relevance teaches, relevance alone is hacked"
    )
    retro = "guerdon_search.retro_star_claim:RetroStarClaim"
    register("retro_star", retro, summary="many scores beat one, and the composite beats self-consistency")
    register("search_gen_v", gen_v, summary="a small nugget verifier gains by RL; batches, and union with exact match")


@hookimpl
def guerdon_judges(register: Register) -> None:
    """A judge without a model."""
    register("search/lexical", "guerdon_search.lexical:Lexical", summary="labels nuggets by shared words, for dry runs")


@hookimpl
def guerdon_retrievers(register: Register) -> None:
    """A second stage on another retriever."""
    register("search/reranked", "guerdon_search.reranked:Reranked", summary="another's hits, in a judge's order")


@hookimpl
def guerdon_tasks(register: Register) -> None:
    """Made-up tasks, and those of files."""
    nuggets = "guerdon_search.nugget_tasks"
    register("search/nuggets-v1", f"{nuggets}:Nuggets", summary="label the nuggets of made-up passages")
    register("search/nugget-file-v1", f"{nuggets}:NuggetFile", summary="label the nuggets of Search-Gen-V's rows")
    answers = "guerdon_search.answer_tasks"
    register("search/nugget-answers-v1", f"{answers}:NuggetAnswers", summary="answer questions from made-up passages")
    register("search/short-answers-v1", f"{answers}:ShortAnswers", summary="find a year in made-up passages")
    register("search/answer-file-v1", f"{answers}:AnswerFile", summary="answer questions with nuggets of your own")
    relevance = "guerdon_search.relevance_tasks"
    register("search/relevance-v1", f"{relevance}:Relevance", summary="score made-up documents, in linked pairs")
    register(
        "search/beir-pairs-v1", f"{relevance}:BeirPairs", summary="score documents of a BEIR folder, in linked pairs"
    )
    sessions = "guerdon_search.session_tasks"
    register("search/sessions-v1", f"{sessions}:Sessions", summary="grounded answers from made-up evidence")
    register("search/session-file-v1", f"{sessions}:SessionFile", summary="grounded answers from evidence of your own")
    topical = "guerdon_search.topical_tasks"
    register("search/topical-v1", f"{topical}:TopicalQuestions", summary="made-up open and closed questions")
    register("search/topical-file-v1", f"{topical}:TopicalFile", summary="R3's rows of queries and references")


@hookimpl
def guerdon_policies(register: Register) -> None:
    """A verifier without a model."""
    verifier = "guerdon_search.word_verifier:word_verifier"
    register("search/word-verifier", verifier, summary="labels nuggets by weights over shared words")


@hookimpl
def guerdon_recipes(register: Register) -> None:
    """The runs that `guerdon train search` and `guerdon train search-word-verifier` start."""
    register("search", "guerdon_search.recipes:search", summary="a nugget verifier with Search-Gen-V's reward on 135M")
    words = "guerdon_search.recipes:search_word_verifier"
    register("search-word-verifier", words, summary="Search-Gen-V's reward on 24 weights over words, in seconds")


@hookimpl
def guerdon_attacks(register: Register) -> None:
    """What rewards of search can be audited with, beside core's."""
    attacks = "guerdon_search.attacks"
    register("search/one-label", f"{attacks}:OneLabel", summary="one label for every nugget")
    register("search/extreme-score", f"{attacks}:ExtremeScore", summary="an end of the scale, whatever the document")
    register("search/injected-verdict", f"{attacks}:InjectedVerdict", summary="text that speaks for the judge")
    register("search/broken-verdict", f"{attacks}:BrokenVerdict", summary="prose and broken JSON for labels and scores")
    register("search/citations", f"{attacks}:Citations", summary="every document cited, around nothing or copied")
