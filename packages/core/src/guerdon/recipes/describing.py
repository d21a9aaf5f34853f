"""What a registered name stands for, in words: its class, its options, and the line that uses it.

The piece asked for is imported, and no other.
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from guerdon.errors import GuerdonError
from guerdon.plugins.catalog import Entry, Kind, catalog, singular
from guerdon.recipes.building import ESTIMATORS, construct
from guerdon.recipes.options import REQUIRED, Option, example_of, options_of
from guerdon.recipes.spelling import flow
from guerdon.rewards import Reward

_COMPUTED = "computed from its options"
_ELSEWHERE = "module's head"
"""What a docstring says whose reader is to look there."""

_LINES: dict[Kind, str] = {
    "rewards": "reward: {}",
    "tasks": "task: {}",
    "policies": "policy: {}",
    "transforms": "reward: {{use: REWARD, then: [{}]}}",
    "shapes": "reward: {{use: against, with: {{reward: REWARD, references: {{field: FIELD}}, shape: {}}}}}",
    "engines": "policy: {{use: language, with: {{engine: {}}}}}",
    "controllers": "controllers: [{}]",
    "judges": "reward: {{use: REWARD, with: {{OPTION: {}}}}}",
    "scorers": "reward: {{use: REWARD, with: {{OPTION: {}}}}}",
    "retrievers": "task: {{use: TASK, with: {{OPTION: {}}}}}",
    "encoders": "task: {{use: TASK, with: {{OPTION: {{use: dense, with: {{corpus: PATH, encoder: {}}}}}}}}}",
    "tools": "task: {{use: TASK, with: {{OPTION: {}}}}}",
}
"""By kind: the line of a recipe."""
_COMMANDS: dict[Kind, str] = {
    "rewards": "guerdon audit {}",
    "tasks": "guerdon export {}",
    "attacks": "guerdon audit REWARD --attack {}",
    "claims": "guerdon claims run {}",
    "recipes": "guerdon train {}",
    "commands": "guerdon {} --help",
    "checks": "guerdon doctor",
}
"""By kind: the command that makes use of it alone."""
_FACTS: dict[Kind, tuple[str, ...]] = {
    "attacks": ("exploits", "knows", "source"),
    "claims": ("paper", "statement", "seeds"),
}
"""By kind: what its class says beside options."""


@dataclass(frozen=True)
class Piece:
    """A registered name, described."""

    kind: str
    """In the singular: "reward"."""
    name: str
    distribution: str
    summary: str
    target: str
    """Where it is defined: "module:attribute"."""
    about: str = ""
    """The first paragraph of its docstring."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What else is known of its kind: a reward's bounds and what it sees, an attack's knowledge, a claim's paper, the
    commands of a group."""
    options: tuple[Option, ...] = ()
    use: tuple[str, ...] = ()
    """Lines to use it: of a recipe, or of the shell. Words in capitals are to be replaced."""
    text: str = ""
    """A recipe's own."""
    head: str = ""
    """Its module's docstring, where its own refers to that."""


def describe(entry: Entry) -> Piece:
    """Import what an entry stands for, and describe it.

    Raises:
        PluginError: it does not load.
    """
    made = catalog().load(entry.kind, entry.name)
    newest = catalog().find(entry.kind, entry.family).name == entry.name
    name = entry.family if newest else entry.name
    piece = Piece(singular(entry.kind), entry.name, entry.distribution, entry.summary, entry.target, _about(made))
    if entry.kind == "recipes":
        return dataclasses.replace(piece, about="", text=_recipe(made), use=_use(entry.kind, name, {}))
    if entry.kind == "commands":
        within = {one: each.get_short_help_str(120) for one, each in getattr(made, "commands", {}).items()}
        use = tuple(f"guerdon {name} {one} --help" for one in within) or _use(entry.kind, name, {})
        return dataclasses.replace(piece, facts=within, options=tuple(_of_command(made)), use=use)
    options = tuple(options_of(made))
    return dataclasses.replace(
        piece,
        facts=_facts(entry.kind, made, options),
        options=options,
        use=_use(entry.kind, name, example_of(made), getattr(made, "audit_line", "")),
        head=_head(made, piece.about, options),
    )


