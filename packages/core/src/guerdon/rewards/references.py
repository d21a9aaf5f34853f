"""Rewards compared with those of *reference answers* to the same prompt: `reward.against(references, shape)`.

| the references stand in | `References(...)` | a row of the file |
|---|---|---|
| a field of the example: a TRL column, verl's `extra_info`, a JSONL row | `field="sample_rewards"` | |
| a JSONL file, by the example's id | `file="refs.jsonl"` | `{"id": ..., "rewards": [...]}` |
| as *answers*, in a field or a file | `kind="answers"` | `{"id": ..., "completions": [...]}` |

Stored rewards must come from the very reward model that scores the policy; nothing here can check that, and a new model
means new references. Reference *answers* are scored here, by the same reward, whenever its version moves: then it holds
by construction. Numbers are compared in the order stored, since a shape may look at the first of them alone.

Examples without references are an error, as PAR and LSC are undefined without any, and not a 0.5; where others of the
batch have some, one with an empty list is unscored (`invalid`) and stops nobody. A reference that has no score is left
out, and with `first` the next one stored counts in its place (of answers, the next one is scored then); where none is
left, the answer is unscored, and says why. A NaN stays a NaN.

`Score.parts` keeps the raw reward by its name, `reference` (the level compared with: the mean, or LSC's quantile) and,
for shapes that saturate, `saturated`: 1.0 where the value is as good as the top (`Shape.saturation`), so that its mean,
in every log, is the share of answers without a gradient.
"""

from __future__ import annotations

import functools
import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, model_validator

from guerdon.errors import ConfigError, TaskError
from guerdon.fields import check_is
from guerdon.parsing.rows import read_rows
from guerdon.rewards.algebra import OfOne, operand, walk
from guerdon.rewards.base import Context, Reward, RunsIn, Scores
from guerdon.rewards.shapes import Shape, par
from guerdon.types import Example, Group, Score, Segment, Status

_FIELDS = {"rewards": "sample_rewards", "answers": "sample_completions"}
_COLUMNS = {"rewards": "rewards", "answers": "completions"}
_REMEMBERED = 4096
"""Prompts whose scored reference answers are kept."""


@dataclass(frozen=True)
class References:
    """Where a prompt's references stand. Frozen, and plain enough for a recipe: `{field: sample_rewards}`."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    field: str = ""
    """The example's field, or the file's column. Empty, the usual one: `sample_rewards` or `sample_completions` of an
    example, `rewards` or `completions` of a file."""
    file: str = ""
    """A JSONL file (gzipped where it ends in .gz) of one row per example, found by `id`; empty: the example itself."""
    kind: Literal["rewards", "answers"] = "rewards"
    """`rewards`: numbers, null where one has no score. `answers`: texts, to be scored by the same reward."""

    def __post_init__(self) -> None:
        if self.kind not in _FIELDS:
            raise ConfigError(f"references.kind is {self.kind!r}; accepted are 'rewards' and 'answers'")

    def rewards(self, example: Example) -> tuple[float, ...]:
        """The stored numbers in their order, NaN where one has no score; at least one.

        Raises:
            ConfigError: there are none, or they are no numbers.
        """
        return tuple(self._number(value, example) for value in self._some(example, (int, float)))

    def answers(self, example: Example) -> tuple[str, ...]:
        """The stored texts in their order; at least one.

        Raises:
            ConfigError: there are none, or they are no texts.
        """
        found = self._some(example, (str,))
        for value in found:
            if not isinstance(value, str):
                raise ConfigError(f"{self._where(example)} holds {value!r:.80}; texts are needed")
        return tuple(found)

    def _some(self, example: Example, single: tuple[type, ...]) -> list[Any]:
        if not (found := self._stored(example, single)):
            raise ConfigError(f"{self._where(example)} is empty; {_NEEDED}")
        return found

    def _stored(self, example: Example, single: tuple[type, ...]) -> list[Any]:
        value = self._of_file(example) if self.file else self._of_example(example)
        value = value.tolist() if hasattr(value, "tolist") else value  # a row of a parquet file is a numpy array
        if isinstance(value, single):
            value = [value]
        if not isinstance(value, list | tuple):
            raise ConfigError(f"{self._where(example)} is {value!r:.80}; a list of {self.kind} is needed")
        return list(value)

    def none(self, example: Example) -> bool:
        """Whether the example's list is there, and empty."""
        return not self._stored(example, (int, float) if self.kind == "rewards" else (str,))

    @model_validator(mode="before")
    @classmethod
    def _named_by_field(cls, given: Any) -> Any:
        """In a recipe, a text alone is the field."""
        return {"field": given} if isinstance(given, str) else given

    def _of_example(self, example: Example) -> Any:
        name = self.field or _FIELDS[self.kind]
        value = getattr(example, name, None)
        if value is None:
            has = ", ".join([*type(example).model_fields, *(example.__pydantic_extra__ or {})])
            raise ConfigError(f"example {example.id!r} has no references in field {name!r}, it has {has}; {_NEEDED}")
        return value

    def _of_file(self, example: Example) -> Any:
        path, name = Path(self.file).expanduser(), self.field or _COLUMNS[self.kind]
        try:
            stat = path.stat()
            stamp = stat.st_mtime_ns, stat.st_size
        except OSError:
            stamp = 0, 0  # what is wrong with it is said by whoever reads it
        rows = _by_id(path, stamp, name)
        if example.id not in rows:
            raise ConfigError(f"{self.file!r} has no row for example {example.id!r} among its {len(rows)}; {_NEEDED}")
        return rows[example.id]

    def _number(self, value: Any, example: Example) -> float:
        if value is None:
            return math.nan
        if not isinstance(value, str | bool | int | float) and hasattr(value, "item"):
            value = value.item()  # a number of numpy, such as numpy.float32, which is no float
        if isinstance(value, bool) or not isinstance(value, int | float) or math.isinf(value):
            raise ConfigError(
                f"{self._where(example)} holds {value!r:.80}; finite numbers are needed, or null where one has no score"
            )
        return float(value)

    def _where(self, example: Example) -> str:
        name = self.field or (_COLUMNS if self.file else _FIELDS)[self.kind]
        return f"{name!r} of example {example.id!r}" + (f" in {self.file!r}" if self.file else "")


