"""Finding the streams that an estimator asks for in a group's scores, and checking that they fit their rollouts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from guerdon.errors import ConfigError, RewardError
from guerdon.types import Group, Per, Rollout, Score, Stream


def checked_weights(name: str, weights: Mapping[str, float]) -> dict[str, float]:
    """Weights of streams by name, as estimator `name` has them as an option.

    Raises:
        ConfigError: there are none, or one is not finite.
    """
    if not weights:
        raise ConfigError(f"{name}.weights is empty; name at least one stream")
    for stream, weight in weights.items():
        if not math.isfinite(weight):
            raise ConfigError(f"{name}.weights.{stream} is {weight!r}; a finite number is needed")
    return dict(weights)


def streams_of(name: str, group: Group, row: Sequence[Score]) -> list[Stream]:
    """One stream of each rollout, all of one kind; NaN where it is unscored.

    Raises:
        ConfigError: a score has no stream of that name, or one whose spans cannot be placed.
        RewardError: a stream does not fit its rollout, or the rollouts have it in different kinds.
    """
    found: list[Stream | float] = []
    kinds: dict[Per, int] = {}
    for index, (rollout, score) in enumerate(zip(group.rollouts, row, strict=True)):
        stream = stream_at(score, name) if score.scored else math.nan
        where = f"rollout {index} of example {rollout.example.id!r}"
        if stream is None:
            there = ", ".join(map(repr, paths(score))) or "none"
            raise ConfigError(f"the advantage estimator asks for stream {name!r}; the score of {where} has {there}")
        if isinstance(stream, Stream):
            kinds.setdefault(stream.per, index)
            _check_fit(name, stream, rollout, where)
        found.append(stream)
    if len(kinds) > 1:
        said = " and ".join(f"per {per} on rollout {index}" for per, index in kinds.items())
        raise RewardError(f"stream {name!r} of example {group.example.id!r} is {said}. That is a bug in the reward.")
    per: Per = next(iter(kinds), "rollout")
    return [
        stream if isinstance(stream, Stream) else _everywhere(stream, per, rollout)
        for stream, rollout in zip(found, group.rollouts, strict=True)
    ]


def _check_fit(name: str, stream: Stream, rollout: Rollout, where: str) -> None:
    if stream.per != "span":
        if len(stream.values) != _count(rollout, stream.per):
            raise RewardError(
                f"stream {name!r} has {len(stream.values)} values per {stream.per} on {where}, which has "
                f"{_count(rollout, stream.per)}. That is a bug in the reward."
            )
    elif stream.ends and stream.ends[-1] >= rollout.steps:
        raise RewardError(
            f"stream {name!r} has a span that ends at step {stream.ends[-1]} of {where}, which has {rollout.steps}. "
            f"That is a bug in the reward."
        )
    elif stream.values and rollout.steps and not stream.ends:
        raise ConfigError(
            f"stream {name!r} of {where} knows the text of its spans and not their tokens, so it cannot be placed: "
            f"give the reward a tokenizer (`step-scores-v1` has an option of that name), or steps that are turns"
        )


def _everywhere(value: float, per: Per, rollout: Rollout) -> Stream:
    if per == "span":
        return Stream("span", (value,), (rollout.steps - 1,) if rollout.steps else ())
    return Stream(per, (value,) * _count(rollout, per))


def _count(rollout: Rollout, per: Per) -> int:
    return 1 if per == "rollout" else len(rollout.turns) if per == "turn" else rollout.steps


def stream_at(score: Score, path: str) -> Stream | float | None:
    """The stream at a path; a number stands for that value everywhere, None for a stream that is not there."""
    if path in score.dense:
        return score.dense[path]
    if path in score.parts:
        return Stream("rollout", (score.parts[path].value,))
    for name, part in score.parts.items():
        if path.startswith(f"{name}/"):
            return stream_at(part, path[len(name) + 1 :])
    if not score.scored:
        return math.nan
    return score.value if score.value == 0.0 or score.status == "timeout" else None


def paths(score: Score, prefix: str = "") -> Iterator[str]:
    """Everything that `stream_at` finds."""
    yield from (prefix + name for name in score.dense)
    for name, part in score.parts.items():
        yield prefix + name
        yield from paths(part, f"{prefix}{name}/")
