"""Preference pairs: the FLR sheet's worked example 5, the files, and the command."""

import json
import math

import pytest
from click.testing import CliRunner

from guerdon.cli import main
from guerdon.errors import ConfigError
from guerdon.plugins.catalog import register_local
from guerdon.policies.scripted import ScriptedPolicy
from guerdon.preferences import Pair, best_and_worst, mine, mined, read_preferences, rows_of, write_rows
from guerdon.preferences.mining import Tally
from guerdon.protocols import Sampling, Task
from guerdon.rewards import reward
from guerdon.types import Example, Group, Message, Prompt, Rollout, Score, Segment

NAN = math.nan


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ((0.1, 0.9, -0.3, 0.2), (1, 2)),
        ((0.5, 0.5, 0.5), None),
        ((NAN, 1.0, 2.0), (2, 1)),
        ((NAN, 1.0), None),
        ((1.0, 3.0, 3.0, 0.0, 0.0), (1, 3)),
        ((), None),
        ((1.0,), None),
        ((NAN, NAN), None),
        ((0.3, 0.1 + 0.2), None),
        ((0.3, 0.1 + 0.2, 0.0, -1e-17), (0, 2)),
    ],
)
def test_the_best_and_the_worst_of_what_is_scored_make_a_pair(values, found):
    """Example 5: the first of those that tie, but for rounding; a NaN is no value."""
    assert best_and_worst(values) == found


def test_a_lead_below_the_margin_makes_no_pair():
    assert best_and_worst([0.0, 0.5], margin=0.5) == (1, 0)
    assert best_and_worst([0.0, 0.4], margin=0.5) is None


def group(key, *texts):
    prompt = Prompt((Message("user", f"question {key}"),))
    return Group.of([Rollout.of(Example(id=key), text, prompt=prompt, index=k) for k, text in enumerate(texts)])


def test_pairs_never_cross_prompts():
    """The second prompt's worst beats the first one's best; no pair says so."""
    groups = [group("a", "a0", "a1"), group("b", "b0", "b1"), group("c", "c0", "c1")]
    scores = [[Score(0.0), Score(1.0)], [Score(6.0), Score(5.0)], [Score(1.0), Score.unscored("gone")]]
    pairs = mine(groups, scores)
    assert [(pair.chosen.answer, pair.rejected.answer, pair.margin) for pair in pairs] == [
        ("a1", "a0", 1.0),
        ("b0", "b1", 1.0),
    ]


def pair(chosen="4", rejected="5", **prompt):
    asked = Prompt((Message("user", "2 + 2?"),), **prompt)
    sides = [
        Rollout(
            Example(id="1"),
            ((Segment("forced", asked.forced),) if asked.forced else ()) + (Segment("policy", text),),
            asked,
        )
        for text in (chosen, rejected)
    ]
    return Pair(*sides, 1.0, -0.5)


def test_a_dpo_row_is_trls_conversational_preference():
    assert rows_of(pair(), "dpo") == [
        {
            "prompt": [{"role": "user", "content": "2 + 2?"}],
            "chosen": [{"role": "assistant", "content": "4"}],
            "rejected": [{"role": "assistant", "content": "5"}],
            "chosen_score": 1.0,
            "rejected_score": -0.5,
        }
    ]


def test_kto_rows_are_one_desirable_and_one_not():
    rows = rows_of(pair(), "kto")
    assert [(row["completion"][0]["content"], row["label"]) for row in rows] == [("4", True), ("5", False)]
    assert {tuple(row) for row in rows} == {("prompt", "completion", "label", "score")}


def test_what_a_task_forces_is_part_of_the_answer():
    (row,) = rows_of(pair(forced="= "), "dpo")
    assert (row["chosen"][0]["content"], row["rejected"][0]["content"]) == ("= 4", "= 5")


def test_an_attempt_in_several_turns_is_refused():
    turns = (Segment("policy", "look"), Segment("environment", "4"), Segment("policy", "4"))
    several = Rollout(Example(id="1"), turns, Prompt((Message("user", "2 + 2?"),)))
    with pytest.raises(ConfigError, match="several turns"):
        rows_of(Pair(several, several, 1.0, 0.0))


def test_a_prompt_without_messages_is_refused():
    one = Rollout.of(Example(id="1"), "4")
    with pytest.raises(ConfigError, match="no messages"):
        rows_of(Pair(one, one, 1.0, 0.0))


