"""`guerdon compare` through the command line: names, completions, what is printed, and exit codes."""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import pytest
from click.testing import CliRunner

from guerdon.cli import main
from guerdon.comparing.corruptions import corruptions
from guerdon.plugins.catalog import catalog, register_local
from guerdon.protocols import Split, Task
from guerdon.rewards import Reward, reward
from guerdon.runs import RunFolder
from guerdon.types import Example, Prompt, Rollout, Score


class Sum(Example):
    a: int
    b: int


@dataclass(frozen=True)
class Sums(Task):
    name: ClassVar[str] = "test/sums-v1"

    def examples(self, split: Split) -> Sequence[Sum]:
        draw = random.Random(split)
        return [Sum(id=f"{split}-{i}", a=draw.randint(0, 9), b=i) for i in range(4)]

    def prompt(self, example: Example) -> Prompt:
        return Prompt()

    def reference(self, example: Sum) -> str:
        return f"The sum is {example.a + example.b}"


@reward(name="test/length-v1")
def length(rollout):
    return float(len(rollout.answer))


@reward(name="test/brevity-v1")
def brevity(rollout):
    return -2.0 * len(rollout.answer) + len(rollout.example.id)


@reward(name="test/vowels-v1")
def vowels(rollout):
    if "!" in rollout.answer:
        return Score.unscored("no vowel is meant", status="invalid")
    return float(sum(letter in "aeiou" for letter in rollout.answer))


@reward(name="test/constant-v1")
def constant(rollout):
    return 1.0


@dataclass(frozen=True)
class Letter(Reward, name="test/letter-v1"):
    which: str = "a"

    def score(self, rollout: Rollout) -> Score:
        return Score(float(rollout.answer.count(self.which)))


@pytest.fixture(autouse=True)
def _offered():
    register_local("tasks", "test/sums-v1", Sums)
    for one in (length, brevity, vowels, constant):
        register_local("rewards", one.name, one)
    register_local("rewards", "test/letter-v1", Letter)
    register_local(
        "recipes",
        "test/recipe",
        {"name": "r", "task": "test/sums-v1", "policy": "scripted", "reward": "test/length-v1"},
    )
    yield
    catalog.cache_clear()


def run(*arguments, code=0):
    result = CliRunner().invoke(main, ["compare", *map(str, arguments)])
    assert result.exit_code == code, result.output + repr(result.exception)
    return result.output


def compared(*arguments, code=0):
    return json.loads(run(*arguments, "--json", code=code).splitlines()[0])


@pytest.fixture
def rows(tmp_path):
    """Two examples with three completions each."""

    def write(texts, name="rows.jsonl"):
        file = tmp_path / name
        lines = [json.dumps({"example": id_, "completion": text}) for id_, each in texts.items() for text in each]
        file.write_text("\n".join(lines))
        return file

    return write


TEXTS = {"1": ["aaa", "bb", "aab"], "2": ["a", "bbbb", "cc!"]}


def test_a_reward_is_at_0_from_itself_scaled_and_shifted_and_at_2_from_its_opposite(rows):
    file = rows(TEXTS)
    same = compared("test/length", "3*test/length", "--rollouts", file)
    assert same["starc"]["value"] == pytest.approx(0.0, abs=1e-7)
    assert (same["rank"]["value"], same["same_best"], same["cross_regret"]) == (1.0, 1.0, [0.0, 0.0])
    other = compared("test/length", "test/brevity", "--rollouts", file)
    assert other["starc"]["value"] == pytest.approx(2.0)
    assert (other["rank"]["value"], other["cross_regret"]) == (-1.0, [1.0, 1.0])


def test_a_wrong_row_is_called_by_its_line_in_the_file(tmp_path):
    """Rows are scored prompt by prompt; the third of these is the second of its prompt."""
    file = tmp_path / "rows.jsonl"
    lines = [("train-0", "aa"), ("train-1", "b"), ("train-0", "b"), ("train-1", "bb")]
    written = [{"example": id_, "completion": text} for id_, text in lines]
    written[2]["stop"] = "never"
    file.write_text("\n".join(map(json.dumps, written)))
    said = run("test/length", "test/vowels", "--rollouts", str(file), code=2)
    assert "the field 'stop' is 'never'" in said
    assert f"That is in {str(file)!r}, line 3." in said


