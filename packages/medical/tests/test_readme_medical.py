"""The package's page: its first snippet prints what it says, and what it names is there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)\n```\n", README, flags=re.DOTALL)


def test_the_first_snippet_prints_what_the_page_says(capsys: pytest.CaptureFixture[str]) -> None:
    exec(SNIPPETS[0], {})
    promised = re.findall(r"^print\(.*\)  # (.+)$", SNIPPETS[0], flags=re.MULTILINE)
    assert len(promised) == 2
    assert capsys.readouterr().out.splitlines() == promised


def test_it_is_said_at_once_that_nothing_here_is_for_clinical_use() -> None:
    assert "Nothing here is for clinical use" in "".join(README.splitlines(keepends=True)[:6])


def test_every_registered_name_is_on_the_page() -> None:
    from guerdon.plugins.catalog import catalog

    kinds: Any = ("rewards", "tasks", "recipes", "commands")
    ours = {
        entry.name for kind in kinds for entry in catalog().entries(kind) if entry.distribution == "guerdon-medical"
    }
    assert {name for name in ours if f"`{name}" not in README and f"guerdon {name}" not in README} == set()
