"""Estimators of one value per attempt: against the mean of the group, or against what the others are worth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from guerdon.advantages.estimator import Estimator
from guerdon.errors import ConfigError


@dataclass(frozen=True)
class group_relative(Estimator):  # noqa: N801 - a value one builds in a recipe, beside `clip` and `center`
    """Centre each group on its mean and, with `std`, divide by its spread.

    >>> [round(value, 4) for value in group_relative().centred([7.0, 5.014286, 1.0, 1.0])]
    [1.1645, 0.5032, -0.8338, -0.8338]
    """

    std: bool = True
    """Off, the size of the difference stays in the gradient, and easy and hard prompts weigh as their spread says."""
    ddof: int = 1
    """The std divides by n - ddof: 1 as torch and TRL do, 0 as numpy and the paper's formula do."""
    epsilon: float = 1e-4
    """Added to the std."""

    def __post_init__(self) -> None:
        if self.ddof not in (0, 1):
            raise ConfigError(f"group_relative.ddof is {self.ddof!r}; accepted are 0 and 1")
        if not 0.0 <= self.epsilon < math.inf:
            raise ConfigError(f"group_relative.epsilon is {self.epsilon!r}; a finite number >= 0 is needed")

    def centred(self, values: Sequence[float]) -> list[float]:
        """`(value - mean) / (std + epsilon)`, or the difference alone."""
        mean = math.fsum(values) / len(values)
        apart = [value - mean for value in values]
        if not self.std:
            return apart
        spread = math.sqrt(math.fsum(value * value for value in apart) / (len(values) - self.ddof))
        return [value / (spread + self.epsilon) for value in apart]


@dataclass(frozen=True)
class leave_one_out(Estimator):  # noqa: N801 - as group_relative
    """Each attempt against the mean of the others: an unbiased baseline, since it does not contain the attempt itself.

    >>> leave_one_out().centred([1.0, 0.0, 0.5])
    [0.75, -0.75, 0.0]
    """

    def centred(self, values: Sequence[float]) -> list[float]:
        """`value - mean of the others`, which is `n / (n - 1) * (value - mean)`."""
        n = len(values)
        mean = math.fsum(values) / n
        return [(value - mean) * n / (n - 1) for value in values]


@dataclass(frozen=True)
class log_mean_exp(Estimator):  # noqa: N801 - as group_relative
    r"""JEPO's: values are log-probs l; each attempt gets what the group's log mean probability owes to it.

    $$A_g = \log \tfrac1n \sum_h e^{\ell_h} - \log \tfrac1{n-1} \sum_{h \ne g} e^{\ell_h}$$

    It lies in [log(1 - 1/n), largest difference of two l]: where a single l of a group is not at its clamp, it gets
    nearly the whole distance to the clamp. The direct gradient that goes with it is the reward
    `likelihood-v1` with `variant: jepo`.

    Source: JEPO (arXiv 2503.19618), as "Likelihood-Based Reward Designs" (arXiv 2602.03979) has it.

    >>> [round(value, 6) for value in log_mean_exp().centred([math.log(0.5), math.log(0.1), math.log(0.1)])]
    [0.847298, -0.251314, -0.251314]
    """

    def centred(self, values: Sequence[float]) -> list[float]:
        """The group's value less the value of the others."""
        whole = self.value(values)
        return [whole - self.value([*values[:place], *values[place + 1 :]]) for place in range(len(values))]

    @staticmethod
    def value(values: Sequence[float]) -> float:
        """The log of the mean of the exponentials; what JEPO maximises."""
        top = max(values)
        return top + math.log(math.fsum(math.exp(value - top) for value in values) / len(values))