def test_the_distance_by_hand(rows):
    """Lengths 3, 2, 3 and vowels 3, 0, 2: centred (1, -2, 1)/3 and (4, -5, 1)/3, rho = 15 / sqrt(6 * 42).

    Of example 2 the third is unscored by vowels: lengths 1, 4 against vowels 1, 0: (-3, 3)/2 and (1, -1)/2, which adds
    9/2 and 1/2 to the squared lengths and -3/2 to the product. rho = (15/9 - 3/2) / sqrt((6/9 + 9/2)(42/9 + 1/2)).
    """
    found = compared("test/length", "test/vowels", "--rollouts", rows(TEXTS))
    rho = (15 / 9 - 3 / 2) / ((6 / 9 + 9 / 2) * (42 / 9 + 1 / 2)) ** 0.5
    assert found["starc"]["value"] == pytest.approx((2 - 2 * rho) ** 0.5)
    assert found["unscored"] == [0, 1]
    assert (found["prompts"], found["completions"]) == (2, 5)
    assert found["worst"][0]["example"] == "2"
    assert found["worst"][0]["reversed"] is True
    assert found["worst"][0]["completions"] == ["bbbb", "a"]


def test_the_report_says_over_what_and_shows_the_worst(rows):
    said = run("test/length", "test/vowels", "--rollouts", rows(TEXTS), "--worst", 1)
    assert "over 2 prompts x 3 completions (5) of rows.jsonl" in said
    assert "unscored: 0 by A, 1 by B" in said
    assert "example 2: A and B are of opposite minds" in said
    assert "bbbb" in said
    assert "of others it says nothing" in said
    assert "example" not in run("test/length", "test/vowels", "--rollouts", rows(TEXTS), "--worst", 0)


def test_without_completions_references_and_corruptions_are_compared_and_said_to_be_no_policys():
    said = run("test/length", "test/vowels", "--task", "test/sums-v1")
    assert "over 4 prompts" in said
    assert "references of test/sums-v1 (eval) and simple corruptions of them, which no policy wrote" in said
    found = compared("test/length", "test/letter[which=z]", "--task", "test/sums-v1", "--examples", 2, code=1)
    assert (found["prompts"], found["flat"]) == (2, [0, 2])
    assert found["starc"]["value"] == 1.0
    assert found["same_best"] is None


def test_a_recipe_stands_for_its_reward_and_its_task():
    found = compared("test/recipe", "test/length")
    assert found["starc"]["value"] == pytest.approx(0.0, abs=1e-7)
    assert "test/sums-v1" in found["completions_of"]


def test_a_reward_by_import_path_needs_no_plugin(rows):
    file = rows(TEXTS)
    assert compared(f"{__name__}:length", "test/length", "--rollouts", file)["starc"]["value"] == pytest.approx(
        0, abs=1e-7
    )
    by_option = compared(f"{__name__}:Letter[which=b]", "test/letter[which=b]", "--rollouts", file)
    assert by_option["starc"]["value"] == pytest.approx(0.0, abs=1e-7)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["test/lenght", "test/length"], "Did you mean 'test/length"),
        (["no_module:x", "test/length"], "cannot be imported"),
        ([f"{__name__}:nothing", "test/length"], "cannot be imported"),
        ([f"{__name__}:TEXTS", "test/length"], "is a dict, not a reward"),
        ([f"{__name__}:length[k=1]", "test/length"], "takes no options"),
        (["test/length", "test/vowels"], "nothing to compare on"),
        (["test/length", "test/vowels", "--rollouts", "nowhere.jsonl"], "no rollouts at 'nowhere.jsonl'"),
        (["test/length", "test/vowels", "--task", "test/sums", "--policy", "x.jsonl"], "--policy needs"),
    ],
)
def test_what_is_asked_for_wrongly_gets_one_message(arguments, said):
    assert said in run(*arguments, code=2)


def test_tasks_without_references_are_refused():
    @dataclass(frozen=True)
    class Bare(Sums):
        name: ClassVar[str] = "test/bare-v1"

        def reference(self, example):
            return None

    register_local("tasks", "test/bare-v1", Bare)
    assert "knows no reference" in run("test/length", "test/vowels", "--task", "test/bare-v1", code=2)


def test_a_distance_above_the_limit_fails(rows):
    file = rows(TEXTS)
    assert "is above 0.5" in run("test/length", "test/brevity", "--rollouts", file, "--fail-above", 0.5, code=1)
    run("test/length", "2*test/length", "--rollouts", file, "--fail-above", 0.5)


def test_where_nothing_can_be_compared_the_command_fails_and_says_so(rows):
    said = run("test/length", "test/vowels", "--rollouts", rows({"1": ["a"], "2": ["b", "c!"]}), code=1)
    assert "nothing was compared" in said
    assert "2 prompts left out" in said
    assert "nan" not in said.lower()
    found = compared("test/length", "test/vowels", "--rollouts", rows({"1": ["a!", "b!"]}), code=1)
    assert found["starc"] == {"value": None, "low": None, "high": None}


