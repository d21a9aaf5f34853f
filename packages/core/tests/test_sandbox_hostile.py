"""Programs that mean harm: every hack and failure of the fact sheet, and none of them gets what it wants.

Two kinds of promises. Where rule one is enough (no expected value is inside, no verdict comes out), the layers do not
matter. What confines a program is tested where the machine has the layer that does it, and skipped with the reason.
"""

import importlib.util
import os
import signal
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
        "[(os.mkdir('d'), os.chdir('d')) for _ in range(2_500)]",
        "os.chmod('.', 0)",
    ],
    ids=["nested", "deep", "closed"],
)
def test_what_is_left_in_the_folder_troubles_nobody(sandbox, left):
    """It goes, and is no fault of ours: an answer cannot choose `infra`."""
    body = f"import os\ndef f(x):\n    left = os.listdir()\n    {left}\n    return left"
    assert [call(sandbox, body).value, call(sandbox, f"{body}  # again").value] == [[], []]


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
    """Not the server (its parent), not us, not everybody."""
    layered("namespaces")
    us = os.getpid()
    for target in ("os.getppid()", "1", str(us)):
        assert tried(sandbox, f"os.kill({target}, 9)") in ("PermissionError", "ProcessLookupError")
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
    states = [
        Path(entry, "stat").read_text().rpartition(")")[2].split()[0]
        for entry in Path("/proc").glob("[0-9]*")
        if str(sandbox._pool[0].process.pid) == Path(entry, "stat").read_text().rpartition(")")[2].split()[1]
    ]
    assert "Z" not in states
