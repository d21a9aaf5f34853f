r"""A search for exploits that nobody listed: a bandit over attacks and what they can be composed of.

Each arm is an attack; one pull carries it out on one example, drawn anew. Every other pull opens an arm, as long as any
wait; else the arm with the highest upper confidence bound is pulled (UCB1: mean + $\sqrt{2 \ln t / n}$, values scaled
by the range of rewards seen). The more pulls there were, the more arms there may be: a new one changes, or joins,
arms that have paid (progressive widening). All draws come from one seed.

What a bandit picked looks better than it is, so the best arms are measured again on examples that the search never saw.

Source: UCB1, Auer, Cesa-Bianchi and Fischer (2002); widening, Coulom (2007), with exponent ½ [choice].
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from guerdon.audit.attack import Attack
from guerdon.audit.composing import OPERATORS, Composed, Joined, size
from guerdon.audit.measuring import Bench

WIDENING = 3.0
"""Composed arms there may be after t pulls: this times the square root of t."""
MAX_SIZE = 4
"""Changes and joins that one attack is made of, at most."""


@dataclass
class Arm:
    """An attack and what its pulls earned, in the reward's units."""

    attack: Attack
    values: list[float] = field(default_factory=list)

    @property
    def mean(self) -> float:
        """Over its pulls that had a number; minus infinity before the first."""
        return math.fsum(self.values) / len(self.values) if self.values else -math.inf


@dataclass(frozen=True)
class Search:
    """What a search came to."""

    arms: tuple[Arm, ...]
    """Best mean first, those with no number left out."""
    pulls: int
    completions: int
    """Scored in all."""
    seconds: float


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
        All arms that were pulled; measure the best ones on other examples before believing them.
    """
    random, started, before = Random(f"guerdon audit search {seed}"), time.monotonic(), bench.scored
    arms = [Arm(attack) for attack in attacks if not attack.whole_group]
    random.shuffle(arms)
    bounds, pulls, composed, known = _Range(bench), 0, 0, {repr(arm.attack) for arm in arms}
    waiting = list(arms)
    open_: list[Arm] = []
    while bench.scored - before < budget and time.monotonic() - started < seconds and (waiting or open_):
        if composed < WIDENING * math.sqrt(pulls) and len(open_) >= 3:
            attack = _new(open_, random)
            composed += 1
            if repr(attack) not in known:
                known.add(repr(attack))
                waiting.insert(0, Arm(attack))
        arm = waiting.pop(0) if waiting and (pulls % 2 == 0 or not open_) else _best(open_ or waiting, pulls, bounds)
        spent = bench.scored
        case = random.choice(bench.cases)
        texts = case.attempts(arm.attack)
        pulls += 1
        if texts:
            values = [score.value for score in bench.values(case, texts) if score.scored]
            if len(values) == len(texts):
                arm.values.append(min(values))
                bounds.see(min(values))
        if arm.values and arm not in open_:
            open_.append(arm)
        advance(bench.scored - spent)
    found = sorted((arm for arm in open_), key=lambda arm: -arm.mean)
    return Search(tuple(found), pulls, bench.scored - before, time.monotonic() - started)


class _Range:
    """The rewards seen so far: what the bandit's exploration is scaled by."""

    def __init__(self, bench: Bench) -> None:
        scores = [*bench.honest, *(score for row in bench.wrong for score in row)]
        values = [score.value for score in scores if score.scored] or [0.0]
        self.low, self.high = min(values), max(values)

    def see(self, value: float) -> None:
        self.low, self.high = min(self.low, value), max(self.high, value)

    @property
    def width(self) -> float:
        return self.high - self.low or 1.0


def _best(arms: Sequence[Arm], pulls: int, bounds: _Range) -> Arm:
    def bound(arm: Arm) -> float:
        if not arm.values:
            return math.inf
        scaled = (arm.mean - bounds.low) / bounds.width
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
