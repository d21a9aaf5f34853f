"""What length costs: so much per token beyond a free allowance. PAR applies it before every shaping that it compares.

PAR's repository has it on by default for every method but one, as the first step of the pipeline: a comparison without
it is a different experiment. Source: arXiv:2502.18770, its released code.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from guerdon.errors import ConfigError
from guerdon.fields import check_numbers
from guerdon.parsing.words import words
from guerdon.rewards.base import Reward
from guerdon.types import Rollout, Score


@dataclass(frozen=True)
class LengthPenalty(Reward, name="length-penalty-v1", bounds=(-math.inf, 0.0)):
    """`-per_token * max(0, length - free)`.

    Add it by `Every.of(reward, LengthPenalty())` (a recipe's `every-v1`), so that an answer without a reward is not
    scored by its penalty alone; in a plain `reward + LengthPenalty()`, one that abstains would be.

    The length is the policy's own tokens, over all its turns. A rollout may come as text alone (a stored reference
    answer, a row of `guerdon score` or a server): `instead` says what is then counted, and `why` that it was.

    >>> from guerdon.types import Example
    >>> LengthPenalty(instead="words")(Rollout.of(Example(id="1"), "so " * 420))
    Score(-1.2, why='420 words (there are no token ids), 120 beyond 300')
    """

    per_token: float = 0.01
    free: int = 300
    """Tokens that cost nothing."""
    instead: Literal["words", "characters", "abstain"] = "words"
    """Counted where there are no token ids: words as `guerdon.rewards.penalties.words` has them (a mark is one, and so
    is a character of Chinese or Japanese script), or Unicode code points; `abstain` has no number then. Words are fewer
    than tokens (about three for four in English), and so penalised later."""
    unit: Literal["tokens", "text"] = "tokens"
    """`text` counts by `instead` even where there are token ids: for answers compared with others that have none."""

    def __post_init__(self) -> None:
        check_numbers(self)
        if not 0.0 <= self.per_token < math.inf:
            raise ConfigError(f"length-penalty.per_token is {self.per_token!r}; a finite number >= 0 is needed")
        if self.free < 0:
            raise ConfigError(f"length-penalty.free is {self.free!r}; a number of tokens >= 0 is needed")
        if self.instead not in ("words", "characters", "abstain"):
            raise ConfigError(
                f"length-penalty.instead is {self.instead!r}; accepted are 'words', 'characters', 'abstain'"
            )

        if self.unit not in ("tokens", "text") or (self.unit == "text" and self.instead == "abstain"):
            raise ConfigError(
                f"length-penalty.unit is {self.unit!r} and instead {self.instead!r}; accepted are 'tokens', and 'text' "
                f"with 'words' or 'characters'"
            )

    def score(self, rollout: Rollout) -> Score:
        """The penalty, and the length that it is for."""
        turns = rollout.turns
        if self.unit == "tokens" and all(turn.token_ids or not turn.text for turn in turns):
            length, unit = sum(len(turn.token_ids) for turn in turns), "tokens"
        elif self.instead == "abstain":
            return Score.unscored("there are no token ids to count", status="abstain")
        else:
            count = (lambda text: len(words(text))) if self.instead == "words" else len
            why = "there are no token ids" if self.unit == "tokens" else "as told"
            length, unit = sum(count(turn.text) for turn in turns), f"{self.instead} ({why})"
        beyond = max(0, length - self.free)
        return Score(-self.per_token * beyond, f"{length} {unit}, {beyond} beyond {self.free}")
