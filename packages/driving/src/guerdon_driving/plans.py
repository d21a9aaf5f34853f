"""`Plans`: the trajectories of one scene that are such, as motions at 10 Hz, with the path that was driven beside them.

Axes: B trajectories given, R of them valid; the motions have R + 1 rows, the driven path last.
"""

from __future__ import annotations

import numpy as np

from guerdon.errors import TaskError
from guerdon_driving.motions import Motion, Start, cut, joined, motions
from guerdon_driving.replays import cut_replay, replay
from guerdon_driving.scenes import Scene
from guerdon_driving.trajectories import MIN_POSES, faults, with_headings


class Plans:
    """What terms are computed of; see the module's head.

    Args:
        scene: at least four poses after now.
        trajectories: (B, N, 2) or (B, N, 3), poses after now.
        step_s: seconds between them; None: as in the scene.
        start: see `motions`.

    Raises:
        ValueError: trajectories of another shape.
        TaskError: the scene is too short, or has too few poses in common with the trajectories.
    """

    def __init__(self, scene: Scene, trajectories: np.ndarray, step_s: float | None, start: Start) -> None:
        given = np.asarray(trajectories, dtype=np.float64)
        if given.ndim != 3 or given.shape[2] not in (2, 3):
            raise ValueError(f"trajectories have the shape {given.shape}; (B, N, 2) or (B, N, 3) is needed")
        self.scene, self.count = scene, len(given)
        self.step_s = step_s or scene.step_s
        self.speed = scene.speed if start == "speed" else None
        self.reasons = faults(given, self.step_s)
        self.rows = np.flatnonzero([not reason for reason in self.reasons])
        whole = replay(scene)
        driven = whole.human if start == "speed" else motions(scene.ego[None, 1:], scene.step_s)
        parts, self._poses, length = [driven], given[self.rows], whole.length
        if len(self.rows):
            self._poses = with_headings(self._poses)
            parts = [motions(self._poses, self.step_s, speed=self.speed), driven]
            length = min(part.poses.shape[1] for part in parts)
            if length <= MIN_POSES:
                said = f"the scene and the trajectories share {length} poses at 10 Hz; more than {MIN_POSES} are needed"
                raise TaskError(said)
        self.motion = joined([cut(part, length) for part in parts])
        self.replay = cut_replay(whole, length)

    def with_past(self) -> tuple[Motion, int]:
        """The motions with the recorded past before them, and how many poses that adds."""
        past, scene = self.replay.past, self.scene
        if not len(past):
            return self.motion, 0
        parts = [motions(scene.ego[None, 1:], scene.step_s, past=past, past_step_s=scene.step_s)]
        added = parts[0].poses.shape[1] - replay(scene).length
        if len(self.rows):
            parts.insert(0, motions(self._poses, self.step_s, past=past, past_step_s=scene.step_s))
        return joined([cut(part, added + self.replay.length) for part in parts]), added

    def scattered(self, values: np.ndarray, missing: float) -> np.ndarray:
        """Values of the valid trajectories (and the driven path, left out) as one per trajectory given: (B,)."""
        found = np.full(self.count, missing)
        found[self.rows] = values[: len(self.rows)]
        return found
