"""What the recipe `page-allocation` learns, beside the rules, on days that it has not seen.

    python benchmarks/allocation.py                    # three seeds, each a market and a run of its own; some minutes
    python benchmarks/allocation.py --seeds 0          # one
    python benchmarks/allocation.py --set train.steps=200

Every number is a mean over the held-out days of what is expected of a day, over its coins exactly, as a share of the
day's Matching LP. The table is greedy, as in evaluations. The rules know the view at hand and nothing of the market;
the table has learned from other days of it. `knows the market` is the best that can be got from that, and unlike the
table it sees how many views are left. Behind each difference stands its standard error over days, paired.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import tempfile
import time
from pathlib import Path

from guerdon.recipes import load_recipe
from guerdon.recipes.building import build_task
from guerdon.recipes.running import run_recipe
from guerdon.recipes.trained import trainer_of_run
from guerdon_page.matching.environments import instance_of
from guerdon_page.matching.exact import policy_value, rule_value
from guerdon_page.matching.tables import greedy_choice

RULES = ("greedy", "ranking", "balance")


def shares(task, value):
    """One for each held-out day."""
    return [value(instance_of(day)) / day.bound for day in task.examples("eval")]


def measured(seed, settings):
    recipe = load_recipe("page-allocation", [f"seed={seed}", f"task.with.seed={seed}", *settings])
    task = build_task(recipe.task)
    found = {rule: shares(task, lambda day, rule=rule: rule_value(day, rule)) for rule in RULES}
    best = task.market.best(task.views)
    found["knows the market"] = shares(task, lambda day: policy_value(day, best))
    with tempfile.TemporaryDirectory() as folder:
        wall, start = time.perf_counter(), time.process_time()
        run = run_recipe(recipe, Path(folder) / "run")
        seconds = time.process_time() - start, time.perf_counter() - wall
        policy = trainer_of_run(run.path).policy
    found["table"] = shares(task, lambda day: policy_value(day, greedy_choice(policy)))
    return found, seconds


def told(values):
    return f"{statistics.fmean(values):.4f}"


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments.add_argument("--set", dest="settings", action="append", default=[], metavar="FIELD=VALUE")
    chosen = arguments.parse_args()
    for seed in chosen.seeds:
        found, (busy, wall) = measured(seed, chosen.settings)
        table = found["table"]
        print(
            f"\nseed {seed}: {len(table)} held-out days; trained in {busy:.0f} s of the processor, {wall:.0f} s of wall"
        )
        print(f"  table {told(table)}")
        for name, values in found.items():
            if name != "table":
                apart = [one - other for one, other in zip(table, values, strict=True)]
                error = statistics.stdev(apart) / math.sqrt(len(apart))
                print(f"  {name:<17} {told(values)}   table {statistics.fmean(apart):+.4f} ± {error:.4f}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
