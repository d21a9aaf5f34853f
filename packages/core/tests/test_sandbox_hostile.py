"""Programs that mean harm: every hack and failure of the fact sheet, and none of them gets what it wants.

Two kinds of promises. Where rule one is enough (no expected value is inside, no verdict comes out), the layers do not
matter. What confines a program is tested where the machine has the layer that does it, and skipped with the reason.
"""

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon.sandbox import Call, Calls, Equality, Limits, Programs, Sandbox

_spec = importlib.util.spec_from_file_location("hostile_programs", Path(__file__).with_name("hostile_programs.py"))
hostile_programs = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(hostile_programs)
BOMBS, CHEATS = hostile_programs.BOMBS, hostile_programs.CHEATS

TIGHT = Limits(cpu_s=0.3, wall_s=3.0, memory_bytes=128 * 2**20)
same = Equality()


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(workers=1, limits=TIGHT) as made:
        yield made


@pytest.fixture
def layered(sandbox):
    """Skip where a layer is missing."""

    def need(*layers):
        for layer in layers:
            if layer in sandbox.layers.missing:
                pytest.skip(f"no {layer} here: {sandbox.layers.missing[layer]}")

    return need


def call(sandbox, body, argument=1):
    [[outcome]] = sandbox.run([Calls(body, (Call("f", (argument,)),))])
    return outcome


def tried(sandbox, statement, imports="os"):
    """What became of a statement inside: `did it`, or the error's name."""
    body = f"import {imports}\ndef f(_):\n    try:\n        {statement}\n    except Exception as error:\n"
    return call(sandbox, f"{body}        return type(error).__name__\n    return 'did it'").value


# -- to be taken for right ---------------------------------------------------------------------------------------------

EXPECTED = "the expected value, which is nowhere inside"


@pytest.mark.parametrize("code", CHEATS.values(), ids=CHEATS)
def test_a_cheat_is_not_taken_for_right(sandbox, code):
    outcome = call(sandbox, code)
    assert not (outcome.ok and same(outcome.value, EXPECTED))
    if outcome.ok:  # what came out is plain, and not what was expected
        assert outcome.value in (None, True, 0, 1, "no", ["n", "o"], [])
    assert call(sandbox, "def f(x): return x + 1").value == 2  # and the next answer finds all in order


def test_a_program_that_writes_nothing_equals_no_output_and_one_that_fails_does_not(sandbox):
    quiet, raising, exiting = sandbox.run([Programs(code, ("",)) for code in ("pass", "1 / 0", "exit(1)")])
    assert (quiet[0].status, quiet[0].value) == ("ok", b"")
    assert [raising[0].status, exiting[0].status] == ["fail", "fail"]
    assert raising[0].value is None


@settings(max_examples=60, deadline=None)
@given(code=st.one_of(st.text(max_size=200), st.binary(max_size=80).map(lambda raw: raw.decode("latin-1"))))
def test_any_text_has_an_outcome(sandbox, code):
    calls, programs = sandbox.run([Calls(code, ("f(1)",)), Programs(code, (code,))])
    assert calls[0].status in ("ok", "fail", "timeout", "rejected", "truncated")
    assert programs[0].status in ("ok", "fail", "timeout", "truncated")


# -- to use up what there is -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("code", "ends"), BOMBS.values(), ids=BOMBS)
def test_a_bomb_ends_by_its_limits(sandbox, code, ends):
    began = time.monotonic()
    assert call(sandbox, code).status in ends
    assert time.monotonic() - began < 2.5
    assert call(sandbox, "def f(x): return x + 1").value == 2


def test_a_gigabyte_of_output_is_cut(sandbox):
    code = "import sys\nfor _ in range(1000): sys.{}.write('x' * 10**6)"
    for stream in ("stdout", "stderr"):
        [[outcome]] = sandbox.run([Programs(code.format(stream), ("",))])
        assert (outcome.status, outcome.error) == ("truncated", "more than 1,048,576 bytes of output")


def test_a_bomb_of_threads_ends_by_memory(sandbox):
    code = (
        "import threading, time\n"
        "def f(x):\n"
        "    for _ in range(10**5): threading.Thread(target=time.sleep, args=(9,), daemon=True).start()"
    )
    assert call(sandbox, code).status in ("fail", "timeout")


def test_files_are_bounded_in_size_and_number(sandbox, layered):
    layered("namespaces")
    assert tried(sandbox, "open('big', 'wb').write(bytes(2 * 10**6))") == "OSError"
    assert tried(sandbox, "[open(f'f{n}', 'w').close() for n in range(10**4)]") == "OSError"
    assert (
        tried(sandbox, "[open(os.devnull) for n in range(100)] and None or [os.open('.', 0) for n in range(100)]")
        == "OSError"
    )


