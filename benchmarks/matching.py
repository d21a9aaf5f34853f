"""Arrivals a second of the simulator of online matching, one core.

    python benchmarks/matching.py            # 7 rounds of each rule, interleaved; under a minute on an idle core
    python benchmarks/matching.py --quick    # 2 rounds

An arrival is one page view of one run: its available neighbours are found, one is chosen by the rule, a coin is thrown,
and load and state are brought up to date. The graph of twelve vertices (100 copies of each type, up to 12 neighbours)
and one of 100 vertices and 1,000 arrivals with 10 neighbours and unequal chances each. Time is the process's own, since
the machine may be shared; wall time is printed beside it.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import time

from guerdon_page.matching.hard_instances import twelve
from guerdon_page.matching.instances import Instance
from guerdon_page.matching.rules import RULES
from guerdon_page.matching.simulation import simulate

TARGET = 1e6
RUNS = 4096


def wide():
    draw = random.Random(0)
    rows = [{u: draw.uniform(0.01, 0.1) for u in draw.sample(range(100), 10)} for _ in range(1000)]
    return Instance.of(100, rows)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--quick", action="store_true", help="2 rounds")
    arguments.add_argument("--rounds", type=int, default=7)
    chosen = arguments.parse_args()
    for name, instance in (("twelve vertices", Instance.typed(12, twelve(), 100)), ("a hundred vertices", wide())):
        played = RUNS * len(instance.arrivals)
        found = {rule: [] for rule in RULES}
        walls = {rule: [] for rule in RULES}
        for turn in range(2 if chosen.quick else chosen.rounds):
            for rule in RULES:
                wall, start = time.perf_counter(), time.process_time()
                simulate(instance, rule, runs=RUNS, seed=turn)
                found[rule].append(played / (time.process_time() - start))
                walls[rule].append(played / (time.perf_counter() - wall))
        print(f"\n{name}: {len(instance.arrivals)} arrivals, {RUNS} runs, load {os.getloadavg()[0]:.1f}")
        for rule, rates in found.items():
            low, middle, high = (value / 1e6 for value in (min(rates), statistics.median(rates), max(rates)))
            verdict = "reached" if min(rates) >= TARGET else "MISSED"
            told = f"  {rule:<8} min {low:.1f} / median {middle:.1f} / max {high:.1f} million a second"
            print(f"{told}; wall, median {statistics.median(walls[rule]) / 1e6:.1f}; target 1 {verdict}")


if __name__ == "__main__":
    sys.exit(main())
