"""When a completion ends: end-of-turn tokens, stop strings and budgets, watched while tokens arrive; and whether there
is room for one at all.

Stop strings are looked for in decoded text, since they need not fall on token boundaries. Decoding every row at every
step would cost more than a small model's forward pass: a token is looked at only when its own text holds the last
character of some stop string (or an unfinished character), and then only the tail that can hold the string is decoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from guerdon.errors import PolicyError
from guerdon.protocols import Generation, Sampling

_UNFINISHED = "\ufffd"
"""What decoders write for bytes that do not make a character yet."""


class StopStrings:
    """Looks for stop strings at the end of a growing list of tokens."""

    def __init__(self, tokenizer: Any, stops: Sequence[str]) -> None:
        if stops and tokenizer is None:
            raise PolicyError(f"stop strings {tuple(stops)!r} need a tokenizer; this engine was built without one")
        if "" in stops:
            raise PolicyError(
                "an empty stop string would end every completion before it starts; remove it from `sampling.stop`"
            )
        self._tokenizer = tokenizer
        self._stops = tuple(stops)
        self._last = frozenset(stop[-1] for stop in stops)
        # Each token brings at least one byte, so this many tokens hold any stop string; four more finish a character.
        self._window = max((len(stop.encode()) for stop in stops), default=0) + 4
        self._texts: dict[int, str] = {}

    def hit(self, tokens: Sequence[int]) -> bool:
        """Whether the newest token completed a stop string."""
        if not self._stops:
            return False
        newest = tokens[-1]
        text = self._texts.get(newest)
        if text is None:
            text = self._texts[newest] = decode(self._tokenizer, [newest])
        if _UNFINISHED not in text and self._last.isdisjoint(text):
            return False
        tail = decode(self._tokenizer, tokens[-self._window :])
        return any(stop in tail for stop in self._stops)


def decode(tokenizer: Any, tokens: Sequence[int]) -> str:
    """The text of tokens, special ones and spaces kept as they are."""
    return str(tokenizer.decode(list(tokens), skip_special_tokens=False, clean_up_tokenization_spaces=False))


def cut_after(text: str, stops: Sequence[str]) -> str:
    """The text up to the end of the stop string that is complete first; all of it where none is in it."""
    ends = [place + len(stop) for stop in stops if (place := text.find(stop)) >= 0]
    return text[: min(ends)] if ends else text


def end_ids(model: Any, tokenizer: Any = None) -> frozenset[int]:
    """The ids that end a turn: those of the generation configuration, and the tokenizer's end token."""
    found: set[int] = set()
    for source in (getattr(model, "generation_config", None), model.config, text_config(model)):
        ids = getattr(source, "eos_token_id", None)
        found.update([ids] if isinstance(ids, int) else ids or [])
    ids = getattr(tokenizer, "eos_token_id", None)
    if isinstance(ids, int):
        found.add(ids)
    return frozenset(found)


def nothing_to_draw(
    prompts: Sequence[Sequence[int]], n: int, sampling: Sampling, limit: int | None
) -> list[list[Generation]] | None:
    """How every engine's `generate` begins: refuse prompts that cannot be continued, and answer at once where no token
    is asked for.

    Args:
        prompts: token ids.
        n: completions of each.
        sampling: `max_tokens` is the room each completion needs.
        limit: tokens of prompt and completion together; None where nobody says.

    Returns:
        n empty completions per prompt; None where there is something to draw.

    Raises:
        PolicyError: a prompt is empty, or leaves no room for `sampling.max_tokens`.
    """
    for index, prompt in enumerate(prompts):
        if not prompt:
            raise PolicyError(f"prompt {index} has no tokens; a completion needs at least one to follow")
        if limit and len(prompt) + sampling.max_tokens > limit:
            raise PolicyError(
                f"prompt {index} has {len(prompt)} tokens and sampling.max_tokens={sampling.max_tokens}, "
                f"together more than the model's context of {limit}. Shorten the prompt, or lower max_tokens."
            )
    if prompts and n > 0 and sampling.max_tokens > 0:
        return None
    return [[Generation((), (), "length") for _ in range(n)] for _ in prompts]


def context_of(model: Any) -> int | None:
    """Tokens of prompt and completion together that a model was built for; None where it does not say."""
    length = getattr(text_config(model), "max_position_embeddings", None)
    return int(length) if length else None


def text_config(model: Any) -> Any:
    """The configuration of the part that reads text: the model's own, or a vision-language model's inner one."""
    inner = getattr(model.config, "get_text_config", None)
    return model.config if inner is None else inner()
