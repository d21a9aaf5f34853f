"""What the runner, the algebra and the evidence cost over five plain functions called on lists.

10,000 completions (1,250 groups of 8), five cheap parts and their weighted total. Both sides compute the same five
values with the same functions; ours also checks every value's bounds and keeps, for each completion, a `Score` per part
under the total's. Interleaved pairs in one process; equality is asserted before anything is timed.

    python benchmarks/scoring_overhead.py [--quick]

Target: median(ours) / median(plain) <= 1.5.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import re
import statistics
import time
from dataclasses import dataclass

from guerdon import Example, Group, Rollout, reward
from guerdon.scoring import Runner

WEIGHTS = {"format": 1.0, "length": 0.5, "keywords": 1.0, "parses": 0.5, "exact": 3.0}
FORM = re.compile(r"\s*<think>.+</think>\s*<answer>.*</answer>\s*", re.DOTALL)
ANSWER = re.compile(r"<answer>(.*)</answer>", re.DOTALL)
WORDS = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon phi chi"
)


class Question(Example):
    """A reference answer in JSON."""

    gold: str


def form(text: str) -> float:
    return float(FORM.fullmatch(text) is not None)


def brevity(text: str) -> float:
    return max(0.0, 1.0 - len(text) / 2000)


def overlap(text: str, gold: str) -> float:
    wanted = set(re.findall(r"\w+", gold))
    return len(wanted & set(re.findall(r"\w+", text))) / len(wanted)


def is_json(text: str) -> float:
    found = ANSWER.search(text)
    try:
        json.loads(found.group(1) if found else text)
    except ValueError:
        return 0.0
    return 1.0


def same(text: str, gold: str) -> float:
    found = ANSWER.search(text)
    return float(found is not None and found.group(1).strip() == gold)


# -- plain: each a function from lists to a list ----------------------------------------------------------------------


def plain(completions: list[str], golds: list[str]) -> tuple[dict[str, list[float]], list[float]]:
    columns = {
        "format": [form(text) for text in completions],
        "length": [brevity(text) for text in completions],
        "keywords": [overlap(text, gold) for text, gold in zip(completions, golds, strict=True)],
        "parses": [is_json(text) for text in completions],
        "exact": [same(text, gold) for text, gold in zip(completions, golds, strict=True)],
    }
    totals = [
        sum(w * v for w, v in zip(WEIGHTS.values(), row, strict=True)) for row in zip(*columns.values(), strict=True)
    ]
    return columns, totals


# -- ours -------------------------------------------------------------------------------------------------------------


@reward(name="format", bounds=(0.0, 1.0))
def format_reward(rollout: Rollout) -> float:
    return form(rollout.completion)


@reward(name="length", bounds=(0.0, 1.0))
def length_reward(rollout: Rollout) -> float:
    return brevity(rollout.completion)


@reward(name="keywords", bounds=(0.0, 1.0))
def keywords_reward(rollout: Rollout) -> float:
    return overlap(rollout.completion, rollout.example.gold)


@reward(name="parses", bounds=(0.0, 1.0))
def parses_reward(rollout: Rollout) -> float:
    return is_json(rollout.completion)


@reward(name="exact", bounds=(0.0, 1.0))
def exact_reward(rollout: Rollout) -> float:
    return same(rollout.completion, rollout.example.gold)


TOTAL = 1.0 * format_reward + 0.5 * length_reward + 1.0 * keywords_reward + 0.5 * parses_reward + 3.0 * exact_reward


@dataclass(frozen=True)
class Batch:
    """The same completions, as the two sides take them."""

    completions: list[str]
    golds: list[str]
    groups: list[Group]


def batch(count: int, seed: int = 0) -> Batch:
    """`count` completions of about 60 words in groups of 8, some malformed, some right."""
    draw, words = random.Random(seed), WORDS.split()
    completions, golds, groups = [], [], []
    for number in range(count // 8):
        gold = json.dumps({word: draw.randint(0, 99) for word in draw.sample(words, 4)})
        example = Question(id=str(number), gold=gold)
        texts = []
        for _ in range(8):
            thought = " ".join(draw.choices(words, k=60))
            answer = gold if draw.random() < 0.4 else gold.replace("1", draw.choice(["2", "}", "7"]))
            texts.append(f"<think>{thought}</think>\n<answer>{answer}</answer>" if draw.random() < 0.8 else thought)
        completions += texts
        golds += [gold] * 8
        groups.append(Group.of([Rollout.of(example, text, index=k) for k, text in enumerate(texts)]))
    return Batch(completions, golds, groups)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="2,000 completions and five pairs")
    quick = parser.parse_args().quick
    data = batch(2000 if quick else 10_000)
    runner = Runner()

    columns, totals = plain(data.completions, data.golds)
    scores = [score for row in runner.score(TOTAL, data.groups) for score in row]
    assert [score.value for score in scores] == totals, "the totals differ"
    for name, column in columns.items():
        assert [score.parts[name].value for score in scores] == column, f"{name} differs"
    del columns, totals, scores

    times: dict[str, list[float]] = {"plain": [], "ours": []}
    for pair in range(5 if quick else 15):
        for side in ("plain", "ours") if pair % 2 else ("ours", "plain"):
            gc.collect()
            started = time.perf_counter()
            result = plain(data.completions, data.golds) if side == "plain" else runner.score(TOTAL, data.groups)
            times[side].append(time.perf_counter() - started)
            del result
    medians = {side: statistics.median(values) for side, values in times.items()}
    for side, values in times.items():
        print(
            f"{side:6} median {medians[side] * 1e3:8.1f} ms  (min {min(values) * 1e3:.1f}, max {max(values) * 1e3:.1f})"
        )
    ratio = medians["ours"] / medians["plain"]
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    print(f"ours / plain = {ratio:.2f} over {len(times['ours'])} pairs, {len(data.completions)} completions x 5 parts")
    print(f"target <= 1.5: {'met' if ratio <= 1.5 else 'MISSED'}; load {load} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
