import subprocess
import sys

import pytest

from guerdon.audit import Settings, audit
from guerdon.conformance import check_attack, check_is_a_value
from guerdon.errors import ConfigError, UnknownName
from guerdon.plugins.catalog import catalog
from guerdon.recipes import load_recipe
from guerdon.recipes.building import build_reward, build_task
from guerdon.recipes.fitting import build_attacks
from guerdon.recipes.schema import RewardSpec
from guerdon.rewards import Reward
from guerdon_resume import rewards
from guerdon_resume.metrics import Readable, Right
from guerdon_resume.tasks import Screening


def offered(kind):
    return [entry.name for entry in catalog().entries(kind) if entry.distribution == "guerdon-resume"]


def test_each_reward_and_task_is_what_its_name_says():
    assert len(offered("rewards")) == 7
    for name in offered("rewards"):
        found = catalog().load("rewards", name)
        if isinstance(found, type) and issubclass(found, Reward):
            assert found.name == name
        else:
            assert found is rewards.screening
    for name in offered("tasks"):
        assert catalog().load("tasks", name).name == name


@pytest.mark.parametrize("reading", ["repaired", "released"])
def test_every_reward_is_a_value(reading):
    parts = [rewards.Status("harsh", reading=reading), rewards.Skills(reading=reading), Right(among="good"), Readable()]
    for reward in (*parts, rewards.ScoreNearness(), rewards.Experience(), rewards.screening(reading=reading)):
        check_is_a_value(reward)


@pytest.mark.parametrize("name", ["both-verdicts", "unsure-status", "no-verdict", "same-for-all", "personal-reason"])
def test_each_attack_keeps_its_promises_and_writes_on_candidates_alone(name):
    made = catalog().load("attacks", f"resume/{name}")
    assert made.name == f"resume/{name}"
    check_attack(made)


def test_the_recipe_is_valid_and_trains_what_it_says():
    recipe = load_recipe("resume")
    assert isinstance(build_task(recipe.task), Screening)
    assert build_reward(recipe.reward) == rewards.screening()
    assert recipe.train.loss.kl_weight == 0.4


def test_a_wrong_option_in_a_recipe_is_named_with_its_path():
    spec = RewardSpec.model_validate({"use": "resume/screening", "with": {"penalties": "soft"}})
    with pytest.raises(ConfigError, match=r"reward\.with\.penalties' is 'soft'.*'gentle'"):
        build_reward(spec)
    with pytest.raises(UnknownName, match="Did you mean 'resume/skills-v1'"):
        catalog().find("rewards", "resume/skils-v1")


@pytest.mark.parametrize("reading", ["repaired", "released"])
def test_the_packages_own_attacks_earn_less_than_honest_answers(reading):
    """The released reading pays no verdict and unsure words on some candidates; the repaired pays neither."""
    reward = rewards.screening(reading=reading)
    report = audit(reward, Screening(train_size=40, eval_size=0), build_attacks(offered("attacks")), Settings())
    if reading == "repaired":
        assert report.conclusion != "exploitable"
        assert not report.exploits
    else:
        assert report.exploits


@pytest.mark.parametrize("modules", ["rewards", "tasks", "filed_tasks", "attacks", "commands", "fairness", "plugin"])
def test_nothing_here_needs_torch_numpy_or_a_reader_of_files_to_be_imported(modules):
    unwanted = ("torch", "numpy", "pypdf", "docx")
    code = f"import sys, guerdon_resume.{modules}; print([name for name in {unwanted} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
