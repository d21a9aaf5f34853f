"""The claim of Med-RwR, shrunk to seconds: made-up diseases, of which a third is met for the first time when asked.

A policy of softmax heads (`rwr_claim_policy`) is trained on 40 of 60 diseases (`rwr_claim_world`) by GRPO under three
sets of rewards; the rewards are this package's own functions, of written traces.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from guerdon.claims import Claim, ClaimResult, Measurement, Progress, no_progress
from guerdon.fields import whole_number
from guerdon.types import Example, Rollout, Segment
from guerdon_medical.rwr_claim_policy import Heads, Traces, answered, gradient_of, traced
from guerdon_medical.rwr_claim_world import (
    CASES,
    DIMENSIONS,
    DISEASES,
    TRAINED,
    VOCABULARY,
    WORDS,
    MadeWorld,
    Questions,
    make_world,
)
from guerdon_medical.rwr_scores import (
    LETTERS,
    accuracy,
    confidence_gain,
    format_score,
    gold_of,
    image_semantics,
    length_score,
    looks_again,
    text_semantics,
)
from guerdon_medical.rwr_traces import trace_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from guerdon_medical.rwr_claim_world import Floats, Ints

Arm = Literal["accuracy", "accuracy and format", "all parts"]
ARMS: tuple[Arm, ...] = ("accuracy", "accuracy and format", "all parts")
EARLIER = {
    "accuracy": ("0.23 to 0.25", "0.00 to 0.03", "0.73 to 0.82"),
    "accuracy and format": ("0.25 to 0.27", "0.00 to 0.08", "0.74 to 0.85"),
    "all parts": ("0.46 to 0.61", "0.33 to 0.50", "0.78 to 0.87"),
}
NOTES = (
    "Vectors stand for images and softmax heads for a model; all answers and queries are greedy when measured. What "
    "the sheet leaves open is chosen here: a disease is named by its findings, so that its entities can be asked "
    "for; words of a query are drawn without replacement; documents are ranked by shared words, and without one "
    "none is found; the weight of a retrieved document starts at 1, since a model can read before it is trained; "
    "plain gradient ascent, and no pull to the start (beta 0). Useless documents teach a weight near 0 for all "
    "documents, and with the accuracy alone, or with the format, its sign decides whether CDIR's case is believed: "
    "nothing is asked of CDIR there. The case base holds all 60 diseases, the held-out ones too, as the text base "
    "does."
)
_FILLING = "x" * 520


def rewards_of(world: MadeWorld, questions: Questions, traces: Traces, arm: Arm) -> Floats:
    """(N,): of each trace, written down."""
    import numpy as np

    right = traces.chosen == questions.gold
    if arm == "accuracy":
        return np.where(right, 1.0, 0.0)
    near = _cosines(world, questions, traces) if arm == "all parts" else None
    return np.array([_reward(world, questions, traces, n, arm, near) for n in range(len(right))])


def _reward(world: MadeWorld, questions: Questions, traces: Traces, n: int, arm: Arm, near: Floats | None) -> float:
    options, gold = questions.options[n].tolist(), int(questions.gold[n])
    place = int(traces.chosen[n])
    query = " ".join(WORDS[word] for word in traces.asked[n].tolist() if word >= 0)
    documents = [world.names[one] for one in traces.flags[n].nonzero()[0].tolist()]
    said = f"<answer>{LETTERS[place]}. {world.names[options[place]]}</answer>"
    trace = trace_of(Rollout(_QUESTION, _segments(query, documents, said)))
    wanted = gold_of(f"{LETTERS[gold]}. {world.names[options[gold]]}")
    earned = accuracy(trace.prediction, wanted)
    total = earned + format_score(trace, earned == 5.0)
    if near is None:
        return total
    total += length_score(trace.own)
    entities = VOCABULARY.extract([query])[0] if query else ()
    total += text_semantics(trace.queries, trace.retrieved, world.entities[options[gold]], entities)
    total += image_semantics([float(near[n])] if query else [])
    begin, end = (list(zip(LETTERS, row[n].tolist(), strict=False)) for row in (traces.begin, traces.end))
    return total + confidence_gain(begin, end, LETTERS[gold], earned > 0.0)


def _segments(query: str, documents: Sequence[str], said: str) -> tuple[Segment, ...]:
    first = f"<think>{_FILLING}</think>"
    if not query:
        return (Segment("policy", first + said),)
    shown = "\n".join(f"({number}) {one}" for number, one in enumerate(documents, 1)) or "None"
    return (
        Segment("policy", f"{first}<query>{query}</query>"),
        Segment("environment", f"<retrieve> {shown} </retrieve>"),
        Segment("policy", f"<think>so</think>{said}"),
    )


_QUESTION = Example(id="a made question")


def _cosines(world: MadeWorld, questions: Questions, traces: Traces) -> Floats:
    """(N,): of each image with its query, whose vector is the sum of its words'; 0 without one."""
    import numpy as np

    padded = np.vstack([world.vectors, np.zeros(DIMENSIONS)])
    queries = padded[traces.asked].sum(axis=1)
    lengths = np.linalg.norm(queries, axis=1) * np.linalg.norm(questions.images, axis=1)
    inner = (queries * questions.images).sum(axis=1)
    near: Floats = np.divide(inner, lengths, out=np.zeros(len(inner)), where=lengths > 0)
    return near


