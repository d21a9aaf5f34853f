"""Features of rollouts, for rewards that compare what a policy does with what a reference did.

A feature function takes a rollout and gives rows of numbers, all of one width: one row for the whole rollout, or one
per turn or per policy step. Rollouts that come from a file of reference completions have an example with an id alone:
a function looks at what was said and done, and at nothing else of the example.
"""

from __future__ import annotations

import importlib
import math
import zlib
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from guerdon.errors import ConfigError, RewardError
from guerdon.parsing.words import words
from guerdon.types import Per, Rollout

Features = Callable[[Rollout], Sequence[Sequence[float]]]
WIDTH = 256
"""Buckets of `words_of`; two words share one now and then."""


def words_of(rollout: Rollout) -> list[list[float]]:
    """One row: how often the completion has each word, hashed; and its length."""
    return [_bag([("", rollout.completion)])]


def words_of_turns(rollout: Rollout) -> list[list[float]]:
    """One row per turn of the policy: its words, and those that stood before it (state and action)."""
    rows, before = [], str(rollout.prompt.observation or "")
    for segment in rollout.segments:
        if segment.author == "policy":
            rows.append(_bag([("", segment.text), ("before ", before)]))
        else:
            before = segment.text
    return rows


def _bag(texts: Sequence[tuple[str, str]]) -> list[float]:
    """log(1 + count) per bucket, scaled to length 1, then log(1 + number of words) of the first text."""
    counts, lengths = [0] * WIDTH, []
    for kind, text in texts:
        found = words(text[:1_000_000])
        lengths.append(len(found))
        for word in found:
            counts[zlib.crc32((kind + word).encode("utf-8", "surrogatepass")) % WIDTH] += 1
    row = [math.log1p(count) for count in counts]
    length = math.sqrt(sum(value * value for value in row)) or 1.0
    return [*(value / length for value in row), math.log1p(lengths[0])]


BUILT_IN: dict[tuple[str, Per], Features] = {("words", "rollout"): words_of, ("words", "turn"): words_of_turns}


def feature_function(name: str, per: Per) -> Features:
    """The function that `name` means: `words`, or "module:function".

    Raises:
        ConfigError: there is none, or `words` is asked for per policy step.
    """
    if (name, per) in BUILT_IN:
        return BUILT_IN[name, per]
    module, colon, attribute = name.partition(":")
    if not colon:
        accepted = "'words' (per rollout or per turn) and 'module:function'"
        raise ConfigError(f"features is {name!r}, per {per}; accepted are {accepted}")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"features is {name!r}, which cannot be imported: {error}") from error
    if not callable(found):
        raise ConfigError(f"features is {name!r}, a {type(found).__name__}; a function of a rollout is needed")
    return found  # type: ignore[no-any-return]


def feature_rows(features: Features, rollout: Rollout, per: Per, name: str) -> NDArray[np.float64]:
    """What the function gives for a rollout, (T, W); T is 1, its turns, or its policy steps.

    Raises:
        RewardError: it is something else, or has a number that is not finite. That is a bug in the function.
    """
    rows = np.asarray(features(rollout), dtype=np.float64)
    wanted = {"rollout": 1, "turn": len(rollout.turns), "step": rollout.steps}[per]
    if not wanted:
        return np.zeros((0, 0))
    if rows.ndim != 2 or len(rows) != wanted or not rows.shape[1] or not np.isfinite(rows).all():
        found = f"an array of the shape {rows.shape}" if rows.ndim != 2 or len(rows) != wanted else "odd numbers"
        raise RewardError(
            f"features {name!r} gave {found} for example {rollout.example.id!r}; {wanted} rows of finite numbers are "
            f"needed, one per {per}"
        )
    return rows
