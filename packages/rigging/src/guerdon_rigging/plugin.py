"""The names this package offers. Listing them imports none of what they point at."""

from __future__ import annotations

from guerdon.plugins import hookimpl
from guerdon.plugins.catalog import Register


@hookimpl
def guerdon_commands(register: Register) -> None:
    """`guerdon rig`."""
    register("rig", "guerdon_rigging.commands:command", summary="give a mesh a skeleton and a skin; score and draw rigs")
def guerdon_claims(register: Register) -> None:
    """What the package stands on."""
    geometry = "guerdon_rigging.geometry_claim:RiggingGeometry"
    register("rigging_geometry", geometry, summary="rigs are read rightly, and heat weights beat the closest bone")
