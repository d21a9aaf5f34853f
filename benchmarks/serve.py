"""The reward server at 64 concurrent batches, against the same batches graded one after the other in this process.

    python benchmarks/serve.py                # sql and code, 7 interleaved pairs each, about five minutes
    python benchmarks/serve.py --only sql --pairs 3

In process: one `Grader`, as an adapter in a trainer's own process would use it. Server: `guerdon serve` in processes of
its own, and 64 threads of `guerdon.serve.client.Client` in this one, so that what is timed holds the client's work too:
JSON both ways, and scores as objects. Both sides give the same scores, which is checked on every batch.

Every batch has answers never seen before (a comment with a number in it), or both sides would read from their caches.
The sides take turns; which goes first alternates. The bar: 70 % of the throughput in process.

Wall time is what counts, but on a busy machine more processes get a larger share of it: two lanes have two sets of
workers. So the processor time of all processes of a side is compared, too. It holds what serving costs (JSON four times
over, HTTP, the client), and nothing is won there by working side by side.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from guerdon.grading import Grader, Row
from guerdon.serve.client import Client

CONCURRENT = 64
BATCHES = 128
GROUP = 8
BAR = 0.7

SETUPS: dict[str, dict[str, Any]] = {
    "sql": {
        "task": "sql/generated[levels=[filter, nested],tables_max=1]",
        "reward": "sql/execution",
        "groups": 8,
        "wrong": lambda text, draw: (
            text.replace("SELECT", "SELECT DISTINCT") if draw < 0.7 else text.replace("FROM", "FORM")
        ),
        "fresh": lambda text, number: text.replace("SELECT", f"SELECT /* {number} */", 1),
    },
    "code": {
        "task": "code/generated",
        "reward": "code/pass-rate",
        "groups": 2,
        "wrong": lambda text, draw: text.replace("return", "return 1 or" if draw < 0.7 else "retrun"),
        "fresh": lambda text, number: text.replace("\n```", f"\n# {number}\n```"),
    },
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=sorted(SETUPS))
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--lanes", type=int, default=2)
    chosen = parser.parse_args()
    print(
        f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {chosen.lanes} lanes"
    )
    for name, setup in SETUPS.items():
        if chosen.only in (None, name):
            compare(name, setup, chosen.pairs, chosen.lanes)


def compare(name: str, setup: dict[str, Any], pairs: int, lanes: int) -> None:
    command = [sys.executable, "-m", "guerdon.cli", "serve", "--port", "0", "--lanes", str(lanes), "--name", name]
    named = ["--task", setup["task"], "--reward", setup["reward"]]
    server = subprocess.Popen([*command, *named], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        client = Client(server.stdout.readline().split(" at ")[1].split(";")[0])
        with Grader.of(task=setup["task"], reward=setup["reward"]) as grader, ThreadPoolExecutor(CONCURRENT) as pool:
            in_process = lambda batches: [grader.grade(batch) for batch in batches]  # noqa: E731
            by_server = lambda batches: list(pool.map(client.grade, batches))  # noqa: E731
            numbers = iter(range(10**9))
            warm = made(grader, setup, numbers, seed=0)
            in_process(warm), by_server(warm)
            ratios, costs = [], []
            for pair in range(1, pairs + 1):
                batches = made(grader, setup, numbers, seed=pair)
                sides: list[Callable[[list[list[Row]]], Any]] = [in_process, by_server]
                results, seconds, processor = {}, {}, {}
                for side in sides if pair % 2 else reversed(sides):
                    started, used = time.perf_counter(), processor_s()
                    results[side] = side(batches)
                    seconds[side] = time.perf_counter() - started
                    processor[side] = processor_s() - used
                assert results[in_process] == results[by_server], "the sides differ"
                ratios.append(seconds[in_process] / seconds[by_server])
                costs.append(processor[by_server] / processor[in_process])
                rows = sum(map(len, batches))
                print(
                    f"  {name}, pair {pair}: {rows} rows in {len(batches)} batches: in process "
                    f"{rows / seconds[in_process]:.0f} rows/s, server {rows / seconds[by_server]:.0f}: {ratios[-1]:.2f}"
                    f" (processor time: {costs[-1]:.2f} times)"
                )
        low, middle, high = min(ratios), statistics.median(ratios), max(ratios)
        spread = f"{low:.2f} / {middle:.2f} / {high:.2f} (min, median, max)"
        print(f"{name}: processor time of the server's side {statistics.median(costs):.2f} times (median)")
        print(f"{name}: server / in process {spread}; bar {BAR}: {'met' if middle >= BAR else 'MISSED'}")
    finally:
        server.terminate()
        server.wait(30)


def processor_s() -> float:
    """Seconds of the processor that this process and its descendants have used, those that ended included."""
    parents, used = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        parents[int(folder.name)] = int(fields[1])
        used[int(folder.name)] = sum(map(int, fields[11:15]))
    ours = {os.getpid()}
    for _ in range(8):
        ours |= {pid for pid, parent in parents.items() if parent in ours}
    return sum(used[pid] for pid in ours) / os.sysconf("SC_CLK_TCK")


def made(grader: Grader, setup: dict[str, Any], numbers: Any, seed: int) -> list[list[Row]]:
    """Batches of whole groups: half of the answers right, the rest wrong or broken, none seen before."""
    assert grader.task is not None
    draw, examples = random.Random(seed), grader.task.examples("train")
    batches = []
    for _ in range(BATCHES):
        batch: list[Row] = []
        for example in draw.sample(examples, setup["groups"]):
            for _ in range(GROUP):
                text = grader.task.reference(example) or ""
                if draw.random() < 0.5:
                    text = setup["wrong"](text, draw.random())
                batch.append({"example": example.id, "completion": setup["fresh"](text, next(numbers))})
        batches.append(batch)
    return batches


if __name__ == "__main__":
    main()
