"""A pool of Ray actors against one process, on the code reward.

    python benchmarks/ray_pool.py                # 5 interleaved pairs, workers = cores, about two minutes
    python benchmarks/ray_pool.py --pairs 3 --workers 2

The reward is `code/outcome`: programs are run in the sandbox, judged outside. *One process* is what a trainer without
workers has: this process with a sandbox of one server (GUERDON_SANDBOX_WORKERS=1). Each of Ray's workers is the same
again: one process, one server. Every attempt is another program, and what verdicts are remembered is dropped before
each run; actors and servers are started, and every module imported, beforehand, as in training. Before anything is
timed, the scores of both are compared, rollout by rollout.

The ratio is of wall time within a pair, who is measured first takes turns. It can reach the number of workers where
there are as many cores, idle: see the load beside it. Beside it, the sandbox's own way to use all cores of one machine
(a server per core, no Ray) for as many runs: a pool of actors is for more machines than one, and for rewards that
compute in Python.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable

os.environ["GUERDON_SANDBOX_WORKERS"] = "1"

from guerdon.adapters.ray import RayReward
from guerdon.rewards import Context
from guerdon.sandbox import Sandbox, pool
from guerdon.types import Group, Rollout
from guerdon_code.problems import CodeProblem, StdioTest
from guerdon_code.rewards import Outcome
from guerdon_code.verdicts import forget

PROMPTS, ATTEMPTS, TESTS = 16, 16, 8


def batch(number: int) -> list[Group]:
    """PROMPTS groups of ATTEMPTS distinct programs, half of them wrong on the last test; other programs per number."""
    groups = []
    for k in range(PROMPTS):
        tests = tuple(StdioTest(stdin=f"{x}\n", stdout=f"{sum(range(x)) + k}\n") for x in range(100, 100 + TESTS))
        problem = CodeProblem(id=f"p{k}", question="", tests=tests)
        groups.append(Group.of([Rollout.of(problem, program(number, k, i)) for i in range(ATTEMPTS)]))
    return groups


def program(number: int, k: int, i: int) -> str:
    wrong = f" + (n == {99 + TESTS})" if i % 2 else ""
    return (
        f"# {number} {i}\nn = int(input())\ntotal = 0\nfor x in range(n):\n    total += x\nprint(total + {k}{wrong})\n"
    )


def values(groups: list[Group], reward: Outcome | RayReward) -> list[float]:
    return [score.value for row in Context().scores(reward, groups) for score in row]


def timed(work: Callable[[], object]) -> float:
    forget()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def told(name: str, numbers: list[float], unit: str) -> str:
    return f"{name}: min {min(numbers):.2f} / median {statistics.median(numbers):.2f} / max {max(numbers):.2f} {unit}"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--pairs", type=int, default=5)
    arguments.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    chosen = arguments.parse_args()
    reward = Outcome()
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"{PROMPTS} prompts x {ATTEMPTS} attempts x {TESTS} tests; {chosen.workers} workers")
    with RayReward(reward, workers=chosen.workers) as spread:
        warm = batch(-1)
        assert values(warm, spread) == values(warm, reward) == [1.0, 0.0] * (PROMPTS * ATTEMPTS // 2)
        print("scores equal, rollout by rollout")
        one_s, ray_s, ratios = [], [], []
        for pair in range(chosen.pairs):
            groups = batch(pair)
            seconds = {}
            for name, each in (("one", reward), ("ray", spread))[:: 1 if pair % 2 == 0 else -1]:
                seconds[name] = timed(lambda groups=groups, each=each: values(groups, each))
            one_s.append(seconds["one"])
            ray_s.append(seconds["ray"])
            ratios.append(one_s[-1] / ray_s[-1])
            print(
                f"  pair {pair + 1}: one process {one_s[-1]:.2f} s, Ray {ray_s[-1]:.2f} s, {ratios[-1]:.2f}x, "
                f"load {os.getloadavg()[0]:.1f}"
            )
        assert spread.stats == {}, f"workers were lost: {spread.stats}"
    reached = "reached" if statistics.median(ratios) >= 1.7 else "MISSED"
    print(told("one process", one_s, "s"))
    print(told("Ray", ray_s, "s"))
    print(told("ratio", ratios, "x") + f"; target 1.7x on 2 cores {reached}")
    pool._DEFAULT = Sandbox()  # a server per core, each kept to its own
    values(batch(-2), reward)
    own_s = [timed(lambda pair=pair: values(batch(1000 + pair), reward)) for pair in range(chosen.pairs)]
    print(told("the sandbox alone, a server per core", own_s, "s"))


if __name__ == "__main__":
    main()
