"""A judge behind any server that speaks the OpenAI chat-completions protocol.

Several questions are in flight at once; how one is posted, and tried again, is in `guerdon.posting`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from guerdon.errors import ConfigError, JudgeError
from guerdon.posting import Address, NoAnswer, Refused

_THIS_QUESTION_ONLY = {400, 413, 422}


@dataclass(frozen=True)
class OpenAICompatible:
    """Sends each question as one chat completion."""

    base_url: str
    """Up to and including the version: "http://localhost:8000/v1"."""
    model: str
    api_key_env: str = "OPENAI_API_KEY"
    """The environment variable that holds the key; unset means that none is sent. The key is never kept or shown."""
    temperature: float = 0.0
    max_tokens: int = 64
    timeout_s: float = 60.0
    """Of one attempt."""
    attempts: int = 6
    backoff_s: float = 0.5
    """Pause after the first failed attempt; each further one is twice as long, at most a minute."""
    concurrency: int = 16
    """Questions in flight."""

    def __post_init__(self) -> None:
        self._address.check("OpenAICompatible")
        if self.concurrency < 1:
            raise ConfigError("OpenAICompatible: attempts and concurrency must be at least 1")

    @property
    def name(self) -> str:
        """Tells apart what may answer differently: server, model and temperature."""
        return f"{self.model}@{self.base_url.rstrip('/')}?temperature={self.temperature:g}&max_tokens={self.max_tokens}"

    def answer(self, questions: Sequence[Sequence[Mapping[str, str]]], *, seed: int) -> list[str | None]:
        """See `guerdon.protocols.JudgeBackend`.

        Raises:
            JudgeError: the server refuses every question alike: a wrong key, address or model.
        """
        if not questions:
            return []
        with ThreadPoolExecutor(min(self.concurrency, len(questions)), "guerdon-judge") as pool:
            pending = [pool.submit(self._one, question, seed) for question in questions]
            try:
                return [future.result() for future in pending]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    @property
    def _address(self) -> Address:
        return Address(self.base_url, self.api_key_env, self.timeout_s, self.attempts, self.backoff_s)

    def _one(self, question: Sequence[Mapping[str, str]], seed: int) -> str | None:
        body = {
            "model": self.model,
            "messages": [dict(message) for message in question],
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
            "seed": seed,
        }
        try:
            return self._address.post("/chat/completions", body, _content)
        except NoAnswer:
            return None
        except Refused as error:
            if error.status in _THIS_QUESTION_ONLY:
                return None
            raise JudgeError(f"{self.name} {error}") from error


def _content(answer: Any) -> str:
    content = answer["choices"][0]["message"]["content"]
    if not isinstance(content, str):
        raise ValueError("the message has no text")
    return content
