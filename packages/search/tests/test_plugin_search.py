"""What the package offers by name: everything loads, nothing heavy is imported, recipes build."""

import subprocess
import sys

import pytest

from guerdon.errors import ConfigError
from guerdon.judges import StandIn
from guerdon.plugins.catalog import catalog
from guerdon.recipes import load_recipe
from guerdon.recipes.building import build_reward, build_task
from guerdon.recipes.options import options_of
from guerdon.recipes.schema import RewardSpec
from guerdon.retrieval import HashedEncoder
from guerdon.rewards import Reward
from guerdon_search.criterion_rewards import search_llm
from guerdon_search.nugget_rewards import NuggetCoverage, Verifier
from guerdon_search.topical_rewards import R3

OURS = "guerdon-search"


def ours(kind):
    return [entry for entry in catalog().entries(kind) if entry.distribution == OURS]


def test_this_package_has_no_plugin_problem():
    assert [problem for problem in catalog().problems if OURS in problem.distribution] == []


@pytest.mark.parametrize("kind", ["rewards", "tasks", "recipes", "claims", "attacks", "judges"])
def test_every_name_can_be_loaded_and_says_what_it_is(kind):
    assert ours(kind)
    for entry in ours(kind):
        found = catalog().load(kind, entry.name)
        assert entry.summary
        if kind == "rewards" and isinstance(found, type) and issubclass(found, Reward):
            assert found.name == entry.name
        if kind in ("tasks", "attacks", "claims"):
            assert found.name == entry.name


@pytest.mark.parametrize("kind", ["rewards", "tasks", "judges", "retrievers"])
def test_every_option_is_explained_where_it_is_shown(kind):
    silent = {
        entry.name: [one.name for one in options_of(catalog().load(kind, entry.name)) if not one.about]
        for entry in ours(kind)
    }
    assert {name: options for name, options in silent.items() if options} == {}


def test_the_recipe_asks_and_pays_alike():
    """What the task does not ask for, the reward does not want."""
    recipe = load_recipe("search")
    task, reward = build_task(recipe.task), build_reward(recipe.reward)
    assert reward == Verifier(reasoning="optional")
    assert task.reasoning == "optional"
    assert task.metrics()["verifier"] == reward
    assert recipe.train.sft.examples > 0
    assert recipe.train.steps > 0


def test_a_recipe_can_name_the_judge_and_who_answers_it():
    spec = {
        "use": "search/nugget-coverage",
        "with": {"backend": {"use": "stand-in", "with": {"answers": ['["support"]']}}},
    }
    assert build_reward(RewardSpec.model_validate(spec)) == NuggetCoverage(StandIn(answers=('["support"]',)))
    whole = {"use": "search/search-llm", "with": {"backend": "stand-in", "gate": "hard"}}
    assert build_reward(RewardSpec.model_validate(whole)) == search_llm(StandIn(), gate="hard")


def test_a_recipe_can_name_the_encoder():
    spec = {"use": "search/r3", "with": {"encoder": "hashed", "top": 1.0}}
    assert build_reward(RewardSpec.model_validate(spec)) == R3(HashedEncoder(), top=1.0)


def test_a_wrong_option_in_a_recipe_is_named_with_its_path():
    spec = RewardSpec.model_validate({"use": "search/verifier", "with": {"reading": "printed"}})
    with pytest.raises(ConfigError, match=r"reward\.with\.reading' is 'printed'.*'repaired'"):
        build_reward(spec)


def printed(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_listing_and_importing_rewards_take_nothing_heavy():
    code = """
import sys
from guerdon.plugins.catalog import catalog
for kind in ("rewards", "tasks", "recipes", "claims", "attacks"):
    catalog().entries(kind)
print("guerdon_search.nuggets" in sys.modules)
import guerdon_search.nugget_rewards, guerdon_search.relevance_rewards, guerdon_search.topical_rewards
print([name for name in ("torch", "numpy", "bm25s") if name in sys.modules])
"""
    assert printed(code) == "False\n[]"
