"""A causal language model as a policy: the model, its tokenizer, an engine to sample with, and packed log-probs.

```
task.prompt(example) ─ chat template ─▶ prompt_ids ─ engine ─▶ segments ─▶ Rollout ─ packing ─▶ log-probs ─▶ gradients
```

How attempts are made, turn by turn, is in `turns`; what a saved folder holds, in `keeping`.
"""

from __future__ import annotations

import copy
import importlib.util
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from guerdon.engines.adapters import PlainWeights
from guerdon.engines.attention import plain
from guerdon.engines.stopping import context_of
from guerdon.engines.transformers import TransformersEngine
from guerdon.errors import ConfigError, PolicyError
from guerdon.policies import hub, keeping
from guerdon.policies.chat import Chat
from guerdon.policies.continuing import continued
from guerdon.policies.dtypes import Dtype, device_named, dtype_named, preferred_dtype
from guerdon.policies.embedded import EMBEDDED, INSTALL_HINT, is_embedded, resolve
from guerdon.policies.embedded_vision import is_embedded_vision, resolve_vision
from guerdon.policies.likelihood import Likelihood
from guerdon.policies.lora import LoraSpec, spec_of, with_adapters
from guerdon.policies.masters import Masters
from guerdon.policies.memory import keep_freed_memory
from guerdon.policies.packing import group_neighbours
from guerdon.policies.processors import ImageTextProcessor, processor_from, sees
from guerdon.policies.turns import Conversation
from guerdon.protocols import (
    Continuation,
    Engine,
    EngineMaker,
    Resumption,
    Sampling,
    SightAlignment,
    StepLogprobs,
    Task,
)
from guerdon.types import Example, Group, Rollout, Segment

if TYPE_CHECKING:
    from guerdon.protocols import Policy

__all__ = ["Dtype", "LanguagePolicy", "LoraSpec", "preferred_dtype"]


