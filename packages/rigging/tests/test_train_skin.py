"""The command that trains skin codecs says what is wrong in one line, and goes on after an interruption."""

import json
from dataclasses import replace

import pytest
import torch

from guerdon_rigging import train_skin
from guerdon_rigging.codec_shapes import SMALL
from guerdon_rigging.skin_batches import Draw
from guerdon_rigging.skin_training import STATE

pytestmark = pytest.mark.model

TINY = replace(SMALL, encoder_width=32, decoder_width=32, latent_width=16, mesh_latents=16, points=128, dense_points=32)


@pytest.fixture
def command(spindle, tmp_path, monkeypatch, capsys):
    """`command("--steps", "3")`: exit code and standard error, of a run on spindles in `tmp_path`."""
    monkeypatch.setenv("GUERDON_PROGRESS", "off")
    monkeypatch.setattr(train_skin, "SMALL", TINY)
    monkeypatch.setattr(train_skin, "DRAW", Draw(meshes=2, bones=4, seen=96, asked=64, dense=16))
    monkeypatch.setattr(train_skin, "MEASURED_MADE", 1)
    monkeypatch.setattr(train_skin, "made_rigs", lambda count, seed=0: [spindle(each + seed) for each in range(count)])

    def run(*options):
        code = train_skin.main(["--out", str(tmp_path / "run"), "--made", "2", "--steps", "3", *options])
        return code, capsys.readouterr().err

    return run


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--steps", "0"), "error: Schedule.steps is 0; a whole number >= 1 is needed\n"),
        (("--seed", "-1"), "error: Schedule.seed is -1; a whole number from 0 to 4294967295 is needed\n"),
        (("--learning-rate", "-1"), "error: Schedule.learning_rate is -1.0; a finite number above 0 is needed\n"),
        (("--made", "0"), "error: Bank: none of 0 rigs has a weight above 0; there is nothing to code\n"),
        (
            ("--files", "nothere"),
            "error: 'nothere': there is no such folder; a folder of .glb and .gltf",
        ),
        (
            ("--out", "/dev/null/run"),
            "error: cannot write '/dev/null/run': Not a directory. Mend that",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line(options, said, command):
    code, heard = command(*options)
    assert code == 2
    assert heard.startswith(said)
    assert heard.count("\n") == 1


def test_a_folder_trained_on_other_rigs_is_refused_and_left_as_it_was(command, tmp_path):
    assert command() == (0, "")
    report = (tmp_path / "run" / "report.json").read_bytes()
    assert json.loads(report)["arguments"]["made"] == 2
    code, heard = command("--made", "3")
    assert code == 2
    assert "another run: rigs.count was 2 and is 3 now" in heard
    assert heard.count("\n") == 1
    assert (tmp_path / "run" / "report.json").read_bytes() == report


@pytest.mark.parametrize("options", [(), ("--regression",)])
def test_an_interrupted_run_says_that_it_goes_on_and_does(options, command, tmp_path, monkeypatch):
    """After two of three steps, long before the first checkpoint of 250."""
    batch, steps = train_skin.Bank.batch, []

    def interrupted(bank, draw, seed, step, device):
        steps.append(step)
        if steps == [0, 1, 2]:
            raise KeyboardInterrupt
        return batch(bank, draw, seed, step, device)

    monkeypatch.setattr(train_skin.Bank, "batch", interrupted)
    code, heard = command(*options)
    assert code == 130
    assert heard == f"\ninterrupted; the same command goes on with what is kept in {tmp_path / 'run'}\n"
    assert torch.load(tmp_path / "run" / STATE, weights_only=True)["step"] == 2
    assert command(*options) == (0, "")
    assert steps == [0, 1, 2, 2]
