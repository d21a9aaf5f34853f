"""A scorer behind a server that speaks the OpenAI completions protocol and tells the log-probs of a prompt.

Text is cut into tokens here, by the served model's own tokenizer, and goes out as token ids: so the chat template is
the model's, and which of the answer's log-probs are the text's is known and not guessed. Two dialects:

| `asks` | request | answer |
|---|---|---|
| `prompt_logprobs` | vLLM's field, 0 alternatives | `choices[0].prompt_logprobs`: per place, id -> `{"logprob": ...}` |
| `echo` | OpenAI's `echo` with `logprobs` | `choices[0].logprobs.token_logprobs`, the prompt's first |

vLLM writes -9999 for minus infinity, which JSON has not: it is taken for that.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from guerdon.errors import ConfigError, JudgeError
from guerdon.posting import Address, NoAnswer, Refused
from guerdon.protocols import Continuation

if TYPE_CHECKING:
    from guerdon.policies.chat import Chat
    from guerdon.protocols import Policy

_THIS_TEXT_ONLY = {400, 413, 422}
"""What a server says to a text that is too long for it; also to a request it does not understand at all."""
_MINUS_INFINITY = -9999.0
_MAX_BYTES = 64 << 20


@dataclass(frozen=True)
class ServedScorer:
    """Sends each continuation as one completion request of a single new token. Needs the `train` extra's tokenizers."""

    base_url: str
    """Up to and including the version: "http://localhost:8000/v1"."""
    model: str
    """The name the server serves it under."""
    tokenizer: str = ""
    """Whose tokens the model reads: the embedded model's name, a folder or a hub id; empty means that of `model`."""
    asks: Literal["prompt_logprobs", "echo"] = "prompt_logprobs"
    """See the module's head."""
    api_key_env: str = "OPENAI_API_KEY"
    """The environment variable that holds the key; unset means that none is sent. The key is never kept or shown."""
    timeout_s: float = 120.0
    """Of one attempt."""
    attempts: int = 6
    backoff_s: float = 0.5
    """Pause after the first failed attempt; each further one is twice as long, at most a minute."""
    concurrency: int = 16
    """Texts in flight."""

    def __post_init__(self) -> None:
        self._address.check("server")
        if self.concurrency < 1:
            raise ConfigError("server: attempts and concurrency must be at least 1")

    @property
    def _address(self) -> Address:
        return Address(self.base_url, self.api_key_env, self.timeout_s, self.attempts, self.backoff_s, _MAX_BYTES)

    @property
    def name(self) -> str:
        """Model and server."""
        return f"{self.model}@{self.base_url.rstrip('/')}"

    def logprobs(
        self, continuations: Sequence[Continuation], *, policy: Policy | None = None
    ) -> list[tuple[float, ...] | None]:
        """See `guerdon.protocols.Scorer`. None where the server kept failing, or refuses that text alone.

        Raises:
            JudgeError: the server refuses every text alike: a wrong key, address or model, or a dialect it lacks.
            ConfigError: the tokenizer cannot be loaded.
        """
        if not continuations:
            return []
        chat = _chat(self.tokenizer or self.model)
        cut = [chat.given(one) for one in continuations]
        with ThreadPoolExecutor(min(self.concurrency, len(cut)), "guerdon-scorer") as pool:
            pending = [pool.submit(self._one, (*before, *given), text) for before, given, text in cut]
            try:
                found = [future.result() for future in pending]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        refusals = [one for one in found if isinstance(one, Refused)]
        if len(refusals) == len(found):
            raise JudgeError(f"{self.name} refuses every text: {refusals[0]}") from refusals[0]
        return [None if isinstance(one, Refused) else one for one in found]

    def _one(self, before: Sequence[int], text: Sequence[int]) -> tuple[float, ...] | Refused | None:
        if not text:
            return ()
        ids = [*before, *text]
        asked = {"prompt_logprobs": 0} if self.asks == "prompt_logprobs" else {"echo": True, "logprobs": 0}
        body = {"model": self.model, "prompt": ids, "max_tokens": 1, "temperature": 0.0, **asked}
        try:
            return self._address.post("/completions", body, lambda answer: self._read(answer, ids, len(before)))
        except NoAnswer:
            return None
        except Refused as error:
            if error.status in _THIS_TEXT_ONLY:
                return error
            raise JudgeError(f"{self.name} {error}") from error

    def _read(self, answer: Any, ids: Sequence[int], first: int) -> tuple[float, ...]:
        """The log-probs of the tokens from `first` on.

        Raises:
            ValueError, LookupError, TypeError: the answer is not of the kind expected.
        """
        choice = answer["choices"][0]
        if self.asks == "prompt_logprobs":
            told = choice["prompt_logprobs"]
            if len(told) != len(ids):
                raise ValueError(f"log-probs of {len(told)} tokens came back, {len(ids)} were sent")
            values = [told[place][str(ids[place])]["logprob"] for place in range(first, len(ids))]
        else:
            values = choice["logprobs"]["token_logprobs"][first : len(ids)]
            if len(values) != len(ids) - first:
                raise ValueError(f"log-probs of {first + len(values)} tokens came back, {len(ids)} were sent")
        return tuple(-math.inf if value <= _MINUS_INFINITY else float(value) for value in values)


@functools.lru_cache(maxsize=4)
def _chat(name: str) -> Chat:
    try:
        from transformers import AutoTokenizer

        from guerdon.policies.chat import Chat
        from guerdon.policies.embedded import resolve
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"the scorer 'server' cuts text into tokens with the package {error.name}, which is not installed: "
            f'pip install "guerdon[train]"'
        ) from error
    try:
        return Chat(AutoTokenizer.from_pretrained(resolve(name)))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"server.tokenizer: no tokenizer could be loaded from {name!r} ({error}). Name the served model's own: a "
            f"local folder, a hub id, or 'embedded'"
        ) from error
