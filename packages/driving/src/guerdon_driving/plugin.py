"""The names this package offers. Listing them imports none of what they point at."""

from __future__ import annotations

from guerdon.plugins import hookimpl
from guerdon.plugins.catalog import Register


@hookimpl
def guerdon_rewards(register: Register) -> None:
    """What planned trajectories earn."""
    plans = "guerdon_driving.trajectory_rewards"
    register("driving/pdms-v1", f"{plans}:PdmsReward", summary="NAVSIM's PDMS in a scene, in [0, 1]")
    register("driving/epdms-v1", f"{plans}:EpdmsReward", summary="NAVSIM v2's EPDMS in a scene, in [0, 1]")
    register("driving/collision-v1", f"{plans}:Collision", summary="no collision at fault, or none at all: 0, 0.5 or 1")
    register("driving/comfort-v1", f"{plans}:ComfortReward", summary="six bounds on accelerations and turning, 0 or 1")
    register("driving/l2-v1", f"{plans}:L2", summary="1 - min(L2, 5 m) / 5 m by a named convention; for reporting")
    register("driving/trajectory-v1", f"{plans}:TrajectoryReward", summary="PDMS, L2 and format together, -0.1 to 1.1")
