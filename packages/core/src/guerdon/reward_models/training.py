"""Training a reward model on preferences, by the Bradley-Terry loss and its regularisers.

In one go, in float32, on one device: reward models take an epoch, and a killed training starts anew. The result is a
folder that transformers and TRL read (`AutoModelForSequenceClassification`, one label).
"""

from __future__ import annotations

import itertools
import json
import math
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from guerdon.counting import counting
from guerdon.errors import ConfigError, PolicyError
from guerdon.progress import progress
from guerdon.trainer.batches import batch_at, microbatches, shuffled
from guerdon.trainer.config import Config, OptimizerConfig, Positive, Share

if TYPE_CHECKING:
    from guerdon.losses.preference import PreferenceTerms
    from guerdon.preferences.rows import PreferenceRow
    from guerdon.reward_models.loading import ScoringModel

RECORD = "reward_model.json"
"""Beside the weights: how they were trained, and what came of it."""


class RewardModelConfig(Config):
    """How a reward model is trained. Learning rate, batch and epoch are those of PAR's code (arXiv 2502.18770)."""

    epochs: Positive = 1
    batch_size: Positive = 32
    """Pairs per step."""
    optimizer: OptimizerConfig = OptimizerConfig(lr=5e-6)
    squares: Annotated[float, Field(ge=0.0)] = 0.0
    """Weight of the squared scores (Reg; PAR's 0.005)."""
    centering: Annotated[float, Field(ge=0.0)] = 0.01
    """Weight of the squared sum of a pair's scores (eta; TRL's 0.01)."""
    held_out: Share = 0.1
    """Share of the pairs that is set apart, where no other held-out set is given: for accuracy, mean and std."""
    max_tokens: Positive = 1024
    """Of a conversation; a longer one loses its beginning. Stored with the model, which then scores so, too."""
    tokens_per_microbatch: Positive = 8192
    """Most tokens of one pass, padding included; smaller needs less memory and gives the same gradient."""
    seed: int = 0
    split_seed: int = 0
    """Of which prompts are held out. Apart from `seed`: members of an ensemble are measured on the same set."""


@dataclass(frozen=True)
class Calibrated:
    """How a model does on a held-out set."""

    pairs: int
    accuracy: float
    """Share of the pairs whose chosen one scores higher; ties count half. NaN of no pairs."""
    mean: float
    """Of all scores, chosen and rejected."""
    std: float
    """Population."""


@dataclass(frozen=True)
class Trained:
    """What a training came to."""

    path: Path
    pairs: int
    """Trained on."""
    alike: int
    """Pairs left out, since their two sides are the same tokens, or their weight is 0."""
    cut: int
    """Conversations that lost their beginning."""
    losses: tuple[float, ...]
    """Per step."""
    accuracies: tuple[float, ...]
    """Per step, of the batch before the step."""
    held_out: Calibrated | None


@dataclass(frozen=True, slots=True)
class _Pair:
    chosen: tuple[int, ...]
    rejected: tuple[int, ...]
    margin: float
    weight: float


def train_reward_model(
    preferences: Sequence[PreferenceRow],
    out: Path,
    *,
    model: str,
    held_out: Sequence[PreferenceRow] | None = None,
    config: RewardModelConfig | None = None,
    device: str = "auto",
) -> Trained:
    """Train and save a reward model.

    Args:
        preferences: what it learns from.
        out: the folder to write; must not exist, or be empty.
        model: what it starts from: a causal model (the embedded one, a folder, a hub id) gets a fresh head, a reward
            model goes on with its own.
        held_out: measures accuracy, and the mean and std that are stored with the model; None sets a share of
            `preferences` apart.
        config: how.
        device: `cpu`, `cuda`, ...; `auto` is CUDA where there is one.

    Raises:
        ConfigError: no pair is left to train on, there is no such model, or the folder is not empty.
        PolicyError: the gradient is not finite, or the folder cannot be written.
    """
    from guerdon.reward_models.loading import MAX_TOKENS, load

    config = config or RewardModelConfig()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{str(out)!r} is there already and not empty; name another folder")
    if held_out is None:
        preferences, held_out = _split(preferences, config)
    scoring = load(model, device=device, dtype="float32", new_head=config.seed)
    pairs, cut = _encoded(scoring, preferences, config)
    kept = [pair for pair in pairs if pair.chosen != pair.rejected and pair.weight > 0.0]
    if not kept:
        raise ConfigError(
            f"none of the {len(pairs)} pairs is left to train on; a pair's two sides must differ, and its weight be "
            f"above 0"
        )
    losses, accuracies = _fit(scoring, kept, config)
    found = _measured(scoring, held_out, config) if held_out else None
    if found is not None:
        _warn_of_few(found)
    _store(scoring, found)
    setattr(scoring.model.config, MAX_TOKENS, min(config.max_tokens, scoring.context))
    trained = Trained(out, len(kept), len(pairs) - len(kept), cut, tuple(losses), tuple(accuracies), found)
    _save(scoring, trained, model, config)
    return trained


