"""What the plugin registers is there, is what its name says, and costs nothing to list."""

import importlib
import subprocess
import sys

import pytest

from guerdon.plugins.catalog import KINDS
from guerdon_rigging import plugin


def offered():
    found = {}
    for hook in KINDS:
        function = getattr(plugin, f"guerdon_{hook}", None)
        if hook in ("rewards", "tasks", "claims", "attacks") and function is not None:
            function(lambda name, target, summary="": found.update({name: (target, summary)}))
    return found


@pytest.mark.parametrize("name", sorted(offered()))
def test_each_name_leads_to_what_bears_it(name):
    target, summary = offered()[name]
    module, _, attribute = target.partition(":")
    assert getattr(importlib.import_module(module), attribute).name == name
    assert summary


def test_listing_imports_no_numpy_and_scoring_no_torch():
    code = (
        "import sys, guerdon_rigging.plugin; print('numpy' in sys.modules); "
        "import guerdon_rigging.rewards, guerdon_rigging.rig_tasks, guerdon_rigging.rig_metrics, "
        "guerdon_rigging.grammar, guerdon_rigging.rig_attacks, guerdon_rigging.tokenrig_claim; "
        "print('torch' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False", "False"]
