import subprocess
import sys

import pytest

from guerdon.errors import ConfigError, UnknownName
from guerdon.judges import StandIn
from guerdon.plugins.catalog import catalog
from guerdon.recipes.building import build_reward
from guerdon.recipes.schema import RewardSpec
from guerdon.rewards import Reward
from guerdon_sql import rewards
from guerdon_sql.judged import JudgedQuery

OURS = "guerdon-sql"


def ours(kind):
    return [entry for entry in catalog().entries(kind) if entry.distribution == OURS]


def test_this_package_has_no_plugin_problem():
    assert [problem for problem in catalog().problems if OURS in problem.distribution] == []


def test_each_reward_is_what_its_name_says():
    assert {entry.name for entry in ours("rewards")} == {
        "sql/execution-v1",
        "sql/runs-v1",
        "sql/schema-linking-v1",
        "sql/ngram-v1",
        "sql/format-v1",
        "sql/format-graded-v1",
        "sql/reasoning-sql-v1",
        "sql/judge-v1",
        "sql/soft-f1-v1",
        "sql/valid-efficiency-v1",
    }
    for entry in ours("rewards"):
        found = catalog().load("rewards", entry.name)
        if isinstance(found, type) and issubclass(found, Reward):
            assert found.name == entry.name
        else:
            assert found is rewards.reasoning_sql


@pytest.mark.parametrize("kind", ["tasks", "recipes", "claims", "checks"])
def test_every_other_name_can_be_loaded(kind):
    assert ours(kind)
    for entry in ours(kind):
        assert catalog().load(kind, entry.name) is not None
        assert entry.summary


def test_a_misspelt_reward_is_answered_with_the_nearest_name():
    with pytest.raises(UnknownName, match="Did you mean 'sql/ngram-v1'"):
        catalog().find("rewards", "sql/ngrams-v1")


def test_a_name_without_a_version_means_the_newest():
    assert catalog().find("rewards", "sql/execution").name == "sql/execution-v1"


def test_a_recipe_can_name_the_total_and_set_its_options():
    spec = RewardSpec.model_validate({"use": "sql/reasoning-sql", "with": {"reading": "released", "timeout_s": 2}})
    assert build_reward(spec) == rewards.reasoning_sql(reading="released", timeout_s=2.0)


def test_a_wrong_option_in_a_recipe_is_named_with_its_path():
    spec = RewardSpec.model_validate({"use": "sql/execution", "with": {"comparison": "sets"}})
    with pytest.raises(ConfigError, match=r"reward\.with\.comparison' is 'sets'.*'bag', 'ordered' or 'spider'"):
        build_reward(spec)
    spec = RewardSpec.model_validate({"use": "sql/execution", "with": {"comparisn": "bag"}})
    with pytest.raises(ConfigError, match=r"reward\.with\.comparisn.*did you mean 'comparison'"):
        build_reward(spec)


def test_a_recipe_can_name_the_judge_and_who_answers_it():
    """Through the total, whose execution is the judge's gate, and by hand."""
    judge = {"use": "sql/judge", "with": {"backend": {"use": "stand-in", "with": {"answers": ["1.5"]}}}}
    expected = JudgedQuery(StandIn(answers=("1.5",)))
    total = RewardSpec.model_validate({"use": "sql/reasoning-sql", "with": {"judge": judge, "comparison": "bag"}})
    assert build_reward(total) == rewards.reasoning_sql(expected, comparison="bag")
    alone = RewardSpec.model_validate({**judge, "weight": 2.0, "unless": "sql/execution"})
    assert build_reward(alone) == 2.0 * expected.unless(rewards.Execution())


def test_a_judge_without_a_backend_or_with_a_misspelt_one_is_named_with_its_path():
    without = {"use": "sql/reasoning-sql", "with": {"judge": "sql/judge"}}
    lacking = r"field 'reward\.with\.judge\.with' lacks backend \(one of .*server.*\); accepted are backend, "
    with pytest.raises(ConfigError, match=lacking):
        build_reward(RewardSpec.model_validate(without))
    misspelt = {"use": "sql/reasoning-sql", "with": {"judge": {"use": "sql/judge", "with": {"backend": "sever"}}}}
    with pytest.raises(UnknownName, match=r"Did you mean 'server'\? \(field 'reward\.with\.judge\.with\.backend\.use'"):
        build_reward(RewardSpec.model_validate(misspelt))


def printed(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_listing_imports_nothing_heavy():
    code = """
import sys
from guerdon.plugins.catalog import catalog
for kind in ("rewards", "tasks", "recipes", "claims"):
    catalog().entries(kind)
print([name for name in ("torch", "numpy", "sqlglot", "guerdon_sql.rewards") if name in sys.modules])
"""
    assert printed(code) == "[]"


def test_scoring_needs_neither_torch_nor_numpy():
    code = "import sys, guerdon_sql.rewards; print([name for name in ('torch', 'numpy') if name in sys.modules])"
    assert printed(code) == "[]"
