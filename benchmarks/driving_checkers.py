"""PDMS of many trajectories at once, against a loop over trajectories, poses and objects in plain Python.

    python benchmarks/driving_checkers.py            # 5 interleaved pairs of each kind, about two minutes
    python benchmarks/driving_checkers.py --quick    # a quarter of the trajectories, 2 pairs

The peer is what one writes first: per trajectory the spline of scipy and its Savitzky-Golay filter, then loops over
poses and objects with floats. It rejects boxes by their circles and points by a polygon's extent before it looks
closer, as ours does, and stops looking at an object after its first overlap. It has no invalid trajectories to find.

Two batches: one scene with 512 trajectories, and 64 scenes with 8 each, as a training batch has them. Scenes have 12
other vehicles over 4 s, four lanes and a curved road of 80 corners. Before anything is timed every term of every
trajectory is equal. Each scene is resampled for both before the clock starts, as it is kept between batches.
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
import statistics
import sys
import time
from collections.abc import Sequence

import numpy as np
from scipy.interpolate import CubicHermiteSpline, CubicSpline
from scipy.signal import savgol_filter

from guerdon_driving.comfort import BOUNDS
from guerdon_driving.composites import DAC, EP, NC, TTC, C
from guerdon_driving.pdms import pdms_many
from guerdon_driving.replays import replay
from guerdon_driving.scenes import Scene

TARGET = 50.0
TERMS = (NC, DAC, EP, TTC, C)
REAR = 0.282
Row = tuple[float, ...]
"""NC, DAC, EP, TTC, C and the composite."""
Area = tuple[tuple[float, float, float, float], list[list[float]]]
"""A polygon's extent and its corners."""


# -- the peer ----------------------------------------------------------------------------------------------------------


class Plain:
    """A scene in lists, made once for all its trajectories."""

    def __init__(self, scene: Scene) -> None:
        world = replay(scene)
        self.scene, self.size = scene, scene.ego_size
        self.others, self.speeds, self.sizes = world.others.tolist(), world.speeds.tolist(), scene.sizes.tolist()
        self.line = world.line.tolist()
        self.road, self.lanes = [[area(each) for each in some] for some in (scene.drivable, scene.lanes)]
        still = (0.0, 0.0, 0.0)
        self.start = [boxes_meet(still, self.size, o[0], size) for o, size in zip(self.others, self.sizes, strict=True)]


def plain(scenes: Sequence[Scene], trajectories: Sequence[np.ndarray]) -> list[Row]:
    rows = []
    for scene, some in zip(scenes, trajectories, strict=True):
        world = Plain(scene)
        nc, dac, metres, *_ = plain_row(world, scene.ego[1:])
        reference = metres * nc * dac
        for one in some:
            nc, dac, metres, ttc, comfort = plain_row(world, one)
            own = metres * nc * dac
            most = max(own, reference)
            ep = own / most if most > 5 else 1.0
            rows.append((nc, dac, ep, ttc, comfort, nc * dac * (5 * ep + 5 * ttc + 2 * comfort) / 12))
    return rows


def plain_row(world: Plain, trajectory: np.ndarray) -> Row:
    poses, speed, acceleration = plain_motion(world.scene, trajectory)
    length, width = world.size
    off, several = [], []
    for pose in poses:
        four = box_corners(pose, length, width)
        off.append(not all(any(point_in(each, point) for each in world.road) for point in four))
        counts = [sum(point_in(each, point) for point in four) for each in world.lanes]
        several.append(sum(count > 0 for count in counts) > 1 and 4 not in counts)

    nc, met = 1.0, list(world.start)
    for t, pose in enumerate(poses):
        for a, size in enumerate(world.sizes):
            if met[a] or not boxes_meet(pose, world.size, world.others[a][t], size):
                continue
            met[a] = True
            other = world.others[a][t]
            if speed[t] <= 0.05:
                continue
            if world.speeds[a][t] <= 0.05:
                fault = True
            elif seen_at(pose, length, other) > math.radians(150):
                fault = False
            else:
                cos, sin = math.cos(pose[2]), math.sin(pose[2])
                bumper = (pose[0] + length / 2 * cos, pose[1] + length / 2 * sin, pose[2])
                fault = boxes_meet(bumper, (0.0, width), other, size) or off[t] or several[t]
            if fault:
                nc = min(nc, 0.5 if world.scene.kinds[a] == "static" else 0.0)

    ttc, met = 1.0, list(world.start)
    for t, (x, y, heading) in enumerate(poses):
        if speed[t] < 0.005:
            continue
        for ahead in (0, 3, 6, 9):
            run = speed[t] * ahead * 0.1
            moved = (x + run * math.cos(heading), y + run * math.sin(heading), heading)
            for a, size in enumerate(world.sizes):
                if met[a] or not boxes_meet(moved, world.size, world.others[a][t + ahead], size):
                    continue
                met[a] = True
                angle = seen_at(moved, length, world.others[a][t + ahead])
                if angle < math.radians(30) or ((off[t] or several[t]) and angle <= math.radians(150)):
                    ttc = 0.0
    metres = max(along(world.line, poses[-1]) - along(world.line, poses[0]), 0.0)
    return nc, float(not any(off)), metres, ttc, plain_comfort(acceleration, [pose[2] for pose in poses])


