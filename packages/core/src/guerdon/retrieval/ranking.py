"""The best of many scores, equal ones in the order of the documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


def best(scores_N: npt.NDArray[np.floating[Any]], k: int, *, above: float | None = None) -> npt.NDArray[np.intp]:
    """The places of the `k` largest scores, largest first, equal ones by place; fewer where there are fewer.

    Linear in N but for the sorting of what is returned (and of what equals the last of it).

    Args:
        scores_N: finite numbers.
        k: at least 1.
        above: only scores larger than this.
    """
    import numpy as np

    places = np.arange(len(scores_N)) if above is None else np.flatnonzero(scores_N > above)
    found = scores_N[places]
    if k < len(places):
        least = np.partition(found, len(found) - k)[len(found) - k]
        places = places[found >= least]
        found = scores_N[places]
    return places[np.argsort(-found, kind="stable")[:k]]
