"""When two parameter values are the same, and when one of several accepted values was written.

| comparison | `1` and `1.0` | `1` and `true` | `1` and `"1"` |
|---|---|---|---|
| `python`, the released code's | same | same | differ |
| `json`: JSON has one kind of number | same | differ | differ |
| `typed`: as they were written | differ | differ | differ |

All three go into lists and mappings; the order of a mapping's keys never counts; NaN is the same as nothing.

Source: ToolRL (arXiv 2504.13958), released code, for `python`; the other two are ours. That several values may be
accepted is how the Berkeley Function Calling Leaderboard states its answers (`possible_answer`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from guerdon_code.tool_calls import Call

Comparison = Literal["python", "json", "typed"]
COMPARISONS: tuple[Comparison, ...] = ("python", "json", "typed")

Accepted = Mapping[str, Sequence[Any]]
"""Of one gold call: parameter -> values any of which is right; "" among them: it may be left out. A mapping among the
values has such lists as its members again."""


def same(one: Any, other: Any, comparison: Comparison = "python") -> bool:
    """Whether two values read from JSON are the same.

    >>> same({"on": 1}, {"on": True}), same({"on": 1}, {"on": True}, "json")
    (True, False)
    """
    if comparison == "python":
        return bool(one == other)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key], comparison) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(*pair, comparison) for pair in zip(one, other, strict=True))
    if comparison == "typed" or isinstance(one, bool) or isinstance(other, bool):
        return type(one) is type(other) and bool(one == other)
    return bool(one == other)


def accepts(options: Sequence[Any], value: Any, comparison: Comparison = "python") -> bool:
    """Whether a value is one of those accepted ("" only says that it may be left out).

    >>> accepts(["C", "celsius", ""], "celsius"), accepts(["C", ""], "")
    (True, False)
    >>> accepts([{"width": [20, 20.5], "unit": ["m", ""]}], {"width": 20.5})
    True
    """
    return any(_fits(option, value, comparison) for option in options if option != "")


def _fits(option: Any, value: Any, comparison: Comparison) -> bool:
    if isinstance(option, dict) and isinstance(value, dict):
        inner = {key: _listed(options) for key, options in option.items()}
        return value.keys() <= inner.keys() and all(
            accepts(options, value[key], comparison) if key in value else "" in options
            for key, options in inner.items()
        )
    if isinstance(option, list) and isinstance(value, list):
        return len(option) == len(value) and all(_fits(*pair, comparison) for pair in zip(option, value, strict=True))
    return same(option, value, comparison)


def first_of(options: Sequence[Any], *, needed: bool = False) -> tuple[Any] | None:
    """The first accepted value, in a tuple; None where the parameter is to be left out.

    Left out is what has "" first, or no accepted value at all; unless it is `needed` and there is another.

    >>> first_of(["", 2.5]), first_of(["", 2.5], needed=True), first_of([{"width": [20], "unit": ["", "m"]}])
    (None, (2.5,), ({'width': 20},))
    """
    for option in options:
        if option != "":
            return (_plain(option),)
        if not needed:
            break
    return None


def _plain(option: Any) -> Any:
    if isinstance(option, dict):
        found = {key: first_of(_listed(options)) for key, options in option.items()}
        return {key: value[0] for key, value in found.items() if value is not None}
    return [_plain(each) for each in option] if isinstance(option, list) else option


def _listed(options: Any) -> list[Any]:
    """A member of a mapping among the accepted values: a list of them, or (in a few real rows) the value itself."""
    return options if isinstance(options, list) else [options]


def in_golds_words(call: Call, gold: Call, accepted: Accepted, comparison: Comparison = "python") -> Call:
    """The call with whatever the gold call would also accept put as the gold call has it.

    An accepted value becomes gold's; a parameter that gold leaves out goes, where its value is accepted; one that may
    be left out, and was, comes in. What is wrong stays as it is.

    >>> gold = Call("weather", {"city": "Oslo", "unit": "C"})
    >>> accepted = {"city": ["Oslo"], "unit": ["C", "celsius", ""], "lang": ["", "en"]}
    >>> in_golds_words(Call("weather", {"city": "Oslo", "lang": "en"}), gold, accepted) == gold
    True
    """
    parameters: dict[str, Any] = {}
    for key, value in call.parameters.items():
        if not accepts(accepted.get(key, ()), value, comparison):
            parameters[key] = value
        elif key in gold.parameters:
            parameters[key] = gold.parameters[key]
    for key in gold.parameters:
        if key not in call.parameters and "" in accepted.get(key, ()):
            parameters[key] = gold.parameters[key]
    if parameters.keys() != call.parameters.keys():  # the order that `finegrained` looks at
        ours = [key for key in gold.parameters if key in parameters]
        parameters = {key: parameters[key] for key in [*ours, *(key for key in parameters if key not in ours)]}
    return Call(call.name, parameters, call.extra)
