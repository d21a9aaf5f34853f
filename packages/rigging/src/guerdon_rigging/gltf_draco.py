"""Primitives compressed with Draco, through DracoPy (the extra `draco`).

What it covers: data that do not decode, or not to what the accessors say, are refused. What it does not: how much
memory DracoPy takes on the way is DracoPy's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from guerdon_rigging.gltf_accessors import accessor_at, accessor_count, view_bytes
from guerdon_rigging.gltf_files import Gltf
from guerdon_rigging.gltf_json import Entry


def decompressed(
    gltf: Gltf, primitive: Entry, draco: Entry, wanted: list[tuple[str, Entry, tuple[str, ...]]]
) -> tuple[dict[str, npt.NDArray[Any]], npt.NDArray[Any]]:
    """The attributes and the corners, (3 M,), of a compressed primitive; those that are stored plainly are left out.

    Args:
        gltf: the opened file.
        primitive: which is compressed.
        draco: its extension.
        wanted: attributes: their names, accessors and types.

    Raises:
        RigFileError: DracoPy is not installed, the data do not decode, or hold other counts than the accessors say.
    """
    try:
        import DracoPy
    except ImportError as error:
        draco.fail("is compressed with Draco", "install what reads it: pip install 'guerdon-rigging[draco]'")
        raise AssertionError from error
    buffer, start, length, _ = view_bytes(gltf, draco.need("bufferView"))
    try:
        found = DracoPy.decode(buffer[start : start + length])
    except Exception as error:  # noqa: BLE001 - a boundary: whatever DracoPy raises says that the bytes are no mesh
        draco.fail(f"does not decode: {error}")
    ids = dict(draco.need("attributes").named())
    by_id = {one["unique_id"]: one["data"] for one in found.attributes}
    values: dict[str, npt.NDArray[Any]] = {}
    for name, at, kinds in wanted:
        if name not in ids:
            if accessor_at(gltf, at).get("bufferView") is not None:
                continue  # stored plainly beside the others
            draco.fail(f"has no {name}, which the primitive has", "attributes are compressed together")
        data = by_id.get(ids[name].integer())
        if data is None:
            ids[name].fail(f"names attribute {ids[name].value}; the compressed mesh has {sorted(by_id)}")
        accessor = accessor_at(gltf, at)
        gltf.take(accessor, data.size)
        if (count := accessor_count(accessor)) != len(data):
            accessor.fail(f"says {count} elements and {len(data)} were compressed")
        if data.ndim != 2 or f"VEC{data.shape[1]}" not in kinds:
            accessor.fail(f"was compressed with the shape {data.shape}")
        normalised = accessor.get("normalized")
        if data.dtype.kind in "iu" and normalised is not None and normalised.value is True:
            data = np.maximum(data / np.iinfo(data.dtype).max, -1.0)
        if data.dtype.kind == "f":
            data = np.asarray(data, np.float64)
            if name == "POSITION" and not np.isfinite(data).all():
                accessor.fail("was compressed with values that are not finite")
        values[name] = data
    return values, np.asarray(found.faces).reshape(-1).astype(np.uint32)
