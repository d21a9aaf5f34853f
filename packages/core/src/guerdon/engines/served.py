"""A server that speaks the OpenAI completions protocol generates: `vllm serve`, or any other.

For evaluation: a server keeps the weights it was started with, so a policy with this engine is not trained (vLLM in
this process is for that, `engine: vllm`). To evaluate a checkpoint, serve its `policy` folder.

Prompts go out as token ids. Token ids come back where the server tells them (vLLM does); from others the text is taken
and encoded, without log-probs. How a request is posted, and tried again, is in `guerdon.posting`. The same seeds are
sent for the same arguments; whether they draw the same is the server's promise.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from guerdon.engines.sampling import completion_seed
from guerdon.engines.stopping import StopStrings, context_of, decode, end_ids, nothing_to_draw
from guerdon.engines.wording import Wording
from guerdon.errors import ConfigError, PolicyError
from guerdon.posting import Address, NoAnswer, Refused
from guerdon.protocols import Generation, Sampling
from guerdon.types import StopReason

if TYPE_CHECKING:
    import torch

_MAX_BYTES = 256 << 20
_TOKEN_ID = re.compile(r"token_id:(\d+)")


@dataclass(frozen=True)
class Served:
    """Where the server is, and how patiently it is asked."""

    base_url: str
    """Up to and including the version: "http://localhost:8000/v1"."""
    model: str
    """The name it serves the policy's model under. Nobody checks that the weights are the same."""
    api_key_env: str = "OPENAI_API_KEY"
    """The environment variable that holds the key; unset means that none is sent. The key is never kept or shown."""
    at_temperature: bool = False
    """The server tells log-probs at the sampling temperature (vLLM's `--logprobs-mode processed_logprobs`) instead of
    at temperature 1. Log-probs that would not be those of the distribution drawn from are left out."""
    context: int | None = None
    """The most tokens of prompt and completion together; null takes the model's own limit."""
    timeout_s: float = 600.0
    """Of one attempt at one prompt, all its completions together."""
    attempts: int = 6
    backoff_s: float = 0.5
    """Pause after the first failed attempt; each further one is twice as long, at most a minute."""
    concurrency: int = 16
    """Prompts in flight."""

    def __post_init__(self) -> None:
        self.address.check("Served")
        if self.concurrency < 1:
            raise ConfigError("Served: attempts and concurrency must be at least 1")

    @property
    def address(self) -> Address:
        """What is posted to."""
        return Address(self.base_url, self.api_key_env, self.timeout_s, self.attempts, self.backoff_s, _MAX_BYTES)

    def make(self, model: Any, tokenizer: Any, weights: Mapping[str, torch.Tensor]) -> ServedEngine:
        """See `guerdon.protocols.EngineMaker`; the weights stay here."""
        from guerdon.engines.attention import plain

        inner = plain(model)
        return ServedEngine(self, tokenizer, end_ids(inner, tokenizer), self.context or context_of(inner))


