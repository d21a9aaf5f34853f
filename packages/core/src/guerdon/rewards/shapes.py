r"""Shapings of a reward by the rewards of *reference answers* to the same prompt.

With $r$ the reward of an answer, $r_m$ that of reference $m$ of $M$, $\sigma(z) = 1 / (1 + e^{-z})$:

| shape | value | bounds |
|---|---|---|
| `centred` | $\frac1M \sum_m (r - r_m)$ | none |
| `par` | $\frac1M \sum_m \sigma(k (r - r_m))$ | [0, 1] |
| `tanh_centred` | $\frac1M \sum_m \tanh(r - r_m)$ | [-1, 1] |
| `polynomial` | as `par`, with a fitted polynomial in place of $\sigma$ | [0, 1] |
| `sgfc` | $\frac1M \sum_m \sigma(k (r - 3 - r_m))$: slow growth first, a counter-example | [0, 1] |
| `lsc` | $\log \sigma(r - \rho)$, $\rho$ a quantile of the references' fitted normal | (-inf, 0] |

A shape is a value and a pure function: `par()(2.0, [0.0, 1.0, 4.0])`. Within a recipe it is named with its options.
References are of the *same prompt* and scored by the *same reward model*: a Bradley-Terry reward is defined up to a
shift per prompt, so a constant in their place is another method. All but `centred` are no affine functions, and so
survive a group-normalised advantage (GRPO's), which cancels whatever is affine within a group.

Sources: PAR, "Reward Shaping to Mitigate Reward Hacking in RLHF" (arXiv:2502.18770) and its released code, from which
all but `lsc` are taken as they stand there; `lsc` from "Transforming and Combining Rewards for Aligning Large Language
Models" (arXiv:2402.00742), whose paper was read in summaries: the quantile and the fitted normal are PAR's code.
"""

from __future__ import annotations

import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import ClassVar, Literal

from guerdon.errors import ConfigError
from guerdon.fields import check_numbers, proper_share
from guerdon.transforms.saturating import check_steepness, logistic, softplus

Curve = Callable[[float], float]
"""From a reward to its shaped value, the references being settled."""


class Shape(ABC):
    """The base of all shapes: frozen dataclasses, which compare, hash, pickle, and print what rebuilds them."""

    bounds: ClassVar[tuple[float, float]] = (-math.inf, math.inf)
    """Of the shaped value, whatever the rewards are."""
    saturation: ClassVar[float] = math.inf
    """A value above this is as good as the top, and hardly has a slope left; the share of such is logged."""
    first: int | None = None
    """How many references count, from the first of the stored list on; None means all of them."""

    @abstractmethod
    def curve(self, references: Sequence[float]) -> Curve:
        """The curve that these references settle.

        Args:
            references: at least one finite number, in the order stored. A NaN among them makes every value NaN: whoever
                calls leaves unscored references out (`guerdon.rewards.references.Against` does).

        Raises:
            ConfigError: there is no reference: the shape is then undefined, and not 0.5 or any other number.
        """

    def level(self, references: Sequence[float]) -> float:
        """The reference level worth logging beside the value: the mean, unless the shape knows a better."""
        return mean(self.used(references))

    def __call__(self, value: float, references: Sequence[float]) -> float:
        """The shaped value; NaN for NaN."""
        return self.curve(references)(value)

    def used(self, references: Sequence[float]) -> Sequence[float]:
        """The references that count.

        Raises:
            ConfigError: there are none.
        """
        if not references:
            raise ConfigError(
                f"{self!r} has no reference to compare with, and is undefined without one; give each prompt the reward "
                f"of at least one reference answer"
            )
        return references[: self.first]


@dataclass(frozen=True)
class _OverReferences(Shape):
    """The mean over the references of a function of the difference to each."""

    first: int | None = field(default=10, kw_only=True)
    """How many references count, from the first of the stored list on. PAR stores 10, and finds 1 to suffice."""

    def __post_init__(self) -> None:
        check_first(self)

    @abstractmethod
    def of(self, difference: float) -> float:
        """The function, of one difference."""

    def curve(self, references: Sequence[float]) -> Curve:
        """See `Shape.curve`."""
        of, used = self.of, tuple(self.used(references))
        return lambda value: math.fsum([of(value - reference) for reference in used]) / len(used)


@dataclass(frozen=True)
class centred(Shape):  # noqa: N801 - shapes are written like the functions they stand for, as transforms are
    """The reward above the mean reference: unbounded, and so as open to hacking as the reward itself."""

    first: int | None = field(default=10, kw_only=True)

    def __post_init__(self) -> None:
        check_first(self)

    def curve(self, references: Sequence[float]) -> Curve:
        """`value - mean`."""
        level = self.level(references)
        return lambda value: finite(value - level)


@dataclass(frozen=True)
class par(_OverReferences):  # noqa: N801
    """Preference as reward: the mean Bradley-Terry probability that the answer beats a reference.

    Against a weak policy's references all good answers come to 1 and the gradient dies: the brake that is meant, and
    the reason to log how many lie above 0.99.

    >>> round(par()(2.0, [0.0, 1.0, 4.0]), 6)
    0.57702
    """

    k: float = 1.0
    """Steepness; PAR compares 1, 2 and 3."""

    bounds = (0.0, 1.0)
    saturation = 0.99

    def __post_init__(self) -> None:
        super().__post_init__()
        check_steepness("par.k", self.k)

    def of(self, difference: float) -> float:
        """In [0, 1]."""
        return logistic(self.k * difference)


