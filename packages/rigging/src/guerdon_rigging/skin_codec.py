"""SkinTokens' FSQ-CVAE as a `SkinCodec`: a bone's column of weights as T integers, given the mesh, and back.

Despite the name it is an autoencoder: nothing is sampled, and there is no KL term. All draws of points are seeded: the
same mesh gives the same decoding, the same rig the same codes.

Source: "Skin Tokens: A Learned Compact Representation for Unified Autoregressive Rigging" (arXiv 2602.04805).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor, nn

from guerdon.errors import PolicyError
from guerdon_rigging.codec_shapes import SMALL, CodecShape
from guerdon_rigging.frames import frame
from guerdon_rigging.fsq import FSQ
from guerdon_rigging.rigs import Floats, Ints, Mesh, Rig, Singles
from guerdon_rigging.sampling import surface_points
from guerdon_rigging.skin_networks import PointEncoder, decoder_of
from guerdon_rigging.skin_sampling import rig_samples, vertices_with_normals, with_normals

MOST_POINTS = 20_000
"""Decoding asks at the vertices of meshes up to this size, and at this many points of larger ones."""
BONES_AT_ONCE = 64
SEED = 0


@dataclass(frozen=True, eq=False)
class MeshCondition:
    """What decoding needs to know of a mesh."""

    latents: Tensor
    """(1, M, C)."""
    asked: Tensor
    """(1, P, W): what the decoder knows of the points before any bone."""
    nearest: Ints | None
    """(N,): of each vertex, the point whose weight it takes; None where the points are the vertices."""


class SkinAutoencoder(nn.Module):
    """E_M, E_W, FSQ and D: all that is trained."""

    def __init__(self, shape: CodecShape) -> None:
        super().__init__()
        self.shape = shape
        self.mesh = PointEncoder(shape, extra=0)
        learned = 0 if shape.skin_queries == "farthest" else shape.max_length
        self.skin = PointEncoder(shape, extra=1, slots=learned)
        self.fsq = FSQ(shape.levels, shape.latent_width)
        if isinstance(self.fsq.project_in, nn.Linear):
            with torch.no_grad():
                self.fsq.project_in.weight *= shape.code_gain
        self.decoder = decoder_of(shape)

    def latents(self, points: Tensor) -> Tensor:
        """E_M: (B, P, 6), uniform and in random order -> (B, M, C)."""
        return self.mesh(points, self.shape.mesh_latents)  # type: ignore[no-any-return]

    def quantised(self, points: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """E_W and FSQ: (B, P, 6) and (B, P), a row a bone -> codes' meaning (B, T_max, C) and indices (B, T_max)."""
        return self.fsq(self.skin(points, self.shape.max_length, weights))  # type: ignore[no-any-return]

    def decoded(self, latents: Tensor, points: Tensor, codes: Tensor) -> Tensor:
        """D: (B, M, C), (B, P, 6), (B, K, T, C) -> logits, (B, K, P).

        Fewer codes are a shorter sequence, never one with zeros: nested dropout cuts.
        """
        return self.decoder(latents, self.decoder.asked(latents, points), codes)  # type: ignore[no-any-return]