def describe_estimator(name: str) -> Piece:
    """The same of an advantage estimator by its name: these are built in, and no kind of the catalog."""
    made = ESTIMATORS[name]
    target, options = f"{made.__module__}:{made.__qualname__}", tuple(options_of(made))
    use = (f"advantage: {_written(name, example_of(made))}",)
    return Piece("advantage estimator", name, "guerdon", "", target, _about(made), {}, options, use)


def _about(made: Any) -> str:
    """The first paragraph of its own docstring; what a dataclass writes for lack of one says nothing."""
    if inspect.isclass(made):
        own = vars(made).get("__doc__") or ""
        own = "" if own.startswith(f"{made.__name__}(") else own
    elif hasattr(made, "callback"):  # a command of click's
        own = made.help or ""
    else:
        own = getattr(getattr(made, "function", made), "__doc__", None) or ""  # a lifted function's is its function's
    return inspect.cleandoc(own).partition("\n\n")[0]


def _head(made: Any, about: str, options: tuple[Option, ...]) -> str:
    if not any(_ELSEWHERE in text for text in (about, *(option.about for option in options))):
        return ""
    return inspect.cleandoc(sys.modules[made.__module__].__doc__ or "")


def _recipe(made: Any) -> str:
    found = made() if callable(made) else made
    return str(found).strip() if isinstance(found, str) else yaml.safe_dump(dict(found), sort_keys=False).strip()


def _of_command(made: Any) -> Iterator[Option]:
    """A command's, as its help has them."""
    for one in made.params:
        option = one.param_type_name == "option"
        name = max(one.opts, key=len) if option else one.human_readable_name
        accepts = " | ".join(map(str, getattr(one.type, "choices", ()))) or str(one.type.name)
        default = flow(one.default) if isinstance(one.default, str | int | float) else "null"
        yield Option(name, accepts, REQUIRED if one.required else default, getattr(one, "help", None) or "")


def _facts(kind: Kind, made: Any, options: tuple[Option, ...]) -> dict[str, str]:
    if kind == "rewards":
        return _facts_of_reward(_as_it_comes(made, options))
    found = {name: inspect.getattr_static(made, name, None) for name in _FACTS.get(kind, ())}
    return {name: str(value) for name, value in found.items() if isinstance(value, str | int)}


def _as_it_comes(made: Any, options: tuple[Option, ...]) -> Any:
    """The reward where it needs no option, since much is known only then; else what makes it."""
    if isinstance(made, Reward) or any(option.default == REQUIRED for option in options if "." not in option.name):
        return made
    try:
        return construct(made, {}, "with")
    except GuerdonError:  # its options depend on each other
        return made


def _facts_of_reward(one: Any) -> dict[str, str]:
    def read(name: str) -> Any:
        if isinstance(one, Reward):
            return getattr(one, name)
        return inspect.getattr_static(one, name, None) if inspect.isclass(one) else None

    bounds, sees = read("bounds"), read("sees")
    facts = {"bounds": _COMPUTED, "sees": sees if isinstance(sees, str) else _COMPUTED}
    if isinstance(bounds, tuple):
        unbounded = bounds == (float("-inf"), float("inf"))
        facts["bounds"] = "none stated" if unbounded else f"{bounds[0]:g} to {bounds[1]:g}"
    if (learns := read("stateful")) is True or isinstance(learns, property):
        facts["learns"] = "yes; its state is in checkpoints" if learns is True else "as its options say"
    if read("needs_policy") is True:
        facts["asks"] = "the policy being trained"
    return facts


def _use(kind: Kind, name: str, options: Mapping[str, Any], alone: str = "") -> tuple[str, ...]:
    """Lines that use it; `alone` in place of the kind's own command."""
    lines = [_LINES[kind].format(_written(name, options))] if kind in _LINES else []
    if ":" in name:
        lines = ["# on a command line; a recipe names what a plugin registers: guerdon new"]
    if kind in _COMMANDS:
        given = ", ".join(f"{option}={flow(value)}" for option, value in options.items())
        quoted = f"{name}[{given}]".replace("'", "'\\''")
        lines.append((alone or _COMMANDS[kind]).format(f"'{quoted}'" if given else name))
    return tuple(lines)


def _written(name: str, options: Mapping[str, Any]) -> str:
    """As a recipe writes it."""
    return f"{{use: {name}, with: {flow(options)}}}" if options else name
