"""Pictures and texts in one space: the seam of encoders that see, and one for made-up pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from guerdon.errors import RetrievalError
from guerdon.protocols import Encoder
from guerdon.retrieval.vectors import encoded
from guerdon.types import Image

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@runtime_checkable
class JointEncoder(Encoder, Protocol):
    """An encoder of texts that gives pictures vectors in the same space: a biomedical CLIP, for instance."""

    def encode_images(self, images: Sequence[Image]) -> npt.NDArray[np.float32]:
        """(images, dimensions), float32, finite, as many dimensions as `encode` gives."""


def encoded_images(encoder: JointEncoder, images: Sequence[Image]) -> npt.NDArray[np.float32]:
    """(images, dimensions), float32, checked.

    Raises:
        RetrievalError: the encoder gave another shape, or numbers that are not finite.
    """
    import numpy as np

    made = np.ascontiguousarray(encoder.encode_images(images), dtype=np.float32)
    if made.ndim != 2 or len(made) != len(images) or not made.shape[1]:
        raise RetrievalError(
            f"the encoder {encoder.name} gave {made.shape} for {len(images)} images; one row of numbers each is needed"
        )
    broken = np.flatnonzero(~np.isfinite(made).all(axis=1))
    if len(broken):
        raise RetrievalError(f"the encoder {encoder.name} gave a vector that is not finite for image {int(broken[0])}")
    return made


def cosines(encoder: JointEncoder, images: Sequence[Image], texts: Sequence[str]) -> npt.NDArray[np.float64]:
    """(images, texts): how near each picture is to each text; 0 where one of the two vectors is zero.

    Raises:
        RetrievalError: the encoder gave what is no vector, or of two lengths.
    """
    import numpy as np

    pictures = _directions(encoded_images(encoder, images))
    said = _directions(encoded(encoder, texts, kind="query"))
    if pictures.shape[1] != said.shape[1]:
        raise RetrievalError(
            f"the encoder {encoder.name} gives images {pictures.shape[1]} dimensions and texts {said.shape[1]}"
        )
    near: npt.NDArray[np.float64] = np.clip(pictures @ said.T, -1.0, 1.0)
    return near


def _directions(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    import numpy as np

    wide = rows.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    found: npt.NDArray[np.float64] = np.divide(wide, lengths, out=np.zeros_like(wide), where=lengths > 0)
    return found
