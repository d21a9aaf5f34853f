"""What the package offers by name: everything loads, nothing heavy is imported, recipes agree with themselves."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from guerdon.environments import stops
from guerdon.plugins.catalog import catalog
from guerdon.recipes import load_recipe
from guerdon.recipes.building import build_reward, build_task
from guerdon.recipes.schema import RewardSpec
from guerdon.rewards import Reward
from guerdon_medical.dx_rewards import DeepDxSearch
from guerdon_medical.dx_tasks import Diagnosis, Patients

OURS = "guerdon-medical"


def ours(kind: Any) -> list[Any]:
    return [entry for entry in catalog().entries(kind) if entry.distribution == OURS]


def test_this_package_has_no_plugin_problem() -> None:
    assert [problem for problem in catalog().problems if OURS in problem.distribution] == []


@pytest.mark.parametrize("kind", ["rewards", "tasks", "recipes", "attacks", "commands"])
def test_every_name_can_be_loaded_and_says_what_it_is(kind: Any) -> None:
    assert ours(kind)
    for entry in ours(kind):
        found = catalog().load(kind, entry.name)
        assert entry.summary
        if kind == "rewards" and isinstance(found, type) and issubclass(found, Reward):
            assert found.name == entry.name
        if kind in ("tasks", "attacks"):
            assert found.name == entry.name


@pytest.mark.parametrize("name", ["medical", "medical-gpu", "medical-cases"])
def test_a_recipe_stops_where_its_tools_are_called_and_pays_in_its_tasks_layout(name: str) -> None:
    recipe = load_recipe(name)
    task, reward = build_task(recipe.task), build_reward(recipe.reward)
    assert isinstance(task, Patients)
    assert isinstance(reward, DeepDxSearch)
    assert (reward.reading, reward.layout) == ("repaired", task.layout)
    offered = ("match", "lookup") if name == "medical" else ("match", "lookup", "search")  # which rows may add
    assert set(recipe.train.sampling.stop) == {task.tags.tags(action).stop for action in offered}


def test_the_small_recipe_has_a_reference_for_each_example_of_its_warm_start() -> None:
    recipe = load_recipe("medical")
    task = build_task(recipe.task)
    train = task.examples("train")
    assert len(train) >= recipe.train.sft.examples > 0
    assert all(task.reference(example) for example in train)
    assert set(recipe.train.sampling.stop) == set(stops(task.environment(train[0]).tools))  # type: ignore[union-attr]


def test_the_large_recipe_is_of_published_cases_as_in_the_claim() -> None:
    task = build_task(load_recipe("medical-gpu").task)
    assert isinstance(task, Diagnosis)
    assert (task.noise, task.guidelines, task.diseases, task.records_shown) == (1.5, "half", 60, 20)


def test_a_recipe_can_stage_the_weights() -> None:
    spec = {"use": "medical/deep-dxsearch", "with": {"stages": {0: [0.4, 0.2, 0.4], 100: [0.8, 0.05, 0.15]}}}
    reward = build_reward(RewardSpec.model_validate(spec))
    assert isinstance(reward, DeepDxSearch)
    assert reward.weights_at(99).answer == 0.4
    assert reward.weights_at(100).answer == 0.15


def test_listing_names_imports_no_domain_code() -> None:
    """Listing must not load numpy or the ontology."""
    program = (
        "import sys\nfrom guerdon.plugins.catalog import catalog\n"
        "assert any(e.name == 'medical/deep-dxsearch-v1' for e in catalog().entries('rewards'))\n"
        "heavy = {'torch', 'numpy', 'pydantic', 'guerdon_medical.dx_tasks'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