def test_what_was_written_is_read_again(tmp_path):
    r"""A lone surrogate is text that a policy can write."""
    path = tmp_path / "pairs.jsonl"
    assert write_rows([pair("4 \ud800"), pair()], path) == 2
    first, second = read_preferences(path)
    assert second.chosen == (Message("user", "2 + 2?"), Message("assistant", "4"))
    assert first.chosen[-1].content == "4 \ud800"
    assert first.margin is None


@pytest.mark.parametrize(
    ("line", "chosen"),
    [
        ({"prompt": "q", "chosen": "a", "rejected": "b"}, ("q", "a")),
        (
            {"chosen": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}], "rejected": "b"},
            ("q", "a"),
        ),
        ({"prompt": [{"role": "system", "content": "s"}], "chosen": "a", "rejected": "b", "margin": 0.5}, ("s", "a")),
        ({"prompt": "q", "chosen": "a", "rejected": "b", "weight": 3.5}, ("q", "a")),
    ],
)
def test_texts_and_whole_conversations_are_read_too(tmp_path, line, chosen):
    path = tmp_path / "pairs.jsonl"
    path.write_text(json.dumps(line) + "\n\n")
    (row,) = read_preferences(path)
    assert tuple(message.content for message in row.chosen) == chosen
    assert row.margin == line.get("margin")
    assert row.weight == line.get("weight", 1.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no preferences"),
        ("{", "line 1"),
        ("[1]", "row 1 is int"),
        ('{"chosen": "a", "rejected": "b", "margin": true}', "'margin' is True"),
        ('{"chosen": "a"}', "no field 'rejected'"),
        ('{"chosen": 1, "rejected": "b"}', "'chosen'"),
        ('{"chosen": [{"role": "boss", "content": "a"}], "rejected": "b"}', "a message of 'chosen'"),
        ('{"chosen": "a", "rejected": "b", "margin": NaN}', "'margin' is nan"),
        ('{"chosen": "a", "rejected": "b", "weight": -1}', "'weight' is -1"),
        ('{"chosen": "a", "rejected": "b", "weight": null}', "'weight' is None"),
    ],
)
def test_a_line_that_is_no_preference_is_named(tmp_path, text, said):
    path = tmp_path / "pairs.jsonl"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_preferences(path)


class Arithmetic(Task):
    name = "test/arithmetic-v1"

    def examples(self, split):
        return [Example(id=f"{split}{n}") for n in range(5)]

    def prompt(self, example):
        return Prompt((Message("user", f"question {example.id}"),))


@reward
def as_long(rollout):
    return float(len(rollout.answer)) if rollout.answer != "?" else Score.unscored("unreadable")


def scripted():
    return ScriptedPolicy(lambda example: ("four", "4", "?") if example.id != "train1" else ("four", "five", "?"))


def test_any_reward_can_mine_and_what_was_seen_is_told():
    """Five prompts; one has two equally good answers. Length is the reward: r = 1 where it is defined."""
    tally = Tally()
    task = Arithmetic()
    pairs = list(
        mined(scripted(), task, task.examples("train"), as_long, n=3, sampling=Sampling(), batch=2, tally=tally)
    )
    assert [(one.chosen.answer, one.rejected.answer) for one in pairs] == [("four", "4")] * 4
    assert dict(tally.counts) == {"prompts": 5, "pairs": 4, "attempts": 15, "unscored": 5, "truncated": 0, "equal": 1}
    assert tally.correlations == pytest.approx([1.0] * 4)
    assert "4 pairs from 5 prompts" in str(tally)
    assert "chosen answer is the longer 1" in str(tally)
    assert "prompts without a pair: 1 whose attempts all earn the same" in str(tally)


def test_attempts_that_a_budget_ended_are_counted():
    tally = Tally()
    cut = Rollout.of(Example(id="a"), "a long ans", stop="length")
    tally.add([Group.of([cut, Rollout.of(Example(id="a"), "4")])], [[Score(1.0), Score(2.0)]], [])
    assert "0 of 2 attempts unscored, 1 truncated" in str(tally)


