"""A table: one softmax row per state over a finite list of actions. It learns in seconds what a claim or a test asks.

Axes: S states, A actions, N policy steps laid end to end.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from guerdon.errors import ConfigError, PolicyError
from guerdon.policies.choosing import refuse_cuts
from guerdon.protocols import Resumption, Sampling, Split, StepLogprobs, Task
from guerdon.types import Example, Group, Prompt, Rollout, Segment

MAX_TURNS = 64
"""A rollout against an environment that does not end by then is truncated."""
_FILE = "table.pt"


class TabularPolicy:
    """A softmax over `actions` for each of `states`; implements `guerdon.protocols.Policy`.

    The state of a turn is what the environment last said; before it speaks, the prompt's `observation` as a string
    where it has one, else the example's id. The action's text is the completion. Top-p and top-k make no sense here and
    are refused. It has a finite action distribution: `action_probabilities`.
    """

    def __init__(self, states: Iterable[str], actions: Sequence[str]) -> None:
        self.states, self.actions = tuple(dict.fromkeys(states)), tuple(actions)
        if not self.states or not self.actions:
            raise ConfigError("TabularPolicy needs at least one state and one action")
        if len(set(self.actions)) < len(self.actions):
            raise ConfigError("TabularPolicy.actions: two of them are equal")
        self.logits_SA = torch.nn.Parameter(torch.zeros(len(self.states), len(self.actions)))
        self.version = 0
        self._row = {state: row for row, state in enumerate(self.states)}
        self._column = {action: column for column, action in enumerate(self.actions)}

    @classmethod
    def for_task(cls, task: Task, actions: Sequence[str], splits: Sequence[Split] = ("train", "eval")) -> TabularPolicy:
        """A row for each single-turn example of the splits."""
        return cls((_first_state(task.prompt(one), one) for split in splits for one in task.examples(split)), actions)

    # -- sampling --------------------------------------------------------------------------------------------------

    def sample(self, task: Task, examples: Sequence[Example], n: int, sampling: Sampling, *, seed: int) -> list[Group]:
        """See `guerdon.protocols.Policy.sample`.

        Raises:
            PolicyError: a state without a row, or top-p or top-k asked for.
        """
        refuse_cuts(sampling, "a table samples from its whole row")
        generator = torch.Generator().manual_seed(seed)
        groups = []
        for index, example in enumerate(examples):
            rollouts = [self._rollout(task, example, sampling, generator, seed + index) for _ in range(n)]
            groups.append(Group.of([replace(rollout, index=k) for k, rollout in enumerate(rollouts)]))
        return groups

    def _rollout(
        self, task: Task, example: Example, sampling: Sampling, generator: torch.Generator, seed: int
    ) -> Rollout:
        prompt, world = task.prompt(example), task.environment(example)
        if world is not None and (opening := world.reset(seed=seed)):
            prompt = replace(prompt, observation=opening)
        segments = [Segment("forced", prompt.forced)] if prompt.forced else []
        state = _first_state(prompt, example)
        for _ in range(MAX_TURNS):
            segments.append(self._act(state, sampling.temperature, generator))
            if world is None:
                return Rollout(example, tuple(segments), prompt, policy_version=self.version)
            turn = world.step(segments)
            segments[-1] = replace(segments[-1], observation=turn)
            segments.append(Segment("environment", turn.observation, images=turn.images))
            if turn.stop:
                return Rollout(example, tuple(segments), prompt, stop=turn.stop, policy_version=self.version)
            state = turn.observation
        return Rollout(example, tuple(segments), prompt, stop="length", policy_version=self.version)

    def resumed(self, resumptions: Sequence[Resumption], sampling: Sampling, *, seed: int) -> list[Rollout]:
        """See `guerdon.protocols.Resumes`: an action that is kept in part was not chosen, and is forced text.

        Raises:
            PolicyError: no state is what the environment says.
        """
        generator = torch.Generator().manual_seed(seed)
        found = []
        for one in resumptions:
            last = one.rollout.turns[-1] if one.rollout.turns else None
            whole = last is not None and one.kept == len(last.text)
            segments = one.left(1, one.kept) if whole else one.left(0, 0)
            said = self._act(one.answer, sampling.temperature, generator)
            found.append(replace(one.rollout, segments=(*segments, said), stop="stop", policy_version=self.version))
        return found

    def _act(self, state: str, temperature: float, generator: torch.Generator) -> Segment:
        logprobs_A = _log_softmax(self.logits_SA.detach()[self._row_of(state)], temperature)
        if temperature == 0.0:
            column = int(logprobs_A.argmax())
        else:
            column = int(torch.multinomial(logprobs_A.exp(), 1, generator=generator))
        return Segment("policy", self.actions[column], logprobs=(float(logprobs_A[column]),), action=column)

    # -- learning --------------------------------------------------------------------------------------------------

    def logprobs(self, rollouts: Sequence[Rollout], *, temperature: float = 1.0, grad: bool = True) -> StepLogprobs:
        """See `guerdon.protocols.Policy.logprobs`; temperature 0 (greedy) means 1."""
        rows, columns, lengths = [], [], []
        for rollout in rollouts:
            state, steps = _first_state(rollout.prompt, rollout.example), 0
            for segment in rollout.segments:
                if segment.author == "environment":
                    state = segment.text
                elif segment.author == "policy":
                    rows.append(self._row_of(state))
                    columns.append(self._column_of(segment.text))
                    steps += 1
            lengths.append(steps)
        with torch.set_grad_enabled(grad and torch.is_grad_enabled()):
            logprobs_NA = _log_softmax(self.logits_SA[torch.tensor(rows, dtype=torch.long)], temperature)
            logprobs_N = logprobs_NA.gather(1, torch.tensor(columns, dtype=torch.long)[:, None])[:, 0]
        entropy_N = -(logprobs_NA.exp() * logprobs_NA).sum(dim=1).detach()
        return StepLogprobs(logprobs_N, entropy_N, tuple(lengths))

    def action_probabilities(self, states: Sequence[str]) -> torch.Tensor:
        """The distribution over `actions` in each state, (len(states), A), float32, differentiable."""
        rows = torch.tensor([self._row_of(state) for state in states], dtype=torch.long)
        return _log_softmax(self.logits_SA[rows], 1.0).exp()

    def parameters(self) -> list[torch.nn.Parameter]:
        """The table."""
        return [self.logits_SA]

    def cost(self, rollouts: Sequence[Rollout]) -> int:
        """One per policy step."""
        return sum(rollout.steps for rollout in rollouts)

    def reference_rollout(self, task: Task, example: Example, text: str) -> Rollout:
        """The rollout that took the action called `text`.

        Raises:
            PolicyError: there is no such action.
        """
        prompt = task.prompt(example)
        segments = (Segment("forced", prompt.forced),) if prompt.forced else ()
        act = Segment("policy", text, action=self._column_of(text))
        return Rollout(example, (*segments, act), prompt, policy_version=self.version)

    # -- copies and files ------------------------------------------------------------------------------------------

    def snapshot(self) -> TabularPolicy:
        """A frozen copy."""
        copied = copy.deepcopy(self)
        copied.logits_SA.requires_grad_(False)
        return copied

    def weights(self) -> Mapping[str, torch.Tensor]:
        """See `guerdon.protocols.HasWeights`."""
        return {"logits": self.logits_SA.detach()}

    @torch.no_grad()
    def take(self, weights: Mapping[str, torch.Tensor]) -> None:
        """See `guerdon.protocols.HasWeights`."""
        self.logits_SA.copy_(weights["logits"])

    def updated(self) -> None:
        """Count the update."""
        self.version += 1

    def save(self, path: Path) -> None:
        """Write `table.pt` into the folder."""
        path.mkdir(parents=True, exist_ok=True)
        table = {"states": list(self.states), "actions": list(self.actions), "version": self.version}
        torch.save({**table, "logits": self.logits_SA.detach()}, path / _FILE)

    def load(self, path: Path) -> None:
        """Read what `save` wrote.

        Raises:
            PolicyError: the table was saved for other states or actions.
        """
        table = torch.load(path / _FILE, weights_only=True)
        if (tuple(table["states"]), tuple(table["actions"])) != (self.states, self.actions):
            raise PolicyError(f"{path / _FILE} holds a table for other states or actions than this policy's")
        with torch.no_grad():
            self.logits_SA.copy_(table["logits"])
        self.version = table["version"]

    def _row_of(self, state: str) -> int:
        if state not in self._row:
            raise PolicyError(f"the table has no row for state {state!r}; it has {len(self.states)} rows")
        return self._row[state]

    def _column_of(self, action: str) -> int:
        if action not in self._column:
            raise PolicyError(f"{action!r} is not among the table's {len(self.actions)} actions")
        return self._column[action]


def _first_state(prompt: Prompt, example: Example) -> str:
    return example.id if prompt.observation is None else str(prompt.observation)


def _log_softmax(logits: torch.Tensor, temperature: float) -> torch.Tensor:
    return torch.log_softmax(logits.float() / (temperature or 1.0), dim=-1)
