"""What doctor says of the sandbox."""

from guerdon.diagnostics import confinement
from guerdon.diagnostics.confinement import sandbox
from guerdon.sandbox import Sandbox
from guerdon.sandbox.confine import LAYERS
from guerdon.sandbox.limits import Outcome


def test_each_layer_that_is_here_stops_what_it_is_for():
    findings = {finding.subject.removeprefix("sandbox: "): finding for finding in sandbox()}
    assert list(findings) == list(LAYERS)
    with Sandbox(workers=1) as one:
        missing = one.layers.missing
    assert {name for name, finding in findings.items() if finding.status == "absent"} == set(missing)
    assert not [str(finding) for name, finding in findings.items() if name not in missing and finding.status != "ok"]


def test_a_layer_that_stops_nothing_is_a_problem(monkeypatch):
    monkeypatch.setattr(confinement, "_tried", lambda *asked: Outcome("ok", 12))
    assert {finding.status for finding in sandbox()} <= {"problem", "absent"}