def test_a_file_is_not_there_for_the_next_answer(sandbox):
    body = (
        "import os\n"
        "def f(x):\n"
        "    left = os.listdir()\n"
        "    os.makedirs('a/b')\n"
        "    os.symlink('/etc', 'a/c')\n"
        "    open('d', 'w').close()\n"
        "    os.chmod('a', 0)\n"
        "    return left"
    )
    assert [call(sandbox, body).value, call(sandbox, f"{body}  # again").value] == [[], []]


@pytest.mark.parametrize(
    "left",
    [
        "os.makedirs('a/b/c'); os.chmod('a/b', 0)",
        "[(os.mkdir('d'), os.chdir('d')) for _ in range(1_200)]",
        "os.chmod('.', 0)",
    ],
    ids=["nested", "deep", "closed"],
)
def test_what_is_left_in_the_folder_troubles_nobody(sandbox, left):
    """It goes, and is no fault of ours: an answer cannot choose `infra`."""
    body = f"import os\ndef f(x):\n    left = os.listdir()\n    {left}\n    return left"
    for code in (body, f"{body}  # again"):
        [[outcome]] = sandbox.run([Calls(code, ("f(1)",))], Limits(cpu_s=3.0))  # 1,200 folders take a while
        assert outcome.value == []


def test_a_run_cannot_choose_what_the_next_run_of_the_program_is(sandbox):
    """The first run keeps its compiled code for the others, on a descriptor that is closed before the code runs."""
    code = "import os\ntry:\n    os.write(3, b'x')\n    print('open')\nexcept OSError:\n    print('closed')"
    [outcomes] = sandbox.run([Programs(code, ("", "", ""))])
    assert [outcome.value for outcome in outcomes] == [b"closed\n"] * 3


# -- to get out -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "how",
    [
        "os.fork()",
        "subprocess.run(['true'])",
        "os.posix_spawn('/bin/true', ['true'], {})",
        "os.system('true') and 1 / 0",
    ],
)
def test_no_further_process_starts(sandbox, layered, how):
    layered("seccomp")
    assert tried(sandbox, how, "os, subprocess") in ("PermissionError", "ZeroDivisionError")


def test_processes_that_are_allowed_are_few_and_do_not_outlive_the_answer(layered):
    """A fork bomb, and a daemon."""
    with Sandbox(workers=1, limits=Limits(cpu_s=0.5, wall_s=2.0, processes=4)) as sandbox:
        if "namespaces" in sandbox.layers.missing:
            pytest.skip("without namespaces a daemon is ended with its process group alone")
        assert tried(sandbox, "subprocess.run(['/bin/true'], check=True)", "subprocess") == "did it"
        bomb = "import os\ndef f(x):\n    while True:\n        try: os.fork()\n        except OSError: pass"
        assert call(sandbox, bomb).status in ("timeout", "fail")
        daemon = (
            "import os, time\n"
            "def f(x):\n"
            "    if os.fork() == 0:\n"
            "        os.setsid()\n"
            "        time.sleep(60)\n"
            "    return 1"
        )
        assert call(sandbox, daemon).value == 1
        count = (
            "import os\n"
            "def f(x): return [p for p in range(2, 5000) if p != os.getpid() and alive(p)]\n"
            "def alive(p):\n"
            "    try: os.kill(p, 0)\n"
            "    except ProcessLookupError: return False\n"
            "    except PermissionError: pass\n"
            "    return True"
        )
        assert call(sandbox, count).value == []


def test_the_network_is_out_of_reach(sandbox, layered):
    layered("seccomp")
    for family in ("AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK"):
        assert tried(sandbox, f"socket.socket(socket.{family}, socket.SOCK_DGRAM)", "socket") == "PermissionError"


def test_without_seccomp_there_is_still_no_network_to_reach():
    with Sandbox(workers=1, limits=TIGHT, without=("seccomp", "landlock")) as sandbox:
        if "namespaces" in sandbox.layers.missing:
            pytest.skip(f"no namespaces here: {sandbox.layers.missing['namespaces']}")
        assert tried(sandbox, "socket.create_connection(('127.0.0.1', 9), 1)", "socket") == "OSError"


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "/root",
        "/home",
        "/proc/1/environ",
        "/proc/self/mem",
        "/proc/self/cmdline",
        "/sys",
        "/tmp",
        "/var",
    ],
)
def test_what_is_not_pythons_cannot_be_read(sandbox, layered, path):
    layered("landlock")
    assert (
        tried(sandbox, f"os.listdir({path!r}) if os.path.isdir({path!r}) else open({path!r}, 'rb').read(1)")
        == "PermissionError"
    )


