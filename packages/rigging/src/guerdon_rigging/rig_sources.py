"""Meshes and rigs by key, so that examples and observations stay small and travel: a text in place of arrays.

`made:KIND:SEED` is a creature of `guerdon_rigging.creatures`; `file:PATH` a rigged .glb or .gltf in its canonical frame.
"""

from __future__ import annotations

import importlib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

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
    raise RigError(f"{key!r} is no key of a rig; accepted are 'made:KIND:SEED' and 'file:PATH'")


def known_mesh(key: str) -> Mesh:
    """The mesh that a key stands for: what a policy is shown.

    Raises:
        RigError: see `known_rig`.
    """
    return known_rig(key).mesh


@lru_cache(maxsize=8)
def codec_of(name: str) -> SkinCodec:
    """A skin codec by name: `balls`, or `module:attribute`, which is called without arguments.

    Raises:
        ConfigError: there is no such codec, or what it needs is not installed.
    """
    if name == "balls":
        from guerdon_rigging.ball_codec import BallCodec

        return BallCodec()
    module, _, attribute = name.partition(":")
    try:
        made: SkinCodec = getattr(importlib.import_module(module), attribute)()
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise ConfigError(
            f"codec is {name!r}; 'balls' or 'module:attribute' of what makes a SkinCodec is needed ({error})"
        ) from error
    return made
