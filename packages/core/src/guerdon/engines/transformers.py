"""Generation in process, on the policy's own module: nothing is copied, `load_weights` has nothing to do.

Each prompt is read once per group, whatever the number of completions; rows that finish leave the batch; every random
number belongs to (seed, prompt, completion), so that a completion does not depend on which batch it was drawn in.
"""

from __future__ import annotations

import logging
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch

from guerdon.engines import multimodal
from guerdon.engines.adapters import merged
from guerdon.engines.attention import Unsupported, plain
from guerdon.engines.cache import SharedPrefix
from guerdon.engines.decoders import Decoder, PicturesDecoder, PlainDecoder, SharedDecoder
from guerdon.engines.llama_decode import LlamaDecoder
from guerdon.engines.memory import Memory, Past, Read
from guerdon.engines.multimodal import Pictures
from guerdon.engines.sampling import draw, uniforms
from guerdon.engines.stopping import StopStrings, context_of, end_ids, nothing_to_draw
from guerdon.protocols import Generation, Sampling
from guerdon.types import StopReason

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Row:
    """One completion in the making."""

    prompt: int
    index: int
    noise: np.ndarray
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Transformers:
    """The policy's own module generates: what a policy does where no engine is named. See `TransformersEngine`."""

    max_rows: int = 256
    max_tokens_held: int = 1 << 16
    max_tokens_kept: int = 1 << 15

    def make(self, model: Any, tokenizer: Any, weights: Mapping[str, torch.Tensor]) -> TransformersEngine:
        """See `guerdon.protocols.EngineMaker`; the weights are the module's."""
        return TransformersEngine(model, tokenizer, **asdict(self))