def test_a_link_leads_nowhere_either(sandbox, layered):
    layered("landlock")
    assert tried(sandbox, "os.symlink('/etc/passwd', 'l'); open('l').read()") == "PermissionError"
    assert tried(sandbox, "os.chdir('/'); open('etc/passwd').read()") == "PermissionError"
    assert tried(sandbox, "os.link('/etc/passwd', 'h')") in ("PermissionError", "OSError")
    assert tried(sandbox, "open('/proc/self/root/etc/passwd').read()") == "PermissionError"


@pytest.mark.parametrize("without", ["landlock", "namespaces"])
def test_either_of_two_layers_keeps_it_from_writing_outside(tmp_path, without):
    with Sandbox(workers=1, limits=TIGHT, without=(without,)) as sandbox:
        if sandbox.layers.missing.keys() - {without}:
            pytest.skip(f"not here: {sandbox.layers.missing}")
        assert tried(sandbox, f"open({str(tmp_path / 'planted')!r}, 'w')") in ("PermissionError", "OSError")
        assert tried(sandbox, "open('inside', 'w')") == "did it"
    assert list(tmp_path.iterdir()) == []


def test_nobody_outside_can_be_signalled(sandbox, layered):
    """Not us, not everybody; nor the server (its parent), where at most nothing comes of it."""
    layered("namespaces")
    server = sandbox._pool[0].process.pid
    assert tried(sandbox, f"os.kill({os.getpid()}, 9)") in ("PermissionError", "ProcessLookupError")
    for target in ("os.getppid()", "1"):
        assert tried(sandbox, f"os.kill({target}, 9)") in ("PermissionError", "did it")
    assert sandbox._pool[0].process.pid == server
    assert call(sandbox, f"import os\ndef f(x):\n    os.kill(-1, {signal.SIGKILL.value})").status == "fail"
    assert call(sandbox, "def f(x): return x").value == 1


@pytest.mark.parametrize(
    "name",
    [
        "ptrace",
        "process_vm_readv",
        "mount",
        "umount2",
        "unshare",
        "setns",
        "chroot",
        "pivot_root",
        "syslog",
        "setdomainname",
    ],
)
def test_the_kernels_own_machinery_is_refused(sandbox, layered, name):
    layered("seccomp")
    body = (
        f"import ctypes, errno\n"
        f"def f(x):\n"
        f"    libc = ctypes.CDLL(None, use_errno=True)\n"
        f"    got = libc.{name}(0, 0, 0, 0, 0, 0) if {name!r} != 'syslog' else libc.klogctl(3, 0, 0)\n"
        f"    return got, ctypes.get_errno()"
    )
    assert call(sandbox, body).value == (-1, 1)


def test_nothing_of_ours_is_inside(sandbox, monkeypatch):
    """Neither what our environment says nor what we have open."""
    monkeypatch.setenv("SECRET", "planted")
    with Sandbox(workers=1, limits=TIGHT) as fresh:
        assert "SECRET" not in call(fresh, "import os\ndef f(x): return dict(os.environ)").value
        open_ones = (
            "import os\n"
            "def f(x):\n"
            "    found = []\n"
            "    for number in range(256):\n"
            "        try: os.fstat(number)\n"
            "        except OSError: continue\n"
            "        found.append(number)\n"
            "    return found"
        )
        assert call(fresh, open_ones).value == [0, 1, 2, 3]


def test_a_server_that_is_ended_is_replaced_and_the_answer_tried_again(sandbox):
    sandbox.run([Calls("x = 1", ("x",))])
    os.kill(sandbox._pool[0].process.pid, signal.SIGKILL)
    [[outcome]] = sandbox.run([Calls("x = 2", ("x",))])
    assert outcome.value == 2


def test_no_zombie_is_left(sandbox):
    for _ in range(5):
        call(sandbox, "import os\ndef f(x): os._exit(3)")
    ours = {str(os.getpid()), str(sandbox._pool[0].process.pid)}
    states = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # others come and go
            state, parent = entry.read_text().rpartition(")")[2].split()[:2]
            states += [state] if parent in ours else []
    assert states
    assert "Z" not in states


# -- not to be judged --------------------------------------------------------------------------------------------------

