"""What the sandbox gives back, for programs that mean no harm."""

import os
import pickle
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from guerdon.errors import ConfigError
from guerdon.sandbox import Call, Calls, Limits, Programs, Sandbox
from guerdon.sandbox.wire import Untransferable

TIGHT = Limits(cpu_s=0.3, wall_s=3.0)


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(workers=1, limits=TIGHT) as made:
        yield made


def values(outcomes):
    return [outcome.value for outcome in outcomes]


def statuses(outcomes):
    return [outcome.status for outcome in outcomes]


def test_each_call_gives_a_value(sandbox):
    code = "def area(w, h=2): return w * h"
    cases = (Call("area", (3,)), Call("area", (3,), {"h": 0.5}), "area(4) + 1")
    [outcomes] = sandbox.run([Calls(code, cases)])
    assert values(outcomes) == [6, 1.5, 9]
    assert all(outcome.ok and outcome.error == "" for outcome in outcomes)


def test_a_method_is_called_by_its_expression(sandbox):
    code = "import sys\nclass Solution:\n    def add(self, a, b): return a + b + len(sys.argv) - 1"
    [outcomes] = sandbox.run([Calls(code, (Call("Solution().add", (1, 2)),))])
    assert values(outcomes) == [3]


def test_each_program_runs_from_the_start_and_gives_its_output(sandbox):
    code = "seen = []\nseen.append(input())\nprint(len(seen), seen[0])"
    [outcomes] = sandbox.run([Programs(code, ("a\n", "b\n"))])
    assert values(outcomes) == [b"1 a\n", b"1 b\n"]


def test_the_main_block_runs_in_a_program_and_not_in_a_module(sandbox):
    code = "x = 1\nif __name__ == '__main__':\n    x = 2\n    print(x)"
    called, run = sandbox.run([Calls(code, ("x",)), Programs(code, ("",))])
    assert values(called) == [1]
    assert values(run) == [b"2\n"]


@pytest.mark.parametrize(
    "ending", ["exit()", "quit(0)", "import sys; sys.exit()", "raise SystemExit", "import os; os._exit(0)"]
)
def test_a_program_may_end_as_programs_do(sandbox, ending):
    [[outcome]] = sandbox.run([Programs(f"print('done', flush=True)\n{ending}", ("",))])
    assert (outcome.status, outcome.value) == ("ok", b"done\n")


def test_what_a_program_does_at_its_end_is_part_of_it(sandbox):
    code = (
        "import atexit, threading, time\natexit.register(print, 'last')\n"
        "threading.Thread(target=lambda: (time.sleep(0.05), print('later'))).start()\nprint('first')"
    )
    [[outcome]] = sandbox.run([Programs(code, ("",))])
    assert outcome.value == b"first\nlater\nlast\n"


def test_an_error_names_its_kind_and_line(sandbox):
    [[first, second]] = sandbox.run([Calls("def f(x):\n    return 1 / x", (Call("f", (0,)), Call("f", (2,))))])
    assert (first.status, first.error) == ("fail", "ZeroDivisionError: division by zero (line 2)")
    assert second.value == 0.5


def test_code_that_does_not_compile_fails_every_case(sandbox):
    calls, programs = sandbox.run([Calls("def f(:", ("f(1)", "f(2)")), Programs("print(", ("", ""))])
    assert statuses(calls) == statuses(programs) == ["fail", "fail"]
    assert all("SyntaxError" in outcome.error for outcome in calls + programs)


def test_a_missing_function_is_named(sandbox):
    [[outcome]] = sandbox.run([Calls("x = 1", (Call("f"),))])
    assert (outcome.status, outcome.error) == ("fail", "NameError: name 'f' is not defined")


def test_a_failing_program_says_why_with_its_last_words(sandbox):
    [[outcome]] = sandbox.run(
        [Programs("import sys\nprint('lost')\nprint('why', file=sys.stderr)\nsys.exit(3)", ("",))]
    )
    assert (outcome.status, outcome.value, outcome.error) == ("fail", None, "exit status 3: why")


def test_a_case_that_ends_the_process_costs_itself_alone(sandbox):
    code = "import os\ndef f(x): return os._exit(0) if x == 1 else x"
    [outcomes] = sandbox.run([Calls(code, tuple(Call("f", (x,)) for x in range(4)))])
    assert statuses(outcomes) == ["ok", "fail", "ok", "ok"]
    assert outcomes[1].error == "it ended before it answered (exit status 0)"


