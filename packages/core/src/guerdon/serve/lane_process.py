"""A lane from inside: a process that holds every grader and answers one request at a time.

Started as a fresh interpreter with the server's `sys.path`, in a session of its own. What it says to the server goes
over a private socket, so that a reward may print as it likes. It ends when that socket closes: with the server, however
that ends.
"""

from __future__ import annotations

import contextlib
import pickle
import signal
import sys
from multiprocessing.connection import Connection
from typing import Any

GO, STOP = "go", "stop"
"""What the server says to each part but the last: whether anybody still wants the next one."""


def main() -> None:
    """Serve until the server closes the socket. Arguments: its file descriptor."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's to handle; it ends us
    # A service manager may tell every process of a service to end, while the server still wants answers. A handler
    # rather than SIG_IGN: what a reward starts would inherit that.
    signal.signal(signal.SIGTERM, lambda *_: None)
    server: Connection[Any, Any] = Connection(int(sys.argv[1]))
    graders: dict[str, Any] = {}
    try:
        sys.path[:] = server.recv()
        try:
            graders, settings = pickle.loads(server.recv_bytes())
            for grader in graders.values():
                grader.load()
        except Exception as error:  # noqa: BLE001 - the boundary: the server raises it
            server.send(f"{type(error).__name__}: {error}")
            return
        server.send("")
        _serve(server, graders, settings)
    except (EOFError, OSError):
        return  # the server has gone
    finally:
        for grader in graders.values():
            with contextlib.suppress(OSError):
                grader.close()


def _serve(server: Connection[Any, Any], graders: dict[str, Any], settings: Any) -> None:
    from guerdon.serve.answering import answer

    while True:
        kind, name = server.recv()
        parts = answer(graders, kind, name, server.recv_bytes(), settings)
        for part in parts:
            server.send(part)
            if not part.last and server.recv() == STOP:
                break
        parts.close()  # type: ignore[attr-defined] # a generator's: a stream nobody wants any more ends here


if __name__ == "__main__":
    main()
