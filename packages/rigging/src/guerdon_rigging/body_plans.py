"""Bodies of animals and people: proportions, poses and optional parts are drawn anew for every seed.

Each plan takes a generator and gives a `Body`: left is +x, front is +z, up is +y.
"""

# ruff: noqa: RUF005 - lists are added to arrays here, coordinate by coordinate
from __future__ import annotations

import numpy as np

from guerdon_rigging.bodies import Body
from guerdon_rigging.rigs import Floats

Draw = np.random.Generator
SIDES = ((1.0, "left"), (-1.0, "right"))


def humanoid(draw: Draw) -> Body:
    """A person, a cartoon figure or a monster on two legs: sometimes winged, horned, tailed, or in a cape."""
    body = Body()
    bulk, cartoon = draw.uniform(0.75, 1.35), draw.uniform(0, 1)
    leg, torso = draw.uniform(0.65, 1.05) * (1 - 0.35 * cartoon), draw.uniform(0.5, 0.75)
    arm, shoulder, hip = draw.uniform(0.6, 0.85), draw.uniform(0.19, 0.3), draw.uniform(0.1, 0.15)
    thick = 0.115 * bulk
    hips = body.joint("hips", (0, leg + 0.12, 0))
    top, parent, base = leg + 0.12 + torso, hips, leg + 0.12
    count = int(draw.integers(2, 4))
    waist, chest = thick * draw.uniform(0.95, 1.3), thick * draw.uniform(1.25, 1.75)
    body.capsule(hips, (-hip * 0.6, base - 0.03, 0), (hip * 0.6, base - 0.03, 0), (thick * 1.15, thick * 1.15))
    for step in range(count):
        share = (step + 1) / count
        height, wide = base + 0.78 * torso * share, waist + (chest - waist) * share
        before = waist + (chest - waist) * step / count
        name = "chest" if step == count - 1 else f"spine_{step}"
        parent = body.bone(parent, name, (0, height, 0), (before * 1.1, wide * 1.1), flatness=1.25, swing=7)
    chest_at = parent
    neck_size = thick * draw.uniform(0.5, 0.75)
    neck = body.bone(chest_at, "neck", (0, top + 0.03, 0), (chest * 0.8, neck_size), flatness=1.2, swing=10)
    size = draw.uniform(0.12, 0.16) * (1 + 0.9 * cartoon)
    head_at = np.array([0, top + 0.03 + draw.uniform(0.03, 0.1), 0.01])
    head = body.bone(neck, "head", head_at, (neck_size, neck_size), swing=15)
    crown = head_at + [0, size * draw.uniform(1.2, 1.7), 0]
    body.capsule(head, head_at + [0, size * 0.75, 0.1 * size], crown, (size * 0.85, size))
    if draw.random() < 0.3:  # a snout or a nose
        body.capsule(
            head, head_at + [0, size * 0.8, 0], head_at + [0, size * 0.8, size * 1.35], (size * 0.6, size * 0.3)
        )
    tilt = np.radians(draw.uniform(-15, 80))  # arms: from a little above the T pose to hanging
    forearm, hand = thick * draw.uniform(0.42, 0.6), thick * draw.uniform(0.5, 0.75)
    fingers = int(draw.integers(2, 5)) if draw.random() < 0.3 else 0
    thigh, ankle = thick * draw.uniform(0.75, 1.0), thick * draw.uniform(0.5, 0.7)
    stance = draw.uniform(0.0, 0.18)
    for side, name in SIDES:
        down = np.array([side * np.cos(tilt), -np.sin(tilt), draw.uniform(-0.05, 0.15)])
        at = np.array([side * shoulder * 0.45, top - 0.07, 0])
        clavicle = body.bone(chest_at, f"{name}_shoulder", at, (chest * 0.75, thick * 0.8), swing=4)
        at = np.array([side * shoulder, top - 0.07, 0])
        upper = body.bone(clavicle, f"{name}_upper_arm", at, (thick * 0.75, thick * 0.7), swing=14)
        elbow = body.bone(upper, f"{name}_forearm", at + 0.45 * arm * down, (thick * 0.68, forearm * 1.1), swing=16)
        wrist_at = at + 0.85 * arm * down
        wrist = body.bone(elbow, f"{name}_hand", wrist_at, (forearm * 1.15, forearm * 0.8), swing=12)
        body.capsule(wrist, wrist_at, wrist_at + 0.12 * arm * down, (hand * 0.85, hand), flatness=1.3)
        for finger in range(fingers):
            spread = (finger - (fingers - 1) / 2) * hand * 0.95
            base_at = wrist_at + 0.16 * arm * down + [0, 0, spread]
            ends = base_at + np.arange(3)[:, None] * 0.075 * arm * (down + [0, 0, 2 * spread])
            body.chain(wrist, f"{name}_finger_{finger}", ends, np.full(3, hand * 0.36), swing=14)
        hip_at = np.array([side * hip, base - 0.06, 0])
        upper = body.bone(hips, f"{name}_thigh", hip_at, (thick * 1.1, thigh), swing=10)
        knee_at = hip_at + [side * stance * leg * 0.5, -0.47 * leg, 0.02]
        knee = body.bone(upper, f"{name}_shin", knee_at, (thigh, ankle * 1.25), swing=10)
        ankle_at = hip_at + [side * stance * leg, -0.92 * leg, -0.01]
        foot = body.bone(knee, f"{name}_foot", ankle_at, (ankle * 1.25, ankle * 0.85), swing=8)
        toe_at = ankle_at + [0, -0.05 * leg, draw.uniform(0.1, 0.16)]
        toe = body.bone(foot, f"{name}_toe", toe_at, (ankle, ankle * 0.9), swing=6)
        body.capsule(toe, toe_at, toe_at + [0, -0.01, 0.06], (ankle * 0.9, ankle * 0.8), flatness=1.3, normal=(0, 1, 0))
    if draw.random() < 0.25:
        _tail(draw, body, hips, np.array([0, base - 0.02, -0.08]), thick * 0.6, draw.uniform(0.4, 1.0))
    if draw.random() < 0.25:
        _horns(draw, body, head, crown, size)
    if draw.random() < 0.2:
        _wings(draw, body, chest_at, np.array([0.08, top - 0.1, -chest * 1.1]), draw.uniform(0.6, 1.0), 0.03, 0.35)
    elif draw.random() < 0.2:
        long = draw.uniform(0.5, 0.9) * (top - 0.1)
        lines = np.linspace(0, 1, 5)[:, None]
        points = np.array([0, top - 0.02, -chest]) + lines * [0, -long, -draw.uniform(0.1, 0.5) * long]
        widths = np.linspace(shoulder * 0.9, shoulder * draw.uniform(1.1, 1.6), 5)
        body.chain(chest_at, "cape", points, widths, flatness=5.0, swing=10)
    return body


