"""What an adapter adds to scoring: its own time over that of `Runner.score` for the same groups, within the same call.

Each batch is 16 generated problems with 8 completions each; no two share a completion, so no cache knows the answers.
`sql`: text-to-SQL, scored by the recipe `sql` (five parts, real SQLite databases); of each question's completions three
run the gold query with another literal, two fail, two are right but worded anew, one is prose. `code`: small programs,
scored by the recipe `code` (VeRPO, ten tests each); half are the reference, half return nothing.

The adapter is called as the other trainer calls it, hooks included; clocks around `Runner.score` tell the scoring apart
from the rest.

Two ratios: by the clock on the wall, which on a shared machine measures its neighbours too (a few milliseconds wait as
long as many do), and by this thread's processor time, which leaves out what worker processes do for the scoring, and so
errs against the adapter.

    python benchmarks/adapter_overhead.py [--quick] [--batches 20] [--reward sql] [trl ...]

Needs guerdon-sql and guerdon-code; the other trainers need not be installed. Target: median(own time / scoring) <= 2 %.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from types import SimpleNamespace
from typing import Any

from guerdon.grading import Grader

GROUP, PROMPTS, TARGET = 8, 16, 0.02
Batch = list[tuple[Any, str]]
"""(example, completion), the attempts at one example side by side."""


def batch(grader: Grader, number: int) -> Batch:
    """Completions that nothing has seen before; see the module's head."""
    examples = grader.task.examples("train")
    found: Batch = []
    for place in range(PROMPTS):
        example = examples[(number * PROMPTS + place) % len(examples)]
        gold = grader.task.reference(example).removeprefix("```sql\n").removesuffix("\n```")
        fresh = number * PROMPTS + place
        queries = [
            *(f"SELECT * FROM ({gold}) LIMIT {fresh * 3 + k + 1}" for k in range(3)),
            f"SELECT missing_{fresh} FROM nowhere",
            f"SELECT {fresh} FROM",
            f"{gold} -- {fresh}",
            f"SELECT * FROM ({gold}) WHERE {fresh} = {fresh}",
        ]
        said = [*(f"```sql\n{query}\n```" for query in queries), f"I think there are {fresh} of them."]
        found += [(example, text) for text in said]
    return found


def programs(grader: Grader, number: int) -> Batch:
    """As `batch`, of programs."""
    examples = grader.task.examples("train")
    found: Batch = []
    for place in range(PROMPTS):
        example = examples[(number * PROMPTS + place) % len(examples)]
        text = grader.task.reference(example).removesuffix("\n```")
        head = text[: text.index(":\n") + 2]
        for k in range(GROUP):
            body = text if k % 2 else f"{head}    return None"
            found.append((example, f"{body}\n    # {number}-{place}-{k}\n```"))
    return found


REWARDS = {
    "sql": (f"sql/generated[train_size={PROMPTS * 4},eval_size=1,layout=plain]", batch, 3),
    "code": (f"code/generated[train_size={PROMPTS * 4},eval_size=1]", programs, 1),
}
"""A recipe's task, its batches, and more than so many distinct values that each is to earn."""


# -- the adapters, each as its trainer calls it ------------------------------------------------------------------------


class TrlTrainer:
    """The attributes of a GRPOTrainer that the adapter looks at."""

    num_generations = num_generations_eval = GROUP
    model = SimpleNamespace(training=True)
    args = SimpleNamespace(seed=0)
    eos_token_ids = (2,)
    callback_handler = SimpleNamespace(callbacks=())

    def __init__(self, functions: list[Any]) -> None:
        self.reward_funcs = functions
        self.metrics: dict[str, list[float]] = {}
        self.extra: dict[str, list[Any]] = {}

    def log_metric(self, name: str, value: float) -> None:
        """As TRL's."""
        self.metrics.setdefault(name, []).append(value)

    def log_extra(self, name: str, values: list[Any]) -> None:
        """As TRL's."""
        self.extra.setdefault(name, []).extend(values)


