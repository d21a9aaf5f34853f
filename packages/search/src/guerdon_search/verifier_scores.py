r"""What a nugget verifier earns for its labels: the four parts of Search-Gen-V's training reward, as pure functions.

$$0.35\,F_1 + 0.35\,PM + 0.20\,RSN + 0.10\,FMT$$

| part | |
|---|---|
| F1 | mean over classes of the F1 between predicted and true labels, position by position |
| PM | 1 if the sequence is the true one |
| RSN | 1 if there is one block of reasoning and neither it nor what follows is empty; 0.5 if one of the two is |
| FMT | 1 if the label part has the shape that was asked for |

The whole is 0 with more than one `<reasoning>`, with another number of labels than nuggets, and where F1 is 0.

**Readings.** `released` counts a class that neither sequence has as F1 = 1, which pays answers that are wrong in every
place (0.416667 for two of two wrong), and gives no FMT for a single label where the shape is seen by its separator.
`released` also drops words that are no label. `repaired`, the default everywhere, takes the mean over the classes that
the truth has, takes a single label alone, and gives 0 to labels with other words beside them (a hedge, a second list).
(The released function also halves something for repeated tags by a factor 0.1; it never applies, since those are 0.)

Source: Search-Gen-V (arXiv 2510.14660), released reward function [code]; the repairs are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from guerdon_search.label_formats import Bare, Format, has_format
from guerdon_search.label_parsing import labels_alone, labels_in, taken_apart
from guerdon_search.labels import LABELS, Label

Reading = Literal["repaired", "released"]
Reasoning = Literal["asked", "optional"]
"""`optional`: a completion without tags has full marks for reasoning; for small models that are not asked for any."""
WEIGHTS = {"f1": 35, "exact": 35, "reasoning": 20, "format": 10}
"""In hundredths, so that full marks are 1 to the last bit."""


@dataclass(frozen=True)
class VerifierScore:
    """The parts, the total, and why a total is 0."""

    f1: float = 0.0
    exact: float = 0.0
    reasoning: float = 0.0
    format: float = 0.0
    total: float = 0.0
    why: str = ""
    labels: tuple[Label, ...] = ()
    """What was read."""


def macro_f1(predicted: Sequence[Label], truth: Sequence[Label], reading: Reading = "repaired") -> float:
    """The mean over classes of F1, position by position.

    Args:
        predicted: n labels.
        truth: n labels, n >= 1.
        reading: `repaired`: over the classes in `truth`; `released`: over all three, where one that neither has is 1.

    Returns:
        In [0, 1].

    Raises:
        ValueError: other numbers of labels, or none.

    >>> wrong, right = ("not_support", "not_support"), ("support", "support")
    >>> round(macro_f1(wrong, right, "released"), 6), macro_f1(wrong, right)
    (0.333333, 0.0)
    """
    if len(predicted) != len(truth) or not truth:
        raise ValueError(
            f"{len(predicted)} predicted and {len(truth)} true labels; the same number, at least 1, is needed"
        )
    values = []
    for label in LABELS:
        if reading == "repaired" and label not in truth:
            continue
        hits = sum(one == other == label for one, other in zip(predicted, truth, strict=True))
        counted = sum(one == label for one in predicted) + sum(one == label for one in truth)
        values.append(2.0 * hits / counted if counted else 1.0)
    return sum(values) / len(values)


def reasoning_share(text: str, reasoning: Reasoning = "asked") -> float:
    """RSN: 1, 0.5 or 0."""
    parts = taken_apart(text)
    if not parts.tagged:
        untagged = reasoning == "optional" and parts.opened == 0 and "</reasoning>" not in text
        return float(untagged and bool(parts.labels))
    return 1.0 if parts.reasoning and parts.labels else 0.5


def verifier_score(
    text: str,
    truth: Sequence[Label],
    asked: Format,
    reading: Reading = "repaired",
    reasoning: Reasoning = "asked",
) -> VerifierScore:
    """The reward of one completion, in [0, 1].

    Args:
        text: the verifier's completion.
        truth: the labels of the nuggets that it was shown, in order; at least one.
        asked: the shape that the prompt asked for.
        reading: see the module's head.
        reasoning: whether reasoning is asked for.

    Raises:
        ValueError: there is no true label.

    >>> truth = ("support", "not_support", "partial_support")
    >>> verifier_score("<reasoning>a</reasoning> support,not_support,not_support", truth, "csv").total
    0.4944444444444444
    """
    if not truth:
        raise ValueError("there is no true label; a block has at least one nugget")
    parts = taken_apart(text)
    if parts.opened > 1:
        return VerifierScore(why=f"{parts.opened} <reasoning> tags; one is asked for")
    found = labels_in(parts.labels)
    if not found:
        return VerifierScore(why="no label in what stands after the reasoning")
    if reading == "repaired" and not labels_alone(parts.labels):
        return VerifierScore(why="other words beside the labels", labels=found)
    if len(found) != len(truth):
        return VerifierScore(why=f"{len(found)} labels for {len(truth)} nuggets", labels=found)
    f1 = macro_f1(found, truth, reading)
    bare: Bare = "released" if reading == "released" else "accepted"
    exact = float(found == tuple(truth))
    thought, shape = reasoning_share(text, reasoning), float(has_format(parts.labels, asked, bare))
    if f1 == 0.0:
        return VerifierScore(0.0, exact, thought, shape, 0.0, "every label is wrong", found)
    total = WEIGHTS["f1"] * f1 + WEIGHTS["exact"] * exact + WEIGHTS["reasoning"] * thought + WEIGHTS["format"] * shape
    return VerifierScore(f1, exact, thought, shape, total / 100, "", found)
