"""From names and options to objects: tasks, policies, engines, rewards, judges, estimators, controllers."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, PydanticUserError, TypeAdapter, ValidationError

from guerdon import advantages
from guerdon.errors import ConfigError, UnknownName
from guerdon.plugins.catalog import Kind, catalog
from guerdon.protocols import Controller, Encoder, EngineMaker, JudgeBackend, Retriever, Scorer, Task
from guerdon.recipes.explaining import explained
from guerdon.recipes.schema import RewardSpec, Use
from guerdon.rewards import Reward
from guerdon.rewards.algebra import Sum, Weighted
from guerdon.rewards.shapes import Shape
from guerdon.transforms import Transform, chain
from guerdon.types import Example

if TYPE_CHECKING:
    from guerdon.protocols import Policy

ESTIMATORS: dict[str, type[advantages.Estimator]] = {
    "group_relative": advantages.group_relative,
    "leave_one_out": advantages.leave_one_out,
    "returns_to_go": advantages.returns_to_go,
    "log_mean_exp": advantages.log_mean_exp,
    "streams": advantages.streams,
    "weighted_by": advantages.weighted_by,
    "withheld": advantages.withheld,
}


def build_task(use: Use, where: str = "task") -> Task:
    """The task of that name."""
    task: Task = _checked("tasks", use, where, Task, "no task")
    return task


def build_policy(use: Use, *, seed: int, where: str = "policy") -> Policy:
    """The policy of that name; `seed` reaches those that take one and were not given another."""
    made = _loaded("policies", use.use, where)
    options = dict(use.options)
    if "seed" in inspect.signature(made).parameters:
        options.setdefault("seed", seed)
    policy: Policy = construct(made, options, f"{where}.with")
    return policy


def build_engine(use: Use, where: str = "engine") -> EngineMaker:
    """The engine's settings of that name."""
    maker: EngineMaker = _checked("engines", use, where, EngineMaker, "which makes no engine")
    return maker


def build_advantage(use: Use, where: str = "advantage") -> advantages.Estimator:
    """The advantage estimator of that name."""
    if use.use not in ESTIMATORS:
        raise UnknownName("advantage estimator", use.use, ESTIMATORS, "built in").at(f"{where}.use")
    estimator: advantages.Estimator = construct(ESTIMATORS[use.use], use.options, f"{where}.with")
    return estimator


def build_judge(use: Use, where: str = "judge") -> JudgeBackend:
    """The judge's backend of that name."""
    backend: JudgeBackend = _checked("judges", use, where, JudgeBackend, "which cannot answer questions")
    return backend


def build_scorer(use: Use, where: str = "scorer") -> Scorer:
    """The scorer of that name."""
    scorer: Scorer = _checked("scorers", use, where, Scorer, "which scores no text")
    return scorer


def build_retriever(use: Use, where: str = "retriever") -> Retriever:
    """The retriever of that name."""
    retriever: Retriever = _checked("retrievers", use, where, Retriever, "which finds no documents")
    return retriever


def build_encoder(use: Use, where: str = "encoder") -> Encoder:
    """The encoder of that name."""
    encoder: Encoder = _checked("encoders", use, where, Encoder, "which makes no vectors")
    return encoder


def build_controller(use: Use, where: str = "controller") -> Controller:
    """The controller of that name."""
    controller: Controller = _checked("controllers", use, where, Controller, "which controls nothing")
    return controller


def build_transform(use: Use, where: str = "transform") -> Transform:
    """The transform of that name."""
    transform: Transform = _checked("transforms", use, where, Transform, "not a transform")
    return transform


def build_shape(use: Use, where: str = "shape") -> Shape:
    """The shaping by reference rewards of that name."""
    shape: Shape = _checked("shapes", use, where, Shape, "not a shape")
    return shape


