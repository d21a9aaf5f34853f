"""What MediX-R1's reward reads of a response: modality, layout and answer; pure functions of texts.

```
<X_RAY><thinking>why</thinking><answer>pneumonia</answer>
   tag       thinking              answer
```
Two readings. `released`: the authors' rules, rewritten from the sheet. `repaired` where they do harm: white space goes
from tags alone and not from around every `<`, `>` and `/` ("BP 120 / 80" stays); each tag stands once; the answer may
hold a colon ("T2: bright") and is limited in length instead; letter case does not make an answer another one.

Source: MediX-R1 (arXiv 2602.23363), sheet's definitions 1 to 6 [code].
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Reading = Literal["repaired", "released"]
MODALITIES = (
    "X_RAY",
    "MICROSCOPY",
    "CLINICAL_PHOTOGRAPHY",
    "CT_SCAN",
    "GRAPHICS",
    "ANGIOGRAPHY",
    "PET_SCAN",
    "ULTRASOUND",
    "MRI_SCAN",
    "FUNDUS_PHOTOGRAPHY",
    "OCT_SCAN",
    "ENDOSCOPY",
    "MAMMOGRAPHY",
    "FLUOROSCOPY",
    "OTHER",
    "SPECT",
)
"""What an image can be, as the tags of the authors' rows; rows without an image are OTHER [choice]."""
BANNED = ("__", ":", "?")
"""What makes an answer worthless as released."""
MAX_CHARS = 300
"""Of an answer, as repaired [choice]: a diagnosis in a sentence fits, a list of everything does not."""

_THINKING, _END_THINKING, _ANSWER, _END_ANSWER = "<thinking>", "</thinking>", "<answer>", "</answer>"
# Neither pattern tries one run of white space from each of its places, so that a million blanks cost a million steps.
_AROUND = re.compile(r"(?<!\s)\s+(?=[<>/])|(?<=[<>/])\s+")
_LOOSE_TAG = re.compile(rf"<\s*+(/?)\s*+(thinking|answer|{'|'.join(MODALITIES)})\s*+>", re.IGNORECASE)
_MIDDLE = re.compile(rf"{_END_THINKING}\s*+{_ANSWER}")


@dataclass(frozen=True)
class Solution:
    """A reference: `<TAG>answer`."""

    tag: str
    """With its brackets: `<X_RAY>`."""
    answer: str


def solution_of(text: str) -> Solution | None:
    """Tag and answer, split at the first `>`; dots are taken off the answer's ends. None where there is no `>`.

    >>> solution_of("<X_RAY>Pneumonia.")
    Solution(tag='<X_RAY>', answer='Pneumonia')
    """
    tag, bracket, rest = text.partition(">")
    return Solution(tag + bracket, _bare(rest)) if bracket else None


def squeezed(text: str, reading: Reading = "repaired") -> str:
    """The response without the white space that models put into tags.

    >>> squeezed("< x_ray > <answer>120 / 80</ answer>"), squeezed("< x_ray > <answer>120 / 80</ answer>", "released")
    ('<x_ray> <answer>120 / 80</answer>', '<x_ray><answer>120/80</answer>')
    """
    return _AROUND.sub("", text) if reading == "released" else _LOOSE_TAG.sub(r"<\1\2>", text)


def has_layout(text: str, reading: Reading = "repaired") -> bool:
    """Whether a squeezed response is thinking and answer, and nothing else, from its first `<thinking>` on.

    As released the last `</answer>` has to end it, and other tags may stand between; repaired each stands once in the
    whole response: an answer before the thinking is not the one that the layout holds.
    """
    start = text.find(_THINKING)
    if start < 0:
        return False
    rest = text[start:].strip()
    middle = _MIDDLE.search(rest, len(_THINKING))
    if middle is None or not rest.endswith(_END_ANSWER) or middle.end() > len(rest) - len(_END_ANSWER):
        return False
    return reading == "released" or all(
        text.count(tag) == 1 for tag in (_THINKING, _END_THINKING, _ANSWER, _END_ANSWER)
    )


def answer_of(text: str) -> str:
    """What a squeezed response answers: its first `<answer>` block, else the whole of it; dots off its ends."""
    start = text.find(_ANSWER)
    end = text.find(_END_ANSWER, start + len(_ANSWER)) if start >= 0 else -1
    return _bare(text[start + len(_ANSWER) : end] if end >= 0 else text)


def why_worthless(
    answer: str, banned: tuple[str, ...] = (), max_chars: int | None = MAX_CHARS, least_chars: int = 2
) -> str:
    """Why an answer earns nothing whatever it says; "" where it may earn."""
    if not answer:
        return "the answer is empty"
    if len(answer) < least_chars:
        return "the answer is a single character"
    if max_chars is not None and len(answer) > max_chars:
        return f"the answer has {len(answer)} characters; at most {max_chars} count"
    found = next((mark for mark in banned if mark in answer), None)
    return "" if found is None else f"the answer holds {found!r}"


def same_answer(answer: str, gold: str, reading: Reading = "repaired") -> bool:
    """Whether nobody needs to be asked: to the letter as released; repaired, case and white space apart."""
    if reading == "released":
        return answer == gold
    return answer.casefold().split() == gold.casefold().split()


def names_modality(text: str, tag: str) -> bool:
    """Whether a squeezed response begins with the tag, and nothing but the tag, before its first `<thinking>`."""
    before, found, _ = text.partition(_THINKING)
    return bool(found) and before.strip().casefold() == tag.casefold()


def _bare(text: str) -> str:
    return text.strip().strip(".")
