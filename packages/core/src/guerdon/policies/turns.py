"""Attempts at examples, turn by turn: the engine speaks, an environment answers, until one of them ends it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

from guerdon.engines.multimodal import Pictures
from guerdon.engines.stopping import cut_after, decode
from guerdon.errors import PolicyError
from guerdon.policies.chat import Chat, with_observation
from guerdon.protocols import Engine, Environment, Generation, Resumption, Sampling, Task, Turn
from guerdon.types import Example, Group, Image, Prompt, Rollout, Segment, StopReason

MAX_TURNS = 64
"""A multi-turn rollout whose environment never ends it is cut here."""


@dataclass(frozen=True)
class Conversation:
    """Who speaks, and how words become tokens."""

    engine: Engine
    chat: Chat

    def groups(
        self, task: Task, examples: Sequence[Example], n: int, sampling: Sampling, *, seed: int, version: int
    ) -> list[Group]:
        """`n` finished attempts at each example; see `LanguagePolicy.sample`."""
        attempts = [self.begun(task, example, n, _mix(seed, place)) for place, example in enumerate(examples)]
        firsts = [group[0] for group in attempts if group]
        with self._remembering(firsts):
            for group, drawn in zip(attempts, self._drawn(firsts, n, sampling, seed=seed), strict=True):
                for attempt, generation in zip(group, drawn, strict=True):
                    attempt.take(self._segment(generation, sampling), generation.stop)
            self._go_on([attempt for group in attempts for attempt in group], sampling, seed=seed)
        return [
            Group.of([attempt.rollout(version, place) for place, attempt in enumerate(group)])
            for group in attempts
            if group
        ]

    def told(self, task: Task, example: Example, text: str, *, version: int) -> Rollout | None:
        """The attempt that `groups` would have made had the policy said `text`, turn by turn as its environment cuts
        it (a declared optional power); None where there is no environment that does.

        Only the last turn is closed by its end token: at the others generation stops by a stop string.
        """
        cut: Any = getattr(task.environment(example), "cut", None)
        if cut is None:
            return None
        (attempt,) = self.begun(task, example, 1, 0)
        turns = cut(text.removeprefix(attempt.prompt.forced)) or [""]
        for place, turn in enumerate(turns):
            ids = self.chat.said_ids(turn)
            attempt.take(Segment("policy", turn, ids if place + 1 < len(turns) else (*ids, self.chat.end_id)), "stop")
            if not self._answered([attempt], Sampling(max_tokens=0), last=False):
                break
        return attempt.rollout(version, 0)

    def play(self, attempts: Sequence[Attempt], sampling: Sampling, *, seed: int) -> None:
        """Finish attempts with nothing said yet, whatever they are at: for those that no group holds together."""
        self._speak(attempts, sampling, seed=seed)
        self._go_on(attempts, sampling, seed=seed)

    def _remembering(self, attempts: Sequence[Attempt]) -> AbstractContextManager[None]:
        """Within it the engine reads each turn from the last one on, where it has that power and there are turns."""
        remembering: Callable[[], AbstractContextManager[None]] = getattr(self.engine, "remembering", nullcontext)
        return remembering() if any(attempt.world is not None for attempt in attempts) else nullcontext()

    def resumed(
        self, resumptions: Sequence[Resumption], sampling: Sampling, *, seed: int, version: int
    ) -> list[Rollout]:
        """See `guerdon.protocols.Resumes`."""
        attempts = [self._reopened(one) for one in resumptions]
        for attempt in attempts:
            if self._forged(attempt.segments) and attempt.shows:
                attempt.end("stop")
            elif len(attempt.context) + sampling.max_tokens > self._context:
                attempt.end("length")
        self._speak([attempt for attempt in attempts if not attempt.done], sampling, seed=seed)
        found = zip(attempts, resumptions, strict=True)
        return [attempt.rollout(version, one.rollout.index) for attempt, one in found]

    def _reopened(self, one: Resumption) -> Attempt:
        """The attempt before its new turn; what was added has its tokens, and so has what was forced without any.

        Raises:
            PolicyError: an earlier turn, or what was answered to it, has no tokens: they would have to be guessed, and
                trained on as if the policy had chosen them.
        """
        rollout = one.rollout
        last = rollout.turns[-1] if rollout.turns else Segment("policy")
        *before, answer = one.left(*self._within(last, one.kept))
        segments = []
        for place, segment in enumerate(before):
            if (segment.text or segment.images) and not segment.token_ids:
                if segment.author != "forced" or segment.images:
                    raise PolicyError(
                        f"segment {place} (of the author {segment.author!r}) of the attempt at {rollout.example.id!r} "
                        "has no token ids, and an attempt goes on behind tokens: resume it as the policy made it"
                    )
                segment = replace(segment, token_ids=self.chat.said_ids(segment.text))
            segments.append(segment)
        read, pictures = self.chat.read(rollout.prompt) if rollout.prompt.images or not rollout.prompt_ids else ((), {})
        attempt = Attempt(rollout.example, rollout.prompt, rollout.prompt_ids or read, None, (), pictures)
        ids = self.chat.reply_ids(answer.text, answer.images, ended=False)
        attempt.segments = [*segments, replace(answer, token_ids=ids)]
        return attempt

    def _within(self, segment: Segment, kept: int) -> tuple[int, int]:
        """How many of a turn's tokens lie whole within its first characters, and the characters that they are."""
        for count in range(len(segment.token_ids), 0, -1):
            text = decode(self.chat.tokenizer, segment.token_ids[:count])
            if len(text) <= kept and segment.text.startswith(text):
                return count, len(text)
        return 0, 0

    def _go_on(self, attempts: Sequence[Attempt], sampling: Sampling, *, seed: int) -> None:
        """Environments and policy in turn, from the environments' first answer to the end."""
        turn = 0
        while waiting := self._answered(attempts, sampling, last=turn == MAX_TURNS):
            turn += 1
            self._speak(waiting, sampling, seed=_mix(seed, -turn))

    def _speak(self, attempts: Sequence[Attempt], sampling: Sampling, *, seed: int) -> None:
        """One turn of the policy in each."""
        for attempt, (generation,) in zip(attempts, self._drawn(attempts, 1, sampling, seed=seed), strict=True):
            attempt.take(self._segment(generation, sampling), generation.stop)

    def _drawn(self, attempts: Sequence[Attempt], n: int, sampling: Sampling, *, seed: int) -> list[list[Generation]]:
        """`n` continuations of each attempt, from where it stands."""
        contexts = [attempt.context for attempt in attempts]
        if not any(attempt.shows for attempt in attempts):
            return self.engine.generate(contexts, n, sampling, seed=seed)
        if not getattr(self.engine, "sees", False):
            raise PolicyError(
                f"{type(self.engine).__name__} takes no prompts with images, an environment's included; leave `engine` "
                "out and the policy's own module generates"
            )
        pictures = [self._pictures(*one) for one in zip(attempts, contexts, strict=True)]
        return self.engine.generate(contexts, n, sampling, seed=seed, pictures=pictures)  # type: ignore[call-arg]

    def _pictures(self, attempt: Attempt, context: Sequence[int]) -> Pictures:
        """Of all that an attempt was shown so far."""
        late = attempt.late_images
        return self.chat.pictures((*attempt.prompt.images, *late), context) if late else attempt.pictures

    def begun(self, task: Task, example: Example, n: int, seed: int) -> list[Attempt]:
        """Attempts with nothing said yet; each has its own environment, begun from the same seed."""
        worlds = [task.environment(example) for _ in range(n)]
        openings = [world.reset(seed=seed & 0x7FFFFFFF) for world in worlds if world is not None]
        prompt = task.prompt(example)
        if openings:
            prompt = with_observation(prompt, openings[0])
        (ids, pictures), forced = self.chat.read(prompt), self.chat.encode(prompt.forced)
        return [Attempt(example, prompt, ids, world, forced, pictures) for world in worlds]

    def _segment(self, generation: Generation, sampling: Sampling) -> Segment:
        """The generation as a segment; its text leaves out the end token and what follows a stop string."""
        ids = generation.token_ids
        written = ids[:-1] if generation.stop == "stop" and ids and ids[-1] in self._ends else ids
        text = cut_after(decode(self.chat.tokenizer, written), sampling.stop)
        return Segment("policy", text, ids, generation.logprobs)

    def _answered(self, attempts: Sequence[Attempt], sampling: Sampling, *, last: bool) -> list[Attempt]:
        """Let every open attempt's environment answer; those that may go on, with its words appended."""
        waiting = []
        played = [(attempt, attempt.world) for attempt in attempts if attempt.world is not None and not attempt.done]
        turns = stepped([world for _, world in played], [attempt.segments for attempt, _ in played])
        for (attempt, _), turn in zip(played, turns, strict=True):
            attempt.segments[-1] = replace(attempt.segments[-1], observation=turn)
            if stop := turn.stop or ("length" if last else None):
                attempt.end(stop)
            said = attempt.segments[-1].token_ids
            if not attempt.done and (attempt.shows or turn.images) and self._forged(attempt.segments):
                attempt.end("stop")
            ended = bool(said) and said[-1] in self._ends
            ids = () if attempt.done else self.chat.reply_ids(turn.observation, turn.images, ended=ended)
            if turn.observation or turn.images or ids:
                attempt.segments.append(Segment("environment", turn.observation, ids, images=turn.images))
            if not attempt.done and len(attempt.context) + sampling.max_tokens > self._context:
                attempt.end("length")
            if not attempt.done:
                waiting.append(attempt)
        return waiting

    def _forged(self, segments: Sequence[Segment]) -> bool:
        """Whether the policy wrote a placeholder of its own: no picture fills it, so no model reads on behind it."""
        token = self.chat.image_id
        return token is not None and any(token in one.token_ids for one in segments if one.author == "policy")

    @property
    def _ends(self) -> frozenset[int]:
        return getattr(self.engine, "end_ids", None) or frozenset([self.chat.end_id])

    @property
    def _context(self) -> float:
        return getattr(self.engine, "context_length", None) or math.inf


