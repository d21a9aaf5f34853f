"""A causal language model as a policy: the model, its tokenizer, an engine to sample with, and packed log-probs.

```
task.prompt(example) ─ chat template ─▶ prompt_ids ─ engine ─▶ segments ─▶ Rollout ─ packing ─▶ log-probs ─▶ gradients
```
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch

from guerdon.engines.attention import plain
from guerdon.engines.stopping import cut_after, decode
from guerdon.engines.transformers import TransformersEngine
from guerdon.errors import ConfigError, PolicyError
from guerdon.policies.chat import Chat, with_observation
from guerdon.policies.embedded import EMBEDDED, INSTALL_HINT, is_embedded, resolve
from guerdon.policies.likelihood import Likelihood
from guerdon.policies.masters import Masters
from guerdon.policies.memory import keep_freed_memory
from guerdon.policies.packing import group_neighbours
from guerdon.protocols import Engine, Environment, Generation, Sampling, StepLogprobs, Task
from guerdon.types import Example, Group, Prompt, Rollout, Segment, StopReason

if TYPE_CHECKING:
    from guerdon.protocols import Policy

Dtype = Literal["auto", "float32", "bfloat16"]
_STATE = "guerdon.json"
_MAX_TURNS = 64
"""A multi-turn rollout whose environment never ends it is cut here."""


@dataclass(frozen=True)
class LoraSpec:
    """Low-rank adapters in place of full weights (Hu et al. 2021, equation 3: W + alpha / r * B A)."""

    r: int = 16
    """Rank, at least 1."""
    alpha: float = 32.0
    dropout: float = 0.0
    """Share of adapter inputs dropped while training, in [0, 1)."""
    targets: tuple[str, ...] | str = "all-linear"
    """Names of the adapted modules, or `all-linear`: every linear layer but the head."""


def preferred_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the hardware multiplies it natively (CUDA with bf16, AMX or AVX512-BF16), else float32.

    Decided by the processor's flags and not by timing, so that a resumed run computes in the type it began with.
    """
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    if device.type == "cpu":
        flags = _cpu_flags()
        return torch.bfloat16 if flags & {"amx_bf16", "avx512_bf16"} else torch.float32
    return torch.float32


def _cpu_flags() -> set[str]:
    """Instruction sets of the processor, as far as torch (2.13 and later) or the kernel tells."""
    capabilities = getattr(torch.cpu, "get_capabilities", None)
    if capabilities is not None:
        return {name for name, present in capabilities().items() if present is True}
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return set()
    return next((set(line.split()) for line in lines if line.startswith("flags")), set())