def trl(grader: Grader) -> Callable[[Batch], Callable[[], list[float]]]:
    from guerdon.adapters.trl import reward_funcs

    trainer = TrlTrainer(reward_funcs(grader, name="sql"))

    def ready(data: Batch) -> Callable[[], list[float]]:
        return partial(
            trainer.reward_funcs[0],
            prompts=[[{"role": "user", "content": "?"}]] * len(data),
            completions=[[{"role": "assistant", "content": text}] for _, text in data],
            completion_ids=[[5] * 50 + [2] for _ in data],
            example=[example.id for example, _ in data],
            reference=[None] * len(data),
            trainer_state=SimpleNamespace(global_step=1, max_steps=10),
            log_metric=trainer.log_metric,
            log_extra=trainer.log_extra,
        )

    return ready


ADAPTERS: Mapping[str, Callable[[Grader], Callable[[Batch], Callable[[], list[float]]]]] = {"trl": trl}
"""Each makes ready a call as its trainer would make it; making it ready is the trainer's own work."""


# -- the clock --------------------------------------------------------------------------------------------------------


CLOCKS = {"wall": time.perf_counter, "processor": time.thread_time}


def measured(name: str, rewarded: str, batches: int) -> None:
    task, batch_of, distinct = REWARDS[rewarded]
    grader = Grader.of(rewarded, task=task)
    ready, inside = ADAPTERS[name](grader), dict.fromkeys(CLOCKS, 0.0)
    score = grader.runner.score

    def clocked(*arguments: Any, **options: Any) -> Any:
        started = read()
        try:
            return score(*arguments, **options)
        finally:
            inside.update(since(started))

    grader.runner.score = clocked
    own: dict[str, list[float]] = {clock: [] for clock in CLOCKS}
    scoring: dict[str, list[float]] = {clock: [] for clock in CLOCKS}
    with grader:
        for number in range(batches + 2):
            call = ready(batch_of(grader, number))
            started = read()
            values = call()
            whole = since(started)
            assert len(set(values)) > distinct, "the completions were meant to differ"
            if number >= 2:  # workers start and databases are built in the first ones
                for clock in CLOCKS:
                    own[clock].append(whole[clock] - inside[clock])
                    scoring[clock].append(inside[clock])
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    print(f"{name}, {rewarded}: {batches} batches of {PROMPTS * GROUP}; load {load} on {os.cpu_count()} cores")
    for clock in CLOCKS:
        ratios = [a / b for a, b in zip(own[clock], scoring[clock], strict=True)]
        for what, values in (("own", own[clock]), ("scoring", scoring[clock])):
            shown = [value * 1e3 for value in (min(values), statistics.median(values), max(values))]
            print(f"  {clock:9} {what:8} min {shown[0]:8.2f}  median {shown[1]:8.2f}  max {shown[2]:8.2f} ms")
        middle = statistics.median(ratios)
        verdict = "met" if middle <= TARGET else "MISSED"
        print(f"  {clock:9} own / scoring: min {min(ratios):.2%}, median {middle:.2%}, max {max(ratios):.2%}")
        print(f"  {clock:9} target <= {TARGET:.0%}: {verdict}")


def read() -> dict[str, float]:
    return {name: clock() for name, clock in CLOCKS.items()}


def since(started: dict[str, float]) -> dict[str, float]:
    return {name: now - started[name] for name, now in read().items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="five batches")
    parser.add_argument("--batches", type=int, default=20)
    parser.add_argument("--reward", choices=REWARDS, help="this one alone")
    parser.add_argument("adapters", nargs="*", help=f"of {', '.join(ADAPTERS)}; all by default")
    options = parser.parse_args()
    if unknown := set(options.adapters) - set(ADAPTERS):
        sys.exit(f"no adapter named {sorted(unknown)}; there are {sorted(ADAPTERS)}")
    for name in options.adapters or ADAPTERS:
        for rewarded in [options.reward] if options.reward else REWARDS:
            measured(name, rewarded, 5 if options.quick else options.batches)


if __name__ == "__main__":
    main()
