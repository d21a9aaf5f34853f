"""The command that trains the shipped skin codec, or the regression it is held against.

    python -m guerdon_rigging.train_skin --out runs/codec --files FOLDER --made 384 --steps 4000
    python -m guerdon_rigging.train_skin --out runs/regression --files FOLDER --made 384 --steps 4000 --regression

Every fifth file of the folder is left out of training and measured at the end; made rigs of another seed are measured
too. A run that was stopped goes on when the same command is given again; on other rigs, or with other settings, its
folder is refused. Exit codes are those of `guerdon`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import click
import numpy as np
import torch

from guerdon.cli import INTERRUPTED, WRONG, say_wrong
from guerdon.errors import GuerdonError
from guerdon.progress import progress
from guerdon.runs.durable import replace_file, replacing_file
from guerdon_rigging.codec_metrics import support_iou
from guerdon_rigging.codec_shapes import SMALL
from guerdon_rigging.creatures import made_rigs
from guerdon_rigging.rig_folders import RigFolder
from guerdon_rigging.rigs import Floats, Rig
from guerdon_rigging.skin_batches import Bank, Draw
from guerdon_rigging.skin_codec import FSQCVAE
from guerdon_rigging.skin_metrics import l1_per_entry, l1_per_vertex
from guerdon_rigging.skin_regression import squared, train_regressor
from guerdon_rigging.skin_training import Schedule, train_codec
from guerdon_rigging.weights import kept

DRAW = Draw(meshes=4, bones=8, seen=256, asked=192, dense=32)
MEASURED_MADE, MEASURED_SEED = 33, 1


def measured(rigs: Sequence[Rig], predict: Callable[[Rig], Floats]) -> dict[str, float]:
    """Means over rigs: IoU of the bones that own weight, and both L1 of the four largest weights, normalised.

    Args:
        rigs: at least one.
        predict: weights of a rig, (N, J), as a codec decodes them.
    """
    found = []
    with progress("measuring", len(rigs)) as bar:
        for rig in rigs:
            weights = predict(rig)
            own = (rig.weights > 0).any(0)
            skin = kept(weights)
            iou = float(support_iou(weights[:, own], rig.weights[:, own]).mean())
            found.append((iou, l1_per_vertex(skin, rig.weights), l1_per_entry(skin, rig.weights)))
            bar.advance()
    return dict(zip(("iou", "l1_per_vertex", "l1_per_entry"), np.mean(found, axis=0).tolist(), strict=True))


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, save and measure; `report.json` in the folder holds the numbers. Returns `guerdon`'s exit code."""
    parser = argparse.ArgumentParser(prog="python -m guerdon_rigging.train_skin", description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--files", type=Path, help="folder of rigged .glb and .gltf files")
    parser.add_argument("--made", type=int, default=384, help="made rigs to train on beside them")
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--regression", action="store_true", help="train the baseline in place of the codec")
    told = parser.parse_args(arguments)
    try:
        _run(told)
    except GuerdonError as error:
        say_wrong("\n".join([str(error), *getattr(error, "__notes__", ())]))
        return WRONG
    except KeyboardInterrupt:
        click.echo(f"\ninterrupted; the same command goes on with what is kept in {told.out}", err=True)
        return INTERRUPTED
    return 0


def _run(told: argparse.Namespace) -> None:
    schedule = Schedule(steps=told.steps, learning_rate=told.learning_rate, every=250, seed=told.seed, draw=DRAW)
    sides: dict[str, list[Rig]] = {"train": [], "test": []}
    if told.files is not None:
        files = RigFolder(told.files)
        sides = {"train": list(files.rigs("train")), "test": list(files.rigs("test"))}
    rigs = [*sides["train"], *(made_rigs(told.made) if told.made else [])]
    measure: dict[str, Callable[[Rig], Floats]]
    if told.regression:
        network = train_regressor(rigs, SMALL, squared(schedule), told.out)
        with replacing_file(told.out / "regression.pt") as partial:
            torch.save(network.state_dict(), partial)
        measure = {"regression": lambda rig: network.skin(rig.mesh, rig.skeleton)}
    else:
        FSQCVAE(train_codec(Bank(rigs, seed=told.seed), SMALL, schedule, told.out)).save(told.out / "codec.safetensors")
        codec = FSQCVAE.load(told.out / "codec.safetensors")  # what is measured is what is shipped
        measure = {f"{codes} codes": _given(codec, codes) for codes in (1, 2, SMALL.length)}
    held_out = {"made": list(made_rigs(MEASURED_MADE, seed=MEASURED_SEED))}
    if sides["test"]:
        held_out["files"] = sides["test"]
    report = {
        what: {name: measured(some, predict) for name, predict in measure.items()} for what, some in held_out.items()
    }
    text = json.dumps({"arguments": vars(told), "measured": report}, indent=1, default=str)
    replace_file(told.out / "report.json", text.encode())
    print(text)


def _given(codec: FSQCVAE, codes: int) -> Callable[[Rig], Floats]:
    return lambda rig: codec.decode(codec.condition(rig.mesh), codec.encode(rig)[:, :codes])


if __name__ == "__main__":
    sys.exit(main())
