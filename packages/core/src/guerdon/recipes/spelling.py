"""How a task or a reward is named where no recipe stands: `sql/soft-f1`, `0.5*sql/soft-f1[timeout_s=2]`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from guerdon.errors import ConfigError
from guerdon.recipes.schema import RewardSpec, Use

_NAMED = re.compile(
    r"\s*(?:(?P<weight>[-+.\deE]+)\s*\*)?\s*(?P<name>[^\s\[\]*]+)\s*(?:\[(?P<options>.*)\])?\s*", re.DOTALL
)

_OPTION = re.compile(r"""(?P<text>(?<!\w)(?:"(?:\\.|[^"\\])*"|'(?:''|[^'])*'))|(^|,)\s*(\w+)\s*=""", re.DOTALL)
"""The start of an option; or a quoted text, which may look like one within."""
_UNSEEN = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
"""What YAML does not read, or reads as a line's end, unless it is escaped; JSON escapes what comes before these."""


def named(text: str) -> tuple[float, str, dict[str, Any]]:
    """`W*NAME[k=v,...]` taken apart; the values are YAML.

    Raises:
        ConfigError: it has another form.

    >>> named("0.5*sql/soft-f1[timeout_s=2, modes=[bag, ordered]]")
    (0.5, 'sql/soft-f1', {'timeout_s': 2, 'modes': ['bag', 'ordered']})
    """
    form = f"{text!r} is not of the form NAME, NAME[option=value,...] or WEIGHT*NAME"
    match = _NAMED.fullmatch(text)
    if match is None:
        raise ConfigError(form)
    options = {}
    if match["options"]:
        body = _OPTION.sub(lambda found: found[0] if found["text"] else f"{found[2]} {found[3]}: ", match["options"])
        try:
            options = yaml.safe_load("{" + body + "}")
        except yaml.YAMLError as error:
            raise ConfigError(f"{form}: {error}") from None
        if any(value is None and f"{key}:" not in body for key, value in options.items()):
            raise ConfigError(form)
    try:
        return float(match["weight"] or 1.0), match["name"], options
    except ValueError:
        raise ConfigError(form) from None


def task_use(text: str) -> Use:
    """The task that `NAME[k=v,...]` means."""
    weight, name, options = named(text)
    if weight != 1.0:
        raise ConfigError(f"{text!r}: a task has no weight")
    return Use.model_validate({"use": name, "with": options})


def spelled(use: Use) -> str:
    """`NAME[k=v,...]` that `task_use` reads back as the same name and options.

    Raises:
        ConfigError: an option is of a kind that text cannot hold.

    >>> spelled(task_use("sql/generated[train_size=5, levels=[a b], layout=plain]"))
    'sql/generated[train_size=5,levels=["a b"],layout=plain]'
    """
    try:
        options = ",".join(f"{name}={flow(value)}" for name, value in use.options.items())
    except yaml.YAMLError as error:
        raise ConfigError(f"the options of {use.use!r} cannot be written as text: {error}") from None
    return f"{use.use}[{options}]" if options else use.use


def flow(value: Any) -> str:
    """A value in YAML on one line.

    Raises:
        yaml.YAMLError: it is of a kind that YAML cannot hold.

    >>> flow({"use": "clip", "with": {"low": -1.0, "high": float("inf")}})
    '{use: clip, with: {low: -1.0, high: .inf}}'
    """
    if isinstance(value, str):
        plain = re.fullmatch(r"[A-Za-z_][\w.-]*", value) and yaml.safe_load(value) == value
        quoted = json.dumps(value, ensure_ascii=False)
        return value if plain else _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{flow(key)}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    return yaml.safe_dump(value).partition("\n")[0]


def reward_spec(texts: Sequence[str]) -> RewardSpec:
    """The reward, or the sum of rewards, that each `W*NAME[k=v,...]` means."""
    terms = [{"use": name, "with": options, "weight": weight} for weight, name, options in map(named, texts)]
    return RewardSpec.model_validate(terms[0] if len(terms) == 1 else {"sum": terms})
