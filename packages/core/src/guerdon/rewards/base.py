"""`Reward`: what a rollout earns. A function, or a small frozen dataclass whose fields are its whole configuration.

A subclass overrides the narrowest of three methods; callers always call the widest, and the defaults map down:

```
score_batch(groups, context) ──▶ score_group(group) ──▶ score(rollout)
```
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, overload

from guerdon.errors import (
    BoundsError,
    ConfigError,
    JudgeError,
    PolicyError,
    RetrievalError,
    RewardError,
    SandboxError,
)
from guerdon.types import SCORED, UNSCORED, Example, Group, OtherExample, Rollout, Score, Target

if TYPE_CHECKING:
    from guerdon.protocols import Policy, Task
    from guerdon.rewards.algebra import Gate, Named, Sum, Then, Weighted
    from guerdon.rewards.references import Against, References
    from guerdon.rewards.shapes import Shape
    from guerdon.transforms import Transform

Sees = Literal["rollout", "group", "batch"]
RunsIn = Literal["caller", "threads", "processes", "elsewhere"]
End = Literal["low", "high"]
"""One of the two ends of a reward's bounds."""
Scores = list[list[Score]]
"""One list per group, one score per rollout."""
Targets = list[list[tuple[Target, ...]]]
"""One list per group, for each rollout the targets it has: none, for most rewards."""


BROKEN_OFF = "a tool or the environment failed, and broke the attempt off"


