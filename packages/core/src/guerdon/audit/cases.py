"""The examples an audit asks about: each with its honest answer, and honest answers to others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from guerdon.audit.attack import Attack, Target
from guerdon.audit.layouts import Layout
from guerdon.environments import played
from guerdon.errors import ConfigError
from guerdon.protocols import Split, Task
from guerdon.types import Example, Group, Prompt, Rollout

REACH = 1024
"""Examples that are drawn from: enough of any task, and no more than its first file holds."""
POOL = 64
"""Examples whose honest completions an attacker may have seen."""


@dataclass(frozen=True)
class Case:
    """One example, and what is honest about it."""

    example: Example
    reference: str
    """Its honest completion."""
    wrong: tuple[str, ...]
    """Honest completions of other examples: right somewhere, and here by chance alone (two of "yes" and "no" agree half
    of the time, and that is what an attack must beat)."""
    target: Target
    task: Task
    """Whose example it is: its environment answers what a text calls."""

    def rollout(self, text: str, index: int = 0) -> Rollout:
        """What a policy would have made that wrote this: the task's forced beginning stands before it, once, and its
        environment's answers behind each turn.
        """
        return played(self.task, self.example, text, prompt=self.target.prompt, index=index)

    def group(self, texts: Sequence[str]) -> Group:
        """Attempts at this example, side by side."""
        return Group.of([self.rollout(text, index) for index, text in enumerate(texts)])

    def attempts(self, attack: Attack) -> tuple[str, ...]:
        """What the attack writes here, knowing no more than it says it knows."""
        return attack.attempt(self.target.seen(attack.knows))


def cases(
    task: Task, split: Split, count: int, *, group_size: int = 4, seed: int = 0, skip: int = 0, pool: int = POOL
) -> list[Case]:
    """`count` examples that have a reference, drawn from the first `REACH` of the split.

    Args:
        task: gives examples, prompts and references.
        split: whose examples; the other one where this has none.
        count: at most so many.
        group_size: attempts in a group; one honest completion and `group_size - 1` wrong ones.
        seed: draws the examples, and which others' completions stand for the wrong ones.
        skip: leave out so many of the drawn ones: the next are examples on which nothing was chosen yet.
        pool: others that are drawn beside them, whose honest completions are known.

    Raises:
        ConfigError: the task knows no reference answers, so there is nothing honest to compare with; or two different
            examples share an id.
    """
    examples = task.examples(split) or task.examples("eval" if split == "train" else "train")
    random = Random(f"guerdon audit {seed}")
    reach = range(min(len(examples), REACH))
    drawn = [examples[place] for place in random.sample(reach, min(len(reach), skip + count + pool))]
    named: dict[str, Example] = {}
    for example in drawn:
        if named.setdefault(example.id, example) != example:
            raise ConfigError(
                f"two different examples of {task.name} have the id {example.id!r}: which of them is meant cannot be "
                f"told"
            )
    known = [(example, text) for example in drawn if (text := task.reference(example)) is not None]
    if not known:
        raise ConfigError(
            f"{task.name} knows no reference answer of the {len(drawn)} examples drawn; an audit compares attacks with "
            f"honest answers, so name a task that has them (--task)"
        )
    chosen = known[skip : skip + count]
    return [_case(task, example, text, known, group_size, random, seed) for example, text in chosen]


def _case(
    task: Task,
    example: Example,
    reference: str,
    known: Sequence[tuple[Example, str]],
    group_size: int,
    random: Random,
    seed: int,
) -> Case:
    prompt: Prompt = task.prompt(example)
    others = [text for other, text in known if other.id != example.id]
    random.shuffle(others)
    others = others[:POOL]
    target = Target(prompt, tuple(others), Layout.of(others, prompt.forced), reference, group_size, seed)
    return Case(example, reference, tuple(others[: max(1, group_size - 1)]), target, task)