def quadruped(draw: Draw) -> Body:
    """An animal on four legs, from a sausage dog to a giraffe."""
    body = Body()
    long, leg = draw.uniform(0.7, 1.3), draw.uniform(0.35, 0.9)
    thick, slim = draw.uniform(0.15, 0.26), draw.uniform(0.05, 0.08)
    sag = draw.uniform(-0.04, 0.05)
    count = int(draw.integers(2, 5))
    spots = np.linspace(0, 1, count + 1)
    points = np.stack([0 * spots, leg + thick + sag * np.sin(np.pi * spots), (spots - 0.5) * long], axis=1)
    hips = body.joint("hips", points[0])
    spine, girth = hips, thick * draw.uniform(0.85, 1.1)
    for step in range(1, count + 1):
        radii = (girth if step > 1 else thick, thick * draw.uniform(0.9, 1.15) if step == count else girth)
        name = "chest" if step == count else f"spine_{step - 1}"
        spine = body.bone(spine, name, points[step], radii, flatness=1.15, normal=(1, 0, 0), swing=6)
    neck_long, lift = draw.uniform(0.25, 0.85), np.radians(draw.uniform(10, 75))
    ahead = np.array([0, np.sin(lift), np.cos(lift)])
    links = int(draw.integers(1, 4))
    start = points[-1] + [0, 0.3 * thick, 0.4 * thick]
    ends = start + np.linspace(0, 1, links + 1)[:, None] * neck_long * ahead
    sizes = np.linspace(thick * 0.75, thick * draw.uniform(0.42, 0.6), links + 1)
    neck = body.chain(spine, "neck", ends, sizes, swing=10)[-1]
    size = thick * draw.uniform(0.55, 0.85)
    head = body.bone(neck, "head", ends[-1], (sizes[-1], size), swing=14)
    nose = np.array([0, -draw.uniform(0.05, 0.5), 1]) * size * draw.uniform(1.0, 2.4)
    body.capsule(head, ends[-1], ends[-1] + nose, (size, size * draw.uniform(0.4, 0.65)))
    ears = size * draw.uniform(0.8, 2.2)
    for side, name in SIDES:
        at = ends[-1] + [side * size * 0.55, size * 0.7, 0]
        tip = at + [side * ears * draw.uniform(0.1, 0.5), ears * 0.8, -0.1 * ears]
        ear = body.bone(head, f"{name}_ear", at, (size * 0.4, size * 0.35), swing=14)
        body.capsule(ear, at, tip, (size * 0.4, size * 0.22), flatness=1.8)
    if draw.random() < 0.25:
        _horns(draw, body, head, ends[-1] + [0, size * 0.6, 0], size)
    paw, out = slim * draw.uniform(1.0, 1.5), thick * 0.55
    for owner, at, where, bend in ((spine, points[-1], "front", -1.0), (hips, points[0], "hind", 1.0)):
        for side, name in SIDES:
            top = at + [side * out, -0.2 * thick, 0]
            upper = body.bone(owner, f"{name}_{where}_thigh", top, (thick * 0.8, slim * 1.7), swing=9)
            knee_at = top * [1, 0, 1] + [side * 0.02, leg * 0.52, -bend * 0.09 * leg]
            knee = body.bone(upper, f"{name}_{where}_shin", knee_at, (slim * 1.8, slim), swing=12)
            foot_at = top * [1, 0, 1] + [side * 0.02, paw, bend * 0.06 * leg - 0.03]
            foot = body.bone(knee, f"{name}_{where}_foot", foot_at, (slim * 1.1, slim * 0.85), swing=8)
            body.capsule(foot, foot_at, foot_at + [0, -0.1 * paw, paw * 1.1], (slim * 0.9, paw * 0.8))
    if draw.random() < 0.9:
        root = points[0] + [0, 0.4 * thick, -0.7 * thick]
        _tail(draw, body, hips, root, slim * draw.uniform(0.8, 1.6), draw.uniform(0.25, 0.9))
    if draw.random() < 0.12:
        _wings(draw, body, spine, points[-1] + [0.4 * thick, 0.7 * thick, -0.1], draw.uniform(0.6, 1.1), 0.035)
    return body


