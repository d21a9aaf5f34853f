"""A reward that is scored by a server: for a trainer that has no databases, sandbox or judge beside it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from guerdon.errors import ServerError
from guerdon.rewards import Context, Reward
from guerdon.rewards.base import ordered
from guerdon.trainer.records import row_of
from guerdon.types import Group, Score

if TYPE_CHECKING:
    from guerdon.serve.client import Client


@dataclass(frozen=True)
class Remote(Reward, name="remote-v1", runs_in="threads", sees="group"):
    """What a reward on a `guerdon serve` says of a group: its values, parts and evidence, at the run's own step.

    The server knows the examples by their ids, so both sides name the same task. When the server fails, the group is
    unscored (`infra`): that is never a number. A bug in the reward there is a bug in the reward, and a token or a name
    that is wrong stops the run. One request is one group: a reward that looks at the whole batch sees one group there.
    """

    url: str
    """Such as "http://10.0.0.5:8000"."""
    reward: str | None = None
    """Which of the server's rewards; may be left out where it has one alone."""
    token_env: str = "GUERDON_SERVE_TOKEN"
    """The environment variable that holds the token; unset means that none is sent. The token is never shown."""
    bounds: tuple[float, float] = (float("-inf"), float("inf"))
    """Of the reward there; `guerdon.serve.client.Client.rewards` tells."""
    timeout_s: float = 600.0
    """Of one attempt: longer than a batch may wait and be scored at the server (120 + 300 s, unless it is told so)."""
    attempts: int = 8

    def __post_init__(self) -> None:
        ordered(self.bounds, f"{self.name} at {self.url}")

    def score_batch(self, groups: Sequence[Group], context: Context) -> Sequence[Sequence[Score]]:
        """Ask the server about all attempts of a group at once."""
        client = _client(self.url, os.environ.get(self.token_env, ""), self.timeout_s, self.attempts)
        return [self._asked(client, group, context) for group in groups]

    def _asked(self, client: Client, group: Group, context: Context) -> Sequence[Score]:
        try:
            # Whole: the server has other files, and takes none by name unless its operator allows it.
            rows = [row_of(rollout, whole=True) for rollout in group.rollouts]
            return client.grade(rows, self.reward, context)
        except (ServerError, OSError) as error:
            return [Score.unscored(str(error)) for _ in group.rollouts]


@lru_cache(maxsize=64)
def _client(url: str, token: str, timeout_s: float, attempts: int) -> Client:
    from guerdon.serve.client import Client

    return Client(url, token, timeout_s=timeout_s, attempts=attempts)