def test_an_endless_loop_in_the_middle_costs_itself_alone(sandbox):
    code = "def f(x):\n    while x == 1: pass\n    return x"
    [outcomes] = sandbox.run([Calls(code, tuple(Call("f", (x,)) for x in range(3)))])
    assert statuses(outcomes) == ["ok", "timeout", "ok"]
    assert outcomes[1].error == "no answer within 0.3 s of processor time"
    assert 0.3 <= outcomes[1].cpu_s < 0.5


def test_after_two_time_outs_the_rest_is_not_run(sandbox):
    calls = Calls("def f(x):\n    while x: pass", tuple(Call("f", (x,)) for x in (0, 1, 1, 0)))
    programs = Programs("x = input()\nwhile x == '1': pass", ("0\n", "1\n", "1\n", "0\n"))
    for outcomes in sandbox.run([calls, programs]):
        assert statuses(outcomes) == ["ok", "timeout", "timeout", "timeout"]
        assert outcomes[3].error == "not run: 2 cases before timed out"
    [outcomes] = sandbox.run([calls], Limits(cpu_s=0.1, timeouts=9))
    assert statuses(outcomes) == ["ok", "timeout", "timeout", "ok"]


def test_what_sleeps_is_given_up_by_the_wall_clock(sandbox):
    [[outcome]] = sandbox.run([Programs("import time\ntime.sleep(60)", ("",))], Limits(cpu_s=0.3, wall_s=0.5))
    assert (outcome.status, outcome.error) == ("timeout", "no answer within 0.5 s")


def test_loading_has_a_clock_of_its_own(sandbox):
    calls = Calls("while True: pass", ("1", "2"))
    [outcomes] = sandbox.run([calls])
    assert statuses(outcomes) == ["timeout", "timeout"]


def test_arguments_are_fresh_for_each_case(sandbox):
    code = "def f(items):\n    items.append(1)\n    return len(items)"
    [outcomes] = sandbox.run([Calls(code, (Call("f", ([],)),) * 3)])
    assert values(outcomes) == [1, 1, 1]


def test_every_plain_value_crosses_both_ways(sandbox):
    plain = [None, True, 1, 10**40, -0.5, "ä\0\ud800", b"\xff", (1, [2]), {1: {"a"}, (2, 3): frozenset([4])}, 1 - 2j]
    [[outcome]] = sandbox.run([Calls("def same(x): return x", (Call("same", (plain,)),))])
    assert outcome.value == plain
    assert [type(each) for each in outcome.value] == [type(each) for each in plain]


def test_an_argument_that_is_no_plain_value_is_our_mistake(sandbox):
    with pytest.raises(Untransferable, match=r"builtins\.object"):
        sandbox.run([Calls("def f(x): pass", (Call("f", (object(),)),))])


def test_a_value_of_another_type_is_rejected_and_named(sandbox):
    code = "from decimal import Decimal\nclass Odd: pass"
    [outcomes] = sandbox.run([Calls(code, ("Odd()", "[1, (Decimal(1),)]", "1"))])
    assert statuses(outcomes) == ["rejected", "rejected", "ok"]
    assert outcomes[0].error == "a value of type answer.Odd cannot leave the sandbox"


def test_standard_modules_are_there_and_no_others(sandbox):
    code = "import asyncio, dataclasses, heapq, statistics\n@dataclasses.dataclass\nclass P:\n    x: int = 1"
    [outcomes] = sandbox.run([Calls(code, ("P().x", "__import__('pydantic')", "__import__('guerdon.types')"))])
    assert statuses(outcomes) == ["ok", "fail", "fail"]


def test_the_same_answer_does_the_same_every_time(sandbox):
    """The order of a set of words, and what a program draws at random."""
    code = "import random\nprint({'a', 'b', 'c', 'd'}, random.random())"
    with Sandbox(workers=1) as another:
        said = [each.run([Programs(code, ("",))])[0][0].value for each in (sandbox, sandbox, another)]
    assert len(set(said)) == 1


