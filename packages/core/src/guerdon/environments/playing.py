"""A text in a policy's place: what an attempt is where all that the policy says is known before.

References, an audit's attacks and fixed work flows are texts. Where a task has an environment that says how such a text
falls into turns (`cut`, as `ToolUse` does), it is played: each turn is answered, and a reward sees the same segments as
of a policy that wrote it. So a forged answer within the text stays what it is, words of the policy's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from guerdon.protocols import Environment, Task
from guerdon.types import Example, Message, Prompt, Rollout, Segment, StopReason


def turns_of(world: Environment | None, text: str) -> list[str] | None:
    """A text as the turns that a policy would have said it in; None where the environment does not tell."""
    cut: Any = getattr(world, "cut", None)
    return None if cut is None else list(cut(text))


def played(task: Task, example: Example, text: str, *, prompt: Prompt | None = None, index: int = 0) -> Rollout:
    """The attempt of a policy that says `text`, without tokens; one turn, unanswered, where no environment cuts it.

    Args:
        task: gives prompt and environment.
        example: of that task.
        text: all words of the policy's; a forced beginning may be repeated in it. What stands behind the turn that the
            environment ends it at, or at which a tool fails, is never said.
        prompt: the example's, where it is there already.
        index: place in its group.
    """
    shown = task.prompt(example) if prompt is None else prompt
    text = text.removeprefix(shown.forced)
    world = task.environment(example)
    turns = turns_of(world, text)
    if world is None or turns is None:
        start = (Segment("forced", shown.forced),) if shown.forced else ()
        return Rollout(example, (*start, Segment("policy", text)), shown, index=index)
    left = iter(turns or [""])
    return acted(example, shown, world, lambda segments: next(left, None), index=index)


def acted(
    example: Example,
    prompt: Prompt,
    world: Environment,
    say: Callable[[Sequence[Segment]], str | None],
    *,
    index: int = 0,
) -> Rollout:
    """The attempt of a program in a policy's place: a fixed work flow, which sees what the environment answered.

    Args:
        example: the problem.
        prompt: what a policy would be shown.
        world: answers; it is reset first.
        say: given the segments so far (each turn of the policy's with its `Turn` as `observation`), the next turn; None
            where there is nothing more to say.
        index: place in its group.
    """
    if opening := world.reset(seed=0):
        prompt = replace(prompt, messages=(*prompt.messages, Message("user", opening)))
    segments = [Segment("forced", prompt.forced)] if prompt.forced else []
    stop: StopReason = "stop"
    while (turn := say(segments)) is not None:
        segments.append(Segment("policy", turn))
        answer = world.step(segments)
        segments[-1] = replace(segments[-1], observation=answer)
        if answer.observation or answer.images:
            segments.append(Segment("environment", answer.observation, images=answer.images))
        if answer.stop:
            stop = answer.stop
            break
    return Rollout(example, tuple(segments), prompt, stop=stop, index=index)
