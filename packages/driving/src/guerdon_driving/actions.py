"""The words a plan is made of: one speed action and one path action for the next three seconds, and their weights.

Source: AlphaDrive (arXiv 2503.07608), released code.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, get_args

Axis = Literal["speed", "path"]
SpeedAction = Literal["KEEP", "ACCELERATE", "DECELERATE", "STOP"]
PathAction = Literal["STRAIGHT", "LEFT_CHANGE", "RIGHT_CHANGE", "LEFT_TURN", "RIGHT_TURN"]

SPEED_ACTIONS: tuple[SpeedAction, ...] = get_args(SpeedAction)
PATH_ACTIONS: tuple[PathAction, ...] = get_args(PathAction)
ACTIONS: Mapping[Axis, tuple[str, ...]] = MappingProxyType({"speed": SPEED_ACTIONS, "path": PATH_ACTIONS})
"""The words of each axis, in the order the prompt lists them."""

WEIGHTS: Mapping[str, float] = MappingProxyType(
    {"KEEP": 0.8, "ACCELERATE": 0.9, "DECELERATE": 1.0, "STOP": 1.0}
    | {"STRAIGHT": 0.8, "LEFT_CHANGE": 1.0, "RIGHT_CHANGE": 1.0, "LEFT_TURN": 1.0, "RIGHT_TURN": 1.0}
)
"""What naming an action is worth: rarer and more critical ones more. The release's; the paper's Figure 2 shows
ACCELERATE as 1."""
