"""What stands in the README of guerdon-driving about the simulator's driver, and about planners that look at nothing.

    python benchmarks/driving_drivers.py             # needs the default frames of driving/highway: made once, minutes
    python benchmarks/driving_drivers.py --loop      # the closed loop alone: 16 episodes, four drivers

Balance of the default frames; PDMS and comfort of the paths that the simulator's own driver took on the eval split; and
the closed loop with planners whose words do not depend on the frame, beside that driver in the same episodes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from random import Random

import numpy as np

from guerdon.rewards import Context
from guerdon.types import Group, Rollout
from guerdon_driving.actions import PATH_ACTIONS, SPEED_ACTIONS
from guerdon_driving.answers import laid_out
from guerdon_driving.closed_loop import SECONDS, Planner, close_loop, mean_pdms, summary
from guerdon_driving.composites import DAC, C
from guerdon_driving.examples import DrivingExample
from guerdon_driving.scenarios import Kind
from guerdon_driving.simulation import drive, seed_of
from guerdon_driving.trajectory_rewards import PdmsReward
from guerdon_driving.trajectory_tasks import HighwayTrajectories

KINDS: tuple[Kind, ...] = ("highway", "intersection", "roundabout", "exit")
EPISODES, SEED = 16, 0


def main() -> None:
    """Print them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--loop", action="store_true", help="the closed loop alone")
    if not parser.parse_args().loop:
        frames(HighwayTrajectories())
    loop()


def frames(task: HighwayTrajectories) -> None:
    """Balance of the train split, and what `driving/pdms` pays for the driven paths of the eval split (six poses)."""
    about = json.loads((task.folder / "built.json").read_text(encoding="utf-8"))["train"]
    print(f"{about['rows']} frames to learn from: {about['speed']}, {about['path']}")
    print("driven paths of the eval split   frames  PDMS  off the road  uncomfortable")
    by_kind: dict[str, list[tuple[float, float, float]]] = {}
    examples = task.examples("eval")
    groups = [Group.of([Rollout.of(example, task.reference(example))]) for example in examples]
    for example, (found,) in zip(examples, Context().scores(PdmsReward(), groups), strict=True):
        row = found.value, 1 - found.parts[DAC].value, 1 - found.parts[C].value
        by_kind.setdefault(example.kind, []).append(row)
    every = [row for rows in by_kind.values() for row in rows]
    for kind, rows in (("all", every), *sorted(by_kind.items())):
        value, off, rough = np.mean(rows, axis=0)
        print(f"{kind:<32} {len(rows):>6}  {value:.2f}  {off:12.2f}  {rough:13.2f}")


def loop() -> None:
    """Crashes, progress and PDMS of drivers that see everything and nothing."""
    print(f"closed loop, {EPISODES} episodes of {', '.join(KINDS)}, seed {SEED}   crashed  progress  PDMS")
    driven = [
        drive(KINDS[place % len(KINDS)], seed_of(SEED, "closed loop", place), SECONDS) for place in range(EPISODES)
    ]
    values = [mean_pdms(one, 1.0) for one in driven]
    tell("the human-like driver", float(np.mean([one.crashed for one in driven])), 1.0, float(np.nanmean(values)))
    for words in ("KEEP, STRAIGHT", "STOP, STRAIGHT", ""):
        found = summary(close_loop(says(words), kinds=KINDS, episodes=EPISODES, seed=SEED))
        tell(words or "anything at random", found["crashed"], found["progress"], found["pdms"])


def says(words: str) -> Planner:
    """A planner with one answer; "": another plan each time, drawn from a seed."""
    random = Random(SEED)

    def planner(examples: Sequence[DrivingExample]) -> list[str]:
        return [
            laid_out("so", words or f"{random.choice(SPEED_ACTIONS)}, {random.choice(PATH_ACTIONS)}") for _ in examples
        ]

    return planner


def tell(who: str, crashed: float, progress: float, value: float) -> None:
    """A row."""
    print(f"{who:<32} {crashed:7.3f}  {progress:8.3f}  {value:.3f}", flush=True)


if __name__ == "__main__":
    main()
