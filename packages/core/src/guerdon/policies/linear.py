r"""`LinearPolicy`: answers made of a few decisions, each a softmax that is linear in what is known of it.

A reward is tried out with it in seconds. A domain says, as `Decisions`, what is known of each decision of an answer,
and how an answer is written:

$$P(c \mid d) = \mathrm{softmax}(f_d \Theta)_c$$

Axes: R rollouts, N decisions laid end to end, D decisions of one answer, F features, C choices.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch

from guerdon.errors import PolicyError
from guerdon.policies.choosing import drawn, refuse_cuts
from guerdon.protocols import Sampling, StepLogprobs, Task
from guerdon.types import Example, Group, Rollout, Segment

_FILE = "linear.pt"


class Decisions(Protocol):
    """How the answers of a domain are made of decisions. It has no state of its own.

    Declared optional power: `check(task)`, which raises PolicyError for a task whose prompts ask for other answers.
    """

    features: int
    """F."""
    choices: int
    """C, the same for each decision."""

    def described(self, example: Example) -> npt.NDArray[np.float64]:
        """(D, F): what is known of each decision, of what a prompt shows alone. D may differ between examples.

        Raises:
            PolicyError: it is none of the domain's.
        """

    def written(self, example: Example, chosen: Sequence[int]) -> str:
        """The answer that these choices, D of them, are."""

    def read(self, example: Example, text: str) -> Sequence[int]:
        """The D choices that an answer is.

        Raises:
            PolicyError: no choices are.
        """


class LinearPolicy:
    """A softmax over C choices, linear in F features; implements `guerdon.protocols.Policy`.

    Weights start at 0: every answer is as likely then, and greedily the first choices are taken. Single-turn: it
    neither meets environments nor goes on behind forced text. Top-p and top-k make no sense here and are refused.

    Args:
        decisions: what the domain says of its answers.
    """

    def __init__(self, decisions: Decisions) -> None:
        self.decisions, self.version = decisions, 0
        self.theta_FC = torch.nn.Parameter(torch.zeros(decisions.features, decisions.choices))

    # -- sampling --------------------------------------------------------------------------------------------------

    def sample(self, task: Task, examples: Sequence[Example], n: int, sampling: Sampling, *, seed: int) -> list[Group]:
        """See `guerdon.protocols.Policy.sample`.

        Raises:
            PolicyError: the task or an example is none of the domain's, or top-p or top-k is asked for.
        """
        refuse_cuts(sampling, "a linear policy draws from all choices")
        self.check(task)
        theta_FC = self.theta_FC.detach().double().numpy()
        groups = []
        for number, example in enumerate(examples):
            random, prompt = np.random.default_rng([seed, number]), task.prompt(example)
            logits_DC = self.decisions.described(example) @ theta_FC / (sampling.temperature or 1.0)
            logprobs_DC = logits_DC - np.logaddexp.reduce(logits_DC, axis=1, keepdims=True)
            rollouts = []
            for index in range(n):
                chosen_D = drawn(logprobs_DC, sampling.temperature, random)
                taken_D = np.take_along_axis(logprobs_DC, chosen_D[:, None], axis=1)[:, 0]
                segment = self._segment(example, chosen_D.tolist(), taken_D.tolist())
                rollouts.append(Rollout(example, (segment,), prompt, policy_version=self.version, index=index))
            groups.append(Group.of(rollouts))
        return groups

    def _segment(self, example: Example, chosen: Sequence[int], logprobs: Sequence[float]) -> Segment:
        """What was written; the decisions stand as its tokens, so that a reference has as many steps as log-probs."""
        text = self.decisions.written(example, chosen)
        return Segment("policy", text, token_ids=tuple(chosen), logprobs=tuple(logprobs))

    # -- learning --------------------------------------------------------------------------------------------------

    def logprobs(self, rollouts: Sequence[Rollout], *, temperature: float = 1.0, grad: bool = True) -> StepLogprobs:
        """See `guerdon.protocols.Policy.logprobs`; temperature 0 (greedy) means 1.

        Raises:
            PolicyError: a rollout says what no choices are.
        """
        known: dict[int, npt.NDArray[np.float64]] = {}  # by the example's identity: the rollouts of a group share it
        rows, chosen = [], []
        for rollout in rollouts:
            if (key := id(rollout.example)) not in known:
                known[key] = self.decisions.described(rollout.example)
            rows.append(known[key])
            own = rollout.segments[0].token_ids  # the choices, where it wrote the answer itself
            chosen.append(list(own) or self._read(rollout.example, rollout.completion, len(known[key])))
        features_NF = torch.from_numpy(np.concatenate([np.zeros((0, self.decisions.features)), *rows])).float()
        chosen_N = torch.tensor([choice for each in chosen for choice in each], dtype=torch.long)
        with torch.set_grad_enabled(grad and torch.is_grad_enabled()):
            logprobs_NC = torch.log_softmax(features_NF @ self.theta_FC / (temperature or 1.0), dim=-1)
            logprobs_N = logprobs_NC.gather(1, chosen_N[:, None])[:, 0]
        entropy_N = -(logprobs_NC.exp() * logprobs_NC).sum(dim=1).detach()
        return StepLogprobs(logprobs_N, entropy_N, tuple(map(len, chosen)))

    def check(self, task: Task) -> None:
        """Refuse a task whose prompts ask for other answers, where the domain tells them apart.

        Raises:
            PolicyError: it is such a one.
        """
        check: Callable[[Task], None] | None = getattr(self.decisions, "check", None)
        if check is not None:
            check(task)

    def _read(self, example: Example, text: str, count: int) -> list[int]:
        chosen = list(self.decisions.read(example, text))
        if len(chosen) != count:
            raise PolicyError(f"{len(chosen)} choices for {count} decisions, for {example.id!r}")
        return chosen

    def parameters(self) -> list[torch.nn.Parameter]:
        """The weights."""
        return [self.theta_FC]

    def cost(self, rollouts: Sequence[Rollout]) -> int:
        """One per decision."""
        return sum(rollout.steps for rollout in rollouts)

    def reference_rollout(self, task: Task, example: Example, text: str) -> Rollout:
        """The rollout that wrote this answer, in the words that it writes it with.

        Raises:
            PolicyError: no choices are that answer, or the task is none of the domain's.
        """
        self.check(task)
        chosen = self._read(example, text, len(self.decisions.described(example)))
        return Rollout(
            example, (self._segment(example, chosen, ()),), task.prompt(example), policy_version=self.version
        )

    # -- copies and files ------------------------------------------------------------------------------------------

    def snapshot(self) -> LinearPolicy:
        """A frozen copy."""
        copied = copy.copy(self)
        copied.theta_FC = torch.nn.Parameter(self.theta_FC.detach().clone(), requires_grad=False)
        return copied

    def weights(self) -> Mapping[str, torch.Tensor]:
        """See `guerdon.protocols.HasWeights`."""
        return {"theta": self.theta_FC.detach()}

    def take(self, weights: Mapping[str, torch.Tensor]) -> None:
        """See `guerdon.protocols.HasWeights`."""
        self.theta_FC.data.copy_(weights["theta"])

    def updated(self) -> None:
        """Count the update."""
        self.version += 1

    def save(self, path: Path) -> None:
        """Write `linear.pt` into the folder."""
        path.mkdir(parents=True, exist_ok=True)
        torch.save({"theta": self.theta_FC.detach(), "version": self.version}, path / _FILE)

    def load(self, path: Path) -> None:
        """Read what `save` wrote.

        Raises:
            PolicyError: it is of another number of features or choices.
        """
        kept = torch.load(path / _FILE, weights_only=True)
        if kept["theta"].shape != self.theta_FC.shape:
            found, own = tuple(kept["theta"].shape), tuple(self.theta_FC.shape)
            raise PolicyError(f"{path / _FILE} holds weights of (features, choices) {found}; this policy's are {own}")
        self.take(kept)
        self.version = kept["version"]
