"""Attempts in several turns with the embedded SmolLM2-135M: each turn read from the last one on, and all read anew.

Eight attempts, two at each of four prompts of some 250 tokens; four turns of at most 32 tokens, answered with some 120
tokens each, as tools and retrievers answer. Rounds are interleaved; seconds of processor time, and what was drawn is
compared.

    python benchmarks/turns.py
    python benchmarks/turns.py --rounds 5 --attempts 16

One thread, unless OMP_NUM_THREADS says otherwise.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is first imported

import argparse
import statistics
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from random import Random
from typing import ClassVar

import torch

from guerdon.policies.language import LanguagePolicy
from guerdon.protocols import Sampling, Split, Task, Turn
from guerdon.types import Example, Message, Prompt, Rollout, Segment

TURNS = 4
WORDS = ("bridge", "river", "record", "stone", "report", "market", "winter", "letter", "harbour", "garden", "village")


def passage(words: int, seed: str) -> str:
    """So many words that nobody has read before."""
    random = Random(seed)
    return " ".join(random.choice(WORDS) for _ in range(words))


@dataclass(frozen=True)
class Asked(Task):
    """Questions with a long instruction."""

    name: ClassVar[str] = "benchmark/asked"

    def examples(self, split: Split) -> Sequence[Example]:
        """Four."""
        return [Example(id=f"{split}-{number}") for number in range(4)]

    def prompt(self, example: Example) -> Prompt:
        """Some 250 tokens."""
        return Prompt((Message("user", f"Search these notes: {passage(230, example.id)}"),))

    def environment(self, example: Example) -> Found:
        """What answers."""
        return Found(example.id)


@dataclass
class Found:
    """Some 120 tokens an answer."""

    id: str
    turns: int = 0

    def reset(self, *, seed: int) -> str:
        """From the start."""
        self.turns = 0
        return ""

    def step(self, segments: Sequence[Segment]) -> Turn:
        """The next answer."""
        self.turns += 1
        return Turn(passage(110, f"{self.id} {self.turns}"), terminated=self.turns == TURNS)


def said(rollouts: Sequence[Rollout]) -> list[list[tuple[int, ...]]]:
    return [[segment.token_ids for segment in rollout.segments] for rollout in rollouts]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--attempts", type=int, default=2, help="at each of the four prompts")
    parser.add_argument("--dtype", default="float32")
    asked = parser.parse_args()
    policy = LanguagePolicy.from_pretrained(dtype=asked.dtype)
    # Every eighth token of the vocabulary ends a turn, so that hardly any is cut by its budget, which ends the attempt.
    policy.engine.end_ids = frozenset(range(0, len(policy.chat.tokenizer), 8))  # type: ignore[attr-defined]
    remembering = policy.engine.remembering  # type: ignore[attr-defined]
    task, seconds = Asked(), {"from there on": [], "anew": []}
    drawn: dict[str, list[Rollout]] = {}
    for number in range(asked.rounds):
        for name, times in seconds.items():
            policy.engine.remembering = remembering if name == "from there on" else nullcontext  # type: ignore[attr-defined]
            since = time.process_time()
            groups = policy.sample(task, task.examples("train"), asked.attempts, Sampling(max_tokens=32), seed=number)
            times.append(time.process_time() - since)
            drawn[name] = [rollout for group in groups for rollout in group.rollouts]
        same = sum(one == other for one, other in zip(*map(said, drawn.values()), strict=True))
        tokens = sum(rollout.steps for rollout in drawn["anew"])
        turns = sum(len(rollout.turns) for rollout in drawn["anew"])
        print(f"round {number}: {same} of {len(drawn['anew'])} attempts the same; {turns} turns, {tokens} tokens drawn")
    for name, rollouts in drawn.items():
        own = policy.logprobs(rollouts, grad=False).logprobs_N.double()
        told = torch.tensor([value for rollout in rollouts for value in rollout.logprobs], dtype=torch.float64)
        print(f"{name:14} log-probs within {(own - told).abs().mean():.2g} nats of the trainer's, on average")
    for name, times in seconds.items():
        print(f"{name:14} min {min(times):.1f} s, median {statistics.median(times):.1f} s, max {max(times):.1f} s")
    ratios = [slow / fast for fast, slow in zip(*seconds.values(), strict=True)]
    print(f"anew / from there on: min {min(ratios):.2f}, median {statistics.median(ratios):.2f}, max {max(ratios):.2f}")


if __name__ == "__main__":
    main()
