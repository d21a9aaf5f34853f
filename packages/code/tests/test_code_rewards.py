"""What programs earn, through the rewards themselves."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon.conformance import check_is_a_value
from guerdon.errors import ConfigError
from guerdon.rewards import Context
from guerdon.sandbox import Sandbox
from guerdon.types import Group, Rollout, Segment
from guerdon_code import verdicts as running
from guerdon_code.problems import ScriptTest
from guerdon_code.rewards import Compiles, Format, Outcome, PassRate, code_of
from guerdon_code.verpo_reward import Verpo, attempts


def fenced(code):
    return f"```python\n{code}\n```"


@pytest.mark.parametrize("reward", [Outcome(), PassRate(), Compiles(), Format()], ids=lambda reward: reward.label)
def test_the_reference_earns_the_top(reward, doubling, adding):
    for problem in (doubling, adding):
        assert reward(Rollout.of(problem, fenced(problem.reference.rstrip()))).value == 1.0


CHEATS = {
    "nothing": "",
    "an exit": "import os\nos._exit(0)",
    "an exit in the function": "def double(x):\n    raise SystemExit(0)",
    "always equal": """
class A:
    def __eq__(self, other): return True
    def __sub__(self, other): return 0
    def __abs__(self): return 0
    def __lt__(self, other): return True
