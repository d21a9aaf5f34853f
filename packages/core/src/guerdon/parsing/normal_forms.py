"""Unicode's compatibility form (NFKC) of texts that anybody may have written, in linear time and of a bounded length.

`unicodedata.normalize` sorts runs of combining marks by insertion, in time that grows with the square of its length.
And a few characters stand for a whole phrase: U+FDFA becomes 18.

It covers time and length alone. Letters of other scripts that look alike stay other letters, and characters without
width stay.
"""

from __future__ import annotations

import re
import unicodedata

MOST_MARKS = 30
"""Marks in one run that count: no text of any language has more, by UAX 15 (its Stream-Safe Text Format)."""
MOST_CHARACTERS = 6
"""The longest that one character may become. Beyond are U+FDFA and U+FDFB alone, of 18 and 8: phrases, in one sign."""


def nfkc(text: str) -> str:
    r"""The text in compatibility form: at most 30 marks of a run, and at most 6 characters for each that it had.

    Surplus marks are cut, where UAX 15 would put a joiner between them. A character that would become more than six
    stays as it is.

    >>> nfkc("ﬁne Ｔｅｘｔ"), len(nfkc("a" + "\u0301\u0323" * 1000)), len(nfkc("\ufdfa"))
    ('fine Text', 30, 1)
    """
    if text.isascii():
        return text
    forms = {each: unicodedata.normalize("NFKC", each) for each in set(text)}
    if marks := "".join(each for each, form in forms.items() if unicodedata.combining(form[0])):
        one = f"[{re.escape(marks)}]"
        text = re.sub(f"({one}{{{MOST_MARKS}}}){one}+", r"\1", text)
    if phrases := "".join(each for each, form in forms.items() if len(form) > MOST_CHARACTERS):
        pieces = re.split(f"([{re.escape(phrases)}]+)", text)  # every other piece is a run of them
        pieces[::2] = (unicodedata.normalize("NFKC", piece) for piece in pieces[::2])
        return "".join(pieces)
    return unicodedata.normalize("NFKC", text)