def test_two_rewards_that_tell_nothing_apart_have_not_passed_a_comparison(rows):
    """Their distance is 0, and that says nothing."""
    file = rows({"1": ["a", "b"], "2": ["c", "d"]})
    said = run("test/constant", "test/length", "--rollouts", file, "--fail-above", 0.5, code=1)
    assert "neither reward tells any of these completions apart" in said
    said = run("test/constant", "test/length", "--rollouts", rows(TEXTS), "--fail-above", 0.5, code=1)
    assert "not told apart: 2 prompts by A, 0 by B" in said


def test_a_hacked_proxy_is_found(rows):
    """Under the base longer answers have more vowels; the optimised ones are long and have none."""
    draw = random.Random(0)
    base = {str(i): ["ae" * n + "b" * draw.randint(0, 2) for n in (1, 2, 3, 4)] for i in range(12)}
    policy = {str(i): ["b" * 20, "b" * (20 + i)] for i in range(12)}
    arguments = ["test/length", "test/vowels", "--base", rows(base), "--policy", rows(policy, "after.jsonl")]
    found = compared(*arguments)["proxy"]
    assert found["verdict"] == "hacked"
    assert found["paired"] is True
    assert found["prompts"] == [12, 12]
    assert found["true_gain"]["value"] == pytest.approx(-5.0 / 5.0**0.5)  # mean 5 to 0, of 2, 4, 6, 8: std sqrt(5)
    said = run(*arguments)
    assert "A as a proxy of B: hacked" in said
    assert "prompts in common: 12" in said


def test_completions_of_other_prompts_are_two_draws(rows):
    base = {str(i): ["a", "aa", "aaa"] for i in range(8)}
    policy = {f"new{i}": ["aaa", "aaaa"] for i in range(8)}
    said = run("test/length", "test/vowels", "--base", rows(base), "--policy", rows(policy, "after.jsonl"))
    assert "A as a proxy of B: not hacked" in said
    assert "no prompts in common: 8 and 8" in said


def test_a_constant_proxy_is_none(rows):
    file = rows(TEXTS)
    said = run("test/constant", "test/vowels", "--base", file, "--policy", file)
    assert "not a proxy" in said
    assert "constant under the base" in said
    found = compared("test/constant", "test/vowels", "--base", file, "--policy", file)["proxy"]
    assert found["correlation"]["value"] is None


def record(example, group, index, text):
    return {
        "step": 0,
        "phase": "rl",
        "example": example,
        "group": group,
        "index": index,
        "completion": text,
        "score": None,
    }


def test_a_runs_rollouts_are_read_by_phase_and_step(tmp_path):
    recipe = "name: r\ntask: test/sums-v1\npolicy: scripted\nreward: test/length-v1\n"
    with RunFolder.create(tmp_path / "run", recipe, 0, tensorboard=False) as folder:
        for step, longer in ((0, 0), (7, 10)):
            rows = [
                {**record(f"train-{i}", i, k, "a" * (k + 1) + "b" * longer), "step": step}
                for i in range(3)
                for k in range(3)
            ]
            folder.write_rollouts("rl", step, rows)
    path = tmp_path / "run"
    found = compared(path, "test/vowels", "--rollouts", path, "--step", 0, "--policy", path)
    assert found["completions_of"] == "run, rl step 0"
    assert found["proxy"]["policy_of"] == "run, rl step 7"
    assert found["proxy"]["proxy_gain"]["value"] > 5.0
    assert found["proxy"]["true_gain"]["value"] == 0.0
    assert "step 3" in run(path, "test/vowels", "--rollouts", path, "--step", 3, code=2)


def test_two_recipes_of_different_tasks_need_the_task_named(tmp_path):
    register_local(
        "recipes", "test/other", {"name": "o", "task": "test/else-v1", "policy": "scripted", "reward": "test/vowels-v1"}
    )
    assert "say which with --task" in run("test/recipe", "test/other", code=2)
    run("test/recipe", "test/other", "--task", "test/sums-v1")


def test_corruptions_keep_the_layout_and_never_repeat_a_text():
    made = corruptions("```sql\nSELECT a\nFROM t\n```", ["SELECT 1"], seed="1")
    assert made["reference"].startswith("```sql\n")
    assert made["words shuffled"].count("\n") == 3
    assert sorted(made["words shuffled"].split()) == sorted(made["reference"].split())
    assert len(set(made.values())) == len(made)
    assert corruptions("x", [], seed="1") == {"reference": "x", "first half": "", "twice": "x\nx"}
    assert corruptions("", [], seed="1") == {"reference": "", "twice": "\n"}


def test_a_reward_that_tells_nothing_apart_passes_no_limit(rows):
    """Its distance is 1 from everything, below a limit of 1.2: that is no agreement."""
    said = run("test/constant", "test/length", "--rollouts", rows(TEXTS), "--fail-above", 1.2, code=1)
    assert "nothing was compared: A tells none of these completions apart" in said
