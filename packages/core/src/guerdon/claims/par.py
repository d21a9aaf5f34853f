"""The central claim of PAR, shrunk to seconds: a proxy reward that can be hacked, and a policy that is a table.

Axes: P prompts, C candidate answers of each, S samples of each prompt in a step. What is kept of the paper's setting:
a proxy that agrees with the gold reward but for rare answers that it overrates, references from the policy that RL
starts from, a penalty on the divergence from it, and updates that keep the reward's scale.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from guerdon.claims.base import Claim, ClaimResult, Measurement, Progress, no_progress
from guerdon.rewards import Context, Reward
from guerdon.rewards.references import References
from guerdon.rewards.shapes import Shape, lsc, par
from guerdon.transforms import Transform, clip_to_spread, min_max, standardize
from guerdon.types import Example, Group, Rollout, Score, Segment

Floats = NDArray[np.float64]
ARMS: Mapping[str, Shape | Transform | None] = {
    "vanilla": None,
    "min-max": min_max(),
    "mean-std": standardize(scope="running", ddof=0, epsilon=0.0),
    "clip": clip_to_spread(),
    "LSC": lsc(mode="released"),
    "PAR": par(),
    "PAR, one reference": par(first=1),
}
"""What shapes the proxy in each arm."""
_TOLD = {
    "vanilla": ("-1.07", "0.60"),
    "min-max": ("-1.36", "0.57"),
    "mean-std": ("-1.52", "0.70"),
    "clip": ("1.58", "0.05"),
    "LSC": ("1.52", "0.06"),
    "PAR": ("1.34", "0.05"),
    "PAR, one reference": ("1.12", "0.08"),
}
"""Gold and share of hacks of the sheet's trial."""


class Ask(Example):
    """One prompt of the world."""

    proxy: tuple[float, ...]
    """Of each candidate."""
    sample_rewards: tuple[float, ...]
    """Proxy of the references: draws from the base policy."""


@dataclass(frozen=True)
class Proxy(Reward):
    """The reward model: the proxy of the candidate that was chosen."""

    def score(self, rollout: Rollout) -> Score:
        """The number that the prompt has for it."""
        return Score(rollout.example_as(Ask).proxy[rollout.segments[0].action])


@dataclass(frozen=True)
class World:
    """What a seed makes."""

    gold_PC: Floats
    proxy_PC: Floats
    hack_PC: NDArray[np.bool_]
    base_PC: Floats
    """Logits of the policy that RL starts from."""
    prompts: tuple[Ask, ...]


@dataclass(frozen=True)
class Outcome:
    """What one arm came to on one seed."""

    gold: float
    """Expected gold under the final policy, mean over prompts."""
    hacks: float
    """Share of its probability on hacks."""


