"""What the package offers of Med-RwR by name, and the recipe's numbers, which are the sheet's."""

from __future__ import annotations

import subprocess
import sys

from guerdon.plugins.catalog import Kind, catalog
from guerdon.recipes import load_recipe
from guerdon.recipes.building import build_reward, build_task
from guerdon.recipes.schema import RewardSpec
from guerdon.scorers import UnderPolicy
from guerdon_medical.rwr_rewards import MedRwR
from guerdon_medical.rwr_tasks import RwrQuestions
from guerdon_medical.rwr_world import MadeSight

NAMES: dict[Kind, tuple[str, ...]] = {
    "rewards": (
        "medical/med-rwr-v1",
        "medical/rwr-right-v1",
        "medical/rwr-queried-v1",
        "medical/rwr-gold-document-v1",
    ),
    "tasks": ("medical/rwr-questions-v1", "medical/rwr-file-v1"),
    "claims": ("med_rwr",),
}


def test_every_name_is_that_of_what_it_leads_to() -> None:
    for kind, names in NAMES.items():
        for name in names:
            assert catalog().load(kind, name).name == name


def test_the_recipe_is_the_sheets() -> None:
    recipe = load_recipe("medical-rwr-gpu")
    assert build_reward(recipe.reward) == MedRwR(UnderPolicy())
    assert build_task(recipe.task) == RwrQuestions(train_size=2400, eval_size=200, k=3, turns=3)
    train = recipe.train
    assert (train.group_size, train.prompts_per_step * train.group_size, train.updates_per_batch) == (8, 64, 1)
    assert (train.sampling.temperature, train.sampling.top_p, train.sampling.top_k) == (1.0, 1.0, 0)
    assert train.sampling.stop == ("</query>",)
    assert 3 * train.sampling.max_tokens <= 4096
    assert (train.optimizer.lr, train.optimizer.warmup_steps / train.steps) == (1e-6, 0.05)
    assert (train.loss.kl_weight, train.loss.clip_low, train.loss.clip_high) == (0.001, 0.2, 0.2)
    assert recipe.advantage.options == {"std": True, "ddof": 1, "epsilon": 1e-4}


def test_the_second_stage_differs_in_what_is_seen_alone() -> None:
    first, second = load_recipe("medical-rwr-gpu"), load_recipe("medical-rwr-images-gpu")
    assert (second.train, second.advantage) == (first.train, first.advantage)
    assert build_task(second.task) == RwrQuestions(train_size=2400, eval_size=200, pictures=True, cases=3)
    assert build_reward(second.reward) == MedRwR(UnderPolicy(), MadeSight())


def test_a_recipe_can_name_who_sees_and_which_parts_count() -> None:
    spec = {"use": "medical/med-rwr", "with": {"sight": "medical/made-sight", "counted": ["accuracy", "format"]}}
    assert build_reward(RewardSpec.model_validate(spec)) == MedRwR(sight=MadeSight(), counted=("accuracy", "format"))


def test_importing_reward_and_tasks_takes_nothing_heavy() -> None:
    code = """
import sys
import guerdon_medical.rwr_rewards, guerdon_medical.cdir
print([name for name in ("torch", "numpy", "PIL", "spacy") if name in sys.modules])
"""
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"
