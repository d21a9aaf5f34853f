"""What a reward is, in words that stay the same from process to process, and when its module moves.

What a reward has learnt belongs to the whole of it: its name and options, and those of the rewards and transforms
within. So kept state carries these words, and is given back only to what they describe.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from guerdon.rewards.algebra import Gate, Named, Sum, Then, Weighted
from guerdon.rewards.base import FunctionReward, Reward
from guerdon.transforms import Chain


def identity(value: Any) -> str:
    """A reward, a transform or an option, in words.

    Options that stand as they do by default are left out, so that one that is added later changes no words; so are
    fields that are not shown or do not count when two are compared. 1 and 1.0 are the same number.

    >>> from guerdon import reward
    >>> from guerdon.transforms import center, clip
    >>> polite = reward(lambda rollout: 1.0, name="polite").named("tone")
    >>> identity((0.5 * polite).then(center(decay=0.9)).then(clip(0.0, 1.0)))
    "(0.5 * polite.named('tone')).then(center(decay=0.9)).then(clip(low=0, high=1))"
    """
    if isinstance(value, Reward):
        return _of_reward(value)
    if isinstance(value, Chain):
        return f"[{', '.join(map(identity, value.parts))}]"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _called(type(value).__name__, value)
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key!r}: {identity(each)}' for key, each in sorted(value.items(), key=repr))}}}"
    if isinstance(value, set | frozenset):
        return f"{{{', '.join(sorted(map(identity, value)))}}}"
    if isinstance(value, tuple | list):
        return f"({', '.join(map(identity, value))})"
    if isinstance(value, float) and value.is_integer():
        return repr(int(value))
    if isinstance(value, PurePath):
        return repr(str(value))
    if isinstance(value, type) or hasattr(value, "__qualname__"):  # a class or a function, wherever it lives
        return str(value.__name__)
    told = repr(value)
    return type(value).__name__ if " at 0x" in told else told


def _of_reward(reward: Reward) -> str:
    """The algebra as it is written; any other by its name and options."""
    kind = type(reward)
    if isinstance(reward, FunctionReward):
        return reward.name  # a registered one says its version there, and any other is called as its function is
    if isinstance(reward, Weighted) and kind is Weighted:
        return f"{identity(reward.weight)} * {_operand(reward.reward)}"
    if isinstance(reward, Sum) and kind is Sum:
        terms = (identity(term if weight == 1.0 else Weighted(weight, term)) for weight, term in reward.terms)
        return f"({' + '.join(terms)})"
    if isinstance(reward, Gate) and kind is Gate:
        method = "gated_by" if reward.opens == "above" else "unless"
        above = f", above={identity(reward.above)}" if reward.above else ""
        return f"{_operand(reward.reward)}.{method}({identity(reward.by)}{above})"
    if isinstance(reward, Named) and kind is Named:
        return f"{_operand(reward.reward)}.named({reward.new_label!r})"
    if isinstance(reward, Then) and kind is Then:
        return f"{_operand(reward.reward)}.then({identity(reward.transform)})"
    own = kind.__dict__.get("name", kind.name)
    return _called(own if isinstance(own, str) and own else kind.__name__, reward)


def _operand(reward: Reward) -> str:
    return f"({identity(reward)})" if isinstance(reward, Weighted) else identity(reward)


def _called(name: str, value: Any) -> str:
    """`name(option=..., ...)`, of a dataclass; of anything else the name."""
    told = ", ".join(_options(value)) if dataclasses.is_dataclass(value) else ""
    return f"{name}({told})" if told else name


def _options(value: Any) -> Iterator[str]:
    by_value = type(value).__dataclass_params__.eq
    for field in dataclasses.fields(value):
        one = getattr(value, field.name)
        if not (field.init and field.compare and field.repr) or (not by_value and isinstance(one, list | dict | set)):
            continue  # of what compares by identity, a list may be where it writes down what it learns
        usual = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
        if usual is dataclasses.MISSING or identity(one) != identity(usual):
            yield f"{field.name}={identity(one)}"
