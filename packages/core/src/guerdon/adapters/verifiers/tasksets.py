"""A guerdon task as a taskset of verifiers, and a reward as a function that its configuration can name."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from guerdon.adapters import versions
from guerdon.adapters.together import Together
from guerdon.adapters.verifiers.traces import PLAYED, grade_in_thread, record, trace_row
from guerdon.errors import ConfigError
from guerdon.protocols import Split
from guerdon.trainer.records import text_messages_of
from guerdon.types import Prompt

if TYPE_CHECKING:
    import verifiers.v1 as vf

    from guerdon.grading import Grader, Row
    from guerdon.types import Score

RewardFunction = Callable[["vf.TaskData", "vf.Trace"], Awaitable[float]]


def taskset(
    source: str | Path | Grader | None = None,
    *,
    split: Split = "train",
    forced: Literal["refuse", "continue"] = "refuse",
    **options: Any,
) -> type[vf.Taskset]:
    """A `Taskset` class over the examples of a task, each scored by a reward. Nothing is loaded before it is used.

    Args:
        source: a recipe (built in, or a file), a run folder, or a grader that has a task.
        split: which examples; `--env.taskset.split` overrides it.
        forced: what to do with a task that begins the completion itself (a forced prefix). verifiers' training client
            starts every answer afresh, so it is refused; `continue` sends the prefix as a last message by the
            assistant, for evaluation by `chat` on vLLM or SGLang, which can be told to go on with one.
        options: as for `Grader.of`: `task`, `reward`, `workers`, `deadline_s` ...

    Returns:
        A class to export. Its tasks' data have `idx`, `id` and `example` (the example's id), `prompt` and
        `system_prompt`.

    Raises:
        ConfigError: on first use: a name or an option is wrong, there is no task, or the reward learns.
    """
    versions.check("verifiers", needed=True)
    import verifiers.v1 as vf

    found = _lazily(source, options)
    alone = _Alone(found)
    begun_with = split

    class ExampleData(vf.TaskData):
        """One example."""

        example: str
        """The guerdon example's id."""

    class ExampleTask(vf.Task[ExampleData, vf.State, vf.TaskConfig]):
        """One example, which scores its traces."""

        grader = staticmethod(found)

        @property
        def key(self) -> str:
            return str(self.data.example)

        async def validate(self, runtime: vf.Runtime) -> bool | None:
            return await _reference_is_right(found(), self.data.example)

        @vf.reward
        async def guerdon(self, task: vf.TaskData, trace: vf.Trace) -> float:
            return await alone.score(trace, self.data.example)

    class ExamplesConfig(vf.TasksetConfig):
        """Which examples."""

        split: Split = begun_with

    class Examples(vf.Taskset[ExampleTask, ExamplesConfig]):
        """The examples of a split."""

        def load(self) -> Iterable[ExampleTask]:
            task = _task(found())
            for example in task.examples(self.config.split):
                prompt = task.prompt(example)
                if prompt.forced and forced == "refuse":
                    raise ConfigError(
                        f"{task.name} begins the completion itself (with {prompt.forced!r}), and verifiers starts "
                        f"every answer afresh: name the task with its option for that turned off (task=...), or, to "
                        f"evaluate on vLLM or SGLang, taskset(forced='continue')"
                    )
                data = ExampleData(id=example.id, example=example.id, **shown(prompt))
                yield ExampleTask(data, self.config.task)

    return Examples


def reward_function(
    source: str | Path | Grader | None = None,
    *,
    example: Callable[[vf.TaskData], str | Mapping[str, Any]] | None = None,
    **options: Any,
) -> RewardFunction:
    """An async function `(task, trace) -> float` for `[env.taskset.task.rewards.NAME] fn = "package.module:function"`.

    Args:
        source: as for `taskset`; a grader without a task scores whatever the rows bring.
        example: which example a row of the taskset is: its id in the grader's task, or the columns that the reward
            looks at. If absent: the row's `id` where the grader has a task, else all of the row's fields.
        options: as for `Grader.of`.
    """
    versions.check("verifiers")
    found = _lazily(source, options)
    alone = _Alone(found)

    async def guerdon(task: vf.TaskData, trace: vf.Trace) -> float:
        return await alone.score(trace, example(task) if example else _row_example(found(), task))

    return guerdon


