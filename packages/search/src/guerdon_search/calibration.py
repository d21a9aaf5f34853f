"""Whether a judge may be believed, and what users do: the numbers beside SearchLLM's reward.

A judge's version ships only where no criterion drops on a frozen regression set, and after a shadow run.
Source: SearchLLM (arXiv 2603.10473), procedure and metrics [paper].
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from guerdon.errors import ConfigError

VALID_DWELL_S, SKIP_DWELL_S = 5.0, 1.5


def pairwise_auc(winners: Sequence[float], losers: Sequence[float]) -> float:
    """The share of pairs in which the winner's score is larger; a tie counts as half.

    Winner and loser of a pair stand at the same place: what people preferred, and what it was preferred to.

    Raises:
        ValueError: there are not as many winners as losers, there is no pair, or a score is not finite.

    >>> pairwise_auc((0.9, 0.5, 0.2), (0.1, 0.5, 0.7))
    0.5
    """
    if len(winners) != len(losers) or not winners:
        raise ValueError(
            f"{len(winners)} winners and {len(losers)} losers; as many of each, and at least one, are needed"
        )
    if not all(map(math.isfinite, (*winners, *losers))):
        raise ValueError("a score is not finite; leave out unscored pairs, and count them")
    won = sum(a > b for a, b in zip(winners, losers, strict=True))
    tied = sum(a == b for a, b in zip(winners, losers, strict=True))
    return (won + 0.5 * tied) / len(winners)


def dropped(before: Mapping[str, float], after: Mapping[str, float], tolerance: float = 0.0) -> list[str]:
    """Criteria whose accuracy on a frozen regression set fell: a new version of a judge ships only where none did.

    Raises:
        ConfigError: the two were measured on different criteria.
    """
    if before.keys() != after.keys():
        raise ConfigError(f"accuracies are of {sorted(before)} and of {sorted(after)}; the same criteria are needed")
    return [name for name in before if not after[name] >= before[name] - tolerance]


@dataclass(frozen=True)
class SessionRates:
    """Shares of sessions, in [0, 1]."""

    valid: float
    """VCR: the user stayed for more than 5 seconds."""
    skipped: float
    """For less than 1.5 seconds."""
    searched_again: float
    bad: float
    """Marked as bad cases."""


def session_rates(dwell_s: Sequence[float], searched_again: Sequence[bool], bad: Sequence[bool]) -> SessionRates:
    """What users did, session by session.

    Args:
        dwell_s: seconds on the answer, finite, >= 0; at least one.
        searched_again: whether another search followed.
        bad: whether the session is a bad case.

    Raises:
        ValueError: there are not as many of each, there is no session, or a dwell is not a finite number >= 0.

    >>> session_rates((6.0, 1.0, 3.0, 20.0), (False, True, True, False), (False, False, False, True)).valid
    0.5
    """
    count = len(dwell_s)
    if not count or not count == len(searched_again) == len(bad):
        raise ValueError(
            f"{count} dwells, {len(searched_again)} and {len(bad)} flags; as many of each are needed, and one"
        )
    if not all(0.0 <= dwell < math.inf for dwell in dwell_s):
        raise ValueError("a dwell is not a finite number of seconds >= 0; leave out sessions without one")
    return SessionRates(
        sum(dwell > VALID_DWELL_S for dwell in dwell_s) / count,
        sum(dwell < SKIP_DWELL_S for dwell in dwell_s) / count,
        sum(map(bool, searched_again)) / count,
        sum(map(bool, bad)) / count,
    )