class FSQCVAE:
    """The codec: an autoencoder with fixed weights.

    Args:
        network: trained, or not.
        device: where it computes.
        most_points: meshes of more vertices are decoded at this many points, and a vertex takes the value of the
            nearest one, as the released code does at 54,000.
    """

    def __init__(
        self, network: SkinAutoencoder, device: str | torch.device = "cpu", most_points: int = MOST_POINTS
    ) -> None:
        self.network = network.to(device).eval().requires_grad_(requires_grad=False)
        self.shape = network.shape
        self.device = torch.device(device)
        self.most_points = most_points

    @property
    def codes(self) -> int:
        """C."""
        return self.network.fsq.size

    @property
    def length(self) -> int:
        """T."""
        return self.shape.length

    @torch.no_grad()
    def condition(self, mesh: Mesh) -> MeshCondition:
        """Of a mesh in any frame, made once.

        Raises:
            RigError: a mesh without vertices, without extent or without area.
        """
        mesh = frame(mesh.vertices).mesh(mesh)
        rng = np.random.default_rng(SEED)
        seen = with_normals(surface_points(mesh, self.shape.points, rng))
        latents = self.network.latents(self._tensor(seen)[None])
        nearest = None
        if len(mesh.vertices) <= self.most_points:
            points = vertices_with_normals(mesh)
        else:
            points = with_normals(surface_points(mesh, self.most_points, rng))
            nearest = np.asarray(cKDTree(points[:, :3]).query(mesh.vertices)[1], np.int64)
        return MeshCondition(latents, self.network.decoder.asked(latents, self._tensor(points)[None]), nearest)

    @torch.no_grad()
    def encode(self, rig: Rig) -> Ints:
        """The codes of each bone, (J, T). Raises as `condition`."""
        shape = self.shape
        drawn = rig_samples(rig, shape.points, shape.dense_points, np.random.default_rng(SEED))
        found = []
        for start in range(0, len(drawn), BONES_AT_ONCE):
            part = slice(start, start + BONES_AT_ONCE)
            dense, weights = drawn.dense[part], drawn.weights.T[part]
            points = np.concatenate([np.broadcast_to(drawn.uniform, (len(dense), *drawn.uniform.shape)), dense], axis=1)
            values = np.concatenate([weights, drawn.dense_weights[part]], axis=1)
            found.append(self.network.quantised(self._tensor(points), self._tensor(values))[1][:, : shape.length])
        return np.asarray(torch.cat(found).cpu().numpy(), np.int64)

    @torch.no_grad()
    def decode(self, condition: MeshCondition, codes: Ints) -> Floats:
        """For K bones, (K, T): weights at the mesh's vertices, (N, K), each in [0, 1].

        Fewer codes than `length` are a prefix, which the codec is trained to read.

        Raises:
            ValueError: a code outside [0, C), or a shape that is not (K, 1..T_max).
        """
        codes = np.asarray(codes)
        if codes.ndim != 2 or not 1 <= codes.shape[1] <= self.shape.max_length:
            raise ValueError(
                f"codes have the shape {codes.shape}; (bones, 1 to {self.shape.max_length} codes of each) is needed"
            )
        points = condition.asked.shape[1]
        weights = np.empty((points, len(codes)), np.float32)
        meant = self.network.fsq.meant(torch.as_tensor(codes, dtype=torch.int64, device=self.device))
        for start in range(0, len(codes), BONES_AT_ONCE):
            part = meant[None, start : start + BONES_AT_ONCE].to(condition.latents.dtype)
            logits = self.network.decoder(condition.latents, condition.asked, part)[0]
            weights[:, start : start + BONES_AT_ONCE] = torch.sigmoid(logits).float().cpu().numpy().T
        spread = weights if condition.nearest is None else weights[condition.nearest]
        return spread.astype(np.float64)

    def decode_all(self, condition: MeshCondition, codes: Sequence[Ints]) -> list[Floats]:
        """As `decode`, for several candidate rigs of one mesh at once; a bone that several have is decoded once."""
        sizes = [len(one) for one in codes]
        if not sum(sizes):
            return [self.decode(condition, one) for one in codes]
        every, place = np.unique(np.concatenate([np.asarray(one) for one in codes]), axis=0, return_inverse=True)
        weights = self.decode(condition, every)
        return [weights[:, part] for part in np.split(place.reshape(-1), np.cumsum(sizes)[:-1])]

    def save(self, path: Path | str, dtype: torch.dtype = torch.float16) -> None:
        """One safetensors file, which holds the shape too. Half precision halves it; the quantiser computes in single.

        Raises:
            PolicyError: the file cannot be written.
        """
        from safetensors import SafetensorError
        from safetensors.torch import save_file

        state = {name: value.to(dtype).cpu().contiguous() for name, value in self.network.state_dict().items()}
        try:
            save_file(state, str(path), metadata={"shape": json.dumps(self.shape.plain()), "kind": KIND})
        except (OSError, SafetensorError) as error:
            raise PolicyError(f"the skin codec cannot be written to {path}: {error}") from error

    @classmethod
    def load(cls, path: Path | str, device: str | torch.device = "cpu", most_points: int = MOST_POINTS) -> FSQCVAE:
        """What `save` wrote, computing in single precision.

        Raises:
            PolicyError: no such file, or not one of a skin codec.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(str(path), "pt") as file:
                told = file.metadata() or {}
                if told.get("kind") != KIND:
                    raise PolicyError(f"{path} holds no skin codec, but {told.get('kind', 'something unnamed')!r}")
                network = SkinAutoencoder(CodecShape.of(json.loads(told["shape"])))
                network.load_state_dict({name: file.get_tensor(name).float() for name in file.keys()})  # noqa: SIM118
        except (OSError, SafetensorError, RuntimeError, KeyError, ValueError) as error:  # ConfigError is a ValueError
            raise PolicyError(f"no skin codec can be read from {path}: {error}") from error
        return cls(network, device, most_points)

    @classmethod
    def untrained(cls, shape: CodecShape = SMALL, seed: int = 0) -> FSQCVAE:
        """With the weights that training starts from."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return cls(SkinAutoencoder(shape))

    def _tensor(self, array: Singles) -> Tensor:
        return torch.as_tensor(array, dtype=torch.float32, device=self.device)


KIND = "guerdon/skin-codec-v1"
