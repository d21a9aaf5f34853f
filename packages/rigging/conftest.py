"""What all tests share. Without torch, modules that import it are not collected: neither tests nor examples."""

import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

_NEEDS_TORCH = re.compile(r"^(import|from) (torch|guerdon_rigging\.rig_policy)\b", re.MULTILINE)
_sources = Path(__file__).parent.rglob("*.py")

collect_ignore = [] if find_spec("torch") else [str(path) for path in _sources if _NEEDS_TORCH.search(path.read_text())]


@pytest.fixture(scope="session")
def spindle():
    """`spindle(seed, bones, axis, detail)`: a rig whose bones lie along one axis, from end to end."""
    return _spindle


def _spindle(seed=0, bones=3, axis=2, detail=3):
    """A stretched ball with bones of equal length; a vertex follows the nearest ones."""
    import trimesh

    from guerdon_rigging.rigs import Mesh, Rig, Skeleton

    radius = np.random.default_rng(seed).uniform(0.15, 0.35)
    ball = trimesh.creation.icosphere(subdivisions=detail)
    vertices = np.array(ball.vertices) * [radius, radius, 1.0]
    length = 2.0 / bones
    joints = np.zeros((bones, 3))
    joints[:, 2] = np.arange(bones) * length - 1
    weights = np.clip(1 - np.abs(vertices[:, 2:] - joints[:, 2] - length / 2) / length, 0, None)
    weights /= weights.sum(axis=1, keepdims=True)
    order = np.roll(np.arange(3), axis - 2)  # a turn, so that triangles stay right-handed
    mesh = Mesh(np.ascontiguousarray(vertices[:, order]), np.array(ball.faces, np.int64))
    return Rig(mesh, Skeleton(joints[:, order], np.arange(bones) - 1), weights, name=f"spindle-{seed}")
