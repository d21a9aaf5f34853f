r"""Offline linear programs that bound what any policy can get, solved by HiGHS (scipy).

| program | bounds | |
|---|---|---|
| `matching_lp` | every policy, every p | $\max \sum w_u p_{uv} x_{uv}$, $\sum_v p_{uv} x_{uv}, \sum_u x_{uv} \le 1$ |
| `subset_lp` | S-OPT, tighter | and for all u, S: $\sum_{v \in S} p_{uv} x_{uv} \le 1 - \prod_{v \in S} (1 - p_{uv})$ |
| `configuration_lp` | in the limit p -> 0 alone | $\max \sum \min(1, \sum_{v \in S} p_{uv}) x_{u,S}$ over sets S |

Success of u through S needs a head among the coins of S, which is why `subset_lp` is a bound [derived]; its rows are
found as they are violated: for fixed x the most violated set of u is a prefix of its arrivals by falling $x_{uv}$.
`configuration_lp` is *no* bound where chances are large: two vertices and three arrivals of chance .9 have S-OPT 1.971,
and 1.9 there. The paper's own Stochastic Configuration LP is another program.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from guerdon.errors import ConfigError
from guerdon_page.matching.instances import Instance

if TYPE_CHECKING:
    import numpy as np

MOST_NEIGHBOURS = 12
"""Arrivals of one offline vertex up to which sets are written out."""
SLACK = 1e-9


def matching_lp(instance: Instance) -> float:
    """The Matching LP (fractional budgeted allocation); arrivals of one type are one variable of their number.

    >>> round(matching_lp(Instance.of(2, [{0: 0.6, 1: 0.5}, {0: 0.6, 1: 0.2}, {0: 0.3, 1: 0.4}])), 6)
    1.566667
    """
    edges = [(kind, u, p) for kind, (arrival, _) in enumerate(instance.types) for u, p in arrival]
    if not edges:
        return 0.0
    rows: list[tuple[int, int, float]] = []
    limits = [1.0] * instance.offline + [float(count) for _, count in instance.types]
    for column, (kind, u, p) in enumerate(edges):
        rows += [(u, column, p), (instance.offline + kind, column, 1.0)]
    worth = instance.worth
    return _solved([worth[u] * p for _, u, p in edges], rows, limits)[0]


def subset_lp(instance: Instance, *, most_rounds: int = 200) -> float:
    """The Subset LP, by adding violated rows until there is none.

    Raises:
        ConfigError: rows are still violated after `most_rounds`.
    """
    edges = [(v, u, p) for v, arrival in enumerate(instance.arrivals) for u, p in arrival]
    if not edges:
        return 0.0
    rows: list[tuple[int, int, float]] = [(v, column, 1.0) for column, (v, _, _) in enumerate(edges)]
    limits = [1.0] * len(instance.arrivals)
    of_u: dict[int, list[int]] = {}
    for column, (_, u, _) in enumerate(edges):
        of_u.setdefault(u, []).append(column)
    worth = instance.worth
    gains = [worth[u] * p for _, u, p in edges]
    for _ in range(most_rounds):
        # Before there is a row for u its variables are held by x <= 1 alone.
        value, x = _solved(gains, rows, limits)
        added = False
        for columns in of_u.values():
            ordered = sorted(columns, key=lambda column: -x[column])
            load, missed, worst, chosen = 0.0, 1.0, SLACK, 0
            for size, column in enumerate(ordered, 1):
                load += edges[column][2] * x[column]
                missed *= 1.0 - edges[column][2]
                if load - (1.0 - missed) > worst:
                    worst, chosen = load - (1.0 - missed), size
            if chosen:
                rows += [(len(limits), column, edges[column][2]) for column in ordered[:chosen]]
                limits.append(1.0 - math.prod(1.0 - edges[column][2] for column in ordered[:chosen]))
                added = True
        if not added:
            return value
    raise ConfigError(f"subset_lp still finds violated rows after {most_rounds} rounds; raise most_rounds")


def configuration_lp(instance: Instance) -> float:
    """The Configuration LP over all sets of at most 12 arrivals for each offline vertex; a bound for vanishing p alone.

    Raises:
        ConfigError: an offline vertex has more.
    """
    worth = instance.worth
    gains: list[float] = []
    rows: list[tuple[int, int, float]] = []
    for u in range(instance.offline):
        near = [(v, p) for v, arrival in enumerate(instance.arrivals) for other, p in arrival if other == u]
        if len(near) > MOST_NEIGHBOURS:
            raise ConfigError(
                f"offline vertex {u} has {len(near)} arrivals; sets of at most {MOST_NEIGHBOURS} are tried"
            )
        for size in range(1, len(near) + 1):
            for chosen in itertools.combinations(near, size):
                rows.append((u, len(gains), 1.0))
                rows += [(instance.offline + v, len(gains), 1.0) for v, _ in chosen]
                gains.append(worth[u] * min(1.0, sum(p for _, p in chosen)))
    if not gains:
        return 0.0
    return _solved(gains, rows, [1.0] * (instance.offline + len(instance.arrivals)))[0]


def _solved(
    gains: Sequence[float], rows: Sequence[tuple[int, int, float]], limits: Sequence[float]
) -> tuple[float, np.ndarray]:
    """The largest `gains @ x` with x >= 0 and the rows (row, column, factor) at most their limits."""
    import numpy as np
    from scipy.optimize import linprog
    from scipy.sparse import csr_array

    row, column, factor = zip(*rows, strict=True)
    matrix = csr_array((factor, (row, column)), shape=(len(limits), len(gains)))
    found = linprog(-np.array(gains), A_ub=matrix, b_ub=np.array(limits), bounds=(0, None), method="highs")
    if found.status != 0:
        raise ConfigError(f"the linear program of {len(gains)} variables was not solved: {found.message}")
    return -float(found.fun), np.asarray(found.x)
