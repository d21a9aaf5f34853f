"""`Plans`: the trajectories of one scene that are such, as motions at 10 Hz, with the path that was driven beside them.

Axes: B trajectories given, R of them valid; the motions have R + 1 rows, the driven path last.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from guerdon.errors import TaskError
from guerdon_driving.motions import Motion, Start, cut, end_to_end, joined, motions, rows_of
from guerdon_driving.replays import cut_replay, replay
from guerdon_driving.scenes import Scene
from guerdon_driving.trajectories import MIN_POSES, faults, with_headings


class Plans:
    """What terms are computed of; see the module's head. Made by `plans_of`.

    Args:
        scene: at least four poses after now.
        reasons: B of them, why each trajectory is none; empty where it is one.
        poses: (R, N, 3) of the valid ones, after now, with headings.
        moved: the same at 10 Hz; None where there are none.
        step_s: seconds between the poses.
        start: see `motions`.

    Raises:
        TaskError: the scene is too short, or has too few poses in common with the trajectories.
    """

    def __init__(
        self, scene: Scene, reasons: list[str], poses: np.ndarray, moved: Motion | None, step_s: float, start: Start
    ) -> None:
        self.scene, self.count, self.step_s = scene, len(reasons), step_s
        self.speed = scene.speed if start == "speed" else None
        self.reasons, self._poses = reasons, poses
        self.rows = np.flatnonzero([not reason for reason in reasons])
        whole = replay(scene)
        driven = whole.human if start == "speed" else motions(scene.ego[None, 1:], scene.step_s)
        parts, length = [driven], whole.length
        if moved is not None:
            parts = [moved, driven]
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

    def scattered(self, values: Sequence[np.ndarray], missing: float) -> np.ndarray:
        """V values of the valid trajectories (and the driven path, left out), for all that were given: (V, B)."""
        found = np.full((len(values), self.count), missing)
        found[:, self.rows] = np.array(values)[:, : len(self.rows)]
        return found


def plans_of(
    scenes: Sequence[Scene], trajectories: Sequence[np.ndarray], step_s: float | None, start: Start
) -> list[Plans]:
    """The plans of several scenes; trajectories of as many poses, as far apart, are read and resampled together.

    Args:
        scenes: S of them.
        trajectories: (B, N, 2) or (B, N, 3) for each scene, poses after now.
        step_s: seconds between them; None: as in the scene.
        start: see `motions`.

    Raises:
        ValueError: trajectories of another shape, or of more or fewer scenes.
        TaskError: as for `Plans`.
    """
    alike: dict[tuple[int, int, float], list[tuple[int, Scene, np.ndarray]]] = {}
    for place, (scene, each) in enumerate(zip(scenes, trajectories, strict=True)):
        given = np.asarray(each, dtype=np.float64)
        if given.ndim != 3 or given.shape[2] not in (2, 3):
            raise ValueError(f"trajectories have the shape {given.shape}; (B, N, 2) or (B, N, 3) is needed")
        alike.setdefault((*given.shape[1:], step_s or scene.step_s), []).append((place, scene, given))
    found: dict[int, Plans] = {}
    for (*_, step), members in alike.items():
        places, theirs, parts = zip(*members, strict=True)
        given = end_to_end(parts)
        reasons = faults(given, step)
        valid = np.array([not reason for reason in reasons], dtype=bool)
        of = np.repeat(np.arange(len(parts)), [len(part) for part in parts])[valid]  # each valid one's scene
        poses, moved = given[valid], None
        if len(poses):
            poses = with_headings(poses)
            speeds = np.array([scene.speed for scene in theirs], dtype=np.float64)
            moved = motions(poses, step, speed=speeds[of] if start == "speed" else None)
        ends, begin = np.searchsorted(of, np.arange(len(parts) + 1)).tolist(), 0
        for number, (place, scene, part) in enumerate(zip(places, theirs, parts, strict=True)):
            rows = slice(*ends[number : number + 2])
            own = rows_of(moved, rows) if moved is not None and rows.start < rows.stop else None
            said, begin = reasons[begin : begin + len(part)], begin + len(part)
            found[place] = Plans(scene, said, poses[rows], own, step, start)
    return [found[place] for place in range(len(found))]