UNTIDY = {
    "closed": "os.chmod('.', 0)",
    "closed within": "os.makedirs('a/b/c'); os.chmod('a/b', 0); os.chmod('a', 0)",
    "deep": "[(os.mkdir('d'), os.chdir('d')) for _ in range(2000)]",
    "wide, with odd names": r"[open(b'\xff\n' + str(n).encode(), 'w').close() for n in range(4000)]",
    "long names": "[os.makedirs('n' * 255 + '/' + 'm' * 255 + '/' + 'o' * n) for n in range(1, 255)]",
    "links": "os.symlink('/', 'root'); os.symlink('.', 'here'); open('f', 'w').close(); os.link('f', 'g')",
    "a pipe": "os.mkfifo('pipe'); os.mkfifo('d')",
    "a time": "os.utime('.', (77, 77))",
}


@pytest.mark.parametrize("mess", UNTIDY.values(), ids=UNTIDY)
def test_however_an_answer_leaves_its_folder_the_next_finds_it_new(mess):
    """A folder that could not be emptied would have ended the server, and the answer's reward with it."""
    look = "import os\ndef f(x): return os.listdir(), oct(os.stat('.').st_mode & 0o777), os.stat('.').st_mtime"
    with Sandbox(workers=1, limits=Limits(cpu_s=2.0, wall_s=5.0)) as sandbox:
        made = f"import os\ntry: {mess}\nexcept OSError: pass\ndef f(x): return x"
        assert [call(sandbox, made).value, call(sandbox, look).value] == [1, ([], "0o700", 0.0)]


FORGED = {
    "the exit status of what cannot be confined": "import os\ndef f(x): os._exit(113)",
    "a folder the next child cannot enter": "import os\ndef f(x):\n    os.chmod('.', 0)\n    os._exit(0)",
    "runnable when its time is up": "import time\ndef f(x):\n    time.sleep(0.9)\n    while True: pass",
    "runnable now and then": "import time\ndef f(x):\n    while True: time.sleep(0.004) or sum(range(9000))",
    "a full pipe": "import os\ndef f(x): os.write(3, b'\\4\\0\\0\\0' * 9); os._exit(0)",
}


@pytest.mark.parametrize("code", FORGED.values(), ids=FORGED)
def test_an_answer_cannot_choose_not_to_be_judged(sandbox, code):
    job = Calls(code, ("f(1)", "f(2)"), Limits(cpu_s=0.5, wall_s=1.0))
    assert "infra" not in [outcome.status for outcome in sandbox.run([job])[0]]


def test_a_program_that_never_got_the_processor_is_not_judged():
    """Ours on one core, with sixteen others that want all of it."""
    core = min(os.sched_getaffinity(0))
    spin = f"import os\nos.sched_setaffinity(0, [{core}])\nwhile True: pass"
    others = [subprocess.Popen([sys.executable, "-S", "-c", spin], start_new_session=True) for _ in range(16)]
    try:
        with Sandbox(workers=1, limits=Limits(cpu_s=1.0, wall_s=1.0)) as sandbox:
            assert call(sandbox, "def f(x): return x").value == 1
            if not Path("/proc/self/schedstat").exists():
                pytest.skip("this kernel does not count how long a process waits for the processor")
            hog = f"import os\nos.sched_setaffinity(0, [{core}])\ndef f(x):\n    while True: pass"
            outcome = call(sandbox, hog)
            assert (outcome.status, outcome.error) == ("infra", "the program did not get the processor")
    finally:
        for other in others:
            other.kill()
            other.wait()


# -- to leave something for the next -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE, (3, 3))",
        "resource.prlimit(os.getppid(), resource.RLIMIT_DATA, (1, 1))",
        "os.sched_setaffinity(os.getppid(), {0})",
        "os.sched_setparam(os.getppid(), os.sched_param(0))",
        "os.setxattr('.', 'user.left', b'here')",
    ],
)
def test_the_servers_limits_and_the_folders_attributes_cannot_be_changed(sandbox, layered, statement):
    layered("seccomp")
    assert tried(sandbox, statement, "os, resource") == "PermissionError"


def test_its_own_limits_and_cores_are_a_programs_to_choose(sandbox):
    own = "resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20)); os.sched_setaffinity(0, os.sched_getaffinity(0))"
    assert tried(sandbox, own, "os, resource") == "did it"


@pytest.mark.parametrize("name", ["shmget", "semget", "msgget", "mq_open"])
def test_no_memory_outlives_a_process(sandbox, layered, name):
    layered("seccomp")
    first = "b'/left'" if name == "mq_open" else "77"
    body = (
        "import ctypes\ndef f(x):\n    libc = ctypes.CDLL(None, use_errno=True)\n"
        f"    return libc.{name}({first}, 0o1666, 0o1666, 0), ctypes.get_errno()"
    )
    assert call(sandbox, body).value == (-1, 1)


