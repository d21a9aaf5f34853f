"""The grader: a task and a reward, ready to score rows."""

from __future__ import annotations

import math
import threading
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from pydantic import ValidationError

from guerdon.errors import ConfigError, UnknownName
from guerdon.grading.rows import OBJECTS, RECORDED, TOLD, USUAL, Columns, Row, group_in, rollout_in, short
from guerdon.grading.taking_up import take_up
from guerdon.protocols import Split
from guerdon.rewards import Context, Reward, walk
from guerdon.rewards.algebra import OfOne
from guerdon.rewards.learning import learning, load_state, state_of
from guerdon.scoring import Runner
from guerdon.trainer.records import part_weights
from guerdon.types import Example, Group, Prompt, Rollout, Score

if TYPE_CHECKING:
    from guerdon.protocols import Task
    from guerdon.recipes import RewardSpec, Use


@dataclass
class Grader:
    """A task and a reward, ready to score rows. A context manager; threads may share one, and take turns.

    >>> from guerdon import reward
    >>> polite = reward(lambda rollout: float("please" in rollout.answer))
    >>> with Grader(polite) as grader:
    ...     grader.grade([{"example": {"id": "1"}, "completion": "yes, please"}])
    [Score(1.0)]
    """

    reward: Reward
    task: Task | None = None
    """Whose examples the rows name; None where rows bring all that the reward looks at."""
    workers: int | None = None
    """Worker processes; see `guerdon.scoring.Runner`."""
    deadline_s: float = 30.0
    """Wall-clock limit of one rollout, in seconds."""
    on_error: Literal["raise", "unscored"] = "raise"
    """What a bug in the reward does: raise, or leave the row unscored."""
    _examples: dict[str, Example] = field(default_factory=dict, init=False, repr=False, compare=False)
    _warned: bool = field(default=False, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        given = cast(object, self.reward)
        if not isinstance(given, Reward):
            what = "decorate a function of one rollout with @guerdon.reward" if callable(given) else "see Grader.of"
            raise ConfigError(f"a grader's reward is {short(given)}, which is no Reward: {what}")
        if isinstance(self.task, str):
            raise ConfigError(f"a grader's task is the name {self.task!r}; Grader.of(task=...) takes names")
        self.runner = Runner(self.workers, self.deadline_s, on_error=self.on_error)
        self._lock = threading.RLock()

    @classmethod
    def of(
        cls,
        source: str | Path | None = None,
        *,
        task: str | None = None,
        reward: str | Sequence[str] = (),
        **options: Any,
    ) -> Grader:
        """The grader that names mean.

        Args:
            source: a recipe (built in, or a file) or a run folder, which has both task and reward. Of a run, rewards
                that learn begin with what they had learnt at its latest checkpoint, unless `reward` names others.
            task: another task, as `NAME` or `NAME[k=v,...]`. With neither source nor task, rows bring all that the
                reward looks at.
            reward: another reward, as `NAME`, `W*NAME[k=v,...]`, or several of these to be summed.
            options: the grader's own fields.

        Raises:
            ConfigError: a name or an option is wrong, or no reward is named.
            RunError: the run's latest checkpoint cannot be read, or is of another reward.
        """
        from guerdon.recipes.building import build_reward, build_task
        from guerdon.recipes.spelling import reward_spec

        if callable(source):
            raise ConfigError(f"{source!r} is no name: decorate a function of one rollout with @guerdon.reward")
        rewards = [reward] if isinstance(reward, str) else reward
        if source is None and task is None and rewards:
            return cls(build_reward(reward_spec(rewards)), **options)
        use, spec = task_and_reward(source, task, rewards)
        made = cls(build_reward(spec), build_task(use), **options)
        if not rewards:
            take_up(made.reward, source, None)
        return made

    def grade(
        self,
        rows: Sequence[Row],
        context: Context | None = None,
        *,
        learn: bool = False,
        places: Sequence[str] | None = None,
    ) -> list[Score]:
        """One score per row, in order.

        Args:
            rows: see `guerdon.grading`. Attempts at one example are scored as one group, wherever they stand.
            context: how far the run is, for rewards with schedules.
            learn: let rewards that learn see these rows; False where they are an evaluation.
            places: what errors call each row, as "'mine.jsonl', line 5"; "row 1", "row 2", ... by default.

        Raises:
            ConfigError: a row is not what is needed, or names an unknown example; the message has its place.
            RewardError: a bug in the reward (`on_error="raise"`).
        """
        with self._lock:
            groups, at = self._grouped(rows, places)
            context = replace(context or Context(), task=self.task)
            scores = self.runner.score(self.reward, groups, context)
            if learn:
                for node in self.learning:
                    node.update(groups, scores, context)
        return [scores[group][index] for group, index in at]

    def grade_in_parts(
        self,
        rows: Sequence[Row],
        context: Context | None = None,
        *,
        size: int,
        places: Sequence[str] | None = None,
    ) -> Iterator[list[tuple[int, Score]]]:
        """The scores of `grade`, as they come: (number of the row, its score), some rows at a time.

        Args:
            rows: as `grade`'s; all are looked at before the first is scored.
            context: as `grade`'s.
            size: about how many rows to score at a time. A group is never cut, and where the reward looks at the whole
                batch all rows are one part: the scores are the same as `grade`'s.
            places: as `grade`'s.

        Raises:
            ConfigError, RewardError: as `grade`; the latter in the middle of it.
        """
        with self._lock:
            groups, at = self._grouped(rows, places)
        number_of: dict[tuple[int, int], int] = {place: number for number, place in enumerate(at)}
        for start, stop in _runs([len(group) for group in groups], len(rows) if self.reward.sees == "batch" else size):
            with self._lock:
                whole = replace(context or Context(), task=self.task)
                scores = self.runner.score(self.reward, groups[start:stop], whole)
            yield [
                (number_of[start + group, index], score)
                for group, row in enumerate(scores)
                for index, score in enumerate(row)
            ]

    def _grouped(
        self, rows: Sequence[Row], called: Sequence[str] | None = None
    ) -> tuple[list[Group], list[tuple[int, int]]]:
        """The rows as groups, and where in them each row went: (group, place). Errors call the rows by `called`."""
        keys: dict[tuple[str, str | int | None], int] = {}  # of the groups, by the example's id and the row's group
        members: list[list[Rollout]] = []
        prompts: dict[int, Prompt] = {}  # by the example's identity: made once for all attempts at it
        places = []

        def told_place(number: int) -> str:
            return f"That is in {called[number] if called else f'row {number + 1}'}."

        for number, row in enumerate(rows):
            try:
                example = self._example(row)
                group = keys.setdefault((example.id, group_in(row)), len(members))
                if group == len(members):
                    members.append([])
                attempts = members[group]
                if attempts and attempts[0].example is not example and attempts[0].example != example:
                    raise ConfigError(f"two different examples have the id {short(example.id)}, and one group")
                if (prompt := prompts.get(id(example))) is None:
                    prompt = prompts[id(example)] = self.task.prompt(example) if self.task else Prompt()
                    if "prompt" in row:
                        self.compare_prompt(example, row["prompt"])
                places.append((group, len(attempts)))
                attempts.append(rollout_in(row, example, prompt, len(attempts)))
            except ConfigError as error:
                error.add_note(told_place(number))
                raise
            except (TypeError, ValueError, LookupError, AttributeError) as error:  # fields of a form that none has
                told = f"the row cannot be read ({type(error).__name__}: {error})"
                wrong = ConfigError(f"{told}; its fields are listed in guerdon.grading")
                wrong.add_note(told_place(number))
                raise wrong from error
        groups = [
            Group.of(attempts, id_ if group is None else f"{id_}#{group!r}")
            for (id_, group), attempts in zip(keys, members, strict=True)
        ]
        return groups, places

    def unread(self, rows: Sequence[Row]) -> list[str]:
        """The fields of rows that nothing here reads, sorted: misspelt, or meant for something else.

        Those of a run's rollouts file are read or known, and those of the task's examples are what a row may repeat.
        """
        found: set[str] = set()
        for row in rows:
            if not row.keys() <= USUAL:
                found |= row.keys()
        found -= USUAL | RECORDED | TOLD
        if found:
            for kind in {type(example) for example in self._known().values()}:
                found -= kind.model_fields.keys()
        return sorted(map(str, found))

    def compare_prompt(self, example: Example, shown: Any) -> None:
        """Warn, once, where what was asked is not what the task asks in the example of that id: the rows were made with
        other settings of the task, whose examples have the same ids, and right answers would count as wrong ones.

        Args:
            example: of this grader's task.
            shown: the prompt that was sampled from: a text, or chat messages. It may say more than the task's.
        """
        if self.task is None or self._warned:
            return
        asked = [message.content for message in self.task.prompt(example).messages if message.role == "user"][-1:]
        said = shown if isinstance(shown, str) else " ".join(str(each.get("content")) for each in shown or ())
        if asked and asked[0].strip() not in said:
            self._warned = True
            warnings.warn(
                f"the prompt that was sampled from is not the one that {self.task!r} has for example {example.id!r}: "
                f"{said[-160:]!r} in place of {asked[0][-160:]!r}. Make data and reward from the same task, with the "
                f"same options.",
                RuntimeWarning,
                stacklevel=4,
            )

    def _example(self, row: Row) -> Example:
        if not isinstance(row, OBJECTS):
            raise ConfigError(f"the row is {short(row)}; an object with 'example' and 'completion' is needed")
        named = row.get("example")
        if isinstance(named, str):
            return self.example(named)
        if "example" not in row:
            raise ConfigError(f"the row has no field 'example'; it has {short(', '.join(map(str, row)) or 'none')}")
        if not isinstance(named, Mapping):
            raise ConfigError(
                f"the field 'example' is {short(named)}; an example's id, or its fields as an object, is needed"
            )
        if self.task is None:
            return Columns.of(named)
        kind = type(next(iter(self._known().values())))
        try:
            return kind(**named)
        except (ValidationError, TypeError) as error:
            raise ConfigError(f"the field 'example' is no {kind.__name__} of task {self.task.name}: {error}") from None

    def example(self, id_: str) -> Example:
        """The task's example of that id, from either split.

        Raises:
            UnknownName: there is none; the message has the nearest id.
            ConfigError: the task has two that differ under one id.
        """
        if self.task is None:
            return Columns(id=id_)
        known = self._examples or self._known()
        if id_ not in known:
            shown = id_ if len(id_) <= 100 else f"{id_[:97]}..."
            raise UnknownName("example", shown, known, f"of {self.task.name}")
        return known[id_]

    def _known(self) -> dict[str, Example]:
        with self._lock:
            if not self._examples and self.task is not None:
                found: dict[str, Example] = {}
                for split in get_args(Split):
                    for example in self.task.examples(split):
                        if found.setdefault(example.id, example) != example:
                            raise ConfigError(
                                f"two different examples of {self.task.name} have the id {example.id!r}: which of them "
                                f"a row means cannot be told"
                            )
                self._examples.update(found)
        return self._examples

    # -- state of rewards that learn -----------------------------------------------------------------------------------

    @cached_property
    def learning(self) -> tuple[Reward, ...]:
        """The reward's nodes that keep state."""
        return learning(self.reward)

    def refuse_policy(self, where: str) -> None:
        """For those who train no policy that a reward could ask.

        Args:
            where: why not, in words: "a server trains nothing".

        Raises:
            ConfigError: the reward asks the policy being trained; the message names the parts that do.
        """
        if asks := [node.name for node in walk(self.reward) if node.needs_policy and not node.children]:
            raise ConfigError(
                f"{', '.join(asks)} asks the policy being trained how likely a text is, and here is none ({where}). "
                f"Give it a scorer with a model of its own: 'local' or 'server'."
            )

    def refuse_learning(self, where: str) -> None:
        """For those who cannot keep what a reward learns either.

        Args:
            where: why not, in words: "verl's workers do not share state".

        Raises:
            ConfigError: the reward learns, or asks the policy being trained; the message names the parts that do.
        """
        self.refuse_policy(where)
        if names := ", ".join(node.name for node in self.learning):
            raise ConfigError(
                f"the reward learns ({names}), and {where}: what it learns would stand still, or differ from worker to "
                f"worker. Use a reward that keeps no state here."
            )

    def state_dict(self) -> dict[str, Any]:
        """What a trainer's checkpoint must hold."""
        return state_of(self.reward)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up where `state_dict` left off.

        Raises:
            ConfigError: it was another reward's.
        """
        load_state(self.reward, state)

    # -- what is logged ------------------------------------------------------------------------------------------------

    @cached_property
    def part_names(self) -> tuple[str, ...]:
        """The names of the reward's parts: known before anything is scored, and the same for every row."""
        return tuple(self._part_places)

    @cached_property
    def _part_places(self) -> dict[str, tuple[str | None, str]]:
        """What each part is called in logs, and where it is found: within which term (None: wherever it is), as what.

        A name that parts of several terms have (each of two ensembles has a `disagreement`) is `TERM/NAME`.
        """
        offered = list(dict.fromkeys(_offered(self.reward)))
        count = Counter(name for _, name in offered)
        return {
            name if term is None or count[name] == 1 else f"{term}/{name}": (term if count[name] > 1 else None, name)
            for term, name in offered
        }

    def parts(self, score: Score) -> dict[str, float]:
        """The value of each of `part_names`; NaN where a term has none for this row."""
        return {name: value for name, [value] in self.columns([score]).items()}

    def columns(self, scores: Sequence[Score]) -> dict[str, list[float]]:
        """The values of each of `part_names`, one per score; NaN where a term has none for that row."""
        rows = [score.parts for score in scores]
        return {
            shown: [row[name].value if term is None and name in row else _deeper(row, name, term) for row in rows]
            for shown, (term, name) in self._part_places.items()
        }

    def logged(self, scores: Sequence[Score]) -> dict[str, list[float]]:
        """For those who log numbers under fixed names, one per score and never NaN.

        Returns:
            `part/NAME` for each of `part_names`: of a sum's term what it adds, its weight times its value; of others
            the value; and `unscored/NAME`: 1.0 where it has no value (it abstained, failed or stayed behind a closed
            gate) and so adds 0.0, else 0.0.
        """
        logs = {}
        columns, weights = self.columns(scores), part_weights(self.reward)
        for name in self.part_names:
            weight, values = weights.get(name, 1.0), columns[name]
            logs[f"part/{name}"] = [weight * value if math.isfinite(value) else 0.0 for value in values]
            logs[f"unscored/{name}"] = [float(not math.isfinite(value)) for value in values]
        return logs

    # -- life ----------------------------------------------------------------------------------------------------------

    def load(self) -> None:
        """Load the task's examples now, rather than with the first rows.

        Raises:
            TaskError, ConfigError: the task cannot be loaded.
        """
        self._known()

    def close(self) -> None:
        """End the worker processes. The grader may be used again; fresh ones then start."""
        with self._lock:
            self.runner.close()

    def __enter__(self) -> Grader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return Grader, tuple(getattr(self, each.name) for each in fields(self) if each.init)


def task_and_reward(source: str | Path | None, task: str | None, rewards: Sequence[str]) -> tuple[Use, RewardSpec]:
    """Task and reward: as named, else those of the recipe or run `source`.

    Raises:
        ConfigError: there is no such recipe, or one of the two is named nowhere.
    """
    from guerdon.recipes import load_recipe
    from guerdon.recipes.spelling import reward_spec, task_use

    if source is None:
        if task is None or not rewards:
            raise ConfigError(
                "name both a task and a reward (--task, --reward), or a recipe or a run folder that has them"
            )
        return task_use(task), reward_spec(rewards)
    run = Path(source) / "recipe.yaml"
    recipe = load_recipe(run if run.is_file() else str(source))
    return task_use(task) if task else recipe.task, reward_spec(rewards) if rewards else recipe.reward


def _offered(reward: Reward, term: str | None = None) -> Iterator[tuple[str | None, str]]:
    """The parts that are logged of a tree, each with its term: None for what the whole is made of."""
    for name in reward.part_names:
        yield term, name
    names = reward.part_names
    for place, child in enumerate(reward.children):
        if isinstance(reward, OfOne) and place == 0:  # its scores have the child's parts, beside its own
            yield from _offered(child, term)
        else:
            own = child.label if child.label in names or place >= len(names) else names[place]
            yield from _offered(child, own)


def _deeper(parts: Mapping[str, Score], name: str, term: str | None) -> float:
    """The value of the part of that name within these (and within that term), the first of them; NaN of none."""
    for above, part in parts.items():
        for path, value in part.flat(f"{above}/").items():
            terms, _, last = path.rpartition("/")
            if last == name and (term is None or term in terms.split("/")):
                return value
    return math.nan


def _runs(lengths: Sequence[int], size: int) -> Iterator[tuple[int, int]]:
    """(start, stop) of runs of groups that have at least `size` rows together; the last may have fewer."""
    start = held = 0
    for place, length in enumerate(lengths):
        held += length
        if held >= size:
            yield start, place + 1
            start, held = place + 1, 0
    if held:
        yield start, len(lengths)
