r"""A search for exploits that nobody listed: pairs of attacks, one by one, then a bandit over compositions.

**The sweep** spends half of the budget on pairs, one written after the other, since a reward that asks for two things
pays for neither alone, and luck rarely draws the two that meet it. Every attack with every other one in both orders
comes first (a variant of each), then their further variants, as far as the budget goes; `Search.coverage` counts them.
Each pair is tried on one example; the best quarter on another, the best quarter of these on two, and so on (successive
halving), until eight are left, which the bandit goes on with.

**The bandit.** Each arm is an attack; one pull carries it out on one example, drawn anew. Every other pull opens an
arm, as long as any wait; else the arm with the highest upper confidence bound is pulled (UCB1:
mean + $\sqrt{2 \ln t / n}$, values scaled by the range of rewards seen). The more pulls there were, the more arms
there may be: a new one changes, or joins, arms that have paid (progressive widening).

All draws come from one seed. What a search picked looks better than it is, so arms are ordered by their mean with one
more pull that earned the least seen, and the best are measured again on examples that the search never saw.

Source: UCB1, Auer, Cesa-Bianchi and Fischer (2002); widening, Coulom (2007), with exponent ½ [choice]; successive
halving, Karnin, Koren and Somekh (2013), by quarters [choice].
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from guerdon.audit.attack import Attack
from guerdon.audit.cases import Case
from guerdon.audit.composing import OPERATORS, Composed, Joined, size
from guerdon.audit.measuring import Bench

WIDENING = 3.0
"""Composed arms there may be after t pulls: this times the square root of t."""
MAX_SIZE = 4
"""Changes and joins that one attack is made of, at most."""
SWEPT = 0.5
"""Share of the budget for pairs [choice]."""
FIRST_ROUND = 2 / 3
"""Share of that for trying pairs once; the rest is for the rounds that follow, a quarter as many each [choice]."""
SURVIVORS = 8
"""Pairs that the bandit goes on with."""


@dataclass
class Arm:
    """An attack and what its pulls earned, in the reward's units."""

    attack: Attack
    values: list[float] = field(default_factory=list)

    @property
    def mean(self) -> float:
        """Over its pulls that had a number; minus infinity before the first."""
        return math.fsum(self.values) / len(self.values) if self.values else -math.inf

    def held(self, least: float) -> float:
        """The mean with one more pull that earned `least`: one lucky pull is worth less than several good ones."""
        return (math.fsum(self.values) + least) / (len(self.values) + 1)


@dataclass(frozen=True)
class Coverage:
    """Which ordered pairs, one attack's completion after another's, were tried at all."""

    attacks: int = 0
    """That write something on these examples; each may have several variants."""
    pairs: int = 0
    """Of two of these, in either order."""
    tried: int = 0
    """Of which some pair of variants was tried."""
    variants: int = 0
    """That do not write the same as another."""
    variant_pairs: int = 0
    variant_tried: int = 0

    def __str__(self) -> str:
        return (
            f"{self.tried:,} of the {self.pairs:,} ordered pairs of {self.attacks} attacks were tried, in "
            f"{self.variant_tried:,} of the {self.variant_pairs:,} pairs of their variants "
            f"({_percent(self.variant_tried, self.variant_pairs)})"
        )


@dataclass(frozen=True)
class Search:
    """What a search came to."""

    arms: tuple[Arm, ...]
    """Best first (`Arm.held`), those with no number left out; of the pairs of the sweep those that were left."""
    pulls: int
    completions: int
    """Scored in all."""
    seconds: float
    coverage: Coverage = Coverage()


def search(
    bench: Bench,
    attacks: Sequence[Attack],
    *,
    budget: int,
    seconds: float = math.inf,
    seed: int = 0,
    advance: Callable[[int], None] = lambda completions: None,
) -> Search:
    """Spend a budget of completions on finding what pays.

    Args:
        bench: the reward, and the examples to search on.
        attacks: where to begin; those of whole groups are left out.
        budget: completions to score, at most (the honest company of an attempt counts too).
        seconds: wall-clock limit, looked at between pulls.
        seed: of all draws.
        advance: told how many more completions were scored.

    Returns:
        All arms that are left; measure the best ones on other examples before believing them.
    """
    random, started = Random(f"guerdon audit search {seed}"), time.monotonic()
    pulled = _Pulls(bench, advance)

    def within(share: float) -> bool:
        return pulled.completions < share * budget and time.monotonic() - started < seconds

    arms = [Arm(attack) for attack in attacks if not attack.whole_group]
    coverage, open_ = _sweep([arm.attack for arm in arms], pulled, random, within)
    random.shuffle(arms)
    turns, composed, known = 0, 0, {repr(arm.attack) for arm in [*arms, *open_]}
    waiting = list(arms)
    while within(1.0) and (waiting or open_):
        if composed < WIDENING * math.sqrt(turns) and len(open_) >= 3:
            attack = _new(open_, random)
            composed += 1
            if repr(attack) not in known:
                known.add(repr(attack))
                waiting.insert(0, Arm(attack))
        arm = waiting.pop(0) if waiting and (turns % 2 == 0 or not open_) else _best(open_ or waiting, turns, pulled)
        pulled.pull(arm, random.choice(bench.cases))
        turns += 1
        if arm.values and arm not in open_:
            open_.append(arm)
    found = sorted(open_, key=lambda arm: (-arm.held(pulled.low), size(arm.attack)))
    return Search(tuple(found), pulled.count, pulled.completions, time.monotonic() - started, coverage)


