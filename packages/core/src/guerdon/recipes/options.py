"""The options of a class or function, in words: what each takes, its default, and what its author says of it.

Read from what is there: signatures, annotations, the docstrings under fields, and `Args:`.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import itertools
import re
import textwrap
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from guerdon import advantages
from guerdon.protocols import Encoder, EngineMaker, JudgeBackend, Retriever, Scorer
from guerdon.recipes.building import hints_of, parameters_of
from guerdon.recipes.spelling import flow
from guerdon.rewards import Reward
from guerdon.rewards.shapes import Shape
from guerdon.transforms import Transform

REQUIRED = "required"
"""Stands where another option has its default."""

_WORDS: dict[Any, tuple[str, str]] = {
    Reward: ("reward", "REWARD"),
    JudgeBackend: ("judge", "JUDGE"),
    EngineMaker: ("engine", "ENGINE"),
    Scorer: ("scorer", "SCORER"),
    Retriever: ("retriever", "RETRIEVER"),
    Encoder: ("encoder", "ENCODER"),
    Transform: ("transform", "TRANSFORM"),
    Shape: ("shape", "SHAPE"),
    advantages.Estimator: ("advantage estimator", "ESTIMATOR"),
    str: ("text", "TEXT"),
    bool: ("true or false", "true"),
    int: ("whole number", "NUMBER"),
    float: ("number", "NUMBER"),
    Path: ("path", "PATH"),
    type(None): ("null", "null"),
    Any: ("anything", "VALUE"),
}
"""By annotation: what it takes, and what stands for one in a line that shows its use."""


@dataclass(frozen=True)
class Option:
    """One thing that can be set."""

    name: str
    """`references.field` is the field of an option that is a mapping."""
    accepts: str
    """What it takes, in words."""
    default: str
    """As a recipe writes it; `REQUIRED` where there is none."""
    about: str = ""
    """What its author says of it; empty where nothing is said."""


def options_of(made: Any, prefix: str = "") -> Iterator[Option]:
    """The options that a recipe can give to what a name stands for; none where that is an object already."""
    if not callable(made) or isinstance(made, Reward):
        return
    hints, docs = _annotations(made), _docs(made)
    for name, parameter in parameters_of(made).items():
        annotation = hints.get(name, Any)
        yield Option(prefix + name, accepts(annotation), _default(made, parameter), docs.get(name, ""))
        for inner in (annotation, *typing.get_args(annotation)):
            if _fields(inner):
                yield from options_of(inner, f"{prefix}{name}.")


def example_of(made: Any) -> dict[str, Any]:
    """Options that show how it is used: the required ones with words in capitals, to be replaced; where there are none,
    the first plain one at its default.
    """
    if not callable(made) or isinstance(made, Reward):
        return {}
    hints, parameters = _annotations(made), parameters_of(made)
    needed = [name for name, one in parameters.items() if one.default is one.empty]
    if needed:
        return {name: _stand_in(hints.get(name, Any)) for name in needed}
    for name, one in parameters.items():
        value = _value_of(made, one)
        if isinstance(value, str | int | float | bool) and value != "":
            return {name: value}
    return {}


def accepts(annotation: Any) -> str:
    """An annotation in words.

    >>> accepts(tuple[float, ...] | None), accepts(typing.Literal["worst", "mean"])
    ('list of: number, or null', 'worst | mean')
    """
    annotation = _bare(annotation)
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation in _WORDS:
        return _WORDS[annotation][0]
    if origin is typing.Literal:
        return " | ".join(flow(value) for value in inner)
    if origin in (typing.Union, types.UnionType):
        return ", or ".join(accepts(one) for one in inner)
    if _is(annotation, Mapping):
        return f"mapping of names to: {accepts(inner[-1])}" if inner else "mapping"
    if origin is tuple and Ellipsis not in inner:
        return f"list of {len(inner)}: {', '.join(map(accepts, inner))}"
    if fields := _fields(annotation):
        return f"mapping with {', '.join(fields)}"
    if _is(annotation, Iterable):
        return f"list of: {accepts(inner[0])}" if inner else "list"
    return "function (from Python)" if "Callable" in str(origin) else getattr(annotation, "__name__", str(annotation))


def _stand_in(annotation: Any) -> Any:
    """What stands for a value of it, to be replaced."""
    annotation = _bare(annotation)
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation in _WORDS:
        return _WORDS[annotation][1]
    if origin is typing.Literal:
        return inner[0]
    if origin in (typing.Union, types.UnionType):
        return _stand_in(inner[0])
    if _is(annotation, Mapping):
        return {"NAME": _stand_in(inner[-1]) if inner else "VALUE"}
    if origin is tuple and Ellipsis not in inner:
        return [_stand_in(one) for one in inner]
    if fields := _fields(annotation):
        return {fields[0]: "VALUE"}
    return [_stand_in(inner[0])] if _is(annotation, Iterable) and inner else "VALUE"


def _bare(annotation: Any) -> Any:
    """Without an alias's name and without what only pydantic reads."""
    while True:
        if typing.get_origin(annotation) is typing.Annotated:
            annotation = typing.get_args(annotation)[0]
        elif hasattr(annotation, "__value__"):
            annotation = annotation.__value__
        else:
            return annotation


