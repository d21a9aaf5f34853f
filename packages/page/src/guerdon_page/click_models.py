r"""Click models, as simulators of who clicks where on a page, and as likelihoods of logged clicks.

With $a_k$ the attraction of the item at place k:

| model | a click at place k | a reader goes on below it |
|---|---|---|
| `PositionBased` | looked at with chance $x_k$, and attracted: $x_k a_k$ | always: places are independent |
| `cascade` | looked at, and attracted | unless they clicked: one click at most |
| `DynamicBayesian` | looked at, and attracted | unless satisfied (chance $s$ after a click), and then with $\gamma$ |

The cascade is the dynamic Bayesian network with $s = 1, \gamma = 1$ [memory: Craswell et al. 2008, Chapelle and Zhang
2009]. All functions take arrays of N pages of K places, and are vectorised.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from guerdon.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike


class ClickModel(ABC):
    """What the models promise."""

    @abstractmethod
    def chances(self, attraction_NK: ArrayLike) -> np.ndarray:
        """(N, K): chance of a click at each place, before anything is seen.

        Raises:
            ConfigError: an attraction is no chance in [0, 1], or there are places that the model does not know.
        """

    @abstractmethod
    def simulate(self, attraction_NK: ArrayLike, random: np.random.Generator) -> np.ndarray:
        """(N, K), bool: one reader for each page. Raises as `chances`."""

    @abstractmethod
    def log_likelihood(self, attraction_NK: ArrayLike, clicks_NK: ArrayLike) -> np.ndarray:
        """(N,): log of the chance of exactly these clicks on each page; minus infinity where they are impossible.

        Raises:
            ConfigError: as `chances`, or the clicks have another shape or are not 0 and 1.
        """


@dataclass(frozen=True)
class PositionBased(ClickModel):
    """Each place is looked at with a chance of its own."""

    examination: tuple[float, ...]
    """Chance that a place is looked at, from the top; of a page of more places nothing is known."""

    def __post_init__(self) -> None:
        _check_chances("PositionBased.examination", self.examination)

    @classmethod
    def reciprocal(cls, places: int) -> PositionBased:
        """1, 1/2, 1/3, ...: the made shop's."""
        return cls(tuple(1.0 / place for place in range(1, places + 1)))

    def chances(self, attraction_NK: ArrayLike) -> np.ndarray:
        """`x_k a_k`."""
        import numpy as np

        attraction = _attractions(attraction_NK)
        if attraction.shape[1] > len(self.examination):
            raise ConfigError(
                f"a page has {attraction.shape[1]} places, and PositionBased.examination knows {len(self.examination)}"
            )
        return np.asarray(attraction * np.array(self.examination[: attraction.shape[1]]))

    def simulate(self, attraction_NK: ArrayLike, random: np.random.Generator) -> np.ndarray:
        """Each place on its own."""
        chances = self.chances(attraction_NK)
        return random.random(chances.shape) < chances

    def log_likelihood(self, attraction_NK: ArrayLike, clicks_NK: ArrayLike) -> np.ndarray:
        """Places do not depend on one another."""
        import numpy as np

        chances = self.chances(attraction_NK)
        clicks = _clicks(clicks_NK, chances.shape)
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(np.where(clicks, chances, 1.0 - chances)).sum(axis=1))


@dataclass(frozen=True)
class DynamicBayesian(ClickModel):
    """Readers go down the page until they are satisfied, or tired of it."""

    satisfaction: float = 1.0
    """Chance that a click satisfies."""
    perseverance: float = 1.0
    """Chance to go on to the next place where nothing satisfied yet; gamma."""

    def __post_init__(self) -> None:
        _check_chances("DynamicBayesian.satisfaction", (self.satisfaction,))
        _check_chances("DynamicBayesian.perseverance", (self.perseverance,))

    def chances(self, attraction_NK: ArrayLike) -> np.ndarray:
        """`a_k` times the chance to get there, `prod_{j<k} gamma (1 - a_j s)`."""
        import numpy as np

        attraction = _attractions(attraction_NK)
        on = self.perseverance * (1.0 - attraction * self.satisfaction)
        there = np.concatenate([np.ones((len(on), 1)), np.cumprod(on, axis=1)[:, :-1]], axis=1)[:, : on.shape[1]]
        return np.asarray(attraction * there)

    def simulate(self, attraction_NK: ArrayLike, random: np.random.Generator) -> np.ndarray:
        """Everybody from the top."""
        import numpy as np

        attraction = _attractions(attraction_NK)
        drawn = random.random((3, *attraction.shape))
        attracted = drawn[0] < attraction
        on = (drawn[2] < self.perseverance) & ~(attracted & (drawn[1] < self.satisfaction))
        there = np.concatenate([np.ones((len(on), 1), bool), np.logical_and.accumulate(on, axis=1)[:, :-1]], axis=1)
        return np.asarray(attracted & there[:, : on.shape[1]])

    def log_likelihood(self, attraction_NK: ArrayLike, clicks_NK: ArrayLike) -> np.ndarray:
        """Forward over places: whether the reader is still there is not seen after the last click."""
        import numpy as np

        attraction = _attractions(attraction_NK)
        clicks = _clicks(clicks_NK, attraction.shape)
        there, gone = np.ones(len(attraction)), np.zeros(len(attraction))
        for k in range(attraction.shape[1]):
            clicked, chance = clicks[:, k], attraction[:, k]
            stays = np.where(clicked, chance * (1.0 - self.satisfaction), 1.0 - chance) * self.perseverance
            leaves = np.where(clicked, chance, 1.0 - chance) - stays
            gone = np.where(clicked, 0.0, gone) + there * leaves
            there = there * stays
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(there + gone))


