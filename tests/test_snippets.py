"""Every Python snippet of the READMEs and docs runs and prints what its comments say; relative links have targets."""

import contextlib
import io
import json
import re
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner

from guerdon.cli import main
from guerdon.plugins.catalog import catalog, register_local

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("packages/*/*.md"),
        *ROOT.glob("examples/*/*.md"),
        *ROOT.glob("benchmarks/*.md"),
    ]
)
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
PRINTED = re.compile(r"^print\(.*\)  # (.+)$", re.MULTILINE)
NEEDED = {"ray", "trl", "verifiers", "verl"}
"""Other people's packages that the page of that name runs with."""
LINK = re.compile(r"\]\((?!https?://|mailto:|#)([^)\s#]+)")


def label(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", [page for page in PAGES if BLOCK.search(page.read_text())], ids=label)
def test_the_snippets_of_a_page_run_and_print_what_they_say(page, tmp_path, monkeypatch):
    """Blocks of one page share their names, top to bottom; `print(...)  # 1.0` promises the line it prints."""
    if page.parent.name == "guerdon-hello" and find_spec("guerdon_hello") is None:
        pytest.skip("guerdon-hello is not installed: pip install ./examples/guerdon-hello")
    if page.name == "retrieval.md" and find_spec("bm25s") is None:
        pytest.skip("bm25s is not installed: pip install 'guerdon[retrieval]'")
    if page.name == "serving.md" and find_spec("fastapi") is None:
        pytest.skip("fastapi is not installed: pip install 'guerdon[serve]'")
    if page.parent.name == "adapters" and page.stem in NEEDED and find_spec(page.stem) is None:
        pytest.skip(f"{page.stem} is not installed; nox -s 'adapters({page.stem})' runs this page")
    monkeypatch.chdir(tmp_path)
    text = page.read_text(encoding="utf-8")
    names: dict[str, object] = {"__name__": "snippet"}
    printed = io.StringIO()
    for block in BLOCK.finditer(text):
        first = text.count("\n", 0, block.start(1))
        with contextlib.redirect_stdout(printed):
            exec(compile("\n" * first + block[1], str(page), "exec"), names)
    promised = [promise for block in BLOCK.finditer(text) for promise in PRINTED.findall(block[1])]
    if promised:
        assert printed.getvalue().splitlines() == promised


GUIDE = ROOT / "docs" / "reward-design.md"


@pytest.mark.parametrize("line", re.findall(r"^\$ guerdon (.+)$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE))
def test_the_commands_of_the_guide_run(line, tmp_path, monkeypatch):
    domain = line.split()[1].partition("/")[0]
    if find_spec(f"guerdon_{domain}") is None:
        pytest.skip(f"guerdon-{domain} is not installed: pip install ./packages/{domain}")
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, line.split())
    assert result.exit_code == 0, result.output


def test_the_guides_own_reward_is_audited_and_trained_by_the_commands_at_its_end(tmp_path, monkeypatch):
    """As its plugin would, had `pip install` run: the names that its hooks register stand for what the page defined."""
    monkeypatch.chdir(tmp_path)
    text = GUIDE.read_text(encoding="utf-8")
    section = text[text.index("## From the command line") :]
    names: dict[str, object] = {"__name__": "guide"}
    with contextlib.redirect_stdout(io.StringIO()):
        for block in BLOCK.findall(text):
            if not block.startswith("log = trained("):  # trained below, by name
                exec(compile(block, str(GUIDE), "exec"), names)
    catalog.cache_clear()
    for kind in ("tasks", "rewards", "policies"):

        def register(name, target, summary="", kind=kind):
            register_local(kind, name, names[target.partition(":")[2]])

        names[f"guerdon_{kind}"](register)
    (tmp_path / "shop.yaml").write_text(re.search(r"^```yaml\n(.*?)^```", section, re.DOTALL | re.MULTILINE)[1])
    commands = re.search(r"^```sh\n(.*?)^```", section, re.DOTALL | re.MULTILINE)[1].splitlines()
    try:
        said = {}
        for line in commands:
            if line.startswith("guerdon "):
                result = CliRunner().invoke(main, line.split()[1:])
                assert result.exit_code == 0, f"{line}: {result.output}"
                said[line.split()[1]] = result.output
    finally:
        catalog.cache_clear()
    assert list(said) == ["new", "audit", "train", "report"]
    assert "shop.yaml on shop/orders-v1: holds" in said["audit"]
    rewards = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    trained = [step["reward/right"] for step in rewards if "reward/right" in step]
    assert trained[0] < 0.3 < 0.9 < trained[-1]


@pytest.mark.parametrize("page", PAGES, ids=label)
def test_the_relative_links_of_a_page_lead_somewhere(page):
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{label(page)} links to {target}"
