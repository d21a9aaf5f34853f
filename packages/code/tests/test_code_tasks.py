"""The tasks: problems made up, splits, prompts and feedback."""

import itertools

import pytest

from guerdon.conformance import check_task
from guerdon.errors import ConfigError, TaskError
from guerdon.types import Rollout, Segment
from guerdon_code.feedback import Feedback
from guerdon_code.generate import LEVELS, TESTS
from guerdon_code.rewards import Outcome, PassRate
from guerdon_code.tasks import Generated, JsonLines
from guerdon_code.verdicts import verdicts


@pytest.fixture(scope="module")
def made():
    return Generated(train_size=120, eval_size=60)


def test_every_reference_earns_the_top(made):
    problems = [*made.examples("train"), *made.examples("eval")]
    assert len(problems) == 180
    assert all(verdict.passed for row in verdicts([(each, each.reference) for each in problems]) for verdict in row)


def test_the_splits_share_no_problem_and_all_levels_are_there(made):
    train, held_out = ({each.reference for each in made.examples(split)} for split in ("train", "eval"))
    assert len(train | held_out) == 180
    assert {each.level for each in made.examples("eval")} == set(LEVELS)


def test_the_same_seed_makes_the_same_problems():
    one, same, other = (Generated(train_size=20, eval_size=10, seed=seed).examples("train") for seed in (1, 1, 2))
    assert one == same != other


def test_a_wrong_answer_to_one_is_seldom_right_by_its_tests(made):
    """Each problem's reference, given for the next problem of its level, passes all of its tests in few cases."""
    problems = sorted(made.examples("train"), key=lambda each: each.level)
    asked = [(one, other.reference) for one, other in itertools.pairwise(problems)]
    solved = sum(all(verdict.passed for verdict in row) for row in verdicts(asked))
    assert solved <= 3


def test_a_prompt_says_what_to_write_and_the_policy_begins_where_the_starter_ends(made):
    problem = made.examples("train")[0]
    prompt = made.prompt(problem)
    assert prompt.messages[1].content == problem.question
    assert prompt.forced == "```python\ndef solve(numbers):\n"
    assert made.reference(problem).startswith(prompt.forced)
    whole = Generated(train_size=20, eval_size=5, prefill=False, shown=2)
    problem = whole.examples("train")[0]
    text = whole.prompt(problem).messages[1].content
    assert whole.prompt(problem).forced == ""
    assert "Begin with:\n```python\ndef solve(numbers):\n```" in text
    assert text.count(" gives ") == 2
    assert len(problem.tests) == TESTS


def test_the_tasks_keep_what_core_asks_of_every_task(made):
    check_task(Generated(train_size=10, eval_size=5), Outcome())


def test_a_failed_attempt_is_told_what_failed_of_what_was_shown(doubling):
    world = Feedback(doubling, turns=3)
    assert world.reset(seed=0) == ""
    turn = world.step([Segment("policy", text="```python\ndef double(x):\n    return 4 if x == 2 else 1\n```")])
    assert not turn.terminated
    assert not turn.truncated
    assert turn.observation == "1 of 4 tests passed.\ndouble(-3) gave 1, not -6\nWrite the whole code again."
    assert "'abab'" not in turn.observation  # a hidden test


def test_an_error_of_its_own_is_told_whatever_test_met_it(doubling):
    turn = Feedback(doubling, turns=3).step(
        [Segment("policy", text="```python\ndef double(x):\n    return x / 0\n```")]
    )
    assert "TypeError" in turn.observation or "ZeroDivisionError: division by zero (line 2)" in turn.observation


def test_it_ends_when_all_is_right_or_the_turns_are_used_up(doubling):
    world = Feedback(doubling, turns=2)
    wrong, right = Segment("policy", text="def double(x): pass"), Segment("policy", text=doubling.reference)
    told = Segment("environment", text="...")
    assert world.step([right]).terminated
    assert world.step([wrong, told, right]).terminated
    assert world.step([wrong, told, wrong]).truncated


def test_a_forced_beginning_is_part_of_the_attempt(doubling):
    forced, body = (
        Segment("forced", text="```python\ndef double(x):\n"),
        Segment("policy", text="    return x + x\n```"),
    )
    assert Feedback(doubling, turns=2).step([forced, body]).terminated
    assert PassRate()(Rollout(doubling, (forced, body))).value == 1.0


def test_problems_that_ask_for_the_same_stay_in_one_split(tmp_path, doubling):
    path = tmp_path / "own.jsonl"
    rows = [
        doubling.model_copy(update={"id": f"{number}-{copy}", "question": f"Question {number}."})
        for number in range(20)
        for copy in range(2)
    ]
    path.write_text("\n".join(row.model_dump_json() for row in rows))
    task = JsonLines(path=str(path), train_share=0.5)
    train, held_out = ({each.question for each in task.examples(split)} for split in ("train", "eval"))
    assert (len(train), len(held_out), train & held_out) == (10, 10, set())


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"levels": ("maps",)}, r"levels\[0\] is 'maps'; accepted are 'map', 'filter'"),
        ({"levels": ()}, "one or more different ones"),
        ({"train_size": -1}, "train_size is -1"),
        ({"turns": 0}, "turns is 0"),
        ({"shown": -1}, "shown is -1"),
    ],
)
def test_a_wrong_option_of_a_task_is_named(options, says):
    with pytest.raises(ConfigError, match=says):
        Generated(**options)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(TaskError, match=r"no problems at .*none\.jsonl"):
        JsonLines(path=str(tmp_path / "none.jsonl")).examples("eval")
