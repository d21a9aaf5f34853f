"""The package's recipes: each is a file beside this module, read when somebody asks for it."""

from __future__ import annotations

from importlib.resources import files


def code() -> str:
    """The text of `code.yaml`."""
    return (files("guerdon_code") / "code.yaml").read_text(encoding="utf-8")


def code_turns() -> str:
    """The text of `code_turns.yaml`."""
    return (files("guerdon_code") / "code_turns.yaml").read_text(encoding="utf-8")
