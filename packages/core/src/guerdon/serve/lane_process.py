"""A lane from inside: a process that holds every grader and answers one request at a time.

Started as a fresh interpreter with the server's `sys.path`, in a session of its own. What it says to the server goes
over a private socket, so that a reward may print as it likes. It ends when that socket closes: with the server,
however that ends. One that is held up by a reward does not look at its socket, so a second process stands by, which
does nothing but wait for the server's end and then kills the lane and all it has started.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import sys
import time
from multiprocessing.connection import Connection
from typing import Any

GO, STOP = "go", "stop"
"""What the server says to each part but the last: whether anybody still wants the next one."""


GRACE_S = 3.0
"""How long a lane has to end by itself when the server is gone: an idle one needs a moment."""


def main() -> None:
    """Serve until the server closes the socket.

    Arguments: the socket's file descriptor, and that of a pipe of which the server holds the other end.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's to handle; it ends us
    # A service manager may tell every process of a service to end, while the server still wants answers. A handler
    # rather than SIG_IGN: what a reward starts would inherit that.
    signal.signal(signal.SIGTERM, lambda *_: None)
    _stand_by(*map(int, sys.argv[1:3]))
    server: Connection[Any, Any] = Connection(int(sys.argv[1]))
    graders: dict[str, Any] = {}
    try:
        sys.path[:] = server.recv()
        try:
            graders, settings = pickle.loads(server.recv_bytes())
            _limit_memory(settings)
            for grader in graders.values():
                grader.load()
            learnt = _learnt(graders, settings)
        except Exception as error:  # noqa: BLE001 - the boundary: the server raises it
            server.send(f"{type(error).__name__}: {error}")
            return
        server.send("")
        _serve(server, graders, settings, learnt)
    except (EOFError, OSError):
        return  # the server has gone
    finally:
        for grader in graders.values():
            with contextlib.suppress(OSError):
                grader.close()


def _stand_by(socket: int, alive: int) -> None:
    """Fork a process that outlives the server by a moment, and this one not at all.

    A process rather than a thread: a reward that is held up in C (a regular expression, say) lets no thread run. A
    kernel's signal at the parent's death would not do either: it comes at the death of the parent's thread.
    """
    if os.fork():
        os.close(alive)
        return
    os.close(socket)  # or the server would not see the lane's end
    os.read(alive, 1)  # nothing is ever written: it returns when the server has gone
    time.sleep(GRACE_S)
    os.killpg(0, signal.SIGKILL)  # the lane's session: itself, its workers, and this process


def _limit_memory(settings: Any) -> None:
    if settings.lane_memory_mb is not None:
        import resource

        limit = int(settings.lane_memory_mb * 2**20)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _learnt(graders: dict[str, Any], settings: Any) -> Any:
    if settings.state is None:
        return None
    from guerdon.serve.learning import Learnt

    return Learnt(settings.state, graders)


def _serve(server: Connection[Any, Any], graders: dict[str, Any], settings: Any, learnt: Any) -> None:
    from guerdon.serve.answering import answer

    while True:
        kind, name, count = server.recv()
        bodies = [server.recv_bytes() for _ in range(count)]
        if kind == "openrlhf":
            from guerdon.serve.openrlhf import answers

            for part in answers(graders, name, bodies, settings):
                server.send(part)
            continue
        parts = answer(graders, kind, bodies[0], settings, learnt)
        for part in parts:
            server.send(part)
            if not part.last and server.recv() == STOP:
                break
        parts.close()  # type: ignore[attr-defined] # a generator's: a stream nobody wants any more ends here


if __name__ == "__main__":
    main()