def snake(draw: Draw) -> Body:
    """A snake, an eel or a worm."""
    body = Body()
    count = int(draw.integers(7, 18))
    spots = np.linspace(0, 1, count + 1)
    waves, depth = draw.uniform(0.5, 2.0), draw.uniform(0.05, 0.3)
    rise = draw.uniform(0, 0.8) * np.maximum(spots - 0.7, 0) * 3 if draw.random() < 0.5 else 0 * spots
    along = 2.2 * spots
    points = np.stack([depth * np.sin(2 * np.pi * waves * spots), rise, along], axis=1)
    thick = draw.uniform(0.06, 0.13)
    radii = thick * (1 - (1 - spots) ** draw.uniform(1.5, 4.0) * 0.7) * np.where(spots > 0.85, 0.85, 1.0)
    root = body.joint("root", points[0])
    parent, before = root, radii[0]
    for step in range(1, count):
        parent = body.bone(parent, f"spine_{step}", points[step], (before, radii[step]), swing=14)
        before = radii[step]
    head = body.bone(parent, "head", points[-1], (before, thick * 0.8), swing=16)
    way = (points[-1] - points[-2]) / np.linalg.norm(points[-1] - points[-2])
    wide = thick * draw.uniform(1.0, 1.6)
    body.capsule(head, points[-1], points[-1] + way * thick * 2.2, (wide, thick * 0.7), flatness=1.3, normal=(0, 1, 0))
    if draw.random() < 0.2:  # a cobra's hood
        middle = (points[-3] + points[-2]) / 2
        body.capsule(parent - 1, middle, points[-2], (thick * 2.2, thick * 1.6), flatness=2.5, normal=(0, 1, 0))
    if draw.random() < 0.15:
        _horns(draw, body, head, points[-1] + way * thick + [0, thick * 0.5, 0], thick)
    return body


