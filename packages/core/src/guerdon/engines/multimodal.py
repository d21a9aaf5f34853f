"""Pictures among a prompt's tokens: the model's own code turns them into states, and is stopped at its decoder's door.

Every vision-language model of transformers ends in the same step: its vision tower's features take the place of
placeholder tokens among the embeddings, and a causal decoder reads the row. What happens before that step differs from
model to model (tiles, pixel shuffles, positions of three axes) and is left to the model; what happens after it is what
packed training and shared prompts replace.

Axes: R rows (1), T tokens of a row, P prompt tokens, W hidden width, A axes of positions (1; 3 or more where positions
have height and width, as M-RoPE has), V vocabulary.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import torch

from guerdon.engines.attention import Unsupported, any_shape, hidden_states, plain
from guerdon.engines.cache import PromptAttention

Pictures = Mapping[str, torch.Tensor]
"""What a model is given beside a prompt's tokens, as its processor made it: pixel values, masks, grids; empty for a
prompt of words alone. A tensor of the prompt's own shape (1, P) says something of each token."""

_KNOWN = frozenset({"inputs_embeds", "position_ids", "attention_mask", "cache_position"})
"""What a decoder may be given as tensors and still be read in a packed row."""


class _Reached(Exception):  # noqa: N818 - not an error: the way out of a forward pass that need not go on
    pass


@dataclass(frozen=True, slots=True)
class PromptStates:
    """A prompt as its model's decoder reads it."""

    states_PW: torch.Tensor
    positions_AP: torch.Tensor

    @property
    def next_position(self) -> int:
        """Of the first token behind the prompt, on every axis."""
        return int(self.positions_AP.max()) + 1


def prompt_states(model: Any, ids: Sequence[int], pictures: Pictures) -> PromptStates:
    """What the model makes of a prompt before its decoder; differentiable where gradients are on.

    Raises:
        Unsupported: the decoder is given more than states and positions (features for deeper layers, a mask that is not
            causal), which no packed row could pass on.
    """
    inner = plain(model)
    device = inner.get_output_embeddings().weight.device
    given = _at_the_door(inner, torch.tensor([list(ids)], device=device), on(device, pictures, len(ids)))
    name = type(inner).__name__
    odd = [key for key, value in given.items() if key not in _KNOWN and _holds_tensor(value)]
    mask = given.get("attention_mask")
    if given.get("inputs_embeds") is None or odd or not (mask is None or _is_whole(mask)):
        what = ", ".join(odd) or ("its own attention mask" if given.get("inputs_embeds") is not None else "no states")
        raise Unsupported(f"{name} gives its decoder {what}; a prompt with pictures cannot be shared")
    states = given["inputs_embeds"][0]
    positions = given.get("position_ids")
    if positions is None:
        positions = torch.arange(len(ids), device=device)[None]
    return PromptStates(states, positions.reshape(-1, len(ids)))


