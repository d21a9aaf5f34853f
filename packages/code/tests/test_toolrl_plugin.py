import subprocess
import sys

import pytest

from guerdon.errors import ConfigError, UnknownName
from guerdon.plugins.catalog import catalog
from guerdon.recipes.building import build_reward
from guerdon.recipes.schema import RewardSpec
from guerdon.rewards import Reward
from guerdon_code import tool_rewards
from guerdon_code.tool_claim import ToolRl

REWARDS = {
    "code/toolrl-v1",
    "code/toolrl-format-v1",
    "code/toolrl-correctness-v1",
    "code/toolrl-length-v1",
    "code/no-call-v1",
    "code/tool-exact-v1",
}


def test_each_reward_is_what_its_name_says():
    assert {entry.name for entry in catalog().entries("rewards")} >= REWARDS
    for name in REWARDS:
        found = catalog().load("rewards", name)
        if isinstance(found, type) and issubclass(found, Reward):
            assert found.name == name
        else:
            assert found is tool_rewards.toolrl


@pytest.mark.parametrize("name", ["code/tool-calls-v1", "code/tool-calls-jsonl-v1"])
def test_each_task_is_what_its_name_says(name):
    assert catalog().load("tasks", name).name == name


def test_the_claim_can_be_loaded():
    assert catalog().load("claims", "toolrl") is ToolRl


def test_a_misspelt_reward_is_answered_with_the_nearest_name():
    with pytest.raises(UnknownName, match="Did you mean 'code/toolrl-length-v1'"):
        catalog().find("rewards", "code/toolrl-lenght-v1")


def test_a_recipe_can_name_the_total_and_set_its_options():
    spec = RewardSpec.model_validate({"use": "code/toolrl", "with": {"schedule": "smooth", "steps": 40}})
    assert build_reward(spec) == tool_rewards.toolrl(schedule="smooth", steps=40)
    both = RewardSpec.model_validate({"sum": [{"use": "code/toolrl"}, {"use": "code/no-call", "weight": 0.5}]})
    assert build_reward(both) == tool_rewards.toolrl() + 0.5 * tool_rewards.NoCall()


def test_a_wrong_option_in_a_recipe_is_named_with_its_path():
    spec = RewardSpec.model_validate({"use": "code/toolrl", "with": {"granularity": "fine"}})
    with pytest.raises(ConfigError, match=r"reward\.with\.granularity' is 'fine'.*'coarse'"):
        build_reward(spec)


@pytest.mark.parametrize("modules", ["tool_rewards", "tool_tasks", "tool_claim"])
def test_nothing_here_needs_torch_or_numpy(modules):
    code = f"import sys, guerdon_code.{modules}; print([name for name in ('torch', 'numpy') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
