"""How well a codec gives back columns of weights, and how small it makes them."""

from __future__ import annotations

import numpy as np

from guerdon_rigging.rigs import Floats

IOU_EPS = 1e-3
THRESHOLD = 0.1
"""UniRig's; which one the paper's table has is not known. 0.01 and 0.001 are its others."""
BYTES_OF_HALF = BYTES_OF_CODE = 2


def support_iou(predicted: Floats, target: Floats, threshold: float = THRESHOLD) -> Floats:
    """(|p > th and w > th| + 0.001) / (|p > th or w > th| + 0.001), of each bone, (J,). Its mean is reported.

    1 where both are empty; 0.001 at most where one alone is.

    Args:
        predicted: (N, J), a column a bone.
        target: the same shape.
        threshold: th.

    Source: UniRig's released evaluation.
    """
    if np.shape(predicted) != np.shape(target):
        raise ValueError(f"predicted weights have the shape {np.shape(predicted)}, the target's {np.shape(target)}")
    for name, array in (("predicted", predicted), ("target", target)):
        if not np.isfinite(array).all():
            raise ValueError(f"{name} weights are not all finite: an overlap with them is no number")
    ours, theirs = np.asarray(predicted) > threshold, np.asarray(target) > threshold
    both, either = (ours & theirs).sum(0), (ours | theirs).sum(0)
    return np.asarray((both + IOU_EPS) / (either + IOU_EPS), np.float64)


def compression(vertices: float, length: int) -> float:
    """The bytes of a bone's column in half precision over those of its codes, two each.

    It does not count the mesh, which decoding needs and a rig has anyway, nor the network.

    >>> round(compression(6247.05, 32), 1), round(compression(6247.05, 4), 1)
    (195.2, 1561.8)
    """
    return BYTES_OF_HALF * vertices / (BYTES_OF_CODE * length)
