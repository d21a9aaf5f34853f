"""The rows with the largest inner products, exactly: who may be among them, and then who is.

Matrix products round by how they are blocked, so that one query's scores would depend on its neighbours in the batch,
and equal rows would differ in the last digit. So products only choose candidates, with the slack that rounding may
need; what is returned is computed anew, row by row, in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from guerdon.errors import ConfigError
from guerdon.retrieval.ranking import best

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]
    Places = npt.NDArray[np.intp]

_BLOCK = 1 << 24
"""Scores held at once: 64 MiB."""
_ROWS = 4096

Candidates = Callable[["Floats", Sequence[int], "npt.NDArray[np.float64]"], Iterator["Places"]]
"""From queries (Q, D), how many rows each needs at least, and the rounding of each one's products: per query the places
of all rows whose product may be among its largest."""


def nearest(
    queries_QD: Floats,
    rows_ND: Floats,
    k: int,
    excluded: Sequence[Sequence[int]],
    candidates: Candidates,
    longest: float,
) -> Iterator[list[tuple[int, float]]]:
    """Per query the places of its `k` rows of largest inner product and that product, largest first, equal ones by
    place.

    Args:
        queries_QD: finite, float32.
        rows_ND: finite, float32.
        k: at least 1.
        excluded: per query, places that are left out.
        candidates: who chooses.
        longest: the largest length of a row.
    """
    import numpy as np

    # |computed - true| <= D eps |q| |r|; doubled, as two rows are compared; of zero vectors nothing is left to round.
    slack_Q = 2.0 * rows_ND.shape[1] * float(np.finfo(np.float32).eps) * lengths(queries_QD) * longest
    needed = [min(k + len(out), len(rows_ND)) for out in excluded]
    chosen = candidates(queries_QD, needed, slack_Q)
    for query_D, out, places in zip(queries_QD, excluded, chosen, strict=True):
        if out:
            places = np.setdiff1d(places, np.asarray(out))
        places.sort()
        scores = (rows_ND[places].astype(np.float64) * query_D.astype(np.float64)).sum(axis=1)
        yield [(int(places[at]), float(scores[at])) for at in best(scores, k).tolist()]


def lengths(vectors_ND: Floats) -> npt.NDArray[np.float64]:
    """The Euclidean length of each row, in float64; a block of rows at a time, so that no copy of all is made."""
    import numpy as np

    found = np.empty(len(vectors_ND))
    for start in range(0, len(vectors_ND), _ROWS):
        block = vectors_ND[start : start + _ROWS].astype(np.float64)
        found[start : start + _ROWS] = np.sqrt((block * block).sum(axis=1))
    return found


def by_matrix(rows_ND: Floats) -> Candidates:
    """Candidates by one matrix product per block of queries."""
    import numpy as np

    def choose(queries_QD: Floats, needed: Sequence[int], slack_Q: npt.NDArray[np.float64]) -> Iterator[Places]:
        block = max(1, _BLOCK // len(rows_ND))
        for start in range(0, len(queries_QD), block):
            scores_QN = queries_QD[start : start + block] @ rows_ND.T
            for place, scores_N in enumerate(scores_QN, start):
                wanted = len(scores_N) - needed[place]
                least = np.partition(scores_N, wanted)[wanted]
                yield np.flatnonzero(scores_N >= least - slack_Q[place])

    return choose


def by_faiss(rows_ND: Floats) -> Candidates:
    """Candidates by faiss's exact index, asked for more while the last one might be as good as the last needed.

    Raises:
        ConfigError: faiss is not installed.
    """
    import numpy as np

    index = imported().IndexFlatIP(rows_ND.shape[1])
    index.add(rows_ND)

    def choose(queries_QD: Floats, needed: Sequence[int], slack_Q: npt.NDArray[np.float64]) -> Iterator[Places]:
        depth = min(len(rows_ND), max(needed, default=1) + 16)
        scores_QK, places_QK = index.search(queries_QD, depth)
        for query_D, scores, places, wanted, slack in zip(
            queries_QD, scores_QK, places_QK, needed, slack_Q, strict=True
        ):
            deeper = depth
            while deeper < len(rows_ND) and scores[-1] >= scores[wanted - 1] - slack:
                deeper = min(len(rows_ND), 4 * deeper)
                (scores,), (places,) = index.search(query_D[None], deeper)
            yield places.astype(np.intp)

    return choose


def imported() -> Any:
    """The package faiss.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        import faiss
    except ModuleNotFoundError as error:
        raise ConfigError(
            f'this needs the package {error.name}, which is not installed: pip install "guerdon[faiss]"'
        ) from error
    return faiss
