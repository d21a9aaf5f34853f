"""One request for scores, from its headers to its last part: limits, queue, and a client that leaves.

Every way out passes `close`, so that nothing stays reserved and no batch counts as accepted for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from guerdon.serve.answering import Kind, Part, RefusedError
from guerdon.serve.bodies import Body, HungUpError
from guerdon.serve.desk import Job

if TYPE_CHECKING:
    from starlette.requests import Request

    from guerdon.serve.service import Service


class Intake:
    """A request and its batch."""

    def __init__(self, service: Service, request: Request) -> None:
        self._service, self._request = service, request
        self._body = Body(request, service.desk, service.settings)
        self._job: Job | None = None
        self._finished = False

    async def first(self, kind: Kind, name: str | None) -> Part:
        """Accept the batch and wait for the first part of its answer.

        Raises:
            RefusedError: it is not accepted, or waited too long.
            FullError: there is no room.
            HungUpError: the client has gone.
        """
        service = self._service
        service.check(self._request)
        body = await self._body.read()
        service.check(self._request)  # the server may have been told to end meanwhile
        job = Job(kind, name, body)
        service.desk.submit(job)
        self._job = job
        service.accepted += 1
        wait_s = service.settings.wait_timeout_s
        part = await self._next(wait_s)
        if part is None and not service.desk.withdraw(job):
            part = await self._next(None)  # its turn came just now
        if part is None:
            self._finished = True
            raise RefusedError(503, f"the batch waited for {wait_s:g} s without its turn")
        self._finished = part.last
        return part

    async def rest(self, first: Part) -> AsyncIterator[bytes]:
        """The bytes of all parts."""
        part: Part | None = first
        while part is not None:
            yield part.body
            if part.last:
                self._finished = True
                return
            assert self._job is not None, "there is a first part"
            part = await self._job.parts.get()

    async def _next(self, wait_s: float | None) -> Part | None:
        """The next part; None where the batch has not begun in time.

        Raises:
            HungUpError: the client has gone.
        """
        job = self._job
        assert job is not None, "it was submitted"
        part = asyncio.ensure_future(job.parts.get())
        gone = asyncio.ensure_future(self._gone())
        try:
            await asyncio.wait({part, gone}, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
            if not part.done() and not gone.done() and job.begun:
                await asyncio.wait({part, gone}, return_when=asyncio.FIRST_COMPLETED)
            if part.done():
                return part.result()
            if gone.done():
                raise HungUpError
            return None
        finally:
            part.cancel()
            gone.cancel()

    async def _gone(self) -> None:
        while (await self._request.receive())["type"] != "http.disconnect":
            pass

    def close(self) -> None:
        """Withdraw what nobody waits for any more, and give back all that is held."""
        service, job, self._job = self._service, self._job, None
        if job is not None:
            service.accepted -= 1
            if not self._finished:
                job.unwanted = True
                service.metrics.hung_up("waiting" if service.desk.withdraw(job) else "begun")
        self._body.close()
