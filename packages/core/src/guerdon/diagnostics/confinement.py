"""What `guerdon doctor` shows of the sandbox: each layer that confines a program, put to the test on this machine.

A layer is `ok` if a program made to get past it was stopped there, with the other layers off where they would stop it
too. What they hold against is tested at length by core's own tests; what they promise stands in SECURITY.md.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from guerdon.diagnostics.findings import Finding
from guerdon.errors import SandboxError
from guerdon.sandbox import Calls, Limits, Sandbox
from guerdon.sandbox.confine import LAYERS
from guerdon.sandbox.limits import Outcome

_LIMITS = Limits(cpu_s=0.3, wall_s=20.0, memory_bytes=64 * 2**20)
HELP = """
def tries(*steps):
    try:
        for step in steps: step()
    except Exception as error:
        return type(error).__name__
    return 'did it'

def loop():
    while True: pass

def hold(processes, size):
    import os
    asked, told = os.pipe(), os.pipe()
    for _ in range(processes):
        if not os.fork():
            os.close(asked[1])
            kept = bytearray(size)
            kept[::4096] = b"x" * len(kept[::4096])
            os.write(told[1], b"x")
            os.close(told[1])
            os.read(asked[0], 1)
            os._exit(0)
    os.close(told[1])
    while os.read(told[0], processes): pass
    os.close(asked[1])
    return sum(os.wait()[1] == 0 for _ in range(processes))
"""
"""What the programs made to get past a layer are made of."""
_HOLDERS = 12
_ADVICE = "see SECURITY.md for what is not promised without it"


def sandbox() -> Iterator[Finding]:
    """One finding per layer; about two seconds."""
    with Sandbox(workers=1, limits=_LIMITS) as whole:
        try:
            layers = whole.layers
        except SandboxError as error:
            yield Finding("sandbox", str(error), "problem", "programs cannot be scored on this machine")
            return
    for name in LAYERS:
        if name in layers.missing:
            yield Finding(f"sandbox: {name}", layers.missing[name], "absent", _ADVICE)
            continue
        found, stopped = _PROBES[name](tuple(other for other in LAYERS if other not in (name, "limits")))
        said = f"{found} ({layers.details[name]})" if name in layers.details else found
        if stopped:
            yield Finding(f"sandbox: {name}", said)
        else:
            yield Finding(f"sandbox: {name}", f"not so: {said}", "problem", "do not score programs on this machine")


def _limits(others: Sequence[str]) -> tuple[str, bool]:
    loop, memory = _tried("loop()", others), _tried("len(bytes(10**9))", others)
    return (
        f"an endless loop ended after {loop.cpu_s:.2f} processor seconds, a gigabyte was refused",
        loop.status == "timeout" and memory.status == "fail",
    )


def _namespaces(others: Sequence[str]) -> tuple[str, bool]:
    with tempfile.TemporaryDirectory(prefix="guerdon-doctor-") as folder:
        path = Path(folder) / "planted"
        wrote = _tried(f"tries(lambda: open({str(path)!r}, 'w'))", others)
        connected = _tried("tries(lambda: __import__('socket').create_connection(('192.0.2.1', 9), 1))", others)
        alone = _tried("__import__('os').getppid()", others)
        kept = not path.exists() and wrote.value == "OSError" and connected.value == "OSError" and alone.value == 1
    return "no file outside is written, no network is there, no process outside is seen", kept


def _landlock(others: Sequence[str]) -> tuple[str, bool]:
    read = _tried("tries(lambda: open('/etc/passwd'))", others)
    own = _tried("tries(lambda: open('inside', 'w').close(), lambda: __import__('colorsys'))", others)
    kept = read.value == "PermissionError" and own.value == "did it"
    return "/etc/passwd cannot be read, Python's own modules and the folder can", kept


def _seccomp(others: Sequence[str]) -> tuple[str, bool]:
    refused = [
        _tried(f"tries(lambda: {step})", others).value
        for step in ("__import__('os').fork()", "__import__('socket').socket()")
    ]
    return "a further process and a socket are refused", refused == ["PermissionError"] * 2


def _cgroups(others: Sequence[str]) -> tuple[str, bool]:
    several = Limits(cpu_s=20.0, wall_s=60.0, memory_bytes=64 * 2**20, processes=_HOLDERS)
    held = _tried(f"hold({_HOLDERS}, {48 * 2**20})", others, several)
    kept = held.status != "infra" and not (held.status == "ok" and held.value == _HOLDERS)
    return f"{_HOLDERS} processes do not get 48 MiB each", kept


def _tried(expression: str, without: Sequence[str], limits: Limits = _LIMITS) -> Outcome:
    with Sandbox(workers=1, limits=limits, without=without) as one:
        return one.run([Calls(HELP, (expression,))])[0][0]


_PROBES = {
    "limits": _limits,
    "namespaces": _namespaces,
    "landlock": _landlock,
    "seccomp": _seccomp,
    "cgroups": _cgroups,
}