class TransformersEngine:
    """Implements `guerdon.protocols.Engine` over a causal model of transformers (or a peft wrapper of one)."""

    sees = True

    def __init__(
        self,
        model: Any,
        tokenizer: Any = None,
        *,
        max_rows: int = 256,
        max_tokens_held: int = 1 << 16,
        max_tokens_kept: int = 1 << 15,
    ) -> None:
        """
        Args:
            model: the module itself; its present weights are used at every call.
            tokenizer: needed for stop strings only.
            max_rows: the most completions decoded side by side. More of them cost a step hardly more: 64, 128 and 256
                gave 409, 466 and 500 tokens a second (SmolLM2-135M in bfloat16, two cores).
            max_tokens_held: the most prompt and completion tokens whose keys and values are held at once; a single
                completion may exceed it.
            max_tokens_kept: the most tokens whose keys and values are kept from one turn to the next, beside those held
                (`remembering`); what does not fit is read again, and 0 keeps nothing.
        """
        self.model, self.tokenizer = model, tokenizer
        self.max_rows, self.max_tokens_held, self.max_tokens_kept = max_rows, max_tokens_held, max_tokens_kept
        self._memory: Memory | None = None
        self.end_ids = end_ids(plain(model), tokenizer)
        self._decoder: Decoder | None = None
        self._shares_pictures: bool | None = None

    @property
    def context_length(self) -> int | None:
        """Tokens of prompt and completion together that the model was built for; None where it does not say."""
        return context_of(plain(self.model))

    def load_weights(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Nothing: the engine runs the policy's own module."""

    @contextmanager
    def remembering(self) -> Iterator[None]:
        """Within it, of a prompt that goes on from one of the last call's and a completion of it, what follows is read.

        The completion ended by itself, and no prompt of the two calls has pictures; else all is read anew. The weights
        stay as they are within it. What is read at once and what bit by bit differs by rounding.
        """
        before = self._memory
        kept = 0 if rotates_by_length(self.model) else self.max_tokens_kept
        self._memory = Memory(kept) if kept else None
        try:
            yield
        finally:
            self._memory = before

    @torch.no_grad()
    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        n: int,
        sampling: Sampling,
        *,
        seed: int,
        on_token: Callable[[int], None] | None = None,
        pictures: Sequence[Pictures] = (),
    ) -> list[list[Generation]]:
        """See `guerdon.protocols.Engine.generate`.

        Raises:
            PolicyError: a prompt is empty, or leaves no room for `sampling.max_tokens` in the model's context.
        """
        if (empty := nothing_to_draw(prompts, n, sampling, self.context_length)) is not None:
            return empty
        stops = StopStrings(self.tokenizer, sampling.stop)
        results: list[list[Generation | None]] = [[None] * n for _ in prompts]
        finished = 0
        pasts = self._memory.taken(prompts) if self._memory and not any(pictures) else [None] * len(prompts)
        with self._generating():
            decoder = self.decoder(prompts, pictures)
            for batch in self._batches(prompts, n, sampling.max_tokens, one_prompt=decoder.one_prompt):
                rows = [_Row(p, c, uniforms(seed, p, c, sampling.max_tokens)) for p, c in batch]
                blind = decoder.one_prompt and not pictures[batch[0][0]]
                reader = self.decoder() if blind else decoder
                for row, stop in self._decode(reader, prompts, pictures, pasts, rows, sampling, stops):
                    results[row.prompt][row.index] = Generation(tuple(row.tokens), tuple(row.logprobs), stop)
                    finished += 1
                    if on_token is not None:
                        on_token(finished)
        return [[generation for generation in group if generation is not None] for group in results]

    def _batches(
        self, prompts: Sequence[Sequence[int]], n: int, max_tokens: int, *, one_prompt: bool
    ) -> Iterator[list[tuple[int, int]]]:
        """(prompt, completion) pairs, as many at a time as the limits allow, in order."""
        batch: list[tuple[int, int]] = []
        held = 0
        for prompt, tokens in enumerate(prompts):
            for completion in range(n):
                fresh = not batch or batch[-1][0] != prompt
                cost = max_tokens + (len(tokens) if fresh else 0)
                full = len(batch) == self.max_rows or held + cost > self.max_tokens_held
                if batch and (full or (one_prompt and fresh)):
                    yield batch
                    batch, held, cost = [], 0, max_tokens + len(tokens)
                batch.append((prompt, completion))
                held += cost
        if batch:
            yield batch

    def _decode(
        self,
        decoder: Decoder,
        prompts: Sequence[Sequence[int]],
        pictures: Sequence[Pictures],
        pasts: Sequence[Past | None],
        rows: list[_Row],
        sampling: Sampling,
        stops: StopStrings,
    ) -> Iterator[tuple[_Row, StopReason]]:
        """Run one batch to its end; each row is given out when it finishes."""
        present = sorted({row.prompt for row in rows})
        place = {prompt: index for index, prompt in enumerate(present)}
        known = [pasts[p] for p in present]
        logits = decoder.start(
            [prompts[p] for p in present],
            [place[row.prompt] for row in rows],
            sampling.max_tokens,
            [pictures[p] for p in present] if pictures else (),
            known if any(known) else (),
        )
        keeping = self._memory if not any(pictures) else None
        read: dict[int, Read] = {}  # of each prompt, what its completions share
        for step in range(sampling.max_tokens):
            noise = torch.from_numpy(np.array([row.noise[step] for row in rows])).to(logits.device)
            ids_B, logprobs_B = draw(logits, noise, sampling)
            ended = []
            for index, (row, token, logprob) in enumerate(zip(rows, ids_B.tolist(), logprobs_B.tolist(), strict=True)):
                row.tokens.append(token)
                row.logprobs.append(logprob)
                stop: StopReason | None = None
                if token in self.end_ids or stops.hit(row.tokens):
                    stop = "stop"
                elif step + 1 == sampling.max_tokens:
                    stop = "length"
                if stop is not None:
                    ended.append(index)
                    if stop == "stop" and keeping is not None and decoder.cache is not None:
                        self._keep(keeping, decoder.cache, prompts[row.prompt], pasts[row.prompt], row, index, read)
                    yield row, stop
            if len(ended) == len(rows):
                return
            if ended:
                order = decoder.drop(ended)
                rows = [rows[former] for former in order]
                ids_B = ids_B[torch.tensor(order, device=ids_B.device)]
            logits = decoder.step(ids_B)

    @staticmethod
    def _keep(
        memory: Memory,
        cache: SharedPrefix,
        prompt: Sequence[int],
        past: Past | None,
        row: _Row,
        index: int,
        read: dict[int, Read],
    ) -> None:
        """Remember a finished row: its prompt, taken once for all rows of it, and what it wrote.

        Where that does not fit, what was known of it stays.
        """
        start = past.length if past else 0
        fresh = row.prompt not in read
        if not memory.room(len(row.tokens) - 1 + (len(prompt) - start if fresh else 0)):
            if past is not None:
                memory.keep(prompt[:start], past)
            return
        if fresh:
            read[row.prompt] = cache.prompt_read(index, start)
        memory.keep((*prompt, *row.tokens[:-1]), past, read[row.prompt], cache.written(index))

    def decoder(self, prompts: Sequence[Sequence[int]] = (), pictures: Sequence[Pictures] = ()) -> Decoder:
        """The fastest decoder that this model passes the check with; chosen at first use, and again at the first
        pictures.
        """
        if self._decoder is None:
            self._decoder = choose(self.model)
        if not any(pictures):
            return self._decoder
        if self._shares_pictures is None:
            first = next(place for place, own in enumerate(pictures) if own)
            shared = not isinstance(self._decoder, PlainDecoder)
            self._shares_pictures = shared and shares(self.model, prompts[first], pictures[first])
        return self._decoder if self._shares_pictures else PicturesDecoder(self.model)

    @contextmanager
    def _generating(self) -> Iterator[None]:
        """Adapters merged, dropout off; as before afterwards."""
        training = self.model.training
        self.model.eval()
        try:
            with merged(self.model):
                yield
        finally:
            self.model.train(training)


