"""A language policy's folder: float32 weights that transformers (or, for adapters, peft) reads, and what is ours.

Beside the weights `guerdon.json` holds the base model's name, the version (updates seen) and the adapters' shape.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from guerdon.errors import PolicyError
from guerdon.policies.lora import is_whole

if TYPE_CHECKING:
    from guerdon.policies.language import LanguagePolicy

_STATE = "guerdon.json"
_WHOLE = "whole.safetensors"
"""What is trained whole beside adapters, under the names it has within the adapted model."""


def kept_beside(folder: Path) -> dict[str, Any]:
    """What a saved policy says of itself; empty for a folder of another origin, or none."""
    path = folder / _STATE
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def write(policy: LanguagePolicy, path: Path) -> None:
    """See `LanguagePolicy.save`."""
    from safetensors.torch import save_file

    model = policy.model
    state = {name: parameter.detach() for name, parameter in model.named_parameters()} | policy.masters.state()
    try:
        path.mkdir(parents=True, exist_ok=True)
        if policy.lora is None:
            # Clones, since neighbouring weights may be views of one buffer.
            with no_bars():
                model.save_pretrained(path, state_dict={name: value.clone() for name, value in state.items()})
            _say_float32(path / "config.json")
        else:
            model.save_pretrained(path, state_dict=state, save_embedding_layers=False)
            if whole := {name: values for name, values in state.items() if is_whole(name, policy.lora)}:
                save_file({name: values.clone() for name, values in whole.items()}, path / _WHOLE)
        policy.tokenizer.save_pretrained(path)
        if policy.chat.processor is not None:
            policy.chat.processor.save_pretrained(path)
        lora = None if policy.lora is None else asdict(policy.lora)
        record = {"name": policy.name, "version": policy.version, "lora": lora}
        (path / _STATE).write_text(json.dumps(record, indent=1), encoding="utf-8")
    except OSError as error:
        raise PolicyError(f"the policy could not be saved to {str(path)!r}: {error}") from error


def read(policy: LanguagePolicy, path: Path) -> int:
    """Load the weights into the policy, bit for bit; the version they were saved at. See `LanguagePolicy.load`."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    file = path / ("model.safetensors" if policy.lora is None else "adapter_model.safetensors")
    try:
        record = json.loads((path / _STATE).read_text(encoding="utf-8"))
        state = load_file(file)
        if policy.lora is None and not state.keys() >= policy.masters.pairs.keys():
            state = _renamed(policy, path)
        if policy.lora is not None:
            # peft leaves the adapter's name (`default`) out of its files.
            adapters = [name for name, _ in policy.model.named_parameters() if "lora_" in name]
            state = {name: state[name.replace(".default.", ".")] for name in adapters}
            if policy.lora.whole:
                state |= load_file(path / _WHOLE)
        policy.masters.load(state)
        _load_frozen(policy, state)
        return int(record["version"])
    except (OSError, KeyError, ValueError, RuntimeError, SafetensorError) as error:
        raise PolicyError(f"{str(path)!r} does not hold weights of this policy: {error!r}") from error


def _renamed(policy: LanguagePolicy, path: Path) -> dict[str, torch.Tensor]:
    """The weights under the model's own names: some classes (LLaVA's) are saved under those of their first release."""
    with no_bars():
        read = type(policy.model).from_pretrained(path, dtype=torch.float32, local_files_only=True)
    return {name: parameter.detach() for name, parameter in read.named_parameters()}


@torch.no_grad()
def _load_frozen(policy: LanguagePolicy, state: Mapping[str, torch.Tensor]) -> None:
    """Take the saved values of parameters that have no master: all of them, in a snapshot."""
    for name, parameter in policy.model.named_parameters():
        if name not in policy.masters.pairs and (policy.lora is None or name in state):
            parameter.copy_(state[name])


@contextmanager
def no_bars() -> Iterator[None]:
    """Within it transformers draws no progress bars of its own."""
    from transformers.utils import logging as hf_logging

    shown = hf_logging.is_progress_bar_enabled()
    hf_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            hf_logging.enable_progress_bar()


def _say_float32(config: Path) -> None:
    """The written weights are float32, whatever the model computes in; readers go by the configuration."""
    settings = json.loads(config.read_text(encoding="utf-8"))
    settings["dtype"] = "float32"
    config.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