class LanguagePolicy:
    """Implements `guerdon.protocols.Policy` for a causal language model of transformers, one that sees included."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        processor: ImageTextProcessor | None = None,
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
            processor: of a vision-language model; without one, prompts with images are refused.
            dtype: what the model computes in; trainable weights are kept in float32 either way.
            lora: train adapters of this shape and freeze the rest.
            engine: generates in place of the model's own `TransformersEngine`; gets the weights after every update.
            name: where the base weights came from, written beside saved adapters.
            seed: of the adapters' initial values.
        """
        keep_freed_memory()
        self.version = 0
        self.name, self.lora = name, lora
        self.tokenizer, self.chat = tokenizer, Chat(tokenizer, processor)
        if processor is not None:
            processor.dtype = dtype
        self.model = model if lora is None else with_adapters(model, lora, seed)
        self.masters = Masters(self.model, dtype)
        self.dropout = lora is not None and lora.dropout > 0
        self.model.eval()
        self.engine: Engine = engine or TransformersEngine(self.model, tokenizer)
        self._behind = engine is not None
        """The engine has not been given the present weights."""
        self.likelihood = Likelihood(self.model, self.chat)

    @classmethod
    def from_pretrained(
        cls,
        model: str = EMBEDDED,
        *,
        dtype: Dtype = "auto",
        lora: LoraSpec | None = None,
        device: str = "auto",
        engine: EngineMaker | None = None,
        seed: int = 0,
    ) -> LanguagePolicy:
        """Load a model by name: the embedded one, a local folder (a saved policy too), or a hub id.

        Args:
            model: `smollm2-135m-instruct` (or `embedded`), `smollm2-135m-vision` (or `embedded-vision`), a path, or a
                hub id; a model that reads pictures and text and writes text (image-text-to-text) sees.
            dtype: compute type; `auto` is bfloat16 where the hardware is fast at it (`preferred_dtype`).
            lora: train adapters of this shape. A folder that holds saved adapters brings its own.
            device: `cpu`, `cuda`, `cuda:1`, ...; `auto` is CUDA where there is one.
            engine: what generates, by its settings; by default the model itself (`engines.transformers`).
            seed: of newly made weights (adapters).

        Raises:
            PolicyError: there is no such model, or it cannot be read (for the embedded one, how to install it); or the
                engine cannot run it.
            ConfigError: an unknown dtype, or an engine or a training library that is not installed.
        """
        _check_installed("transformers", *(("peft",) if lora else ()))
        from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText, AutoTokenizer

        place = device_named(device)
        compute = dtype_named(dtype, place)
        saved = keeping.kept_beside(Path(model))
        if saved.get("lora"):
            policy = cls.from_pretrained(
                saved["name"], dtype=dtype, lora=spec_of(saved["lora"]), device=device, seed=seed
            )
            policy.load(Path(model))
            policy.generate_with(engine)
            return policy
        source = resolve_vision(model) if is_embedded_vision(model) else resolve(model)
        away = hub.is_away(source)
        try:
            with keeping.no_bars():
                tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=away)
                config = AutoConfig.from_pretrained(source, local_files_only=away)
                kind = AutoModelForImageTextToText if sees(config) else AutoModelForCausalLM
                weights = kind.from_pretrained(source, dtype=torch.float32, local_files_only=away).to(place)
                processor = processor_from(source, tokenizer, config, local_files_only=away) if sees(config) else None
        except (OSError, ValueError, ImportError) as error:
            known = is_embedded(model) or is_embedded_vision(model)
            hint = INSTALL_HINT if known else "Give a local folder with a model in it, or a hub id."
            hint = f"{hint} {hub.away_hint()}" if away else hint
            raise PolicyError(f"no causal language model could be loaded from {model!r}. {hint} ({error})") from error
        policy = cls(weights, tokenizer, processor=processor, dtype=compute, lora=lora, name=model, seed=seed)
        policy.version = int(saved.get("version", 0))
        policy.generate_with(engine)
        return policy

    def generate_with(self, maker: EngineMaker | None) -> None:
        """Use another engine from now on; it starts with the present weights. None leaves the one there is."""
        if maker is not None:
            self.engine = maker.make(self.model, self.tokenizer, PlainWeights(self.model))
            self._behind = False

    def hand_over(self) -> None:
        """Give the engine the present weights, adapters merged, unless it has them; `sample` does so by itself.

        Before sampling, and not after each update: a warm start, or several updates on one batch, need it once.
        """
        if self._behind:
            self.engine.load_weights(PlainWeights(self.model))
            self._behind = False

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
            PolicyError: a prompt has no messages or does not fit the model's context; or the weights have changed and
                the engine cannot take them.
        """
        self.hand_over()
        conversation = Conversation(self.engine, self.chat)
        return conversation.groups(task, examples, n, sampling, seed=seed, version=self.version)

    def resumed(self, resumptions: Sequence[Resumption], sampling: Sampling, *, seed: int) -> list[Rollout]:
        """See `guerdon.protocols.Resumes`."""
        self.hand_over()
        conversation = Conversation(self.engine, self.chat)
        return conversation.resumed(resumptions, sampling, seed=seed, version=self.version)

    # Learning

    @property
    def fixed(self) -> str:
        """Why it cannot be trained: its engine could not follow. Empty where it can."""
        return str(getattr(self.engine, "fixed", ""))

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

    @contextmanager
    def frozen(self, modules: Sequence[str]) -> Iterator[None]:
        """See `guerdon.protocols.Freezes`."""
        asked = set(modules)
        held = [(name.split("."), parameter) for name, (_, parameter) in self.masters.pairs.items()]
        if missing := sorted(asked - {part for parts, _ in held for part in parts}):
            raise ConfigError(f"frozen names {missing!r}, and no trained weights of the model belong to such modules")
        chosen = [parameter for parts, parameter in held if not asked.isdisjoint(parts)]
        if len(chosen) == len(held):
            raise ConfigError(f"frozen names {sorted(asked)!r}, and nothing else of the model is trained")
        for parameter in chosen:
            parameter.requires_grad_(False)
        try:
            yield
        finally:
            for parameter in chosen:
                parameter.requires_grad_(True)

    def cost(self, rollouts: Sequence[Rollout]) -> int:
        """Tokens that `logprobs` would read: each shared prompt once."""
        return self.likelihood.cost(group_neighbours(rollouts))

    def reference_rollout(self, task: Task, example: Example, text: str) -> Rollout:
        """See `guerdon.protocols.Policy.reference_rollout`. The text ends with the end-of-turn token; a forced prefix
        is taken from the task's prompt, and off the text where the text repeats it. Where the task's environment cuts
        such a text into turns (`ToolUse.cut`), it answers each of them.
        """
        told = Conversation(self.engine, self.chat).told(task, example, text, version=self.version)
        if told is not None:
            return told
        prompt = task.prompt(example)
        segments = []
        if prompt.forced:
            segments.append(Segment("forced", prompt.forced, self.chat.encode(prompt.forced)))
        text = text.removeprefix(prompt.forced)
        segments.append(Segment("policy", text, (*self.chat.said_ids(text), self.chat.end_id)))
        return Rollout(example, tuple(segments), prompt, self.chat.prompt_ids(prompt), policy_version=self.version)

    def continued(self, continuations: Sequence[Continuation]) -> list[Rollout | None]:
        """See `guerdon.protocols.ReadsText`."""
        return continued(self.chat, continuations, limit=context_of(plain(self.model)), version=self.version)

    def alignment(self, rollouts: Sequence[Rollout]) -> SightAlignment:
        """See `guerdon.protocols.AlignsSight`."""
        from guerdon.policies.alignment import Alignment

        return Alignment(self, rollouts)

    def weights(self) -> Mapping[str, torch.Tensor]:
        """See `guerdon.protocols.HasWeights`; of adapters, those alone."""
        return self.masters.state()

    def take(self, weights: Mapping[str, torch.Tensor]) -> None:
        """See `guerdon.protocols.HasWeights`."""
        self.masters.take(self.model, weights)
        self._behind = True

    def updated(self) -> None:
        """Round the masters into the compute weights and count the update; `sample` hands them to the engine."""
        self.masters.hand_down()
        self.version += 1
        self._behind = True

    def snapshot(self) -> Policy:
        """A frozen copy that computes alike, without masters or gradients."""
        frozen = copy.copy(self)
        frozen.model = copy.deepcopy(self.model).requires_grad_(False)
        frozen.masters = Masters(frozen.model, plain(self.model).get_output_embeddings().weight.dtype)
        frozen.dropout = False
        frozen.engine = TransformersEngine(frozen.model, self.tokenizer)
        frozen.likelihood = Likelihood(frozen.model, self.chat)
        return frozen

    # Keeping

    def save(self, path: Path) -> None:
        """Write a folder that transformers (or, for adapters, peft) reads, with float32 weights, and the version.

        Raises:
            PolicyError: the folder cannot be written.
        """
        keeping.write(self, path)

    def load(self, path: Path) -> None:
        """Read what `save` wrote: float32 weights bit for bit, and the version.

        Raises:
            PolicyError: the folder is incomplete, or holds another kind of weights.
        """
        self.version = keeping.read(self, path)
        self._behind = True


def _check_installed(*packages: str) -> None:
    """Beside torch, which another package may have brought, training needs more."""
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise ConfigError(
                f'a language policy needs the package {package}, which is not installed: pip install "guerdon[train]"'
            )
