"""Collisions as open-loop evaluations count them, for comparison with published tables only: convention `vad`.

The released metric paints the other vehicles and people into 200 x 200 cells of half a metre around the ego vehicle,
and lays an ego box over them that is moved half a metre forward and **never turned**: a turning ego vehicle is judged
by a box that is not its own. For anything else use `boxes.overlap`, which is exact.

A cell is painted when its node lies in the box whose corners were rounded to nodes; the released code's drawing library
also paints the outline's own cells, half a cell further at most [choice].

Axes: S samples or trajectories, N poses, A others. Frame: x forward, y left.
"""

from __future__ import annotations

import numpy as np

from guerdon_driving.boxes import corners

CELLS, CELL_M = 200, 0.5
"""The grid covers 50 m to each side."""
EGO_SIZE = (4.084, 1.85)
FORWARD_M = 0.5
"""By how much the ego box is moved."""


def painted(others: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Cells that others cover, pose by pose: bool (N, 200, 200), rows from front to back, columns from left to right.

    Args:
        others: (A, N, 3), vehicles and people; NaN where one is not there.
        sizes: (A, 2).
    """
    length = others.shape[1]
    grid = np.zeros((length, CELLS, CELLS), dtype=bool)
    nodes = np.stack(np.meshgrid(np.arange(CELLS), np.arange(CELLS), indexing="ij"), axis=-1)  # row, column
    there = np.isfinite(others).all(axis=-1)
    for other, pose in zip(*np.nonzero(there), strict=True):
        at = corners(others[other, pose], sizes[other])
        quad = np.round((np.array([1.0, 1.0]) * CELLS * CELL_M / 2 - at) / CELL_M)  # rows from x, columns from y
        low, high = quad.min(axis=0).astype(int), quad.max(axis=0).astype(int)
        low, high = np.maximum(low, 0), np.minimum(high, CELLS - 1)
        if (low > high).any():
            continue
        part = (slice(low[0], high[0] + 1), slice(low[1], high[1] + 1))
        run = np.roll(quad, -1, axis=0) - quad
        to = nodes[part][..., None, :] - quad
        side = run[:, 0] * to[..., 1] - run[:, 1] * to[..., 0]
        grid[pose][part] |= (side >= 0).all(axis=-1) | (side <= 0).all(axis=-1)
    return grid


def ego_cells() -> np.ndarray:
    """The cells of the ego box at the origin, (32, 2): rows and columns."""
    half_length, half_width = EGO_SIZE[0] / 2, EGO_SIZE[1] / 2
    centre = -CELLS * CELL_M / 2 + CELL_M / 2
    ahead = (np.array([-half_length, half_length]) + FORWARD_M - centre) / CELL_M
    right = (np.array([-half_width, half_width]) - centre) / CELL_M
    rows = np.arange(np.ceil(ahead[0]), np.floor(ahead[1]) + 1)
    columns = np.arange(np.ceil(right[0]), np.floor(right[1]) + 1)
    return np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1).reshape(-1, 2)


def hits(paths: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Which poses' ego boxes lie over a painted cell: bool (S, N).

    Args:
        paths: (S, N, 2 or 3); cells beyond the border are moved onto it, as the released code does. NaN hits nothing.
        grid: bool (N, 200, 200).
    """
    known = np.isfinite(paths[..., :2]).all(axis=-1)
    at = np.where(known[..., None], paths[..., :2], 0.0)
    cells = ego_cells()
    rows = np.clip(CELLS - (cells[:, 0] + at[..., 0, None] / CELL_M), 0, CELLS - 1).astype(int)
    columns = np.clip(cells[:, 1] - at[..., 1, None] / CELL_M, 0, CELLS - 1).astype(int)
    return np.asarray(grid[np.arange(paths.shape[1])[:, None], rows, columns].any(axis=-1) & known)


def points_hit(paths: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Which poses' centres lie in a painted cell: bool (S, N). Beyond the border nothing is hit."""
    half = CELLS * CELL_M / 2
    with np.errstate(invalid="ignore"):
        row, column = (half - paths[..., 0]) / CELL_M, (half - paths[..., 1]) / CELL_M
        within = (row >= 0) & (row < CELLS) & (column >= 0) & (column < CELLS)  # not so for NaN
    row, column = np.where(within, row, 0).astype(int), np.where(within, column, 0).astype(int)
    return np.asarray(grid[np.arange(paths.shape[1]), row, column] & within)


def vad_collision_rate(
    paths: np.ndarray, human: np.ndarray, grid: np.ndarray, *, until: int, points: bool = False
) -> np.ndarray:
    """Collision rate up to a horizon, (S,): the mean over its poses; a pose where the human's box collides counts 0.

    Args:
        paths: (S, N, 2 or 3), poses after now.
        human: (N, 2 or 3), the path that was driven.
        grid: `painted`, of the same poses.
        until: poses up to the horizon.
        points: whether the centre alone is asked about, rather than the box.
    """
    hit = points_hit(paths, grid) if points else hits(paths, grid)
    return np.asarray((hit & ~hits(human[None], grid))[:, :until].mean(axis=1))