def plain_motion(scene: Scene, trajectory: np.ndarray) -> tuple[list[list[float]], list[float], np.ndarray]:
    knots = np.arange(len(trajectory) + 1) * scene.step_s
    known = np.concatenate([np.zeros((1, 3)), trajectory])
    known[:, 2] = np.unwrap(known[:, 2])
    at = np.arange(round(knots[-1] * 10) + 1) / 10
    local = CubicHermiteSpline(knots, known[:, :2], np.gradient(known[:, :2], knots, axis=0, edge_order=2))
    heading = CubicSpline(knots, known[:, 2])(at)
    pull = CubicSpline(knots, known[:, :2], bc_type=((1, np.array([scene.speed, 0.0])), "not-a-knot"))(at, 2)
    velocity, cos, sin = local(at, 1), np.cos(heading), np.sin(heading)
    acceleration = np.stack([pull[:, 0] * cos + pull[:, 1] * sin, pull[:, 1] * cos - pull[:, 0] * sin])
    poses = np.column_stack([local(at), heading]).tolist()
    return poses, np.hypot(velocity[:, 0], velocity[:, 1]).tolist(), acceleration


def plain_comfort(acceleration: np.ndarray, heading: list[float]) -> float:
    def smooth(values: np.ndarray, window: int, order: int, derivative: int = 0, step: float = 1.0) -> np.ndarray:
        width = min(window, len(values))
        return np.round(savgol_filter(values, width, order, deriv=derivative, delta=step), 8)

    along, across, size = (smooth(each, 8, 2) for each in (*acceleration, np.hypot(*acceleration)))
    turned = np.unwrap(heading)
    found = [along, across, smooth(size, 15, 2, 1, 0.1), smooth(along, 15, 2, 1, 0.1)]
    found += [smooth(turned, 5, 3, 2, 0.1), smooth(turned, 5, 2, 1, 0.1)]
    return float(all(low < value < high for each, (low, high) in zip(found, BOUNDS.values()) for value in each))  # noqa: B905


def box_corners(pose: Sequence[float], length: float, width: float) -> list[tuple[float, float]]:
    x, y, heading = pose
    cos, sin = math.cos(heading), math.sin(heading)
    l, w = length / 2, width / 2  # noqa: E741
    return [
        (x + i * l * cos - j * w * sin, y + i * l * sin + j * w * cos) for i, j in ((1, 1), (-1, 1), (-1, -1), (1, -1))
    ]


def boxes_meet(
    one: Sequence[float], size: Sequence[float], other: Sequence[float], other_size: Sequence[float]
) -> bool:
    dx, dy = other[0] - one[0], other[1] - one[1]
    reach = math.hypot(*size) / 2 + math.hypot(*other_size) / 2
    if not dx * dx + dy * dy <= (reach + 1e-9) ** 2:
        return False
    cos, sin = abs(math.cos(other[2] - one[2])), abs(math.sin(other[2] - one[2]))
    for heading, (l, w), (m, v) in ((one[2], size, other_size), (other[2], other_size, size)):  # noqa: E741
        c, s = math.cos(heading), math.sin(heading)
        if abs(dx * c + dy * s) > (l + cos * m + sin * v) / 2 + 1e-9:
            return False
        if abs(dy * c - dx * s) > (w + sin * m + cos * v) / 2 + 1e-9:
            return False
    return True


def seen_at(pose: Sequence[float], length: float, other: Sequence[float]) -> float:
    x, y, heading = pose
    dx, dy = other[0] - x + REAR * length * math.cos(heading), other[1] - y + REAR * length * math.sin(heading)
    cos, sin = math.cos(heading), math.sin(heading)
    return abs(math.atan2(dy * cos - dx * sin, dx * cos + dy * sin))


def area(polygon: np.ndarray) -> Area:
    return (*polygon.min(axis=0).tolist(), *polygon.max(axis=0).tolist()), polygon.tolist()


def point_in(polygon: Area, point: tuple[float, float]) -> bool:
    (left, low, right, high), corners = polygon
    x, y = point
    if not (left <= x <= right and low <= y <= high):
        return False
    inside = False
    x0, y0 = corners[-1]
    for x1, y1 in corners:
        if (y0 <= y) != (y1 <= y) and ((x1 - x0) * (y - y0) - (y1 - y0) * (x - x0) > 0) == (y1 > y0):
            inside = not inside
        x0, y0 = x1, y1
    return inside