def cascade() -> DynamicBayesian:
    """Readers go down the page to their first click, and no further."""
    return DynamicBayesian(satisfaction=1.0, perseverance=1.0)


def fit_position_based(
    items_NK: ArrayLike, clicks_NK: ArrayLike, *, rounds: int = 10_000
) -> tuple[PositionBased, dict[int, float]]:
    """Examination of each place and attraction of each item, by expectation and maximisation.

    Only their products are seen, so the first place is taken to be looked at always. Needs items that were shown at
    several places; what was shown at one place alone has a rate and no more. Rare clicks need many rounds, which take
    no longer for many pages: all that counts is how often each item was shown and clicked at each place.

    Args:
        items_NK: numbers >= 0 of the items shown, -1 where a page is shorter.
        clicks_NK: who was clicked.
        rounds: of EM, at most; it ends before when no chance changes by more than a millionth of the largest.

    Raises:
        ConfigError: no page or no item, other shapes, or clicks that are not 0 and 1.
    """
    import numpy as np

    items = np.asarray(items_NK, dtype=int)
    if items.ndim != 2 or not (items >= 0).any():
        raise ConfigError(f"items have the shape {items.shape}; a table of pages with an item or more is needed")
    clicks = _clicks(clicks_NK, items.shape)
    rows, places = np.nonzero(items >= 0)
    shown_IK, clicked_IK = np.zeros((2, int(items.max()) + 1, items.shape[1]))
    np.add.at(shown_IK, (items[rows, places], places), 1.0)
    np.add.at(clicked_IK, (items[rows, places], places), clicks[rows, places])
    of_item, of_place = np.maximum(shown_IK.sum(1), 1.0), np.maximum(shown_IK.sum(0), 1.0)
    attraction, looked = np.full(len(shown_IK), 0.5), np.full(items.shape[1], 0.5)
    for _ in range(rounds):
        a, x = attraction[:, None], looked
        share_IK = (shown_IK - clicked_IK) / np.maximum(1.0 - x * a, 1e-12)  # of those who did not click
        before = attraction, looked
        attraction = (clicked_IK + share_IK * a * (1.0 - x)).sum(1) / of_item
        looked = (clicked_IK + share_IK * x * (1.0 - a)).sum(0) / of_place
        if all(
            np.abs(new - old).max() <= 1e-6 * new.max() for new, old in zip((attraction, looked), before, strict=True)
        ):
            break
    scale = looked[0] or 1.0
    examination = tuple(map(float, np.clip(looked / scale, 0.0, 1.0)))
    rates = np.clip(attraction * scale, 0.0, 1.0)
    return PositionBased(examination), {int(one): float(rates[one]) for one in np.flatnonzero(shown_IK.sum(1))}


def _check_chances(name: str, values: Sequence[float]) -> None:
    for value in values:
        if not 0.0 <= value <= 1.0:
            raise ConfigError(f"{name} has {value!r}; chances from 0 to 1 are needed")


def _clicks(clicks_NK: ArrayLike, shape: tuple[int, ...]) -> np.ndarray:
    import numpy as np

    clicks = np.asarray(clicks_NK, dtype=float)
    if clicks.shape != shape:
        raise ConfigError(f"clicks have the shape {clicks.shape}; {shape} is needed, one for each place of each page")
    if not np.isin(clicks, (0.0, 1.0)).all():
        raise ConfigError("clicks are 0 or 1, or booleans; other numbers are among them")
    return clicks.astype(bool)


def _attractions(attraction_NK: ArrayLike) -> np.ndarray:
    import numpy as np

    attraction = np.asarray(attraction_NK, dtype=float)
    if attraction.ndim != 2:
        raise ConfigError(f"attraction has the shape {attraction.shape}; (pages, places) is needed")
    outside = ~((attraction >= 0.0) & (attraction <= 1.0))
    if outside.any():
        page, place = map(int, np.argwhere(outside)[0])
        raise ConfigError(
            f"the attraction of place {place + 1} of page {page} is {float(attraction[page, place])!r}; a chance from "
            f"0 to 1 is needed"
        )
    return attraction
