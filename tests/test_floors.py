"""The floors of core: every module imports from its own floor or from below.

Read from the source with `ast`, so that nothing has to be installed. What counts: imports at the top of a module and
inside functions. What does not: those under `if TYPE_CHECKING`, and names written as strings, as plugins register them.

Two arrows stay within a floor though they look otherwise: the operators of `Reward` (`rewards/base.py`) import, inside
their bodies, the algebra built on them; and `guerdon/__init__.py` finds its public names by string on first use.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CORE = ROOT / "packages" / "core" / "src" / "guerdon"

FLOORS = (
    {
        "types",
        "errors",
        "counting",
        "fields",
        "ties",
        "correlation",
        "progress",
        "cached_folders",
        "confined_paths",
        "posting",
        "recent",
    },
    {"protocols"},
    {"parsing", "rewards", "transforms", "advantages", "losses"},
    {"sandbox", "retrieval", "judges", "scorers", "engines", "policies", "environments", "controllers"},
    {"scoring"},
    {"preferences", "reward_models", "trainer", "runs", "comparing", "audit", "diagnostics", "claims", "conformance"},
    {"plugins", "plugin"},
    {"recipes"},
    {"grading"},
    {"serve", "adapters", "cli"},
)
FLOOR = {part: number for number, parts in enumerate(FLOORS) for part in parts}


def imports(source: str, package: str) -> Iterator[tuple[int, str]]:
    """(line, module) of each import that runs; a relative one is resolved against `package`."""
    pending: list[ast.AST] = [ast.parse(source)]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            pending += node.orelse
        elif isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package.split(".")[: -(node.level - 1) or None]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)
        else:
            pending += ast.iter_child_nodes(node)


def arrows_up(core: Path) -> list[str]:
    """Every import from a floor above, as `file:line imports module`."""
    found = []
    for path in sorted(core.rglob("*.py")):
        parts = path.relative_to(core.parent).with_suffix("").parts
        own = parts[1]
        for line, module in imports(path.read_text(encoding="utf-8"), ".".join(parts[:-1])):
            top, _, rest = module.partition(".")
            part = rest.partition(".")[0]
            if top != "guerdon" or (own == "__init__" and not part):
                continue
            where = f"{path.relative_to(core.parent)}:{line}"
            if part not in FLOOR:
                found.append(f"{where} imports {module}: import it from the module it lives in")
            elif own not in FLOOR:
                found.append(
                    f"{where}: {own!r} stands on no floor; give it one in this test and in docs/architecture.md"
                )
            elif FLOOR[part] > FLOOR[own]:
                found.append(f"{where} imports {module}, from a floor above {own!r}")
    return found


def test_no_import_in_core_points_up():
    up = arrows_up(CORE)
    assert not up, f"the first of {len(up)} arrows that point up: {up[0]}"


def test_domain_packages_import_core_and_no_other_domain():
    domains = {path.name for path in ROOT.glob("packages/*/src/guerdon_*")}
    for folder in ROOT.glob("packages/*/src/guerdon_*"):
        for path in sorted(folder.rglob("*.py")):
            for line, module in imports(path.read_text(encoding="utf-8"), folder.name):
                top = module.partition(".")[0]
                assert top not in domains - {folder.name}, f"{path.relative_to(ROOT)}:{line} imports {module}"


def test_core_imports_no_domain():
    for path in sorted(CORE.rglob("*.py")):
        for line, module in imports(path.read_text(encoding="utf-8"), "guerdon"):
            assert not module.startswith("guerdon_"), f"{path.relative_to(ROOT)}:{line} imports {module}"


@pytest.mark.parametrize(
    "source",
    [
        "from guerdon.trainer import Trainer",
        "import guerdon.cli.listing",
        "def f():\n    from guerdon import recipes",
        "from ..scoring import Runner",
    ],
)
def test_an_arrow_that_points_up_is_named_with_its_line(source, tmp_path):
    (tmp_path / "guerdon" / "rewards").mkdir(parents=True)
    (tmp_path / "guerdon" / "rewards" / "clever.py").write_text(source)
    (said,) = arrows_up(tmp_path / "guerdon")
    assert said.startswith(f"guerdon/rewards/clever.py:{source.count(chr(10)) + 1} imports guerdon.")


def test_an_import_for_type_checkers_points_nowhere(tmp_path):
    (tmp_path / "guerdon" / "rewards").mkdir(parents=True)
    text = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from guerdon.trainer import Trainer\n"
    (tmp_path / "guerdon" / "rewards" / "clever.py").write_text(text)
    assert arrows_up(tmp_path / "guerdon") == []
