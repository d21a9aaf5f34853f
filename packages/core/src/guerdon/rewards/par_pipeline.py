"""PAR's shaping pipeline: every shaping that the paper compares, by name, each in the order of the authors' code.

```
ceiling ─▶ length penalty ─▶ centring | mean-std | clip ─▶ ceiling ─▶ min-max ─▶ sigmoid family | LSC
```

One name switches one of the steps on; the length penalty stands before all of them, and the ceiling, where it is asked
for, twice. What comes out is a tree of public parts (`then`, `against`, `Every`), which prints as what one would write.

`mean-std`, `min-max` and `clip` keep state: they see whole batches in order, once, and their state is the checkpoint's.
The shapings by references compare the *penalised* reward with the references as they are stored, without a penalty, as
the authors do; reference *answers* are scored by the penalised reward here, as all of it is then one reward. They are
texts without tokens, so that both sides' lengths are then counted in words: a copy of a reference is worth 0.5.

Source: "Reward Shaping to Mitigate Reward Hacking in RLHF" (arXiv:2502.18770), its released code.
"""

from __future__ import annotations

from typing import Literal, get_args

from guerdon.errors import ConfigError
from guerdon.rewards.base import Reward
from guerdon.rewards.conjunction import Every
from guerdon.rewards.length import LengthPenalty
from guerdon.rewards.references import References
from guerdon.rewards.shapes import Shape, centred, lsc, par, polynomial, sgfc, tanh_centred
from guerdon.transforms.base import Transform
from guerdon.transforms.ranges import clip_to_spread, min_max
from guerdon.transforms.saturating import ceiling as at_most
from guerdon.transforms.saturating import sigmoid, tanh
from guerdon.transforms.statistics import standardize

Method = Literal[
    "vanilla",
    "centred",
    "mean-std",
    "clip",
    "ceiling",
    "min-max",
    "sigmoid",
    "tanh",
    "par",
    "tanh-centred",
    "polynomial",
    "sgfc",
    "lsc",
]


BY_REFERENCES = ("centred", "par", "tanh-centred", "polynomial", "sgfc", "lsc")
"""The methods that look at references."""


def par_pipeline(
    reward: Reward,
    method: Method = "par",
    references: References | None = None,
    k: float = 1.0,
    first: int = 10,
    ceiling: float | None = None,
    per_token: float = 0.01,
    free: int = 300,
) -> Reward:
    """The shaped reward, under the reward's own name.

    Args:
        reward: a reward model's score of an answer.
        method: which shaping; `vanilla` is the penalised reward itself.
        references: where reference rewards stand; None is `References()`: the example's `sample_rewards`. Looked at by
            `centred`, `par`, `tanh-centred`, `polynomial`, `sgfc` and `lsc` alone.
        k: steepness of `par`, `sigmoid` and `sgfc`.
        first: how many references count (LSC: all of them).
        ceiling: nothing is gained beyond, before and after the other steps; None is no ceiling. PAR compares 3, 4, 5.
        per_token: the length penalty, and
        free: the tokens (words, with reference answers) that it lets pass; 0.01 beyond 300, as released. 0.0 leaves
            the step out.

    Raises:
        ConfigError: an unknown method, or `ceiling` without one.
    """
    if method not in get_args(Method):
        raise ConfigError(f"par-pipeline.method is {method!r}; accepted are {', '.join(get_args(Method))}")
    if method == "ceiling" and ceiling is None:
        raise ConfigError("par-pipeline.method is 'ceiling' and par-pipeline.ceiling is none; give it a number")
    stored = references or References()
    cut: Transform | None = None if ceiling is None else at_most(ceiling)
    label, shaped = reward.label, reward
    if cut:
        shaped = shaped.then(cut)
    if per_token:
        told = method in BY_REFERENCES and stored.kind == "answers"
        penalty = LengthPenalty(per_token, free, unit="text") if told else LengthPenalty(per_token, free)
        shaped = Every.of(shaped, penalty).named(label)
    if method == "centred":
        shaped = shaped.against(stored, centred(first=first))
    if method == "mean-std":
        shaped = shaped.then(standardize(scope="running", ddof=0, epsilon=0.0))
    if method == "clip":
        shaped = shaped.then(clip_to_spread())
    if cut:
        shaped = shaped.then(cut)
    if method == "min-max":
        shaped = shaped.then(min_max())
    if method in ("sigmoid", "tanh"):
        shaped = shaped.then(sigmoid(k) if method == "sigmoid" else tanh())
    by_references: dict[str, Shape] = {
        "par": par(k, first=first),
        "tanh-centred": tanh_centred(first=first),
        "polynomial": polynomial(first=first),
        "sgfc": sgfc(k, first=first),
        "lsc": lsc(mode="released"),
    }
    return shaped.against(stored, by_references[method]) if method in by_references else shaped
