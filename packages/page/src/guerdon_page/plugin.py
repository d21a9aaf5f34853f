"""The names this package offers. Listing them imports none of what they point at."""

from __future__ import annotations

from guerdon.plugins import hookimpl
from guerdon.plugins.catalog import Register


@hookimpl
def guerdon_rewards(register: Register) -> None:
    """What pages earn by logs, by what they are and by models."""
    pages = "guerdon_page.rewards"
    register("page/format-v1", f"{pages}:Format", summary="share of the listed ids that are candidates, in [0, 1]")
    register("page/ndcg-v1", f"{pages}:Ndcg", summary="NDCG of logged engagement, in [0, 1]")
    register("page/err-v1", f"{pages}:Err", summary="expected reciprocal rank over the best, in [0, 1]")
    register("page/gmv-v1", f"{pages}:Gmv", summary="prices of what is bought over the most there is, in [0, 1]")
    register("page/diversity-v1", f"{pages}:Diversity", summary="entropy of the categories, in [0, 1]")
    register("page/distinct-v1", f"{pages}:Distinct", summary="1 - share of near-duplicates, in [0, 1]")
    register("page/coverage-v1", f"{pages}:Coverage", summary="share of the categories that are there, in [0, 1]")
    register("page/utility-v1", f"{pages}:Utility", summary="a made shop's expected clicks over the best, in [0, 1]")
    models = "guerdon_page.level_rewards"
    register("page/page-model-v1", f"{models}:PageModel", summary="page-level reward model on features, order-free")
    register("page/item-model-v1", f"{models}:ItemModel", summary="item-level reward model on features and places")
    register("page/item-scores-v1", f"{models}:ItemScores", summary="any reward of pages, asked after each item")
    mixture = "guerdon_page.pagellm:PageLLM"
    register("page/pagellm-v1", mixture, summary="both levels, each normalised on its own, and mixed")


@hookimpl
def guerdon_tasks(register: Register) -> None:
    """Pages to lay out."""
    tasks = "guerdon_page.tasks"
    register("page/simulated-v1", f"{tasks}:Simulated", summary="pages of a made shop with a true model of clicks")
    register("page/logged-v1", f"{tasks}:Logged", summary="pages of a made shop as its logs alone know them")
    register("page/jsonl-v1", f"{tasks}:JsonLines", summary="logged pages from a JSON-lines file")
    slots = "guerdon_page.matching.environments:Allocation"
    register("page/allocation-v1", slots, summary="slots that pay per click, filled one page view a turn")


@hookimpl
def guerdon_policies(register: Register) -> None:
    """What fills slots, and pages."""
    register("page/ranker-v1", "guerdon_page.ranker:Ranker", summary="pages by the candidates' features, linear")
    table = "guerdon_page.matching.tables:allocation_table"
    register("page/allocation-table-v1", table, summary="a row for who is open and who of them wants the view")


@hookimpl
def guerdon_recipes(register: Register) -> None:
    """The runs that `guerdon train page`, `page-ppo`, `page-ranker` and `page-allocation` start."""
    register("page", "guerdon_page.recipes:page", summary="whole pages by GRPO on page- and item-level rewards")
    register("page-ppo", "guerdon_page.recipes:page_ppo", summary="the same with rewards on tokens and PPO's objective")
    ranked = "guerdon_page.recipes:page_ranker"
    register("page-ranker", ranked, summary="the same reward teaches a ranker on features from nothing, in seconds")
    slots = "guerdon_page.recipes:page_allocation"
    register("page-allocation", slots, summary="a table learns a made market's slots by policy gradient, in seconds")


@hookimpl
def guerdon_claims(register: Register) -> None:
    """The systems' central claims."""
    register("page_llm", "guerdon_page.pagellm_claim:PageLLMClaim", summary="page and item rewards beat either alone")
    matching = "guerdon_page.matching.claim:MatchingClaim"
    register("online_matching", matching, summary="Stochastic Balance keeps its ratios, and .593 is all there is")


@hookimpl
def guerdon_attacks(register: Register) -> None:
    """What rewards of pages can be audited with, beside core's."""
    attacks = "guerdon_page.attacks"
    register("page/repeated-item", f"{attacks}:RepeatedItem", summary="one item over and over")
    register("page/one-category", f"{attacks}:OneCategory", summary="only what belongs to one category")
    register("page/everything", f"{attacks}:Everything", summary="all candidates as listed, once or ten times")
    register("page/short-page", f"{attacks}:ShortPage", summary="the best two items and nothing else")
    register("page/worst-below", f"{attacks}:WorstBelow", summary="the best three above the worst three")
    register("page/unknown-ids", f"{attacks}:UnknownIds", summary="ids that are no candidates")


@hookimpl
def guerdon_commands(register: Register) -> None:
    """`guerdon page`."""
    register(
        "page", "guerdon_page.commands:command", summary="pairs of logged pages for reward models; off-policy estimates"
    )