@dataclass(frozen=True)
class Found:
    """What a trained policy does on held-out diseases; shares."""

    held_out: float
    trained: float
    gold_document: float
    queried: float
    with_cdir: float
    looked_again: float
    seconds: float


@dataclass(frozen=True)
class MedRwRClaim(Claim):
    """Three sets of rewards, each with and without CDIR."""

    name: ClassVar[str] = "med_rwr"
    seeds: ClassVar[int] = 3
    paper: ClassVar[str] = "Med-RwR: Proactive Reasoning-with-Retrieval for Medical MLLMs (arXiv 2510.18303)"
    statement: ClassVar[str] = (
        "Rewards on the query, not only on the answer, make retrieval useful in an unfamiliar domain, and a second "
        "look by image where the answer is unsure adds to it."
    )

    steps: int = 300
    batch: int = 16
    group: int = 8
    learning_rate: float = 5.0
    """With it seed 100, which is not reported, gives about the figures of the earlier trial; 3 learns the queries more
    slowly, 10 faster. All three learn the training diseases."""
    measured_on: int = 400
    threshold: float = 0.9

    over_accuracy: ClassVar[float] = 0.12
    least_gold: ClassVar[float] = 0.2
    most_gold: ClassVar[float] = 0.1
    cdir_gain: ClassVar[float] = 0.1
    near_one: ClassVar[float] = 0.9

    def __post_init__(self) -> None:
        for name, least in (("steps", 0), ("batch", 1), ("group", 2), ("measured_on", 1)):
            whole_number(f"MedRwRClaim.{name}", getattr(self, name), least)

    def run(self, seeds: Sequence[int] = (0, 1, 2), progress: Progress = no_progress) -> ClaimResult:
        """Every arm on every seed."""
        found: dict[Arm, list[Found]] = {arm: [] for arm in ARMS}
        for place, seed in enumerate(seeds):
            world = make_world(seed)
            for offset, arm in enumerate(ARMS):
                progress(place * len(ARMS) + offset, len(seeds) * len(ARMS), f"seed {seed}, {arm}")
                found[arm].append(self.measured(world, arm, seed))
        progress(len(seeds) * len(ARMS), len(seeds) * len(ARMS), "done")
        return self._result(found, seeds)

    def _result(self, found: dict[Arm, list[Found]], seeds: Sequence[int]) -> ClaimResult:
        full, plain, both = found["all parts"], found["accuracy"], found["accuracy and format"]
        over = tuple(one.held_out - other.held_out for one, other in zip(full, plain, strict=True))
        gain = tuple(one.with_cdir - one.held_out for one in full)
        most = f"<= {self.most_gold}"
        wanted = {"all parts": f">= {self.least_gold}", "accuracy": most, "accuracy and format": most}
        needed = [
            Measurement("all parts above accuracy", over, needed=f">= {self.over_accuracy} on each seed"),
            *(
                Measurement(
                    f"gold document shown, {arm}",
                    _of(found[arm], "gold_document"),
                    needed=wanted[arm],
                    earlier=EARLIER[arm][1],
                )
                for arm in ("all parts", "accuracy", "accuracy and format")
            ),
            Measurement("gain of CDIR, all parts", gain, needed=f">= {self.cdir_gain}"),
            Measurement("traces with a query, accuracy and format", _of(both, "queried"), needed=f">= {self.near_one}"),
        ]
        shown: list[Measurement] = []
        for arm in ARMS:
            accuracy_told, _, cdir = EARLIER[arm]
            shown += [
                Measurement(f"held-out accuracy, {arm}", _of(found[arm], "held_out"), earlier=accuracy_told),
                Measurement(f"training accuracy, {arm}", _of(found[arm], "trained"), earlier=">= 0.98"),
                Measurement(f"held-out accuracy with CDIR, {arm}", _of(found[arm], "with_cdir"), earlier=cdir),
                Measurement(f"second looks, {arm}", _of(found[arm], "looked_again")),
                Measurement(f"CPU seconds of training, {arm}", _of(found[arm], "seconds"), earlier="<= 15"),
            ]
            if arm != "accuracy and format":
                shown.append(Measurement(f"traces with a query, {arm}", _of(found[arm], "queried")))
        held = (
            min(over) >= self.over_accuracy
            and min(needed[1].values) >= self.least_gold
            and max(needed[2].values) <= self.most_gold
            and max(needed[3].values) <= self.most_gold
            and min(gain) >= self.cdir_gain
            and min(needed[5].values) >= self.near_one
        )
        return self.result(held, [*needed, *shown], seeds, NOTES)

    def trained(self, world: MadeWorld, arm: Arm, seed: int) -> Heads:
        """A policy after GRPO on the first 40 diseases."""
        import numpy as np

        rng = np.random.default_rng([seed, ARMS.index(arm), 7])
        heads = Heads.untrained()
        for _ in range(self.steps):
            one = world.questions(range(TRAINED), self.batch, rng)
            each = Questions(
                np.repeat(one.images, self.group, axis=0),
                np.repeat(one.options, self.group, axis=0),
                np.repeat(one.gold, self.group),
            )
            traces = traced(world, heads, each, rng)
            rewards = rewards_of(world, each, traces, arm).reshape(self.batch, self.group)
            centred = rewards - rewards.mean(axis=1, keepdims=True)
            advantages = (centred / (rewards.std(axis=1, ddof=1, keepdims=True) + 1e-4)).ravel()
            tokens = 2 + traces.queried + (traces.asked >= 0).sum(axis=1)
            heads.ascend(gradient_of(heads, each, traces, advantages / tokens.sum()), self.learning_rate)
        return heads

    def measured(self, world: MadeWorld, arm: Arm, seed: int) -> Found:
        """Trained, and asked."""
        import numpy as np

        started = time.process_time()
        heads = self.trained(world, arm, seed)
        seconds = time.process_time() - started
        rng = np.random.default_rng([seed, 11])
        known = world.questions(range(TRAINED), self.measured_on, rng)
        fresh = world.questions(range(TRAINED, DISEASES), self.measured_on, rng)
        traces = traced(world, heads, fresh, None)
        gold = fresh.options[np.arange(self.measured_on), fresh.gold]
        chosen, again = self.second_looks(world, heads, fresh, traces)
        return Found(
            held_out=float((traces.chosen == fresh.gold).mean()),
            trained=float((traced(world, heads, known, None).chosen == known.gold).mean()),
            gold_document=float(traces.flags[np.arange(self.measured_on), gold].mean()),
            queried=float(traces.queried.mean()),
            with_cdir=float((chosen == fresh.gold).mean()),
            looked_again=float(again.mean()),
            seconds=seconds,
        )

    def second_looks(
        self, world: MadeWorld, heads: Heads, questions: Questions, traces: Traces
    ) -> tuple[Ints, NDArray[np.bool_]]:
        """The final choices, and where they are of a second look: the nearest case's disease is one more document."""
        import numpy as np

        again = np.array([looks_again(float(np.exp(row.max())), self.threshold) for row in traces.end])
        directions = world.case_images / np.linalg.norm(world.case_images, axis=1, keepdims=True)
        nearest = (questions.images @ directions.T).argmax(axis=1) // CASES
        flags = traces.flags.copy()
        flags[np.arange(len(again)), nearest] = 1.0
        return np.where(again, answered(heads, questions, flags).argmax(axis=1), traces.chosen), again


def _of(found: Sequence[Found], name: str) -> tuple[float, ...]:
    values: Any = [getattr(one, name) for one in found]
    return tuple(map(float, values))
