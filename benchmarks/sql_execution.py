"""The SQL execution reward against an evaluator built as BIRD's is: 10,000 completions on a Chinook-like database.

    python benchmarks/sql_execution.py            # both mixes, 5 interleaved pairs each, about ten minutes
    python benchmarks/sql_execution.py --quick    # 1,000 completions, 2 pairs

The peer, written here after the fact sheet of BIRD's evaluator: for each completion a thread with a time limit opens a
read-write connection, runs the prediction, then the gold query, on it, and compares two sets. One process, no cache.
Ours is the reward itself, `sql/execution-v1`, evidence and all. Its caches are emptied before each run (those of gold
results too, each of which is proven by a second run); its worker processes, one per core, are started beforehand, as
in training. A plain query takes about 0.1 ms on an open connection, a slow one about 4 ms.

Wall time is what counts, but only means something with the cores to ourselves; processor time (ours with the workers')
is printed beside it for busy machines, where two workers share with others the cores they would have side by side.

Before anything is timed: verdicts are equal on every completion that is neither slow nor a cheat, and every cheat earns
1 from the peer and 0 from us.
"""

from __future__ import annotations

import argparse
import os
import random
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

QUESTIONS = 150
TIME_LIMIT_S = 5.0
SHARES = {"error": 0.10, "slow": 0.02, "cheat": 0.01}
SCHEMA = """
CREATE TABLE Artist (ArtistId INTEGER PRIMARY KEY, Name TEXT);
CREATE TABLE Album (AlbumId INTEGER PRIMARY KEY, Title TEXT, ArtistId INTEGER REFERENCES Artist);
CREATE TABLE Genre (GenreId INTEGER PRIMARY KEY, Name TEXT);
CREATE TABLE MediaType (MediaTypeId INTEGER PRIMARY KEY, Name TEXT);
CREATE TABLE Track (TrackId INTEGER PRIMARY KEY, Name TEXT, AlbumId INTEGER REFERENCES Album, GenreId INTEGER REFERENCES
    Genre, MediaTypeId INTEGER REFERENCES MediaType, Milliseconds INTEGER, Bytes INTEGER, UnitPrice REAL);
CREATE TABLE Employee (EmployeeId INTEGER PRIMARY KEY, LastName TEXT, FirstName TEXT, Title TEXT, City TEXT);
CREATE TABLE Customer (CustomerId INTEGER PRIMARY KEY, FirstName TEXT, LastName TEXT, City TEXT, Country TEXT,
    SupportRepId INTEGER REFERENCES Employee);
CREATE TABLE Invoice (InvoiceId INTEGER PRIMARY KEY, CustomerId INTEGER REFERENCES Customer, InvoiceDate TEXT,
    Total REAL);
CREATE TABLE InvoiceLine (InvoiceLineId INTEGER PRIMARY KEY, InvoiceId INTEGER REFERENCES Invoice, TrackId INTEGER
    REFERENCES Track, UnitPrice REAL, Quantity INTEGER);
CREATE TABLE Playlist (PlaylistId INTEGER PRIMARY KEY, Name TEXT);
CREATE TABLE PlaylistTrack (PlaylistId INTEGER REFERENCES Playlist, TrackId INTEGER REFERENCES Track,
    PRIMARY KEY (PlaylistId, TrackId));
CREATE INDEX TrackAlbum ON Track (AlbumId);
CREATE INDEX TrackGenre ON Track (GenreId);
CREATE INDEX LineInvoice ON InvoiceLine (InvoiceId);
CREATE INDEX InvoiceCustomer ON Invoice (CustomerId);
"""