def test_why_prompts_have_no_pair_is_told_apart():
    """One prompt whose only scored attempt has nothing beside it, one tie, and one lead of 1 below a margin of 2."""
    groups = [group("a", "x", "y"), group("b", "x", "y"), group("c", "x", "y")]
    scores = [[Score(1.0), Score.unscored("no gold")], [Score(3.0), Score(3.0)], [Score(0.0), Score(1.0)]]
    tally = Tally()
    tally.add(groups, scores, mine(groups, scores, margin=2.0))
    assert tally.why_pairless == (
        "1 with fewer than two scored attempts, most often since 'no gold'; 1 whose attempts all earn the same; "
        "1 whose best and worst differ by less than the margin"
    )


class InTurns(Arithmetic):
    def environment(self, example):
        return object()


class WithoutMessages(Arithmetic):
    def prompt(self, example):
        return Prompt(observation="x")


class Silent(ScriptedPolicy):
    """Fails whoever samples from it."""

    def sample(self, *given, **options):
        raise AssertionError("nothing should be sampled")


@pytest.mark.parametrize(
    ("task", "said"),
    [(InTurns(), "played in turns .example 'train0'"), (WithoutMessages(), "have no messages")],
)
def test_a_task_whose_pairs_no_file_can_hold_is_refused_before_anything_is_sampled(task, said):
    asked = mined(Silent({}), task, task.examples("train"), as_long, n=2, sampling=Sampling())
    with pytest.raises(ConfigError, match=said):
        next(asked)


def test_one_attempt_makes_no_pair():
    with pytest.raises(ConfigError, match="two attempts"):
        list(mined(scripted(), Arithmetic(), [Example(id="1")], as_long, n=1, sampling=Sampling()))


@pytest.fixture
def recipe(tmp_path):
    register_local("tasks", "test/arithmetic-v1", Arithmetic)
    register_local("policies", "test/scripted", scripted)
    register_local("rewards", "test/as-long-v1", as_long)
    path = tmp_path / "recipe.yaml"
    path.write_text("task: test/arithmetic-v1\npolicy: test/scripted\nreward: test/as-long-v1\n")
    return str(path)


@pytest.mark.parametrize(("form", "lines"), [("dpo", 4), ("kto", 8)])
def test_the_command_writes_a_recipes_pairs(recipe, tmp_path, form, lines):
    pytest.importorskip("torch", reason="a recipe's trainer needs torch")
    out = tmp_path / "pairs.jsonl"
    said = CliRunner().invoke(main, ["mine", recipe, "--n", "3", "--out", str(out), "--format", form])
    assert said.exit_code == 0, said.output
    assert "4 pairs from 5 prompts" in said.output
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(rows) == lines
    assert all(row["prompt"][0]["role"] == "user" for row in rows)


def test_the_command_minds_limit_and_margin(recipe, tmp_path):
    pytest.importorskip("torch", reason="a recipe's trainer needs torch")
    out = tmp_path / "pairs.jsonl"
    said = CliRunner().invoke(main, ["mine", recipe, "--out", str(out), "--limit", "1"])
    assert "1 pairs from 1 prompts" in said.output
    out.unlink()
    said = CliRunner().invoke(main, ["mine", recipe, "--out", str(out), "--margin", "3.5"])
    assert "0 pairs from 5 prompts" in said.output


def test_a_command_without_a_pair_fails_says_why_and_leaves_no_file(recipe, tmp_path):
    pytest.importorskip("torch", reason="a recipe's trainer needs torch")
    out = tmp_path / "pairs.jsonl"
    said = CliRunner().invoke(main, ["mine", recipe, "--out", str(out), "--margin", "3.5"])
    assert said.exit_code == 1
    assert "no pair was found" in said.stderr
    assert "4 whose best and worst differ by less than the margin" in said.stderr
    assert not out.exists()


def test_a_task_in_turns_is_refused_before_a_policy_is_built(recipe, tmp_path):
    def no_policy():
        raise AssertionError("built")

    register_local("tasks", "test/turns-v1", InTurns)
    register_local("policies", "test/none", no_policy)
    given = ["--set", "task=test/turns-v1", "--set", "policy=test/none"]
    said = CliRunner().invoke(main, ["mine", recipe, "--out", str(tmp_path / "p.jsonl"), *given])
    assert said.exit_code == 2
    assert "is played in turns" in said.stderr


