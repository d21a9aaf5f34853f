"""R1-Router's inference, a prompt for each step as in training, and its exposure gap.

Training shows reference histories (teacher forcing); at test time a policy goes on from what it said itself. `exposure`
measures both: the share of steps that are right on reference histories, and on its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from guerdon.errors import ConfigError
from guerdon.parsing.trajectories import TrajectoryStep
from guerdon.protocols import JudgeBackend, Policy, Retriever, Sampling, Split, Task
from guerdon.types import Example, Prompt
from guerdon_medical.router_episodes import Episode, Limits, look_up
from guerdon_medical.router_prompts import Asked, Wording
from guerdon_medical.router_steps import RouterQuestion, RouterStep, step_right

Speaker = Callable[[Sequence[tuple[Episode, Asked]], int], Sequence[str | None]]
"""Says one text for each step that is asked, in order, from a seed; None where it failed."""
RELEASED = Sampling(temperature=1.0, top_k=20, max_tokens=512)
"""How the authors sample at test time [code]; the number of tokens is ours."""


def play(episodes: Sequence[Episode], say: Speaker, retriever: Retriever, *, seed: int = 0) -> None:
    """Play episodes to their ends, side by side: of each round all texts are asked for at once, and all look-ups."""
    turn = 0
    while waiting := [one for one in episodes if not one.done]:
        texts = say([(one, one.ask) for one in waiting], seed + turn)
        turn += 1
        asked = []
        for one, text in zip(waiting, texts, strict=True):
            if text is None:
                one.break_off("whoever speaks gave no answer")
            elif (query := one.take(text)) is not None:
                asked.append((one, query, retriever))
        look_up(asked)


def spoken_by(policy: Policy, sampling: Sampling = RELEASED) -> Speaker:
    """A policy as a speaker: each step is an example with a prompt of its own."""

    def say(asked: Sequence[tuple[Episode, Asked]], seed: int) -> list[str | None]:
        examples = [
            TrajectoryStep(
                id=f"{TrajectoryStep.name_of(episode.question.id, len(episode.said))}.{place}",
                trajectory=episode.question.id,
                step=len(episode.said),
                step_type=one.step_type,
                system=one.system,
                problem=one.problem,
                images=episode.question.images,
            )
            for place, (episode, one) in enumerate(asked)
        ]
        groups = policy.sample(_Shown(), examples, 1, sampling, seed=seed)
        return [group.rollouts[0].answer for group in groups]

    return say


def written_by(backend: JudgeBackend) -> Speaker:
    """A chat model as a speaker: a server, a local model, or recorded replies. It is handed text alone.

    Raises:
        ConfigError: (when it is asked) a question shows images.
    """

    def say(asked: Sequence[tuple[Episode, Asked]], seed: int) -> list[str | None]:
        for episode, _ in asked:
            if episode.question.images:
                raise ConfigError(
                    f"question {episode.question.id!r} shows images, and {backend.name} is handed text alone; play it "
                    "with a policy that sees (spoken_by)"
                )
        chats = [
            [{"role": "system", "content": one.system}, {"role": "user", "content": one.problem}] for _, one in asked
        ]
        return backend.answer(chats, seed=seed)

    return say


@dataclass(frozen=True)
class _Shown(Task):
    """Steps as they are; nothing but their prompts is asked for."""

    name: ClassVar[str] = "medical/router-shown"

    def examples(self, split: Split) -> Sequence[Example]:
        """None."""
        return ()

    def prompt(self, example: Example) -> Prompt:
        """The step's own."""
        if not isinstance(example, TrajectoryStep):
            raise TypeError(f"a TrajectoryStep is needed, not {type(example).__name__} ({example.id!r})")
        return example.shown


@dataclass(frozen=True)
class Exposure:
    """How right a policy's steps are on reference histories and on its own."""

    reference: float
    """Share of the reference steps that are right, each on its reference history."""
    own: float
    """Share of the reference steps that are right at their place on the policy's own history."""
    surplus: float
    """Steps per question beyond the reference's number, on its own history."""

    @property
    def gap(self) -> float:
        """What is lost by the policy's own history."""
        return self.reference - self.own


def exposure(
    policy: Policy,
    trajectories: Sequence[tuple[RouterQuestion, Sequence[RouterStep]]],
    retriever: Retriever,
    *,
    limits: Limits | None = None,
    wording: Wording | None = None,
    sampling: Sampling | None = None,
    seed: int = 0,
) -> Exposure:
    """Measure the exposure gap.

    Plans and answers on its own history are compared with the reference steps place by place, so that everything behind
    a missed step counts as missed unless the policy comes back to it; the final answer is compared with the final
    one. Right is the reference's base and query, in normal form, and an answer that earns 1 (`step_right`).

    Args:
        policy: asked once for each step, and once for each step of its own histories.
        trajectories: questions with their reference steps, the last of which is the final answer.
        retriever: a router over the bases.
        limits: of its own histories.
        wording: of their prompts: that of the reference steps.
        sampling: greedy unless told otherwise.
        seed: of the sampling.

    Raises:
        ConfigError: there are no trajectories, or one without steps.
    """
    if not trajectories or not all(steps for _, steps in trajectories):
        raise ConfigError("exposure: trajectories with at least one step each are needed")
    drawn = sampling or Sampling(temperature=0.0, max_tokens=RELEASED.max_tokens)
    steps = [step for _, those in trajectories for step in those]
    groups = policy.sample(_Shown(), steps, 1, drawn, seed=seed)
    known = sum(step_right(group.rollouts[0].answer, step) for group, step in zip(groups, steps, strict=True))
    episodes = [Episode(question, limits or Limits(), wording or Wording()) for question, _ in trajectories]
    play(episodes, spoken_by(policy, drawn), retriever, seed=seed)
    own = sum(_right(episode, those) for episode, (_, those) in zip(episodes, trajectories, strict=True))
    surplus = sum(
        max(0, len(episode.said) - len(those)) for episode, (_, those) in zip(episodes, trajectories, strict=True)
    )
    return Exposure(known / len(steps), own / len(steps), surplus / len(trajectories))


def _right(episode: Episode, steps: Sequence[RouterStep]) -> int:
    """How many reference steps an episode took: the final one at its end, the others at their places."""
    *before, last = steps
    said = list(episode.said)
    final = said.pop()[1] if said and said[-1][0].final else ""
    pairs = zip(said, before, strict=False)
    matched = sum(asked.step_type == step.step_type and step_right(text, step) for (asked, text), step in pairs)
    return matched + step_right(final, last)
