"""A seat at transformers' attention: one registered function that hands queries, keys and values to whoever asked.

Packed training and shared-prefix decoding need attention patterns that no mask of a plain batch expresses cheaply. Both
run the model's own modules, whatever the architecture, and replace only the attention itself.

Axes: R rows, H query heads, K key/value heads, T tokens, D head width, W hidden width.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from guerdon.errors import PolicyError

if TYPE_CHECKING:
    import torch

NAME = "guerdon"
"""Under which our function is registered with transformers. It is unknown to its mask interface: no mask is built."""


class Unsupported(PolicyError):  # noqa: N818 - `except Unsupported` reads as what it is
    """The model's attention does what no custom pattern can reproduce; callers fall back to plain batches."""


class Attention(Protocol):
    """An attention pattern."""

    def attend(
        self, layer: int, query_RHTD: torch.Tensor, key_RKTD: torch.Tensor, value_RKTD: torch.Tensor, scaling: float
    ) -> torch.Tensor:
        """The attention output, of axes R, T, H, D."""


def _attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    guerdon: Attention | None = None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    if guerdon is None:
        raise Unsupported(f"{type(module).__name__} does not pass keyword arguments down to its attention")
    for option in ("softcap", "sliding_window", "position_bias", "s_aux"):
        if options.get(option) is not None:
            raise Unsupported(f"{type(module).__name__} attends with {option}={options[option]!r}")
    layer: int = module.layer_idx  # type: ignore[assignment]
    return guerdon.attend(layer, query, key, value, scaling if scaling is not None else query.shape[-1] ** -0.5), None


@contextmanager
def attending(config: Any) -> Iterator[None]:
    """Within it the model of this configuration attends through us; after it, as before."""
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    if NAME not in ALL_ATTENTION_FUNCTIONS:
        ALL_ATTENTION_FUNCTIONS.register(NAME, _attend)
    before = config._attn_implementation
    config._attn_implementation = NAME
    try:
        with any_shape():
            yield
    finally:
        config._attn_implementation = before


@contextmanager
def any_shape() -> Iterator[None]:
    """Within it torch chooses none of cuDNN's attention kernels, which are planned anew for every shape.

    Packed rows have new shapes all the time: on an H100 a warm start's step of 32 rows took 3 s with them, of which
    planning was 2.
    """
    from torch.nn.attention import SDPBackend, sdpa_kernel

    with sdpa_kernel([SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]):
        yield


def hidden_states(
    model: Any,
    ids_RT: torch.Tensor | None,
    positions: torch.Tensor,
    how: Attention,
    *,
    states_RTW: torch.Tensor | None = None,
) -> torch.Tensor:
    """Last hidden states (R, T, W) of a causal model under an attention pattern, the head not applied.

    Args:
        model: of transformers, or a peft wrapper of one.
        ids_RT: the tokens; None where `states_RTW` are given.
        positions: (R, T), or (A, R, T) for a model whose positions have A axes.
        how: the attention pattern.
        states_RTW: what the decoder reads in place of its tokens' embeddings (pictures merged in).
    """
    decoder = plain(model).get_decoder()
    given = {"input_ids": ids_RT} if states_RTW is None else {"inputs_embeds": states_RTW}
    with attending(decoder.config):
        output = decoder(**given, position_ids=positions, use_cache=False, guerdon=how)
    return output.last_hidden_state  # type: ignore[no-any-return]


def plain(model: Any) -> Any:
    """The transformers model inside a peft wrapper (its adapters stay active), or the model itself."""
    return model.get_base_model() if hasattr(model, "peft_config") and hasattr(model, "get_base_model") else model
