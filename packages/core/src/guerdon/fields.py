"""Options, told alike everywhere when one is wrong: the field, what was found, what is accepted.

Fields of frozen dataclasses are checked when one is made in Python; a recipe's types are checked before.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Collection
from numbers import Integral, Real
from typing import Any, TypeGuard

from guerdon.errors import ConfigError

_NUMBERS = {"float": (Real, "a number"), "int": (Integral, "a whole number")}


def check_numbers(made: Any, *names: str) -> None:
    """Refuse what is no number in a field that is annotated as one, at once: later it looks like a bug in the reward.

    Numbers of numpy are numbers; True and "3" are not. A field that may be None may.

    Args:
        made: a dataclass's instance.
        names: of these fields only.

    Raises:
        ConfigError: the message names the field, what was found and what is accepted.
    """
    for one in dataclasses.fields(made):
        annotation = one.type if isinstance(one.type, str) else getattr(one.type, "__name__", "")
        wanted, optional = annotation.removesuffix(" | None"), annotation.endswith(" | None")
        if wanted not in _NUMBERS or (names and one.name not in names):
            continue
        value: object = getattr(made, one.name)
        kind, told = _NUMBERS[wanted]
        if (optional and value is None) or (not isinstance(value, bool) and isinstance(value, kind)):
            continue
        raise ConfigError(
            f"{type(made).__name__}.{one.name} is {value!r:.200}; {told}{' or None' if optional else ''} is needed"
        )


def whole_number(field: str, value: object, least: int, most: int | None = None) -> None:
    """Check an option that has to be a whole number; one of numpy's is, True and 3.0 are not.

    Args:
        field: as an error calls it: "Search.k".
        value: what was given.
        least: the smallest that is accepted.
        most: the largest; None sets no limit.

    Raises:
        ConfigError: it is something else.
    """
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if whole and least <= int(value) and (most is None or int(value) <= most):  # type: ignore[call-overload]
        return
    needed = f">= {least}" if most is None else f"from {least} to {most}"
    raise ConfigError(f"{field} is {value!r:.200}; a whole number {needed} is needed")


def any_share(field: str, value: object) -> None:
    """Check an option that says how much of a whole, none and all included.

    Args:
        field: as an error calls it: "moving.mix".
        value: what was given.

    Raises:
        ConfigError: it is no number from 0 to 1.
    """
    if not (_is_number(value) and 0.0 <= value <= 1.0):
        raise ConfigError(f"{field} is {value!r:.200}; a number from 0 to 1 is needed")


def proper_share(field: str, value: object) -> None:
    """Check an option that leaves something on both sides, as the share of examples that are held out.

    Args:
        field: as an error calls it: "eval_share".
        value: what was given.

    Raises:
        ConfigError: it is no number above 0 and below 1.
    """
    if not (_is_number(value) and 0.0 < value < 1.0):
        raise ConfigError(f"{field} is {value!r:.200}; a number above 0 and below 1 is needed")


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, Real) and not isinstance(value, bool)


def one_of(field: str, value: object, accepted: Collection[Any]) -> None:
    """Check an option against the words it may be.

    Raises:
        ConfigError: it is none of them.
    """
    if value not in accepted:
        raise ConfigError(f"{field} is {value!r}; accepted are {', '.join(map(repr, accepted))}")


def not_a_text(field: str, value: object, needed: str) -> None:
    """Refuse a text where an object, or a list, is meant: names of objects are read in recipes alone.

    Args:
        field: whose value it is, as "medical/medix-r1.judge".
        value: what was given.
        needed: what would do: "a judge, such as guerdon.judges.Rules".

    Raises:
        ConfigError: it is a text.
    """
    if isinstance(value, str):
        raise ConfigError(f"{field} is the text {value!r:.80}; {needed} is needed. Names are read in recipes alone")


def check_is(value: object, wanted: type, place: str, example: str) -> None:
    """Refuse what is not an instance of a class, and tell a class or a name that was not called what is missing.

    Args:
        value: what was given.
        wanted: the class.
        place: what it was given as: "the transform of x/a".
        example: what would do.

    Raises:
        ConfigError: it is something else.
    """
    if isinstance(value, wanted):
        return
    if inspect.isclass(value) and issubclass(value, wanted):
        hint = f"that is the class, and it has to be called: {value.__name__}(...)"
    else:
        hint = (
            f"a {wanted.__module__.rpartition('.base')[0] or wanted.__module__}.{wanted.__name__} is needed, {example}"
        )
    shown = value.__name__ if inspect.isclass(value) else repr(value)
    raise ConfigError(f"{place}: {shown:.200} was given; {hint}")