def insect(draw: Draw) -> Body:
    """An insect or a spider: three or four pairs of legs, feelers, sometimes wings, pincers or a sting."""
    body = Body()
    spider = draw.random() < 0.35
    pairs = 4 if spider else 3
    thorax_long, thick = draw.uniform(0.3, 0.45), draw.uniform(0.13, 0.2)
    up = draw.uniform(0.25, 0.5)
    root = body.joint("thorax", (0, up, 0))
    front = np.array([0, up, thorax_long / 2])
    body.capsule(root, (0, up, -thorax_long / 2), front, (thick, thick * 0.9), flatness=1.2, normal=(0, 1, 0))
    size = thick * draw.uniform(0.6, 1.0)
    head = body.bone(root, "head", front + [0, 0.02, thick * 0.6], (thick * 0.6, size * 0.7), swing=10)
    body.capsule(head, front + [0, 0.02, thick * 0.6], front + [0, -0.02, thick * 0.6 + size * 0.9], (size, size * 0.8))
    rear_long = draw.uniform(0.35, 0.9)
    parts = int(draw.integers(1, 4))
    spots = np.linspace(0, 1, parts + 1)
    start = np.array([0, up + 0.02, -thorax_long / 2 - thick * 0.4])
    rear = start + spots[:, None] * [0, draw.uniform(-0.15, 0.25), -rear_long]
    girth = thick * draw.uniform(1.0, 1.7)
    swell = girth * (0.55 + 0.45 * np.sin(np.pi * (0.15 + 0.75 * spots)))
    last = body.chain(root, "abdomen", rear, swell, swing=8)[-1]
    if draw.random() < 0.25:
        tip = body.bone(last, "sting", rear[-1], (swell[-1], swell[-1] * 0.6), swing=10)
        body.capsule(tip, rear[-1], rear[-1] + [0, 0.12, -0.15], (swell[-1] * 0.6, 0.02))
    reach, thin = draw.uniform(0.5, 1.0), draw.uniform(0.028, 0.045)
    knee_up = draw.uniform(0.1, 0.35)
    for pair in range(pairs):
        share = pair / (pairs - 1)
        fan = np.radians((45 - 90 * share) * draw.uniform(0.8, 1.1))
        for side, name in SIDES:
            way = np.array([side * np.cos(fan), 0, np.sin(fan)])
            at = np.array([side * thick * 0.55, up - 0.2 * thick, (0.5 - share) * thorax_long * 0.8])
            hip = body.bone(root, f"{name}_leg_{pair}_hip", at, (thick * 0.5, thin * 1.4), swing=8)
            knee_at = at + 0.42 * reach * way + [0, knee_up, 0]
            knee = body.bone(hip, f"{name}_leg_{pair}_shin", knee_at, (thin * 1.5, thin), swing=12)
            foot_at = at * [1, 0, 1] + 0.85 * reach * way + [0, 0.08, 0]
            foot = body.bone(knee, f"{name}_leg_{pair}_foot", foot_at, (thin, thin * 0.8), swing=12)
            body.capsule(foot, foot_at, foot_at + 0.12 * reach * way + [0, -0.08, 0], (thin * 0.8, thin * 0.7))
    for side, name in SIDES:
        if spider:
            break
        at = front + [side * size * 0.5, size * 0.6, thick * 0.6 + size * 0.6]
        ends = at + np.linspace(0, 1, 3)[:, None] * [side * 0.15, draw.uniform(0.05, 0.3), draw.uniform(0.2, 0.5)]
        body.chain(head, f"{name}_feeler", ends, np.array([thin, thin * 0.8, thin * 0.7]), swing=16)
    if not spider and draw.random() < 0.5:
        _wings(draw, body, root, np.array([0.3 * thick, up + 0.75 * thick, -0.02]), draw.uniform(0.5, 0.9), thin)
    if draw.random() < 0.25:
        for side, name in SIDES:  # a crab's or a stag beetle's
            at = front + [side * size * 0.9, 0, thick * 0.8]
            ends = at + np.array([[0, 0, 0], [side * 0.16, 0.02, 0.14], [side * 0.02, 0.02, 0.34]])
            body.chain(head, f"{name}_pincer", ends, np.array([0.05, 0.07, 0.035]), swing=12)
    return body


