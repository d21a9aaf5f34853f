"""Reading a request's body within limits: never more than allowed, never for longer than allowed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from guerdon.serve.answering import RefusedError

if TYPE_CHECKING:
    from starlette.requests import Request

    from guerdon.serve.desk import Desk
    from guerdon.serve.settings import Settings


class HungUpError(Exception):
    """The client left before its body was all here."""


class Body:
    """A request's body, and the room reserved for it at the desk. Close it when the request is done with."""

    def __init__(self, request: Request, desk: Desk, settings: Settings) -> None:
        self._request, self._desk, self._settings = request, desk, settings
        self._reserved = 0

    async def read(self) -> bytes:
        """All of it.

        Raises:
            RefusedError: it is too long (told before it is read, where the client says how long it is), or too slow.
            FullError: there is no room for it now.
            HungUpError: the client has gone.
        """
        from starlette.requests import ClientDisconnect

        limit = self._settings.max_body_bytes
        told = self._request.headers.get("content-length", "0")
        length = int(told) if told.isascii() and told.isdigit() else 0
        if length > limit:
            raise self._too_long(f"{length:,} bytes")
        self._desk.reserve(0)  # where the queue is full nothing is read
        chunks, held = [], 0
        try:
            async with asyncio.timeout(self._settings.read_timeout_s):
                async for chunk in self._request.stream():
                    held += len(chunk)
                    if held > limit:
                        raise self._too_long("more")
                    self._reserve(len(chunk))  # as it comes: what is announced costs a client nothing
                    chunks.append(chunk)
        except TimeoutError:
            wait_s = self._settings.read_timeout_s
            raise RefusedError(408, f"the body was not all here within {wait_s:g} s") from None
        except ClientDisconnect:
            raise HungUpError from None
        return b"".join(chunks)

    def _reserve(self, count: int) -> None:
        self._desk.reserve(count)
        self._reserved += count

    def _too_long(self, found: str) -> RefusedError:
        return RefusedError(413, f"the body has {found}; at most {self._settings.max_body_mb:g} MiB are taken")

    def close(self) -> None:
        """Give the room back."""
        self._desk.release(self._reserved)
        self._reserved = 0
