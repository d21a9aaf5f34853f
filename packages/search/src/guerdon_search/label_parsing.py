r"""From what a verifier wrote to labels. Nothing is evaluated: the published parser runs bracketed output as code.

Three readers, for three uses. `labels_in` is format-blind, as the released reward is: a policy in training may not have
learnt the shape yet. `labels_alone` is so too, and takes no other word beside the labels. `verdicts` is for a judge
whose labels become a reward of somebody else: a JSON array of labels and nothing beside it, or no verdict at all, so
that what a judge merely quotes never counts.

Time and memory are linear in the text. Source: Search-Gen-V (arXiv 2510.14660) [code].
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from guerdon.judges import Unparsed
from guerdon_search.label_formats import FORMATS, MAX_CHARS, json_labels
from guerdon_search.labels import Label, is_label

OPEN, CLOSE = "<reasoning>", "</reasoning>"

_ELEMENT = re.compile(r"<label>([^<>]{0,64})</label>")
_NUMBER = re.compile(r"^\s*\d{1,6}\.\s*")
_FENCE = re.compile(rf"^```(?:{'|'.join((*FORMATS, 'python', 'text'))})?[ \t\r]*$", re.MULTILINE)
_TAG = re.compile(r"</?labels?>")
_BETWEEN = re.compile(r"[\s\[\],'\"|*-]+")
"""What stands between words in any shape; lines' numbers, tags and fences apart."""


@dataclass(frozen=True)
class Completion:
    """What a verifier wrote, taken apart."""

    opened: int
    """How many opening tags there are."""
    tagged: bool
    """Exactly one tag of each kind, the opening one first."""
    reasoning: str
    """Inside the tags; empty without them."""
    labels: str
    """What stands after the last closing tag, or the whole text where there is none; without surrounding space."""


def taken_apart(text: str) -> Completion:
    """Reasoning and label part of a completion.

    >>> taken_apart("<reasoning>it says so</reasoning> support").labels
    'support'
    """
    opened, closed = text.count(OPEN), text.count(CLOSE)
    start, end = text.find(OPEN), text.find(CLOSE)
    if not (opened == closed == 1 and start < end):
        return Completion(opened, False, "", text.rpartition(CLOSE)[2].strip())
    return Completion(opened, True, text[start + len(OPEN) : end].strip(), text[end + len(CLOSE) :].strip())


def labels_in(text: str) -> tuple[Label, ...]:
    r"""The labels of a label part, whatever its shape: the first reading that finds any.

    In order: JSON; a bracketed list of quoted words; lines that are a label once asterisks, dashes and space are gone;
    `<label>` elements; words between commas; between tabs; lines behind their number; between bars. Words that are no
    label are dropped. Empty where no reading finds one.

    >>> labels_in("1. support\n2. no idea\n3. not_support")
    ('support', 'not_support')
    >>> labels_in("[__import__('os').getcwd(), 'support']")
    ('support',)
    """
    text = text.strip()
    if not text or len(text) > MAX_CHARS:
        return ()
    for read in _READINGS:
        found = tuple(word for word in read(text) if is_label(word))
        if found:
            return found
    return ()


def labels_alone(text: str) -> tuple[Label, ...]:
    r"""The labels of a label part that says nothing else, whatever its shape; empty where it does.

    A fence of code around it is no word, and neither is a line's number; another word is, and so are a label that
    `labels_in` passes over and whatever a JSON object holds beside one `labels`.

    >>> labels_alone("1. support\n2. not_support"), labels_alone("1. support\n2. no idea\n3. not_support")
    (('support', 'not_support'), ())
    """
    found = labels_in(text)
    return found if found and found == tuple(_words(text)) else ()


def _words(text: str) -> Sequence[str]:
    """Every word of a label part, labels or not."""
    plain = _FENCE.sub("", text).strip()
    if (words := json_labels(plain)) is not None:
        return words
    lines = (_NUMBER.sub("", line) for line in _TAG.sub("\n", plain).split("\n"))
    return [word for line in lines for word in _BETWEEN.split(line) if word]


def _bracketed(text: str) -> Sequence[str]:
    start, end = text.find("["), text.rfind("]")
    if not 0 <= start < end:
        return ()
    words = [word.strip() for word in text[start + 1 : end].split(",")]
    return [word[1:-1] for word in words if len(word) > 2 and word[0] == word[-1] and word[0] in "'\""]


_READINGS: tuple[Callable[[str], Sequence[str]], ...] = (
    lambda text: json_labels(text, "released") or (),
    _bracketed,
    lambda text: [line.strip("*- \t\r") for line in text.split("\n")],
    lambda text: [found.strip() for found in _ELEMENT.findall(text)],
    lambda text: [word.strip() for word in text.split(",")],
    lambda text: [word.strip() for word in text.split("\t")],
    lambda text: [_NUMBER.sub("", line).strip() for line in text.split("\n")],
    lambda text: [word.strip() for word in text.split("|")],
)


def verdicts(text: str) -> tuple[Label, ...]:
    """A judge's answer: one block of reasoning or none, then a JSON array of labels and nothing else.

    Raises:
        Unparsed: it is anything else.

    >>> verdicts('<reasoning>the year is there</reasoning>["support", "not_support"]')
    ('support', 'not_support')
    """
    parts = taken_apart(text)
    if (OPEN in text or CLOSE in text) and not (parts.tagged and text.lstrip().startswith(OPEN)):
        raise Unparsed(f"its reasoning is not one block at the start: {text[:80]!r}")
    words = json_labels(parts.labels)
    if words is None or not words:
        raise Unparsed(f"not a JSON array of labels: {parts.labels[:80]!r}")
    if wrong := [word for word in words if not is_label(word)]:
        raise Unparsed(f"no label: {wrong[0][:80]!r}")
    return tuple(word for word in words if is_label(word))
