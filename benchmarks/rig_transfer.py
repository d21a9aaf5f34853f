"""TokenRig's claim on a transformer over the real grammar: `python benchmarks/rig_transfer.py [--seeds 0 1 2]`.

A policy learns to write the skeletons of made humanoids and quadrupeds, and then meets birds, insects, fish and snakes
without their rigs: GRPO with the rewards that need no true one (`rigging/tokenrig-v1`, skeletons alone). What it writes
for other meshes of these kinds is held against their true skeletons, which neither stage saw, before and after.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import torch

from guerdon.advantages import group_relative
from guerdon.rewards import Context
from guerdon.runs import RunFolder
from guerdon.scoring import Runner
from guerdon.trainer import Trainer
from guerdon.trainer.config import LossConfig, OptimizerConfig, SamplingConfig, SftConfig, TrainConfig
from guerdon.trainer.measures import mean_scored
from guerdon_rigging.rewards import TokenRig
from guerdon_rigging.rig_policy import RigPolicy
from guerdon_rigging.rig_shapes import SKELETONS
from guerdon_rigging.rig_tasks import Made

KNOWN, UNLIKE = ("humanoid", "quadruped"), ("bird", "insect", "fish", "snake")
SAMPLES = 4
"""Attempts at each held-out mesh, drawn at temperature 1."""


def measured(policy: RigPolicy, task: Made, config: TrainConfig) -> dict[str, float]:
    """Means over held-out meshes and attempts, of the task's metrics and of the number of joints."""
    groups = policy.sample(task, task.examples("eval"), SAMPLES, config.sampling.sampling(), seed=1)
    found = {}
    with Runner() as runner:
        for name, metric in task.metrics().items():
            scores = [score for row in runner.score(metric, groups, Context()) for score in row]
            found[name] = mean_scored(scores)
            if name == "tokenrig":
                found["joints"] = mean_scored([score.parts["joints"] for score in scores if score.value > 0])
    return found


def run(seed: int, rl_steps: int, folder: Path) -> list[tuple[str, dict[str, float], dict[str, float]]]:
    """Of each stage its name, and what is measured on meshes unlike the supervised ones, and like them."""
    words = {
        "skin": False,
        "bins": SKELETONS.vocabulary.bins,
        "most": SKELETONS.most_joints,
        "eval_size": 80,
        "seed": seed,
    }
    known = Made(kinds=KNOWN, train_size=1000, variants=1, **words)
    unlike = Made(kinds=UNLIKE, train_size=400, **words)
    policy = RigPolicy.of_shape(SKELETONS, seed=seed)
    sampling = SamplingConfig(temperature=1.0, max_tokens=7 * SKELETONS.most_joints)
    warm = OptimizerConfig(lr=1e-3, schedule="linear", warmup_steps=20, grad_clip=1.0)
    sft = SftConfig(examples=2000, epochs=8, batch_size=16, optimizer=warm)
    first = TrainConfig(steps=0, sft=sft, sampling=sampling, tokens_per_microbatch=8192)
    rows = []
    with RunFolder.create(folder / f"sft-{seed}", "name: sft\n", seed, {}) as made:
        Trainer(policy=policy, task=known, reward=TokenRig(), config=first, seed=seed).fit(made)
    rows.append(("SFT", measured(policy, unlike, first), measured(policy, known, first)))
    second = TrainConfig(
        steps=rl_steps,
        prompts_per_step=8,
        group_size=8,
        sampling=sampling,
        optimizer=OptimizerConfig(lr=1e-4, schedule="linear", warmup_steps=2, grad_clip=1.0),
        loss=LossConfig(average="token", clip_low=0.2, clip_high=0.2, kl_weight=0.01),
        tokens_per_microbatch=8192,
    )
    advantage = group_relative(std=True, ddof=0, epsilon=1e-4)
    with RunFolder.create(folder / f"rl-{seed}", "name: rl\n", seed, {}) as made:
        Trainer(policy, unlike, TokenRig(), second, advantage, seed=seed).fit(made)
        rows.append(("SFT + RL", measured(policy, unlike, first), measured(policy, known, first)))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=60, help="of RL")
    parser.add_argument("--out", type=Path, help="where the two runs of each seed go; a temporary folder without it")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        for seed in asked.seeds:
            for stage, *where in run(seed, asked.steps, asked.out or Path(temporary)):
                for kinds, found in zip((UNLIKE, KNOWN), where, strict=True):
                    told = "  ".join(f"{name} {value:.3f}" for name, value in found.items())
                    print(f"seed {seed}  {stage:8}  {'+'.join(kinds):24}  {told}", flush=True)


if __name__ == "__main__":
    main()