def bird(draw: Draw) -> Body:
    """A bird with its wings out."""
    body = Body()
    long, thick, leg = draw.uniform(0.4, 0.65), draw.uniform(0.15, 0.24), draw.uniform(0.2, 0.7)
    pitch = np.radians(draw.uniform(5, 50))
    ahead = np.array([0, np.sin(pitch), np.cos(pitch)])
    base = np.array([0, leg + thick, 0])
    hips = body.joint("hips", base - 0.3 * long * ahead)
    breast_at = base + 0.45 * long * ahead
    breast = body.bone(hips, "breast", breast_at, (thick * 0.85, thick), swing=5)
    links, neck_long = int(draw.integers(1, 5)), draw.uniform(0.15, 0.7)
    lift = np.radians(draw.uniform(40, 90))
    way = np.array([0, np.sin(lift), np.cos(lift)])
    ends = breast_at + 0.5 * thick * way + np.linspace(0, 1, links + 1)[:, None] * neck_long * way
    sizes = np.linspace(thick * 0.6, thick * 0.36, links + 1)
    neck = body.chain(breast, "neck", ends, sizes, swing=10)[-1]
    size = thick * draw.uniform(0.5, 0.7)
    head = body.bone(neck, "head", ends[-1], (sizes[-1], size * 0.8), swing=12)
    body.capsule(head, ends[-1], ends[-1] + [0, size * 0.3, size * 0.4], (size, size * 0.9))
    beak = draw.uniform(0.8, 2.5) * size
    body.capsule(head, ends[-1] + [0, 0.1 * size, size], ends[-1] + [0, -0.1 * size, size + beak], (size * 0.45, 0.03))
    _wings(draw, body, breast, breast_at + [thick * 0.6, thick * 0.35, -0.05], draw.uniform(0.6, 1.2), 0.035)
    tail_at = base - 0.65 * long * ahead
    tail = body.bone(hips, "tail", tail_at, (thick * 0.7, thick * 0.45), swing=10)
    fan = draw.uniform(0.2, 0.5)
    end = tail_at - fan * ahead * [1, 0.4, 1]
    body.capsule(tail, tail_at, end, (thick * 0.4, thick * draw.uniform(0.6, 1.1)), flatness=3, normal=(0, 1, 0))
    thin = draw.uniform(0.03, 0.045)
    for side, name in SIDES:
        top = base - 0.1 * long * ahead + [side * thick * 0.5, -0.4 * thick, 0]
        thigh = body.bone(hips, f"{name}_thigh", top, (thick * 0.6, thin * 2), swing=8)
        knee_at = top * [1, 0, 1] + [0, 0.55 * leg, 0.06 * leg]
        knee = body.bone(thigh, f"{name}_shin", knee_at, (thin * 2, thin), swing=12)
        foot_at = top * [1, 0, 1] + [0, thin, -0.02]
        foot = body.bone(knee, f"{name}_foot", foot_at, (thin, thin), swing=8)
        for spread in (-0.4, 0.4):
            toe = foot_at + np.array([spread, 0, 1]) * 0.14
            body.capsule(foot, foot_at, toe, (thin, thin * 0.8))
    return body


