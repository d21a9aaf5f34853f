import contextlib
import io
import re
from pathlib import Path

from guerdon.plugins.catalog import catalog

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
SECTION = README[README.index("## ToolRL") :].split("\n## ")[0]


def test_the_snippet_prints_what_its_comments_say():
    """2.5 = 1 for the layout, and 6 * (1 + 1 + 1)/4 - 3 for the call."""
    (snippet,) = re.findall(r"```python\n(.*?)```", SECTION, flags=re.DOTALL)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(snippet, {})
    assert printed.getvalue().splitlines() == re.findall(r"^print\(.*\)  # (.+)$", snippet, flags=re.MULTILINE)


def test_every_name_on_the_page_is_registered():
    ours = {entry.name for kind in ("rewards", "tasks") for entry in catalog().entries(kind)}
    named = set(re.findall(r"`(code/[a-z0-9-]+-v\d)`", SECTION))
    assert len(named) == 8
    assert named <= ours