class LanguagePolicy:
    """Implements `guerdon.protocols.Policy` for a causal language model of transformers."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        dtype: torch.dtype = torch.float32,
        lora: LoraSpec | None = None,
        engine: Engine | None = None,
        name: str = "",
        seed: int = 0,
    ) -> None:
        """
        Args:
            model: taken over: its parameters are converted in place, and trained.
            tokenizer: with a chat template, or messages are joined by blank lines.
            dtype: what the model computes in; trainable weights are kept in float32 either way.
            lora: train adapters of this shape and freeze the rest.
            engine: generates in place of the model's own `TransformersEngine`; gets the weights after every update.
            name: where the base weights came from, written beside saved adapters.
            seed: of the adapters' initial values.
        """
        keep_freed_memory()
        self.version = 0
        self.name, self.lora = name, lora
        self.tokenizer, self.chat = tokenizer, Chat(tokenizer)
        self.model = model if lora is None else _with_adapters(model, lora, seed)
        self.masters = Masters(self.model, dtype)
        self.dropout = lora is not None and lora.dropout > 0
        self.model.eval()
        self.engine: Engine = engine or TransformersEngine(self.model, tokenizer)
        self.likelihood = Likelihood(self.model)

    @classmethod
    def from_pretrained(
        cls,
        model: str = EMBEDDED,
        *,
        dtype: Dtype = "auto",
        lora: LoraSpec | None = None,
        device: str = "auto",
        seed: int = 0,
    ) -> LanguagePolicy:
        """Load a model by name: the embedded one, a local folder (a saved policy too), or a hub id.

        Args:
            model: `smollm2-135m-instruct` (or `embedded`), a path, or a hub id.
            dtype: compute type; `auto` is bfloat16 where the hardware is fast at it (`preferred_dtype`).
            lora: train adapters of this shape. A folder that holds saved adapters brings its own.
            device: `cpu`, `cuda`, `cuda:1`, ...; `auto` is CUDA where there is one.
            seed: of newly made weights (adapters).

        Raises:
            PolicyError: there is no such model, or it cannot be read; for the embedded one, how to install it.
            ConfigError: an unknown dtype.
        """
        from transformers import AutoModelForCausalLM, AutoTokenizer

        place = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)
        compute = _dtype(dtype, place)
        folder = Path(model)
        saved = json.loads((folder / _STATE).read_text(encoding="utf-8")) if (folder / _STATE).is_file() else {}
        if saved.get("lora"):
            policy = cls.from_pretrained(
                saved["name"], dtype=dtype, lora=_spec(saved["lora"]), device=device, seed=seed
            )
            policy.load(folder)
            return policy
        source = resolve(model)
        try:
            with _no_bars():
                tokenizer = AutoTokenizer.from_pretrained(source)
                weights = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32).to(place)
        except (OSError, ValueError) as error:
            hint = INSTALL_HINT if is_embedded(model) else "Give a local folder with a model in it, or a hub id."
            raise PolicyError(f"no causal language model could be loaded from {model!r}. {hint} ({error})") from error
        policy = cls(weights, tokenizer, dtype=compute, lora=lora, name=model, seed=seed)
        policy.version = int(saved.get("version", 0))
        return policy

    @property
    def dtype(self) -> torch.dtype:
        """What the model computes in; trainable weights are kept in float32 either way."""
        return self.likelihood.head.weight.dtype  # type: ignore[no-any-return]

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        device: torch.device = next(self.model.parameters()).device
        return device

    # Sampling

    def sample(self, task: Task, examples: Sequence[Example], n: int, sampling: Sampling, *, seed: int) -> list[Group]:
        """See `guerdon.protocols.Policy.sample`.

        Where `task.environment` gives an environment, each rollout has its own; all of one group begin from the same
        seed. Each policy segment then carries the `Turn` that answered it as its `observation`.

        Raises:
            PolicyError: a prompt has no messages or does not fit the model's context.
        """
        attempts: list[list[_Attempt]] = []
        for index, example in enumerate(examples):
            worlds = [task.environment(example) for _ in range(n)]
            openings = [world.reset(seed=_mix(seed, index) & 0x7FFFFFFF) for world in worlds if world is not None]
            prompt = task.prompt(example)
            if openings:
                prompt = with_observation(prompt, openings[0])
            ids, forced = self.chat.prompt_ids(prompt), self.chat.encode(prompt.forced)
            attempts.append([_Attempt(example, prompt, ids, world, forced) for world in worlds])
        self._first_turn(attempts, n, sampling, seed)
        turn = 0
        while waiting := self._answered([a for group in attempts for a in group], sampling, last=turn == _MAX_TURNS):
            turn += 1
            contexts = [attempt.context for attempt in waiting]
            drawn = self.engine.generate(contexts, 1, sampling, seed=_mix(seed, -turn))
            for attempt, (generation,) in zip(waiting, drawn, strict=True):
                attempt.take(self._segment(generation, sampling), generation.stop)
        return [
            Group.of([attempt.rollout(self.version, k) for k, attempt in enumerate(group)])
            for group in attempts
            if group
        ]

    def _first_turn(self, attempts: Sequence[Sequence[_Attempt]], n: int, sampling: Sampling, seed: int) -> None:
        contexts = [group[0].context for group in attempts if group]
        for group, drawn in zip(attempts, self.engine.generate(contexts, n, sampling, seed=seed), strict=True):
            for attempt, generation in zip(group, drawn, strict=True):
                attempt.take(self._segment(generation, sampling), generation.stop)

    def _segment(self, generation: Generation, sampling: Sampling) -> Segment:
        """The generation as a segment; its text leaves out the end token and what follows a stop string."""
        ids = generation.token_ids
        written = ids[:-1] if generation.stop == "stop" and ids and ids[-1] in self._ends else ids
        text = cut_after(decode(self.tokenizer, written), sampling.stop)
        return Segment("policy", text, ids, generation.logprobs)

    @property
    def _ends(self) -> frozenset[int]:
        return getattr(self.engine, "end_ids", None) or frozenset([self.chat.end_id])

    def _answered(self, attempts: Sequence[_Attempt], sampling: Sampling, *, last: bool) -> list[_Attempt]:
        """Let every open attempt's environment answer; those that may go on, with its words appended."""
        waiting = []
        for attempt in attempts:
            if attempt.world is None or attempt.done:
                continue
            turn = attempt.world.step(attempt.segments)
            attempt.segments[-1] = replace(attempt.segments[-1], observation=turn)
            if turn.terminated:
                attempt.end("environment")
            elif turn.truncated or last:
                attempt.end("length")
            ended = bool(attempt.segments[-1].token_ids) and attempt.segments[-1].token_ids[-1] in self._ends
            ids = () if attempt.done else self.chat.reply_ids(turn.observation, ended=ended)
            if turn.observation or ids:
                attempt.segments.append(Segment("environment", turn.observation, ids))
            if not attempt.done and len(attempt.context) + sampling.max_tokens > self._context:
                attempt.end("length")
            if not attempt.done:
                waiting.append(attempt)
        return waiting

    @property
    def _context(self) -> float:
        return getattr(self.engine, "context_length", None) or math.inf

    # Learning

    def logprobs(self, rollouts: Sequence[Rollout], *, temperature: float = 1.0, grad: bool = True) -> StepLogprobs:
        """See `guerdon.protocols.Policy.logprobs`; neighbours with the same prompt tokens are read as one packed row.

        A temperature of 0 (greedy) counts as 1.

        Raises:
            PolicyError: a rollout holds no tokens; see `reference_rollout`.
        """
        groups = group_neighbours(rollouts)
        lengths = tuple(len(completion.scored) for group in groups for completion in group.completions)
        self.model.train(grad and self.dropout)
        try:
            with torch.set_grad_enabled(grad):
                logprobs_N, entropy_N = self.likelihood.score(groups, temperature or 1.0)
        finally:
            self.model.eval()
        return StepLogprobs(logprobs_N, entropy_N, lengths)

    def parameters(self) -> Iterable[torch.nn.Parameter]:
        """The float32 trainable parameters, in a stable order."""
        return self.masters.parameters()

    def cost(self, rollouts: Sequence[Rollout]) -> int:
        """Tokens that `logprobs` would read: each shared prompt once."""
        return self.likelihood.cost(group_neighbours(rollouts))

    def reference_rollout(self, task: Task, example: Example, text: str) -> Rollout:
        """See `guerdon.protocols.Policy.reference_rollout`. The text ends with the end-of-turn token; a forced prefix
        is taken from the task's prompt, and off the text where the text repeats it.
        """
        prompt = task.prompt(example)
        segments = []
        if prompt.forced:
            segments.append(Segment("forced", prompt.forced, self.chat.encode(prompt.forced)))
        text = text.removeprefix(prompt.forced)
        segments.append(Segment("policy", text, (*self.chat.encode(text), self.chat.end_id)))
        return Rollout(example, tuple(segments), prompt, self.chat.prompt_ids(prompt), policy_version=self.version)

    def updated(self) -> None:
        """Round the masters into the compute weights, count the update, and hand an outside engine the new weights."""
        self.masters.hand_down()
        self.version += 1
        self._publish()

    def _publish(self) -> None:
        """Hand the weights to an engine that does not share them."""
        if not isinstance(self.engine, TransformersEngine):
            self.engine.load_weights({name: weight for name, (_, weight) in self.masters.pairs.items()})

    def snapshot(self) -> Policy:
        """A frozen copy that computes alike, without masters or gradients."""
        frozen = copy.copy(self)
        frozen.model = copy.deepcopy(self.model).requires_grad_(False)
        frozen.masters = Masters(frozen.model, plain(self.model).get_output_embeddings().weight.dtype)
        frozen.dropout = False
        frozen.engine = TransformersEngine(frozen.model, self.tokenizer)
        frozen.likelihood = Likelihood(frozen.model)
        return frozen

    # Keeping

    def save(self, path: Path) -> None:
        """Write a folder that transformers (or, for adapters, peft) reads, with float32 weights, and the version.

        Raises:
            PolicyError: the folder cannot be written.
        """
        state = {name: parameter.detach() for name, parameter in self.model.named_parameters()} | self.masters.state()
        try:
            path.mkdir(parents=True, exist_ok=True)
            if self.lora is None:
                # Clones, since neighbouring weights may be views of one buffer.
                with _no_bars():
                    self.model.save_pretrained(path, state_dict={name: value.clone() for name, value in state.items()})
                _say_float32(path / "config.json")
            else:
                self.model.save_pretrained(path, save_embedding_layers=False)
            self.tokenizer.save_pretrained(path)
            lora = None if self.lora is None else asdict(self.lora)
            record = {"name": self.name, "version": self.version, "lora": lora}
            (path / _STATE).write_text(json.dumps(record, indent=1), encoding="utf-8")
        except OSError as error:
            raise PolicyError(f"the policy could not be saved to {str(path)!r}: {error}") from error

    def load(self, path: Path) -> None:
        """Read what `save` wrote: float32 weights bit for bit, and the version.

        Raises:
            PolicyError: the folder is incomplete, or holds another kind of weights.
        """
        from safetensors.torch import load_file

        file = path / ("model.safetensors" if self.lora is None else "adapter_model.safetensors")
        try:
            record = json.loads((path / _STATE).read_text(encoding="utf-8"))
            state = load_file(file)
            if self.lora is not None:
                # peft leaves the adapter's name (`default`) out of its files.
                adapters = [name for name, _ in self.model.named_parameters() if "lora_" in name]
                state = {name: state[name.replace(".default.", ".")] for name in adapters}
            self.masters.load(state)
            self._load_frozen(state)
        except (OSError, KeyError, ValueError, RuntimeError) as error:
            raise PolicyError(f"{str(path)!r} does not hold weights of this policy: {error!r}") from error
        self.version = int(record["version"])
        self._publish()

    @torch.no_grad()
    def _load_frozen(self, state: Mapping[str, torch.Tensor]) -> None:
        """Take the saved values of parameters that have no master: all of them, in a snapshot."""
        for name, parameter in self.model.named_parameters():
            if name not in self.masters.pairs and (self.lora is None or name in state):
                parameter.copy_(state[name])


