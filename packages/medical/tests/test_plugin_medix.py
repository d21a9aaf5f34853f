"""What MediX-R1's part offers by name: everything loads, recipes build and say what the sheet says."""

import pytest

from guerdon.judges import StandIn
from guerdon.plugins.catalog import catalog
from guerdon.recipes import load_recipe
from guerdon.recipes.building import build_reward, build_task
from guerdon.recipes.schema import RewardSpec
from guerdon.retrieval import HashedEncoder
from guerdon_medical.medix_judging import SynonymJudge
from guerdon_medical.medix_rewards import MediX

NAMES = {
    "rewards": ["medical/medix-r1-v1"],
    "judges": ["medical/synonyms", "medical/words"],
    "tasks": [
        "medical/open-questions-v1", "medical/open-question-file-v1", "medical/pubmedqa-v1", "medical/medquad-v1",
        "medical/pneumonia-mnist-v1",
    ],
    "recipes": ["medical-medix-grpo", "medical-medix-gspo", "medical-medix-dapo"],
    "claims": ["medix_r1"],
    "attacks": ["medical/near-names", "medical/forged-comparison", "medical/every-tag", "medical/bare-answer"],
}  # fmt: skip


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in NAMES.items() for name in names])
def test_every_name_loads_and_is_what_it_says(kind, name):
    found = catalog().load(kind, name)
    if kind in ("rewards", "tasks", "claims", "attacks"):
        assert found.name == name


def loss_of(preset):
    recipe = load_recipe(f"medical-medix-{preset}")
    assert recipe.name == f"medical-medix-{preset}"
    assert build_reward(recipe.reward) == MediX()
    assert build_task(recipe.task).name == "medical/open-questions-v1"
    assert (recipe.train.group_size, recipe.train.loss.dual_clip, recipe.train.loss.max_log_ratio) == (5, 3.0, 20.0)
    return recipe.train.loss, recipe.train.refill


def test_the_preset_grpo():
    loss, refill = loss_of("grpo")
    assert (loss.kind, loss.average, loss.clip_low, loss.clip_high) == ("ppo", "token", 0.2, 0.3)
    assert (loss.kl_weight, loss.max_kl, refill) == (0.01, 10.0, None)


def test_the_preset_gspo():
    loss, refill = loss_of("gspo")
    assert (loss.kind, loss.average, loss.clip_low, loss.clip_high) == ("gspo_token", "sequence", 3e-4, 4e-4)
    assert (loss.kl_weight, refill) == (0.0, None)


def test_the_preset_dapo():
    loss, refill = loss_of("dapo")
    assert (loss.kind, loss.average, loss.clip_low, loss.clip_high) == ("ppo", "token", 0.2, 0.28)
    assert (loss.kl_weight, refill.dead, refill.above, refill.below) == (0.0, "keep", 0.01, 0.99)
    assert refill.max_rounds == 19  # at most 20 draws


def test_a_recipe_can_name_the_judge_the_encoder_and_synonyms():
    spec = {"judge": {"use": "stand-in", "with": {"answers": ["YES"]}}, "encoder": {"use": "hashed"}}
    made = build_reward(RewardSpec.model_validate({"use": "medical/medix-r1", "with": spec}))
    assert made == MediX(StandIn(answers=("YES",)), HashedEncoder())
    table = {"judge": {"use": "medical/synonyms", "with": {"synonyms": {"influenza": ["flu"]}}}}
    made = build_reward(RewardSpec.model_validate({"use": "medical/medix-r1", "with": table}))
    assert made == MediX(SynonymJudge({"influenza": ["flu"]}))
