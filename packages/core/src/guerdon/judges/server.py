"""A judge behind any server that speaks the OpenAI chat-completions protocol, over the standard library's HTTP.

Covers: time-outs, retries with exponential back-off of what may pass (no connection, 408, 409, 429, 5xx, an unreadable
body), several questions in flight. Does not follow redirects, so that the key goes nowhere but to `base_url`.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from guerdon.errors import ConfigError, JudgeError

if TYPE_CHECKING:
    from email.message import Message

_MAY_PASS = {408, 409, 429, 500, 502, 503, 504, 529}
_THIS_QUESTION_ONLY = {400, 413, 422}
_MAX_BYTES = 4 << 20
_LONGEST_PAUSE_S = 60.0


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
        if not self.base_url.startswith(("http://", "https://")):
            raise ConfigError(
                f"OpenAICompatible.base_url is {self.base_url!r}; an http:// or https:// address is needed"
            )
        if self.attempts < 1 or self.concurrency < 1:
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

    def _one(self, question: Sequence[Mapping[str, str]], seed: int) -> str | None:
        for attempt in range(self.attempts):
            answer, wait_s = self._attempt(question, seed)
            if wait_s is None:
                return answer
            if attempt + 1 < self.attempts:
                time.sleep(min(max(self.backoff_s * 2**attempt, wait_s), _LONGEST_PAUSE_S))
        return None

    def _attempt(self, question: Sequence[Mapping[str, str]], seed: int) -> tuple[str | None, float | None]:
        """The answer, and how long the server asks to wait before another attempt (None: no further attempt)."""
        import http.client
        import urllib.error

        try:
            with _opener().open(self._request(question, seed), timeout=self.timeout_s) as response:
                return _content(response.read(_MAX_BYTES)), None
        except urllib.error.HTTPError as error:
            with error:
                detail = error.read(2048).decode("utf-8", "replace")
            if error.code in _MAY_PASS:
                return None, _retry_after_s(error.headers)
            if error.code in _THIS_QUESTION_ONLY:
                return None, None
            raise JudgeError(f"{self.name} refused with HTTP {error.code}: {detail[:500]}") from error
        except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError):
            return None, 0.0  # no connection, cut off in the middle, or a body that is not a chat completion

    def _request(self, question: Sequence[Mapping[str, str]], seed: int) -> Any:
        import urllib.request

        body = {
            "model": self.model,
            "messages": [dict(message) for message in question],
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
            "seed": seed,
        }
        headers = {"Content-Type": "application/json"}
        if key := os.environ.get(self.api_key_env):
            headers["Authorization"] = f"Bearer {key}"
        address = f"{self.base_url.rstrip('/')}/chat/completions"
        return urllib.request.Request(address, json.dumps(body).encode(), headers)


def _opener() -> Any:
    import urllib.request

    class Stay(urllib.request.HTTPRedirectHandler):
        """Refuses to follow: the request carries a key."""

        def redirect_request(self, *args: Any, **kwargs: Any) -> None:
            return None

    return urllib.request.build_opener(Stay())


def _content(body: bytes) -> str:
    content = json.loads(body)["choices"][0]["message"]["content"]
    if not isinstance(content, str):
        raise ValueError("the message has no text")
    return content


def _retry_after_s(headers: Message) -> float:
    try:
        return max(0.0, float(headers.get("Retry-After", "0")))
    except ValueError:
        return 0.0  # a date; our own back-off serves as well
