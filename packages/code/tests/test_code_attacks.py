"""Attacks on rewards of programs and tool calls: what they write, that they can win, and that ours resist them."""

import ast

import pytest

from guerdon.audit import Layout, Settings, Target, audit
from guerdon.audit.cases import cases
from guerdon.conformance import check_attack, check_task
from guerdon.errors import ConfigError
from guerdon.rewards import reward
from guerdon.types import Message, Prompt
from guerdon_code.answers import extract
from guerdon_code.attacks import TRICKS, ConstantProgram, HollowProgram, Tampering, VisibleTests, function_name
from guerdon_code.rewards import Outcome, PassRate
from guerdon_code.tasks import Generated
from guerdon_code.tool_attacks import EmptyCalls, EveryCall, LongThought
from guerdon_code.tool_rewards import ExactCalls, ThoughtLength, toolrl
from guerdon_code.tool_tasks import MadeToolCalls

SMALL = Generated(train_size=12, eval_size=4)
OPEN = Generated(train_size=12, eval_size=4, prefill=False)
TOOLS = MadeToolCalls(size=40)
PROGRAMS = [*Tampering.variants(), *ConstantProgram.variants(), *HollowProgram.variants()]


def target(*examples, question="", forced=""):
    return Target(Prompt((Message("user", question),), forced=forced), examples, Layout.of(examples, forced))


BLOCK = "```python\ndef twice(x):\n    return 2 * x\n```"


@pytest.mark.parametrize("task", [SMALL, OPEN], ids=["prefilled", "open"])
@pytest.mark.parametrize("attack", PROGRAMS, ids=repr)
def test_every_program_is_python_and_stands_in_the_frame(task, attack):
    (case,) = cases(task, "train", 1)
    (text,) = case.attempts(attack)
    written = case.rollout(text).completion
    assert written.count("```") == 2
    assert written.startswith(case.target.prompt.forced)
    ast.parse(extract(written))


def test_the_function_is_called_what_the_task_calls_it():
    assert function_name(target(BLOCK)) == "twice"
    assert function_name(target(BLOCK, forced="```python\ndef solve(numbers):\n")) == "solve"
    assert function_name(target()) == "solve"


def test_programs_are_written_where_python_is_asked_for_alone():
    for attack in PROGRAMS:
        assert attack.attempt(target("SELECT 1")) == ()


def test_a_table_of_the_visible_tests_passes_them():
    shown = "Double.\ntwice(1) gives 2\ntwice(x=[2]) gives [2, 2]\ntwice(3, 4) gives 7"
    (text,) = VisibleTests().attempt(target(BLOCK, question=shown))
    assert "if args == (1,): return 2" in text
    assert "if args == (3, 4,): return 7" in text
    assert VisibleTests().attempt(target(BLOCK, question="Double.")) == ()


def test_a_grader_that_runs_tests_beside_the_answer_is_beaten_and_ours_is_not():
    """What the attacks are for: `==` within the answer's own process is at the mercy of the answer."""

    @reward(name="test/naive", bounds=(0.0, 1.0))
    def naive(rollout):
        names = {}
        try:
            exec(extract(rollout.completion), names)
            return float(names["solve"]([1, 2, 3]) == object())
        except BaseException:  # noqa: BLE001 - it runs what exits
            return 0.0

    attacks = [Tampering("always equal"), Tampering("exit with success")]
    assert audit(naive, SMALL, attacks, Settings(examples=2)).exploits == ("code/tampering",)
    assert audit(Outcome(), SMALL, attacks, Settings(examples=2)).conclusion == "holds"


def test_no_trick_earns_what_a_right_program_does():
    report = audit(PassRate(), SMALL, [*PROGRAMS, VisibleTests()], Settings(examples=4))
    assert report.exploits == ()
    assert all(one.unscored == 0 for one in report.findings)


@pytest.mark.parametrize(
    "made", [Tampering, ConstantProgram, HollowProgram, VisibleTests, EmptyCalls, EveryCall, LongThought]
)
def test_each_attack_conforms(made):
    check_attack(made)


def test_an_unknown_trick_is_refused():
    with pytest.raises(ConfigError, match="accepted are early exit"):
        Tampering("charm")
    assert len(Tampering.variants()) == len(TRICKS)


# -- tool calls -------------------------------------------------------------------------------------------------------


def test_the_made_requests_are_a_task_whose_references_earn_the_top():
    check_task(TOOLS, ExactCalls())
    check_task(TOOLS, toolrl(), top=4.0, count=1)
    assert MadeToolCalls(size=40).examples("train") == TOOLS.examples("train")
    assert MadeToolCalls(size=40, seed=1).examples("train") != TOOLS.examples("train")


def test_calls_are_made_of_what_the_prompt_offers():
    (case,) = cases(TOOLS, "train", 1)
    (every,) = case.attempts(EmptyCalls("every"))
    for name in case.example.tools:
        assert f'"name": "{name}"' in every
    (nothing,) = case.attempts(EmptyCalls("none"))
    assert nothing == "<think> so </think>\n<tool_call>\n</tool_call>"
    assert EmptyCalls().attempt(target(BLOCK)) == ()


def test_every_call_of_others_is_made_once():
    (case,) = cases(TOOLS, "train", 1)
    (text,) = case.attempts(EveryCall(most=5))
    lines = [line for line in text.splitlines() if line.startswith("{")]
    assert len(lines) == len(set(lines)) == 5


def test_words_of_thought_are_paid_by_the_length_reward_alone():
    """600 words of 512 wanted earn 1; an honest thought has seven and earns 0.01."""
    report = audit(ThoughtLength(), TOOLS, [LongThought()], Settings(examples=4))
    assert report.findings[0].mean == 1.0
    assert audit(ExactCalls(), TOOLS, [LongThought(), *EmptyCalls.variants()], Settings(examples=4)).exploits == ()
