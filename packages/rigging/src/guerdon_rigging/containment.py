"""Whether points are inside a mesh: by cells, by winding numbers, by rays.

Meshes of real rigs are mostly open, or of several parts that intersect. Cells of the filled grid take any mesh and say
inside for what is within a cell of the surface too; winding numbers take any mesh whose windings agree; rays take
closed surfaces only, and are exact there.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from guerdon.errors import ConfigError
from guerdon_rigging.rigs import Floats, Mesh, RigError
from guerdon_rigging.voxels import solid_voxels

Way = Literal["voxels", "winding", "rays"]


def inside(mesh: Mesh, points: Floats, way: Way = "voxels", resolution: int = 64) -> npt.NDArray[np.bool_]:
    """Whether each point is inside, (K,).

    Args:
        mesh: any for "voxels"; with windings that agree for "winding"; closed for "rays".
        points: (K, 3). For many calls on one mesh, make `guerdon_rigging.voxels.solid_voxels` once and ask it.
        way: "voxels": filled cells of a grid; "winding": generalised winding number > 0.5 (libigl, the extra
            `baselines` of guerdon-rigging); "rays": parity of crossings (trimesh, embreex).
        resolution: of the grid, along the longest side.

    Raises:
        RigError: "rays" of a mesh that is not closed, or a mesh without a triangle.
        ConfigError: no such way, or libigl is not installed.
    """
    if not len(mesh.faces):
        raise RigError("inside: the mesh has no triangle, so nothing is inside it")
    if way == "voxels":
        return solid_voxels(mesh, resolution).contains(points)
    if way == "winding":
        try:
            import igl
        except ImportError as error:
            raise ConfigError("winding numbers need libigl: pip install 'guerdon-rigging[baselines]'") from error
        numbers = igl.fast_winding_number(
            np.ascontiguousarray(mesh.vertices), np.ascontiguousarray(mesh.faces), np.ascontiguousarray(points)
        )
        return np.asarray(numbers > 0.5)
    if way == "rays":
        import trimesh

        solid = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
        if not solid.is_watertight:
            raise RigError("inside: the mesh is not closed, and parity of crossings means nothing; ask way='voxels'")
        return np.asarray(solid.contains(points), bool)
    raise ConfigError(f"inside: way is {way!r}; 'voxels', 'winding' or 'rays' is needed")
