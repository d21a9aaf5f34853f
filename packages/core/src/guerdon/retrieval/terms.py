"""The terms of a text, as lexical retrievers count them."""

from __future__ import annotations

from guerdon.parsing.normal_forms import nfkc
from guerdon.parsing.words import words


def terms(text: str) -> list[str]:
    """The words of a text without marks, case folded, in compatibility form (NFKC); of Chinese or Japanese script each
    character is one. No stemming, and no word is left out as too common.

    >>> terms("Der Fuß, ﬁnally: H₂O 好的!")
    ['der', 'fuss', 'finally', 'h2o', '好', '的']
    """
    return [word for word in words(nfkc(text).casefold()) if word[0].isalnum() or word[0] == "_"]
