"""The package's page: its snippets print what they say, and what it names is there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)\n```\n", README, flags=re.DOTALL)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=range(len(SNIPPETS)))
def test_a_snippet_prints_what_it_says(snippet: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each alone: none needs what stands above it."""
    promised = re.findall(r"^print\(.*\)  # (.+)$", snippet, flags=re.MULTILINE)
    exec(snippet, {})
    assert capsys.readouterr().out.splitlines() == promised != []


def test_it_is_said_at_once_that_nothing_here_is_for_clinical_use() -> None:
    assert "Nothing here is for clinical use" in "".join(README.splitlines(keepends=True)[:6])


def test_every_registered_name_is_on_the_page() -> None:
    from guerdon.plugins.catalog import catalog

    kinds: Any = ("rewards", "tasks", "recipes", "commands")
    ours = {
        entry.name for kind in kinds for entry in catalog().entries(kind) if entry.distribution == "guerdon-medical"
    }
    assert {name for name in ours if f"`{name}" not in README and f"guerdon {name}" not in README} == set()
