"""One child of a server: its clocks, its end, and the private pipe it writes to. Standard library only."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time

from guerdon.sandbox.limits import Limits
from guerdon.sandbox.wire import HEADER

_PIPE_BYTES = 2**16


class Child:
    """A child and its clocks."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._over = os.pidfd_open(pid) if pid else -1
        self._status: int | None = None
        self._usage_s = 0.0
        self._began_s = self._began_cpu_s = self._began_queued_s = 0.0

    def begin(self) -> None:
        """A case begins."""
        self._began_s, self._began_cpu_s, self._began_queued_s = time.monotonic(), self._cpu_s(), self._queued_s()

    def spent(self) -> tuple[float, float]:
        """(processor seconds, seconds of the wall clock) since the case began."""
        return max(0.0, self._cpu_s() - self._began_cpu_s), time.monotonic() - self._began_s

    def wait(self, limits: Limits, pipe: int = -1) -> tuple[str, str]:
        """Until the child has ended (`ended`), the pipe can be read (`ready`), or the case's time is up."""
        poll = select.poll()
        poll.register(self._over, select.POLLIN)
        if pipe >= 0:
            poll.register(pipe, select.POLLIN)
        while True:
            cpu_s, wall_s = self.spent()
            left_s = min(limits.cpu_s - cpu_s, limits.wall_s - wall_s)
            if left_s <= 0:
                return self._late(limits, cpu_s)
            ready = dict(poll.poll(max(1, int(1000 * left_s) + 1)))
            if pipe in ready:
                return "ready", ""
            if ready:
                return "ended", ""

    def _late(self, limits: Limits, cpu_s: float) -> tuple[str, str]:
        if cpu_s >= limits.cpu_s:
            return "timeout", f"no answer within {limits.cpu_s:g} s of processor time"
        # With processes of its own, a program can keep itself from the processor; its threads' time is in cpu_s.
        starved = self._queued_s() - self._began_queued_s >= limits.wall_s / 2
        if starved and cpu_s < limits.cpu_s / 2 and not limits.processes:
            return "infra", "the program did not get the processor"
        return "timeout", f"no answer within {limits.wall_s:g} s"

    def _queued_s(self) -> float:
        """How long its first thread was ready to run and another ran; 0 where the kernel does not count that."""
        try:
            file = os.open(f"/proc/{self.pid}/schedstat", os.O_RDONLY)
        except OSError:
            return 0.0
        try:
            return int(os.read(file, 100).split()[1]) / 1e9
        except (OSError, IndexError):
            return 0.0
        finally:
            os.close(file)

    def how_it_ended(self, limits: Limits) -> tuple[str, str]:
        """Status (`done` for a quiet end) and reason, of a child that ended by itself."""
        self._reap()
        code = os.waitstatus_to_exitcode(self._status or 0)
        if code >= 0:
            return "fail" if code else "done", f"exit status {code}"
        if -code in (signal.SIGXCPU, signal.SIGKILL) and self._usage_s >= limits.cpu_s:
            return "timeout", f"no answer within {limits.cpu_s:g} s of processor time"
        return "fail", f"ended by signal {_signal_name(-code)}"

    def end(self, group: bool) -> None:
        """Kill the child, and reap it; with it its process group, where it may have one."""
        if group:
            with contextlib.suppress(ProcessLookupError, PermissionError):  # it has not come to setsid, or is alone
                os.killpg(self.pid, signal.SIGKILL)
        if self._status is None:
            os.kill(self.pid, signal.SIGKILL)
            self._reap()
        os.close(self._over)

    def _reap(self) -> None:
        if self._status is None:
            _, self._status, usage = os.wait4(self.pid, 0)
            self._usage_s = usage.ru_utime + usage.ru_stime

    def _cpu_s(self) -> float:
        if self._status is not None:
            return self._usage_s
        try:
            return time.clock_gettime((~self.pid << 3) | 2)  # Linux's processor clock of another process
        except OSError:  # it has ended
            return self._began_cpu_s


class Records:
    """The private pipe, read record by record."""

    def __init__(self, pipe: int, max_bytes: int) -> None:
        self._pipe, self._max_bytes = pipe, max_bytes
        self._held = bytearray()

    def next(self, child: Child, limits: Limits) -> bytes | tuple[str, str]:
        """The next record; or what came instead of it, and why."""
        while True:
            if len(self._held) >= HEADER.size:
                size = HEADER.unpack_from(self._held)[0]
                if size > self._max_bytes:
                    return "truncated", f"a value of more than {self._max_bytes:,} bytes as text"
                if len(self._held) >= HEADER.size + size:
                    body = bytes(self._held[HEADER.size : HEADER.size + size])
                    del self._held[: HEADER.size + size]
                    return body
            got, why = child.wait(limits, self._pipe)
            if got != "ready":
                return got, why
            data = os.read(self._pipe, _PIPE_BYTES)
            if not data:  # closed by its end, or on purpose
                return child.wait(limits)
            self._held += data

    def close(self) -> None:
        """Let go of the pipe."""
        os.close(self._pipe)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
