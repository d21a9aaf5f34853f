"""A lane from outside: its process, one request at a time, a limit of time, and its end."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from multiprocessing.connection import Connection
from typing import Any

from guerdon.errors import ServerError
from guerdon.serve.answering import Kind, Part
from guerdon.serve.lane_process import GO, STOP

START_S = 120.0
"""How long a lane may take to import, unpickle and load its tasks' examples."""
END_S = 5.0
"""How long a lane that is told to end may take, before it is killed."""


class LaneDiedError(Exception):
    """The process ended in the middle of a request."""


class LaneLateError(Exception):
    """The process did not answer in time; it has been killed."""


class Lane:
    """A process that has all graders. Used by one thread at a time.

    Args:
        load: the pickled pair (graders by name, settings).
    """

    def __init__(self, load: bytes) -> None:
        self._load = load
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection[Any, Any] | None = None
        self._alive: int | None = None
        """Our end of a pipe: the lane's guard sees by it that we are alive."""

    @property
    def pid(self) -> int | None:
        """The process's, while it runs."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the process, and wait until it is ready.

        Raises:
            ServerError: it did not get ready; the message has its reason.
        """
        ours, theirs = socket.socketpair()
        watched, self._alive = os.pipe()
        try:
            told = [theirs.fileno(), watched]
            self._process = subprocess.Popen(
                [sys.executable, "-m", "guerdon.serve.lane_process", *map(str, told)],
                pass_fds=told,
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is the server's; and what a reward starts dies with its lane
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        finally:
            theirs.close()
            os.close(watched)
        connection: Connection[Any, Any] = Connection(ours.detach())
        self._connection = connection
        try:
            connection.send(sys.path)
            connection.send_bytes(self._load)
            problem = connection.recv() if connection.poll(START_S) else f"it was not ready within {START_S:g} s"
        except (EOFError, OSError):
            problem = "it ended at start; its own message stands on the server's standard error"
        if problem:
            self.kill()
            raise ServerError(
                f"a scoring process of the server could not be started: {problem}. Rewards and tasks must live in "
                f"importable modules (not in the script that is run)"
            )

    def ask(
        self, kind: Kind, name: str | None, bodies: Sequence[bytes], timeout_s: float
    ) -> Generator[Part, bool | None, None]:
        """The parts of the answer to each body, in order; send False to have no more.

        Only OpenRLHF's route takes several bodies at once.

        Raises:
            LaneDiedError: the process ended. `start` it again.
            LaneLateError: all of it took longer than `timeout_s`; the process has been killed.
        """
        connection, deadline = self._connection, time.monotonic() + timeout_s
        if connection is None:
            raise LaneDiedError("it is not running")
        try:
            connection.send((kind, name, len(bodies)))
            for body in bodies:
                connection.send_bytes(body)
            left = len(bodies)
            while left:
                if not connection.poll(max(0.0, deadline - time.monotonic())):
                    self.kill()
                    raise LaneLateError
                part = connection.recv()
                wanted = yield part
                if part.last:
                    left -= 1
                    continue
                connection.send(STOP if wanted is False else GO)
                if wanted is False:
                    return
        except (EOFError, OSError) as error:
            status = self.kill()
            how = f"signal {-status}" if status < 0 else f"exit status {status}"
            raise LaneDiedError(how) from error

    def end(self) -> None:
        """Let an idle process end: it closes its workers."""
        if self._connection is not None:
            self._connection.close()
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(END_S)
        self.kill()

    def interrupt(self) -> None:
        """End the process from another thread: whoever asks is told `LaneDiedError`."""
        if (process := self._process) is not None and process.poll() is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)

    def kill(self) -> int:
        """End the process and its session, now; returns its exit status (negative: the signal)."""
        process, self._process = self._process, None
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        alive, self._alive = self._alive, None
        if alive is not None:
            os.close(alive)
        if process is None:
            return 0
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)  # before it is waited for: its number is still its own
        return process.wait()
