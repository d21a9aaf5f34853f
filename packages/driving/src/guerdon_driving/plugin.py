"""The names this package offers. Listing them imports none of what they point at."""

from __future__ import annotations

from guerdon.plugins import hookimpl
from guerdon.plugins.catalog import Register


@hookimpl
def guerdon_tasks(register: Register) -> None:
    """Frames to plan from."""
    register("driving/highway-v1", "guerdon_driving.tasks:Highway", summary="frames of highway-env, made on first use")


@hookimpl
def guerdon_claims(register: Register) -> None:
    """What the checkers are worth."""
    checkers = "guerdon_driving.checkers_claim:DrivingCheckers"
    register("driving_checkers", checkers, summary="PDMS ranks human-like, steady and random driving in that order")


@hookimpl
def guerdon_commands(register: Register) -> None:
    """`guerdon driving`."""
    register("driving", "guerdon_driving.commands:command", summary="closed loop: a trained planner drives highway-env")
