"""Finding a recipe: a YAML or TOML file, or a registered name; then `--set a.b=c` on top; then validation."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from guerdon.errors import ConfigError, UnknownName, reason_of
from guerdon.plugins.catalog import catalog
from guerdon.recipes.explaining import explained
from guerdon.recipes.schema import Recipe


def load_recipe(source: str | Path | Mapping[str, Any], overrides: Sequence[str] = ()) -> Recipe:
    """Read, override and validate a recipe.

    Args:
        source: a file (`.yaml`, `.yml`, `.toml`), a registered recipe's name, or plain data.
        overrides: `path.to.field=value`, the value in YAML: `train.optimizer.lr=2e-5`.

    Raises:
        ConfigError: no such file or name, or a field is wrong; the message names source, field, what was found and what
            is accepted.
    """
    data, origin = _read(source)
    for override in overrides:
        set_field(data, override)
    return validated(data, origin)


def validated(data: Mapping[str, Any], origin: str) -> Recipe:
    """The recipe in plain data; `origin` is named in errors."""
    try:
        return Recipe.model_validate(data)
    except ValidationError as error:
        raise ConfigError(f"{origin}: " + "; ".join(explained(error.errors(), Recipe))) from None


def _read(source: str | Path | Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    if isinstance(source, Mapping):
        return dict(source), "recipe"
    path = Path(source)
    if path.suffix in (".yaml", ".yml", ".toml"):
        try:
            return parsed(path.read_text(encoding="utf-8"), str(path), toml=path.suffix == ".toml"), str(path)
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"recipe file {str(path)!r} cannot be read: {reason_of(error)}") from None
    try:
        found = catalog().load("recipes", str(source))
    except UnknownName as error:
        if (path / "recipe.yaml").is_file():
            raise ConfigError(f"{str(path)!r} is a run's folder; go on with it by --resume") from None
        if path.parent.name == "checkpoints" and (run := path.parent.parent / "recipe.yaml").is_file():
            told = f"name the run, and the checkpoint beside it: {run.parent} --checkpoint {path.name}"
            raise ConfigError(f"{str(path)!r} is a checkpoint of a run; {told}") from None
        if path.is_dir():
            raise ConfigError(f"{str(path)!r} holds no run: there is no recipe.yaml in it") from None
        if path.is_file():
            accepted = "accepted are .yaml, .yml and .toml"
            raise ConfigError(f"recipe file {str(path)!r} ends in {path.suffix!r}; {accepted}") from None
        if len(path.parts) > 1:  # names of recipes may have a slash too, so both are said
            raise ConfigError(f"there is no run folder {str(path)!r}, and {error}") from None
        raise
    text = found() if callable(found) else found
    origin = f"recipe {str(source)!r}"
    return (dict(text) if isinstance(text, Mapping) else parsed(str(text), origin)), origin


def parsed(text: str, origin: str, *, toml: bool = False) -> dict[str, Any]:
    """The mapping that YAML or TOML text holds.

    YAML reads `2e-5` as text; pydantic takes it for the number it is.
    """
    try:
        data = tomllib.loads(text) if toml else yaml.safe_load(text)
    except (tomllib.TOMLDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{origin} is not valid {'TOML' if toml else 'YAML'}: {error}") from None
    if not isinstance(data, dict):
        raise ConfigError(f"{origin} holds {type(data).__name__}; a mapping of fields is needed")
    return data


def set_field(data: dict[str, Any], override: str) -> None:
    """Put `path.to.field=value` (the value in YAML) into plain data.

    Raises:
        ConfigError: it is not of the form, or leads through something that has no fields.
    """
    path, separator, text = override.partition("=")
    keys = path.strip().split(".")
    if not separator or not all(keys):
        raise ConfigError(f"--set {override!r}: the form is path.to.field=value")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {override!r}: the value is not YAML: {error}") from None
    node: Any = data
    for key in keys[:-1]:
        if isinstance(node.get(key), str) and key in ("task", "policy", "reward", "advantage"):
            node[key] = {"use": node[key]}
        if node.get(key) is None:  # absent, or written out as null: a part that is off
            node[key] = {}
        node = node[key]
        if not isinstance(node, dict):
            raise ConfigError(f"--set {override!r}: {key!r} is {node!r}, which has no fields")
    node[keys[-1]] = value
