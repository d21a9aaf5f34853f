r"""`page/ranker`: a policy that lays out pages by the candidates' features, in place of a language model.

It fills a page from the top. At each place every candidate that is left has a score, linear in what is known of it, and
so has ending the page; the next is drawn by softmax over both:

$$z_i = \theta \cdot [f_i,\; n_i / K,\; d_i], \qquad z_{end} = b + c \, k / K$$

with $f_i$ the item's features, $n_i$ how many of its category stand above, $d_i$ whether a near-duplicate does, k the
items there are and K the page's places. The first place has an item. It writes what a language model writes, a JSON
array of ids, so that every reward of pages scores it; titles and queries it does not read.

Source: Plackett (1975), The analysis of permutations; Luce (1959); the description of a candidate is the claim's
(`guerdon_page.pagellm_claim`), ending is ours.

Axes: N decisions laid end to end, C choices (each candidate, then the end), F features.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from guerdon.errors import PolicyError
from guerdon.fields import whole_number
from guerdon.policies.choosing import drawn, refuse_cuts
from guerdon.protocols import Sampling, StepLogprobs, Task
from guerdon.types import Example, Group, Rollout, Segment
from guerdon_page.answers import read_page
from guerdon_page.examples import PageExample
from guerdon_page.prompts import written

if TYPE_CHECKING:
    import torch  # scoring pages needs none

_FILE = "ranker.pt"
_ABOUT = 4
"""Weights beside those of the features: category above, duplicate above, the end, and the end by fullness."""


class Ranker:
    """A sequential softmax over the candidates of a page; implements `guerdon.protocols.Policy`.

    Weights start at 0: every page of a length is as likely then. Top-p and top-k make no sense here and are refused.

    Args:
        features: F, as many as each item of the task has; 0 to 1000.
    """

    def __init__(self, features: int = 3) -> None:
        import torch

        whole_number("features", features, 0, 1000)
        self.features = features
        self.theta_D = torch.nn.Parameter(torch.zeros(features + _ABOUT))
        self.version = 0

    # -- sampling --------------------------------------------------------------------------------------------------

    def sample(self, task: Task, examples: Sequence[Example], n: int, sampling: Sampling, *, seed: int) -> list[Group]:
        """See `guerdon.protocols.Policy.sample`.

        Raises:
            PolicyError: an example is no page, its items have another number of features, or top-p or top-k is asked
                for.
        """
        refuse_cuts(sampling, "a ranker draws from all candidates")
        theta_D = self.theta_D.detach().double().numpy()
        groups = []
        for number, example in enumerate(examples):
            page, prompt = self._page(example), task.prompt(example)
            random = np.random.default_rng([seed, number])
            drawn = [_drawn(_Slate(page), theta_D, sampling.temperature, random) for _ in range(n)]
            rollouts = [
                Rollout(page, (_segment(page, choices, logprobs),), prompt, policy_version=self.version, index=index)
                for index, (choices, logprobs) in enumerate(drawn)
            ]
            groups.append(Group.of(rollouts))
        return groups

    def _page(self, example: Example) -> PageExample:
        if not isinstance(example, PageExample):
            raise PolicyError(f"a ranker lays out pages; {example.id!r} is no PageExample but {type(example).__name__}")
        if len(example.items[0].features) != self.features:
            found = len(example.items[0].features)
            raise PolicyError(
                f"the items of {example.id!r} have {found} features, and this ranker reads {self.features}; set "
                f"policy.with.features={found}"
            )
        return example

    # -- learning --------------------------------------------------------------------------------------------------

    def logprobs(self, rollouts: Sequence[Rollout], *, temperature: float = 1.0, grad: bool = True) -> StepLogprobs:
        """See `guerdon.protocols.Policy.logprobs`; temperature 0 (greedy) means 1.

        Raises:
            PolicyError: a rollout is no page that a ranker could have written.
        """
        import torch

        pages = [(page := self._page(rollout.example), _choices(page, rollout)) for rollout in rollouts]
        widest = max(len(page.items) for page, _ in pages) + 1
        described, open_, taken = [], [], []
        for page, choices in pages:
            slate = _Slate(page)
            for choice in choices:
                described.append(_wide(slate.described(), widest))
                open_.append(_wide(slate.open(), widest))
                taken.append(widest - 1 if choice == slate.end else choice)
                slate.take(choice)
        with torch.set_grad_enabled(grad and torch.is_grad_enabled()):
            described_NCD = torch.from_numpy(np.stack(described)).float()
            logits_NC = (described_NCD @ self.theta_D / (temperature or 1.0)).masked_fill(
                ~torch.from_numpy(np.stack(open_)), -torch.inf
            )
            logprobs_NC = torch.log_softmax(logits_NC, dim=-1)
            logprobs_N = logprobs_NC.gather(1, torch.tensor(taken)[:, None])[:, 0]
        chances_NC = logprobs_NC.detach().exp()
        entropy_N = -(chances_NC * logprobs_NC.detach().masked_fill(chances_NC == 0, 0.0)).sum(dim=1)
        return StepLogprobs(logprobs_N, entropy_N, tuple(len(choices) for _, choices in pages))

    def parameters(self) -> list[torch.nn.Parameter]:
        """The weights."""
        return [self.theta_D]

    def cost(self, rollouts: Sequence[Rollout]) -> int:
        """One per decision."""
        return sum(rollout.steps for rollout in rollouts)

    def reference_rollout(self, task: Task, example: Example, text: str) -> Rollout:
        """The rollout that wrote this page.

        Raises:
            PolicyError: a ranker could not have written it.
        """
        page, prompt = self._page(example), task.prompt(example)
        choices = _choices(page, Rollout.of(page, text))
        return Rollout(page, (_segment(page, choices, ()),), prompt, policy_version=self.version)

    # -- copies and files ------------------------------------------------------------------------------------------

    def snapshot(self) -> Ranker:
        """A frozen copy."""
        copied = copy.deepcopy(self)
        copied.theta_D.requires_grad_(False)
        return copied

    def weights(self) -> Mapping[str, torch.Tensor]:
        """See `guerdon.protocols.HasWeights`."""
        return {"theta": self.theta_D.detach()}

    def take(self, weights: Mapping[str, torch.Tensor]) -> None:
        """See `guerdon.protocols.HasWeights`."""
        self.theta_D.data.copy_(weights["theta"])

    def updated(self) -> None:
        """Count the update."""
        self.version += 1

    def save(self, path: Path) -> None:
        """Write `ranker.pt` into the folder."""
        import torch

        path.mkdir(parents=True, exist_ok=True)
        torch.save({"theta": self.theta_D.detach(), "version": self.version}, path / _FILE)

    def load(self, path: Path) -> None:
        """Read what `save` wrote.

        Raises:
            PolicyError: it is of another number of features.
        """
        import torch

        kept = torch.load(path / _FILE, weights_only=True)
        if kept["theta"].shape != self.theta_D.shape:
            raise PolicyError(f"{path / _FILE} holds a ranker of {len(kept['theta']) - _ABOUT} features")
        self.take(kept)
        self.version = kept["version"]


class _Slate:
    """A page while it is filled: what may come next, and what is known of it."""

    def __init__(self, page: PageExample) -> None:
        self.page, self.end = page, len(page.items)
        self.chosen: list[int] = []
        self.done = False
        self._left_I = np.ones(self.end, bool)
        self._category_I = np.array([item.category for item in page.items])
        self._kind_I = np.array([page.kind[item.id] for item in page.items])
        features = len(page.items[0].features)
        self._described_CD = np.zeros((self.end + 1, features + _ABOUT))
        self._described_CD[:-1, :features] = [item.features for item in page.items]
        self._described_CD[-1, -2] = 1.0

    def described(self) -> np.ndarray:
        """(C, D): a row of what the weights multiply, for each choice."""
        return self._described_CD.copy()

    def open(self) -> np.ndarray:
        """(C,): which choices there are."""
        return np.append(self._left_I, bool(self.chosen))

    def take(self, choice: int) -> None:
        """Go on behind a choice."""
        if choice == self.end:
            self.done = True
            return
        self.chosen.append(choice)
        self._left_I[choice] = False
        self.done = len(self.chosen) == self.page.length or not self._left_I.any()
        items = self._described_CD[:-1]
        items[:, -4] += (self._category_I == self._category_I[choice]) / self.page.length
        items[:, -3] = np.maximum(items[:, -3], self._kind_I == self._kind_I[choice])
        self._described_CD[-1, -1] = len(self.chosen) / self.page.length


def _drawn(
    slate: _Slate, theta_D: np.ndarray, temperature: float, random: np.random.Generator
) -> tuple[list[int], tuple[float, ...]]:
    """The decisions that fill a page, and the log-prob of each; the likeliest where temperature is 0."""
    choices, logprobs = [], []
    while not slate.done:
        logits_C = np.where(slate.open(), slate.described() @ theta_D / (temperature or 1.0), -np.inf)
        logprobs_C = logits_C - np.logaddexp.reduce(logits_C)
        choice = int(drawn(logits_C, temperature, random))
        choices.append(choice)
        logprobs.append(float(logprobs_C[choice]))
        slate.take(choice)
    return choices, tuple(logprobs)


def _segment(page: PageExample, choices: Sequence[int], logprobs: tuple[float, ...]) -> Segment:
    """What was written; the decisions stand as its tokens, so that a reference has as many steps as its log-probs."""
    text = written([page.items[choice].id for choice in choices if choice < len(page.items)], "json")
    return Segment("policy", text, token_ids=tuple(choices), logprobs=logprobs)


def _choices(page: PageExample, rollout: Rollout) -> list[int]:
    """The decisions behind a page; the last is the end where places were left free."""
    said = read_page(rollout.completion, page.place)
    chosen = [page.place[id] for id in said.ids]
    full = min(page.length, len(page.items))
    if said.fault or said.unknown or not 0 < len(set(chosen)) == len(chosen) <= full:
        why = said.fault or said.remark or f"1 to {full} different candidates are needed"
        raise PolicyError(f"no page that a ranker writes, for {page.id!r}: {why}")
    return chosen if len(chosen) == full else [*chosen, len(page.items)]


def _wide(rows: np.ndarray, width: int) -> np.ndarray:
    """Rows of choices, with empty ones before the last, the end, so that there are `width`."""
    empty = np.zeros((width - len(rows), *rows.shape[1:]), rows.dtype)
    return np.concatenate([rows[:-1], empty, rows[-1:]])
