"""`driving/highway-trajectories-v1`: the frames of `driving/highway-v1`, answered with poses instead of words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from guerdon.rewards import Reward
from guerdon.types import Example, Image, Message, Prompt
from guerdon_driving.examples import POSE_STEP_S, DrivingExample, Pose, driving_example
from guerdon_driving.tasks import BuiltFrames


@dataclass(frozen=True, kw_only=True)
class HighwayTrajectories(BuiltFrames):
    """Planning a trajectory from frames of highway-env: six poses, every 0.5 s.

    The same files as `driving/highway-v1`, and what rewards of trajectories are audited on. Keep `scenes` on for those
    that check collisions, road and traffic.
    """

    name: ClassVar[str] = "driving/highway-trajectories-v1"

    def prompt(self, example: Example) -> Prompt:
        """The frame, then speed, navigation and the question."""
        driving = driving_example(example)
        images = (Image(path=driving.image),) if driving.image else ()
        return Prompt((Message("user", _asked(driving), images),))

    def reference(self, example: Example) -> str:
        """The reasoning and the poses that were driven."""
        driving = driving_example(example)
        return f"{driving.thinking} <answer> {json.dumps(_rounded(driving.future))} </answer>"

    def picture(self, example: Example, completion: str) -> bytes | None:
        """The frame; from above, with the planned path over the driven one."""
        from guerdon_driving.pictures import path_picture

        return path_picture(driving_example(example), completion, POSE_STEP_S, above=self.view == "bird")

    def metrics(self) -> Mapping[str, Reward]:
        """PDMS, collisions, comfort, L2 by both conventions (as 1 - L2 / 5 m), and the layout."""
        from guerdon_driving.rewards import Format
        from guerdon_driving.trajectory_rewards import L2, Collision, ComfortReward, PdmsReward

        return {
            "pdms": PdmsReward(),
            "no_collision": Collision(),
            "comfort": ComfortReward(),
            "l2_mean_up_to_3s": L2(),
            "l2_at_3s": L2(convention="at_horizon"),
            "format": Format(),
        }


def _asked(example: DrivingExample) -> str:
    return (
        f"You drive at {example.speed:.1f} m/s, and the navigation says: {example.navigation.strip() or 'none'}. Going "
        "by the driving scene and the navigation, what path do you plan for the next three seconds? Put your reasoning "
        "in <think> </think> tags and then, in <answer> </answer> tags, where you are after 0.5, 1, 1.5, 2, 2.5 and 3 "
        "seconds: a JSON list of six [x, y, heading], x metres ahead of where you are now, y metres to the left, the "
        "heading in radians, to the left. An answer in the right format: <think> reasoning about the path </think> "
        "<answer> [[5.0, 0.0, 0.0], [10.0, 0.1, 0.02], [15.0, 0.2, 0.03], [20.0, 0.4, 0.04], [25.0, 0.7, 0.06], "
        "[30.0, 1.1, 0.08]] </answer>"
    )


def _rounded(future: Sequence[Pose]) -> list[list[float]]:
    return [[round(value, 3) for value in pose] for pose in future]
