"""An env of verifiers that plays a task's turns, and scores attempts that are compared with one another.

```
attempts ──▶ interaction.turn() ──▶ Environment.step ──▶ interaction.turn(what it said) ──▶ ... ──▶ task.score
                                                                     or, for a reward that compares: finalize
```
"""

from __future__ import annotations

import asyncio
import zlib
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from guerdon.adapters.verifiers.tasksets import shown
from guerdon.adapters.verifiers.traces import PLAYED, chat_messages, grade_in_thread, record, trace_row
from guerdon.errors import ConfigError, UnscoredError
from guerdon.grading import completion_segments
from guerdon.policies.chat import with_observation
from guerdon.policies.turns import MAX_TURNS
from guerdon.trainer.records import messages_of, segment_record
from guerdon.types import Segment, StopReason

if TYPE_CHECKING:
    import verifiers.v1 as vf

    from guerdon.grading import Grader


@cache
def environment() -> type[vf.Env]:
    """An `Env` class to export beside a `taskset()`: for tasks in turns, and for rewards that compare attempts.

    Its configuration: `attempts` (`--env.attempts`, 1), how often one episode tries its task, and `agent`, the one
    seat, on this machine unless told otherwise, since nothing that the policy writes is run there.
    """
    import verifiers.v1 as vf

    class ExampleEnvConfig(vf.SingleAgentEnvConfig):
        """How an example is played."""

        agent: vf.AgentConfig = vf.AgentConfig(runtime=vf.SubprocessConfig())
        attempts: int = 1
        """Attempts at the example in one episode; with a reward that compares them, they are its group."""

    class ExampleEnv(vf.SingleAgentEnv, vf.Env[ExampleEnvConfig]):
        """Plays an example of a guerdon task."""

        async def run(self, task: vf.Task, agents: vf.Agents) -> None:
            grader = _grader(task)
            if grader.reward.sees != "rollout":
                if self.config.attempts < 2:
                    raise ConfigError(
                        f"{grader.reward.name} compares the attempts at one example, and --env.attempts is "
                        f"{self.config.attempts}: set it to the size of a group"
                    )
                task = task.defer_scoring()
            try:
                async with asyncio.TaskGroup() as playing:  # one that raises ends its siblings
                    for _ in range(self.config.attempts):
                        playing.create_task(play(task, agents.agent))
            except ExceptionGroup as group:  # an episode's error is shown by its message, and a group's says nothing
                raise group.exceptions[0] from group

        async def finalize(self, task: vf.Task, episode: vf.Episode) -> None:
            grader = _grader(task)
            if grader.reward.sees != "rollout":
                await compare(grader, task.data.example, episode.traces)

    return ExampleEnv


async def play(task: vf.Task, agent: vf.Agent) -> None:
    """One attempt: the policy speaks, the task's environment answers, until one of them ends it."""
    grader = _grader(task)
    assert grader.task is not None  # its examples are the taskset's
    example = grader.example(task.data.example)
    world = grader.task.environment(example)
    if world is None:
        await agent.run(task)
        return
    # Every attempt at an example meets the same world, whoever comes first.
    opening = await asyncio.to_thread(world.reset, seed=zlib.crc32(example.id.encode()))
    prompt = with_observation(grader.task.prompt(example), opening)
    if prompt.forced:
        raise ConfigError(
            f"{grader.task.name} begins the completion itself (with {prompt.forced!r}), and answers in turns: chat "
            f"servers know no turn that is half ours. Name the task with its option for that turned off (task=...)"
        )
    segments: list[Segment] = []
    async with agent.interaction(task.with_data(**shown(prompt))) as talk:
        answer = await talk.turn()
        stop: StopReason = "stop"
        turns = 0
        while not answer.terminated:
            segments += completion_segments(chat_messages(answer.messages))
            if talk.trace.is_truncated:
                stop = "length"
                break
            turn = await asyncio.to_thread(world.step, tuple(segments))
            turns += 1
            segments[-1] = replace(segments[-1], observation=turn)
            if turn.images:
                raise ConfigError(
                    f"{grader.task.name} answered {example.id!r} with {len(turn.images)} image(s), and a turn of "
                    "verifiers is handed text alone; train with `guerdon train`"
                )
            if turn.observation:
                segments.append(Segment("environment", turn.observation))
            if turn.stop or turns == MAX_TURNS:
                stop = turn.stop or "length"
                break
            answer = await talk.turn(turn.observation)
        else:
            stop = "length" if talk.trace.is_truncated else "stop"
        # Scoring happens as the interaction closes, and reads this; so does a replay of stored traces.
        talk.trace.info[PLAYED] = {
            "prompt": messages_of(prompt),
            "segments": [segment_record(each) for each in segments],
            "stop": stop,
        }


async def compare(grader: Grader, example: str, traces: list[Any]) -> None:
    """Score an episode's attempts as one group. One without a number fails alone; its siblings keep theirs."""
    played = [trace for trace in traces if trace.ok]
    scores = await grade_in_thread(grader, [trace_row(trace, example) for trace in played])
    for trace, score in zip(played, scores, strict=True):
        try:
            trace.record_reward("guerdon", record(trace, grader, score))
        except UnscoredError as error:
            trace.record_error(error)


def _grader(task: Any) -> Grader:
    find = getattr(type(task), "grader", None)
    if find is None:
        raise ConfigError(
            f"{type(task).__name__} is no task of guerdon.adapters.verifiers.taskset(), the only ones this env can play"
        )
    grader: Grader = find()
    return grader
