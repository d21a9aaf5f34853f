"""What the plugin registers is there, is what its name says, and costs nothing to list; recipes; the command."""

import importlib
import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from guerdon.plugins.catalog import KINDS
from guerdon.recipes import load_recipe
from guerdon.recipes.building import build_advantage, build_reward, build_task
from guerdon.trainer.pairing import check_parts
from guerdon_page import plugin


def offered(*hooks):
    found = {}
    for hook in hooks or KINDS:
        function = getattr(plugin, f"guerdon_{hook}", None)
        if function is not None:
            function(lambda name, target, summary="": found.update({name: (target, summary)}))
    return found


@pytest.mark.parametrize("name", sorted(offered("rewards", "tasks", "claims", "attacks")))
def test_each_name_leads_to_what_bears_it(name):
    target, summary = offered("rewards", "tasks", "claims", "attacks")[name]
    module, _, attribute = target.partition(":")
    assert getattr(importlib.import_module(module), attribute).name == name
    assert summary


def test_neither_listing_nor_the_rewards_import_numpy():
    code = (
        "import sys, guerdon_page.plugin, guerdon_page.rewards, guerdon_page.pagellm, guerdon_page.tasks; "
        "print([name for name in ('numpy', 'scipy', 'torch') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


@pytest.mark.parametrize(("name", "passes"), [("page", 1), ("page-ppo", 4)])
def test_a_recipe_is_valid_and_its_credit_reads_what_its_reward_gives(name, passes):
    recipe = load_recipe(name)
    reward = build_reward(recipe.reward)
    check_parts(reward, build_advantage(recipe.advantage))
    assert reward.stateful == (name == "page-ppo")
    assert recipe.train.updates_per_batch == passes
    assert len(build_task(recipe.task).examples("eval")) == 100


def test_the_command_writes_pairs_and_says_what_was_impossible(tmp_path):
    from guerdon_page.commands import command

    items = [{"id": id, "category": "k"} for id in "abc"]
    row = {"context_id": "1", "items": items, "shown": ["a", "b"], "feedback": [{"position": 2, "event": "click"}]}
    (tmp_path / "logs.jsonl").write_text(json.dumps(row))
    out, item = tmp_path / "pairs.jsonl", tmp_path / "item.jsonl"
    ran = CliRunner().invoke(command, ["pairs", str(tmp_path / "logs.jsonl"), "--level", "page", "--out", str(out)])
    assert ran.exit_code == 0, ran.output
    assert "4 pairs of 1 logged page to" in ran.output
    assert "impossible: diversity 1" in ran.output
    ran = CliRunner().invoke(command, ["pairs", str(tmp_path / "logs.jsonl"), "--level", "item", "--out", str(item)])
    assert "1 pair of 1 logged page to" in ran.output
    assert "impossible: none" in ran.output  # the item model learns from swaps alone
    ran = CliRunner().invoke(command, ["pairs", str(tmp_path / "logs.jsonl"), "--level", "item", "--out", str(item)])
    assert "is there already" in str(ran.exception)
    assert {json.loads(line)["family"] for line in out.read_text().splitlines()} == {
        "relevance",
        "ranking",
        "redundancy",
        "omission",
    }


@pytest.mark.parametrize("row", [{"feedback": []}, {"shown": []}])
def test_logs_that_no_pair_can_be_made_of_are_named_and_no_file_is_written(tmp_path, row):
    from guerdon_page.commands import command

    logged = {"context_id": "1", "items": [{"id": "a"}, {"id": "b"}], "shown": ["a", "b"], **row}
    (tmp_path / "logs.jsonl").write_text(json.dumps(logged))
    out = tmp_path / "pairs.jsonl"
    ran = CliRunner().invoke(command, ["pairs", str(tmp_path / "logs.jsonl"), "--level", "item", "--out", str(out)])
    assert "no pair can be made of the" in str(ran.exception)
    assert "logs.jsonl" in str(ran.exception)
    assert not out.exists()
