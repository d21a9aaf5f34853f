"""A client of `guerdon serve`, over the standard library's HTTP.

    client = Client("http://127.0.0.1:8000")  # with the token in GUERDON_SERVE_TOKEN, if one is there
    scores = client.grade([{"example": "company_0-0", "completion": "SELECT 1"}], reward="sql")

The scores are those that `guerdon.grading.Grader` gave, exactly: values, parts, statuses, evidence. What may pass (no
connection, 429, 503) is tried again, after as long as the server's Retry-After asks, or ever longer; that there is no
connection is said in the log at once. What will not pass is raised: it never becomes a number. An answer that does not
come in time is not asked for again: the server may still be at work on it, and a second copy would only take a second
lane.
"""

from __future__ import annotations

import http.client
import json
import logging
import os
import random
import select
import threading
import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from guerdon.errors import ConfigError, RewardError, ServerError
from guerdon.fields import whole_number
from guerdon.posting import retry_after_s
from guerdon.rewards import Context
from guerdon.trainer.records import score_of
from guerdon.types import Score

TOKEN_ENV = "GUERDON_SERVE_TOKEN"
"""The variable with the server's token, for both its sides."""
_MAY_PASS = {408, 429, 503}
_BAD_GATEWAY = 502
"""From something between, it may pass. From the server itself it says that a process died over this very batch."""
_WRONG = {400, 401, 403, 404, 405, 413, 422}
_LONGEST_PAUSE_S = 60.0
_MOST_IDLE = 128
"""Connections that are kept open for the next requests."""


