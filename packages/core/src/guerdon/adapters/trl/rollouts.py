"""Multi-turn tasks under TRL: the task's environment and the trainer's own generation, turn by turn.

What `GRPOTrainer(rollout_func=...)` calls. Tokens are what was sampled, never text tokenised again; what the
environment said or the task forced has `env_mask` 0 and is not trained on. One turn may have as many tokens as
`args.max_completion_length` says.

What it does not cover: `args.chat_template_kwargs` (the template's defaults are used), images, and processes that have
to generate in step (FSDP, ZeRO-3): there each would need as many turns as the others.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guerdon.adapters.trl.data import PLAYED, grader_of
from guerdon.errors import ConfigError
from guerdon.grading import Grader
from guerdon.policies.chat import Chat
from guerdon.policies.turns import Conversation
from guerdon.protocols import Generation, Sampling
from guerdon.trainer.records import row_of
from guerdon.types import Example, Rollout

if TYPE_CHECKING:
    import torch

    from guerdon.adapters.trl.rewards import RewardFunction


def rollout_func(source: Grader | Sequence[RewardFunction] | str | Path) -> Rollouts:
    """What to pass as `GRPOTrainer(rollout_func=...)`, with `dataset(..., played=True)`.

    Args:
        source: a grader, what `reward_funcs` gave, or a recipe or run folder by name.

    Raises:
        ConfigError: there is no task.
    """
    grader = grader_of(source)
    if grader.task is None:
        raise ConfigError("rollout_func needs a task, and this reward was given none; pass reward_funcs(reward, task)")
    return Rollouts(grader)


@dataclass(frozen=True)
class Rollouts:
    """Plays every prompt of a batch to its end. See the module's head."""

    grader: Grader

    def __call__(self, prompts: Sequence[Any], trainer: Any) -> dict[str, Any]:
        """What TRL asks of a `rollout_func`, for N prompts with repetitions.

        Returns:
            N lists each of `prompt_ids`, `completion_ids`, `env_mask` (1 where the policy wrote) and `logprobs` (0.0
            where it did not; None where the trainer's generation gives none), and `guerdon_rollout`: who said what, for
            the reward function.
        """
        task = self.grader.task
        assert task is not None  # rollout_func saw to it
        tokenizer = getattr(trainer.processing_class, "tokenizer", trainer.processing_class)
        talk = Conversation(TrainerEngine(trainer), Chat(tokenizer))
        step = trainer.state.global_step
        attempts = []
        for prompt in prompts:
            example = self._example(prompt)
            # Attempts at one example meet the same world, on whichever process they are.
            seed = zlib.crc32(f"{trainer.args.seed} {step} {example.id}".encode())
            attempts += talk.begun(task, example, 1, seed)
        talk.play(attempts, Sampling(max_tokens=trainer.max_completion_length), seed=0)
        rollouts = [attempt.rollout(step, 0) for attempt in attempts]
        logprobs = [_logprobs(rollout) for rollout in rollouts]
        return {
            "prompt_ids": [list(rollout.prompt_ids) for rollout in rollouts],
            "completion_ids": [[t for each in rollout.segments for t in each.token_ids] for rollout in rollouts],
            "env_mask": [
                [int(each.author == "policy") for each in rollout.segments for _ in each.token_ids]
                for rollout in rollouts
            ],
            "logprobs": None if any(row is None for row in logprobs) else logprobs,
            PLAYED: [_record(rollout) for rollout in rollouts],
        }

    def _example(self, prompt: Any) -> Example:
        named = prompt[0].get("example") if isinstance(prompt, list) and prompt else None
        if named is None:
            raise ConfigError(f"the prompt {prompt!r:.200} names no example; make the data set with played=True")
        return self.grader.example(named)


@dataclass(frozen=True)
class TrainerEngine:
    """`guerdon.protocols.Engine` over a trainer's own generation: its sampling settings, its weights, its vLLM."""

    trainer: Any

    @property
    def end_ids(self) -> frozenset[int]:
        """The tokens at which the trainer ends a turn."""
        return frozenset(self.trainer.eos_token_ids)

    @property
    def context_length(self) -> int | None:
        """Tokens that prompt and completion may have together; None where nothing says."""
        held = getattr(self.trainer.args, "vllm_max_model_length", None) if self.trainer.use_vllm else None
        length = held or getattr(self.trainer.model.config.get_text_config(), "max_position_embeddings", None)
        return int(length) if length else None

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        n: int,
        sampling: Sampling,
        *,
        seed: int,
        on_token: Callable[[int], None] | None = None,
    ) -> list[list[Generation]]:
        """See `guerdon.protocols.Engine.generate`; sampled as the trainer is set, by its random numbers."""
        wanted = [list(ids) for ids in prompts for _ in range(n)]
        drawn, logprobs = self.trainer._generate_single_turn(wanted, None, {}, num_generations=1)
        found = [
            Generation(
                tuple(ids),
                tuple(logprobs[i]) if logprobs is not None else (),
                "stop" if ids and ids[-1] in self.end_ids else "length",
            )
            for i, ids in enumerate(drawn)
        ]
        return [found[i : i + n] for i in range(0, len(found), n)]

    def load_weights(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Nothing: the trainer keeps its engine up to date."""


def _logprobs(rollout: Rollout) -> list[float] | None:
    """One per token, 0.0 for what the policy did not write; None where the policy's own are not known."""
    values: list[float] = []
    for segment in rollout.segments:
        if segment.author == "policy" and len(segment.logprobs) != len(segment.token_ids):
            return None
        values += segment.logprobs if segment.author == "policy" else [0.0] * len(segment.token_ids)
    return values


def _record(rollout: Rollout) -> dict[str, Any]:
    """What the grader needs to score it as it happened. Its place among the attempts is not known here."""
    record = row_of(rollout)
    del record["index"]
    return record