def build_database(path: Path, rng: random.Random) -> None:
    """Chinook's tables at Chinook's sizes, with made-up contents."""
    countries = ["Norway", "Brazil", "Canada", "France", "Germany", "India", "Chile", "Portugal"]
    with sqlite3.connect(path) as connection:
        connection.executescript(SCHEMA)

        def fill(table: str, rows: list[tuple[object, ...]]) -> None:
            connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)

        fill("Artist", [(n, f"Artist {n}") for n in range(1, 276)])
        fill("Album", [(n, f"Album {n}", rng.randint(1, 275)) for n in range(1, 348)])
        fill("Genre", [(n, f"Genre {n}") for n in range(1, 26)])
        fill("MediaType", [(n, f"Media {n}") for n in range(1, 6)])
        fill(
            "Track",
            [
                (n, f"Track {n}", rng.randint(1, 347), rng.randint(1, 25), rng.randint(1, 5))  # noqa: RUF005 - two lines
                + (rng.randint(10**4, 10**6), rng.randint(10**6, 10**7), rng.choice([0.99, 1.99]))
                for n in range(1, 3504)
            ],
        )
        fill("Employee", [(n, f"Last {n}", f"First {n}", "Agent", f"City {n % 3}") for n in range(1, 9)])
        fill(
            "Customer",
            [
                (n, f"First {n}", f"Last {n}", f"City {n % 20}", rng.choice(countries), rng.randint(3, 5))
                for n in range(1, 60)
            ],
        )
        fill(
            "Invoice",
            [
                (
                    n,
                    rng.randint(1, 59),
                    f"20{rng.randint(20, 24)}-{rng.randint(1, 12):02}-01",
                    round(rng.uniform(1, 25), 2),
                )
                for n in range(1, 413)
            ],
        )
        fill("InvoiceLine", [(n, rng.randint(1, 412), rng.randint(1, 3503), 0.99, 1) for n in range(1, 2241)])
        fill("Playlist", [(n, f"Playlist {n}") for n in range(1, 19)])
        pairs = {(rng.randint(1, 18), rng.randint(1, 3503)) for _ in range(9_000)}
        fill("PlaylistTrack", sorted(pairs)[:8715])
    connection.close()


@dataclass(frozen=True)
class Question:
    """A gold query, how to write it another way or wrongly, and the tables a cheat could empty."""

    gold: str
    write: Callable[[str, int], str]
    """(alias, shift of the constant) -> query; shift 0 is right."""
    cheats: tuple[str, ...]


def cheats_on(table: str) -> tuple[str, ...]:
    return (
        "DELETE FROM {table} WHERE {n} = {n}".replace("{table}", table),
        "CREATE TEMP TABLE {table} AS SELECT * FROM main.{table} WHERE 0 -- {n}".replace("{table}", table),
    )


NOTHING = ("-- {n}", "/* {n} */", "CREATE TEMP TABLE planted{n} (a)")
"""What runs and returns no rows: equal to the gold where that is empty too."""
FORMS: list[tuple[str, tuple[str, ...]]] = [
    ("SELECT Name FROM Track {a} WHERE AlbumId = {k}", cheats_on("Track")),
    (
        "SELECT {a}.Title FROM Album {a} JOIN Artist r ON r.ArtistId = {a}.ArtistId WHERE r.ArtistId <= {k}",
        cheats_on("Album"),
    ),
    ("SELECT count(*) FROM Track {a} WHERE GenreId = {k} % 25 + 1", ()),
    ("SELECT Country, count(*) FROM Customer {a} WHERE CustomerId > {k} % 40 GROUP BY Country", cheats_on("Customer")),
    (
        "SELECT c.LastName, sum({a}.Total) FROM Customer c JOIN Invoice {a} ON {a}.CustomerId = c.CustomerId "
        "WHERE c.CustomerId < {k} GROUP BY c.CustomerId",
        cheats_on("Invoice"),
    ),
    ("SELECT Name, Milliseconds FROM Track {a} WHERE AlbumId < {k} AND Milliseconds > 500000", cheats_on("Track")),
    ("SELECT InvoiceId FROM Invoice {a} WHERE Total > {k} + 1000", NOTHING),
    (
        "SELECT g.Name, count(*) FROM Track {a} JOIN Genre g ON g.GenreId = {a}.GenreId WHERE {a}.AlbumId = {k} "
        "GROUP BY g.Name HAVING count(*) > 1",
        cheats_on("Track"),
    ),
    (
        "SELECT DISTINCT t.Name FROM InvoiceLine {a} JOIN Track t ON t.TrackId = {a}.TrackId "
        "JOIN Invoice i ON i.InvoiceId = {a}.InvoiceId WHERE i.CustomerId = {k} % 59 + 1",
        cheats_on("InvoiceLine"),
    ),
    ("SELECT max(UnitPrice), avg(Milliseconds) FROM Track {a} WHERE GenreId = {k} % 25 + 1", ()),
]
SLOW = (
    "SELECT count(*) FROM PlaylistTrack {a} JOIN InvoiceLine l ON l.TrackId + {n} > {a}.TrackId * {a}.PlaylistId "
    "WHERE l.InvoiceLineId < 8"
)
ERRORS = (
    "SELECT Nmae{n} FROM Track",
    "SELECT Name FORM Track WHERE AlbumId = {n}",
    "SELECT * FROM Tracks{n}",
    "SELECT Name FROM Track WHERE (AlbumId = {n}",
)