def _at_the_door(inner: Any, ids_RP: torch.Tensor, pictures: Pictures) -> dict[str, Any]:
    """What the model's decoder is given, by name; the decoder itself does not run."""
    given: dict[str, Any] = {}

    def stop(module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        given.update(kwargs)
        raise _Reached

    hook = inner.get_decoder().register_forward_pre_hook(stop, with_kwargs=True)
    try:
        with any_shape():
            inner(input_ids=ids_RP, attention_mask=torch.ones_like(ids_RP), use_cache=False, **pictures)
    except _Reached:
        pass
    finally:
        hook.remove()
    return given


def batch_states(model: Any, image_id: int, count: int, pictures: Sequence[Pictures]) -> torch.Tensor:
    """The states (B, N, W) that take the place of each prompt's placeholder tokens, and nothing else of the prompts.

    Args:
        model: a vision-language model, or a peft wrapper of one.
        image_id: the placeholder token.
        count: N, of each prompt alike.
        pictures: B prompts'.
    """
    inner = plain(model)
    device = inner.get_output_embeddings().weight.device
    ids_BN = torch.full((len(pictures), count), image_id, device=device)
    joined = on(device, {name: torch.cat([own[name] for own in pictures]) for name in pictures[0]}, count)
    if "mm_token_type_ids" in joined:  # of whole prompts: here every token is a placeholder
        joined["mm_token_type_ids"] = torch.ones_like(ids_BN)
    states_BNW: torch.Tensor = _at_the_door(inner, ids_BN, joined)["inputs_embeds"]
    return states_BNW


def image_token(model: Any) -> int | None:
    """The token that stands for a picture's states; None where the model does not say."""
    named = (getattr(plain(model).config, name, None) for name in ("image_token_id", "image_token_index"))
    return next((token for token in named if isinstance(token, int)), None)


@contextmanager
def written(model: Any, ids_RT: torch.Tensor, places: Sequence[int]) -> Iterator[torch.Tensor]:
    """Tokens for a model that counts its placeholders, where a policy has written some that no picture fills.

    A policy may sample a placeholder like any other token, and is then shown that token's own embedding. Within it the
    model does the same with the tokens given out, which hold another token there.

    Args:
        model: a vision-language model, or a peft wrapper of one.
        ids_RT: of one row.
        places: where placeholders stand for no picture.
    """
    if not places:
        yield ids_RT
        return
    embed = plain(model).get_input_embeddings()
    chosen_T1 = torch.zeros(ids_RT.shape[1], 1, dtype=torch.bool, device=ids_RT.device)
    chosen_T1[list(places)] = True
    own_W = embed(ids_RT[:, places[0], None])[0, 0]  # as it embeds: some scale, and adapters add
    hook = embed.register_forward_hook(lambda module, args, states_RTW: torch.where(chosen_T1, own_W, states_RTW))
    try:
        yield ids_RT.masked_fill(chosen_T1[:, 0], 0)
    finally:
        hook.remove()


_BATCHES: WeakKeyDictionary[torch.nn.Module, bool] = WeakKeyDictionary()
"""Whether a model's pictures can go through it together, as found at its first two of a row."""


def states_of(model: Any, prompts: Sequence[tuple[Sequence[int], Pictures]]) -> list[PromptStates]:
    """`prompt_states` of several prompts; pictures of one shape go through the model together, where it allows that.

    One by one, a small vision tower's launches take half of a training step on a GPU.

    Raises:
        Unsupported: see `prompt_states`.
    """
    image_id = image_token(model)
    alike: dict[Any, list[int]] = {}
    for place, (ids, own) in enumerate(prompts):
        shapes = tuple((name, tensor.shape) for name, tensor in own.items() if name != "mm_token_type_ids")
        alike.setdefault((sum(token == image_id for token in ids), shapes), []).append(place)
    found: dict[int, PromptStates] = {}
    for (count, _), places in alike.items():
        if image_id is not None and count and len(places) > 1 and _batches(model, image_id, count, prompts[places[0]]):
            states_BNW = batch_states(model, image_id, count, [prompts[place][1] for place in places])
            found |= {p: _placed(model, image_id, prompts[p][0], s) for p, s in zip(places, states_BNW, strict=True)}
        else:
            found |= {place: prompt_states(model, *prompts[place]) for place in places}
    return [found[place] for place in range(len(prompts))]


def _placed(model: Any, image_id: int, ids: Sequence[int], states_NW: torch.Tensor) -> PromptStates:
    """A prompt's embeddings, its placeholders' replaced by states."""
    ids_P = torch.tensor(list(ids), device=states_NW.device)
    states_PW = plain(model).get_input_embeddings()(ids_P)
    states_PW = states_PW.masked_scatter((ids_P == image_id)[:, None], states_NW.to(states_PW.dtype))
    return PromptStates(states_PW, torch.arange(len(ids), device=states_NW.device)[None])


@torch.no_grad()
def _batches(model: Any, image_id: int, count: int, prompt: tuple[Sequence[int], Pictures]) -> bool:
    """Whether a prompt is the same alone as in a batch of placeholders; asked of a model once."""
    inner = plain(model)
    if inner not in _BATCHES:
        training = inner.training
        inner.eval()
        try:
            alone = prompt_states(model, *prompt)
            placed = _placed(model, image_id, prompt[0], batch_states(model, image_id, count, [prompt[1]] * 2)[1])
            rounding = 1e-4 if alone.states_PW.dtype == torch.float32 else 2e-2
            gap = (alone.states_PW - placed.states_PW).abs().mean() / alone.states_PW.abs().mean()
            _BATCHES[inner] = torch.equal(alone.positions_AP, placed.positions_AP) and bool(gap <= rounding)
        except Exception:  # noqa: BLE001 - foreign model code may fail in any way; one by one is the answer
            _BATCHES[inner] = False
        finally:
            inner.train(training)
    return _BATCHES[inner]


def on(device: Any, pictures: Pictures, length: int) -> dict[str, torch.Tensor]:
    """The pictures on a device; masks, kept in int8, as the int64 they were; what they say of each token continued with
    zeros up to `length` tokens.
    """
    found = {}
    for name, tensor in pictures.items():
        if tensor.dtype == torch.int8:
            tensor = tensor.long()
        if name == "mm_token_type_ids" and tensor.shape[1] < length:
            tensor = torch.nn.functional.pad(tensor, (0, length - tensor.shape[1]))
        found[name] = tensor.to(device)
    return found


@dataclass(frozen=True, slots=True)
class Span:
    """One prompt and what follows it in a row of several."""

    prompt: int
    """P: tokens of the prompt."""
    length: int
    """Tokens of the prompt and of all that follows it."""
    pictures: Pictures
    """The prompt's; empty where it has none."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Tokens of a row in which pictures stand."""

    start: int
    length: int
    until: int
    """Tokens from the stretch's end to here go on from its positions: to the end of its completion, or of its span."""
    pictures: Pictures


def row_states(
    model: Any,
    ids_1T: torch.Tensor,
    positions_1T: torch.Tensor,
    spans: Sequence[Span],
    late: Sequence[Stretch] = (),
) -> tuple[torch.Tensor, torch.Tensor, list[int]]:
    """A row's states before the decoder, pictures merged in, and its positions.

    A stretch of a completion is read by the model alone, as a prompt is, and its positions follow what stands before
    it. Whether that is what the model makes of it in its place is for the caller to check (`policies.likelihood`).

    Args:
        model: a vision-language model, or a peft wrapper of one.
        ids_1T: the row's tokens.
        positions_1T: as if there were no pictures: what follows a prompt starts at P.
        spans: lie end to end and cover the row.
        late: pictures behind prompts, in the row's order.

    Returns:
        States (1, T, W); positions (1, T) or (A, 1, T); and for each span the position that follows its prompt.
    """
    embed = plain(model).get_input_embeddings()
    ends = list(itertools.accumulate(span.length for span in spans))
    prompts = [
        Stretch(end - span.length, span.prompt, end, span.pictures)
        for span, end in zip(spans, ends, strict=True)
        if span.pictures
    ]
    stretches = sorted((*prompts, *late), key=lambda one: one.start)
    ids = ids_1T[0].tolist()
    read = states_of(model, [(ids[one.start : one.start + one.length], one.pictures) for one in stretches])
    axes = max((len(one.positions_AP) for one in read), default=1)
    positions_AT = positions_1T.expand(axes, -1).clone()
    pieces: list[torch.Tensor] = []
    done = 0
    for one, states in zip(stretches, read, strict=True):
        end = one.start + one.length
        if one.start > done:
            pieces.append(embed(ids_1T[0, done : one.start]))
        pieces.append(states.states_PW)
        done = end
        # Before a stretch all axes agree; behind it they do again, further on than its tokens alone would be.
        positions_AT[:, one.start : end] = positions_AT[:, one.start : one.start + 1] + states.positions_AP
        positions_AT[:, end : one.until] += states.next_position - one.length
    if len(ids) > done:
        pieces.append(embed(ids_1T[0, done:]))
    known = {one.start: states.next_position for one, states in zip(stretches, read, strict=True)}
    following = [
        known[end - span.length] if span.pictures else span.prompt for span, end in zip(spans, ends, strict=True)
    ]
    return torch.cat(pieces)[None], positions_AT if axes == 1 else positions_AT[:, None], following


@torch.no_grad()
def disagreement(model: Any, ids: Sequence[int], pictures: Pictures) -> float:
    """Mean absolute difference, in nats, of the log-probs behind a prompt: by way of its states, and by the model.

    Raises:
        Unsupported: see `prompt_states`.
    """
    inner = plain(model)
    prompt = prompt_states(model, ids, pictures)
    positions = prompt.positions_AP if len(prompt.positions_AP) == 1 else prompt.positions_AP[:, None]
    hidden_1PW = hidden_states(model, None, positions, PromptAttention([len(ids)]), states_RTW=prompt.states_PW[None])
    head = inner.get_output_embeddings()
    ids_1P = torch.tensor([list(ids)], device=head.weight.device)
    whole = inner(input_ids=ids_1P, use_cache=False, **on(head.weight.device, pictures, len(ids))).logits[0, -1]
    ours = head(hidden_1PW[0, -1])
    return float((ours.float().log_softmax(-1) - whole.float().log_softmax(-1)).abs().mean())


def _holds_tensor(value: Any) -> bool:
    return isinstance(value, torch.Tensor) or (
        isinstance(value, list | tuple) and any(isinstance(one, torch.Tensor) for one in value)
    )


def _is_whole(mask: Any) -> bool:
    """Whether a mask hides nothing: the causal pattern alone is then meant."""
    return isinstance(mask, torch.Tensor) and mask.ndim == 2 and bool(mask.all())
