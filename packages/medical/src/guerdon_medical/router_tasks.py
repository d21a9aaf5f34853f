"""R1-Router's tasks: teacher-forced steps, of a file or made up, and whole questions on the policy's own history."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from random import Random
from typing import ClassVar, TypeVar, get_args

from guerdon.errors import ConfigError, TaskError
from guerdon.fields import check_numbers, one_of, proper_share, whole_number
from guerdon.parsing.trajectories import read_trajectories
from guerdon.protocols import Encoder, Environment, Hit, Query, Split, Task
from guerdon.retrieval import HashedEncoder
from guerdon.rewards import Reward
from guerdon.types import Example, Prompt
from guerdon_medical.router_prompts import Asked, Length, Wording
from guerdon_medical.router_steps import NONE, RouterQuestion, RouterStep, answer_text, plan_text, step_of
from guerdon_medical.router_world import Chain, World

ExampleT = TypeVar("ExampleT", bound=Example)
MOST = 3
"""Look-ups of a trajectory; after the last there is no step in which to stop."""


@dataclass(frozen=True, kw_only=True)
class _Steps(Task):
    """Steps, each on its reference history, those of a trajectory in one unit."""

    encoder: Encoder = field(default_factory=HashedEncoder)
    """Of the metrics' similarity."""

    @abstractmethod
    def trajectories(self, split: Split) -> Sequence[Sequence[RouterStep]]:
        """The steps of each trajectory of a split."""

    @cached_property
    def _loaded(self) -> dict[str, tuple[RouterStep, ...]]:
        return {}

    def examples(self, split: Split) -> Sequence[RouterStep]:
        """All steps of all trajectories, in order."""
        one_of("split", split, get_args(Split))
        if split not in self._loaded:
            self._loaded[split] = tuple(step for steps in self.trajectories(split) for step in steps)
        return self._loaded[split]

    def unit(self, example: Example) -> str:
        """The trajectory."""
        return _wanted(example, RouterStep).trajectory

    def prompt(self, example: Example) -> Prompt:
        """The step's own."""
        return _wanted(example, RouterStep).shown

    def reference(self, example: Example) -> str:
        """The reference plan, or the first reference answer."""
        step = _wanted(example, RouterStep)
        if step.step_type == "ans":
            return answer_text(step.answers[0], "Known.")
        thought = "Enough." if step.bases[0] == NONE else "Next."
        return plan_text("None" if step.bases[0] == NONE else step.query, step.bases[0], thought)

    def metrics(self) -> Mapping[str, Reward]:
        """The step reward, in all and by kind of step."""
        from guerdon_medical.router_rewards import RouterStepReward

        return {
            "router-step": RouterStepReward(self.encoder),
            "plans": RouterStepReward(self.encoder, on="ret"),
            "answers": RouterStepReward(self.encoder, on="ans"),
        }


@dataclass(frozen=True, kw_only=True)
class RouterSteps(_Steps):
    """Steps of a file in the authors' layout (`guerdon.parsing.trajectories`), or of one that was synthesised.

    Trajectories, never steps, are dealt out to the splits.
    """

    name: ClassVar[str] = "medical/router-steps-v1"

    path: str = ""
    """The file."""
    eval_share: float = 0.2
    """Of the trajectories; the paper's."""
    seed: int = 0

    def __post_init__(self) -> None:
        check_numbers(self)
        if not self.path:
            raise ConfigError(f"path of {self.name} is empty; a file of trajectories is needed")
        proper_share("eval_share", self.eval_share)

    def trajectories(self, split: Split) -> Sequence[Sequence[RouterStep]]:
        """See the base.

        Raises:
            TaskError: no such file, a broken row, or fewer than two trajectories.
        """
        found = read_trajectories(Path(self.path).expanduser(), step_of)
        if len(found) < 2:
            raise TaskError(f"{self.path!r} has {len(found)} trajectories; two are needed, one for each split")
        order = list(range(len(found)))
        Random(f"router steps {self.seed}").shuffle(order)
        held_out = set(order[: min(len(found) - 1, max(1, round(self.eval_share * len(found))))])
        return [steps for place, steps in enumerate(found) if (place in held_out) == (split == "eval")]