def build_reward(spec: RewardSpec, where: str = "reward") -> Reward:
    """The tree that a spec describes."""
    if spec.sum is not None:
        reward: Reward = Sum.of(*(build_reward(term, f"{where}.sum.{index}") for index, term in enumerate(spec.sum)))
    else:
        reward = _reward_named(spec, where)
    if spec.name is not None:
        reward = reward.named(spec.name)
    if spec.gated_by is not None:
        reward = reward.gated_by(build_reward(spec.gated_by, f"{where}.gated_by"), above=spec.above)
    if spec.unless is not None:
        reward = reward.unless(build_reward(spec.unless, f"{where}.unless"), above=spec.above)
    if spec.then:
        transforms = [build_transform(use, f"{where}.then.{index}") for index, use in enumerate(spec.then)]
        reward = reward.then(chain(*transforms))
    return reward if spec.weight == 1.0 else Weighted(spec.weight, reward)


def _reward_named(spec: RewardSpec, where: str) -> Reward:
    assert spec.use is not None  # the schema allows `use` or `sum`
    found = _loaded("rewards", spec.use, where)
    if inspect.isfunction(found) and list(parameters_of(found)) == ["rollout"]:
        raise ConfigError(f"{where}.use: {spec.use!r} is a function of a rollout; decorate it with @guerdon.reward")
    use = Use.model_validate({"use": spec.use, "with": spec.options})
    reward: Reward = _checked("rewards", use, where, Reward, "not a reward")
    return reward


def _checked(kind: Kind, use: Use, where: str, wanted: type, told: str) -> Any:
    """The thing of that name, if it is what is `wanted`; `told` says what another is not."""
    made = _loaded(kind, use.use, where)
    if isinstance(made, wanted) and not inspect.isclass(made):  # a class has what a protocol asks for, too
        if use.options:
            raise ConfigError(f"field '{where}.with' is {use.options!r}; {use.use!r} takes no options")
        return made
    if inspect.isclass(made) and inspect.isclass(wanted) and _is_base(wanted) and not issubclass(made, wanted):
        raise ConfigError(f"{where}.use: {use.use!r} is {told_of_class(made) or f'a class, {made.__name__}, {told}'}")
    if callable(made):
        made = construct(made, use.options, f"{where}.with")
    if not isinstance(made, wanted):
        raise ConfigError(f"{where}.use: {use.use!r} is a {type(made).__name__}, {told}")
    return made


def _is_base(wanted: type) -> bool:
    """Whether things of a kind inherit from it, rather than have what it asks for."""
    return wanted in (Task, Reward, Transform, Shape)


def told_of_class(made: Any) -> str:
    """What an Example is, where a task was to be named; "" of anything else."""
    if not (inspect.isclass(made) and issubclass(made, Example)):
        return ""
    return f"an Example, {made.__name__}, not a Task: one problem, of which a Task gives many; name the task"


def _loaded(kind: Kind, name: str, where: str) -> Any:
    try:
        return catalog().load(kind, name)
    except UnknownName as error:
        raise error.at(f"{where}.use") from None


PARTS: dict[Any, tuple[type[BaseModel], Callable[[Any, str], Any]]] = {
    Reward: (RewardSpec, build_reward),
    JudgeBackend: (Use, build_judge),
    EngineMaker: (Use, build_engine),
    Scorer: (Use, build_scorer),
    Retriever: (Use, build_retriever),
    Encoder: (Use, build_encoder),
    Transform: (Use, build_transform),
    Shape: (Use, build_shape),
    advantages.Estimator: (Use, build_advantage),
}
"""Options that are things of their own, by annotation: how a recipe describes one, and who builds it."""
_NAMED: dict[Any, Kind] = {
    Reward: "rewards",
    JudgeBackend: "judges",
    EngineMaker: "engines",
    Scorer: "scorers",
    Retriever: "retrievers",
    Encoder: "encoders",
    Transform: "transforms",
    Shape: "shapes",
}
"""Where those have their names."""
_SHOWN = 10
"""More names than these are for `guerdon list`."""


