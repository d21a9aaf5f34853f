"""Reading a verdict out of what a policy wrote.

| reader | what it takes |
|---|---|
| `read` | one JSON object and nothing else, no field twice and no field unknown; else the answer cannot be read |
| `read_released` | from the first `{` to the last `}`; whatever fails is REJECTED with score 0: the authors' code |
| `lenient_status` | any status that holds SELECT, APPROVE, CONSIDER or YES is SELECTED, as in their evaluation |

None repairs JSON. `read` takes no word beside the object, since that may take the verdict back ("Correction:
REJECTED."); a Markdown fence around it is no word. What a reader does not cover: whether the verdict is right.

Source: resume screening by reinforcement learning (arXiv 2511.16073), the released reward and evaluation script.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from guerdon.parsing.json_objects import each_once
from guerdon_resume.examples import CHOSEN, REFUSED

Layout = Literal["reasons", "short"]
"""What is asked for: status, score, and the `skills` and `years` they rest on; or the first two, as published."""
SELECTED, REJECTED = "SELECTED", "REJECTED"
FIELDS: Mapping[Layout, tuple[str, ...]] = {
    "reasons": ("status", "score", "skills", "years"),
    "short": ("status", "score"),
}
MOST_SCORE = 100.0
MOST_YEARS = 80.0
_LONGEST = 200_000
"""Characters of an answer; a longer one is not a verdict."""


@dataclass(frozen=True)
class Verdict:
    """What an answer says."""

    status: str = REJECTED
    """SELECTED or REJECTED; as released any word, in capitals."""
    score: float = 0.0
    """In [0, 100]; as released any whole number."""
    skills: tuple[str, ...] | None = None
    """Skills of the job that the answer finds, as it spells them; None where it names no list of texts."""
    years: float | None = None
    """Years of experience that it reads; None where it names no number of years."""
    fault: str = ""
    """Why it cannot be read; "" where it can."""


def read(text: str, layout: Layout = "reasons") -> Verdict:
    """The verdict of an answer that is one JSON object, perhaps in a Markdown fence, and nothing else.

    A score is a finite number in [0, 100] and years are one in [0, 80], with or without quotes. A missing or odd
    `skills` or `years` is None.

    >>> read('{"status": "SELECTED", "score": 81.5, "skills": ["SQL"], "years": 4}').score
    81.5
    >>> read('{"status": "MAYBE", "score": 50}').fault
    "status is 'MAYBE'; SELECTED or REJECTED is needed"
    >>> read('{"status": "SELECTED", "score": 50} Correction: REJECTED').fault
    'text stands beside the JSON object; the object alone is asked for'
    """
    found = _one_object(text)
    if isinstance(found, str):
        return Verdict(fault=found)
    if unknown := [name for name in found if name not in FIELDS[layout]]:
        return Verdict(fault=f"has the field {unknown[0][:40]!r}; asked for are {', '.join(FIELDS[layout])}")
    word = found.get("status")
    if not isinstance(word, str) or word.strip().upper() not in CHOSEN | REFUSED:
        return Verdict(fault=f"status is {_short(word)}; SELECTED or REJECTED is needed")
    score = _number(found.get("score"), MOST_SCORE)
    if score is None:
        return Verdict(fault=f"score is {_short(found.get('score'))}; a number from 0 to 100 is needed")
    skills, years = found.get("skills"), found.get("years")
    return Verdict(
        SELECTED if word.strip().upper() in CHOSEN else REJECTED,
        score,
        tuple(skills) if isinstance(skills, list) and all(isinstance(each, str) for each in skills) else None,
        _number(years, MOST_YEARS),
    )


def read_released(text: str) -> Verdict:
    """As the authors' code reads it: a whole number (cut off, not rounded; without bounds), a status in capitals.

    A status that is no text counts as a failure too [choice: not seen in the code].

    >>> read_released('so: {"status": "consider", "score": "70"}!')
    Verdict(status='CONSIDER', score=70, skills=None, years=None, fault='')
    >>> read_released("gibberish").status, read_released("gibberish").score
    ('REJECTED', 0)
    """
    first, last = text.find("{"), text.rfind("}")
    if first < 0 or last < first:
        return Verdict(REJECTED, 0, fault="no braces")
    try:
        found = json.loads(text[first : last + 1])
        return Verdict(found.get("status", REJECTED).upper(), int(found.get("score", 0)))
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        return Verdict(REJECTED, 0, fault=f"{type(error).__name__}: {error}"[:120])


def lenient_status(text: str) -> str:
    """SELECTED or REJECTED by the authors' evaluation, which reads on where their reward does not.

    >>> lenient_status('{"status": "Yes, approved", "score": 1}'), lenient_status('{"status": "no"}')
    ('SELECTED', 'REJECTED')
    """
    word = read_released(text).status
    return SELECTED if any(part in word for part in ("SELECT", "APPROVE", "CONSIDER", "YES")) else REJECTED


def written(status: str, score: float, skills: Sequence[str], years: float | None, layout: Layout = "reasons") -> str:
    """An answer that says so, as it is asked for.

    >>> written("REJECTED", 41.0, ["SQL"], 3.0)
    '{"status": "REJECTED", "score": 41, "skills": ["SQL"], "years": 3}'
    """
    fields = {"status": status, "score": _plain(score), "skills": list(skills), "years": _plain(years or 0.0)}
    return json.dumps({name: fields[name] for name in FIELDS[layout]}, ensure_ascii=False)


def _plain(value: float) -> float:
    return int(value) if float(value).is_integer() else round(value, 1)


def _one_object(text: str) -> dict[str, Any] | str:
    """The JSON object that a text is, or why it is none."""
    if len(text) > _LONGEST:
        return f"{len(text)} characters; at most {_LONGEST} are read"
    first, last = text.find("{"), text.rfind("}")
    if first < 0 or last < first:
        return "no JSON object in it"
    try:
        found, end = json.JSONDecoder(object_pairs_hook=each_once).raw_decode(text, first)
    except json.JSONDecodeError as error:
        return f"its JSON is broken: {error.msg} at character {error.pos - first + 1} of the object"
    except (ValueError, RecursionError) as error:
        return f"its JSON cannot be read: {error}"[:120]
    if end <= last:
        return "more braces than those of one JSON object"
    if not _is_fence(text[:first], text[end:]):
        return "text stands beside the JSON object; the object alone is asked for"
    assert isinstance(found, dict)  # it begins with a brace
    return found


def _is_fence(before: str, after: str) -> bool:
    """Whether nothing stands around an object, or a Markdown fence."""
    return (before.strip().lower(), after.strip()) in (("", ""), ("```", "```"), ("```json", "```"))


def _number(value: object, most: float) -> float | None:
    """The value as a float in [0, most]; a text that spells one is one. None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and 0.0 <= number <= most else None


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