def along(line: list[list[float]], pose: Sequence[float]) -> float:
    best, place, begin = math.inf, 0.0, 0.0
    for (x0, y0), (x1, y1) in zip(line, line[1:]):  # noqa: B905, RUF007
        dx, dy = x1 - x0, y1 - y0
        square = dx * dx + dy * dy
        share = min(max(((pose[0] - x0) * dx + (pose[1] - y0) * dy) / max(square, 1e-300), 0.0), 1.0)
        off = (pose[0] - x0 - share * dx) ** 2 + (pose[1] - y0 - share * dy) ** 2
        if off < best:
            best, place = off, begin + share * math.sqrt(square)
        begin += math.sqrt(square)
    return place


# -- what is scored ----------------------------------------------------------------------------------------------------

RADIUS = 200.0
"""Of the road's bend, in metres; lanes are 3.5 m wide, the ego vehicle drives in the second from the right."""


def on_road(metres: np.ndarray, aside: np.ndarray | float) -> np.ndarray:
    """Poses at so many metres along the bend and so far to the left of the ego's lane."""
    angle = metres / RADIUS
    return np.stack([(RADIUS - aside) * np.sin(angle), RADIUS - (RADIUS - aside) * np.cos(angle), angle], axis=-1)


def made_scene(rng: np.random.Generator) -> Scene:
    along_road = np.linspace(-30, 110, 40)
    edges = [on_road(along_road, side)[:, :2] for side in (-5.25, -1.75, 1.75, 5.25, 8.75)]
    strips = [np.concatenate([right, left[::-1]]) for right, left in itertools.pairwise(edges)]
    road = np.concatenate([edges[0], edges[-1][::-1]])
    times, speed = np.arange(9) * 0.5, rng.uniform(6, 14)
    ego = on_road(times * speed, 0.0)
    begins, speeds = rng.uniform(-25, 70, 12), rng.uniform(0, 14, 12) * (rng.random(12) > 0.2)
    sides = rng.choice([-3.5, 0.0, 3.5, 7.0], 12) + rng.normal(0, 0.3, 12)
    others = on_road(begins[:, None] + speeds[:, None] * times, sides[:, None])
    kinds = tuple(rng.choice(["vehicle", "vehicle", "static"], 12).tolist())
    sizes = np.column_stack([rng.uniform(3.8, 5.5, 12), rng.uniform(1.7, 2.2, 12)])
    route = on_road(np.linspace(-10, 110, 40), 0.0)[:, :2]
    past = np.zeros((0, 3))
    return Scene(0.5, (4.6, 1.9), ego, speed, past, others, sizes, kinds, (road,), tuple(strips), route)


def made_plans(scene: Scene, count: int, rng: np.random.Generator) -> np.ndarray:
    times = np.arange(1, 9) * 0.5
    gain, drift = rng.normal(0, 1.5, (count, 1)), rng.normal(0, 0.6, (count, 1))
    metres = np.maximum.accumulate(np.maximum(scene.speed * times + gain * times**2 / 2, 0.0), axis=1)
    poses = on_road(metres, drift * times)
    poses[..., 2] -= np.arctan2(drift, scene.speed)
    return poses


def ours(scenes: Sequence[Scene], trajectories: Sequence[np.ndarray]) -> list[Row]:
    found = pdms_many(scenes, trajectories)
    return [row for one in found for row in zip(*(one.terms[name] for name in TERMS), one.value, strict=True)]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--quick", action="store_true", help="a quarter of the trajectories, 2 pairs")
    arguments.add_argument("--pairs", type=int, default=5)
    chosen = arguments.parse_args()
    share, pairs = (4, 2) if chosen.quick else (1, chosen.pairs)
    for count, attempts in ((1, 512 // share), (64 // share, 8)):
        rng = np.random.default_rng(0)
        scenes = [made_scene(rng) for _ in range(count)]
        trajectories = [made_plans(scene, attempts, rng) for scene in scenes]
        mine, theirs = np.array(ours(scenes, trajectories)), np.array(plain(scenes, trajectories))
        np.testing.assert_allclose(mine, theirs, atol=1e-9)
        shares = ", ".join(f"{name} {mean:.2f}" for name, mean in zip((*TERMS, "pdms"), mine.mean(axis=0), strict=True))
        print(f"\n{count} scenes of {attempts} trajectories: all terms are equal; means: {shares}")
        ratios = []
        for pair in range(pairs):
            start = time.perf_counter()
            plain(scenes, trajectories)
            middle = time.perf_counter()
            ours(scenes, trajectories)
            end = time.perf_counter()
            ratios.append((middle - start) / (end - middle))
            told = f"plain {middle - start:.2f} s, vectorised {1000 * (end - middle):.1f} ms, {ratios[-1]:.0f}x"
            print(f"  pair {pair + 1}: {told}, load {os.getloadavg()[0]:.1f}")
        low, median, high = min(ratios), statistics.median(ratios), max(ratios)
        verdict = "reached" if median >= TARGET else "MISSED"
        print(f"  ratio min {low:.0f} / median {median:.0f} / max {high:.0f}; target {TARGET:g}x {verdict}")


if __name__ == "__main__":
    sys.exit(main())
