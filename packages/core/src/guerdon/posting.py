"""JSON over HTTP to a server that is not ours, with the standard library.

Covers: time-outs, retries with exponential back-off of what may pass (no connection, 408, 409, 429, 5xx, an unreadable
body), a limit on the answer's size. Does not follow redirects, so that the key goes nowhere but to `base_url`.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from guerdon.errors import ConfigError

if TYPE_CHECKING:
    from email.message import Message

T = TypeVar("T")

_MAY_PASS = {408, 409, 429, 500, 502, 503, 504, 529}
_LONGEST_PAUSE_S = 60.0


class Refused(Exception):  # noqa: N818 - what happened, for the caller to put into its own words
    """The server answered with an error that trying again does not mend."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"refused with HTTP {status}: {detail[:500]}")
        self.status = status


class NoAnswer(Exception):  # noqa: N818 - as Refused
    """Every attempt failed in a way that might have passed; says how the last one did."""


@dataclass(frozen=True)
class Address:
    """Where to post, and how patiently."""

    base_url: str
    """Up to and including the version: "http://localhost:8000/v1"."""
    api_key_env: str
    """The environment variable that holds the key; unset means that none is sent. The key is never kept or shown."""
    timeout_s: float
    """Of one attempt."""
    attempts: int
    backoff_s: float
    """Pause after the first failed attempt; each further one is twice as long, at most a minute."""
    max_bytes: int = 4 << 20
    """Of an answer; a longer one counts as unreadable."""

    def check(self, who: str) -> None:
        """Refuse settings that cannot work; `who` names them in the message.

        Raises:
            ConfigError: no HTTP address, or no attempt at all.
        """
        if not self.base_url.startswith(("http://", "https://")):
            raise ConfigError(f"{who}.base_url is {self.base_url!r}; an http:// or https:// address is needed")
        if self.attempts < 1:
            raise ConfigError(f"{who}: attempts and concurrency must be at least 1")

    def post(self, path: str, body: Mapping[str, Any], read: Callable[[Any], T]) -> T:
        """What `read` makes of the answer to `body`, posted below the base address.

        Args:
            path: "/chat/completions".
            body: sent as JSON.
            read: given the answer's JSON; what it raises of ValueError, LookupError and TypeError means that the answer
                is not of the kind expected, and counts as a failed attempt.

        Raises:
            Refused: the server will not have it.
            NoAnswer: it kept failing.
        """
        why = ""
        for attempt in range(self.attempts):
            try:
                return self._attempt(path, body, read)
            except _Passing as failure:
                why, wait_s = str(failure), failure.wait_s
            if attempt + 1 < self.attempts:
                time.sleep(min(max(self.backoff_s * 2**attempt, wait_s), _LONGEST_PAUSE_S))
        raise NoAnswer(f"no usable answer in {self.attempts} attempts; the last one: {why}")

    def _attempt(self, path: str, body: Mapping[str, Any], read: Callable[[Any], T]) -> T:
        import http.client
        import urllib.error

        try:
            with _opener().open(self._request(path, body), timeout=self.timeout_s) as response:
                return read(json.loads(response.read(self.max_bytes)))
        except urllib.error.HTTPError as error:
            with error:
                detail = error.read(2048).decode("utf-8", "replace")
            if error.code in _MAY_PASS:
                raise _Passing(f"HTTP {error.code}: {detail[:200]}", retry_after_s(error.headers)) from error
            raise Refused(error.code, detail) from error
        except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError) as error:
            # No connection, cut off in the middle, or a body that is not what was expected.
            raise _Passing(f"{type(error).__name__}: {error}", 0.0) from error

    def _request(self, path: str, body: Mapping[str, Any]) -> Any:
        import urllib.request

        headers = {"Content-Type": "application/json"}
        if key := os.environ.get(self.api_key_env):
            headers["Authorization"] = f"Bearer {key}"
        return urllib.request.Request(f"{self.base_url.rstrip('/')}{path}", json.dumps(body).encode(), headers)


class _Passing(Exception):  # noqa: N818 - never leaves this module
    """One attempt failed, and another may not; `wait_s` is what the server asks to wait."""

    def __init__(self, why: str, wait_s: float) -> None:
        super().__init__(why)
        self.wait_s = wait_s


def _opener() -> Any:
    import urllib.request

    class Stay(urllib.request.HTTPRedirectHandler):
        """Refuses to follow: the request carries a key."""

        def redirect_request(self, *args: Any, **kwargs: Any) -> None:
            return None

    return urllib.request.build_opener(Stay())


def retry_after_s(headers: Message) -> float:
    """How many seconds a server asks to wait; 0 where it does not say so in seconds."""
    try:
        return max(0.0, float(headers.get("Retry-After", "0")))
    except ValueError:
        return 0.0  # a date; our own back-off serves as well
