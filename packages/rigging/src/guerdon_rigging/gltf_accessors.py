"""Accessors: typed arrays inside the buffers, strided, normalised, sparse."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from guerdon_rigging.gltf_files import Gltf
from guerdon_rigging.gltf_json import Entry

MOST_ELEMENTS = 1 << 26
"""The longest accessor that is read; one without a buffer costs memory that no file paid for."""

_COMPONENTS: dict[int, Any] = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_SHAPES: dict[str, tuple[int, ...]] = {
    "SCALAR": (), "VEC2": (2,), "VEC3": (3,), "VEC4": (4,), "MAT2": (2, 2), "MAT3": (3, 3), "MAT4": (4, 4),
}  # fmt: skip


def accessor_at(gltf: Gltf, index: Entry) -> Entry:
    """The accessor that an index points at."""
    entries = gltf.document.members("accessors")
    return entries[index.integer(0, len(entries), "index of an accessor")]


def accessor_count(accessor: Entry) -> int:
    """How many elements an accessor has."""
    return accessor.need("count").integer(1, MOST_ELEMENTS + 1)


def read_accessor(gltf: Gltf, index: Entry, kinds: tuple[str, ...], finite: bool = True) -> npt.NDArray[Any]:
    """The values of an accessor.

    Args:
        gltf: the opened file.
        index: the entry that holds the accessor's index.
        kinds: the types that are accepted here: ("VEC3",).
        finite: refuse values that are not.

    Returns:
        (count, *shape): integers as stored, or float64 where the values are floats or normalised integers (unsigned
        ones value / 255 or / 65535; signed ones value / 127 or / 32767, not below -1). Matrices are indexed
        [element, row, column].

    Raises:
        RigFileError: no such accessor, another type than asked for, values that reach beyond the buffer, that are
            compressed by an extension, or that are not finite.
    """
    accessor = accessor_at(gltf, index)
    kind = accessor.need("type")
    if kind.value not in kinds:
        kind.fail(f"is {kind.value!r}, used by {index.where}", f"{' or '.join(kinds)} is accepted there")
    shape = _SHAPES[kind.value]
    component = accessor.need("componentType")
    if component.value not in _COMPONENTS or isinstance(component.value, (bool, float)):
        component.fail(f"is {component.value!r}", f"{', '.join(map(str, _COMPONENTS))} are accepted")
    dtype = np.dtype(_COMPONENTS[component.value])
    count = accessor_count(accessor)
    if accessor.get("bufferView") is None:
        values = np.zeros((count, *shape), dtype)
    else:
        values = _viewed(gltf, accessor, count, shape, dtype)
    sparse = accessor.get("sparse")
    if sparse is not None:
        values = _replaced(gltf, sparse, values)
    if dtype.kind == "f":
        values = values.astype(np.float64)
        if finite and not np.isfinite(values).all():
            bad = int(np.flatnonzero(~np.isfinite(values.reshape(count, -1)).all(axis=1))[0])
            accessor.fail(f"element {bad} is {values[bad].tolist()}", "finite numbers are needed")
    elif (normalised := accessor.get("normalized")) is not None and normalised.value is True:
        values = np.maximum(values / np.iinfo(dtype).max, -1.0)
    return values


def view_bytes(gltf: Gltf, index: Entry) -> tuple[bytes, int, int, Entry]:
    """A view's buffer, where it begins and how long it is, checked; and the view itself."""
    views = gltf.document.members("bufferViews")
    view = views[index.integer(0, len(views), "index of a buffer view")]
    extensions = view.get("extensions")
    for name, _ in extensions.named() if extensions is not None else ():
        if "meshopt" in name:
            view.fail(f"is compressed with {name}", "it is not read here; export without it")
    buffer = gltf.buffer(view.need("buffer").integer(0, len(gltf.document.members("buffers")), "index of a buffer"))
    start = view.optional("byteOffset", 0)
    length = view.need("byteLength").integer(1)
    if start + length > len(buffer):
        view.fail(f"covers bytes {start:,} to {start + length:,} of a buffer of {len(buffer):,}")
    return buffer, start, length, view


def _viewed(gltf: Gltf, holder: Entry, count: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """`count` elements of the view that `holder` names, copied out of the buffer."""
    buffer, start, length, view = view_bytes(gltf, holder.need("bufferView"))
    rows, columns = (shape[0], shape[1]) if len(shape) == 2 else (shape[0] if shape else 1, 1)
    # A matrix is stored by columns, each of which begins at a multiple of four bytes.
    column = rows * dtype.itemsize if len(shape) < 2 else -(-rows * dtype.itemsize // 4) * 4
    element = (columns - 1) * column + rows * dtype.itemsize
    stride = view.optional("byteStride", 0, 4, 253) or (element if len(shape) < 2 else columns * column)
    offset = holder.optional("byteOffset", 0)
    if stride < element:
        view.fail(f"has a byteStride of {stride}, and an element of {holder.where} has {element} bytes")
    if offset + (count - 1) * stride + element > length:
        holder.fail(
            f"{count:,} elements of {element} bytes, {stride} apart from byte {offset:,} on, "
            f"reach beyond the {length:,} bytes of {view.where}"
        )
    strides = (stride, column, dtype.itemsize) if len(shape) == 2 else (stride, dtype.itemsize)[: 1 + len(shape)]
    at = (count, columns, rows) if len(shape) == 2 else (count, *shape)
    values: npt.NDArray[Any] = np.ndarray(at, dtype, buffer, start + offset, strides)
    return (values.transpose(0, 2, 1) if len(shape) == 2 else values).copy()


def _replaced(gltf: Gltf, sparse: Entry, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Sparse accessors name the elements that differ from the view's, or from zero."""
    count = sparse.need("count").integer(1, len(values) + 1)
    indices, new = sparse.need("indices"), sparse.need("values")
    kind = indices.need("componentType")
    if kind.value not in (5121, 5123, 5125):
        kind.fail(f"is {kind.value!r}", "5121, 5123, 5125 are accepted")
    at = _viewed(gltf, indices, count, (), np.dtype(_COMPONENTS[kind.value])).astype(np.int64)
    if at.max() >= len(values):
        indices.fail(f"names element {at.max()} of {len(values)}")
    values[at] = _viewed(gltf, new, count, values.shape[1:], values.dtype)
    return values
