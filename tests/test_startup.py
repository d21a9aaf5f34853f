"""What starting costs in imports. The milliseconds are measured by `benchmarks/startup.py`: no test is timed."""

import json
import subprocess
import sys

import pytest

HEAVY = {"torch", "transformers", "numpy", "pandas", "sqlglot", "duckdb", "peft", "pydantic"}


def modules_after(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter holds after `code`."""
    return {name.partition(".")[0] for name in loaded_after(code)}


def loaded_after(code: str) -> list[str]:
    asked = f"import sys\n{code}\nimport json\nprint('\\n' + json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, timeout=60, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def command_line(*arguments: str) -> str:
    return f"from guerdon.cli import main\nmain({list(arguments)!r}, standalone_mode=False)"


def test_importing_guerdon_brings_nothing_heavy():
    assert not modules_after("import guerdon") & HEAVY


@pytest.mark.parametrize("arguments", [("--help",), ("list",), ("list", "--json"), ("--version",)], ids=" ".join)
def test_help_and_list_import_nothing_heavy(arguments):
    assert not modules_after(command_line(*arguments)) & HEAVY


def test_help_does_not_import_rich():
    assert "rich" not in modules_after(command_line("--help"))


def test_building_the_catalog_imports_no_domain_code_but_the_plugin_modules():
    code = "from guerdon.plugins.catalog import catalog\nassert catalog().entries('rewards')"
    loaded = [name for name in loaded_after(code) if name.startswith("guerdon_") and "." in name]
    assert loaded
    assert all(name.endswith(".plugin") for name in loaded)