def calibrate(model: Path, held_out: Sequence[PreferenceRow], config: RewardModelConfig | None = None) -> Calibrated:
    """Measure a saved model on a held-out set, and store the mean and std of its scores in its config.json.

    Conversations are cut where the reward cuts them (what the model was trained on), unless `config` says otherwise.
    Members of an ensemble are measured on the *same* set: the least of several scores says something only then.

    Raises:
        ConfigError: there is no such model, it is no reward model, or the set is empty.
    """
    from guerdon.reward_models.loading import load, loaded_once

    if not held_out:
        raise ConfigError("calibrate: the held-out set is empty")
    scoring = load(str(model), dtype="float32")
    found = _measured(scoring, held_out, config or RewardModelConfig(max_tokens=scoring.max_tokens))
    _warn_of_few(found)
    _store(scoring, found)
    scoring.model.config.save_pretrained(model)
    loaded_once.cache_clear()  # what this process has read of it has no such mean
    return found


FEWEST = 20
"""Pairs under which a mean and a std are warned of: the std of 40 scores is known to about a ninth [choice]."""


def _warn_of_few(found: Calibrated) -> None:
    if found.pairs < FEWEST:
        warnings.warn(
            f"the model's mean and std are those of {counting(found.pairs, 'held-out pair')}; with fewer than {FEWEST} "
            f"they are rough, and so is what they are taken for. Hold out more (--held-out FILE, or --set held_out=X)",
            RuntimeWarning,
            stacklevel=3,
        )


def _split(
    preferences: Sequence[PreferenceRow], config: RewardModelConfig
) -> tuple[list[PreferenceRow], list[PreferenceRow]]:
    """What is trained on and what is held out, whole prompts each: of one prompt's pairs none is on both sides."""
    prompts: list[Any] = [_prompt(row) for row in preferences]
    distinct = list(dict.fromkeys(prompts))
    if len(distinct) == 1:  # pairs of one prompt are all there is to share out
        prompts = distinct = list(range(len(preferences)))
    wanted, count = round(config.held_out * len(preferences)), 0
    apart: set[Any] = set()
    if config.held_out and not wanted and len(distinct) > 1:
        wanted = 1  # of a few pairs a share rounds to none
    for place in shuffled(len(distinct), config.split_seed, "held out", 0):
        size = prompts.count(distinct[place])
        if count >= wanted or count + size == len(preferences):
            break
        apart.add(distinct[place])
        count += size
    sides = list(zip(prompts, preferences, strict=True))
    return [row for prompt, row in sides if prompt not in apart], [row for prompt, row in sides if prompt in apart]


def _prompt(row: PreferenceRow) -> Any:
    """What both conversations begin with."""
    same = itertools.takewhile(lambda both: both[0] == both[1], zip(row.chosen, row.rejected, strict=False))
    return tuple(one for one, _ in same)


def _encoded(
    scoring: ScoringModel, preferences: Sequence[PreferenceRow], config: RewardModelConfig
) -> tuple[list[_Pair], int]:
    sides = [[scoring.encode(side, config.max_tokens) for side in (row.chosen, row.rejected)] for row in preferences]
    pairs = [
        _Pair(chosen.ids, rejected.ids, row.margin or 0.0, row.weight)
        for (chosen, rejected), row in zip(sides, preferences, strict=True)
    ]
    return pairs, sum(side.cut for both in sides for side in both)