def stepped(worlds: Sequence[Environment], segments: Sequence[Sequence[Segment]]) -> list[Turn]:
    """Each environment's answer to its segments; those of a class that can answer together are asked together."""
    turns: dict[int, Turn] = {}
    together: dict[type[Environment], list[int]] = {}
    for place, world in enumerate(worlds):
        if hasattr(type(world), "step_together"):
            together.setdefault(type(world), []).append(place)
        else:
            turns[place] = world.step(segments[place])
    for kind, places in together.items():
        ask: Any = getattr(kind, "step_together")  # noqa: B009 - an optional power, which the protocol does not promise
        answers = ask([worlds[place] for place in places], [segments[place] for place in places])
        turns.update(zip(places, answers, strict=True))
    return [turns[place] for place in range(len(worlds))]


@dataclass(slots=True)
class Attempt:
    """One rollout in the making."""

    example: Example
    prompt: Prompt
    prompt_ids: tuple[int, ...]
    world: Environment | None
    forced_ids: tuple[int, ...]
    pictures: Pictures
    segments: list[Segment] = field(default_factory=list)
    stop: StopReason = "stop"
    done: bool = False

    def __post_init__(self) -> None:
        if self.forced_ids:
            self.segments.append(Segment("forced", self.prompt.forced, self.forced_ids))

    @property
    def context(self) -> list[int]:
        """All tokens so far."""
        return [*self.prompt_ids, *(token for segment in self.segments for token in segment.token_ids)]

    @property
    def late_images(self) -> tuple[Image, ...]:
        """Those that the environment showed, as far as they are among the tokens."""
        return tuple(image for segment in self.segments if segment.token_ids for image in segment.images)

    @property
    def shows(self) -> bool:
        """Whether there is a picture among the tokens."""
        return bool(self.pictures) or any(segment.images and segment.token_ids for segment in self.segments)

    def take(self, segment: Segment, stop: StopReason) -> None:
        """The policy's turn. Cut by its budget, it is the last one."""
        self.segments.append(segment)
        self.stop = stop
        self.done = self.world is None or stop != "stop"

    def end(self, stop: StopReason) -> None:
        """No further turn."""
        self.stop, self.done = stop, True

    def rollout(self, version: int, index: int) -> Rollout:
        """The finished rollout."""
        return Rollout(self.example, tuple(self.segments), self.prompt, self.prompt_ids, self.stop, version, index)


def _mix(seed: int, place: int) -> int:
    """A seed of its own for each turn or world, in [0, 2**63)."""
    return (seed * 1_000_003 + place) & (2**63 - 1)
