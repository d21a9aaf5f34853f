"""The package's recipes: each is a file beside this module, read when somebody asks for it."""

from __future__ import annotations

from importlib.resources import files


def page() -> str:
    """The text of `page.yaml`."""
    return (files("guerdon_page") / "page.yaml").read_text(encoding="utf-8")


def page_ppo() -> str:
    """The text of `page_ppo.yaml`."""
    return (files("guerdon_page") / "page_ppo.yaml").read_text(encoding="utf-8")


def page_ranker() -> str:
    """The text of `page_ranker.yaml`."""
    return (files("guerdon_page") / "page_ranker.yaml").read_text(encoding="utf-8")


def page_allocation() -> str:
    """The text of `page_allocation.yaml`."""
    return (files("guerdon_page") / "page_allocation.yaml").read_text(encoding="utf-8")
