"""Where a picture is taken from: a pinhole camera, the same here and in a viewer."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from guerdon.errors import ConfigError
from guerdon.fields import check_numbers
from guerdon_rigging.rigs import Floats, Ints


@dataclass(frozen=True)
class Camera:
    """Looks at `target` from `distance` away; y is up.

    Raises:
        ConfigError: a yaw that is not finite, or a pitch that is not between -90 and 90.
    """

    yaw: float = 30.0
    """Degrees about the upright axis: 0 looks at the front (from +z), 90 at the left side (from +x)."""
    pitch: float = 12.0
    """Degrees from which it looks down, between -90 and 90."""
    distance: float = 5.0
    target: tuple[float, float, float] = (0.0, 0.0, 0.0)
    field_of_view: float = 30.0
    """Degrees from the lower to the upper edge of a square picture."""

    def __post_init__(self) -> None:
        check_numbers(self, "yaw", "pitch")
        if not np.isfinite(self.yaw):
            raise ConfigError(f"yaw is {self.yaw!r}; a finite number of degrees is needed")
        if not -90 < self.pitch < 90:  # straight from above no side is up
            raise ConfigError(f"pitch is {self.pitch!r}; a number of degrees between -90 and 90 is needed")

    @property
    def eye(self) -> Floats:
        """(3,): where it stands."""
        yaw, pitch = np.radians([self.yaw, self.pitch])
        away = np.array([np.cos(pitch) * np.sin(yaw), np.sin(pitch), np.cos(pitch) * np.cos(yaw)])
        stands: Floats = np.array(self.target) + self.distance * away
        return stands

    @property
    def axes(self) -> Floats:
        """(3, 3): right, up and backwards as rows."""
        back = (self.eye - np.array(self.target)) / self.distance
        right = np.cross([0.0, 1.0, 0.0], back)
        right = right / np.linalg.norm(right)
        found: Floats = np.stack([right, np.cross(back, right), back])
        return found

    def project(self, points: Floats, size: int) -> tuple[Floats, Floats]:
        """(N, 3) -> pixels (N, 2), x to the right and y down, and depths (N,) away from the eye."""
        seen = (points - self.eye) @ self.axes.T
        depth = -seen[:, 2]
        scale = size / 2 / np.tan(np.radians(self.field_of_view / 2))
        flat = seen[:, :2] / np.maximum(depth, 1e-9)[:, None] * scale
        return np.stack([size / 2 + flat[:, 0], size / 2 - flat[:, 1]], axis=1), depth

    def directions(self, columns: Ints, rows: Ints, size: int) -> Floats:
        """The ways (P, 3), of length 1, in which the middles of those pixels are seen."""
        scale = 2 * np.tan(np.radians(self.field_of_view / 2)) / size
        flat = np.stack([(columns + 0.5 - size / 2) * scale, (size / 2 - rows - 0.5) * scale, -np.ones(len(rows))], 1)
        ways: Floats = flat @ self.axes
        ways /= np.linalg.norm(ways, axis=1, keepdims=True)
        return ways


def framed(points: Floats, yaw: float = 30.0, pitch: float = 12.0, *, field_of_view: float = 30.0) -> Camera:
    """A camera that has all the points in its picture whatever its yaw, so that a turntable does not jump."""
    low, high = points.min(axis=0), points.max(axis=0)
    centre = (low + high) / 2
    radius = max(float(np.linalg.norm(points - centre, axis=1).max()), 1e-6)
    distance = 1.03 * radius / np.sin(np.radians(field_of_view / 2))
    x, y, z = centre.tolist()
    return Camera(yaw, pitch, distance, (x, y, z), field_of_view)


def snug(points: Floats, yaw: float = 30.0, pitch: float = 12.0, *, field_of_view: float = 30.0) -> Camera:
    """A camera whose picture the points fill from that side, but for a margin."""
    camera = framed(points, yaw, pitch, field_of_view=field_of_view)
    for _ in range(12):  # a step nearer changes the perspective, and with it the outline
        seen, _ = camera.project(points, 1)
        low, high = seen.min(axis=0), seen.max(axis=0)
        height = 2 * camera.distance * np.tan(np.radians(field_of_view / 2))
        across, down = ((low + high) / 2 - 0.5) * height
        x, y, z = (np.array(camera.target) + across * camera.axes[0] - down * camera.axes[1]).tolist()
        nearest = float((points - np.array([x, y, z])).dot(camera.axes[2]).max())  # it stays in front of the mesh
        distance = max(camera.distance * float((high - low).max()) / FILLED, 1.05 * nearest, 1e-6)
        settled = abs(distance / camera.distance - 1) < 2e-3
        camera = replace(camera, target=(x, y, z), distance=distance)
        if settled:
            break
    return camera


FILLED = 0.88
"""Of a picture's side, by what a snug camera shows."""
