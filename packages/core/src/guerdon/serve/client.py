"""A client of `guerdon serve`, over the standard library's HTTP.

    client = Client("http://127.0.0.1:8000", token=os.environ["GUERDON_SERVE_TOKEN"])
    scores = client.grade([{"example": "company_0-0", "completion": "SELECT 1"}], reward="sql")

The scores are those that `guerdon.grading.Grader` gave, exactly: values, parts, statuses, evidence. What may pass (no
connection, 429, 503) is tried again, after as long as the server's Retry-After asks, or ever longer. What will not pass
is raised: it never becomes a number.
"""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from guerdon.errors import ConfigError, RewardError, ServerError
from guerdon.rewards import Context
from guerdon.trainer.records import score_of
from guerdon.types import Score

_MAY_PASS = {408, 429, 502, 503}
_WRONG = {400, 401, 403, 404, 405, 413, 422}
_LONGEST_PAUSE_S = 60.0


class Client:
    """Asks one server. Threads may share one; each has a connection of its own.

    Args:
        url: the server's address, `http://host:port`.
        token: what it asks for.
        timeout_s: of one attempt, in seconds: longer than the server takes for a batch.
        attempts: how often a batch is sent before it is given up.
        backoff_s: the pause after the first failure; each further one is twice as long, at most a minute.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        timeout_s: float = 600.0,
        attempts: int = 8,
        backoff_s: float = 0.25,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"the server's address is {url!r}; one like 'http://127.0.0.1:8000' is needed")
        if attempts < 1:
            raise ConfigError(f"attempts is {attempts!r}; a whole number of at least 1 is needed")
        self._address, self._path = (parts.scheme, parts.hostname, parts.port), parts.path.rstrip("/")
        self._shown = f"{parts.scheme}://{parts.hostname}:{parts.port or ''}".rstrip(":")
        self._headers = {"Content-Type": "application/json"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        self._timeout_s, self._attempts, self._backoff_s = timeout_s, attempts, backoff_s
        self._own = threading.local()

    def grade(
        self, rows: Sequence[Mapping[str, Any]], reward: str | None = None, context: Context | None = None
    ) -> list[Score]:
        """One score per row, in order; see `guerdon.grading` for rows.

        Args:
            rows: whole groups: what is to be compared goes into one call.
            reward: one of `rewards()`; may be left out where there is one alone.
            context: how far the run is.

        Raises:
            ConfigError: rows, reward, token or address are wrong; the message is the server's.
            RewardError: a bug in the reward.
            ServerError: there is no answer, however often one asks.
        """
        answer = self._asked("POST", "/v1/score", _body(rows, reward, context))
        scores = [score_of(record) for record in answer["scores"]]
        if len(scores) != len(rows):
            raise ServerError(f"{self._shown} gave {len(scores)} scores for {len(rows)} rows")
        return scores

    def stream(
        self, rows: Sequence[Mapping[str, Any]], reward: str | None = None, context: Context | None = None
    ) -> Iterator[tuple[int, Score]]:
        """(number of a row, its score), as they are scored. What is raised: as `grade`, also in the middle."""
        connection = self._connection(fresh=True)
        try:
            response = self._sent(connection, "POST", "/v1/score/stream", _body(rows, reward, context))
            for line in response:
                told = json.loads(line)
                if "error" in told:
                    raise self._error(told.get("code", 500), told["error"])
                if "done" in told:
                    return
                yield told["row"], score_of(told["score"])
            raise ServerError(f"{self._shown} ended the stream before it was done")
        except (OSError, http.client.HTTPException, ValueError, LookupError) as error:
            if isinstance(error, ConfigError):
                raise
            raise ServerError(f"the stream from {self._shown} broke off: {type(error).__name__}: {error}") from error
        finally:
            connection.close()

    def rewards(self) -> list[dict[str, Any]]:
        """What can be asked for: `reward`, `task`, `bounds`, `sees`, `parts` of each."""
        found: list[dict[str, Any]] = self._asked("GET", "/v1/rewards", None)["rewards"]
        return found

    def close(self) -> None:
        """Close this thread's connection."""
        connection = getattr(self._own, "connection", None)
        if connection is not None:
            connection.close()
            self._own.connection = None

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- sending -------------------------------------------------------------------------------------------------------

    def _asked(self, method: str, path: str, body: bytes | None) -> Any:
        try:
            return json.loads(self._sent(None, method, path, body).read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            if isinstance(error, ConfigError):
                raise
            self.close()
            raise ServerError(f"{self._shown} broke off its answer: {type(error).__name__}: {error}") from error

    def _sent(
        self, connection: http.client.HTTPConnection | None, method: str, path: str, body: bytes | None
    ) -> http.client.HTTPResponse:
        """The response with code 200, after as many attempts as it takes."""
        problem = ""
        for attempt in range(self._attempts):
            asked_s = 0.0
            used = connection or self._connection()
            try:
                used.request(method, f"{self._path}{path}", body, self._headers)
                response = used.getresponse()
                if response.status == 200:
                    return response
                why = _why(response)
                if response.status not in _MAY_PASS:
                    raise self._error(response.status, why)
                problem, asked_s = f"HTTP {response.status}: {why}", _retry_after_s(response)
            except (OSError, http.client.HTTPException) as error:
                problem = f"{type(error).__name__}: {error}"
                used.close()  # it connects again with the next request
            if attempt + 1 < self._attempts:
                pause_s = self._backoff_s * 2**attempt * random.uniform(0.5, 1.5)  # not all at once again
                time.sleep(min(max(pause_s, asked_s * random.uniform(1.0, 1.25)), _LONGEST_PAUSE_S))
        raise ServerError(f"{self._shown} did not answer in {self._attempts} attempts; the last said: {problem}")

    def _connection(self, *, fresh: bool = False) -> http.client.HTTPConnection:
        connection: http.client.HTTPConnection | None = None if fresh else getattr(self._own, "connection", None)
        if connection is None:
            scheme, host, port = self._address
            kind = http.client.HTTPSConnection if scheme == "https" else http.client.HTTPConnection
            connection = kind(host, port, timeout=self._timeout_s)
            if not fresh:
                self._own.connection = connection
        return connection

    def _error(self, code: int, why: str) -> Exception:
        said = f"{self._shown} refused (HTTP {code}): {why}"
        if code in _WRONG:
            return ConfigError(said)
        return RewardError(said) if code == 500 else ServerError(said)


def _body(rows: Sequence[Mapping[str, Any]], reward: str | None, context: Context | None) -> bytes:
    request: dict[str, Any] = {"rows": list(rows)}
    if reward is not None:
        request["reward"] = reward
    if context is not None:
        request |= {"step": context.step, "total_steps": context.total_steps, "seed": context.seed}
    return json.dumps(request, separators=(",", ":")).encode("ascii")


def _why(response: http.client.HTTPResponse) -> str:
    """The server's words; what stands between may answer in another form."""
    text = response.read(65536).decode("utf-8", "replace")
    response.read()  # or the connection cannot be used again
    try:
        return str(json.loads(text)["error"])
    except (ValueError, LookupError, TypeError):
        return text[:500]


def _retry_after_s(response: http.client.HTTPResponse) -> float:
    try:
        return max(0.0, float(response.headers.get("Retry-After", "0")))
    except ValueError:
        return 0.0  # a date; our own pause serves as well