@dataclass(frozen=True)
class tanh_centred(_OverReferences):  # noqa: N801
    """The mean hyperbolic tangent of the differences."""

    bounds = (-1.0, 1.0)
    saturation = 0.98  # as far from the top as 0.99 is in [0, 1]

    def of(self, difference: float) -> float:
        """In [-1, 1]."""
        return math.tanh(difference)


_FITTED = (2.02669170e-4, -1.01309121e-2, 0.228788512)
"""Of z^5, z^3 and z; the even ones vanish, since the sigmoid less 0.5 is odd."""


@dataclass(frozen=True)
class polynomial(_OverReferences):  # noqa: N801
    """As `par`, with the least-squares polynomial of degree 5 through the sigmoid at 100 even points of [-5, 5].

    0 from -5 down, 1 from 5 up. As fitted it overshoots by up to 0.011 just before either end; here it is held within
    [0, 1], which the authors' code does not do.
    """

    bounds = (0.0, 1.0)
    saturation = 0.99

    def of(self, difference: float) -> float:
        """In [0, 1]."""
        z = min(max(difference, -5.0), 5.0)  # the fit is beyond [0, 1] at both ends; NaN stays
        fifth, third, slope = _FITTED
        return min(max(0.5 + z * (slope + z * z * (third + z * z * fifth)), 0.0), 1.0)


@dataclass(frozen=True)
class sgfc(_OverReferences):  # noqa: N801
    """Slow growth, fast convergence: the sigmoid, moved by 3. PAR's counter-example to its own design rule."""

    k: float = 1.0
    """Steepness: 1 in the authors' scripts, 3 in their plots."""

    bounds = (0.0, 1.0)
    saturation = 0.99

    def __post_init__(self) -> None:
        super().__post_init__()
        check_steepness("sgfc.k", self.k)

    def of(self, difference: float) -> float:
        """In [0, 1]."""
        return logistic(self.k * (difference - 3.0))


@dataclass(frozen=True)
class lsc(Shape):  # noqa: N801
    r"""Log-sigmoid-centred: the log-probability that the answer is good, $-\mathrm{softplus}(\rho - r)$.

    Its *sum* over properties is the log-probability of being good in all of them, if they are independent
    (`guerdon.rewards.conjunction.log_and`). It is bounded above alone: an awful answer has an unbounded penalty, and
    where gradients explode `.then(clip(-20.0, 0.0))` is the remedy (a choice; the paper's has no floor).

    The released code takes log(sigmoid(...)), which is -inf far below the reference; both modes here take the softplus.

    >>> round(lsc()(1.0, [0.0, 1.0, 2.0]), 6), round(lsc(mode="released")(1.0, [0.0, 1.0, 2.0]), 6)
    (-1.340026, -1.340034)
    """

    quantile: float = 0.85
    """Where among the references the level lies, by a normal fitted to them. Near 1 nobody reaches it, and the value is
    the raw reward again; near 0 all is saturated at once."""
    mode: Literal["fitted", "released"] = "fitted"
    """`fitted`: mean + z * std (over n - 1), and the mean alone where one reference, or no spread, leaves no std (a
    choice). `released`: mean + z * (std + 1e-5), the std of one reference being 0, as PAR's repository has it."""
    first: int | None = field(default=None, kw_only=True)
    """How many references count, from the first on; None means all. The paper has 64 (remembered, not read), PAR 10."""

    bounds = (-math.inf, 0.0)
    saturation = math.log(0.99)

    def __post_init__(self) -> None:
        check_first(self)
        proper_share("lsc.quantile", self.quantile)
        if self.mode not in ("fitted", "released"):
            raise ConfigError(f"lsc.mode is {self.mode!r}; accepted are 'fitted' and 'released'")

    def level(self, references: Sequence[float]) -> float:
        """The quantile: 1.0364334 standard deviations above the mean for 0.85."""
        used = self.used(references)
        centre, spread = mean(used), 0.0
        if len(used) > 1:  # hypot, since the square of a huge difference is no float
            spread = finite(math.hypot(*(value - centre for value in used))) / math.sqrt(len(used) - 1)
        if self.mode == "released":
            spread += 1e-5
        return finite(centre + NormalDist().inv_cdf(self.quantile) * spread)

    def curve(self, references: Sequence[float]) -> Curve:
        """`log sigmoid(value - level)`."""
        level = self.level(references)
        return lambda value: finite(-softplus(level - value))


def check_first(shape: Shape) -> None:
    """Refuse to compare with fewer than one reference, and what is no number where one is needed."""
    check_numbers(shape)
    if shape.first is not None and shape.first < 1:
        raise ConfigError(f"{type(shape).__name__}.first is {shape.first!r}; a number >= 1, or none for all, is needed")


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean of at least one number, never beyond the least or the largest of them; NaN stays."""
    try:
        found = math.fsum(values) / len(values)
    except OverflowError:  # the sum is no float; the mean is one
        found = 2.0 * math.fsum([value / len(values) / 2.0 for value in values])
    return min(max(found, min(values)), max(values)) if found == found else found


def finite(value: float) -> float:
    """An infinite difference of two finite numbers, as the largest float of its sign; NaN stays."""
    return min(max(value, -sys.float_info.max), sys.float_info.max)