class Client:
    """Asks one server. Threads may share one: connections go round among them, and are kept for the next request.

    Args:
        url: the server's address, `http://host:port`.
        token: what it asks for; by default what the environment variable `GUERDON_SERVE_TOKEN` holds. "" sends none.
        timeout_s: of one attempt, in seconds: longer than a batch may wait and be scored at the server, by default 420.
        attempts: how often a batch is sent before it is given up: by default over about half a minute.
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
        whole_number("attempts", attempts, 1)
        self._address, self._path = (parts.scheme, parts.hostname, parts.port), parts.path.rstrip("/")
        self._shown = f"{parts.scheme}://{parts.hostname}:{parts.port or ''}".rstrip(":")
        self._headers = {"Content-Type": "application/json"}
        if token is None:
            token = os.environ.get(TOKEN_ENV)
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._timeout_s, self._attempts, self._backoff_s = timeout_s, attempts, backoff_s
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()
        weakref.finalize(self, _close_all, self._idle)  # also at the interpreter's end
        self._missed = False
        self._said: set[str] = set()
        self._jitter = random.Random()  # not the module's own: a run's seed must give the same run with or without us

    def grade(
        self,
        rows: Sequence[Mapping[str, Any]],
        reward: str | None = None,
        context: Context | None = None,
        *,
        learn: bool = False,
    ) -> list[Score]:
        """One score per row, in order; see `guerdon.grading` for rows.

        Args:
            rows: whole groups: what is to be compared goes into one call.
            reward: one of `rewards()`; may be left out where there is one alone.
            context: how far the run is.
            learn: the rows are a training batch, for rewards that learn; see `docs/serving.md`.

        Raises:
            ConfigError: rows, reward, token or address are wrong; the message is the server's.
            RewardError: a bug in the reward.
            ServerError: there is no answer, however often one asks.
        """
        answer = self._asked("POST", "/v1/score", _body(rows, reward, context, learn))
        self._tell(answer, learn)
        scores = [score_of(record) for record in answer["scores"]]
        if len(scores) != len(rows):
            raise ServerError(f"{self._shown} gave {len(scores)} scores for {len(rows)} rows")
        return scores

    def stream(
        self, rows: Sequence[Mapping[str, Any]], reward: str | None = None, context: Context | None = None
    ) -> Iterator[tuple[int, Score]]:
        """(number of a row, its score), as they are scored. What is raised: as `grade`, also in the middle."""
        connection, response = self._sent("POST", "/v1/score/stream", _body(rows, reward, context))
        try:
            for line in response:
                told = json.loads(line)
                if "error" in told:
                    raise self._error(told.get("code", 500), told["error"])
                if "done" in told:
                    self._tell(told)
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
        """Close all connections that are not in use, as is done when the client goes. It may be used again."""
        with self._lock:
            _close_all(self._idle)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _tell(self, answer: Mapping[str, Any], learn: bool = False) -> None:
        """Say, once each, what was sent in vain."""
        if learn and not answer.get("learnt", True):
            self._say(f"learn=True taught {self._shown} nothing: the reward {answer.get('reward')!r} does not learn")
        for name in answer.get("unread", ()):
            self._say(f"nobody at {self._shown} reads the rows' field {name!r}")

    def _say(self, words: str) -> None:
        with self._lock:
            first = words not in self._said
            self._said.add(words)
        if first:
            logging.getLogger(__name__).warning("%s", words)

    # -- sending -------------------------------------------------------------------------------------------------------

    def _asked(self, method: str, path: str, body: bytes | None) -> Any:
        connection, response = self._sent(method, path, body)
        try:
            answer = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            connection.close()
            raise ServerError(f"{self._shown} broke off its answer: {type(error).__name__}: {error}") from error
        self._keep(connection)
        return answer

    def _sent(
        self, method: str, path: str, body: bytes | None
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        """The response with code 200, after as many attempts as it takes, and the connection that it comes by."""
        problem, connected, started = "", False, time.monotonic()
        for attempt in range(self._attempts):
            asked_s, connected = 0.0, False
            connection = self._connection()
            try:
                if connection.sock is None:
                    connection.connect()
                connected, self._missed = True, False
                connection.request(method, f"{self._path}{path}", body, self._headers)
                response = connection.getresponse()
                if response.status == 200:
                    return connection, response
                why, servers_own = _why(response)
                self._keep(connection)
                if response.status not in _MAY_PASS and (servers_own or response.status != _BAD_GATEWAY):
                    raise self._error(response.status, why)
                problem, asked_s = f"HTTP {response.status}: {why}", retry_after_s(response.headers)
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                if connected and isinstance(error, TimeoutError):
                    raise ServerError(f"{self._shown} did not answer within {self._timeout_s:g} s") from error
                problem = f"{type(error).__name__}: {error}"
                if not connected:
                    self._warn(problem)
            if attempt + 1 < self._attempts:
                pause_s = self._backoff_s * 2**attempt * self._jitter.uniform(0.5, 1.5)  # not all at once again
                time.sleep(min(max(pause_s, asked_s * self._jitter.uniform(1.0, 1.25)), _LONGEST_PAUSE_S))
        tried = f"{self._attempts} attempts over {time.monotonic() - started:.1f} s"
        hint = "" if connected else ". Is `guerdon serve` running there?"
        raise ServerError(f"{self._shown} did not answer in {tried}; the last said: {problem}{hint}")

    def _warn(self, problem: str) -> None:
        """Say that there is no connection: once, until there has been one."""
        with self._lock:
            first, self._missed = not self._missed, True
        if first and self._attempts > 1:
            pauses = (min(self._backoff_s * 2**n, _LONGEST_PAUSE_S) for n in range(self._attempts - 1))
            logging.getLogger(__name__).warning(
                "no connection to %s (%s); trying %d times in all, over about %.1f s",
                self._shown,
                problem,
                self._attempts,
                sum(pauses),
            )

    def _connection(self) -> http.client.HTTPConnection:
        """The connection that was used last, or a new one."""
        while True:
            with self._lock:
                kept = self._idle.pop() if self._idle else None
            if kept is None:
                scheme, host, port = self._address
                kind = http.client.HTTPSConnection if scheme == "https" else http.client.HTTPConnection
                return kind(host, port, timeout=self._timeout_s)
            if _usable(kept):
                return kept
            kept.close()

    def _keep(self, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            if len(self._idle) < _MOST_IDLE:
                self._idle.append(connection)
                return
        connection.close()

    def _error(self, code: int, why: str) -> Exception:
        said = f"{self._shown} refused (HTTP {code}): {why}"
        if code in _WRONG:
            return ConfigError(said)
        return RewardError(said) if code == 500 else ServerError(said)


def _close_all(idle: list[http.client.HTTPConnection]) -> None:
    while idle:
        idle.pop().close()


def _body(rows: Sequence[Mapping[str, Any]], reward: str | None, context: Context | None, learn: bool = False) -> bytes:
    request: dict[str, Any] = {"rows": list(rows)}
    if reward is not None:
        request["reward"] = reward
    if context is not None:
        request |= {"step": context.step, "total_steps": context.total_steps, "seed": context.seed}
    if learn:
        request["learn"] = True
    return json.dumps(request, separators=(",", ":")).encode("ascii")


def _usable(connection: http.client.HTTPConnection) -> bool:
    """Whether nothing has come on an idle connection: what comes there is its end."""
    if connection.sock is None:  # closed with the last answer, as its header said
        return False
    watched = select.poll()
    watched.register(connection.sock, select.POLLIN)
    return not watched.poll(0)


def _why(response: http.client.HTTPResponse) -> tuple[str, bool]:
    """What was said, and whether by the server itself: what stands between may answer in another form."""
    text = response.read(65536).decode("utf-8", "replace")
    response.read()  # or the connection cannot be used again
    try:
        return str(json.loads(text)["error"]), True
    except (ValueError, LookupError, TypeError):
        return text[:500], False
