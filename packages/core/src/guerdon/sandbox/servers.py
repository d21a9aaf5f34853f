"""One server seen from outside: its process, its pipes, and what it is at."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import selectors
import shutil
import subprocess
import sys
import tempfile
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guerdon.errors import SandboxError
from guerdon.sandbox import cgroups, leftovers
from guerdon.sandbox.batches import Batch
from guerdon.sandbox.confine import FOLDER_BYTES
from guerdon.sandbox.limits import Limits, Outcome
from guerdon.sandbox.wire import HEADER, Malformed, frame

START_S = 30.0
"""How long a server may take to start."""
_PIPE_BYTES = 2**16
_PREFIX = "guerdon-answers-"
_BOOT = "import sys; sys.path.append(sys.argv[1]); from guerdon.sandbox.serve import main; sys.path.pop(); main()"
_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",  # an answer that prints a set says the same each time
    "LD_BIND_NOW": "1",  # once, in the server, or every child looks up the same C functions
    **{f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")},
}


@dataclass(frozen=True)
class Layers:
    """Which layers a server has put on."""

    on: tuple[str, ...]
    missing: dict[str, str]
    """Layer -> why."""
    details: dict[str, str]

    def __str__(self) -> str:
        return "+".join(self.on)


class Server:
    """One process and its pipes."""

    def __init__(self, without: tuple[str, ...], core: int | None) -> None:
        self.core = core
        _remove_abandoned()
        folder, self._claim = leftovers.made(lambda: Path(tempfile.mkdtemp(prefix=_PREFIX)))
        self.folder = str(folder)
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - read after the end
        root = str(Path(__file__).resolve().parents[2])
        self.process = subprocess.Popen(
            [sys.executable, "-s", "-S", "-P", "-B", "-c", _BOOT, root],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            cwd="/",
            env=_ENVIRONMENT,
            bufsize=0,
            start_new_session=True,  # Ctrl-C is for us: the servers end because we do
        )
        self._group: cgroups.Cgroup | None = None
        self._no_group = "not asked for"
        if "cgroups" not in without:
            self._enter_group()
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.stdin, self.stdout = self.process.stdin.fileno(), self.process.stdout.fileno()
        os.set_blocking(self.stdin, False)
        os.set_blocking(self.stdout, False)
        self.outbox = bytearray(frame({"folder": self.folder, "unwanted": without, "core": core}))
        self.inbox = bytearray()
        self.flight: deque[int] = deque()
        self.layers: Layers | None = None
        self.approved = False
        """It has the layers required; before that nothing is run."""
        self.said_its_last = False
        """Its stdout has ended."""
        self.due = time.monotonic() + START_S
        """When to give it up."""

    def _enter_group(self) -> None:
        """Before it is sent its first message, and so before it starts anything."""
        try:
            group = cgroups.make()
        except OSError as error:
            self._no_group = str(error)
            return
        try:
            group.take(self.process.pid)
            group.limit(FOLDER_BYTES, 0)
        except OSError as error:
            self._no_group = str(error)
            group.remove()
            return
        self._group = group

    def allow(self, memory_bytes: int, processes: int) -> None:
        """Let all processes of an answer together have so much memory, and be so many, where there are groups."""
        if self._group is not None:
            with contextlib.suppress(OSError):  # version 1 refuses what is less than is in use: the former limit stays
                self._group.limit(memory_bytes + FOLDER_BYTES, processes)

    @property
    def ready(self) -> bool:
        """It has said its first words."""
        return self.layers is not None

    def take(self, batch: Batch) -> None:
        """Send jobs, once it has all the layers required: one to work at, and one ahead. A suspect travels alone."""
        while self.approved and batch.waiting and len(self.flight) < 2:
            number = batch.waiting[0]
            if self.flight and (number in batch.suspects or self.flight[0] in batch.suspects):
                break
            batch.waiting.popleft()
            if not self.flight:
                self.due = time.monotonic() + batch.longest_s(number)
            self.flight.append(number)
            self.outbox += batch.body(number)
        if self.outbox:
            self.send()

    def send(self) -> bool:
        """Write what the pipe takes; whether the server still reads."""
        try:
            while self.outbox:
                del self.outbox[: os.write(self.stdin, memoryview(self.outbox)[:_PIPE_BYTES].tobytes())]
        except BlockingIOError:
            pass
        except BrokenPipeError:
            self.outbox.clear()  # the end of its stdout says the rest
            return False
        return True

    def receive(self, batch: Batch) -> bool:
        """Read what there is; False when the server is gone, or talks nonsense."""
        try:
            data = os.read(self.stdout, _PIPE_BYTES)
        except BlockingIOError:
            return True
        self.inbox += data
        self.said_its_last = not data
        while True:
            try:
                done = self._next_done(batch)
            except (Malformed, ValueError, KeyError, TypeError, IndexError):
                return False
            if done is None:
                return bool(data)
            batch.done(*done)

    def _next_done(self, batch: Batch) -> tuple[int, list[Outcome]] | None:
        """The next job that it has done, if all it says of it is here. Its first words are kept on the way."""
        message = self._message()
        if message is not None and self.layers is None:
            self.layers = self._layers(**message)
            self._on_time(batch)
            message = self._message()
        if message is None:
            return None
        assert self.layers is not None
        number = self.flight[0]
        outcomes = batch.read(number, message, self.layers.on)
        self.flight.popleft()
        self._on_time(batch)
        return number, outcomes

    def _on_time(self, batch: Batch) -> None:
        self.due = time.monotonic() + batch.longest_s(self.flight[0]) if self.flight else float("inf")

    def _layers(self, on: list[str], missing: dict[str, str], details: dict[str, str]) -> Layers:
        if self._group is None:
            return Layers(tuple(on), {**missing, "cgroups": self._no_group}, details)
        return Layers((*on, "cgroups"), missing, details)

    def await_layers(self) -> None:
        """Wait for the first words.

        Raises:
            SandboxError: they do not come.
        """
        nothing = Batch([], Limits(), lambda place, outcomes: None)
        while not self.ready:
            self.send()
            with selectors.DefaultSelector() as selector:
                selector.register(self.stdout, selectors.EVENT_READ)
                if not selector.select(max(0.0, self.due - time.monotonic())) or not self.receive(nothing):
                    raise SandboxError(f"a sandbox server did not start: {self.last_words()}")

    def _message(self) -> Any:
        if len(self.inbox) < HEADER.size:
            return None
        size = HEADER.unpack_from(self.inbox)[0]
        if len(self.inbox) < HEADER.size + size:
            return None
        body = bytes(self.inbox[HEADER.size : HEADER.size + size])
        del self.inbox[: HEADER.size + size]
        return json.loads(body)

    def last_words(self) -> str:
        """The end of its stderr."""
        self._errors.seek(0)
        return self._errors.read().decode("utf-8", "replace").strip()[-500:] or "it said nothing"

    def end(self) -> None:
        """End the process, and with it all of its world; remove its folder."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(0.1 if self.said_its_last else 0.0)  # how it ended by itself tells why
        self.process.kill()
        self.process.wait()
        if self._group is not None:
            self._group.remove()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.forget()

    def forget(self) -> None:
        """Close our ends of the pipes, and give up our claims."""
        os.close(self._claim)
        if self._group is not None:
            self._group.forget()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


@functools.cache
def _remove_abandoned() -> None:
    """Once per process: the folders of servers whose owner was killed."""
    for folder in leftovers.abandoned(Path(tempfile.gettempdir()), _PREFIX):
        shutil.rmtree(folder, ignore_errors=True)
