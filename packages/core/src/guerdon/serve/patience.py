"""Patience with slow clients, and its end: headers that do not come, and answers that are not read.

A body that does not come is `bodies`' to time. Here it is the connection itself, so this is where uvicorn's protocol is
extended: two timers on hooks that asyncio defines (`data_received`, `pause_writing`, `resume_writing`).
"""

from __future__ import annotations

import asyncio
from typing import Any


def patient_protocol(read_timeout_s: float, write_timeout_s: float) -> type[asyncio.Protocol]:
    """Uvicorn's HTTP/1.1 protocol, that closes a connection which keeps it waiting.

    Args:
        read_timeout_s: from the connection, or from a request's first byte, to the end of its headers.
        write_timeout_s: without the client reading on, while its answer waits. One that reads, however slowly, has as
            long as it takes.
    """
    import h11
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Patient(H11Protocol):  # type: ignore[misc, unused-ignore] # without uvicorn's types
        """Waits so long and no longer."""

        _headers: asyncio.TimerHandle | None = None
        _reading: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._headers = self.loop.call_later(read_timeout_s, transport.abort)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.conn.their_state is not h11.IDLE or not self.conn.trailing_data[0]:
                self._headers = _stopped(self._headers)
            elif self._headers is None:
                self._headers = self.loop.call_later(read_timeout_s, self.transport.abort)

        def pause_writing(self) -> None:
            super().pause_writing()
            self._watch()

        def resume_writing(self) -> None:
            super().resume_writing()
            if not self.transport.is_closing():  # or its last bytes would be nobody's to watch
                self._reading = _stopped(self._reading)

        def timeout_keep_alive_handler(self) -> None:
            super().timeout_keep_alive_handler()
            self._watch()  # it closes once all is read, which may be never

        def _watch(self) -> None:
            _stopped(self._reading)
            unread = self.transport.get_write_buffer_size()
            self._reading = self.loop.call_later(write_timeout_s, self._look, unread)

        def _look(self, before: int) -> None:
            if self.transport.get_write_buffer_size() < before:
                self._watch()
            else:
                self.transport.abort()

        def connection_lost(self, exc: Exception | None) -> None:
            self._headers, self._reading = _stopped(self._headers), _stopped(self._reading)
            super().connection_lost(exc)

    return Patient


def _stopped(timer: asyncio.TimerHandle | None) -> asyncio.TimerHandle | None:
    """What a timer is once it is stopped: none."""
    if timer is not None:
        timer.cancel()
    return None
