"""The skin of a body: a smooth union of its solids, as a watertight triangle mesh, and whose each vertex is.

A solid is evaluated on the part of the grid around it alone, which is what makes a creature a matter of a tenth of a
second. Marching cubes leaves slivers; two rounds of moving vertices along the surface to the middle of their
neighbours, and back onto it, even the triangles out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse
from scipy.ndimage import map_coordinates
from scipy.sparse.csgraph import connected_components
from skimage.measure import marching_cubes

from guerdon_rigging.bodies import Body, Solid
from guerdon_rigging.rigs import Floats, Ints, Mesh, RigError
from guerdon_rigging.weights import kept

VERTICES = (1500, 4000)
"""What a body's mesh may have."""
REACH = 6.0
"""Blends beyond which a solid is not felt: what is left out is exp(-6) of a blend."""
FLOOR = 0.02
"""Share of a row's largest weight below which an influence is dropped."""
MOST = 4
"""Influences of a vertex."""
TRIES = 8
"""Grids tried until one gives as many vertices as wanted."""


def surface(body: Body, vertices: int, *, generator: np.random.Generator, blend: float = 0.25) -> Mesh:
    """The body's skin in its own units: one watertight component, triangles wound outwards.

    Args:
        body: at least one solid.
        vertices: about how many, within `VERTICES`.
        generator: places the grid, so that no vertex of it lies on the surface exactly.
        blend: how softly solids run into each other, as a share of the body's usual thickness.

    Raises:
        RigError: no grid gives a single watertight component; a plan's fault.
    """
    area = sum(solid.area for solid in body.solids)
    step = float(np.sqrt(1.3 * area / vertices))
    shift = generator.uniform(0.1, 0.9, 3)
    for _ in range(TRIES):
        mesh = _marched([solid.at_least(1.25 * step) for solid in body.solids], step, shift, blend)
        count = len(mesh.vertices)
        if abs(count - vertices) <= 0.12 * vertices and VERTICES[0] <= count <= VERTICES[1]:
            return mesh
        step *= float(np.clip(np.sqrt(count / vertices), 0.7, 1.4))
    if VERTICES[0] <= count <= VERTICES[1]:
        return mesh
    raise RigError(f"the body got {count} vertices where about {vertices} were asked for; its plan is at fault")


def _marched(solids: Sequence[Solid], step: float, shift: Floats, blend: float) -> Mesh:
    """A mesh of cubes with the side `step`."""
    soft = blend * float(np.median([solid.thinnest for solid in solids]))
    margin = REACH * soft + 2 * step
    boxes = np.array([solid.bounds(margin) for solid in solids])
    origin = boxes[:, 0].min(axis=0) - step * shift
    cells = np.ceil((boxes[:, 1].max(axis=0) - origin) / step).astype(int) + 2
    felt = np.zeros(cells, np.float32)
    axes = [(origin[axis] + step * np.arange(cells[axis])).astype(np.float32) for axis in range(3)]
    for solid, (low, high) in zip(solids, boxes, strict=True):
        first = np.maximum(np.floor((low - origin) / step).astype(int), 0)
        last = np.minimum(np.ceil((high - origin) / step).astype(int) + 1, cells)
        part = tuple(slice(start, stop) for start, stop in zip(first, last, strict=True))
        points = np.stack(
            np.meshgrid(*(line[piece] for line, piece in zip(axes, part, strict=True)), indexing="ij"), -1
        )
        felt[part] += np.exp(np.clip(-solid.distances(points) / soft, -REACH - 20, 60), dtype=np.float32)
    field = -soft * np.log(np.maximum(felt, np.float32(np.exp(-REACH))))
    spots, faces, _, _ = marching_cubes(field, 0.0, gradient_direction="descent", allow_degenerate=True)
    spots, faces = _largest(spots.astype(np.float64), faces.astype(np.int64))
    spots = _evened(spots, faces, field)
    return Mesh(origin + step * spots, faces)


def _largest(vertices: Floats, faces: Ints) -> tuple[Floats, Ints]:
    """The component with the most vertices: what else there is are bubbles inside."""
    links = sparse.coo_matrix((np.ones(len(faces) * 2), (faces[:, :2].T.ravel(), faces[:, 1:].T.ravel())))
    links.resize(len(vertices), len(vertices))
    count, of = connected_components(links, directed=False)
    if count == 1:
        return vertices, faces
    kept = of == np.bincount(of).argmax()
    index = np.cumsum(kept) - 1
    return vertices[kept], index[faces[kept[faces[:, 0]]]]


def _evened(vertices: Floats, faces: Ints, field: Floats, rounds: int = 3) -> Floats:
    """The vertices in the middle of their neighbours, on the field's zero again. In units of the grid's cells."""
    ends = faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)  # each edge of a closed mesh twice, once in each direction
    links = sparse.csr_matrix((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), (len(vertices), len(vertices)))
    mean = sparse.diags(1 / np.maximum(links.sum(axis=1).A1, 1)) @ links
    slopes = np.gradient(field)
    for _ in range(rounds):
        vertices = vertices + 0.6 * (mean @ vertices - vertices)
        for _ in range(2):
            at = vertices.T
            slope = np.stack([map_coordinates(one, at, order=1, mode="nearest") for one in slopes], axis=1)
            height = map_coordinates(field, at, order=1, mode="nearest")
            move = (height / np.maximum((slope**2).sum(axis=1), 1e-6 * slopes[0].max() ** 2))[:, None] * slope
            vertices = vertices - np.clip(move, -0.5, 0.5)
    return vertices


def weights(body: Body, points: Floats) -> Floats:
    """Whose each point is, (N, 3) -> (N, J): at most `MOST` entries a row, rows sum to 1.

    The point belongs to the joint whose solids are nearest. Its parent and children share it, by a factor of
    exp(-gap / softness): the gap is how much farther off their solids are, the softness a share of the thickness at
    the joint between the two. No other joint has a part in it, so an arm that touches a leg does not move with it.

    Source: rigging_geometry sheet, "Made rigs": the distance to the owning bone and its tree neighbours; the
    exponential and its width [choice].
    """
    count = len(body.joints)
    distance = np.full((len(points), count), np.inf)
    for solid in body.solids:
        distance[:, solid.owner] = np.minimum(distance[:, solid.owner], solid.distances(points))
    owner = distance.argmin(axis=1)
    gap = distance - distance.min(axis=1, keepdims=True)
    softness = np.full((count, count), np.nan)
    for joint, parent in enumerate(body.parents):
        if parent >= 0:
            softness[joint, parent] = softness[parent, joint] = max(SHARE * body.softness[joint], 1e-9)
    scale = softness[owner]
    with np.errstate(invalid="ignore", over="ignore"):
        share = np.where(np.isnan(scale), 0.0, np.exp(-gap / scale))
    share[np.arange(len(points)), owner] = 1.0
    return kept(share, MOST, FLOOR)


SHARE = 0.35
"""Of the thickness at a joint, over which a neighbour's part falls to 1/e."""
