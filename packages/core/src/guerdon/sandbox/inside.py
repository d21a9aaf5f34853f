"""What happens in the child that runs an answer, once it is confined. Standard library only.

Nothing here need be trusted: it shares its memory with the answer, which may rewrite all of it. All it could forge is
the *value* of a case, and those are compared elsewhere, with what was never here.
"""

from __future__ import annotations

import atexit
import builtins
import contextlib
import gc
import marshal
import os
import random
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from types import CodeType, ModuleType
from typing import Any

from guerdon.sandbox.wire import HEADER, Untransferable, pack, unpack

LOADED, VALUE, ERROR, ODD = b"l", b"v", b"e", b"r"
"""First byte of a record: the code is loaded; the case's value; it raised (or the code did not load); its value is of a
type that cannot leave."""
NAME = "answer"
"""Of the module that an answer is, and of its file in tracebacks."""
_ERROR_CHARS = 500


def get_ready() -> None:
    """What is the same in every child, done once, in the server."""
    vars(builtins).update(exit=sys.exit, quit=sys.exit)  # as `site` would, which is not imported
    sys.argv = [NAME]
    random.seed(0)  # the same answer is to do the same: see `_LIBRARY` in the server


def record(kind: bytes, text: str = "") -> bytes:
    """One record of the private pipe."""
    body = kind + text.encode("utf-8", "backslashreplace")
    return HEADER.pack(len(body)) + body


def answer_calls(code: str, cases: Sequence[Any], pipe: int) -> None:
    """Load the code, then write one record per case."""
    module = _module(NAME)
    sys.modules["__main__"] = module  # who asks for it is not to find ours
    try:
        exec(_compiled(code, NAME, "exec"), module.__dict__)
    except BaseException as error:  # noqa: BLE001 - whatever untrusted code raises is what it came to
        _write(pipe, record(ERROR, told(error)))
        return
    _write(pipe, record(LOADED))
    for case in cases:
        try:
            reply = record(VALUE, pack(_call(case, module.__dict__)))
        except Untransferable as error:
            reply = record(ODD, str(error))
        except BaseException as error:  # noqa: BLE001 - as above
            reply = record(ERROR, told(error))
        _write(pipe, reply)


def _call(case: Any, names: dict[str, Any]) -> Any:
    if isinstance(case, str):
        return _value_of(case, names)
    function, args, kwargs = case
    found: Callable[..., Any] = names[function] if function in names else _value_of(function, names)
    return found(*map(unpack, args), **{name: unpack(value) for name, value in kwargs.items()})


def _value_of(expression: str, names: dict[str, Any]) -> Any:
    return eval(_compiled(expression, "case", "eval"), names)  # in here, on purpose


def _compiled(code: str, name: str, mode: str) -> CodeType:
    return compile(code, f"<{name}>", mode, dont_inherit=True)  # or this file's __future__ would be the answer's too


def run_program(code: str, compiled: bytes = b"", keep: int = -1) -> int:
    """Run the code as `python FILE` would, and return its exit status.

    Args:
        code: source.
        compiled: what an earlier run of it kept, if any.
        keep: a descriptor to write that to; closed before the code runs, which must not choose what the next run is.
    """
    module = _module("__main__")
    status = 0
    try:
        program = marshal.loads(compiled) if compiled else _compiled(code, NAME, "exec")
        if keep >= 0:
            _keep(program, keep)
        exec(program, module.__dict__)
    except SystemExit as error:
        status = _exit_status(error.code)
    except BaseException as error:  # noqa: BLE001 - as Python itself does
        print(told(error), file=sys.stderr)
        status = 1
    return status


def _keep(program: CodeType, place: int) -> None:
    try:
        with contextlib.suppress(ValueError, MemoryError, OSError):  # too much to be kept
            body = marshal.dumps(program)
            _write(place, HEADER.pack(len(body)) + body)
    finally:
        os.close(place)


def end_program(status: int) -> None:
    """What Python does at its end: wait for threads, call what was registered, flush, let go of everything."""
    try:
        if threading.active_count() > 1:
            threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.__stdout__):
            if stream is not None and not getattr(stream, "closed", False):
                stream.flush()
        vars(sys.modules["__main__"]).clear()  # files that it left open are written now
        gc.collect()
    except BaseException:  # noqa: BLE001 - a closed or full stdout, or an exit function of its own
        status = status or 1
    os._exit(status)


def _module(name: str) -> ModuleType:
    module = ModuleType(name)
    sys.modules[name] = module
    return module


def _exit_status(code: Any) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    print(code, file=sys.stderr)
    return 1


def told(error: BaseException) -> str:
    """What was raised, and the line of the answer it came from; never raises."""
    try:
        said = "".join(traceback.format_exception_only(error)).strip().splitlines()[-1]
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == f"<{NAME}>"]
        where = f" (line {lines[-1]})" if lines else ""
    except BaseException:  # noqa: BLE001 - a hostile __str__
        return str(type.__getattribute__(type(error), "__name__"))
    return said[:_ERROR_CHARS] + where


def _write(pipe: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(pipe, view) :]