def test_a_program_too_large_to_be_kept_compiled_runs_all_the_same(sandbox):
    code = f"text = {'y' * 5_000!r}\nprint(len(text), input())"
    [outcomes] = sandbox.run([Programs(code, ("a", "b", "c"))], Limits(output_bytes=4096))
    assert values(outcomes) == [b"5000 a\n", b"5000 b\n", b"5000 c\n"]


def test_annotations_are_evaluated_as_python_does(sandbox):
    """The sandbox's own `from __future__ import annotations` holds for its own files."""
    code = "def f(x: List[int]): return 1"
    called, run = sandbox.run([Calls(code, ("f(1)",)), Programs(code, ("",))])
    assert [called[0].status, run[0].status] == ["fail", "fail"]
    assert called[0].error == "NameError: name 'List' is not defined (line 1)"


def test_modules_that_are_not_there_at_once_can_be_imported(sandbox):
    code = "import hashlib, shutil, unicodedata, asyncio\nprint(hashlib.sha256(b'').hexdigest()[:4])"
    [[outcome]] = sandbox.run([Programs(code, ("",))])
    assert outcome.value == b"e3b0\n"


def test_threads_of_an_answer_are_waited_for(sandbox):
    code = (
        "import threading, time, concurrent.futures\n"
        "threading.Thread(target=lambda: (time.sleep(0.05), print('late'))).start()\n"
        "with concurrent.futures.ThreadPoolExecutor(3) as pool: print(sum(pool.map(int, '123')))\n"
        "print(threading.current_thread() is threading.main_thread())"
    )
    [[outcome]] = sandbox.run([Programs(code, ("",))])
    assert outcome.value == b"6\nTrue\nlate\n"


def test_output_is_whatever_bytes_it_is(sandbox):
    [[outcome]] = sandbox.run([Programs("import sys\nsys.stdout.buffer.write(bytes(range(256)))", ("",))])
    assert outcome.value == bytes(range(256))


def test_a_large_input_arrives_whole(sandbox):
    [[outcome]] = sandbox.run([Programs("import sys\nprint(len(sys.stdin.read()))", ("x" * 3_000_000,))])
    assert outcome.value == b"3000000\n"


def test_equal_jobs_run_once(sandbox):
    code = "import time\ndef f(): return time.perf_counter()"
    first, other, again = sandbox.run([Calls(code, ("f()",)), Calls(code, ("f() + 0",)), Calls(code, ("f()",))])
    assert values(first) == values(again) != values(other)


def test_many_answers_keep_their_order():
    jobs = [Calls(f"def f(): return {number}", ("f()",)) for number in range(60)]
    with Sandbox(workers=2) as sandbox:
        assert [values(outcomes) for outcomes in sandbox.run(jobs)] == [[number] for number in range(60)]
        assert sandbox.run([]) == []


def test_where_there_is_a_server_for_each_core_each_keeps_to_its_own():
    with Sandbox() as sandbox:
        sandbox.run([Calls(f"x = {number}", ("x",)) for number in range(64)])
        kept_to = [os.sched_getaffinity(server.process.pid) for server in sandbox._pool]
    assert sorted(core for cores in kept_to for core in cores) == sorted(os.sched_getaffinity(0))


def test_threads_take_turns(sandbox):
    found = {}

    def work(number):
        found[number] = values(sandbox.run([Calls(f"x = {number}", ("x",) * 3)])[0])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: [number] * 3 for number in range(4)}


def test_a_sandbox_pickles_as_its_settings():
    with Sandbox(2, TIGHT, without=("landlock",)) as sandbox:
        again = pickle.loads(pickle.dumps(sandbox))
    assert (again.workers, again.limits, again.without) == (2, TIGHT, ("landlock",))