def construct(made: Any, options: Mapping[str, Any], where: str) -> Any:
    """Call a class or function with options from a recipe, each checked against its annotation first.

    An option that is a reward, a transform, a shape, an advantage estimator, a judge's backend, a scorer, a retriever,
    an encoder or an engine is described as everywhere: by a name, or by `use` and `with`; so is each of a tuple or a
    mapping of them.

    Raises:
        ConfigError: an option is unknown, missing or of the wrong type; the message names path and what is accepted.
    """
    parameters = parameters_of(made)
    for name in options:
        if name not in parameters:
            near = difflib.get_close_matches(name, parameters, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"accepted are {', '.join(parameters) or 'none'}"
            raise ConfigError(f"field '{where}.{name}' is unknown; {hint}")
    missing = [
        name for name, parameter in parameters.items() if parameter.default is parameter.empty and name not in options
    ]
    hints = hints_of(made)
    if missing:
        told = ", ".join(f"{name}{_choices(hints.get(name, Any))}" for name in missing)
        others = "" if len(missing) == len(parameters) == 1 else f"; accepted are {', '.join(parameters)}"
        raise ConfigError(f"field '{where}' lacks {told}{others}")
    checked = {name: _coerced(value, hints.get(name, Any), f"{where}.{name}") for name, value in options.items()}
    try:
        return made(**checked)
    except ConfigError as error:  # it names its option, and not where in the recipe that stands
        error.add_note(f"That is in field {where!r}.")
        raise


def _choices(annotation: Any) -> str:
    """What an option may be, where that is a name or one of some words; "" of anything else."""
    inner = typing.get_args(annotation)
    if typing.get_origin(annotation) is typing.Literal:
        return f" (one of {', '.join(map(str, inner))})"
    for part, kind in _NAMED.items():
        if annotation is part or part in inner:
            names = [entry.name for entry in catalog().entries(kind)]
            return (
                f" (one of the {kind} {', '.join(names)})" if len(names) <= _SHOWN else f" (see `guerdon list {kind}`)"
            )
    return ""


def parameters_of(made: Any) -> dict[str, inspect.Parameter]:
    """The options that a recipe can give to a class or function."""
    return {
        name: parameter
        for name, parameter in inspect.signature(made).parameters.items()
        if parameter.kind in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        and not name.startswith("_")
    }


def hints_of(made: Any) -> dict[str, Any]:
    """The annotations of these options, resolved; of a function without those that exist for type checkers only, of
    a class that has one none.
    """
    read = made if dataclasses.is_dataclass(made) or not inspect.isclass(made) else made.__init__
    try:
        return typing.get_type_hints(read)
    except NameError:  # one of them does, which may be what a function returns: the others are still to be had
        return _hints_one_by_one(read) if inspect.isfunction(read) else {}


def _hints_one_by_one(function: types.FunctionType) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, annotation in function.__annotations__.items():
        with contextlib.suppress(NameError):
            alone = types.SimpleNamespace(__annotations__={name: annotation})
            found |= typing.get_type_hints(alone, function.__globals__)
    return found


def _coerced(value: Any, annotation: Any, where: str) -> Any:
    for part, (described, build) in PARTS.items():
        if isinstance(value, str | Mapping) and (annotation is part or part in typing.get_args(annotation)):
            if not _maps(annotation):
                return build(_validated(value, described, where), where)
            if isinstance(value, Mapping):
                return {key: _coerced(one, part, f"{where}.{key}") for key, one in value.items()}
        if isinstance(value, list | tuple) and _is_tuple_of(part, annotation):
            return tuple(_coerced(one, part, f"{where}.{index}") for index, one in enumerate(value))
    if isinstance(value, Mapping) and _has_parts(annotation):
        return construct(annotation, value, where)
    return _validated(value, annotation, where)


def _has_parts(annotation: Any) -> bool:
    """Whether it is a dataclass of options among which are things of their own: pydantic cannot build those."""
    return dataclasses.is_dataclass(annotation) and any(hint in PARTS for hint in hints_of(annotation).values())


def _is_tuple_of(part: Any, annotation: Any) -> bool:
    return typing.get_origin(annotation) is tuple and typing.get_args(annotation) == (part, ...)


def _maps(annotation: Any) -> bool:
    return typing.get_origin(annotation) in (dict, Mapping)


def _validated(value: Any, annotation: Any, where: str) -> Any:
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(
            annotation, config=ConfigDict(arbitrary_types_allowed=True, extra="forbid")
        )
    except PydanticUserError:  # the annotation brings a configuration of its own
        adapter = TypeAdapter(annotation)
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        raise ConfigError(explained(error.errors(), annotation, where)[0]) from None