def fish(draw: Draw) -> Body:
    """A fish, a shark or a whale."""
    body = Body()
    count = int(draw.integers(3, 7))
    spots = np.linspace(0, 1, count + 1)
    thick, flat = draw.uniform(0.2, 0.4), draw.uniform(1.0, 2.2)
    lying = draw.random() < 0.3  # a ray or a whale is flat the other way, and beats its tail up and down
    normal = (0, 1, 0) if lying else (1, 0, 0)
    points = np.stack([0 * spots, 0 * spots, 0.7 - 1.5 * spots], axis=1)
    swell = thick * (1 - 0.78 * spots ** draw.uniform(1.0, 2.0))
    root = body.joint("head", points[0])
    nose = points[0] + [0, 0, draw.uniform(0.15, 0.4)]
    body.capsule(root, points[0], nose, (swell[0], swell[0] * draw.uniform(0.25, 0.6)), flatness=flat, normal=normal)
    spine = [root]
    for step in range(1, count + 1):
        pair = (float(swell[step - 1]), float(swell[step]))
        name = f"spine_{step}"
        spine.append(body.bone(spine[-1], name, points[step], pair, flatness=flat, normal=normal, swing=9))
    fin = draw.uniform(0.2, 0.45)
    across = np.array([1.0, 0, 0]) if lying else np.array([0, 1.0, 0])
    for side, name in ((1.0, "upper"), (-1.0, "lower")):
        at = points[-1] + side * 0.05 * across - [0, 0, 0.03]
        lobe = body.bone(spine[-1], f"{name}_tail_fin", at, (swell[-1], swell[-1] * 0.8), swing=8)
        end = at + fin * (side * across - [0, 0, draw.uniform(0.4, 1.0)])
        body.capsule(lobe, at, end, (0.09, 0.05), flatness=2.0, normal=normal)
    wide = swell[0] / (1 if lying else flat)
    for side, name in SIDES:
        at = points[1] + [side * wide * 0.7, -0.25 * thick, 0.05]
        size = draw.uniform(0.2, 0.5) * (1.6 if lying else 1)
        pectoral = body.bone(spine[1], f"{name}_fin", at, (0.09, 0.08), swing=12)
        end = at + size * np.array([side, -0.3, -0.6])
        body.capsule(pectoral, at, end, (0.1, 0.05), flatness=2.2, normal=(0, 1, 0))
    if draw.random() < 0.8:
        middle = max(1, count // 2)
        top = swell[middle] / (flat if lying else 1)
        at = points[middle] + [0, top * 0.7, 0]
        back = body.bone(spine[middle], "back_fin", at, (top * 0.5, 0.1), swing=6)
        body.capsule(back, at, at + [0, draw.uniform(0.15, 0.4), -0.2], (0.13, 0.05), flatness=2.2, normal=(1, 0, 0))
    return body


def _tail(draw: Draw, body: Body, owner: int, at: Floats, thick: float, long: float) -> None:
    """A curved chain that starts at `at` and points backwards."""
    count = int(draw.integers(2, 6))
    rise, curl = np.radians(draw.uniform(-50, 50)), np.radians(draw.uniform(-70, 70)) / count
    turns = rise + curl * np.arange(count)
    steps = np.stack([0 * turns, np.sin(turns), -np.cos(turns)], axis=1) * long / count
    points = at + np.concatenate([np.zeros((1, 3)), np.cumsum(steps, axis=0)])
    sizes = thick * np.linspace(1, draw.uniform(0.35, 1.2), count + 1)
    body.chain(owner, "tail", points, sizes, swing=14)


def _horns(draw: Draw, body: Body, owner: int, at: Floats, size: float) -> None:
    """A pair of horns, a joint each."""
    long, out = size * draw.uniform(1.0, 2.2), draw.uniform(0.2, 0.9)
    for side, name in SIDES:
        root = at + [side * size * 0.5, size * 0.2, 0]
        horn = body.bone(owner, f"{name}_horn", root, (size * 0.35, size * 0.3), swing=4)
        tip = root + long * np.array([side * out, 0.9, draw.uniform(-0.3, 0.3)])
        body.capsule(horn, root, tip, (size * 0.32, size * 0.14))


def _wings(draw: Draw, body: Body, owner: int, at: Floats, long: float, thin: float, least_back: float = 0.0) -> None:
    """A pair of flat wings with two or three joints each; `at` is the left one's root."""
    count = int(draw.integers(2, 4))
    lift, back = np.radians(draw.uniform(0, 55)), least_back + draw.uniform(0.0, 0.5)
    chord = long * draw.uniform(0.22, 0.38)
    for side, name in SIDES:
        way = np.array([side * np.cos(lift), np.sin(lift), -back])
        normal = np.array([-side * np.sin(lift), np.cos(lift), 0.0])
        root = at * [side, 1, 1]
        points = root + np.linspace(0, 1, count + 1)[:, None] * long * way
        sizes = chord * np.array([0.6, 1.0, 0.85, 0.55])[[0, 1, 3] if count == 2 else [0, 1, 2, 3]]
        first = body.bone(owner, f"{name}_wing_0", points[0], (sizes[0], sizes[0] * 0.8), flatness=2, normal=normal)
        body.capsule(first, points[0], points[1], (sizes[0], sizes[1]), flatness=sizes[0] / thin, normal=normal)
        for step in range(1, count):
            first = body.joint(f"{name}_wing_{step}", points[step], first, softness=sizes[step] * 0.6, swing=12)
            pair = (float(sizes[step]), float(sizes[step + 1]))
            body.capsule(first, points[step], points[step + 1], pair, flatness=pair[1] / thin, normal=normal)
