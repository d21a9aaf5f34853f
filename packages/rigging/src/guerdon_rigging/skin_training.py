"""Training of SkinTokens' autoencoder on rigs, as `guerdon_rigging.train_skin` runs it.

This is supervised learning of a codec, before any policy: no reward, no rollout, hence not core's trainer. A run is
seeded, and one that was stopped goes on with the numbers it would have had.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from guerdon.errors import ConfigError, RunError
from guerdon.fields import check_numbers, whole_number
from guerdon.progress import progress
from guerdon.runs.durable import cannot_write, encode, replacing_file
from guerdon_rigging.codec_shapes import CodecShape
from guerdon_rigging.rigs import Rig
from guerdon_rigging.skin_batches import Bank, Batch, Draw
from guerdon_rigging.skin_codec import SkinAutoencoder
from guerdon_rigging.skin_losses import SkinLoss

STATE, METRICS = "state.pt", "metrics.jsonl"


@dataclass(frozen=True)
class Schedule:
    """How long and how fast; AdamW with a cosine [choice: the paper's optimiser is not known]."""

    steps: int = 20_000
    learning_rate: float = 1e-3
    """At its peak."""
    warm_up: int = 200
    """Steps from 0 to the peak."""
    weight_decay: float = 0.01
    clip: float = 1.0
    """Of the gradient's norm."""
    every: int = 500
    """Steps between checkpoints, and between lines of metrics."""
    seed: int = 0
    draw: Draw = field(default_factory=Draw)
    loss: SkinLoss = field(default_factory=SkinLoss)

    def __post_init__(self) -> None:
        whole_number("Schedule.steps", self.steps, 1)
        whole_number("Schedule.every", self.every, 1)
        whole_number("Schedule.seed", self.seed, 0, 2**32 - 1)
        check_numbers(self, "learning_rate")
        if not 0 < self.learning_rate < math.inf:
            raise ConfigError(f"Schedule.learning_rate is {self.learning_rate!r}; a finite number above 0 is needed")

    def rate(self, step: int) -> float:
        """Of one step, counted from 0."""
        if step < self.warm_up:
            return self.learning_rate * (step + 1) / self.warm_up
        gone = (step - self.warm_up) / max(self.steps - self.warm_up, 1)
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * min(gone, 1.0)))


def kept_codes(most: int, seed: int, step: int) -> int:
    """Nested dropout: how many codes the decoder is given, uniform over 1, 2, 4, ... and `most` [choice of law].

    Drawn per step, so that a batch is one tensor; the paper draws per sample.
    """
    choices = [1 << power for power in range(most.bit_length()) if 1 << power < most] + [most]
    generator = torch.Generator().manual_seed(seed * 1_000_003 + step)
    return choices[int(torch.randint(len(choices), (), generator=generator))]


def reconstruction(network: SkinAutoencoder, batch: Batch, length: int) -> Tensor:
    """Logits at each bone's points, (B, K, A + D), from its first `length` codes."""
    latents = network.latents(batch.seen)
    codes, _ = network.quantised(batch.bone_points, batch.bone_weights)
    bones = torch.unflatten(codes, 0, (len(latents), -1))[:, :, :length]
    return batch.own(network.decoded(latents, batch.asked, bones))


