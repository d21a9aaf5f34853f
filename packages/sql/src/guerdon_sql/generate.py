"""A whole generated data set: databases and questions for both splits, from one seed.

`build` writes `<split>/<db_id>.sqlite` and `<split>.jsonl` into an empty folder. The same settings give the same
questions, rows and files' contents in any process: all choices come from `random.Random` seeded with strings, and no
set or hash order is ever relied on.
"""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from guerdon.errors import TaskError
from guerdon_sql.generate_conditions import Speaker
from guerdon_sql.generate_domains import EVAL, TRAIN
from guerdon_sql.generate_drafts import ask
from guerdon_sql.generate_questions import LEVELS
from guerdon_sql.generate_schemas import draw_schema, fill
from guerdon_sql.generate_words import Domain, Schema

QUESTIONS_PER_DATABASE = 8
"""Enough to share the work of a database, few enough that a split sees many."""

HINT_SHARE = 0.7
"""How often a question whose words are not the schema's comes with the hint that maps them."""

DOMAINS: Mapping[str, Sequence[Domain]] = {"train": TRAIN, "eval": EVAL}


def build(folder: Path, *, seed: int, sizes: Mapping[str, int], weights: Mapping[str, float], tables_max: int) -> None:
    """Write both splits into the empty `folder`.

    Args:
        folder: where to.
        seed: the source of every choice.
        sizes: questions per split.
        weights: relative frequency of each level; all > 0.
        tables_max: most tables in a database, 1 to 4. With 1, questions that join are left out by their own draws.
    """
    for split, size in sizes.items():
        (folder / split).mkdir()
        with (folder / f"{split}.jsonl").open("w", encoding="utf-8") as out:
            for row in _split_rows(folder, split, size, seed, weights, tables_max):
                out.write(json.dumps(row) + "\n")


def _split_rows(
    folder: Path, split: str, size: int, seed: int, weights: Mapping[str, float], tables_max: int
) -> list[dict[str, Any]]:
    rng = random.Random(f"guerdon {split} {seed}")
    domains = DOMAINS[split]
    rows: list[dict[str, Any]] = []
    levels = shuffled_levels(size, weights, rng)
    number = 0
    while levels:
        domain = domains[number % len(domains)]
        db_id = f"{domain.name}_{number}"
        path = folder / split / f"{db_id}.sqlite"
        schema = draw_schema(domain, rng, tables_max)
        fill(schema, rng, path)
        wanted, left = levels[:QUESTIONS_PER_DATABASE], levels[QUESTIONS_PER_DATABASE:]
        found, missed = questions(schema, path, wanted, rng)
        rows += [{"id": f"{db_id}-{index}", "db_id": db_id, **row} for index, row in enumerate(found)]
        if not found:
            path.unlink()
        levels = left + missed  # a one-table database asks no joins; another one will
        number += 1
        if number > 20 * (size // QUESTIONS_PER_DATABASE + 1):
            raise TaskError(
                f"no database of at most {tables_max} tables gives questions of the levels {sorted(set(levels))}"
            )
    return rows


def shuffled_levels(size: int, weights: Mapping[str, float], rng: random.Random) -> list[str]:
    """`size` level names in the weights' proportions (largest remainders), in random order."""
    total = sum(weights.values())
    shares = {level: size * weight / total for level, weight in weights.items()}
    counts = {level: int(share) for level, share in shares.items()}
    by_remainder = sorted(shares, key=lambda level: counts[level] - shares[level])
    for level in by_remainder[: size - sum(counts.values())]:
        counts[level] += 1
    levels = [level for level, count in counts.items() for _ in range(count)]
    rng.shuffle(levels)
    return levels


def questions(
    schema: Schema,
    path: Path,
    levels: Sequence[str],
    rng: random.Random,
    *,
    tries: int = 60,
    tick: Callable[[], None] = lambda: None,
) -> tuple[list[dict[str, Any]], list[str]]:
    """One checked question for each of `levels`, no two with the same gold; and the levels for which there was none.

    `tries` is how many draws one question gets; on made-up rows most succeed within three. `tick` is called
    after each.
    """
    found: list[dict[str, Any]] = []
    missed: list[str] = []
    golds: set[str] = set()
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        speaker = Speaker(schema, connection, rng)
        for level in levels:
            for _ in range(tries):
                kind = rng.choice(LEVELS[level])
                asked = ask(speaker, kind)
                if asked is None or asked[0].gold in golds:
                    continue
                draft, hint = asked
                golds.add(draft.gold)
                evidence = hint if rng.random() < HINT_SHARE else ""
                found.append(
                    {
                        "question": draft.question,
                        "gold": [draft.gold],
                        "evidence": evidence,
                        "level": level,
                        "tables": list(draft.tables),
                    }
                )
                break
            else:
                missed.append(level)
            tick()
    return found, missed
