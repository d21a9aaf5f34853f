"""The process: uvicorn around the app, patience with slow clients, and an end that loses no accepted batch.

Told to end (SIGTERM, SIGINT), the server refuses new batches with 503 and Retry-After, finishes those it accepted,
hands over their answers, and exits with 0. A second signal, or `Settings.grace_s`, ends it at once: what is then
unfinished is told 503, and that it was lost is said as an error.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from guerdon.errors import ConfigError, ServerError
from guerdon.serve.admission import check_bind
from guerdon.serve.service import Service
from guerdon.serve.settings import Settings

if TYPE_CHECKING:
    from guerdon.grading import Grader

BACKLOG = 2048
"""Connections that the kernel holds until they are taken up."""
KEEP_ALIVE_S = 60
"""How long an idle connection is kept: trainers ask again after their next step."""
CONNECTIONS = 8192
"""Connections at once, if so many files may be open; further ones are told 503."""
OTHER_FILES = 256
"""Files that may be open beside connections: lanes' sockets, the libraries' own."""


def serve(
    graders: Mapping[str, Grader],
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    token: str | None = None,
    open_to_all: bool = False,
    settings: Settings | None = None,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serve until told to end.

    Args:
        graders: what can be asked for, by name.
        host: the address to bind; one that others can reach needs a token.
        port: 0 for any that is free.
        token: what requests must bring.
        open_to_all: that everybody may ask is meant.
        settings: limits.
        on_ready: called with the server's address when it takes batches.

    Raises:
        ConfigError: something is set up wrong, or the address cannot be bound.
        ServerError: a scoring process cannot be started, or the end was forced and accepted batches were lost.
    """
    check_bind(host, token, open_to_all=open_to_all)
    service = Service(graders, settings or Settings(), token)
    listener = _bound(host, port)
    with listener:
        service.desk.start()
        shown = f"[{host}]" if ":" in host else host
        with _signals_noted(service):
            try:
                _run(service, listener, lambda: on_ready and on_ready(f"http://{shown}:{listener.getsockname()[1]}"))
            finally:
                service.desk.end()


@contextmanager
def _signals_noted(service: Service) -> Iterator[None]:
    """Within it, a signal before or after uvicorn's own watch is an end like any other, and none cuts the end short."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def note(sig: int, frame: Any) -> None:
        service.draining = True

    before = {sig: signal.signal(sig, note) for sig in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for sig, handler in before.items():
            signal.signal(sig, handler)


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named, since asyncio turns Nagle's delay off for sockets that say they are TCP's, and no others:
    # without this each answer takes 40 ms more.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        raise ConfigError(
            f"cannot listen on host {host!r}, port {port}: {error}. Choose another by --host, --port"
        ) from None
    return listener


def _room_for_connections() -> int:
    """How many connections may be open at once, after asking for as many files as this process may have."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + OTHER_FILES
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return max(64, allowed - OTHER_FILES)


def _run(service: Service, listener: socket.socket, ready: Callable[[], Any]) -> None:
    import uvicorn

    from guerdon.serve.app import build_app
    from guerdon.serve.patience import patient_protocol

    settings = service.settings

    class Server(uvicorn.Server):  # type: ignore[misc, unused-ignore] # without uvicorn's types
        """Ends when all that was accepted is answered."""

        gives_up_at = float("inf")
        lost = 0

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            ready()

        def handle_exit(self, sig: int, frame: Any) -> None:
            self.gives_up_at = time.monotonic() + (0.0 if service.draining else settings.grace_s)
            service.draining = True

        async def on_tick(self, counter: int) -> bool:
            if service.draining and service.accepted and time.monotonic() >= self.gives_up_at:
                self.lost = service.accepted
                await asyncio.to_thread(service.desk.end)  # which tells them 503
                self.should_exit = True
            elif service.draining and not service.accepted:
                self.should_exit = True
            ended: bool = await super().on_tick(counter)
            return ended

    config = uvicorn.Config(
        build_app(service),
        http=patient_protocol(settings.read_timeout_s, settings.write_timeout_s),
        ws="none",
        lifespan="off",
        loop="asyncio",
        access_log=False,
        log_level="warning",
        server_header=False,
        backlog=BACKLOG,
        limit_concurrency=_room_for_connections(),
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(1, int(settings.write_timeout_s)),  # of answers that are on their way
    )
    server = Server(config)
    server.run(sockets=[listener])
    if server.lost:
        raise ServerError(f"the server was ended before {server.lost} accepted batches were answered")
