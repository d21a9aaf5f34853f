"""Pictures from files and bytes, decoded whole, so that a broken one is found where it is read and named."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from guerdon.errors import TaskError
from guerdon.types import Image

if TYPE_CHECKING:
    import PIL.Image


def opened(image: Image) -> PIL.Image.Image:
    """The picture's pixels, in RGB.

    Raises:
        TaskError: the file is missing, is no picture, or ends too soon; the message names it.
    """
    import PIL.Image

    named = repr(image.path) if image.path else f"of {len(image.data)} bytes"
    try:
        with PIL.Image.open(image.path or io.BytesIO(image.data)) as picture:
            return picture.convert("RGB")
    except FileNotFoundError as error:
        raise TaskError(f"the image {named} does not exist") from error
    # Decoders of rarer formats raise what they please: SyntaxError, struct.error, ValueError, decompression bombs.
    except Exception as error:
        raise TaskError(f"the image {named} cannot be read: {error}") from error
