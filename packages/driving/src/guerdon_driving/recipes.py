"""The package's recipes: each is a file beside this module, read when somebody asks for it."""

from __future__ import annotations

from importlib.resources import files


def driving() -> str:
    """The text of `driving.yaml`."""
    return (files("guerdon_driving") / "driving.yaml").read_text(encoding="utf-8")


def driving_words() -> str:
    """The text of `driving_words.yaml`."""
    return (files("guerdon_driving") / "driving_words.yaml").read_text(encoding="utf-8")


def driving_gpu() -> str:
    """The text of `driving_gpu.yaml`."""
    return (files("guerdon_driving") / "driving_gpu.yaml").read_text(encoding="utf-8")