def train_codec(
    rigs: Sequence[Rig] | Bank, shape: CodecShape, schedule: Schedule, folder: Path | None = None, device: str = "cpu"
) -> SkinAutoencoder:
    """An autoencoder of that shape, trained on those rigs.

    Args:
        rigs: at least one with weights; or the bank of their points.
        shape: sizes; `points` and `dense_points` are what the codec sees later, and not in training.
        schedule: steps, rate, batches, loss and seed.
        folder: where checkpoints and metrics are kept, and where a run that was stopped goes on; None keeps none.
            A KeyboardInterrupt leaves a checkpoint of the last whole step.
        device: where it computes.

    Raises:
        ConfigError: no rig has weights; or the folder holds a run of other settings or of other rigs.
        RunError: the folder cannot be written or read; or the loss is no number.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(schedule.seed)
        network = SkinAutoencoder(shape).to(device)
    bank = rigs if isinstance(rigs, Bank) else Bank(rigs, seed=schedule.seed)

    def loss(step: int) -> Tensor:
        batch = bank.batch(schedule.draw, schedule.seed, step, device)
        logits = reconstruction(network, batch, kept_codes(shape.max_length, schedule.seed, step))
        return schedule.loss(torch.sigmoid(logits), batch.targets)

    told = {"shape": shape.plain(), "schedule": asdict(schedule), "rigs": bank.told}
    fit(network, loss, schedule, folder, told, "training the skin codec")
    return network


def fit(
    network: nn.Module,
    loss: Callable[[int], Tensor],
    schedule: Schedule,
    folder: Path | None,
    told: dict[str, Any],
    doing: str,
) -> None:
    """The loop that the codec and its baseline share: `loss(step)` is differentiated, clipped and followed.

    Args:
        network: is left trained, in `eval` mode.
        loss: of a step; it depends on the step's number and the weights alone.
        schedule: steps and rate.
        folder: as `train_codec`.
        told: settings, as JSON has them; a checkpoint of others is refused.
        doing: what the progress bar says.

    Raises:
        ConfigError, RunError: as `train_codec`.
    """
    if folder is not None:
        _made(folder)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay, fused=True
    )
    told = json.loads(json.dumps(told))
    run = _Run(network, optimizer, told)
    first = 0 if folder is None else run.resumed(folder / STATE)
    network.train()
    began = time.monotonic()
    whole: int | None = None
    """Steps that the weights have gone, known while no step is being taken."""
    try:
        with progress(doing, schedule.steps, done=first) as bar:
            for step in range(first, schedule.steps):
                for group in optimizer.param_groups:
                    group["lr"] = schedule.rate(step)
                value = loss(step)
                optimizer.zero_grad(set_to_none=True)
                value.backward()  # type: ignore[no-untyped-call]
                norm = nn.utils.clip_grad_norm_(network.parameters(), schedule.clip)
                if not (torch.isfinite(norm) and torch.isfinite(value)):
                    raise RunError(f"{doing}: at step {step} the loss is {value.item()} and its gradient's norm {norm}")
                whole = None
                optimizer.step()
                run.losses.append(value.item())
                whole = step + 1
                bar.advance()
                if (step + 1) % schedule.every and step + 1 < schedule.steps:
                    continue
                mean = math.fsum(run.losses) / len(run.losses)
                bar.describe(f"{doing} · loss {mean:.4f}")
                run.losses.clear()
                if folder is not None:
                    run.keep(folder / STATE, whole)
                    gone = time.monotonic() - began
                    line = {"step": whole, "loss": mean, "rate": schedule.rate(step), "gone_s": gone}
                    with (folder / METRICS).open("ab") as file:
                        file.write(encode(line))
    except KeyboardInterrupt:
        if folder is not None and whole is not None:
            run.keep(folder / STATE, whole)
        raise
    network.eval()


@dataclass
class _Run:
    """What a checkpoint holds."""

    network: nn.Module
    optimizer: torch.optim.Optimizer
    told: dict[str, Any]
    losses: list[float] = field(default_factory=list)
    """Of the steps since the last line of metrics."""

    def keep(self, path: Path, step: int) -> None:
        """Write it, `step` steps having been taken."""
        state = {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "told": self.told,
            "step": step,
            "losses": self.losses,
        }
        with replacing_file(path) as partial:
            torch.save(state, partial)

    def resumed(self, path: Path) -> int:
        """The step to go on with; 0 where nothing was kept."""
        if not path.is_file():
            return 0
        try:
            state = torch.load(path, weights_only=True)
            kept, step = dict(state["told"]), int(state["step"])
        except Exception as error:  # whatever torch makes of a broken file
            raise RunError(f"{path} cannot be read: {error}. Remove it to begin anew") from error
        if kept != self.told:
            other = "; ".join(_differences(kept, self.told))
            raise ConfigError(f"{path} is of another run: {other}. Name another folder, or remove it")
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.losses = state.get("losses", [])
        return step


def _differences(kept: Mapping[str, Any], told: Mapping[str, Any], place: str = "") -> Iterator[str]:
    """Where a kept run's settings and those asked for differ, field by field."""
    for name in sorted({*kept, *told}):
        where = place + name
        if name not in told:
            yield f"{where} was set and is not now"
        elif name not in kept:
            yield f"{where} was not kept"
        elif isinstance(kept[name], Mapping) and isinstance(told[name], Mapping):
            yield from _differences(kept[name], told[name], f"{where}.")
        elif kept[name] != told[name]:
            yield f"{where} was {kept[name]!r} and is {told[name]!r} now"


def _made(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