def double(x): return A()
""",
    "a verdict on stdout": "print('4 of 4 tests passed')\ndef double(x): print(True)",
    "not a number": "def double(x): return float('nan')",
    "its own abs": "import builtins\nbuiltins.abs = lambda x: 0\ndef double(x): return None",
}  # fmt: skip


@pytest.mark.parametrize("code", CHEATS.values(), ids=CHEATS)
def test_a_known_cheat_earns_nothing(code, doubling):
    rollout = Rollout.of(doubling, fenced(code))
    assert (Outcome()(rollout).value, PassRate()(rollout).value) == (0.0, 0.0)


def test_each_test_counts_whatever_the_others_came_to(doubling):
    """2 and -3 are doubled, 'ab' raises, and 0.15 ends the process."""
    code = "import os\ndef double(x):\n    if x == 0.15: os._exit(0)\n    return x + abs(x) * (1 if x > 0 else -1)"
    score = PassRate()(Rollout.of(doubling, fenced(code)))
    assert score.value == 0.5
    assert score.status == "fail"
    assert score.why.startswith("2 of 4 tests passed; TypeError")


def test_an_endless_loop_is_a_time_out_and_the_other_tests_count(adding):
    code = "a, b = int(input()), int(input())\nwhile a == 0: pass\nprint(a + b)"
    score = PassRate(floor_s=0.3)(Rollout.of(adding, fenced(code)))
    assert (score.value, score.status) == (pytest.approx(2 / 3), "timeout")


def test_a_wrong_value_is_shown_beside_the_right_one(doubling):
    score = Outcome()(Rollout.of(doubling, fenced("def double(x): return x")))
    assert score.why == "0 of 4 tests passed; double(2) gave 2, not 4"


def test_a_score_says_where_a_layer_was_missing(doubling, monkeypatch):
    running.forget()
    with Sandbox(workers=1, without=("landlock", "seccomp")) as bare:
        monkeypatch.setattr(running, "default_sandbox", lambda: bare)
        score = Outcome()(Rollout.of(doubling, doubling.reference))
        on = ", ".join(bare.layers.on)
    running.forget()
    assert score.why == f"4 of 4 tests passed (confined by {on} alone)"


def test_a_score_says_how_many_of_its_tests_are_of_low_trust(doubling):
    script = ScriptTest(script="for x in range(3): assert double(x) == 2 * x")
    problem = doubling.model_copy(update={"tests": (*doubling.tests, script)})
    assert Outcome()(Rollout.of(problem, doubling.reference)).why == "5 of 5 tests passed (1 of low trust)"


def test_a_value_of_another_type_is_another_value(doubling):
    """2.0 * 2 is 4.0, where 4 is expected."""
    score = PassRate()(Rollout.of(doubling, fenced("def double(x): return x * 2 if isinstance(x, str) else x * 2.0")))
    assert score.value == 0.5  # the text, and the check of a float


def test_an_answer_that_goes_on_where_the_starter_ends_is_whole(doubling):
    assert code_of(doubling, "    return x + x") == "def double(x):\n    return x + x"
    assert code_of(doubling, fenced("def double(y):\n    return y")) == "def double(y):\n    return y\n"
    assert Outcome()(Rollout.of(doubling, "    return x + x\n")).value == 1.0


def test_where_a_block_is_asked_for_bare_text_is_nothing(doubling):
    bare = Rollout.of(doubling, doubling.reference)
    assert (Outcome()(bare).value, Outcome(fallback="none")(bare).value) == (1.0, 0.0)


def test_equal_answers_are_run_once(doubling, monkeypatch):
    running.forget()
    ran = []
    monkeypatch.setattr(
        running, "_run", lambda asked, *rest, real=running._run: ran.extend(asked) or real(asked, *rest)
    )
    group = Group.of([Rollout.of(doubling, doubling.reference)] * 5 + [Rollout.of(doubling, "def double(x): pass")])
    context = Context()
    for reward in (Outcome(), PassRate(), Verpo()):
        context.scores(reward, [group])
    assert len(ran) == 2


def test_trouble_of_ours_is_unscored(doubling, monkeypatch):
    from guerdon.errors import SandboxError

    def broken(self, jobs, visit, limits=None):
        raise SandboxError("no process to be had")

    running.forget()
    monkeypatch.setattr(Sandbox, "run_each", broken)
    score = Outcome()(Rollout.of(doubling, doubling.reference))
    assert (score.status, score.why) == ("infra", "a test could not be run: no process to be had")
    monkeypatch.undo()
    assert Outcome()(Rollout.of(doubling, doubling.reference)).value == 1.0  # not remembered


def test_trouble_with_a_check_is_unscored_too(doubling, monkeypatch):
    from guerdon.errors import SandboxError

    def broken(self, jobs, visit, limits=None, real=Sandbox.run_each):
        if any("0.3" in str(job.cases) for job in jobs):  # what the check compares with
            raise SandboxError("no process to be had")
        return real(self, jobs, visit, limits)

    running.forget()
    monkeypatch.setattr(Sandbox, "run_each", broken)
    assert Outcome()(Rollout.of(doubling, doubling.reference)).status == "infra"
    running.forget()


def test_checks_run_where_no_answer_does(doubling, monkeypatch):
    """In the memory that an answer gets from its server there may be remains of what the server did before."""
    where = []
    monkeypatch.setattr(
        Sandbox, "run_each", lambda self, *asked, real=Sandbox.run_each: where.append(self) or real(self, *asked)
    )
    running.forget()
    running.verdicts([(doubling, doubling.reference)])
    answers, checks = where
    assert answers is not checks


def test_checks_need_not_wait_for_one_another(doubling, monkeypatch):
    """Whose values are judged in small portions earns the same: the second answer fails what the first passes."""
    monkeypatch.setattr(running, "_CHECKS_AT_ONCE", 1)
    running.forget()
    right, wrong = running.verdicts([(doubling, doubling.reference), (doubling, "def double(x): return x")])
    assert all(verdict.passed for verdict in right)
    assert not all(verdict.passed for verdict in wrong)
    assert all(verdict.status == "ok" for verdict in wrong)


def test_the_deepest_value_that_may_leave_can_be_checked(doubling):
    """It is one level deeper as an argument of the check; that ended the run."""
    code = "def double(x):\n    for _ in range(199): x = [x]\n    return x"
    assert PassRate()(Rollout.of(doubling, code)).value == 0.0


def test_a_value_that_cannot_leave_is_rejected(doubling):
    assert Outcome()(Rollout.of(doubling, "def double(x): return object()")).status == "rejected"


def test_what_we_failed_to_run_is_tried_once_more(doubling, monkeypatch):
    from guerdon.errors import SandboxError

    running.forget()
    failures = iter([True])

    def run(self, jobs, visit, limits=None, real=Sandbox.run_each):
        if next(failures, False):
            raise SandboxError("not now")
        return real(self, jobs, visit, limits)

    monkeypatch.setattr(Sandbox, "run_each", run)
    assert Outcome()(Rollout.of(doubling, doubling.reference)).value == 1.0


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("```python\nx = 1\n```", 1.0),
        ("Sure:\n```py\nx = 1\n```\nDone.", 1.0),
        ("x = 1", 0.0),
        ("```python\nx = 1", 0.0),
        ("```python\nx\n```\n```python\ny\n```", 0.0),
        ("```sql\nx\n```", 0.0),
    ],
)
def test_the_form_is_one_closed_block(doubling, text, value):
    assert Format()(Rollout.of(doubling, text)).value == value


@pytest.mark.parametrize(
    ("code", "value"),
    [("x = 1", 1.0), ("x = = 1", 0.0), ("  ", 0.0), ("import os; os._exit(0)", 1.0), ("(" * 500, 0.0)],
)
def test_compiling_runs_nothing(adding, code, value):
    assert Compiles()(Rollout.of(adding, fenced(code))).value == value


@pytest.mark.parametrize("options", [{"fallback": "some"}, {"floor_s": 0}, {"output": "words"}, {"memory_mb": True}])
def test_a_wrong_option_is_named(options):
    with pytest.raises(ConfigError, match=r"code/outcome-v1\.\w+ is .*; (accepted|a whole number|a number)"):
        Outcome(**options)


@settings(max_examples=40, deadline=None)
@given(
    text=st.one_of(st.text(max_size=80), st.sampled_from(["```python\n" * 300, "\0", "\ud800", "def double(x):" * 50]))
)
def test_no_text_makes_a_reward_raise_or_leave_its_bounds(text, doubling):
    for reward in (Outcome(floor_s=0.2), PassRate(floor_s=0.2), Compiles(), Format(), Verpo(floor_s=0.2)):
        score = reward(Rollout.of(doubling, text))
        assert 0.0 <= score.value <= 9.0


@pytest.mark.parametrize("reward", [Outcome(), PassRate(), Verpo()], ids=lambda reward: reward.label)
def test_rewards_are_values(reward):
    check_is_a_value(reward)


def test_verpo_weighs_the_tests_of_the_sheets_first_example(doubling):
    """Four samples pass 1110, 1100, 1110 and 0000 of four tests: R is .437272, .197146, .437272 and 0."""
    first = "def double(x): return x + x if x != 0.15 else 0"
    second = "def double(x): return x + x if x in (2, -3) else 0"
    answers = [first, second, first + "  # again", "def double(x): return None"]
    group = Group.of([Rollout.of(doubling, answer) for answer in answers])
    scores = Context().scores(Verpo(), [group])[0]
    assert [score.dense["turn"].values[0] for score in scores] == pytest.approx(
        [0.437272, 0.197146, 0.437272, 0.0], abs=1e-6
    )
    assert [score.dense["trajectory"].values[0] for score in scores] == [0.0] * 4
    assert scores[1].parts["tests"].why == "2 of 4 tests passed; double('ab') gave 0, not 'abab'"


def test_verpo_sees_every_turn(doubling):
    wrong, right = fenced("def double(x): return 4"), fenced(doubling.reference)
    told = Segment("environment", text="1 of 4 tests passed.")
    rollout = Rollout(doubling, (Segment("policy", text=wrong), told, Segment("policy", text=right)))
    assert attempts(rollout, doubling) == [code_of(doubling, wrong), code_of(doubling, right)]
    score = Verpo(gamma=0.9)(rollout)
    assert score.dense["trajectory"].values == (pytest.approx(0.81),)
    assert score.dense["pass_rate"].values == (0.25, 1.0)