_NEEDED = "the rewards of reference answers to that prompt are needed: without any, the shaped reward is undefined"


@functools.lru_cache(maxsize=8)
def _by_id(path: Path, stamp: tuple[int, int], column: str) -> dict[str, Any]:
    """A file's column by id; read again when its `stamp` (time and size) is another."""
    found: dict[str, Any] = {}
    try:
        for row in read_rows(path, "references"):
            if not isinstance(row.fields.get("id"), str | int):
                raise row.fault("id", "a text or a whole number")
            if column not in row.fields:
                raise row.fault(column, "a list")
            id_ = str(row.fields["id"])
            if id_ in found:
                raise ConfigError(f"{row.place}: a second row for example {id_!r}; which of them counts cannot be told")
            found[id_] = row.fields[column]
    except TaskError as error:  # the file is named by a setting
        raise ConfigError(f"references: {error}") from error
    return found


@dataclass(frozen=True)
class Against(OfOne):
    """A reward's values, shaped by those of reference answers to the same prompt; see the module's head."""

    reward: Reward
    references: References = References()
    shape: Shape = field(default_factory=par)
    _scored: OrderedDict[Any, tuple[Score, ...]] = field(
        default_factory=OrderedDict, init=False, repr=False, compare=False
    )
    """The scores of reference answers by the reward's version, the example's id and the texts."""

    def __post_init__(self) -> None:
        whose = f"of {self.reward.name}"
        check_is(self.references, References, f"the references {whose}", 'such as References(field="sample_rewards")')
        check_is(self.shape, Shape, f"the shape {whose}", "such as guerdon.rewards.shapes.par()")
        if self.references.kind == "answers" and self.reward.sees != "rollout":
            raise ConfigError(
                f"{self.reward.name} looks at a whole {self.reward.sees}, so reference answers scored beside one "
                f"another would not get the values that they would have among the policy's. Compare first and shape "
                f"over the {self.reward.sees} after: reward.against(...).then(...); or store the references' rewards. "
                f"If it looks at each answer alone, and takes many at once for speed, say so: "
                f"class {type(self.reward).__name__}(Reward, sees='rollout')"
            )

    @property
    def bounds(self) -> tuple[float, float]:  # type: ignore[override]
        """The shape's."""
        return self.shape.bounds

    @property
    def runs_in(self) -> RunsIn:  # type: ignore[override]
        """Where reference answers are scored, not in a worker: the time they take is not the policy's fault."""
        return "elsewhere" if self.references.kind == "answers" else "caller"

    @property
    def part_names(self) -> tuple[str, ...]:
        """The value before it was shaped, the references' level, and whether the shape's top, if any, is reached."""
        top = ("saturated",) if self.shape.saturation < math.inf else ()
        return (self.label, "reference", *top)

    def score_batch(self, groups: Sequence[Group], context: Context) -> Scores:
        """Settle each prompt's curve, and put its answers on it.

        Raises:
            ConfigError: a prompt has no references.
        """
        rows = context.scores(self.reward, groups)
        without = [self.references.none(group.example) for group in groups]
        some = groups if all(without) else [group for group, none in zip(groups, without, strict=True) if not none]
        if self.references.kind == "answers":
            known = iter(self._answered(some, context))
        else:
            known = iter(
                [Score(value) if value == value else _NO_SCORE for value in self.references.rewards(group.example)]
                for group in some
            )
        references = [[_NONE_STORED] if none and some is not groups else next(known) for none in without]
        return [self._shaped(row, found) for row, found in zip(rows, references, strict=True)]

    def _shaped(self, row: Sequence[Score], references: Sequence[Score]) -> list[Score]:
        usable = [reference.value for reference in references if reference.scored][: self.shape.first]
        if not usable:
            status, why = _reason(references)
            return [
                Score(math.nan, f"no reference is scored: {why}", {**score.parts, self.label: score}, status)
                if score.scored
                else Score(math.nan, score.why, {**score.parts, self.label: score}, score.status)
                for score in row
            ]
        curve, level = self.shape.curve(usable), Score(self.shape.level(usable))
        return [self._one(score, curve(score.value), level) for score in row]

    def _one(self, score: Score, value: float, level: Score) -> Score:
        parts = {**score.parts, self.label: score, "reference": level}
        if score.scored and self.shape.saturation < math.inf:
            parts["saturated"] = _TRUE if value > self.shape.saturation else _FALSE
        return Score(value, score.why, parts, score.status)

    # -- reference answers -------------------------------------------------------------------------------------------

    def _answered(self, groups: Sequence[Group], context: Context) -> list[Sequence[Score]]:
        """Each prompt's reference answers, scored by the reward as it now is; at once for all that are not known.

        As many as the shape looks at; for each that has no score, one further, as long as there are any.
        """
        version = tuple(context.instance(node).version for node in walk(self.reward))
        keys = [(version, group.example.id, self.references.answers(group.example)) for group in groups]
        fresh = {key: group for key, group in zip(keys, groups, strict=True) if key not in self._scored}
        found: dict[Any, list[Score]] = {key: [] for key in fresh}
        while wanted := {key: texts for key in fresh if (texts := self._next(key[2], found[key]))}:
            asked = [_answers(fresh[key], texts, len(found[key])) for key, texts in wanted.items()]
            for key, row in zip(wanted, context.scores(self.reward, asked), strict=True):
                found[key] += row
        settled: dict[Any, Sequence[Score]] = {**found}
        for key in keys:
            if key in self._scored:
                self._scored.move_to_end(key)
                settled[key] = self._scored[key]
            elif all(score.status != "infra" for score in found[key]):  # a fault of ours may be gone the next time
                self._scored[key] = tuple(found[key])
        while len(self._scored) > _REMEMBERED:
            self._scored.popitem(last=False)
        return [settled[key] for key in keys]

    def _next(self, texts: Sequence[str], scores: Sequence[Score]) -> Sequence[str]:
        """Which answers are to be scored after those that were."""
        first = len(texts) if self.shape.first is None else self.shape.first
        return texts[len(scores) : len(scores) + first - sum(score.scored for score in scores)]

    def __repr__(self) -> str:
        return f"{operand(self.reward)}.against({self.references!r}, {self.shape!r})"

    def __reduce__(self) -> tuple[type[Against], tuple[Any, ...]]:
        return Against, (self.reward, self.references, self.shape)


_TRUE, _FALSE = Score(1.0), Score(0.0)
_NONE_STORED = Score.unscored("the example's list of references is empty", status="invalid")
_NO_SCORE = Score.unscored("a stored reference has no score", status="invalid")


def _reason(references: Sequence[Score]) -> tuple[Status, str]:
    """Why none of them is scored: the gravest reason first."""
    order: tuple[Status, ...] = ("infra", "invalid", "abstain")
    worst = min(references, key=lambda score: order.index(score.status))
    return worst.status, worst.why


def _answers(group: Group, texts: Sequence[str], start: int) -> Group:
    """Reference answers as attempts at the group's prompt. They have texts alone: no token ids, no log-probs."""
    asked = group.rollouts[0]
    return Group(
        tuple(
            replace(asked, segments=(Segment("policy", text),), stop="stop", index=index)
            for index, text in enumerate(texts, start)
        ),
        f"{group.key}#references" if not start else f"{group.key}#references-from-{start}",
    )
