"""Simple corruptions of a reference completion: something to compare rewards on before a policy has written anything.

They are not what a policy writes. A reward that ranks them well may still be fooled by what is optimised against it.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence


def corruptions(reference: str, others: Sequence[str], *, seed: str) -> dict[str, str]:
    """Completions by what was done to them: the reference as it is first, then distinct texts alone.

    Args:
        reference: a completion that earns the top.
        others: references of other examples, one of which is taken.
        seed: of all draws; an example's id.

    >>> list(corruptions("SELECT a FROM t", ["SELECT 1"], seed="1"))
    ['reference', 'first half', 'a word dropped', 'words shuffled', 'twice', "another's", 'empty']
    """
    draw = random.Random(seed)
    pieces = re.split(r"(\s+)", reference)  # words and the blanks between them, in turn: a layout survives
    words = [place for place, piece in enumerate(pieces) if piece.strip()]
    made = {"reference": reference, "first half": reference[: len(reference) // 2]}
    if len(words) > 1:
        gone = draw.choice(words)
        made["a word dropped"] = "".join(pieces[:gone] + pieces[gone + 1 :])
        moved = dict(zip(words, draw.sample(words, len(words)), strict=True))
        made["words shuffled"] = "".join(pieces[moved.get(place, place)] for place in range(len(pieces)))
    made["twice"] = f"{reference}\n{reference}"
    if different := [other for other in others if other != reference]:
        made["another's"] = draw.choice(different)
    made["empty"] = ""
    distinct: dict[str, str] = {}
    for what, text in made.items():
        if text not in distinct.values():
            distinct[what] = text
    return distinct
