"""One decoding step of a Llama-shaped model over its own weights, with few and large operations.

At a handful of rows a step of a small model is as much bookkeeping as arithmetic. Here the projections that read the
same input are one product (their weights become views of one buffer, so training goes on in place and nothing is
stored twice), the rotation is one table per step, and no module is called.

Axes: B rows, W width, H query heads, K key/value heads, D head width, F feed-forward width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from guerdon.engines.attention import plain
from guerdon.engines.cache import PromptAttention, SharedPrefix
from guerdon.engines.decoders import SharedDecoder


@dataclass(frozen=True, slots=True)
class LayerWeights:
    """One layer's weights, as rows of outputs by columns of inputs; none of them a copy."""

    norm_W: torch.Tensor
    qkv: torch.Tensor
    """((H + 2 K) D, W): queries, keys, values, one below the other."""
    out: torch.Tensor
    """(W, H D)."""
    second_norm_W: torch.Tensor
    gate_up: torch.Tensor
    """(2 F, W): the gate above what it gates."""
    down: torch.Tensor
    """(W, F)."""

    @classmethod
    def of(cls, layer: Any) -> LayerWeights:
        """The weights of a layer of transformers' Llama."""
        attention, feed = layer.self_attn, layer.mlp
        return cls(
            norm_W=layer.input_layernorm.weight,
            qkv=_joined(attention.q_proj, attention.k_proj, attention.v_proj),
            out=_weight(attention.o_proj),
            second_norm_W=layer.post_attention_layernorm.weight,
            gate_up=_joined(feed.gate_proj, feed.up_proj),
            down=_weight(feed.down_proj),
        )


class LlamaDecoder(SharedDecoder):
    """`SharedDecoder` with a step of its own; prompts are read by the model's modules."""

    @staticmethod
    def fits(model: Any) -> bool:
        """Whether the model is a Llama without biases; its numbers are compared all the same before use."""
        config = plain(model).get_decoder().config
        wanted = {"model_type": "llama", "attention_bias": False, "mlp_bias": False, "hidden_act": "silu"}
        return all(getattr(config, name, None) == value for name, value in wanted.items())

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        # oneDNN repacks the right-hand matrix of a half-precision product at every call. With few rows that should be
        # the activations and not the weight: twice as fast at 8 and at 64 rows.
        self.flipped = self.device.type == "cpu" and self.head.weight.dtype == torch.bfloat16

    def linear(self, x_BW: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """The product x W^T, contiguous."""
        if self.flipped:
            return (weight @ x_BW.t()).t().contiguous()
        return functional.linear(x_BW, weight)

    def logits(self, hidden_BW: torch.Tensor) -> torch.Tensor:
        """The head's output (B, V)."""
        return self.linear(hidden_BW, self.head.weight)

    def begin(self) -> None:
        """See `SharedDecoder.begin`."""
        self.layers = [LayerWeights.of(layer) for layer in plain(self.model).get_decoder().layers]

    def forward(
        self, ids: torch.Tensor, positions: torch.Tensor, attention: PromptAttention | SharedPrefix
    ) -> torch.Tensor:
        """Last hidden states (R, T, width)."""
        if isinstance(attention, PromptAttention):
            return super().forward(ids, positions, attention)
        decoder = plain(self.model).get_decoder()
        config = decoder.config
        heads, kv_heads, epsilon = config.num_attention_heads, config.num_key_value_heads, config.rms_norm_eps
        x_BW = decoder.embed_tokens(ids[:, 0])
        rows, width = x_BW.shape
        cos_B1D, sin_B1D = (
            table.transpose(0, 1) if table.shape[0] != rows else table for table in decoder.rotary_emb(x_BW, positions)
        )
        head_width = cos_B1D.shape[-1]
        cos_BND, sin_BND = _rotation(cos_B1D, sin_B1D, heads, kv_heads)
        for place, layer in enumerate(self.layers):
            read = self.linear(torch.rms_norm(x_BW, (width,), layer.norm_W, epsilon), layer.qkv)
            read = read.view(rows, -1, head_width)
            query_key, value = read[:, : heads + kv_heads], read[:, heads + kv_heads :]
            rotated = torch.addcmul(query_key * cos_BND, query_key.roll(head_width // 2, -1), sin_BND)
            query = rotated[:, :heads].view(rows, kv_heads, heads // kv_heads, head_width)
            seen = attention.attend_rows(place, query, rotated[:, heads:], value)
            x_BW = x_BW + self.linear(seen.reshape(rows, heads * head_width), layer.out)
            both = self.linear(torch.rms_norm(x_BW, (width,), layer.second_norm_W, epsilon), layer.gate_up)
            gate, up = both.chunk(2, dim=-1)
            x_BW = x_BW + self.linear(functional.silu(gate) * up, layer.down)
        return torch.rms_norm(x_BW, (width,), decoder.norm.weight, epsilon)[:, None]


def _rotation(
    cos_B1D: torch.Tensor, sin_B1D: torch.Tensor, heads: int, kv_heads: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Tables (B, H + K, D) for `x * cos + roll(x) * sin`: halves of the sine signed, queries scaled by 1 / sqrt(D)."""
    half = sin_B1D.shape[-1] // 2
    signed_B1D = torch.cat((-sin_B1D[..., :half], sin_B1D[..., half:]), dim=-1)
    scale_N1 = torch.ones(heads + kv_heads, 1, dtype=cos_B1D.dtype, device=cos_B1D.device)
    scale_N1[:heads] = sin_B1D.shape[-1] ** -0.5
    return cos_B1D * scale_N1, signed_B1D * scale_N1


def _weight(linear: Any) -> torch.nn.Parameter:
    """A linear layer's weight; of an adapter's wrapper, the wrapped one's (adapters are merged while generating)."""
    weight: torch.nn.Parameter = (linear.get_base_layer() if hasattr(linear, "get_base_layer") else linear).weight
    return weight


def _joined(*linears: Any) -> torch.Tensor:
    """The weights one below the other, without a copy: they are made views of one buffer the first time.

    Updates in place (an optimiser's, a checkpoint's) keep them so; a replaced weight is joined again.
    """
    weights = [_weight(linear) for linear in linears]
    end = weights[0].data_ptr()
    adjoin = True
    for weight in weights:
        adjoin = adjoin and weight.is_contiguous() and weight.data_ptr() == end
        adjoin = adjoin and weight.untyped_storage().data_ptr() == weights[0].untyped_storage().data_ptr()
        end += weight.numel() * weight.element_size()
    total = sum(weight.shape[0] for weight in weights)
    if not adjoin:
        buffer = torch.cat([weight.data for weight in weights])
        for weight, part in zip(weights, torch.split(buffer, [weight.shape[0] for weight in weights]), strict=True):
            weight.data = part
    first = weights[0].data
    return first.as_strided((total, first.shape[1]), (first.shape[1], 1))