def _fit(scoring: ScoringModel, pairs: Sequence[_Pair], config: RewardModelConfig) -> tuple[list[float], list[float]]:
    import torch

    from guerdon.trainer.optimizers import adamw, clip_gradients, learning_rate

    size = min(config.batch_size, len(pairs))
    steps = math.ceil(config.epochs * len(pairs) / size)
    # Of all pairs, not of a batch: a batch of heavy pairs pulls harder.
    mean_weight = math.fsum(pair.weight for pair in pairs) / len(pairs)
    parameters = [each for each in scoring.model.parameters() if each.requires_grad]
    optimizer = adamw(parameters, config.optimizer)
    losses, accuracies = [], []
    scoring.model.train()
    with progress("train a reward model", steps) as bar, torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)  # dropout's, where the model has any
        for step in range(steps):
            batch = [pairs[place] for place in batch_at(step, size, len(pairs), config.seed, "reward model")]
            loss = accuracy = 0.0
            for part in microbatches(batch, _cost, config.tokens_per_microbatch):
                terms = _terms(scoring, part, mean_weight, config)
                share = len(part) / len(batch)
                (share * terms.loss).backward()  # type: ignore[no-untyped-call]
                loss += share * float(terms.loss.detach())
                accuracy += share * terms.accuracy
            for options in optimizer.param_groups:
                options["lr"] = learning_rate(config.optimizer, step, steps)
            norm = clip_gradients(parameters, config.optimizer.grad_clip)
            if not math.isfinite(norm):
                raise PolicyError(f"step {step}: the gradient's norm is {norm}; a smaller learning rate may help")
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            losses.append(loss)
            accuracies.append(accuracy)
            bar.describe(f"train a reward model · loss {loss:.3f}, accuracy {accuracy:.2f}")
            bar.advance()
    scoring.model.eval()
    return losses, accuracies


def _terms(
    scoring: ScoringModel, part: Sequence[_Pair], mean_weight: float, config: RewardModelConfig
) -> PreferenceTerms:
    import torch

    from guerdon.losses.preference import bradley_terry

    scores_R = scoring.scores([pair.chosen for pair in part] + [pair.rejected for pair in part])
    margins_P = torch.tensor([pair.margin for pair in part], device=scores_R.device)
    weights_P = torch.tensor([pair.weight / mean_weight for pair in part], device=scores_R.device)
    return bradley_terry(
        scores_R[: len(part)],
        scores_R[len(part) :],
        margins_P=margins_P,
        weights_P=weights_P,
        squares=config.squares,
        centering=config.centering,
    )


def _cost(part: Sequence[_Pair]) -> int:
    return 2 * len(part) * max(max(len(pair.chosen), len(pair.rejected)) for pair in part)


def _measured(scoring: ScoringModel, held_out: Sequence[PreferenceRow], config: RewardModelConfig) -> Calibrated:
    pairs, _ = _encoded(scoring, held_out, config)
    rows = [pair.chosen for pair in pairs] + [pair.rejected for pair in pairs]
    values = scoring.scored(rows, config.tokens_per_microbatch)
    leads = [one - other for one, other in zip(values[: len(pairs)], values[len(pairs) :], strict=True)]
    mean = math.fsum(values) / len(values)
    std = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))
    return Calibrated(len(pairs), sum((x > 0) + 0.5 * (x == 0) for x in leads) / len(leads), mean, std)


def _store(scoring: ScoringModel, found: Calibrated | None) -> None:
    from guerdon.reward_models.loading import MEAN, STD

    setattr(scoring.model.config, MEAN, found and found.mean)
    setattr(scoring.model.config, STD, found and found.std)


def _save(scoring: ScoringModel, trained: Trained, model: str, config: RewardModelConfig) -> None:
    from guerdon.policies.keeping import no_bars

    out = trained.path
    record = {
        "model": model,
        "config": config.model_dump(mode="json"),
        "pairs": trained.pairs,
        "left_out_alike": trained.alike,
        "cut": trained.cut,
        "loss": trained.losses[-1],
        "held_out": trained.held_out and asdict(trained.held_out),
    }
    try:
        out.mkdir(parents=True, exist_ok=True)
        with no_bars():
            scoring.model.save_pretrained(out)
        scoring.tokenizer.save_pretrained(out)
        (out / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise PolicyError(f"the reward model could not be saved to {str(out)!r}: {error}") from error
