"""What all requests share: the desk, the counters, the token, and whether the server is ending."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from guerdon.errors import ConfigError
from guerdon.grading import Grader
from guerdon.rewards.constrained import uncontrolled
from guerdon.serve.admission import admits
from guerdon.serve.answering import RefusedError
from guerdon.serve.desk import Desk
from guerdon.serve.metrics import Metrics
from guerdon.serve.settings import Settings

if TYPE_CHECKING:
    from starlette.requests import Request

_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


class Service:
    """A server's parts, without the server.

    Args:
        graders: what can be asked for. Names are of letters, digits, `.`, `_` and `-`: they stand in addresses.
        settings: limits.
        token: what requests must bring; None where everybody may ask.

    Raises:
        ConfigError: there is nothing to serve, a name cannot stand in an address, a reward learns and is served by
            several lanes or has nowhere to keep that, or a grader does not pickle.
    """

    def __init__(self, graders: Mapping[str, Grader], settings: Settings, token: str | None = None) -> None:
        if not graders:
            raise ConfigError("there is nothing to serve: name a recipe, or a task and a reward")
        for name in graders:
            if not can_be_served_as(name):
                raise ConfigError(
                    f"{name!r} cannot be served under that name; letters, digits, '.', '_' and '-' can stand in an "
                    f"address: choose one by NAME=RECIPE"
                )
        for name, grader in graders.items():
            grader.refuse_policy("a server trains nothing")
            if told := uncontrolled(grader.reward):
                warnings.warn(f"{name}: {told}", RuntimeWarning, stacklevel=2)
        learning = sorted(name for name, grader in graders.items() if grader.learning)
        if learning and (settings.state is None or settings.lanes != 1):
            raise ConfigError(
                f"{', '.join(learning)}: the reward learns, so it is served with a folder that keeps what it learns, "
                f"and by one process, where that is one thing: --state FOLDER --lanes 1"
            )
        self.graders, self.settings, self.token = dict(graders), settings, token
        self.metrics = Metrics()
        self.desk = Desk(self.graders, settings, self.metrics)
        self.draining = False
        self.accepted = 0
        """Batches that were accepted, and whose answer is not yet handed over."""

    def check(self, request: Request) -> None:
        """Whether the request may ask, and asks in time.

        Raises:
            RefusedError: it has no token, or the server is ending.
        """
        self.check_token(request)
        if self.draining:
            raise RefusedError(503, "the server is ending; ask again in a while, or ask another")

    def check_token(self, request: Request) -> None:
        """Whether the request has the token.

        Raises:
            RefusedError: it has not.
        """
        if not admits(self.token, request.headers.get("authorization")):
            told = "this token is not the server's" if request.headers.get("authorization") else "a token is needed"
            raise RefusedError(401, f"{told}: send the header 'Authorization: Bearer TOKEN'")

    def described(self) -> list[dict[str, Any]]:
        """What can be asked for."""
        return [
            {
                "reward": name,
                "task": grader.task.name if grader.task else None,
                "definition": repr(grader.reward),
                "bounds": [None if math.isinf(bound) else bound for bound in grader.reward.bounds],
                "sees": grader.reward.sees,
                "learns": bool(grader.learning),
                "parts": list(grader.part_names),
            }
            for name, grader in sorted(self.graders.items())
        ]


def can_be_served_as(name: str) -> bool:
    """Whether that name can stand in an address."""
    return bool(name) and _LETTERS.issuperset(name)
