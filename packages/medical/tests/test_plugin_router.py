"""What R1-Router's part offers by name: everything loads, nothing heavy is imported, the recipe builds."""

import subprocess
import sys

import pytest

from guerdon.audit.auditing import check_audited
from guerdon.errors import ConfigError
from guerdon.plugins.catalog import catalog
from guerdon.recipes import load_recipe
from guerdon.recipes.building import build_reward, build_task
from guerdon.retrieval import HashedEncoder
from guerdon.rewards import Reward
from guerdon_medical.router_metrics import BaseShare, FinalAnswer, LookUps
from guerdon_medical.router_rewards import RouterStepReward

NAMES = [
    ("rewards", "medical/router-step-v1"),
    ("rewards", "medical/router-answer-v1"),
    ("rewards", "medical/router-look-ups-v1"),
    ("rewards", "medical/router-base-share-v1"),
    ("tasks", "medical/router-steps-v1"),
    ("tasks", "medical/made-router-v1"),
    ("tasks", "medical/made-router-questions-v1"),
    ("claims", "r1_router"),
    ("recipes", "medical-router"),
]


@pytest.mark.parametrize(("kind", "name"), NAMES)
def test_every_name_loads_and_says_what_it_is(kind, name):
    found = catalog().load(kind, name)
    assert next(entry for entry in catalog().entries(kind) if entry.name == name).summary
    if kind == "rewards":
        assert issubclass(found, Reward)
    if kind != "recipes":
        assert found.name == name


@pytest.mark.parametrize("reward", [FinalAnswer(), LookUps(), BaseShare("table retriever")])
def test_an_audit_of_a_conversations_metric_says_what_to_audit_instead(reward):
    with pytest.raises(ConfigError, match=r"audit 'medical/router-step-v1\[encoder=hashed\]'"):
        check_audited(reward)


def test_the_recipe_trains_and_reports_the_same_reward():
    recipe = load_recipe("medical-router")
    task, reward = build_task(recipe.task), build_reward(recipe.reward)
    assert reward == RouterStepReward(HashedEncoder())
    assert task.metrics()["router-step"] == reward
    assert recipe.train.sft.examples > 0
    assert recipe.train.steps > 0
    questions = build_task(recipe.evals["own-history"])
    assert [one.id for one in questions.examples("eval")] == [one.question.id for one in task.world("eval").chains]


def test_importing_the_reward_takes_nothing_heavy():
    code = """
import sys, guerdon_medical.router_rewards
print([name for name in ("torch", "numpy", "bm25s") if name in sys.modules])
"""
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
