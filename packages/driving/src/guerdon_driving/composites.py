"""How PDMS and EPDMS are made of their terms: gates multiplied, and a weighted mean of the rest.

| NAVSIM's name | term | in PDMS | in EPDMS |
|---|---|---|---|
| `no_at_fault_collisions` | NC | gate | gate |
| `drivable_area_compliance` | DAC | gate | gate |
| `driving_direction_compliance` | DDC | | gate |
| `traffic_light_compliance` | TLC | | gate |
| `ego_progress` | EP | 5 | 5 |
| `time_to_collision_within_bound` | TTC | 5 | 5 |
| `comfort` | C | 2 | |
| `lane_keeping` | LK | | 2 |
| `history_comfort` | HC | | 2 |
| `extended_comfort` | EC | | 2 |

Source: NAVSIM v1 and v2, as in the companion sheet.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

NC, DAC, DDC, TLC = (
    "no_at_fault_collisions",
    "drivable_area_compliance",
    "driving_direction_compliance",
    "traffic_light_compliance",
)
EP, TTC, C = "ego_progress", "time_to_collision_within_bound", "comfort"
LK, HC, EC = "lane_keeping", "history_comfort", "extended_comfort"

PDMS_GATES = (NC, DAC)
PDMS_WEIGHTS: Mapping[str, float] = MappingProxyType({EP: 5.0, TTC: 5.0, C: 2.0})
EPDMS_GATES = (NC, DAC, DDC, TLC)
EPDMS_WEIGHTS: Mapping[str, float] = MappingProxyType({EP: 5.0, TTC: 5.0, LK: 2.0, HC: 2.0, EC: 2.0})


def pdms_value(terms: Mapping[str, np.ndarray]) -> np.ndarray:
    """NC * DAC * (5 EP + 5 TTC + 2 C) / 12, in [0, 1], for terms of any one shape.

    >>> one = np.ones(1)
    >>> pdms_value({NC: one, DAC: one, EP: 0.8 * one, TTC: one, C: one}).round(6).tolist()
    [0.916667]
    """
    return _value(terms, PDMS_GATES, PDMS_WEIGHTS)


def epdms_value(terms: Mapping[str, np.ndarray], human: Mapping[str, np.ndarray] | None = None) -> np.ndarray:
    """NC * DAC * DDC * TLC * (5 EP + 5 TTC + 2 LK + 2 HC + 2 EC) / 16, in [0, 1].

    Args:
        terms: of the plans, of one shape.
        human: the same terms of the path that was driven: one that it has 0 of counts 1 for every plan.
    """
    return _value(terms if human is None else excused(terms, human), EPDMS_GATES, EPDMS_WEIGHTS)


def excused(terms: Mapping[str, np.ndarray], human: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The terms, those at 1 that the human has 0 of: nobody is asked what the human could not do."""
    return {name: np.where(human[name] == 0, 1.0, value) for name, value in terms.items()}


def gate(terms: Mapping[str, np.ndarray], gates: tuple[str, ...]) -> np.ndarray:
    """The product of the gates."""
    return np.asarray(np.prod([terms[name] for name in gates], axis=0))


def _value(terms: Mapping[str, np.ndarray], gates: tuple[str, ...], weights: Mapping[str, float]) -> np.ndarray:
    mean = sum(weight * terms[name] for name, weight in weights.items()) / sum(weights.values())
    return np.asarray(gate(terms, gates) * mean)