@dataclass(slots=True)
class _Attempt:
    """One rollout in the making."""

    example: Example
    prompt: Prompt
    prompt_ids: tuple[int, ...]
    world: Environment | None
    forced_ids: tuple[int, ...]
    segments: list[Segment] = field(default_factory=list)
    stop: StopReason = "stop"
    done: bool = False

    def __post_init__(self) -> None:
        if self.forced_ids:
            self.segments.append(Segment("forced", self.prompt.forced, self.forced_ids))

    @property
    def context(self) -> list[int]:
        """All tokens so far."""
        return [*self.prompt_ids, *(token for segment in self.segments for token in segment.token_ids)]

    def take(self, segment: Segment, stop: StopReason) -> None:
        """The policy's turn. Cut by its budget, it is the last one."""
        self.segments.append(segment)
        self.stop = stop
        self.done = self.world is None or stop != "stop"

    def end(self, stop: StopReason) -> None:
        """No further turn."""
        self.stop, self.done = stop, True

    def rollout(self, version: int, index: int) -> Rollout:
        """The finished rollout."""
        return Rollout(self.example, tuple(self.segments), self.prompt, self.prompt_ids, self.stop, version, index)


def _mix(seed: int, place: int) -> int:
    """A seed of its own for each turn or world, in [0, 2**63)."""
    return (seed * 1_000_003 + place) & (2**63 - 1)