def rotates_by_length(model: Any) -> bool:
    """Whether rotary positions depend on how much is read at once: keys read beside little do not fit beside more."""
    rotary = getattr(plain(model).get_decoder(), "rotary_emb", None)
    return getattr(rotary, "rope_type", None) in ("longrope", "dynamic")


def choose(model: Any) -> Decoder:
    """A decoder whose logits match the model's own forward pass on a small case; the plain one where none does."""
    builds = (LlamaDecoder, SharedDecoder) if LlamaDecoder.fits(model) else (SharedDecoder,)
    for build in builds:
        try:
            decoder = build(model)
            gap = disagreement(model, decoder)
        except Exception as error:  # noqa: BLE001 - foreign model code may fail in any way; the plain path is the answer
            log.warning(
                "%s cannot decode with a shared prompt (%s); using plain batches", type(plain(model)).__name__, error
            )
            continue
        if gap <= tolerance(model):
            return decoder
        log.warning(
            "%s differs by %.2g nats with a shared prompt; using plain batches", type(plain(model)).__name__, gap
        )
    return PlainDecoder(model)


def shares(model: Any, ids: Sequence[int], pictures: Pictures) -> bool:
    """Whether a prompt with pictures can be read once for several completions: as checked on this one."""
    name = type(plain(model)).__name__
    try:
        gap = multimodal.disagreement(model, ids, pictures)
    except Unsupported as error:
        log.warning("%s; each completion reads its own", error)
        return False
    if gap > tolerance(model):
        log.warning("%s differs by %.2g nats with a shared prompt with pictures; each completion reads it", name, gap)
        return False
    return True


def tolerance(model: Any) -> float:
    """Mean difference of log-probs, in nats, that rounding explains: float32 exactly, half precisions roughly."""
    return 1e-3 if plain(model).get_output_embeddings().weight.dtype == torch.float32 else 0.2


@torch.no_grad()
def disagreement(model: Any, decoder: Decoder) -> float:
    """Mean absolute difference of a decoder's log-probs from full forward passes: two prompts, three rows, a drop; or,
    where that is more, of the last token's behind what was read before.

    Over all of the steps: rounding in bfloat16 reaches 0.25 nats in the worst of them, while a position off by one
    is wrong in each of them by 0.35 to 1.
    """
    vocabulary = plain(model).get_output_embeddings().weight.shape[0]
    device = plain(model).get_output_embeddings().weight.device
    tokens = [(17 * place + 5) % vocabulary for place in range(24)]
    prompts, groups = [tokens[:7], tokens[7:10]], [0, 0, 1]
    rows = [[*prompts[group], *tokens[10 + 3 * row : 13 + 3 * row]] for row, group in enumerate(groups)]
    logits = decoder.start(prompts, groups, 3)
    order = [0, 1, 2]
    gaps: list[float] = []

    def compare(step: int) -> None:
        for place, row in enumerate(order):
            seen = rows[row][: len(prompts[groups[row]]) + step]
            expected = model(input_ids=torch.tensor([seen], device=device)).logits[0, -1].float().log_softmax(-1)
            gaps.append(float((logits[place].float().log_softmax(-1) - expected).abs().mean()))

    for step in range(3):
        compare(step)
        if step == 2:
            break
        if step == 1:
            order = [order[former] for former in decoder.drop([0])]
        newest = [rows[row][len(prompts[groups[row]]) + step] for row in order]
        logits = decoder.step(torch.tensor(newest, device=device))
    if decoder.cache is not None:
        read = [(decoder.cache.prompt_read(place, 0), decoder.cache.written(place)) for place in range(len(order))]
        pasts = [Past(len(rows[row]) - 1, parts) for row, parts in zip(order, read, strict=True)]
        logits = decoder.start([rows[row] for row in order], range(len(order)), 1, pasts=pasts)
        first, gaps = gaps, []
        compare(3)
        return max(statistics.fmean(first), statistics.fmean(gaps))
    return statistics.fmean(gaps)
