"""What the plugin registers for plans in words is there, is what its name says, and costs nothing to list."""

import importlib
import subprocess
import sys

import pytest

from guerdon_driving import plugin

HOOKS = ("rewards", "tasks", "claims", "attacks")
OURS = {
    "driving/alphadrive-v1",
    "driving/format-v1",
    "driving/plan-f1-v1",
    "driving/plan-exact-v1",
    "driving/class-f1-v1",
    "driving/reasoning-bleu-v1",
    "driving/jsonl-v1",
    "driving/every-action",
    "driving/two-plans",
    "driving/no-plan",
    "driving/words-in-thought",
    "driving/other-layout",
    "alphadrive",
}


def offered():
    found = {}
    for hook in HOOKS:
        getattr(plugin, f"guerdon_{hook}")(lambda name, target, summary="": found.update({name: (target, summary)}))
    return found


@pytest.mark.parametrize("name", sorted(OURS))
def test_each_name_leads_to_what_bears_it(name):
    target, summary = offered()[name]
    module, _, attribute = target.partition(":")
    assert getattr(importlib.import_module(module), attribute).name == name
    assert summary


def test_neither_listing_nor_the_claims_module_imports_numpy():
    code = (
        "import sys, guerdon_driving.plugin, guerdon_driving.alphadrive_claim, guerdon_driving.rewards; "
        "print('numpy' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"