def test_a_run_folder_is_mined_with_the_weights_of_a_checkpoint(tmp_path):
    """The recipe's own table says either word; the checkpoint's says one of them always, which makes no pair."""
    pytest.importorskip("torch", reason="a table needs torch")
    import torch

    from guerdon.policies.tabular import TabularPolicy

    class Observed(Arithmetic):
        def prompt(self, example):
            return Prompt((Message("user", "say"),), observation="s")

    register_local("tasks", "test/observed-v1", Observed)
    register_local("rewards", "test/as-long-v1", as_long)
    run = tmp_path / "run"
    (run / "checkpoints" / "step-000003").mkdir(parents=True)
    (run / "recipe.yaml").write_text(
        "task: test/observed-v1\npolicy: {use: tabular, with: {states: [s], actions: [nope, never]}}\n"
        "reward: test/as-long-v1\ntrain: {sampling: {max_tokens: 1}}\n"
    )
    table = TabularPolicy(["s"], ["nope", "never"])
    with torch.no_grad():
        table.logits_SA[0, 1] = 1000.0
    table.save(run / "checkpoints" / "step-000003" / "policy")
    torch.save({"rewards": []}, run / "checkpoints" / "step-000003" / "rewards.pt")
    said = CliRunner().invoke(main, ["mine", str(run), "--out", str(tmp_path / "p.jsonl")])
    assert (said.exit_code, "5 whose attempts all earn the same" in said.output) == (1, True), said.output
    assert "step-000003" in said.output
    said = CliRunner().invoke(main, ["mine", str(run / "recipe.yaml"), "--out", str(tmp_path / "p.jsonl")])
    assert said.exit_code == 0, said.output
    said = CliRunner().invoke(main, ["mine", str(run), "--checkpoint", "step-9", "--out", str(tmp_path / "q.jsonl")])
    assert "there are: step-000003" in said.output


@pytest.mark.parametrize("split", ["train", "eval"])
def test_a_split_without_examples_is_said(recipe, tmp_path, split):
    class Empty(Arithmetic):
        def examples(self, split):
            return []

    register_local("tasks", "test/empty-v1", Empty)
    given = ["--split", split, "--set", "task=test/empty-v1"]
    said = CliRunner().invoke(main, ["mine", recipe, "--out", str(tmp_path / "p.jsonl"), *given])
    assert (said.exit_code, "nothing to mine" in said.output) == (2, True)


def test_an_out_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(ConfigError, match="cannot be written"):
        write_rows([pair()], tmp_path / "absent" / "pairs.jsonl")


@pytest.mark.parametrize("mark", ["\u2028", "\u2029", "\x85"])
def test_a_line_separator_that_a_policy_wrote_cuts_no_row_in_two(tmp_path, mark):
    path = tmp_path / "pairs.jsonl"
    write_rows([pair(f"a{mark}b")], path)
    assert read_preferences(path)[0].chosen[-1].content == f"a{mark}b"


def test_a_prompt_that_the_conversations_begin_with_is_not_said_twice(tmp_path):
    """As UltraFeedback-Binarized has it."""
    asked = {"role": "user", "content": "2+2?"}
    sides = {
        side: [asked, {"role": "assistant", "content": text}] for side, text in (("chosen", "4"), ("rejected", "5"))
    }
    path = tmp_path / "pairs.jsonl"
    path.write_text(json.dumps({"prompt": "2+2?", **sides}))
    assert read_preferences(path)[0].chosen == (Message("user", "2+2?"), Message("assistant", "4"))


def test_a_text_of_hh_rlhf_is_read_as_its_turns(tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_text(
        json.dumps({"chosen": "\n\nHuman: hi\n\nAssistant: hello", "rejected": "\n\nHuman: hi\n\nAssistant: no"})
    )
    (row,) = read_preferences(path)
    assert row.chosen == (Message("user", "hi"), Message("assistant", "hello"))


def test_pairs_that_are_there_already_are_not_destroyed(recipe, tmp_path):
    out = tmp_path / "pairs.jsonl"
    out.write_text("hours of work")
    said = CliRunner().invoke(main, ["mine", recipe, "--out", str(out)])
    assert (said.exit_code, out.read_text()) == (2, "hours of work")


@pytest.mark.parametrize("margin", ["nan", "inf"])
def test_a_margin_that_is_no_number_is_refused(recipe, tmp_path, margin):
    said = CliRunner().invoke(main, ["mine", recipe, "--out", str(tmp_path / "p.jsonl"), "--margin", margin])
    assert said.exit_code == 2
