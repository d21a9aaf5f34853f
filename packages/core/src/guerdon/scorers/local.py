"""A scorer that is a causal language model on this machine; needs the `train` extra."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from guerdon.errors import ConfigError
from guerdon.protocols import Continuation
from guerdon.scorers.policy import Logprobs, read

if TYPE_CHECKING:
    from guerdon.policies.language import LanguagePolicy
    from guerdon.protocols import Policy


@dataclass(frozen=True)
class LocalScorer:
    """Scores with a model by name: the embedded one, a local folder, or a hub id. Loaded at first use, and kept.

    Messages go through the model's chat template. Without one they are joined by blank lines.
    """

    model: str = "embedded"
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """What the model computes in; log-softmax is in float32 whatever it is."""
    device: str = "auto"
    temperature: float = 1.0
    """Logits are divided by it first."""

    def __post_init__(self) -> None:
        if not 0.0 < self.temperature < float("inf"):
            raise ConfigError(f"local.temperature is {self.temperature!r}; a finite number > 0 is needed")
        if self.model.startswith((".", "/", "~")) and not Path(self.model).expanduser().is_dir():
            raise ConfigError(
                f"local.model is {self.model!r}, and there is no such folder; accepted are a folder with a model in "
                "it, a hub id, or the embedded model's name"
            )

    @property
    def name(self) -> str:
        """The model's, and how it computes."""
        return f"{self.model}?dtype={self.dtype}&temperature={self.temperature:g}"

    def logprobs(self, continuations: Sequence[Continuation], *, policy: Policy | None = None) -> list[Logprobs | None]:
        """See `guerdon.protocols.Scorer`. None where a text does not fit the model's context.

        Raises:
            PolicyError: there is no such model.
            ConfigError: the packages it needs are not installed.
        """
        return read(_loaded(self.model, self.dtype, self.device), continuations, temperature=self.temperature)


@functools.lru_cache(maxsize=2)
def _loaded(model: str, dtype: Literal["auto", "float32", "bfloat16"], device: str) -> LanguagePolicy:
    try:
        from guerdon.policies.language import LanguagePolicy
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"the scorer 'local' needs the package {error.name}, which is not installed: pip install \"guerdon[train]\""
        ) from error
    policy = LanguagePolicy.from_pretrained(
        str(Path(model).expanduser()) if model[:1] == "~" else model, dtype=dtype, device=device
    )
    policy.model.requires_grad_(False)
    return policy
