"""The five parts of Reasoning-SQL together, against five functions that each parse and execute for themselves.

    python benchmarks/sql_parts.py            # 2,000 completions, 5 interleaved pairs for each mix, about two minutes
    python benchmarks/sql_parts.py --quick    # 750 completions, 2 pairs

The peer is made of the same pure parts, in one process: `execution` runs gold and prediction, `runs` the prediction,
`schema` and `ngram` each parse gold and prediction, `layout` looks for tags. It pays for no evidence, no statuses and
no worker process. Ours is the reward as training uses it, `sql/reasoning-sql-v1`, with all of these, its caches emptied
before each run. One mix has every text distinct, the other repeats them as groups of real attempts do.

Before anything is timed, all five values of every completion are equal.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from sql_execution import Sample, build_database, questions, samples

from guerdon.rewards import Context
from guerdon.types import Group, Rollout
from guerdon_sql import executions, similarity
from guerdon_sql.answers import extract
from guerdon_sql.compare import compare
from guerdon_sql.execute import run
from guerdon_sql.formats import tags_in_order
from guerdon_sql.questions import SqlQuestion
from guerdon_sql.rewards import reasoning_sql

TARGET = 2.5
NAMES = ("execution", "runs", "schema-linking", "ngram", "format")
Values = list[tuple[float, ...]]


def execution(text: str, gold: str, database: str) -> float:
    query = extract(text)
    wanted, got = run(gold, database), run(query, database)
    return float(got.ok and compare(got.rows, wanted.rows))


def runs(text: str, gold: str, database: str) -> float:
    return float(run(extract(text), database).ok)


def schema(text: str, gold: str, database: str) -> float:
    wanted, named = similarity._parse(gold).items, similarity._parse(extract(text)).items
    return len(wanted & named) / len(wanted | named) if wanted and named is not None else 0.0


def ngram(text: str, gold: str, database: str) -> float:
    wanted, written = similarity._parse(gold).ngrams(2), similarity._parse(extract(text)).ngrams(2)
    return len(wanted & written) / len(wanted | written) if wanted | written else 0.0


def layout(text: str, gold: str, database: str) -> float:
    return float(tags_in_order(text))


def independent(groups: Sequence[Group]) -> Values:
    found = []
    for group in groups:
        for rollout in group.rollouts:
            question = rollout.example_as(SqlQuestion)
            asked = (rollout.answer, question.gold[0], question.database)
            found.append(tuple(part(*asked) for part in (execution, runs, schema, ngram, layout)))
    return found


def together(groups: Sequence[Group]) -> Values:
    executions.forget()
    similarity._PARSED.clear()
    scores = Context().scores(reasoning_sql(), groups)
    return [tuple(score.parts[name].value for name in NAMES) for row in scores for score in row]


def laid_out(sample: Sample) -> str:
    # A text that repeats is an attempt that repeats: the same reasoning, the same query.
    return f"<reasoning>\n{len(sample.text)} characters\n</reasoning>\n<answer>\n```sql\n{sample.text}\n```\n</answer>"


def batch(database: str, count: int, distinct: float) -> list[Group]:
    asked = questions()
    examples = [
        SqlQuestion(id=str(n), question="", db_id="chinook", database=database, gold=(question.gold,))
        for n, question in enumerate(asked)
    ]
    attempts: dict[int, list[Rollout]] = {}
    for sample in samples(asked, count, distinct, random.Random(1)):
        if sample.kind in ("plain", "error"):  # slow ones would time SQLite, cheats would change the peer's database
            attempts.setdefault(sample.question, []).append(Rollout.of(examples[sample.question], laid_out(sample)))
    return [Group.of(rollouts) for rollouts in attempts.values()]


def timed(score: Callable[[Sequence[Group]], Values], groups: Sequence[Group]) -> float:
    start = time.perf_counter()
    score(groups)
    return time.perf_counter() - start


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--quick", action="store_true", help="750 completions, 2 pairs")
    arguments.add_argument("--pairs", type=int, default=5)
    chosen = arguments.parse_args()
    count, pairs = (750, 2) if chosen.quick else (2_000, chosen.pairs)
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "chinook.sqlite"
        build_database(database, random.Random(0))
        for distinct in (1.0, 0.3):
            groups = batch(str(database), count, distinct)
            ours, theirs = together(groups), independent(groups)
            assert ours == theirs, next(pair for pair in zip(ours, theirs, strict=True) if pair[0] != pair[1])
            print(f"\n{len(ours):,} completions, {distinct:.0%} distinct: all five values of each are equal")
            ratios = []
            for pair in range(pairs):
                peer_s, ours_s = timed(independent, groups), timed(together, groups)
                ratios.append(peer_s / ours_s)
                load = f"load {os.getloadavg()[0]:.1f}"
                print(f"  pair {pair + 1}: apart {peer_s:.2f} s, together {ours_s:.2f} s, {ratios[-1]:.1f}x, {load}")
            low, median, high = min(ratios), statistics.median(ratios), max(ratios)
            verdict = "reached" if median >= TARGET else "MISSED"
            print(f"  ratio min {low:.1f} / median {median:.1f} / max {high:.1f}; target {TARGET}x {verdict}")


if __name__ == "__main__":
    sys.exit(main())