def _dtype(dtype: str, device: torch.device) -> torch.dtype:
    known = {"float32": torch.float32, "bfloat16": torch.bfloat16}
    if dtype == "auto":
        return preferred_dtype(device)
    if dtype not in known:
        raise ConfigError(f"dtype: no type named {dtype!r}; accepted are 'auto', 'float32' and 'bfloat16'")
    return known[dtype]


def _spec(saved: dict[str, Any]) -> LoraSpec:
    targets = saved["targets"]
    return LoraSpec(**{**saved, "targets": targets if isinstance(targets, str) else tuple(targets)})


def _with_adapters(model: Any, spec: LoraSpec, seed: int) -> Any:
    """The model inside a peft wrapper with fresh adapters, which depend on the seed alone."""
    from peft import LoraConfig, get_peft_model

    targets = spec.targets if isinstance(spec.targets, str) else list(spec.targets)
    config = LoraConfig(
        r=spec.r, lora_alpha=spec.alpha, lora_dropout=spec.dropout, target_modules=targets, task_type="CAUSAL_LM"
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            return get_peft_model(model, config)
        except ValueError as error:
            raise ConfigError(f"lora: {error}") from error


@contextmanager
def _no_bars() -> Iterator[None]:
    """Within it transformers draws no progress bars of its own."""
    from transformers.utils import logging as hf_logging

    shown = hf_logging.is_progress_bar_enabled()
    hf_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            hf_logging.enable_progress_bar()


def _say_float32(config: Path) -> None:
    """The written weights are float32, whatever the model computes in; readers go by the configuration."""
    settings = json.loads(config.read_text(encoding="utf-8"))
    settings["dtype"] = "float32"
    config.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