def test_a_forked_child_of_ours_starts_servers_of_its_own(sandbox):
    sandbox.run([Calls("x = 1", ("x",))])
    child = os.fork()
    if not child:
        good = False
        try:
            good = values(sandbox.run([Calls("x = 2", ("x",))])[0]) == [2]
            sandbox.close()
        finally:
            os._exit(0 if good else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert values(sandbox.run([Calls("x = 3", ("x",))])[0]) == [3]


def test_an_unknown_layer_or_no_worker_is_a_mistake():
    with pytest.raises(ValueError, match="no layer 'chroot'; there are limits, namespaces, landlock, seccomp"):
        Sandbox(require=("chroot",))
    with pytest.raises(ValueError, match="at least one worker"):
        Sandbox(workers=0)


@pytest.mark.parametrize(
    "limit", [{"files": 3}, {"cpu_s": 0.0}, {"wall_s": float("inf")}, {"timeouts": 0}, {"processes": -1}]
)
def test_a_limit_that_is_none_is_named(sandbox, limit):
    (name,) = limit
    job = Calls("x = 1", ("x",), Limits(**limit))
    with pytest.raises(ConfigError, match=rf"Limits\.{name} is .*; accepted is a number from"):
        sandbox.run([job])


def test_a_missing_layer_that_is_required_stops_everything():
    with Sandbox(workers=1, without=("seccomp",), require=("seccomp",)) as sandbox:
        job = Calls("x = 1", ("x",))
        with pytest.raises(ConfigError, match="lacks what is required of it here: seccomp: not asked for"):
            sandbox.check()
        with pytest.raises(ConfigError, match="lacks what is required of it here: seccomp: not asked for"):
            sandbox.run([job])


def test_a_bug_of_ours_is_not_the_answers_fault(monkeypatch):
    from guerdon.sandbox import servers

    boot = "import sys; sys.path.append(sys.argv[1]); import guerdon.sandbox.serve as s; s._Server.run = None; s.main()"
    monkeypatch.setattr(servers, "_BOOT", boot)
    with Sandbox(workers=1) as sandbox:
        [[outcome]] = sandbox.run([Calls("x = 1", ("x",))])
    assert outcome.status == "infra"
    assert "TypeError: 'NoneType' object is not callable" in outcome.error


def test_every_outcome_says_what_confined_it(sandbox):
    [[outcome]] = sandbox.run([Calls("x = 1", ("x",))])
    assert outcome.layers == sandbox.layers.on
    with Sandbox(workers=1, without=("namespaces", "landlock", "seccomp", "cgroups")) as bare:
        assert bare.layers.on == ("limits",)
        [[outcome]] = bare.run([Calls("x = 1", ("x",))])
    assert (outcome.value, outcome.layers) == (1, ("limits",))


def test_nothing_runs_where_a_required_layer_is_missing(tmp_path):
    bare = ("namespaces", "landlock", "seccomp", "cgroups")
    mark = Calls(f"open({str(tmp_path / 'ran')!r}, 'w').close()", ("1",))
    with Sandbox(workers=1, without=bare) as allowed:
        allowed.run([mark])
    assert (tmp_path / "ran").exists()  # so it would have shown
    (tmp_path / "ran").unlink()
    with Sandbox(workers=1, without=bare, require=("landlock",)) as refused:
        with pytest.raises(ConfigError, match="landlock: not asked for"):
            refused.run([mark])
        time.sleep(0.5)
    assert not (tmp_path / "ran").exists()


def test_outcomes_are_handed_over_as_they_come_to_each_who_asked():
    seen = []
    with Sandbox(workers=1) as sandbox:
        same = Calls("x = 1", ("x",))
        sandbox.run_each([same, Calls("", ("2",)), same], lambda place, got: seen.append((place, got[0].value)))
    assert sorted(seen) == [(0, 1), (1, 2), (2, 1)]


def test_what_a_visitor_raises_is_raised_and_the_sandbox_stays_of_use():
    def visit(place, outcomes):
        raise ValueError("mine")

    with Sandbox(workers=1) as sandbox:
        with pytest.raises(ValueError, match="mine"):
            sandbox.run_each([Calls("", ("1",))] * 3, visit)
        assert sandbox.run([Calls("", ("2",))])[0][0].value == 2


def test_the_environment_can_require_layers(monkeypatch):
    from guerdon.sandbox import pool

    monkeypatch.setattr(pool, "_DEFAULT", None)
    monkeypatch.setenv("GUERDON_SANDBOX_REQUIRE", "landlock, seccomp")
    assert pool.default_sandbox().require == ("landlock", "seccomp")
    monkeypatch.setattr(pool, "_DEFAULT", None)
    monkeypatch.setenv("GUERDON_SANDBOX_REQUIRE", "chroot landlock")
    with pytest.raises(ConfigError, match="GUERDON_SANDBOX_REQUIRE has 'chroot'; accepted are limits, namespaces"):
        pool.default_sandbox()


def test_the_environment_can_say_how_many_servers_there_are(monkeypatch):
    from guerdon.sandbox import pool

    monkeypatch.setattr(pool, "_DEFAULT", None)
    monkeypatch.setenv("GUERDON_SANDBOX_WORKERS", "1")
    assert pool.default_sandbox().workers == 1
    monkeypatch.setattr(pool, "_DEFAULT", None)
    monkeypatch.setenv("GUERDON_SANDBOX_WORKERS", "none")
    with pytest.raises(ConfigError, match="GUERDON_SANDBOX_WORKERS is 'none'; a number of servers >= 1 is needed"):
        pool.default_sandbox()


def test_nothing_of_it_is_left_behind(tmp_path):
    """Processes, folders and descriptors, after a sandbox is closed and after its owner is killed."""
    program = (
        "import sys, time\nfrom guerdon.sandbox import *\nsandbox = Sandbox(workers=2)\n"
        "sandbox.run([Calls(f'x = {n}', ('x',)) for n in range(4)])\n"
        "print(*(server.process.pid for server in sandbox._pool), flush=True)\ntime.sleep(60)"
    )
    owner = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    servers = [int(pid) for pid in owner.stdout.readline().split()]
    owner.kill()
    owner.wait()
    end = time.monotonic() + 5.0
    while any(Path(f"/proc/{pid}").exists() for pid in servers) and time.monotonic() < end:
        time.sleep(0.02)
    assert not any(Path(f"/proc/{pid}").exists() for pid in servers)

    before = len(os.listdir("/proc/self/fd"))
    with Sandbox(workers=1) as sandbox:
        sandbox.run([Calls("x = 1", ("x",))])
        folder = sandbox._pool[0].folder
    assert not Path(folder).exists()
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    ("early", "late"),
    [
        pytest.param(200, 1_000, marks=pytest.mark.slow),
        pytest.param(2_000, 10_000, marks=pytest.mark.claim),
    ],
)
def test_answer_after_answer_nothing_grows(sandbox, early, late):
    """Descriptors and memory of us and of the server, after the first few hundred or thousand and after all."""

    def held():
        server = sandbox._pool[0].process.pid
        inner = subprocess.run(["pgrep", "-P", str(server)], capture_output=True, text=True).stdout.split()
        pages = [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in ("self", server, *inner)]
        return len(os.listdir("/proc/self/fd")), len(inner), pages

    job = [Calls("def f(x): return [x] * 9", ("f(1)",))]
    for _ in range(early):
        sandbox.run(job)
    before = held()
    for _ in range(late - early):
        sandbox.run(job)
    after = held()
    assert after[:2] == before[:2]
    assert all(then <= once + 256 for once, then in zip(before[2], after[2], strict=True))  # a megabyte