def _is(annotation: Any, kind: type) -> bool:
    found = typing.get_origin(annotation) or annotation
    return inspect.isclass(found) and issubclass(found, kind)


def _fields(annotation: Any) -> list[str]:
    """Of something that a recipe writes as a mapping; none for what is named by `use`."""
    annotation = _bare(annotation)
    if not inspect.isclass(annotation) or annotation in _WORDS:
        return []
    if issubclass(annotation, BaseModel):
        return [one.alias or name for name, one in annotation.model_fields.items()]
    return (
        [one.name for one in dataclasses.fields(annotation) if one.init] if dataclasses.is_dataclass(annotation) else []
    )


def _annotations(made: Any) -> dict[str, Any]:
    if inspect.isclass(made) and issubclass(made, BaseModel):
        return {one.alias or name: one.annotation for name, one in made.model_fields.items()}
    return hints_of(made)


def _default(made: Any, parameter: inspect.Parameter) -> str:
    if parameter.default is parameter.empty:
        return REQUIRED
    value = _value_of(made, parameter)
    try:
        return flow(value)
    except yaml.YAMLError:  # an object: it is built from options of its own
        return repr(value)


def _value_of(made: Any, parameter: inspect.Parameter) -> Any:
    """The default. A dataclass shows a mark of its own in place of what a factory gives."""
    if dataclasses.is_dataclass(made):
        found = next((one for one in dataclasses.fields(made) if one.name == parameter.name), None)
        if found is not None and found.default_factory is not dataclasses.MISSING:
            return found.default_factory()
    return parameter.default


# -- what their authors say --------------------------------------------------------------------------------------------


def _docs(made: Any) -> dict[str, str]:
    """By option: the docstring below a field, else the entry under `Args:`."""
    if not inspect.isclass(made):
        return _args(inspect.getdoc(made) or "")
    docs = _args(inspect.getdoc(made.__init__) or "") | _args(inspect.getdoc(made) or "")
    for base in reversed(made.__mro__):
        docs |= _below_fields(base)
    return docs


def _below_fields(base: type) -> dict[str, str]:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(base)))
    except (OSError, TypeError, SyntaxError):  # no source: built in, or typed into a session that is gone
        return {}
    body = getattr(tree.body[0], "body", [])
    return {
        one.target.id: " ".join(said.value.value.split())
        for one, said in itertools.pairwise(body)
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)
        if isinstance(said, ast.Expr) and isinstance(said.value, ast.Constant) and isinstance(said.value.value, str)
    }


def _args(doc: str) -> dict[str, str]:
    r"""The entries under `Args:` of a docstring whose indentation is off.

    >>> _args("Does.\n\nArgs:\n    one: the first,\n        and more\n    two: the second\n\nReturns:\n    it: no")
    {'one': 'the first, and more', 'two': 'the second'}
    """
    found: dict[str, str] = {}
    name = ""
    for line in doc.partition("\nArgs:\n")[2].split("\n"):
        if line and not line.startswith(" "):
            break
        if entry := re.match(r" {4}(\w+): *(.*)", line):
            name = entry[1]
            found[name] = entry[2].strip()
        elif name and line.strip():
            found[name] += f" {line.strip()}"
    return found
