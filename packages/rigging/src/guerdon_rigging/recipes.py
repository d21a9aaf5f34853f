"""The package's recipes: each is a file beside this module, read when somebody asks for it."""

from __future__ import annotations

from importlib.resources import files


def rigging() -> str:
    """The text of `rigging.yaml`."""
    return (files("guerdon_rigging") / "rigging.yaml").read_text(encoding="utf-8")


def rigging_skeletons() -> str:
    """The text of `rigging_skeletons.yaml`."""
    return (files("guerdon_rigging") / "rigging_skeletons.yaml").read_text(encoding="utf-8")