def test_an_answer_is_compiled_as_if_it_stood_alone(sandbox):
    """This package's own `from __future__ import annotations` would hide that List is missing."""
    [[missing], [kind]] = sandbox.run(
        [
            Calls("def f(x: List[int]): return 1", ("f(1)",)),
            Calls("def f(x: int): return f.__annotations__['x'] is int", ("f(1)",)),
        ]
    )
    assert (missing.status, missing.error) == ("fail", "NameError: name 'List' is not defined (line 1)")
    assert kind.value is True


@pytest.mark.parametrize(
    "code",
    [
        "out = open(1, 'w')\nout.write('done')",
        "import os\nout = os.fdopen(1, 'w')\nout.write('done')",
        "import io, sys\nprint('done', end='')\nsys.stdout = io.StringIO()",
        "import sys\nprint('done', end='')\nsys.stdout.close()",
        "import atexit, io, sys\nout = sys.stdout = io.StringIO()\n"
        "atexit.register(lambda: sys.__stdout__.write(out.getvalue()))\nprint('done', end='')",
    ],
    ids=["opened", "another", "replaced", "closed", "at the end"],
)
def test_what_was_not_flushed_is_written_at_the_end_as_python_does(sandbox, code):
    """Each writes `done` when run by `python FILE`."""
    [[outcome]] = sandbox.run([Programs(code, ("",))])
    assert (outcome.status, outcome.value) == ("ok", b"done")
