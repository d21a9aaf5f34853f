"""Bodies of things with hinges, and of nothing in particular: lamps, cranes, chests, plants, random trees of capsules.

Hinged parts are rigid: where a prop bends, its skin mixes over a hair's breadth only.
"""

# ruff: noqa: RUF005 - lists are added to arrays here, coordinate by coordinate
from __future__ import annotations

import numpy as np

from guerdon_rigging.bodies import Body
from guerdon_rigging.rigs import Floats

Draw = np.random.Generator
HINGE = 0.01
"""Softness of a hinge."""


def lamp(draw: Draw) -> Body:
    """A desk lamp: a foot, two or three arms, a shade."""
    body = Body()
    root = body.joint("foot", (0, 0, 0))
    wide = draw.uniform(0.25, 0.45)
    if draw.random() < 0.5:
        body.capsule(root, (-0.01, 0, 0), (0.01, 0, 0), (wide, wide), flatness=wide / 0.07, normal=(0, 1, 0))
    else:
        body.box(root, (0, 0, 0), (wide, 0.07, wide * draw.uniform(0.6, 1.0)), rounding=draw.uniform(0.02, 0.07))
    thin = draw.uniform(0.035, 0.06)
    at, parent = np.array([0, 0.06, 0.0]), root
    arms = int(draw.integers(2, 4))
    for arm in range(arms):
        lean = np.radians(draw.uniform(10, 40) * (-1) ** arm)
        joint = body.joint(f"arm_{arm}", at, parent, softness=HINGE * 3, swing=14)
        end = at + draw.uniform(0.5, 0.9) * np.array([0, np.cos(lean), np.sin(lean)])
        body.capsule(joint, at, end, (thin * 1.3, thin))
        at, parent = end, joint
    shade = body.joint("shade", at, parent, softness=HINGE * 3, swing=20)
    way = np.array([0, -draw.uniform(0.2, 1.0), 1.0])
    long, mouth = draw.uniform(0.25, 0.4), draw.uniform(0.16, 0.26)
    body.capsule(shade, at, at + long * way / np.linalg.norm(way), (thin * 1.8, mouth))
    return body


def crane(draw: Draw) -> Body:
    """A crane or an industrial arm: a foot, a turning tower, two or three booms, a hook or a gripper."""
    body = Body()
    root = body.joint("foot", (0, 0.1, 0))
    side = draw.uniform(0.25, 0.4)
    body.box(root, (0, 0.08, 0), (side, 0.1, side * draw.uniform(0.8, 1.2)), rounding=0.03)
    height, thick = draw.uniform(0.4, 1.2), draw.uniform(0.09, 0.15)
    tower = body.joint("tower", (0, 0.18, 0), root, softness=HINGE, swing=30)
    body.box(tower, (0, 0.18 + height / 2, 0), (thick, height / 2, thick), rounding=0.02)
    at, parent = np.array([0, 0.18 + height, 0.0]), tower
    for boom in range(int(draw.integers(1, 4))):
        lift = np.radians(draw.uniform(-10, 50) - 35 * boom)
        way = np.array([0, np.sin(lift), np.cos(lift)])
        long = draw.uniform(0.5, 1.0)
        joint = body.joint(f"boom_{boom}", at, parent, softness=HINGE * 2, swing=10)
        slim = thick * (0.75 - 0.13 * boom)
        axes = np.stack([np.array([1.0, 0, 0]), np.cross(way, [1.0, 0, 0]), way], axis=1)
        body.box(joint, at + way * long / 2, (slim, slim, long / 2 + slim * 0.6), rounding=0.02, axes=axes)
        at, parent = at + way * long, joint
    if draw.random() < 0.5:
        drop = draw.uniform(0.2, 0.4)
        rope = body.joint("rope", at, parent, softness=HINGE * 2, swing=6)
        body.capsule(rope, at, at - [0, drop, 0], (0.035, 0.035))
        hook = body.joint("hook", at - [0, drop, 0], rope, softness=HINGE * 2, swing=6)
        body.box(hook, at - [0, drop + 0.06, 0], (0.08, 0.08, 0.06), rounding=0.02)
    else:
        wrist = body.joint("wrist", at, parent, softness=HINGE * 2, swing=20)
        body.capsule(wrist, at, at + [0, 0, 0.12], (thick * 0.5, thick * 0.5))
        for turn in (1.0, -1.0):
            root_at = at + [turn * thick * 0.5, 0, 0.16]
            claw = body.joint("left_claw" if turn > 0 else "right_claw", root_at, wrist, softness=HINGE * 2, swing=8)
            body.capsule(claw, root_at, root_at + [turn * 0.06, 0, 0.1], (0.045, 0.04))
            body.capsule(claw, root_at + [turn * 0.06, 0, 0.1], root_at + [turn * 0.02, 0, 0.24], (0.04, 0.03))
    return body


