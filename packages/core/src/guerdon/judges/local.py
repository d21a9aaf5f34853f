"""A judge that is a causal language model on this machine; needs the `train` extra."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from guerdon.errors import ConfigError
from guerdon.protocols import Sampling
from guerdon.types import Message, Prompt

if TYPE_CHECKING:
    from guerdon.policies.language import LanguagePolicy


@dataclass(frozen=True)
class LocalModel:
    """Answers greedily with a model by name: the embedded one, a local folder, or a hub id. Loaded at first use."""

    model: str
    max_tokens: int = 32

    def __post_init__(self) -> None:
        if self.model.startswith((".", "/", "~")) and not Path(self.model).is_dir():
            raise ConfigError(
                f"LocalModel.model is {self.model!r}, and there is no such folder; accepted are a folder "
                "with a model in it, a hub id, or the embedded model's name"
            )

    @property
    def name(self) -> str:
        """The model's."""
        return f"{self.model}?max_tokens={self.max_tokens}"

    def answer(self, questions: Sequence[Sequence[Mapping[str, str]]], *, seed: int) -> list[str | None]:
        """See `guerdon.protocols.JudgeBackend`. A question that does not fit the model's context gets the empty answer.

        Raises:
            PolicyError: there is no such model.
        """
        policy = _loaded(self.model)
        prompts = [
            policy.chat.prompt_ids(Prompt(tuple(Message(m["role"], m["content"]) for m in question)))  # type: ignore[arg-type]
            for question in questions
        ]
        sampling = Sampling(temperature=0.0, max_tokens=self.max_tokens)
        room = (getattr(policy.engine, "context_length", None) or math.inf) - self.max_tokens
        fitting = [place for place, prompt in enumerate(prompts) if len(prompt) <= room]
        drawn = policy.engine.generate([prompts[place] for place in fitting], 1, sampling, seed=seed)
        answers: list[str | None] = [""] * len(prompts)
        for place, (one,) in zip(fitting, drawn, strict=True):
            answers[place] = policy.tokenizer.decode(one.token_ids, skip_special_tokens=True)
        return answers


@functools.lru_cache(maxsize=2)
def _loaded(model: str) -> LanguagePolicy:
    from guerdon.policies.language import LanguagePolicy

    return LanguagePolicy.from_pretrained(model)
