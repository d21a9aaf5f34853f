"""Text that somebody wrote, as tokens: what looks like a special token in it is letters.

A tokenizer takes `<|im_end|>` or `<image>` in a text for the end of a turn or a picture's place. A policy can spell
them out of other tokens, and so can a tool, a reference and an attack: only a chat template's own are meant.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from functools import cached_property
from typing import Any

_LOCK = threading.Lock()  # a fast tokenizer is told by an attribute whether special tokens are letters


class Wording:
    """One tokenizer's special tokens, and texts in which they are letters."""

    def __init__(self, tokenizer: Any, further: Iterable[str] = ()) -> None:
        """
        Args:
            tokenizer: of transformers.
            further: spellings that are special beside those that the tokenizer calls so: a picture's placeholder.
        """
        self.tokenizer, self.further = tokenizer, tuple(further)

    @cached_property
    def special(self) -> tuple[str, ...]:
        """The spellings of special tokens, the longest first. More than those with a role: a model has others, that
        head its turns or begin a file.
        """
        added = getattr(self.tokenizer, "added_tokens_decoder", {}).values()
        marked = [str(token.content) for token in added if token.special]
        named = getattr(self.tokenizer, "all_special_tokens", ())
        return tuple(sorted({*marked, *named, *self.further} - {""}, key=lambda one: (-len(one), one)))

    @cached_property
    def _ids(self) -> frozenset[int]:
        return frozenset(self.tokenizer.convert_tokens_to_ids(list(self.special)) if self.special else ())

    def tokens(self, text: str) -> tuple[int, ...]:
        """Token ids of a text, nothing added, none of them special (the unknown token apart: what no token spells)."""
        ids = self.tokenizer.encode(text, add_special_tokens=False) if text else ()
        return tuple(ids) if self._ids.isdisjoint(ids) else self._as_letters(text)

    def _as_letters(self, text: str) -> tuple[int, ...]:
        with _LOCK:
            ids = self.tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)
        if self._ids.isdisjoint(ids):
            return tuple(ids)
        # A tokenizer that does not know the option, or a spelling that it does not call special: cut behind its first
        # letter, it is in no piece whole.
        cuts = {found.start() + 1 for one in self.special for found in re.finditer(f"(?={re.escape(one)})", text)}
        ends = [*sorted(cuts - {len(text)}), len(text)]
        pieces = [text[start:end] for start, end in zip([0, *ends], ends, strict=False)]
        return tuple(id for one in pieces for id in self.tokenizer.encode(one, add_special_tokens=False))

    def inert(self, text: str) -> str:
        """The text with a space in each special token's spelling, for chat templates, which take text alone."""
        for token in self.special:
            text = text.replace(token, f"{token[:1]} {token[1:]}")
        return text