def chest(draw: Draw) -> Body:
    """A box with a lid, or a cupboard with doors, sometimes on feet."""
    body = Body()
    wide, high, deep = draw.uniform(0.4, 0.8), draw.uniform(0.25, 0.7), draw.uniform(0.25, 0.5)
    wall = 0.05
    root = body.joint("box", (0, high * 0.5, 0), swing=0)
    body.box(root, (0, high / 2, 0), (wide, high / 2, deep), rounding=draw.uniform(0.01, 0.05))
    if draw.random() < 0.6:
        hinge = np.array([0, high + 0.01, -deep])
        lid = body.joint("lid", hinge, root, softness=HINGE, swing=0)
        open_by = np.radians(draw.uniform(15, 100))
        turn = np.array([[1, 0, 0], [0, np.cos(open_by), np.sin(open_by)], [0, -np.sin(open_by), np.cos(open_by)]])
        thick = draw.uniform(0.03, 0.1)
        body.capsule(root, hinge - [0.9 * wide, 0, 0], hinge + [0.9 * wide, 0, 0], (wall, wall))
        body.box(lid, hinge + turn @ [0, thick, deep], (wide, thick, deep), rounding=0.03, axes=turn)
        if draw.random() < 0.5:
            knob = hinge + turn @ [0, thick, 2 * deep - 0.01]
            grip = body.joint("handle", knob, lid, softness=HINGE, swing=0)
            body.capsule(grip, knob - [0.1, 0, 0], knob + [0.1, 0, 0], (0.06, 0.06))
    else:
        for side, name in ((1.0, "left"), (-1.0, "right")):
            hinge = np.array([side * wide, high / 2, deep])
            door = body.joint(f"{name}_door", hinge, root, softness=HINGE, swing=0)
            open_by = side * np.radians(draw.uniform(20, 110))
            cos, sin = np.cos(open_by), np.sin(open_by)
            turn = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
            centre = hinge + turn @ [-side * wide * 0.5, 0, wall]
            body.capsule(root, hinge - [0, 0.4 * high, 0], hinge + [0, 0.4 * high, 0], (wall, wall))
            body.box(door, centre, (wide * 0.5, high * 0.48, wall), rounding=0.02, axes=turn)
    if draw.random() < 0.4:
        for x in (-1, 1):
            for z in (-1, 1):
                at = np.array([x * wide * 0.8, 0, z * deep * 0.75])
                name = f"{'left' if x > 0 else 'right'}_{'front' if z > 0 else 'back'}_foot"
                foot = body.joint(name, at, root, softness=HINGE, swing=0)
                body.capsule(foot, at, at - [0, draw.uniform(0.1, 0.25), 0], (0.07, 0.055))
    return body


def plant(draw: Draw) -> Body:
    """A stem that forks, with leaves."""
    body = Body()
    root = body.joint("root", (0, 0, 0))
    body.box(root, (0, 0, 0), (0.25, 0.12, 0.25), rounding=0.05)
    stem = np.array([0, 1.0, 0])
    tips: list[tuple[int, Floats, Floats, float]] = [(root, np.array([0, 0.1, 0]), stem, 0.09)]
    levels = int(draw.integers(2, 4))
    for level in range(levels):
        grown: list[tuple[int, Floats, Floats, float]] = []
        for branch, (owner, at, way, thick) in enumerate(tips):
            joint = body.joint(f"branch_{level}_{branch}", at, owner, softness=thick, swing=10)
            end = at + way * draw.uniform(0.35, 0.55)
            body.capsule(joint, at, end, (thick, thick * 0.8))
            forks = int(draw.integers(1, 3)) if level else int(draw.integers(2, 4))
            turn = draw.uniform(0, 2 * np.pi)
            for fork in range(forks):
                angle = turn + 2 * np.pi * fork / forks
                aside = np.array([np.cos(angle), 0, np.sin(angle)]) * draw.uniform(0.5, 0.9)
                heading = way + aside
                grown.append((joint, end, heading / np.linalg.norm(heading), thick * 0.75))
        tips = grown
    for leaf, (owner, at, way, thick) in enumerate(tips):
        joint = body.joint(f"leaf_{leaf}", at, owner, softness=thick, swing=14)
        aside = way + [0, -0.3, 0]
        long, wide = draw.uniform(0.2, 0.35), draw.uniform(0.08, 0.14)
        body.capsule(joint, at, at + 0.4 * long * aside, (thick, thick * 0.7))
        body.capsule(
            joint, at + 0.5 * long * aside, at + long * aside, (wide, wide * 0.6), flatness=3, normal=(0, 1, 0)
        )
    return body


def blob(draw: Draw) -> Body:
    """A random tree of tapered capsules: no animal, so that a policy does not learn animals alone."""
    body = Body()
    root = body.joint("joint_0", (0, 0, 0))
    thick = [draw.uniform(0.1, 0.2)]
    ways = [np.array([0.0, 1.0, 0.0])]
    ends = [0]
    body.capsule(root, (0, 0, 0), (0, 0.02, 0), (thick[0], thick[0]))
    total = int(draw.integers(5, 25))
    for index in range(1, total):
        fresh = ends[-1] if draw.random() < 0.6 else int(draw.integers(0, index))
        for _ in range(20):  # the way that leads farthest from what is there
            ways_on = ways[fresh] * (0.8 if fresh else 0.0) + draw.normal(0, 0.7, 3)
            ways_on = ways_on / np.linalg.norm(ways_on)
            size = max(thick[fresh] * draw.uniform(0.7, 1.05), 0.05)
            at = body.joints[fresh] + ways_on * size * draw.uniform(2.2, 4.0)
            others = np.array([joint for known, joint in enumerate(body.joints) if known != fresh]).reshape(-1, 3)
            if (np.linalg.norm(others - at, axis=1) > 2.2 * size).all():
                break
        body.bone(fresh, f"joint_{index}", at, (thick[fresh], size), flatness=draw.uniform(1.0, 1.5))
        thick.append(size)
        ways.append(ways_on)
        ends.append(index)
    for index in range(1, total):
        if index not in body.parents:
            tip = body.joints[index] + ways[index] * thick[index] * draw.uniform(0.5, 2.0)
            body.capsule(index, body.joints[index], tip, (thick[index], thick[index] * draw.uniform(0.6, 1.2)))
    return body