def questions() -> list[Question]:
    made = []
    for number in range(QUESTIONS):
        form, cheats = FORMS[number % len(FORMS)]
        constant = 3 + 2 * number

        def write(alias: str, shift: int, form: str = form, constant: int = constant) -> str:
            return form.replace("{a}", alias).replace("{k}", str(constant + shift))

        made.append(Question(write("t0", 0), write, cheats))
    return made


@dataclass(frozen=True)
class Sample:
    """One completion; its kind is `plain` (right or wrong), `error`, `slow` or `cheat`."""

    question: int
    text: str
    kind: str


def samples(asked: list[Question], count: int, distinct_share: float, rng: random.Random) -> list[Sample]:
    """`count` completions, `distinct_share` of them distinct texts, kinds in the stated shares, grouped by question."""
    distinct = round(count * distinct_share)
    kinds = [kind for kind, share in SHARES.items() for _ in range(round(distinct * share))]
    kinds += ["plain"] * (distinct - len(kinds))
    pool: dict[int, list[Sample]] = {number: [] for number in range(len(asked))}
    can_cheat = [number for number, question in enumerate(asked) if question.cheats]
    for n, kind in enumerate(kinds, start=1):
        number = rng.choice(can_cheat) if kind == "cheat" else n % len(asked)
        question = asked[number]
        if kind == "cheat":
            text = rng.choice(question.cheats).replace("{n}", str(n))
        elif kind == "slow":
            text = SLOW.replace("{a}", "p").replace("{n}", str(n))
        elif kind == "error":
            text = rng.choice(ERRORS).replace("{n}", str(n))
        else:
            text = question.write(f"x{n}", 0 if rng.random() < 0.5 else rng.randint(1, 5))
        pool[number].append(Sample(number, text, kind))
    drawn = [sample for group in pool.values() for sample in group]
    by_kind: dict[str, list[Sample]] = {}
    for sample in drawn:
        by_kind.setdefault(sample.kind, []).append(sample)
    repeats = [kind for kind, share in SHARES.items() for _ in range(round((count - distinct) * share))]
    repeats += ["plain"] * (count - distinct - len(repeats))
    drawn += [rng.choice(by_kind[kind]) for kind in repeats if kind in by_kind]
    return sorted(drawn, key=lambda sample: sample.question)


def peer_scores(database: str, asked: list[Question], drawn: list[Sample]) -> list[int]:
    """A thread with a time limit per sample; prediction, then gold, on one new read-write connection; two sets."""

    def evaluate(prediction: str, gold: str, into: list[int]) -> None:
        try:
            connection = sqlite3.connect(database)
            cursor = connection.cursor()
            cursor.execute(prediction)
            got = cursor.fetchall()
            cursor.execute(gold)
            into.append(int(set(got) == set(cursor.fetchall())))
            connection.close()
        except Exception:  # noqa: BLE001 - as the evaluator it stands for: any trouble is 0
            into.append(0)

    scores = []
    for sample in drawn:
        into: list[int] = []
        thread = threading.Thread(target=evaluate, args=(sample.text, asked[sample.question].gold, into), daemon=True)
        thread.start()
        thread.join(TIME_LIMIT_S)
        scores.append(into[0] if into else 0)
    return scores


