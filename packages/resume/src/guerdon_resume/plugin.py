"""The names this package offers. Listing them imports none of what they point at."""

from __future__ import annotations

from guerdon.plugins import hookimpl
from guerdon.plugins.catalog import Register


@hookimpl
def guerdon_rewards(register: Register) -> None:
    """The four parts of resume screening, and their total."""
    rewards = "guerdon_resume.rewards"
    register("resume/screening-v1", f"{rewards}:screening", summary="the weighted total, in [-1.4, 1.4]")
    register("resume/status-v1", f"{rewards}:Status", summary="the verdict by soft penalties, in [-2, 2]")
    register("resume/score-v1", f"{rewards}:ScoreNearness", summary="nearness to the gold score, in [-1, 1]")
    register("resume/skills-v1", f"{rewards}:Skills", summary="F1 of the skills that are found, in [-1, 1]")
    register("resume/experience-v1", f"{rewards}:Experience", summary="nearness of the years read, in [-1, 1]")
