r"""Whether a completion keeps the layout it was asked for.

```
<reasoning>            `tags`, the paper's layout. Two readings: `tags_in_order`, 0 or 1 (the paper's; default), and
...                    `tag_score`, graded up to 0.5 (the released code's)
</reasoning>
<answer>
...
</answer>
```
`plain` is a fenced SQL block alone, for models that pay dearly for every token: `fence_alone`.
"""

from __future__ import annotations

from typing import Literal

Layout = Literal["tags", "plain"]

_OPEN, _CLOSE = "```sql\n", "\n```"
TAGS = ("reasoning", "answer")
"""The two tags of the layout, in order."""


def tags_in_order(text: str, tags: tuple[str, ...] = TAGS) -> bool:
    """Whether each tag opens once and closes once, all of them in order.

    What stands between, before and after the tags is free. A tag that occurs twice fails: it would leave open which
    part is the answer.

    Source: Reasoning-SQL, the paper's binary reading; "once" is ours.

    >>> tags_in_order("<reasoning>easy</reasoning><answer>SELECT 1</answer>")
    True
    >>> tags_in_order("<answer>SELECT 1</answer><reasoning>easy</reasoning>")
    False
    """
    place = -1
    for tag in tags:
        for mark in (f"<{tag}>", f"</{tag}>"):
            found = text.find(mark)
            if found <= place or text.find(mark, found + 1) >= 0:
                return False
            place = found
    return True


def fence_alone(text: str) -> bool:
    r"""Whether the text is one fenced SQL block with something in it, and nothing else but white space around it.

    >>> fence_alone("```sql\nSELECT 1\n```")
    True
    >>> fence_alone("Here it is:\n```sql\nSELECT 1\n```")
    False
    """
    text = text.strip()
    framed = text.startswith(_OPEN) and text.endswith(_CLOSE) and text.count("```") == 2
    return framed and bool(text[len(_OPEN) : -len(_CLOSE)].strip())


def tag_score(text: str) -> float:
    r"""The released code's graded layout score, $X(o) \le 0.5$, without a lower bound.

    An eighth for each of `<reasoning>\n`, `\n</reasoning>\n`, `\n<answer>\n` and `\n</answer>` that occurs exactly
    once; the third loses 0.001 for every character after the last `\n</answer>\n` (of the whole text, where that string
    does not occur), the fourth 0.001 for every character but one after the last `\n</answer>`.

    So a text that ends exactly at the closing tag loses 0.001 per character of *all* of it: an artefact of the
    original's string split, kept here because this is the faithful reading. `tags_in_order` is the default.

    Source: Reasoning-SQL, released code.

    >>> tag_score("<reasoning>\neasy\n</reasoning>\n<answer>\nSELECT 1\n</answer>\n")
    0.5
    """
    score = 0.0
    if text.count("<reasoning>\n") == 1:
        score += 0.125
    if text.count("\n</reasoning>\n") == 1:
        score += 0.125
    if text.count("\n<answer>\n") == 1:
        score += 0.125 - 0.001 * len(text.split("\n</answer>\n")[-1])
    if text.count("\n</answer>") == 1:
        score += 0.125 - 0.001 * (len(text.split("\n</answer>")[-1]) - 1)
    return score