@dataclass(frozen=True, kw_only=True)
class _Made:
    """A world for each split."""

    seed: int = 0
    """Another seed, other names."""
    train_size: int = 200
    """Questions; a question of two hops has six steps, one of three has seven."""
    eval_size: int = 40
    length: Length = "full"
    passages: int = 5
    """Shown to each answer; the paper's."""

    def __post_init__(self) -> None:
        check_numbers(self)
        Wording(self.length)
        for name in ("train_size", "eval_size", "passages"):
            whole_number(name, getattr(self, name), 1)

    @cached_property
    def _worlds(self) -> dict[str, World]:
        return {"train": World("train", self.train_size, self.seed), "eval": World("eval", self.eval_size, self.seed)}

    def world(self, split: Split) -> World:
        """What is true in a split, and the bases that know it."""
        one_of("split", split, get_args(Split))
        return self._worlds[split]


@dataclass(frozen=True, kw_only=True)
class MadeRouter(_Made, _Steps):
    """Steps of the made world (`guerdon_medical.router_world`), with the passages that its bases find."""

    name: ClassVar[str] = "medical/made-router-v1"

    def trajectories(self, split: Split) -> Sequence[Sequence[RouterStep]]:
        """See the base; all look-ups of a split go out at once."""
        world = self.world(split)
        asked = [Query(hop.query, base=hop.base) for chain in world.chains for hop in chain.hops]
        found = iter([hits or [] for hits in world.retriever.search(asked, self.passages)])
        wording = Wording(self.length)
        return [reference_steps(chain, [next(found) for _ in chain.hops], wording) for chain in world.chains]


def reference_steps(chain: Chain, found: Sequence[Sequence[Hit]], wording: Wording) -> list[RouterStep]:
    """A trajectory that says what is right on every step.

    Args:
        chain: the question and its look-ups.
        found: of each look-up, what its base found.
        wording: of the prompts.
    """
    question, steps, history = chain.question, list[RouterStep](), list[tuple[str, str]]()

    def add(asked: Asked, query: str = "", base: str = "", answers: tuple[str, ...] = ()) -> None:
        steps.append(
            RouterStep(
                id=RouterStep.name_of(question.id, len(steps)),
                trajectory=question.id,
                step=len(steps),
                step_type=asked.step_type,
                system=asked.system,
                problem=asked.problem,
                images=question.images,
                query=query,
                bases=(base,) if base else (),
                answers=answers,
            )
        )

    for hop, hits in zip(chain.hops, found, strict=True):
        add(wording.plan(question.question, history), hop.query, hop.base)
        add(wording.answer(hop.query, hop.base, hits), answers=(hop.answer,))
        history.append((hop.query, hop.answer))
    if len(history) < MOST:
        add(wording.plan(question.question, history), NONE, NONE)
    add(wording.final(question.question, history), answers=question.answers)
    return steps


@dataclass(frozen=True, kw_only=True)
class MadeRouterQuestions(_Made, Task):
    """Whole questions of the made world, answered on the policy's own history: plan, look up, answer, and so on.

    A rollout is one conversation; steps with a prompt of their own, as in training, are
    `guerdon_medical.router_inference.play`.
    """

    name: ClassVar[str] = "medical/made-router-questions-v1"

    def examples(self, split: Split) -> Sequence[RouterQuestion]:
        """The questions of a split."""
        return [chain.question for chain in self.world(split).chains]

    def prompt(self, example: Example) -> Prompt:
        """The first step's; the environment words the others."""
        from guerdon_medical.router_episodes import opening

        return opening(_wanted(example, RouterQuestion), Wording(self.length))

    def environment(self, example: Example) -> Environment:
        """The bases of the example's world."""
        from guerdon_medical.router_episodes import Limits, RouterWorld

        question = _wanted(example, RouterQuestion)
        split: Split = "train" if question.id.startswith("router-train-") else "eval"
        limits = Limits(passages=self.passages, found=max(self.passages, Limits.found))
        return RouterWorld(question, self.world(split).retriever, limits, Wording(self.length))

    def metrics(self) -> Mapping[str, Reward]:
        """Recall of the final answer, look-ups in all and beyond need, and each base's share."""
        from guerdon_medical.router_metrics import BaseShare, FinalAnswer, LookUps
        from guerdon_medical.router_steps import BASES

        return {
            "answer": FinalAnswer(),
            "look-ups": LookUps(),
            "surplus": LookUps(count="surplus"),
            **{f"share-{base.removesuffix(' retriever').replace(' ', '-')}": BaseShare(base) for base in BASES},
        }


def _wanted(example: Example, kind: type[ExampleT]) -> ExampleT:
    if not isinstance(example, kind):
        raise TypeError(f"this task's examples are {kind.__name__}, not {type(example).__name__} ({example.id!r})")
    return example
