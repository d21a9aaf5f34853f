"""`guerdon dx`: one patient's findings, what an agent looked up, and where each name comes from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from guerdon.types import Rollout
    from guerdon_medical.dx_examples import DiagnosisExample
    from guerdon_medical.dx_layout import Layout
    from guerdon_medical.dx_tasks import Patients

DISCLAIMER = "For research only. Not for clinical use: no diagnosis, no advice, nothing to act on."
MOST_SHOWN = 8
"""Sources of one call that are listed."""


@click.command("dx")
@click.option(
    "--hpo",
    "given",
    multiple=True,
    required=True,
    help="Ids of the patient's findings, with commas or one by one: HP:0001250,HP:0001263.",
)
@click.option("--run", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Ask this run's policy.")
@click.option("--checkpoint", type=click.Path(path_type=Path), help="A checkpoint of RUN.  [default: the latest]")
@click.option(
    "--cases",
    type=click.Path(exists=True),
    help="Without --run: records, as rows or phenopackets.  [default: Orphanet's diseases, by the extra hpo]",
)
@click.option(
    "--terms",
    type=click.Path(exists=True),
    help='Without --run: names of findings, as JSON lines: {"id": ..., "label": ...}.  [default: the extra hpo\'s]',
)
@click.option(
    "--exclude",
    "hidden",
    multiple=True,
    help="A case's id or a publication (PMID) that is not shown: the patient's own. Once.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def dx(
    given: tuple[str, ...],
    run: Path | None,
    checkpoint: Path | None,
    cases: str | None,
    terms: str | None,
    hidden: tuple[str, ...],
    as_json: bool,
) -> None:
    """Diagnose one patient, and show the trace with its sources. For research only, not for clinical use.

    With --run by a trained agent, else by a fixed work flow: match all findings, look the most frequent diseases up,
    answer them. The exit code is 1 where there is no diagnosis.
    """
    from guerdon.errors import ConfigError
    from guerdon_medical.dx_asking import NO_FINDINGS, Asked, hides, patient_of
    from guerdon_medical.dx_traces import read_trace
    from guerdon_medical.traceability import traced

    if len(hidden) > 1:
        raise ConfigError(f"--exclude is given {len(hidden)} times; one case or publication can be hidden")
    exclude, hpo = "".join(hidden), ",".join(given)
    if not hpo.strip(" ,"):  # before anything is read, which takes seconds
        raise ConfigError(NO_FINDINGS)
    if run is not None:
        if cases or terms:
            raise ConfigError(f"--{'cases' if cases else 'terms'} goes without --run: a run has records of its own")
        from guerdon_medical.dx_running import agent_of, trained_attempt

        trainer, task = agent_of(run, checkpoint)
        patient = patient_of(hpo.split(","), task.world.names, exclude=exclude)
        rollout = trained_attempt(trainer, patient)
    else:
        if checkpoint is not None:
            raise ConfigError("--checkpoint is of a run; name it with --run")
        from guerdon_medical.dx_workflow import fixed_workflow

        task = Asked(cases=cases or "", terms=terms or "")
        patient = patient_of(hpo.split(","), task.world.names, exclude=exclude)
        rollout = fixed_workflow(task, patient)
    if exclude and not hides(task.world.records, exclude):
        click.echo(f"note: no record has the id or the publication {exclude!r}; nothing was hidden", err=True)
    trace = read_trace(rollout, task.tags)
    report = traced(trace)
    if as_json:
        told = {
            "disclaimer": DISCLAIMER,
            "findings": list(patient.findings),
            "diagnoses": list(trace.names),
            "trace": _steps(rollout, task.tags),
            **report.as_data(),
        }
        click.echo(json.dumps(told, indent=2))
    else:
        _print(patient, rollout, task)
        click.echo(_plain(report.text()))
        click.echo(DISCLAIMER)
    if not trace.names:
        raise click.exceptions.Exit(1)


def _print(patient: DiagnosisExample, rollout: Rollout, task: Patients) -> None:
    click.echo(DISCLAIMER)
    click.echo(f"findings: {_plain(', '.join(patient.findings))}\n")
    for step in _steps(rollout, task.tags):
        click.echo(_plain(step["said"].strip()))
        for line in step["sources"][:MOST_SHOWN]:
            click.echo(_plain(f"    {line}"))
        if len(step["sources"]) > MOST_SHOWN:
            click.echo(f"    and {len(step['sources']) - MOST_SHOWN} more")
        if step["reason"]:
            click.echo(_plain(f"    {step['reason']}"))
        click.echo()


def _steps(rollout: Rollout, layout: Layout) -> list[dict[str, Any]]:
    """The policy's turns, each with what its call showed."""
    from guerdon_medical.dx_traces import read_trace
    from guerdon_medical.traceability import told

    trace = read_trace(rollout, layout)
    calls = {call.turn: call for call in trace.calls}
    steps = []
    for place, said in enumerate(trace.said):
        call = calls.get(place)
        reason = "" if call is None else call.reason or ("the tool failed" if call.failed else "")
        if call is not None and not reason and not call.sources:
            reason = "nothing was found"
        steps.append(
            {
                "said": said,
                "action": call.action if call else "",
                "sources": [told(one) for one in call.sources] if call else [],
                "reason": reason,
            }
        )
    if rollout.truncated:
        steps[-1]["reason"] = steps[-1]["reason"] or "cut by its budget"
    return steps


def _plain(text: str) -> str:
    """The text without what a terminal would obey."""
    return "".join(each if each.isprintable() or each == "\n" else " " for each in text)
