"""Where the reasoning of a rollout ends, and the reference answer that is put behind it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from guerdon.errors import ConfigError
from guerdon.protocols import Continuation
from guerdon.rewards.scored import said_before
from guerdon.types import Example, Rollout

if TYPE_CHECKING:
    from guerdon.protocols import Task

Missing = Literal["lowest", "close", "floor"]
Counts = Literal["reference", "block"]
Space = Literal["template", "kept"]


OF_TASK = "task.reference"
"""The path that means what the task itself says is right (`Task.reference`)."""


def reference_of(example: Example, path: str, task: Task | None = None) -> str:
    """The reference answer at a path of the example: "answer", "reward_model.ground_truth", "gold.0"; a number as text.

    `task.reference` is the task's own reference completion; all of it, so that it goes with a separator of its own.

    Returns:
        The text, stripped; empty where the row has none (null, or blank), which is the row's fault.

    Raises:
        ConfigError: the example has no such field, or it holds neither a text nor a number; or there is no task.
    """
    if path == OF_TASK and not isinstance(_field(example, "task"), Mapping):
        if task is None:
            raise ConfigError(
                f"reference is {OF_TASK!r}, and no task is at hand here: rows bring all there is. Name the column that "
                f"holds the reference answer."
            )
        return (task.reference(example) or "").strip()
    found: Any = example
    for name in path.split("."):
        if isinstance(found, Mapping):
            known, inner = list(found), found.get(name, _ABSENT)
        elif isinstance(found, Example):
            known, inner = list(found.model_dump()), _field(found, name)
        elif isinstance(found, Sequence) and not isinstance(found, str | bytes):
            known = list(range(len(found)))
            inner = found[int(name)] if name.isdecimal() and int(name) < len(found) else _ABSENT
        else:
            known, inner = [], getattr(found, name, _ABSENT)
        if inner is _ABSENT:
            raise ConfigError(
                f"reference is {path!r}, and example {example.id!r} has no {name!r} there; it has "
                f"{', '.join(map(str, known)) or 'no fields'}. Name the field that holds the reference answer."
            )
        found = inner
    if found is None:
        return ""
    if isinstance(found, str | int | float) and not isinstance(found, bool):
        return str(found).strip()
    several = f". One of several is named by its place: '{path}.0'" if isinstance(found, Sequence) else ""
    raise ConfigError(
        f"reference is {path!r}, and example {example.id!r} holds {found!r:.100} there; a text or a number is needed"
        f"{several}"
    )


_ABSENT: Any = object()


def _field(example: Example, name: str) -> Any:
    """A declared field, or a column of somebody else's row."""
    if name in type(example).model_fields or name in (example.model_extra or {}):
        return getattr(example, name)
    return _ABSENT


@dataclass(frozen=True)
class Place:
    """Where the reference goes in a rollout, and what of it counts: the same for every variant, or they cannot compare.

    ```
    prompt | reasoning ... separator | lead  REFERENCE  tail
             given                   | given or scored, as `counts` says
    ```
    """

    separator: str = "<answer>"
    """The reasoning ends with the first of these."""
    lead: str = ""
    """Between separator and reference; VeriFree's is " \\boxed{"."""
    tail: str = ""
    """Behind the reference; VeriFree's is "} </answer>"."""
    counts: Counts = "reference"
    """Whether the reference alone is scored (RLPR), or lead and tail with it (VeriFree)."""
    space: Space = "template"
    """`kept` puts the white space that the rollout itself wrote behind its separator before the lead (RLPR)."""

    def __post_init__(self) -> None:
        if not self.separator:
            raise ConfigError("separator is empty; name the text with which the reasoning ends, such as '<answer>'")

    def behind(self, rollout: Rollout, reference: str, missing: Missing) -> Continuation | None:
        """The reference behind the rollout's reasoning. None where that has no separator and is not to be closed."""
        messages, said = said_before(rollout)
        reasoning, found, rest = said.partition(self.separator)
        if not found and missing != "close":
            return None
        space = ""
        if found and self.space == "kept" and (blank := re.match(r"\s*", rest)):
            space = blank[0]
        return self._put(messages, reasoning + self.separator + space, reference)

    def alone(self, rollout: Rollout, reference: str) -> Continuation:
        """The reference behind the prompt and the separator, without any reasoning.

        The fact sheet says "directly followed by a*"; that the separator and lead stand before it, as they do behind a
        reasoning, is our reading [choice].
        """
        return self._put(rollout.prompt.messages, self.separator, reference)

    def _put(self, messages: Sequence[Any], before: str, reference: str) -> Continuation:
        if not messages:
            raise ConfigError(
                "the reference's likelihood depends on the prompt, and this rollout's prompt has no chat messages: "
                "give rows a task, or a 'prompt' of messages"
            )
        if self.counts == "block":
            return Continuation(tuple(messages), self.lead + reference + self.tail, before)
        return Continuation(tuple(messages), reference, before + self.lead)
