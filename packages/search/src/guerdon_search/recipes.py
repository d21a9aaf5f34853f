"""The recipes that the package ships, as files that can be copied and changed."""

from __future__ import annotations

from importlib.resources import files


def search() -> str:
    """Search-Gen-V's two stages on the embedded 135M model."""
    return files(__package__).joinpath("search.yaml").read_text(encoding="utf-8")


def search_word_verifier() -> str:
    """The same reward, and 24 weights in place of a model."""
    return files(__package__).joinpath("search_word_verifier.yaml").read_text(encoding="utf-8")