@dataclass(frozen=True)
class Context:
    """What a batch reward may know of the run: enough for schedules without globals."""

    step: int = 0
    total_steps: int = 0
    seed: int = 0
    policy: Policy | None = field(default=None, repr=False, compare=False)
    """The policy being trained, for rewards that ask how likely it finds a text; None on a server or in a worker."""
    task: Task | None = field(default=None, repr=False, compare=False)
    """Whose examples these are, for rewards that want its reference answers; None in a worker, and where rows bring all
    there is."""
    _memo: dict[tuple[int, int], tuple[Sequence[Group], Reward, Scores]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """By the identities of groups and reward, which it keeps, so that these stay theirs."""
    _instances: dict[Reward, Reward] = field(default_factory=dict, init=False, repr=False, compare=False)
    """See `instance`."""
    _asked: list[Sequence[Group]] = field(default_factory=list, init=False, repr=False, compare=False)
    """What is being scored, from the whole batch inwards."""

    def scores(self, reward: Reward, groups: Sequence[Group]) -> Scores:
        """Score `groups` once per (reward, batch), checked against the reward's promises. Composites call it for parts.

        Equal rewards are one: of several in a tree the first answers for all, see `instance`.

        Raises:
            RewardError: the reward raised, or gave another number of scores than there are rollouts.
            BoundsError: a value outside the stated bounds.
        """
        reward = self.instance(reward)
        key = (id(groups), id(reward))
        if key not in self._memo:
            self._asked.append(groups)
            try:
                ask = self._evaluate if len(self._asked) > 1 else self._evaluate_whole
                self._memo[key] = groups, reward, ask(reward, groups)
            finally:
                self._asked.pop()
        return self._memo[key][2]

    def instance(self, reward: Reward) -> Reward:
        """The one that stands for all equal to `reward`: the first in `walk`'s order over the tree it was met in.

        Equal rewards are scored once, so that of several equal ones with state a single one sees the batch. It has to
        be the one that `walk` finds, since that is whom trainers update, checkpoint and restore.

        Raises:
            ConfigError: the reward cannot be hashed.
        """
        try:
            if reward not in self._instances:
                from guerdon.rewards.algebra import walk

                for node in walk(reward):
                    self._instances.setdefault(node, node)
        except TypeError as error:
            raise ConfigError(f"{reward.name} cannot be hashed ({error}): give it tuples where it has lists") from error
        return self._instances[reward]

    def batch(self, groups: Sequence[Group]) -> Sequence[Group]:
        """The whole batch that `groups`, asked about now, are of: what `Reward.update` is called with if it is learned
        from. A composite may ask about other groups (steps, those a gate lets in).
        """
        return self._asked[0] if self._asked else groups

    def _evaluate_whole(self, reward: Reward, groups: Sequence[Group]) -> Scores:
        """The scores of what came from outside. A rollout that our own machinery broke off is unscored, and no reward
        is shown it: neither alone nor beside the others of its group.
        """
        sound = [[place for place, one in enumerate(group.rollouts) if one.stop != "error"] for group in groups]
        if all(len(places) == len(group) for places, group in zip(sound, groups, strict=True)):
            return self._evaluate(reward, groups)
        narrowed = [
            replace(group, rollouts=tuple(group.rollouts[place] for place in places))
            for group, places in zip(groups, sound, strict=True)
            if places
        ]
        rows = iter(self._evaluate(reward, narrowed) if narrowed else [])
        found = [[Score.unscored(BROKEN_OFF) for _ in group.rollouts] for group in groups]
        for row, places in zip(found, sound, strict=True):
            if places:
                for place, score in zip(places, next(rows), strict=True):
                    row[place] = score
        return found

    def _evaluate(self, reward: Reward, groups: Sequence[Group]) -> Scores:
        return evaluated(reward, groups, self)


class Reward:
    """The base of all rewards; see the module's head.

    Class arguments: `name` ("domain/thing-v1"; the version changes when the number's meaning does), `bounds` (closed
    interval every scored value lies in), `runs_in` (where the scoring runner may run it: `caller`, `threads` for what
    waits, `processes` for what computes or may hang; `elsewhere` says that it has workers of its own) and `sees` (what
    a value depends on: found from the method you override, stated only by one that overrides `score_batch` for speed).

    Frozen dataclasses compare equal when their fields do, and pickle: that is what lets the runner move and cache them.
    """

    name: str = ""
    bounds: tuple[float, float] = (float("-inf"), float("inf"))
    runs_in: RunsIn = "caller"
    sees: Sees = "rollout"
    stateful: bool = False
    """True for one that learns; it then has `state_dict`, `load_state_dict`, `update` and a `version`."""

    def __init_subclass__(
        cls,
        name: str | None = None,
        bounds: tuple[float, float] | None = None,
        runs_in: RunsIn | None = None,
        sees: Sees | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init_subclass__(**kwargs)
        if name is not None:
            cls.name = name
        elif "name" not in vars(cls) and not isinstance(inspect.getattr_static(cls, "name"), property):
            cls.name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", cls.__name__).lower()
        if bounds is not None:
            cls.bounds = ordered(bounds, cls.__name__)
        if runs_in is not None:
            cls.runs_in = runs_in
        if sees is not None:
            cls.sees = sees
        elif "sees" in vars(cls) or isinstance(inspect.getattr_static(cls, "sees"), property):
            pass  # a composite, or its base, computes it from its children
        elif "score_batch" in vars(cls):
            cls.sees = "batch"
        elif "score_group" in vars(cls):
            cls.sees = "group"

    def score(self, rollout: Rollout) -> Score:
        """One rollout's score, from that rollout alone."""
        raise NotImplementedError(f"{type(self).__name__} overrides none of score, score_group, score_batch")

    def score_group(self, group: Group) -> Sequence[Score]:
        """One score per rollout, from all attempts at one prompt (ranks, diversity, difficulty)."""
        scores = []
        for index, rollout in enumerate(group.rollouts):
            try:
                scores.append(self.score(rollout))
            except ConfigError:
                raise
            except Exception as error:
                raise raised(self, error, f"rollout {index} of example {rollout.example.id!r}") from error
        return scores

    def score_batch(self, groups: Sequence[Group], context: Context) -> Sequence[Sequence[Score]]:
        """One list of scores per group, from the whole batch (judges, encoders, vectorised geometry, linked groups)."""
        scores = []
        for group in groups:
            try:
                scores.append(self.score_group(group))
            except (RewardError, ConfigError):
                raise
            except Exception as error:
                raise raised(self, error, f"the group of example {group.example.id!r}") from error
        return scores

    def __call__(self, rollout: Rollout | None = None, *others: object, **columns: object) -> Score:
        """The score of one rollout on its own, here and now, for a look. Training scores batches, by a `Runner`.

        Raises:
            RewardError: the reward raised, or broke its promise (a value outside its bounds).
            ConfigError: it was called with anything else, as another trainer calls what it is given.
        """
        if not isinstance(rollout, Rollout) or others or columns:
            given = [type(each).__name__ for each in (rollout, *others) if each is not None]
            given += [f"{name}=" for name in columns]
            raise ConfigError(
                f"{self.name} is called with one Rollout, not with {', '.join(given) or 'nothing'}. If a trainer calls "
                f"it, wrap it first: TRL takes reward_funcs=guerdon.adapters.trl.reward_funcs(reward), and "
                f"docs/adapters.md has what the others take."
            )
        return Context().scores(self, [Group.of([rollout])])[0][0]

    def prepare(self, example: Example) -> Any:
        """What is computed once per example and read by all its rollouts through `prepared`."""
        return None

    def prepared(self, example: Example) -> Any:
        """`prepare(example)`, kept for the most recent examples of this process."""
        key = (self, example)
        found = _PREPARED.get(key, _PREPARED)
        if found is _PREPARED:  # no sentinel of its own is needed: nothing prepares the cache itself
            _PREPARED[key] = found = self.prepare(example)
            if len(_PREPARED) > _PREPARED_LIMIT:
                _PREPARED.popitem(last=False)
        return found

    # -- what an audit asks ----------------------------------------------------------------------------------------

    audit_line: ClassVar[str] = ""
    """For `guerdon show`: what to type in place of `guerdon audit NAME[...]`, where that says nothing of this class."""

    @property
    def relative(self) -> bool:
        """Whether its values mean something only beside those scored with them: shaped over their group or batch, so
        that what a group earns in the mean says nothing of the group.
        """
        return any(child.relative for child in self.children)

    @property
    def unaudited(self) -> str:
        """Why an audit of it, as it stands, would say nothing, and what to audit in its place; "" for most."""
        return ""

    # -- rewards that are a function of the policy's own probabilities ---------------------------------------------

    @property
    def needs_policy(self) -> bool:
        """Whether it cannot score without `Context.policy`: not on a server, and not in a worker."""
        return any(child.needs_policy for child in self.children)

    @property
    def has_targets(self) -> bool:
        """Whether its value has a gradient of its own, for `targets` to give."""
        return any(child.has_targets for child in self.children)

    def targets(self, groups: Sequence[Group], scores: Sequence[Sequence[Score]], context: Context) -> Targets:
        """What the update is to make likelier beside the advantages: the gradient of the values themselves.

        Args:
            groups: scored under the weights that the policy still has.
            scores: this reward's own, of these groups.
            context: with the policy.

        Raises:
            ConfigError: a part has such a gradient, and this composite does not say how it passes on.
        """
        if self.has_targets:
            names = ", ".join(child.label for child in self.children if child.has_targets)
            raise ConfigError(
                f"{names} has a gradient of its own (through the policy's probability of the reference), and "
                f"{type(self).__name__} does not pass it on. Set direct: false there to score without it."
            )
        return [[() for _ in group.rollouts] for group in groups]

    # -- state, for those that say `stateful` ---------------------------------------------------------------------

    @property
    def version(self) -> int:
        """Counts state changes; two versions never meet in one group."""
        return 0

    def update(self, groups: Sequence[Group], scores: Sequence[Sequence[Score]], context: Context) -> None:
        """Learn from a scored training batch. Evaluation never calls it.

        One that keeps what it learned while it scored keeps `context.batch(groups)` with it, and drops it unless that
        `same_batch` comes back here: the batch scored last may have been an evaluation.
        """

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must hold; JSON-able or tensors."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up where `state_dict` left off."""

    # -- algebra ---------------------------------------------------------------------------------------------------

    @property
    def label(self) -> str:
        """The name in `Score.parts` and in logs: "execution" for "sql/execution-v1"."""
        return re.sub(r"-v\d+$", "", self.name.rpartition("/")[2])

    @property
    def children(self) -> tuple[Reward, ...]:
        """The rewards this one is made of; empty for a leaf."""
        return ()

    @property
    def part_names(self) -> tuple[str, ...]:
        """The parts that each of its scores has, for those who log under names that are known beforehand."""
        return ()

    def worse_end(self, child: Reward, end: End) -> End:
        """Which end of a child's values is the worse one, if `end` is the worse one of this reward's own.

        Asked where text makes a leaf hang, which is to be worth the leaf's worst. The same end, for most composites:
        the more of a child, the more of the whole. One that subtracts says the other.
        """
        return end

    def __add__(self, other: Reward) -> Sum:
        from guerdon.rewards.algebra import Sum

        return Sum.of(self, _a_reward(other, f"added to {self.name}"))

    def __radd__(self, other: object) -> Sum:
        return _a_reward(other, f"added to {self.name}") + self

    def __mul__(self, weight: float) -> Weighted:
        from guerdon.rewards.algebra import Weighted

        try:
            given: object = weight
            if isinstance(given, str | bytes):  # float() reads one, and whoever wrote it meant something else
                raise TypeError(given)
            return Weighted(float(weight), self)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"the weight of {self.name} is {weight!r:.200}; a finite number is needed") from error

    __rmul__ = __mul__

    def gated_by(self, by: Reward, *, above: float = 0.0) -> Gate:
        """This reward where `by` is scored above `above`, else 0."""
        from guerdon.rewards.algebra import Gate

        return Gate(self, _a_reward(by, f"the gate of {self.name}"), above=above)

    def unless(self, by: Reward, *, above: float = 0.0) -> Gate:
        """This reward where `by` is *not* above `above`, else 0: a second chance for what failed."""
        from guerdon.rewards.algebra import Gate

        return Gate(self, _a_reward(by, f"the gate of {self.name}"), above=above, opens="not_above")

    def then(self, transform: Transform) -> Then:
        """This reward's values, shaped."""
        from guerdon.rewards.algebra import Then

        return Then(self, transform)

    def against(self, references: References, shape: Shape) -> Against:
        """This reward's values, shaped by those of reference answers to the same prompt."""
        from guerdon.rewards.references import Against

        return Against(self, references, shape)

    def named(self, label: str) -> Named:
        """The same reward under another name in parts and logs."""
        from guerdon.rewards.algebra import Named

        return Named(self, label)


def same_batch(scored: Sequence[Group], learned: Sequence[Group]) -> bool:
    """Whether a batch that was scored is the one to learn from: the same groups, in order."""
    return scored is learned or list(scored) == list(learned)


def ordered(bounds: tuple[float, float], who: str) -> tuple[float, float]:
    """The bounds, if they are such.

    Raises:
        ConfigError: they are no (low, high); `who` names whose they are.
    """
    try:
        low, high = bounds
        if low <= high:  # not so for NaN
            return bounds
    except (TypeError, ValueError):
        pass
    raise ConfigError(f"{who}: bounds {bounds!r:.200} are not (low, high) with low <= high")


def _a_reward(given: object, place: str) -> Reward:
    """What was given, if it is a reward; `place` says what it was to be."""
    if isinstance(given, Reward):
        return given
    hint = (
        "decorate the function with @guerdon.reward"
        if callable(given)
        else "a constant is the same for every attempt and teaches nothing; weigh with `*`, shape with .then(...)"
        if isinstance(given, int | float)
        else "see guerdon.rewards"
    )
    raise ConfigError(f"{given!r:.200} is no reward and cannot be {place}: {hint}")


_PREPARED: OrderedDict[tuple[Reward, Example], Any] = OrderedDict()
_PREPARED_LIMIT = 4096


def raised(reward: Reward, error: Exception, where: str) -> RewardError | ConfigError:
    """The error for a reward that raised: a bug in the reward, with the sample that shows it.

    One that was given examples it is not written for has no bug: reward and task do not go together.
    """
    if isinstance(error, RewardError):
        return error
    if isinstance(error, OtherExample):
        return ConfigError(
            f"the reward {reward.name} scores {error.wanted}, and the task gives {error.given}. Name a reward for that "
            f"task's examples (`guerdon list rewards`), or another task."
        )
    what = f"{type(error).__name__}: {error}"
    return RewardError(f"{reward.name} raised {what} on {where}. That is a bug in the reward, not a zero.")


def evaluated(reward: Reward, groups: Sequence[Group], context: Context) -> Scores:
    """The reward's own answer, here and now, held to its promises.

    Raises:
        RewardError: as `Context.scores`.
        ConfigError: the reward was set up as it cannot be used here, or scores no examples of this kind.
        SandboxError: the workers it needs cannot be started.
    """
    try:
        return checked(reward, groups, reward.score_batch(groups, context))
    except (RewardError, ConfigError, SandboxError, JudgeError, PolicyError, RetrievalError):
        raise  # all but the first are no bugs: a setting, a machine, a model or a retriever that will not do
    except Exception as error:
        raise raised(reward, error, f"a batch of {len(groups)} groups") from error


def checked(reward: Reward, groups: Sequence[Group], scores: Sequence[Sequence[Score]]) -> Scores:
    """The scores as lists, if there is one per rollout and each keeps the reward's promises.

    Raises:
        RewardError: a wrong number of scores, or a NaN whose status claims a number (or the reverse).
        BoundsError: a scored value outside `reward.bounds`.
    """
    low, high = max(reward.bounds[0], -sys.float_info.max), min(reward.bounds[1], sys.float_info.max)
    rows: list[list[Any]] = [list(row) for row in scores]
    if len(rows) != len(groups):
        raise RewardError(f"{reward.name} gave {len(rows)} lists of scores for {len(groups)} groups")
    for group, row in zip(groups, rows, strict=True):
        if len(row) != len(group.rollouts):
            which = f"{len(row)} scores for the {len(group)} rollouts of example {group.example.id!r}"
            raise RewardError(f"{reward.name} gave {which}")
        for index, score in enumerate(row):
            if not isinstance(score, Score):
                where = f"rollout {index} of example {group.example.id!r}"
                raise RewardError(f"{reward.name} gave {score!r} to {where}; a Score is needed")
            if not (low <= score.value <= high and score.status in SCORED):
                _check_closely(reward, score, f"rollout {index} of example {group.example.id!r}")
    return rows


def _check_closely(reward: Reward, score: Score, where: str) -> None:
    """Pass an unscored NaN, and name what is wrong with anything else."""
    no_number = score.value != score.value
    if no_number and score.status in UNSCORED:
        return
    if no_number or score.status not in SCORED:
        raise RewardError(
            f"{reward.name} gave {score.value!r} with status {score.status!r} to {where}: a NaN goes with one of "
            f"{sorted(UNSCORED)}, a number with one of {sorted(SCORED)}"
        )
    raise BoundsError(
        f"{reward.name} gave {score.value!r} to {where}, outside its stated bounds {reward.bounds}. That is a bug in "
        f"the reward; see it alone with `guerdon score`."
    )


@dataclass(frozen=True, eq=True)
class FunctionReward(Reward, sees="rollout"):
    """A function of one rollout, lifted by `@reward`. Pickles by import path, as functions do."""

    function: Callable[[Rollout], Score | float]
    name: str = ""
    bounds: tuple[float, float] = (float("-inf"), float("inf"))
    runs_in: RunsIn = "caller"
    unaudited: str = ""

    def __post_init__(self) -> None:
        ordered(self.bounds, self.name)

    def score(self, rollout: Rollout) -> Score:
        """The function's own score; a bare number becomes one."""
        result = self.function(rollout)
        return result if isinstance(result, Score) else _scored(result)

    def score_group(self, group: Group) -> Sequence[Score]:
        """As the base's, without a call in between: most rewards are cheap functions."""
        function, scores = self.function, []
        try:
            for rollout in group.rollouts:
                result = function(rollout)
                scores.append(result if isinstance(result, Score) else _scored(result))
        except (RewardError, ConfigError):
            raise
        except Exception as error:
            raise raised(self, error, f"rollout {len(scores)} of example {group.example.id!r}") from error
        return scores

    def __repr__(self) -> str:
        return f"{self.function.__module__}.{self.function.__qualname__}"

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        path = self.function.__module__, self.function.__qualname__
        if self == _at(*path):  # decorated: the name leads to this reward, and pickle would not find the bare function
            return _at, path
        return FunctionReward, (self.function, self.name, self.bounds, self.runs_in, self.unaudited)


def _scored(result: Any) -> Score:
    if result is None:
        raise TypeError('it gave None; where there is no number, return Score.unscored("why", status="abstain")')
    if isinstance(result, str | bytes):
        raise TypeError(f"it gave the text {result!r:.80}; a number or a Score is needed")
    return Score(float(result))


def _at(module: str, qualname: str) -> Any:
    """What stands at an import path; None where nothing does (a function within a function)."""
    found: Any = importlib.import_module(module)
    for part in qualname.split("."):
        found = getattr(found, part, None)
    return found


@overload
def reward(function: Callable[[Rollout], Score | float], /) -> FunctionReward: ...
@overload
def reward(
    *, name: str | None = None, bounds: tuple[float, float] = ..., runs_in: RunsIn = ..., unaudited: str = ...
) -> Callable[[Callable[[Rollout], Score | float]], FunctionReward]: ...
def reward(
    function: Callable[[Rollout], Score | float] | None = None,
    /,
    *,
    name: str | None = None,
    bounds: tuple[float, float] = (float("-inf"), float("inf")),
    runs_in: RunsIn = "caller",
    unaudited: str = "",
) -> FunctionReward | Callable[[Callable[[Rollout], Score | float]], FunctionReward]:
    """Lift a function of one rollout into a `Reward`; what the arguments say is what the reward says of itself.

    >>> @reward(bounds=(0.0, 1.0))
    ... def polite(rollout):
    ...     return float("please" in rollout.answer)
    >>> polite(Rollout.of(Example(id="1"), "yes, please")).value
    1.0
    """

    def lift(function: Callable[[Rollout], Score | float]) -> FunctionReward:
        return FunctionReward(function, name or function.__name__, bounds, runs_in, unaudited)

    return lift if function is None else lift(function)
