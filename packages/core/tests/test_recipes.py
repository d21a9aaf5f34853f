"""Recipes: what is written is what is built, and what is wrong is named by its field's path."""

from __future__ import annotations

import pytest

from guerdon.errors import ConfigError
from guerdon.plugins.catalog import catalog, register_local
from guerdon.recipes import load_recipe
from guerdon.rewards import reward


@reward(name="test/long-v1", bounds=(0.0, 1.0))
def long(rollout):
    return min(1.0, len(rollout.answer) / 10)


@pytest.fixture(autouse=True)
def _offered():
    register_local("rewards", "test/long-v1", long)
    yield
    catalog.cache_clear()


def recipe(**fields):
    return {"task": "test/any", "policy": "scripted", "reward": "test/long", **fields}


def test_a_part_that_is_off_is_switched_on_by_one_of_its_fields():
    """A run folder's recipe.yaml writes every default out: `refill: null`."""
    written = {**load_recipe(recipe()).to_mapping()}
    assert written["train"]["refill"] is None
    assert load_recipe(written, ["train.refill.max_rounds=2"]).train.refill.max_rounds == 2


def test_an_unknown_field_of_an_optional_part_gets_the_nearest():
    with pytest.raises(ConfigError, match=r"'train\.refill\.max_round' is unknown; did you mean 'max_rounds'\?"):
        load_recipe(recipe(train={"refill": {"max_round": 2}}))
