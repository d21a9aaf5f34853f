"""The seams: what tasks, policies, engines, judges, retrievers, environments and controllers promise to the rest.

Only types flow through here; implementations live on the floors above. Tensor axes: B rollouts, T tokens, N policy
steps of a whole batch laid end to end (rollout by rollout, in order).
"""

from __future__ import annotations

import dataclasses
import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, Self, runtime_checkable

from guerdon.errors import ConfigError, TaskError
from guerdon.types import Example, Group, Image, Message, Prompt, Role, Rollout, Score, Segment, StopReason

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import torch

    from guerdon.rewards.base import Reward

Split = Literal["train", "eval"]
"""`train` is learned from; `eval` shares no example (and, where the domain has them, no database or scene) with it."""


def _a_prompt(prompt: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """A task's `prompt`, held to its promise wherever it is asked: what is no `Prompt` fails far from here."""

    @functools.wraps(prompt)
    def checked(task: Any, example: Any) -> Any:
        made = prompt(task, example)
        if not isinstance(made, Prompt):
            hint = f"; Prompt((Message('user', {made!r:.60}),)) shows a text" if isinstance(made, str) else ""
            raise TaskError(
                f"{task.name} gives {made!r:.80} as the prompt of example {example.id!r}; a guerdon.Prompt is "
                f"needed{hint}"
            )
        return made

    return checked


class Task(ABC):
    """A named, seeded, lazily loaded source of examples, and how one becomes a prompt.

    Subclass it as a frozen dataclass: its fields are its whole configuration, and `repr` rebuilds it.
    """

    name: ClassVar[str]
    makes: ClassVar[str] = ""
    """What the first use has to make where that takes long ("thousands of frames, which takes minutes"); such a task is
    not tried where nobody asked for it."""
    few: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    """Options with which such a task, a dataclass, makes little, in seconds: what an audit that was given no task looks
    at."""

    def __new__(cls, *args: Any, **options: Any) -> Self:
        """Refuse a task without a name, which every report and every row of another trainer needs.

        Raises:
            TaskError: the class has none.
        """
        fields: Iterable[dataclasses.Field[Any]] = dataclasses.fields(cls) if dataclasses.is_dataclass(cls) else ()
        if not hasattr(cls, "name") and all(one.name != "name" for one in fields):
            raise TaskError(f'the task {cls.__name__} has no name; give its class one: name = "domain/thing-v1"')
        return super().__new__(cls)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "prompt" in vars(cls):
            cls.prompt = _a_prompt(cls.prompt)  # type: ignore[method-assign, assignment]

    @abstractmethod
    def examples(self, split: Split) -> Sequence[Example]:
        """The examples of a split, in an order fixed by the task's seed. Loaded on first use, then kept."""

    @abstractmethod
    def prompt(self, example: Example) -> Prompt:
        """What the policy is shown."""

    def unit(self, example: Example) -> str:
        """What an example is a part of: those with the same unit are always in one batch.

        A query's good document and its bad one, for a reward that compares their groups; the steps of one trajectory,
        each its own group. They stand side by side in the training split, and a unit is of one split alone. Units may
        differ in size. By default each example is one by itself.
        """
        return example.id

    def reference(self, example: Example) -> str | None:
        """A completion that earns the top, for warm starts and for proving the reward; None where none is known."""
        return None

    def environment(self, example: Example) -> Environment | None:
        """A fresh environment for a multi-turn example; None where one completion is all there is."""
        return None

    def picture(self, example: Example, completion: str) -> bytes | None:
        """How an attempt looks, for people: an encoded picture (PNG, JPEG); None where there is nothing to see.

        For reports, which show a handful: a plan drawn on its frame, a page as it renders.
        """
        return None

    def metrics(self) -> Mapping[str, Reward]:
        """What evaluation reports, by name; scored like rewards, never trained on."""
        return {}


@dataclass(frozen=True, slots=True)
class Sampling:
    """How completions are drawn."""

    temperature: float = 1.0
    """0 means greedy."""
    top_p: float = 1.0
    top_k: int = 0
    """0 means no limit."""
    max_tokens: int = 256
    """Budget of new tokens per completion (or per turn)."""
    stop: tuple[str, ...] = ()
    """Generation ends after the first of these strings; the string is kept."""


@dataclass(frozen=True, slots=True)
class Generation:
    """One completion as an engine returns it."""

    token_ids: tuple[int, ...]
    """The end-of-turn token included, if it was sampled."""
    logprobs: tuple[float, ...]
    """Natural-log probability of each token under the distribution it was drawn from (temperature applied; top-p and
    top-k not), float32, same length. Greedy: at temperature 1. Empty where the engine cannot tell them."""
    stop: StopReason


class Engine(Protocol):
    """How a language policy generates.

    Declared optional powers: `end_ids`, the tokens that end a turn; `context_length`, the most tokens of prompt and
    completion together; `fixed`, why it cannot take new weights (a policy with such an engine is not trained); `sees`,
    it takes prompts with pictures, wherever in them, by a keyword `pictures` of `generate`: for each prompt what the
    model's processor made of them all (`guerdon.engines.multimodal.Pictures`); `remembering`, a context manager within
    which a prompt that goes on from one of the last call's and its completion is read from there on.
    """

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        n: int,
        sampling: Sampling,
        *,
        seed: int,
        on_token: Callable[[int], None] | None = None,
    ) -> list[list[Generation]]:
        """`n` completions for each of the token prompts, in order. Same arguments and weights, same result.

        `on_token`, if given, is called now and then with the number of completions finished so far (progress bars).
        """

    def load_weights(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Take the policy's new weights, by the names of a plain checkpoint of its model, adapters merged in; an engine
        that shares the policy's module does nothing. Each tensor may be made only when it is asked for.
        """


@runtime_checkable
class EngineMaker(Protocol):
    """An engine's settings, as a recipe names them; the policy that uses it makes the engine."""

    def make(self, model: Any, tokenizer: Any, weights: Mapping[str, torch.Tensor]) -> Engine:
        """A running engine for a causal model of transformers.

        Args:
            model: the policy's module: its configuration and end tokens are the engine's too.
            tokenizer: the policy's.
            weights: what the engine starts with; see `Engine.load_weights`.
        """


@dataclass(frozen=True, slots=True)
class StepLogprobs:
    """Differentiable log-probs of a batch of rollouts' policy steps, laid end to end."""

    logprobs_N: torch.Tensor
    """float32, natural logs, at the temperature the rollouts were sampled with."""
    entropy_N: torch.Tensor
    """float32, entropy in nats of the distribution each step was drawn from; carries no gradient."""
    lengths: tuple[int, ...]
    """Steps per rollout; they add up to N."""


@runtime_checkable
class Policy(Protocol):
    """What the trainer trains. It never asks which kind.

    Declared optional powers: `fixed`, why it cannot be trained as it stands (empty where it can); those of
    `ReadsText`, of `Resumes` and of `HasWeights`.
    """

    version: int
    """Counts updates; written into each rollout."""

    def sample(self, task: Task, examples: Sequence[Example], n: int, sampling: Sampling, *, seed: int) -> list[Group]:
        """`n` rollouts for each example; one group per example, in order. Deterministic in (weights, arguments)."""

    def logprobs(self, rollouts: Sequence[Rollout], *, temperature: float = 1.0, grad: bool = True) -> StepLogprobs:
        """Log-probs of the rollouts' own steps under the present weights.

        Neighbours that share a prompt may share its cost.
        """

    def parameters(self) -> Iterable[torch.nn.Parameter]:
        """The trainable parameters, in a stable order."""

    def cost(self, rollouts: Sequence[Rollout]) -> int:
        """Tokens (or their like) that one `logprobs` call over these rollouts processes: to cut batches by budget."""

    def reference_rollout(self, task: Task, example: Example, text: str) -> Rollout:
        """The rollout this policy would have made had it written `text`: the target of a supervised warm start."""

    def snapshot(self) -> Policy:
        """A frozen copy, for a reference or a moving target."""

    def updated(self) -> None:
        """Called after each optimiser step: bump the version; the next `sample` draws from the new weights."""

    def save(self, path: Path) -> None:
        """Write weights into the folder `path`, so that `load` and the policy's own ecosystem can read them."""

    def load(self, path: Path) -> None:
        """Read what `save` wrote, exactly."""


@runtime_checkable
class AlignsSight(Protocol):
    """An optional power of policies that see: to teach what sees from reference rollouts, before any warm start."""

    def alignment(self, rollouts: Sequence[Rollout]) -> SightAlignment:
        """What is learnt from these; see `guerdon.policies.alignment`.

        Raises:
            ConfigError: there is nothing to learn from, or nothing that learns.
        """


class SightAlignment(Protocol):
    """A loss over reference rollouts, and what it moves."""

    rollouts: Sequence[Rollout]
    """Those that are learnt from."""

    def parameters(self) -> Iterable[torch.nn.Parameter]:
        """What an optimiser moves; parameters of the policy among them."""

    def loss(self, rollouts: Sequence[Rollout]) -> torch.Tensor:
        """Of a batch, differentiable."""


@runtime_checkable
class Freezes(Protocol):
    """An optional power of policies: to leave parts of themselves as they are for a while."""

    def frozen(self, modules: Sequence[str]) -> AbstractContextManager[None]:
        """Within it the parameters of modules by these names have no gradients and are not among `parameters()`.

        Raises:
            ConfigError: no such module, or nothing would be left to train.
        """


@runtime_checkable
class HasWeights(Protocol):
    """An optional power of policies: weights by name, which a frozen copy of the same policy can take."""

    def weights(self) -> Mapping[str, torch.Tensor]:
        """What is trained, float32, detached and not copied. A snapshot has the same names."""

    def take(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Compute with these from now on."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What an environment answers to one policy turn: gymnasium's five-tuple, in words."""

    observation: str
    reward: float = 0.0
    terminated: bool = False
    truncated: bool = False
    info: Mapping[str, Any] = field(default_factory=dict)
    """What rewards need to know of it. `failed` that is true says that we failed and not the policy (a server is away):
    the rollout ends, and nobody scores it."""
    images: tuple[Image, ...] = ()
    """Shown before the observation's words. A policy that reads text only refuses them."""

    @property
    def stop(self) -> StopReason | None:
        """Why the rollout ends here; None where it goes on."""
        if self.info.get("failed"):
            return "error"
        return "environment" if self.terminated else "length" if self.truncated else None


class Environment(Protocol):
    """The other side of a multi-turn rollout.

    Declared optional power: a class method `step_together(environments, segments)`, which answers for many environments
    of its class at once, one turn each, in order: where answers come from a server or a model, a batch goes out as one.
    And `cut(text)`, which gives the turns that a policy would say a text in: with it `Task.reference` may be all that
    the policy says in an attempt of many turns, which warm starts, audits and checks then play
    (`guerdon.environments.played`).
    """

    def reset(self, *, seed: int) -> str:
        """The first observation; empty where the prompt says it all. Pictures are the prompt's to show."""

    def step(self, segments: Sequence[Segment]) -> Turn:
        """Answer the segments so far; the last one is the policy's newest turn."""


@runtime_checkable
class JudgeBackend(Protocol):
    """Answers questions in batches: a model, a server, or a deterministic stand-in."""

    @property
    def name(self) -> str:
        """Tells apart what may answer differently: part of what answers are remembered by."""

    def answer(self, questions: Sequence[Sequence[Mapping[str, str]]], *, seed: int) -> list[str | None]:
        """One text per question (a list of chat messages), in order; None where the backend failed for good."""


@dataclass(frozen=True, slots=True)
class Continuation:
    """A text whose likelihood is asked: what stands before it, who speaks, and the text itself."""

    messages: tuple[Message, ...]
    """The turns before, complete."""
    text: str
    """What is scored, and nothing else: neither the header of its turn nor the token that ends it."""
    prefix: str = ""
    """What the speaker has said in this turn already: given, not scored."""
    role: Role = "assistant"
    """Who speaks `prefix` and `text`."""


@runtime_checkable
class ReadsText(Protocol):
    """An optional power of policies: attempts that say a given text, whose log-probs are asked as any rollout's."""

    def continued(self, continuations: Sequence[Continuation]) -> list[Rollout | None]:
        """For each, the rollout in which everything before `text` is given and `text` alone is the policy's segment.

        The text has the tokens that it has in its place: prefix and text are tokenised as one. A token that holds the
        prefix's last characters and the text's first ones belongs to the text. None where it does not fit the context.
        """


@dataclass(frozen=True, slots=True)
class Resumption:
    """An attempt that goes on behind its end: how much of its last turn stays, and what is said next."""

    rollout: Rollout
    """Of the policy that is asked. What an environment said behind the last turn is dropped."""
    kept: int
    """Characters of the last turn's text (`Rollout.turns[-1]`) that stay."""
    forced: str
    """Put into the policy's mouth behind them: never trained on."""
    answer: str
    """What the environment says then."""
    images: tuple[Image, ...] = ()
    """Shown before its words."""

    def __post_init__(self) -> None:
        most = len(self.rollout.turns[-1].text) if self.rollout.turns else 0
        if not 0 <= self.kept <= most:
            raise ConfigError(f"Resumption.kept is {self.kept!r}; a number from 0 to {most}, the last turn's length")

    def left(self, steps: int, written: int) -> tuple[Segment, ...]:
        """The segments up to the new turn, without tokens of their own for what was added.

        Args:
            steps: of the last turn, how many of the policy's steps lie whole within what is kept.
            written: the characters that these are. Those between them and `kept` were chosen with what came behind, and
                are forced now.
        """
        segments = list(self.rollout.segments)
        while segments and segments[-1].author != "policy":
            segments.pop()
        said = segments.pop() if segments else Segment("policy")
        if steps:
            ids, logprobs = said.token_ids[:steps], said.logprobs[:steps]
            segments.append(replace(said, text=said.text[:written], token_ids=ids, logprobs=logprobs, observation=None))
        forced = said.text[written : self.kept] + self.forced
        added = (Segment("forced", forced),) if forced else ()
        return (*segments, *added, Segment("environment", self.answer, images=self.images))


@runtime_checkable
class Resumes(Protocol):
    """An optional power of policies: to speak once more where an attempt has ended, within the same rollout."""

    def resumed(self, resumptions: Sequence[Resumption], sampling: Sampling, *, seed: int) -> list[Rollout]:
        """Each attempt with one more turn, under the present weights.

        The steps that are kept are those that were sampled, with their log-probs. An attempt whose context leaves no
        room for `sampling.max_tokens` ends as truncated, without the turn.

        Raises:
            PolicyError: there are images, and the policy or its engine does not see; or a policy that goes on behind
                tokens finds none in a turn before the last one, or in what was answered to it. (A last turn without
                tokens, whose kept words are then forced, and a prompt and forced words without them are read again.)
        """


@runtime_checkable
class Scorer(Protocol):
    """Tells how likely a *given* text is: under the policy that is trained, a frozen or moving copy, or another model.

    A frozen dataclass of settings; it loads its model on first use, and pickles without it.

    Declared optional powers (absent ones count as False): `needs_policy`, it cannot answer without `policy`; `live`,
    its answers are the trained policy's own, so that their gradient is the policy's too (`Reward.targets`); `stateful`,
    it keeps something that a checkpoint must hold, and then has `update(policy, step)`, called after each scored
    training batch, `state_dict` and `load_state_dict`. A reward that asks it passes these on
    (`guerdon.rewards.scored.Scored` does).
    """

    @property
    def name(self) -> str:
        """Tells apart what may answer differently."""

    def logprobs(
        self, continuations: Sequence[Continuation], *, policy: Policy | None = None
    ) -> list[tuple[float, ...] | None]:
        """The natural-log probability of each token of each `text`, in float32 arithmetic; None where it failed.

        Args:
            continuations: any number, in any order; neighbours that share what stands before may share its cost.
            policy: the policy being trained, for a scorer that speaks of it; None where there is none (a server).

        Raises:
            ConfigError: it scores under the policy being trained, and there is none.
        """


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for. A text alone may be given as a string wherever a query is taken."""

    text: str = ""
    """Any text a policy can write; a blank one, or one of unknown words, finds nothing."""
    vector: Sequence[float] = ()
    """An embedding, in place of a text, for retrievers that compare vectors."""
    image: str | bytes | None = None
    """A file, or an encoded picture, for retrievers that see."""
    base: str = ""
    """Which of several collections is meant, where a retriever has several."""
    exclude_ids: Collection[str] = frozenset()
    """Documents that are never found: a case's own record, its own publication."""

    def __post_init__(self) -> None:
        if isinstance(self.exclude_ids, str):
            raise ConfigError(f"Query.exclude_ids is {self.exclude_ids!r}; a set of ids is needed, not one id")
        object.__setattr__(self, "exclude_ids", frozenset(self.exclude_ids))
        object.__setattr__(self, "vector", tuple(map(float, self.vector)))


@dataclass(frozen=True, slots=True)
class Hit:
    """A document that was found."""

    id: str
    score: float
    """Larger is better; comparable within the answers of one retriever only."""
    text: str = ""
    title: str = ""
    base: str = ""
    """The collection it is of, where a retriever has several."""
    payload: Mapping[str, Any] = field(default_factory=dict)
    """What else is known of it: a structured record."""
    image: str = ""
    """A file of this machine, which is opened; empty where it has no picture. A retriever whose documents lie elsewhere
    gives none that it was not told to look for."""


@runtime_checkable
class Retriever(Protocol):
    """Finds documents, many queries at a time.

    A frozen dataclass of settings; it builds its index on first use, and pickles without it.
    """

    @property
    def name(self) -> str:
        """Tells apart what may answer differently, the documents included: part of what answers are remembered by."""

    def search(self, queries: Sequence[str | Query], k: int = 10) -> Sequence[list[Hit] | None]:
        """At most `k` documents per query, best first, in the queries' order.

        Equal scores stand in the order of the documents. The list is empty where nothing fits, and never padded; it is
        None where the retriever failed (a server that is away), which is no answer: unscored, never "found nothing".
        The same arguments give the same answer, whatever else is in the batch.

        Raises:
            ConfigError: `k` is below 1, or a query is of a kind that this retriever does not take.
            RetrievalError: it fails for good, whatever is asked.
        """


@runtime_checkable
class Encoder(Protocol):
    """Gives texts vectors that are close where meanings are. A frozen dataclass of settings; loads on first use."""

    @property
    def name(self) -> str:
        """Tells apart what may answer differently: part of what vectors are remembered by."""

    def encode(self, texts: Sequence[str], *, kind: Literal["query", "passage"] = "passage") -> npt.NDArray[np.float32]:
        """(texts, dimensions), float32, finite. Models that tell queries from passages are told which these are."""


@dataclass(frozen=True, slots=True)
class Update:
    """One update that has been made, as controllers see it."""

    step: int
    """The step it belongs to, from 0."""
    total_steps: int
    reward: Reward
    """The run's, in the state that the next batch will meet."""
    groups: Sequence[Group]
    """All that was sampled, also what refill left out of the update."""
    scores: Sequence[Sequence[Score]]
    """One row per group, one score per rollout."""
    metrics: Mapping[str, float]
    """What the step logs: names as in metrics.jsonl; NaN where there was nothing to measure."""
    knobs: Mapping[str, float]
    """The value of every knob during this update."""


@runtime_checkable
class Controller(Protocol):
    """Acts between updates: Lagrange weights, schedules, outer (bilevel) steps, rubric evolution.

    A frozen dataclass of settings. Its state is a value (plain lists, dicts, numbers, tensors) that the trainer keeps,
    puts into each checkpoint and hands back, so that a resumed run does what an undisturbed one does.
    """

    @property
    def name(self) -> str:
        """Under which its state stands in a checkpoint."""

    @property
    def sets(self) -> tuple[str, ...]:
        """The knobs it turns (`guerdon.trainer.controlling.KNOBS`); no two controllers of a run share one."""

    def init(self, knobs: Mapping[str, float], reward: Reward) -> tuple[Mapping[str, float], Any]:
        """Before the first update: new values of the knobs it sets, or none, and its first state.

        Args:
            knobs: what the recipe says.
            reward: the run's, as it was built.

        Raises:
            ConfigError: it cannot control this run.
        """

    def act(self, update: Update, state: Any) -> tuple[Mapping[str, float], Any]:
        """After each update: new values of the knobs it sets, or none, and the state with which it will be asked next.

        `state` is never changed in place.
        """
