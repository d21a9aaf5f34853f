"""The child's side of a worker process: receive rewards and rollouts, send back one answer per piece.

Started as a fresh interpreter (never a fork of one that holds torch's threads), with the parent's `sys.path`. Messages
are pickled tuples over a private socket, so that a reward may print as it likes. The parent reads off the stream which
piece is in hand: the one after the last it got an answer for.

This contains hangs and crashes of our own users' rewards. It is no sandbox for what a policy wrote.
"""

from __future__ import annotations

import faulthandler
import os
import pickle
import signal
import sys
from multiprocessing.connection import Connection
from typing import Any

SELF_KILL_MARGIN_S = 5.0
"""A worker whose parent has died ends itself this long after a piece's deadline, even in C code that holds the GIL."""


def main() -> None:
    """Serve until the parent closes the socket. Arguments: its file descriptor."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle; it ends us
    parent: Connection[Any, Any] = Connection(int(sys.argv[1]))
    rewards: dict[int, Any] = {}
    try:
        sys.path[:] = parent.recv()
        parent.send(("ready",))
        while True:
            _serve(parent, pickle.loads(parent.recv_bytes()), rewards)
    except (EOFError, OSError):
        return  # the parent has gone


def _serve(parent: Connection[Any, Any], message: tuple[Any, ...], rewards: dict[int, Any]) -> None:
    if message[0] == "load":
        _, key, pickled = message
        try:
            rewards[key] = pickle.loads(pickled)
        except BaseException as error:  # noqa: BLE001 - the boundary: the parent raises it
            parent.send(("error", -1, f"{type(error).__name__}: {error}"))
        else:
            parent.send(("loaded", key))
        return
    _, key, fields, deadlines_s, pickled = message
    try:
        pieces = pickle.loads(pickled)
    except BaseException as error:  # noqa: BLE001 - as above
        parent.send(("error", -1, f"{type(error).__name__}: {error}"))
        return
    parent.send(("begun",))
    for index, (groups, deadline_s) in enumerate(zip(pieces, deadlines_s, strict=True)):
        _answer(parent, index, rewards[key], fields, groups, deadline_s)


def _answer(
    parent: Connection[Any, Any], index: int, reward: Any, fields: tuple[int, int, int], groups: Any, deadline_s: float
) -> None:
    from guerdon.errors import ConfigError, RewardError
    from guerdon.rewards import Context

    with open(os.devnull, "w") as nowhere:
        faulthandler.dump_traceback_later(deadline_s + SELF_KILL_MARGIN_S, exit=True, file=nowhere)
        try:
            answer = pickle.dumps(("done", index, Context(*fields).scores(reward, groups)))
        except RewardError as error:
            answer = pickle.dumps(("error", index, str(error)))
        except ConfigError as error:
            answer = pickle.dumps(("misused", index, str(error)))
        except BaseException as error:  # noqa: BLE001 - the boundary; SystemExit in a reward is a bug like any other
            answer = pickle.dumps(("error", index, f"{reward.name} raised {type(error).__name__}: {error}"))
        finally:
            faulthandler.cancel_dump_traceback_later()
    parent.send_bytes(answer)


if __name__ == "__main__":
    main()
