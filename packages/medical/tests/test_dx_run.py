"""`guerdon train`, then `guerdon dx --run`: the agent that was trained is asked, and its sources are shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

pytest.importorskip("torch", reason="the trainer needs torch; the extra guerdon[train] is not installed")

from guerdon.cli import main
from guerdon.environments import played
from guerdon_medical.dx_asking import ASKED
from guerdon_medical.dx_layout import written
from guerdon_medical.dx_made import MadeDiagnosis
from guerdon_medical.dx_scoring import comma_list

pytestmark = pytest.mark.model  # where torch is installed: tests(across)

WORLD = {"diseases": 4, "train_size": 1, "eval_size": 1}


def test_the_agent_of_a_run_matches_and_answers_with_a_source(tmp_path: Path) -> None:
    """A table over what tools have said, an action of which matches the patient's findings and four of which answer: it
    learns to match first, then to answer what was found, and says so of a patient with the same findings.
    """
    task = MadeDiagnosis(**WORLD)
    (patient,) = task.examples("train")
    match = f"<match>{comma_list(patient.findings)}</match>"
    names = {name for record in task.world.records.documents for name in record.payload["diseases"]}
    answers = [f"<think>It fits.</think><answer>{written(name)}</answer>" for name in sorted(names)]
    # After a fourth match the table is told that there are no more of them.
    said = [segment.text for segment in played(task, patient, match * 9).segments if segment.author == "environment"]
    recipe = {
        "task": {"use": "medical/made-diagnosis", "with": WORLD},
        "policy": {
            "use": "tabular",
            "with": {
                "states": [patient.id, task.examples("eval")[0].id, ASKED, *dict.fromkeys(said)],
                "actions": [match, *answers],
            },
        },
        "reward": "medical/deep-dxsearch",
        "train": {
            "steps": 40,
            "prompts_per_step": 1,
            "group_size": 16,
            "optimizer": {"lr": 0.3},
            "eval": {"examples": 0},
            "checkpoint_every": 40,
        },
    }
    (tmp_path / "recipe.yaml").write_text(json.dumps(recipe))
    trained = CliRunner().invoke(main, ["train", str(tmp_path / "recipe.yaml"), "--out", str(tmp_path / "run")])
    assert trained.exit_code == 0, trained.output
    ids = ",".join(id for id, name in task.world.names.items() if name in patient.findings)
    result = CliRunner().invoke(main, ["dx", "--hpo", ids, "--run", str(tmp_path / "run"), "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["diagnoses"] == [patient.gold[0]]
    records = [source for claim in told["claims"] for source in claim["sources"] if source["kind"] == "record"]
    assert records
    assert all(patient.gold[0] in source["diseases"] for source in records)