def our_scorer(database: str, asked: list[Question], drawn: list[Sample]) -> Callable[[], list[float]]:
    from guerdon.rewards.base import Context
    from guerdon.types import Group, Rollout
    from guerdon_sql import executions, gold
    from guerdon_sql.questions import SqlQuestion
    from guerdon_sql.rewards import Execution

    examples = [
        SqlQuestion(id=str(n), question="", db_id="chinook", database=database, gold=(question.gold,))
        for n, question in enumerate(asked)
    ]
    attempts: dict[int, list[Rollout]] = {}
    for sample in drawn:
        attempts.setdefault(sample.question, []).append(Rollout.of(examples[sample.question], sample.text))
    groups = [Group.of(rollouts) for rollouts in attempts.values()]
    reward = Execution(timeout_s=TIME_LIMIT_S)

    def score() -> list[float]:
        executions.forget()
        gold.forget()
        return [score.value for group in reward.score_batch(groups, Context()) for score in group]

    return score


def check(drawn: list[Sample], theirs: list[int], ours: list[float]) -> None:
    for sample, their, our in zip(drawn, theirs, ours, strict=True):
        if sample.kind == "cheat":
            assert (their, our) == (1, 0.0), f"cheat {sample.text!r}: peer {their}, ours {our}"
        elif sample.kind != "slow":
            assert their == our, f"{sample.kind} {sample.text!r}: peer {their}, ours {our}"


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall-clock and processor seconds of one call, the workers' included."""
    start, cpu_start = time.perf_counter(), processor_s()
    work()
    return time.perf_counter() - start, processor_s() - cpu_start


def processor_s() -> float:
    from guerdon_sql.workers import default_executor

    ticks = 0
    for worker in default_executor()._pool:
        fields = Path(f"/proc/{worker.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--quick", action="store_true", help="1,000 completions, 2 pairs")
    arguments.add_argument("--pairs", type=int, default=5)
    chosen = arguments.parse_args()
    count, pairs = (1_000, 2) if chosen.quick else (10_000, chosen.pairs)
    asked = questions()
    print(f"{count:,} completions, {QUESTIONS} questions, SQLite {sqlite3.sqlite_version}, {os.cpu_count()} cores")
    for distinct, target in ((0.7, 4.0), (0.1, 30.0)):
        with tempfile.TemporaryDirectory() as folder:
            database = Path(folder) / "chinook.sqlite"
            build_database(database, random.Random(0))
            peers_copy = Path(folder) / "peer.sqlite"
            untouched = database.read_bytes()
            peers_copy.write_bytes(untouched)
            drawn = samples(asked, count, distinct, random.Random(1))
            score = our_scorer(str(database), asked, drawn)
            theirs, ours = peer_scores(str(peers_copy), asked, drawn), score()
            check(drawn, theirs, ours)
            assert database.read_bytes() == untouched, "our run changed the database"
            kinds = {kind: sum(sample.kind == kind for sample in drawn) for kind in ("plain", *SHARES)}
            texts = len({(sample.question, sample.text) for sample in drawn})
            print(f"\n{texts / count:.0%} distinct: {kinds}; right: {sum(ours):.0f}; every cheat: peer 1, ours 0")
            ratios, cpu_ratios = [], []
            for pair in range(pairs):
                peer_s, peer_cpu_s = timed(lambda: peer_scores(str(peers_copy), asked, drawn))  # noqa: B023 - called now
                our_s, our_cpu_s = timed(score)
                ratios.append(peer_s / our_s)
                cpu_ratios.append(peer_cpu_s / our_cpu_s)
                print(
                    f"  pair {pair + 1}: peer {peer_s:.2f} s (processor {peer_cpu_s:.2f}), ours {our_s:.2f} s "
                    f"({our_cpu_s:.2f}), {ratios[-1]:.1f}x ({cpu_ratios[-1]:.1f}x), load {os.getloadavg()[0]:.1f}"
                )
            low, median, high = min(ratios), statistics.median(ratios), max(ratios)
            verdict = "reached" if median >= target else "MISSED"
            print(f"  ratio min {low:.1f} / median {median:.1f} / max {high:.1f}; target {target:g}x {verdict}")
            print(f"  processor time: median {statistics.median(cpu_ratios):.1f}x")


if __name__ == "__main__":
    sys.exit(main())