@dataclass(frozen=True)
class Par(Claim):
    """Seven shapings of one proxy, at the same number of samples and updates."""

    name: ClassVar[str] = "par"
    seeds: ClassVar[int] = 5
    paper: ClassVar[str] = "Reward Shaping to Mitigate Reward Hacking in RLHF (arXiv 2502.18770)"
    statement: ClassVar[str] = "A bounded, saturating reward centred on references withstands the hacking of its proxy."

    prompts: int = 40
    candidates: int = 40
    references: int = 10
    samples: int = 8
    """Of each prompt in a step."""
    steps: int = 600
    learning_rate: float = 1.0
    kl: float = 0.05
    """Weight of the per-sample divergence from the base policy, subtracted from the shaped reward."""

    least_gain: ClassVar[float] = 1.5
    most_hacks: ClassVar[float] = 0.15
    least_vanilla_hacks: ClassVar[float] = 0.4
    most_apart: ClassVar[float] = 0.5

    def run(self, seeds: Sequence[int] = (0, 1, 2, 3, 4), progress: Progress = no_progress) -> ClaimResult:
        """All arms on every seed; it holds where the means over seeds pass all four of the fact sheet's criteria."""
        found: dict[str, list[Outcome]] = {arm: [] for arm in ARMS}
        total, done = len(seeds) * len(found), 0
        for seed in seeds:
            world = self.world(seed)
            for arm, shaping in ARMS.items():
                progress(done, total, f"seed {seed}, {arm}")
                found[arm].append(self.measure(world, shaping, seed))
                done += 1
        progress(total, total, "done")
        gold = {arm: tuple(one.gold for one in ones) for arm, ones in found.items()}
        hacks = {arm: tuple(one.hacks for one in ones) for arm, ones in found.items()}
        table = [
            Measurement(f"{what}, {arm}", values[arm], earlier=f"about {_TOLD[arm][place]}")
            for place, (what, values) in enumerate((("gold", gold), ("share of hacks", hacks)))
            for arm in ARMS
        ]
        gain = Measurement("gold, PAR above vanilla", _apart(gold["PAR"], gold["vanilla"]), needed=">= 1.5")
        one = Measurement(
            "gold, PAR with one reference above PAR",
            _apart(gold["PAR, one reference"], gold["PAR"]),
            needed="within 0.5 of 0",
        )
        par_hacks = Measurement("share of hacks, PAR (criterion)", hacks["PAR"], needed="<= 0.15")
        vanilla_hacks = Measurement("share of hacks, vanilla (criterion)", hacks["vanilla"], needed=">= 0.4")
        held = (
            gain.mean >= self.least_gain
            and abs(one.mean) <= self.most_apart
            and par_hacks.mean <= self.most_hacks
            and vanilla_hacks.mean >= self.least_vanilla_hacks
        )
        return self.result(held, [*table, gain, par_hacks, vanilla_hacks, one], seeds, _notes(gold))

    def world(self, seed: int) -> World:
        """Gold N(0, 1) and proxy = gold + 0.3 N(0, 1), but for one candidate in ten, of every prompt: a hack, with gold
        -3, proxy U(3, 12), and logits 2 below the others' N(0, 0.5).
        """
        rng = np.random.default_rng([seed, 0])
        shape = self.prompts, self.candidates
        gold_PC = rng.standard_normal(shape)
        proxy_PC = gold_PC + 0.3 * rng.standard_normal(shape)
        base_PC = 0.5 * rng.standard_normal(shape)
        hack_PC = np.zeros(shape, dtype=bool)
        hack_PC[:, : self.candidates // 10] = True  # which ones does not matter: all else is drawn alike
        gold_PC[hack_PC] = -3.0
        proxy_PC[hack_PC] = rng.uniform(3.0, 12.0, int(hack_PC.sum()))
        base_PC[hack_PC] -= 2.0
        drawn_PM = _draw(np.exp(_log_softmax(base_PC)), self.references, rng)
        prompts = tuple(
            Ask(
                id=str(number),
                proxy=tuple(proxy_C.tolist()),
                sample_rewards=tuple(proxy_C[drawn_M].tolist()),
            )
            for number, (proxy_C, drawn_M) in enumerate(zip(proxy_PC, drawn_PM, strict=True))
        )
        return World(gold_PC, proxy_PC, hack_PC, base_PC, prompts)

    def measure(self, world: World, shaping: Shape | Transform | None, seed: int) -> Outcome:
        """Train a table by REINFORCE with the group's mean as baseline (no division by its std), and look at it.

        All arms draw with the same stream. A shape depends on prompt and answer alone, so each pair is scored once, by
        the reward itself; a running transform sees every batch in order.
        """
        rng = np.random.default_rng([seed, 1])
        reward = Proxy().against(References(), shaping) if isinstance(shaping, Shape) else Proxy()
        value_PC = scored(reward, world.prompts)
        transform = shaping if isinstance(shaping, Transform) else None
        state = transform.init() if transform else None
        base_PC, logits_PC = _log_softmax(world.base_PC), world.base_PC.copy()
        rows_P1, sizes = np.arange(self.prompts)[:, None], [self.samples] * self.prompts
        for _ in range(self.steps):
            log_PC = _log_softmax(logits_PC)
            chosen_PS = _draw(np.exp(log_PC), self.samples, rng)
            value_PS = value_PC[rows_P1, chosen_PS]
            if transform:
                shaped, state = transform.update(value_PS.ravel().tolist(), state, sizes)
                value_PS = np.array(shaped).reshape(value_PS.shape)
            value_PS = value_PS - self.kl * (log_PC - base_PC)[rows_P1, chosen_PS]
            weight_PS = (value_PS - value_PS.mean(axis=1, keepdims=True)) / self.samples
            step_PC = -weight_PS.sum(axis=1, keepdims=True) * np.exp(log_PC)
            np.add.at(step_PC, (rows_P1, chosen_PS), weight_PS)
            logits_PC += self.learning_rate * step_PC
        probability_PC = np.exp(_log_softmax(logits_PC))
        return Outcome(
            float((probability_PC * world.gold_PC).sum(axis=1).mean()),
            float((probability_PC * world.hack_PC).sum(axis=1).mean()),
        )


def scored(reward: Reward, prompts: Sequence[Ask]) -> Floats:
    """The reward of every candidate of every prompt (P x C), scored as rollouts."""
    groups = [
        Group.of([Rollout(ask, (Segment("policy", action=chosen),), index=chosen) for chosen in range(len(ask.proxy))])
        for ask in prompts
    ]
    return np.array([[score.value for score in row] for row in Context().scores(reward, groups)])


def _log_softmax(logits_PC: Floats) -> Floats:
    shifted_PC = logits_PC - logits_PC.max(axis=1, keepdims=True)
    return cast(Floats, shifted_PC - np.log(np.exp(shifted_PC).sum(axis=1, keepdims=True)))


def _draw(probability_PC: Floats, count: int, rng: np.random.Generator) -> NDArray[Any]:
    """`count` columns of each row, with replacement (P x count)."""
    edges_PC = probability_PC.cumsum(axis=1)
    points_PS = rng.random((len(edges_PC), count)) * edges_PC[:, -1:]
    return cast("NDArray[Any]", (points_PS[:, :, None] >= edges_PC[:, None, :]).sum(axis=2))


def _apart(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, ...]:
    return tuple(one - other for one, other in zip(ours, theirs, strict=True))


def _notes(gold: Mapping[str, Sequence[float]]) -> str:
    means = {arm: math.fsum(values) / len(values) for arm, values in gold.items()}
    above = [f"{arm} by {means[arm] - means['PAR']:+.2f}" for arm in ("clip", "LSC") if means[arm] > means["PAR"]]
    beaten = f"in gold {' and '.join(above)} lie above PAR here" if above else "PAR is ahead of clip and LSC here"
    return (
        "a table in place of a language model, no length penalty (answers have no length), exactly one hack in ten of "
        "each prompt's candidates; the proxy's overrated answers are given, where in the paper the policy finds them; "
        f"clip, LSC and PAR all withstand hacking in this toy, and {beaten}: it does not show that PAR is the best of "
        "them, as the paper's win rates say"
    )