class ServedEngine:
    """Implements `guerdon.protocols.Engine`; made by `Served.make`."""

    def __init__(
        self, settings: Served, tokenizer: Any, end_ids: frozenset[int], context_length: int | None = None
    ) -> None:
        """
        Args:
            settings: where and how.
            tokenizer: for stop strings, and for the text of servers that tell no token ids.
            end_ids: the tokens that end a turn.
            context_length: tokens of prompt and completion together.
        """
        self.settings, self.tokenizer = settings, tokenizer
        self.wording = Wording(tokenizer)
        self.end_ids, self.context_length = end_ids, context_length

    @property
    def fixed(self) -> str:
        """Why it cannot take new weights."""
        return (
            f"its engine is the server at {self.settings.base_url!r}, which keeps the weights it was started with: "
            "train with the engine `vllm` or `transformers`, and serve a checkpoint's `policy` folder to evaluate it"
        )

    def load_weights(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Refused.

        Raises:
            PolicyError: always; it says what is possible.
        """
        raise PolicyError(f"the policy's weights have changed, but {self.fixed}")

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        n: int,
        sampling: Sampling,
        *,
        seed: int,
        on_token: Callable[[int], None] | None = None,
    ) -> list[list[Generation]]:
        """See `guerdon.protocols.Engine.generate`; one request per prompt.

        Raises:
            PolicyError: a prompt is empty or does not fit; the server refuses a request, or keeps failing.
        """
        if (empty := nothing_to_draw(prompts, n, sampling, self.context_length)) is not None:
            return empty
        stops = StopStrings(self.tokenizer, sampling.stop)
        with ThreadPoolExecutor(min(self.settings.concurrency, len(prompts)), "guerdon-engine") as pool:
            pending = [
                pool.submit(self._one, prompt, n, sampling, completion_seed(seed, place, 0), stops)
                for place, prompt in enumerate(prompts)
            ]
            try:
                _watch(pending, n, on_token)
                return [future.result() for future in pending]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _one(
        self, prompt: Sequence[int], n: int, sampling: Sampling, seed: int, stops: StopStrings
    ) -> list[Generation]:
        asked = (
            n if sampling.temperature > 0 else 1
        )  # greedy ones are all alike, and some servers refuse to repeat them
        body = {
            "model": self.settings.model,
            "prompt": list(prompt),
            "n": asked,
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": seed,
            "logprobs": 0,
            # Not OpenAI's: vLLM and its like know them, most others ignore them.
            "stop_token_ids": sorted(self.end_ids),
            "include_stop_str_in_output": True,
            "skip_special_tokens": False,
            "return_token_ids": True,
            **({"stop": list(sampling.stop)} if sampling.stop else {}),
            **({"top_k": sampling.top_k} if sampling.top_k else {}),
        }
        try:
            drawn = self.settings.address.post("/completions", body, lambda answer: self._read(answer, asked))
        except (Refused, NoAnswer) as error:
            raise PolicyError(f"the server at {self.settings.base_url!r}: {error}") from error
        told = self._tells(sampling)
        generations = [self._generation(*one, stops, told=told) for one in drawn]
        return generations * n if asked < n else generations

    def _tells(self, sampling: Sampling) -> bool:
        """Whether the server's log-probs are those that `Generation` means."""
        if self.settings.at_temperature:
            return sampling.top_p == 1 and not sampling.top_k
        return sampling.temperature in (0.0, 1.0)

    def _read(self, answer: Any, asked: int) -> list[tuple[list[int], list[float], bool]]:
        """Token ids, log-probs (or none) and whether it stopped by itself, per completion."""
        choices = sorted(answer["choices"], key=lambda choice: int(choice["index"]))
        if len(choices) != asked:
            raise ValueError(f"{len(choices)} completions came back, not {asked}")
        return [self._choice(choice) for choice in choices]

    def _choice(self, choice: Mapping[str, Any]) -> tuple[list[int], list[float], bool]:
        told = choice.get("logprobs") or {}
        names = [_TOKEN_ID.fullmatch(str(token)) for token in told.get("tokens") or []]
        if choice.get("token_ids") is not None:
            ids = [int(token) for token in choice["token_ids"]]
        elif names and all(names):
            ids = [int(name[1]) for name in names if name]
        else:  # the text is all there is; what the server drew may have been cut otherwise
            return self._reread(choice["text"], stopped=self._stopped(choice)), [], self._stopped(choice)
        values = told.get("token_logprobs") or []
        whole = len(values) == len(ids) and None not in values
        return ids, [float(value) for value in values] if whole else [], self._stopped(choice)

    def _reread(self, text: str, *, stopped: bool) -> list[int]:
        """The tokens of a server's text. It may show the token that ended the turn; whatever else looks like a special
        token was as likely spelt out, and stays letters.
        """
        if stopped:
            for end in self.end_ids:
                if (spelt := decode(self.tokenizer, [end])) and text.endswith(spelt):
                    return [*self.wording.tokens(text.removesuffix(spelt)), end]
        return list(self.wording.tokens(text))

    def _stopped(self, choice: Mapping[str, Any]) -> bool:
        return bool(choice.get("finish_reason") == "stop")

    def _generation(
        self, ids: list[int], logprobs: list[float], stopped: bool, stops: StopStrings, *, told: bool
    ) -> Generation:
        """Cut where the other engines would have ended it."""
        for place, token in enumerate(ids):
            if token in self.end_ids or stops.hit(ids[: place + 1]):
                ids, logprobs, stopped = ids[: place + 1], logprobs[: place + 1], True
                break
        reason: StopReason = "stop" if stopped else "length"
        return Generation(tuple(ids), tuple(logprobs) if told else (), reason)


def _watch(pending: Sequence[Future[list[Generation]]], n: int, on_token: Callable[[int], None] | None) -> None:
    """Tell about each prompt's completions as they come; the first failure ends the waiting."""
    for finished, future in enumerate(as_completed(pending), 1):
        future.result()
        if on_token is not None:
            on_token(n * finished)
