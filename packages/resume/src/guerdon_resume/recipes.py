"""The package's recipes: files beside this module, read when somebody asks for it."""

from __future__ import annotations

from importlib.resources import files


def resume() -> str:
    """The text of `resume.yaml`."""
    return (files("guerdon_resume") / "resume.yaml").read_text(encoding="utf-8")


def resume_scorecard() -> str:
    """The text of `resume_scorecard.yaml`."""
    return (files("guerdon_resume") / "resume_scorecard.yaml").read_text(encoding="utf-8")
