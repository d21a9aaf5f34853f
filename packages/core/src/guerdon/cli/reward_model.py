"""`guerdon reward-model`: a reward model from preference pairs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from guerdon.counting import counting

if TYPE_CHECKING:
    from guerdon.reward_models.training import RewardModelConfig


@click.command("reward-model")
@click.argument("pairs", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="The folder to write.")
@click.option(
    "--model",
    default="smollm2-135m-instruct",
    show_default=True,
    help="What to start from: the embedded model, a local folder, or a hub id.",
)
@click.option(
    "--held-out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Pairs to measure on, as PAIRS.  [default: a tenth of PAIRS, set apart]",
)
@click.option(
    "--set", "overrides", multiple=True, metavar="FIELD=VALUE", help="Override a field: optimizer.lr=1e-5. Repeatable."
)
@click.option("--device", default="auto", show_default=True)
def command(pairs: Path, out: Path, model: str, held_out: Path | None, overrides: tuple[str, ...], device: str) -> None:
    """Train a reward model on PAIRS: JSONL with `prompt`, `chosen` and `rejected`, as `guerdon mine` writes it, and
    perhaps `margin` and `weight`.

    The folder is a sequence-classification checkpoint with one label, for the reward `reward-model-v1`, transformers
    and TRL. Fields of --set: epochs, batch_size, optimizer, squares, centering, held_out, max_tokens, seed, split_seed.
    """
    from guerdon.errors import ConfigError
    from guerdon.preferences.rows import read_preferences

    config = _config(overrides)
    rows = read_preferences(pairs)
    apart = read_preferences(held_out) if held_out else None
    try:
        import torch  # noqa: F401 - asked for before minutes of loading
    except ModuleNotFoundError as error:
        raise ConfigError('a reward model needs torch, which is not installed: pip install "guerdon[train]"') from error
    from guerdon.reward_models.training import train_reward_model

    trained = train_reward_model(rows, out, model=model, held_out=apart, config=config, device=device)
    left_out = f", {trained.alike} left out (two like sides, or weight 0)" if trained.alike else ""
    cut = f", {counting(trained.cut, 'conversation')} cut" if trained.cut else ""
    click.echo(f"{counting(trained.pairs, 'pair')}{left_out}{cut}; loss {trained.losses[-1]:.4f}")
    if trained.held_out:
        found = trained.held_out
        click.echo(
            f"held out: {counting(found.pairs, 'pair')}, accuracy {found.accuracy:.3f}, "
            f"scores {found.mean:.3f} ± {found.std:.3f}"
        )
    else:
        click.echo("nothing was held out: no accuracy, and no mean for the reward to subtract; give --held-out")
    click.echo(f"reward model in {out}")


def _config(overrides: tuple[str, ...]) -> RewardModelConfig:
    from pydantic import ValidationError

    from guerdon.errors import ConfigError
    from guerdon.recipes.explaining import explained
    from guerdon.recipes.sources import set_field
    from guerdon.reward_models.training import RewardModelConfig

    data: dict[str, object] = {}
    for override in overrides:
        set_field(data, override)
    try:
        return RewardModelConfig.model_validate(data)
    except ValidationError as error:
        raise ConfigError("--set: " + "; ".join(explained(error.errors(), RewardModelConfig))) from None
