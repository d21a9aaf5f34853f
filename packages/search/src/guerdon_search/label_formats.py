r"""The ten shapes in which a verifier is asked for its labels: how each is written, and how it is recognised.

The released reward tests a shape by its marks alone: a comma makes `csv`. A single label has no comma, so that `csv`,
`tsv`, `pipe_separated` and `comma_separated` cannot be earned with one nugget; `bare="accepted"` takes the label alone
for those four, and is the default of what is built on this. Source: Search-Gen-V (arXiv 2510.14660) [code].
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Literal, get_args

from guerdon.parsing.json_objects import each_once
from guerdon_search.labels import Label, is_label

Format = Literal[
    "json",
    "csv",
    "python_list",
    "yaml",
    "markdown",
    "xml",
    "tsv",
    "pipe_separated",
    "numbered",
    "comma_separated",
]
Bare = Literal["accepted", "released"]
"""Whether one label alone has the shapes that need a separator."""
Beside = Literal["refused", "released"]
"""What a JSON object may hold beside one `labels`: nothing, or, as released, anything, of two equal names the last."""
FORMATS: tuple[Format, ...] = get_args(Format)
SEPARATED: frozenset[Format] = frozenset({"csv", "tsv", "pipe_separated", "comma_separated"})
"""Shapes that are seen by their separator."""

MAX_CHARS = 20_000
"""Longer label parts have no shape: ten labels take two hundred characters."""
_NUMBERED = re.compile(r"\d+\. \w+")

ASKED: Mapping[Format, str] = {
    "json": 'a JSON array of strings: ["support", "not_support"]',
    "csv": "words with commas and no spaces between: support,not_support",
    "python_list": "a Python list: ['support', 'not_support']",
    "yaml": "one line for each, with a dash: - support",
    "markdown": "one line for each, with an asterisk: * support",
    "xml": "<labels>, then one line <label>support</label> for each, then </labels>",
    "tsv": "words with one tab between",
    "pipe_separated": "words with bars between: support|not_support",
    "numbered": "one line for each, with its number: 1. support",
    "comma_separated": "words with a comma and a space between: support, not_support",
}
"""What a prompt says of each."""


def written(labels: Sequence[Label], shape: Format) -> str:
    r"""Labels in that shape.

    >>> written(("support", "not_support"), "numbered")
    '1. support\n2. not_support'
    """
    match shape:
        case "json":
            return json.dumps(list(labels))
        case "csv":
            return ",".join(labels)
        case "python_list":
            return repr(list(labels))
        case "yaml":
            return "\n".join(f"- {label}" for label in labels)
        case "markdown":
            return "\n".join(f"* {label}" for label in labels)
        case "xml":
            return "\n".join(("<labels>", *(f"<label>{label}</label>" for label in labels), "</labels>"))
        case "tsv":
            return "\t".join(labels)
        case "pipe_separated":
            return "|".join(labels)
        case "numbered":
            return "\n".join(f"{number}. {label}" for number, label in enumerate(labels, 1))
        case "comma_separated":
            return ", ".join(labels)


def has_format(text: str, shape: Format, bare: Bare = "accepted") -> bool:
    """Whether a label part has the shape that was asked for.

    Args:
        text: what stands after the reasoning.
        shape: the shape asked for.
        bare: `accepted`: one label alone will do where the shape is seen by a separator; `released`: it will not.

    >>> has_format("support", "csv"), has_format("support", "csv", bare="released")
    (True, False)
    """
    text = text.strip()
    if not text or len(text) > MAX_CHARS:
        return False
    if bare == "accepted" and shape in SEPARATED and is_label(text):
        return True
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    match shape:
        case "json":
            return json_labels(text, "released" if bare == "released" else "refused") is not None
        case "csv":
            return "," in text and not text.startswith("[")
        case "python_list":
            return text.startswith("[") and text.endswith("]")
        case "yaml":
            return all(line.startswith("- ") for line in lines)
        case "markdown":
            return all(line.startswith("* ") for line in lines)
        case "xml":
            return text.startswith("<labels>") and text.endswith("</labels>") and "<label>" in text
        case "tsv":
            return "\t" in text
        case "pipe_separated":
            return "|" in text
        case "numbered":
            return all(_NUMBERED.fullmatch(line) for line in lines)
        case "comma_separated":
            return ", " in text and not text.startswith("[")


def json_labels(text: str, beside: Beside = "refused") -> list[str] | None:
    """The strings of a JSON array, or of the array `labels` of a JSON object; None where the text is neither.

    Args:
        text: of at most `MAX_CHARS` characters; a longer one has no labels.
        beside: `refused`: an object holds nothing but `labels`, once; `released`: the last `labels` of any object.

    >>> json_labels('{"labels": ["support"]}')
    ['support']
    """
    if len(text) > MAX_CHARS:
        return None
    try:
        value = json.loads(text, object_pairs_hook=each_once if beside == "refused" else None)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, dict):
        value = value.get("labels") if beside == "released" or len(value) == 1 else None
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return value
    return None