# -- the sweep --------------------------------------------------------------------------------------------------------


def _sweep(
    attacks: Sequence[Attack], pulled: _Pulls, random: Random, within: Callable[[float], bool]
) -> tuple[Coverage, list[Arm]]:
    """Pairs of attacks, each once; what is left of them after ever fewer were tried ever more often."""
    cases = pulled.bench.cases
    distinct: dict[tuple[str | None, ...], Attack] = {}
    for attack in attacks:
        firsts = tuple(next(iter(case.attempts(attack)), None) for case in cases)
        if any(text is not None for text in firsts):
            distinct.setdefault(firsts, attack)
    written = list(distinct.items())
    pairs = _in_order([attack for _, attack in written], random)
    names, seen = {attack.name for _, attack in written}, set[tuple[str, str]]()
    arms: list[Arm] = []
    tried = 0
    for first, second in pairs:
        if not within(SWEPT * FIRST_ROUND):
            break
        tried += 1
        (texts, one), (others, other) = written[first], written[second]
        seen.add((one.name, other.name))
        both = [case for case, *pair in zip(cases, texts, others, strict=True) if None not in pair]
        if both:
            arms.append(Arm(Joined(one, other)))
            pulled.pull(arms[-1], random.choice(both))
    pulls = 1
    while len(arms) > SURVIVORS and within(SWEPT):
        arms = _left(arms, max(SURVIVORS, len(arms) // 4), pulled.low)
        for arm in arms:
            for case in random.sample(list(cases), min(pulls, len(cases))):
                if within(SWEPT):
                    pulled.pull(arm, case)
        pulls *= 2
    among = sum(one != other for one in names for other in names)
    met = sum(one != other for one, other in seen)
    coverage = Coverage(len(names), among, met, len(written), len(pairs), tried)
    return coverage, _left(arms, SURVIVORS, pulled.low)


def _in_order(attacks: Sequence[Attack], random: Random) -> list[tuple[int, int]]:
    """All ordered pairs by place: the first variant of each attack with that of each other one, then further ones."""
    counts: dict[str, int] = {}
    ranks = []
    for attack in attacks:
        ranks.append(counts.get(attack.name, 0))
        counts[attack.name] = ranks[-1] + 1
    places = range(len(attacks))
    pairs = [(first, second) for first in places for second in places if first != second]
    random.shuffle(pairs)
    return sorted(
        pairs,
        key=lambda pair: (attacks[pair[0]].name == attacks[pair[1]].name, max(ranks[pair[0]], ranks[pair[1]]) > 0),
    )


def _left(arms: Sequence[Arm], count: int, least: float) -> list[Arm]:
    return sorted((arm for arm in arms if arm.values), key=lambda arm: -arm.held(least))[:count]


# -- the bandit -------------------------------------------------------------------------------------------------------


class _Pulls:
    """Carries attacks out, and keeps count: pulls, completions, and the range of rewards seen, by which the bandit's
    exploration is scaled.
    """

    def __init__(self, bench: Bench, advance: Callable[[int], None]) -> None:
        self.bench, self.count = bench, 0
        self._before, self._advance = bench.scored, advance
        scores = [*bench.honest, *(score for row in bench.wrong for score in row)]
        values = [score.value for score in scores if score.scored] or [0.0]
        self.low, self.high = min(values), max(values)

    @property
    def completions(self) -> int:
        return self.bench.scored - self._before

    @property
    def width(self) -> float:
        return self.high - self.low or 1.0

    def pull(self, arm: Arm, case: Case) -> None:
        """One attack on one example; the least of its completions counts, where all have a number."""
        spent = self.bench.scored
        self.count += 1
        if texts := case.attempts(arm.attack):
            values = [score.value for score in self.bench.values(case, texts) if score.scored]
            if len(values) == len(texts):
                arm.values.append(min(values))
                self.low, self.high = min(self.low, arm.values[-1]), max(self.high, arm.values[-1])
        self._advance(self.bench.scored - spent)


def _best(arms: Sequence[Arm], pulls: int, seen: _Pulls) -> Arm:
    def bound(arm: Arm) -> float:
        if not arm.values:
            return math.inf
        scaled = (arm.mean - seen.low) / seen.width
        return scaled + math.sqrt(2.0 * math.log(max(2, pulls)) / len(arm.values))

    return max(arms, key=bound)


def _new(arms: Sequence[Arm], random: Random) -> Attack:
    """A change of, or a join with, one of the better arms: the best of three drawn."""
    base = max(random.sample(list(arms), 3), key=lambda arm: arm.mean).attack
    if size(base) < MAX_SIZE and random.random() < 0.7:
        operator = random.choice(list(OPERATORS))
        return (
            Composed(base.base, (*base.then, operator)) if isinstance(base, Composed) else Composed(base, (operator,))
        )
    other = random.choice(list(arms)).attack
    if size(base) + size(other) >= MAX_SIZE:
        return other
    return Joined(base, other) if random.random() < 0.5 else Joined(other, base)


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "none"