def test_the_next_answer_is_not_read_ahead(sandbox):
    """Both jobs travel at once; what the server had in a buffer, a child would have too."""
    look = (
        "import sys\n"
        "def f(x):\n"
        "    frame = sys._getframe()\n"
        "    while 'source' not in frame.f_locals: frame = frame.f_back\n"
        "    return hasattr(frame.f_locals['source'], 'peek')"
    )
    [[looked], [other]] = sandbox.run([Calls(look, ("f(1)",)), Calls("answer = 'another'", ("answer",))])
    assert (looked.value, other.value) == (False, "another")


@pytest.mark.parametrize("without", [(), ("landlock",), ("namespaces",), ("namespaces", "landlock")])
def test_the_servers_memory_is_out_of_reach_whatever_is_missing(without):
    with Sandbox(workers=1, limits=TIGHT, without=without) as sandbox:
        assert tried(sandbox, "open(f'/proc/{os.getppid()}/mem', 'rb')") == "PermissionError"
        assert tried(sandbox, "open(f'/proc/{os.getppid()}/environ')") == "PermissionError"


@pytest.mark.parametrize("knob", ["1/oom_score_adj", "1/autogroup", "1/coredump_filter", "sys/kernel/shmmax"])
def test_the_kernels_knobs_cannot_be_turned(knob):
    with Sandbox(workers=1, limits=TIGHT, without=("landlock",)) as sandbox:
        if "own /proc" not in sandbox.layers.details.get("namespaces", ""):
            pytest.skip("no /proc of its own here")
        assert tried(sandbox, f"open('/proc/{knob}', 'w').write('5')") in ("OSError", "PermissionError")


def test_there_are_no_privileges_to_use_whatever_is_missing():
    look = "def f(x): return [l.split()[1] for l in open('/proc/self/status') if l.startswith(('CapEff', 'CapPrm'))]"
    with Sandbox(workers=1, limits=TIGHT, without=("namespaces", "landlock")) as sandbox:
        assert call(sandbox, look).value == ["0" * 16] * 2


def test_the_server_takes_no_signal_of_an_answers(sandbox, layered):
    layered("namespaces")
    with Sandbox(workers=1, limits=TIGHT, without=("landlock",)) as bare:
        server = bare.layers and bare._pool[0].process.pid
        for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
            call(bare, f"import os\ndef f(x): os.kill(1, {number.value})")
        assert bare._pool[0].process.pid == server


# -- to read what helps ------------------------------------------------------------------------------------------------


def test_installed_packages_cannot_be_read_and_all_of_python_can(sandbox, layered):
    """Data sets are installed as packages, with their references and tests."""
    layered("landlock")
    found = [Path(path) for path in (pytest.__file__, os.__file__)]
    found += list(Path(os.__file__).parent.glob("*-packages/*/*.py"))[:1]
    packages = [path for path in found if path.parent.name != Path(os.__file__).parent.name]
    for path in packages:
        assert tried(sandbox, f"open({str(path)!r})") == "PermissionError"
    assert tried(sandbox, f"open({os.__file__!r}); os.listdir(os.path.dirname(os.__file__))") == "did it"
    uncommon = "import sqlite3, ssl, ctypes, xml.dom.minidom, zoneinfo, lzma\ndef f(x): return x"
    assert call(sandbox, uncommon).value == 1


# -- to be too much for us ---------------------------------------------------------------------------------------------


def test_a_set_of_colliding_numbers_is_not_built_here(sandbox):
    """Forty thousand multiples of 2**61 - 1 have one hash: half a minute for whoever makes a set of them."""
    code = (
        "import os\n"
        "body = b'v[\"s\",' + b','.join(str(n * (2**61 - 1)).encode() for n in range(40000)) + b']'\n"
        "def f(x):\n"
        "    left = len(body).to_bytes(4, 'little') + body\n"
        "    while left: left = left[os.write(3, left):]\n"
        "    os._exit(0)"
    )
    began = time.monotonic()
    outcome = call(sandbox, code)
    assert (outcome.status, "one hash" in outcome.error) == ("fail", True)
    assert time.monotonic() - began < 2.0


def test_all_that_an_answer_gives_is_bounded_too(sandbox):
    [outcomes] = sandbox.run([Calls("def f(x): return 'x' * 10**6", ("f(1)",) * 20)])
    assert [outcome.status for outcome in outcomes] == ["ok"] * 16 + ["truncated"] * 4


def test_a_value_as_deep_as_may_be_can_be_an_argument(sandbox):
    nest = "def f(x):\n    for _ in range(199): x = [x]\n    return x"
    deep = call(sandbox, nest).value
    assert call(sandbox, "def f(x): return x", deep).value == deep