def shown(prompt: Prompt) -> dict[str, Any]:
    """A prompt as fields of `TaskData`: as texts where it is one question, so that every harness can take it.

    Raises:
        ConfigError: it is no text.
    """
    import verifiers.v1 as vf

    if not prompt.messages:
        raise ConfigError(
            "the task's prompt has no messages (it is an observation of another kind): verifiers shows text"
        )
    text_messages_of(prompt, "verifiers")
    *before, last = prompt.messages
    if last.role == "user" and not prompt.forced and [each.role for each in before] in ([], ["system"]):
        return {"prompt": last.content, "system_prompt": before[0].content if before else None}
    kinds = {"system": vf.SystemMessage, "user": vf.UserMessage, "assistant": vf.AssistantMessage}
    try:
        messages = [kinds[each.role](content=each.content) for each in prompt.messages]
    except KeyError:
        raise ConfigError("the task's prompt has a tool's message, of which verifiers must know the call") from None
    if prompt.forced:
        messages.append(vf.AssistantMessage(content=prompt.forced))
    return {"prompt": messages}


def _lazily(source: str | Path | Grader | None, options: Mapping[str, Any]) -> Callable[[], Grader]:
    """The grader, made when it is first asked for, once."""
    from guerdon.grading import Grader

    @cache
    def found() -> Grader:
        if isinstance(source, Grader):
            if options:
                raise ConfigError(f"a grader is given, and with it {', '.join(options)}: these are its own fields")
            grader = source
        else:
            grader = Grader.of(source, **options)
        grader.refuse_learning("verifiers tells a task nothing of the training")
        return grader

    return found


def _task(grader: Grader) -> Any:
    if grader.task is None:
        raise ConfigError("a taskset is made of a task's examples, and the grader has no task: name one (task=...)")
    return grader.task


def _row_example(grader: Grader, task: vf.TaskData) -> str | Mapping[str, Any]:
    if grader.task is None:
        columns: dict[str, Any] = task.model_dump(exclude_none=True)
        return columns
    if task.id is None:
        raise ConfigError(
            f"row {task.idx} of the taskset has no id to find its example of {grader.task.name} by; say which it is "
            f"with reward_function(example=...)"
        )
    return str(task.id)


class _Alone:
    """Scores traces one by one, if that can be done."""

    def __init__(self, found: Callable[[], Grader]) -> None:
        self._found = found

    @cached_property
    def _together(self) -> Together[Row, Score]:
        grader = self._found()
        if grader.reward.sees != "rollout":
            raise ConfigError(
                f"{grader.reward.name} compares the attempts at one example, and verifiers scores each trace alone: "
                f"export guerdon.adapters.verifiers.environment() beside the taskset, and set --env.attempts"
            )
        return Together(grader.grade)

    async def score(self, trace: vf.Trace, example: str | Mapping[str, Any]) -> float:
        """One trace's number, found without holding up the event loop, together with others that wait.

        Raises:
            UnscoredError: there is no number.
            ConfigError: the grader knows no such example, or the reward cannot score a trace alone.
            RewardError: a bug in the reward.
        """
        together, grader = self._together, self._found()
        if trace.num_turns and PLAYED not in trace.info and isinstance(example, str) and grader.task is not None:
            found = await asyncio.to_thread(grader.example, example)
            if grader.task.environment(found) is not None:
                raise ConfigError(
                    f"{grader.task.name} answers the policy turn by turn, and this trace was played without it: export "
                    f"guerdon.adapters.verifiers.environment() beside the taskset"
                )
        score = await asyncio.wrap_future(together.ask(trace_row(trace, example)))
        return record(trace, grader, score)


async def _reference_is_right(grader: Grader, name: str) -> bool | None:
    """Whether the reference earns the top; None where there is none, or the reward compares attempts."""
    text = _task(grader).reference(grader.example(name))
    if text is None or grader.reward.sees != "rollout":
        return None
    [score] = await grade_in_thread(grader, [{"example": name, "completion": text}])
    top = grader.reward.bounds[1]
    return score.status == "ok" and (score.value >= top - 1e-9 or top == float("inf"))
