"""Meshes and rigs by key, so that examples and observations stay small and travel: a text in place of arrays.

`made:KIND:SEED` is a creature of `guerdon_rigging.creatures`; `file:PATH` a rigged .glb or .gltf in its canonical
frame; `varied:SEED:KEY` what `varied` makes of another key's rig.
"""

from __future__ import annotations

import importlib
import zlib
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from guerdon.errors import ConfigError
from guerdon_rigging.rigs import Mesh, Rig, RigError

if TYPE_CHECKING:
    from guerdon_rigging.codecs import SkinCodec

_KEPT = 64


@lru_cache(maxsize=_KEPT)
def known_rig(key: str) -> Rig:
    """The true rig that a key stands for.

    Raises:
        RigError: there is none: the file is missing or broken, or holds no rig; or it is no key.
    """
    kind, _, rest = key.partition(":")
    if kind == "made":
        from guerdon_rigging.creatures import creature

        name, _, seed = rest.rpartition(":")
        try:
            return creature(name, int(seed))
        except ValueError as error:  # ConfigError is one: of the kind
            raise RigError(f"{key!r} is no key of a made rig, made:KIND:SEED: {error}") from error
    if kind == "file":
        from guerdon_rigging.canonical import read_rig

        return read_rig(Path(rest))
    if kind == "varied" and rest.partition(":")[0].isdigit():
        seed, _, base = rest.partition(":")
        return varied(known_rig(base), np.random.default_rng([int(seed), zlib.crc32(base.encode())]))
    raise RigError(f"{key!r} is no key of a rig; accepted are 'made:KIND:SEED', 'file:PATH' and 'varied:SEED:KEY'")


def varied(rig: Rig, draw: np.random.Generator) -> Rig:
    """Another rig like it, upright and normalised: some joints merged, another pose, other proportions, noise.

    Milder than `Augmentation`, whose numbers are those of models a hundred times as large [choice].
    """
    from guerdon_rigging import augmentation

    if draw.random() < 0.3:
        rig = augmentation.merge_joints(rig, draw, most=0.2)
    rig = augmentation.random_pose(rig, draw, degrees=25.0)
    rig = augmentation.random_scaling(rig, draw, low=0.75, high=1.33)
    return augmentation.normalised(augmentation.jitter_vertices(rig, draw, sigma=0.002))


def known_mesh(key: str) -> Mesh:
    """The mesh that a key stands for: what a policy is shown.

    Raises:
        RigError: see `known_rig`.
    """
    return known_rig(key).mesh


@lru_cache(maxsize=8)
def codec_of(name: str) -> SkinCodec:
    """A skin codec by name: `balls`; `skintokens`, the one that comes with the package; the path of a .safetensors file
    with another one; or `module:attribute`, which is called without arguments.

    Raises:
        ConfigError: there is no such codec, or what it needs is not installed.
    """
    if name == "balls":
        from guerdon_rigging.ball_codec import BallCodec

        return BallCodec()
    if name == "skintokens" or name.endswith(".safetensors"):
        try:
            from guerdon_rigging.skin_codec import FSQCVAE
        except ImportError as error:
            raise ConfigError(
                f"codec is {name!r}, which needs torch ({error}): pip install 'guerdon-rigging[train]'"
            ) from error
        if name != "skintokens":
            return FSQCVAE.load(name)
        with resources.as_file(resources.files("guerdon_rigging") / "shipped" / "skin_codec.safetensors") as path:
            return FSQCVAE.load(path)
    module, _, attribute = name.partition(":")
    try:
        made: SkinCodec = getattr(importlib.import_module(module), attribute)()
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise ConfigError(
            f"codec is {name!r}; 'balls', 'skintokens', a .safetensors file or 'module:attribute' of what makes a "
            f"SkinCodec is needed ({error})"
        ) from error
    return made


@lru_cache(maxsize=_KEPT)
def condition_of(codec: str, mesh: str) -> Any:
    """What a codec needs to know of a mesh; both by name.

    Raises:
        ConfigError: there is no such codec.
        RigError: there is no such mesh.
    """
    return codec_of(codec).condition(known_mesh(mesh))
