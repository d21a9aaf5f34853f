"""TokenRig's network: the latents of a mesh, then a causal transformer over the tokens of a rig.

Axes: B meshes, R sequences, P points of a mesh, L latents, T tokens, D width. Source: "Skin Tokens: A Learned Compact
Representation for Unified Autoregressive Rigging" (arXiv 2602.04805): a shape encoder's latents, linear and RMSNorm,
stand before the token embeddings of a Qwen3-shaped decoder, trained from random weights with tied embeddings.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import Qwen3Config, Qwen3ForCausalLM

from guerdon_rigging.codec_shapes import CodecShape
from guerdon_rigging.rig_shapes import RigShape
from guerdon_rigging.skin_networks import PointEncoder


class RigTransformer(nn.Module):
    """The mesh encoder and the decoder: all that is trained."""

    def __init__(self, shape: RigShape) -> None:
        super().__init__()
        self.shape = shape
        self.mesh = PointEncoder(_encoder(shape), extra=0)
        self.project = nn.Linear(shape.encoder_width, shape.width)
        self.norm = nn.RMSNorm(shape.width, eps=1e-6)
        longest = shape.most_joints * (8 + shape.vocabulary.length) + 8
        self.language = Qwen3ForCausalLM(
            Qwen3Config(
                vocab_size=shape.vocabulary.size,
                hidden_size=shape.width,
                num_hidden_layers=shape.layers,
                num_attention_heads=shape.heads,
                num_key_value_heads=shape.key_value_heads,
                head_dim=shape.head_width,
                intermediate_size=shape.mlp_width,
                max_position_embeddings=shape.latents + longest,
                rope_parameters={"rope_type": "default", "rope_theta": shape.rope_theta},
                rms_norm_eps=1e-6,
                tie_word_embeddings=True,
                use_cache=False,
                bos_token_id=shape.vocabulary.bos,
                eos_token_id=shape.vocabulary.eos_final,
                pad_token_id=shape.vocabulary.pad,
            )
        )

    def prefix(self, points: Tensor) -> Tensor:
        """(B, P, 6), uniform by area and in random order -> (B, L, D): what stands before the tokens."""
        return self.norm(self.project(self.mesh(points, self.shape.latents)))  # type: ignore[no-any-return]

    def hidden(self, prefix: Tensor, tokens: Tensor) -> Tensor:
        """(R, L, D) and (R, T) -> (R, T, D): what each token's successor is read from.

        Sequences are padded at their ends: a causal model does not see what comes later.
        """
        embedded = torch.cat([prefix, self.language.get_input_embeddings()(tokens)], dim=1)
        found: Tensor = self.language.model(inputs_embeds=embedded, use_cache=False).last_hidden_state
        return found[:, prefix.shape[1] :]

    def logits(self, hidden: Tensor) -> Tensor:
        """(..., D) -> (..., V), float32."""
        head: Any = self.language.get_output_embeddings()
        return head(hidden).float()  # type: ignore[no-any-return]


def _encoder(shape: RigShape) -> CodecShape:
    """The skin codec's mesh encoder at other sizes."""
    return CodecShape(
        encoder_width=shape.encoder_width,
        decoder_width=shape.encoder_width,
        latent_width=shape.encoder_width,
        heads=shape.encoder_heads,
        encoder_layers=shape.encoder_layers,
        mesh_latents=shape.latents,
        oversampling=shape.oversampling,
        frequencies=shape.frequencies,
        second_wave=False,
        points=shape.points,
    )
