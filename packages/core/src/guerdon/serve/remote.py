"""A reward that is scored by a server: for a trainer that has no databases, sandbox or judge beside it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from guerdon.errors import RewardError, ServerError
from guerdon.rewards import Reward
from guerdon.trainer.records import row_of
from guerdon.types import Group, Score

if TYPE_CHECKING:
    from guerdon.serve.client import Client


@dataclass(frozen=True)
class Remote(Reward, name="remote-v1", runs_in="threads"):
    """What a reward on a `guerdon serve` says of a group: its values, parts and evidence.

    The server knows the examples by their ids, so both sides name the same task. When the server fails, the group is
    unscored (`infra`): that is never a number. A token or a name that is wrong stops the run. One request is one group:
    a reward that looks at the whole batch sees one group there.
    """

    url: str
    """Such as "http://10.0.0.5:8000"."""
    reward: str | None = None
    """Which of the server's rewards; may be left out where it has one alone."""
    token_env: str = "GUERDON_SERVE_TOKEN"
    """The environment variable that holds the token; unset means that none is sent. The token is never shown."""
    bounds: tuple[float, float] = (float("-inf"), float("inf"))
    """Of the reward there; `guerdon.serve.client.Client.rewards` tells."""
    timeout_s: float = 300.0
    """Of one attempt."""
    attempts: int = 8

    def score_group(self, group: Group) -> Sequence[Score]:
        """Ask the server about all attempts at once."""
        client = _client(self.url, os.environ.get(self.token_env), self.timeout_s, self.attempts)
        try:
            return client.grade([row_of(rollout) for rollout in group.rollouts], self.reward)
        except (ServerError, RewardError) as error:
            return [Score.unscored(str(error)) for _ in group.rollouts]


@lru_cache(maxsize=64)
def _client(url: str, token: str | None, timeout_s: float, attempts: int) -> Client:
    from guerdon.serve.client import Client

    return Client(url, token, timeout_s=timeout_s, attempts=attempts)
