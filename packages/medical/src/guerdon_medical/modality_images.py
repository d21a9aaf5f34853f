"""Small medical images of which the modality is known, from wheels on the package index and from a file.

| | |
|---|---|
| `dicom_images(folder)` | DICOM files, whose Modality says the tag; without a folder, those in the wheel `pydicom` |
| `sample_images()` | four pictures in the wheel `scikit-image`: fundus and microscopy |
| `PneumoniaMnist(path=...)` | chest films of 28 x 28, from MedMNIST v2's `pneumoniamnist.npz` (CC BY 4.0) |

Both wheels are in the extra `guerdon-medical[images]`. For research and tests, not for clinical use.
"""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from guerdon.errors import ConfigError, TaskError
from guerdon.fields import whole_number
from guerdon.protocols import Split
from guerdon.types import Image
from guerdon_medical.open_questions import OpenQuestion, OpenQuestionTask

if TYPE_CHECKING:
    from numpy.typing import NDArray

TAG_OF_MODALITY: Mapping[str, str] = {
    "CR": "X_RAY",
    "DX": "X_RAY",
    "RG": "X_RAY",
    "IO": "X_RAY",
    "PX": "X_RAY",
    "CT": "CT_SCAN",
    "MR": "MRI_SCAN",
    "US": "ULTRASOUND",
    "IVUS": "ULTRASOUND",
    "MG": "MAMMOGRAPHY",
    "PT": "PET_SCAN",
    "NM": "SPECT",
    "XA": "ANGIOGRAPHY",
    "RF": "FLUOROSCOPY",
    "ES": "ENDOSCOPY",
    "OP": "FUNDUS_PHOTOGRAPHY",
    "OPT": "OCT_SCAN",
    "OCT": "OCT_SCAN",
    "GM": "MICROSCOPY",
    "SM": "MICROSCOPY",
    "XC": "CLINICAL_PHOTOGRAPHY",
}
"""DICOM's defined terms for Modality [choice]; what is not here is OTHER. NM holds planar images beside SPECT."""
_SAMPLES: Mapping[str, tuple[str, str]] = {
    "retina.jpg": ("FUNDUS_PHOTOGRAPHY", "retina"),
    "microaneurysms.png": ("FUNDUS_PHOTOGRAPHY", "microaneurysms"),
    "ihc.png": ("MICROSCOPY", "colon tissue"),
    "cell.png": ("MICROSCOPY", "cell"),
}


@dataclass(frozen=True)
class ModalityImage:
    """A picture and how it was made."""

    id: str
    image: Image
    tag: str
    """Without brackets."""
    subject: str = ""
    """What it shows, where that is known."""

    def question(self) -> OpenQuestion:
        """How it was made, as a question; where the subject is known, what it shows."""
        asked = "What does the image show?" if self.subject else "How was this image made?"
        answer = self.subject or self.tag.replace("_", " ").lower()
        return OpenQuestion(
            id=self.id, question=asked, solution=f"<{self.tag}>{answer}", document=self.id, images=(self.image,)
        )


@dataclass(frozen=True)
class DicomImages:
    """What a folder of DICOM files gave."""

    images: tuple[ModalityImage, ...]
    left_out: Mapping[str, str]
    """File to reason: no pixels, no modality, a compression that nothing here decodes."""


def dicom_images(folder: str | Path | None = None) -> DicomImages:
    """The first frame of each DICOM file as a grey or coloured PNG, in the order of paths.

    Values are spread over 0 to 255 by the frame's own smallest and largest; MONOCHROME1 is turned round.

    Args:
        folder: of any depth, searched for `.dcm` files; None: the test files in the wheel pydicom.

    Raises:
        ConfigError: pydicom is not installed, or there is no such folder.
    """
    try:
        import pydicom
    except ModuleNotFoundError as error:
        raise ConfigError(
            f'DICOM files need the package {error.name}: pip install "guerdon-medical[images]"'
        ) from error
    place = Path(folder).expanduser() if folder is not None else Path(pydicom.__file__).parent / "data" / "test_files"
    if not place.is_dir():
        raise ConfigError(f"the folder of DICOM files is {str(place)!r}, and there is no such folder")
    images, left_out = [], {}
    for path in sorted(place.rglob("*.dcm")):
        name = str(path.relative_to(place))
        # Files are damaged in as many ways as decoders raise: each is told by name, and none ends the reading.
        try:
            data = pydicom.dcmread(path)
            modality = str(data.get("Modality") or "")
            if not modality:
                left_out[name] = "no modality"
                continue
            picture = Image(data=_png(_frame(data)))
        except Exception as error:  # noqa: BLE001 - see above
            left_out[name] = f"{type(error).__name__}: {error}"[:200]
            continue
        images.append(ModalityImage(name, picture, TAG_OF_MODALITY.get(modality, "OTHER")))
    return DicomImages(tuple(images), left_out)


def sample_images() -> tuple[ModalityImage, ...]:
    """Those pictures of scikit-image's wheel that are medical and are there; the wheel is not imported.

    Raises:
        ConfigError: scikit-image is not installed.
    """
    spec = importlib.util.find_spec("skimage")
    places = list(spec.submodule_search_locations or ()) if spec else []
    if not places:
        raise ConfigError('the sample images need scikit-image: pip install "guerdon-medical[images]"')
    folder = Path(places[0]) / "data"
    return tuple(
        ModalityImage(f"scikit-image/{name}", Image(str(folder / name)), tag, subject)
        for name, (tag, subject) in _SAMPLES.items()
        if (folder / name).is_file()
    )


@dataclass(frozen=True, kw_only=True)
class PneumoniaMnist(OpenQuestionTask):
    """Chest films of 28 x 28: pneumonia, or not. `train` is the file's own, `eval` its test part."""

    name: ClassVar[str] = "medical/pneumonia-mnist-v1"

    path: str = ""
    """`pneumoniamnist.npz`."""
    limit: int | None = None
    """At most so many of each split."""

    def __post_init__(self) -> None:
        if not self.path:
            raise ConfigError(f"path of {self.name} is empty; the path of pneumoniamnist.npz is needed")
        if self.limit is not None:
            whole_number(f"{self.name}.limit", self.limit, 1)

    def load(self, split: Split) -> Sequence[OpenQuestion]:
        """Read a split.

        Raises:
            TaskError: no such file, or arrays of another shape.
        """
        import numpy as np

        part = "train" if split == "train" else "test"
        try:
            with np.load(Path(self.path).expanduser(), allow_pickle=False) as found:
                images, labels = found[f"{part}_images"], found[f"{part}_labels"].reshape(-1)
        except (OSError, ValueError, KeyError) as error:
            raise TaskError(f"{self.name}: cannot read the {part} part of {self.path!r}: {error}") from error
        if images.ndim != 3 or len(images) != len(labels) or not set(labels.tolist()) <= {0, 1}:
            raise TaskError(
                f"{self.name}: {self.path!r} holds images {images.shape} and {len(labels)} labels; (N, height, width) "
                f"and N labels of 0 or 1 are needed"
            )
        return [
            OpenQuestion(
                id=f"{part}-{number}",
                question="Does this chest film show pneumonia?",
                solution=f"<X_RAY>{'pneumonia' if label else 'no pneumonia'}",
                document=f"{part}-{number}",
                images=(Image(data=_png(image)),),
            )
            for number, (image, label) in enumerate(zip(images[: self.limit], labels[: self.limit], strict=True))
        ]


def _frame(data: Any) -> NDArray[Any]:
    """The first frame, (height, width) or (height, width, 3)."""
    import numpy as np

    pixels = data.pixel_array
    if int(data.get("NumberOfFrames") or 1) > 1:
        pixels = pixels[0]
    if data.get("PhotometricInterpretation") == "MONOCHROME1":
        pixels = pixels.max() - pixels
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] != 3) or not pixels.size:
        raise ValueError(f"pixels of shape {pixels.shape}")
    return np.asarray(pixels)


def _png(pixels: NDArray[Any]) -> bytes:
    import numpy as np
    import PIL.Image

    values = pixels.astype(np.float64)
    low, high = float(values.min()), float(values.max())
    if pixels.dtype != np.uint8:
        values = (values - low) / (high - low) * 255.0 if high > low else np.zeros_like(values)
    written = io.BytesIO()
    PIL.Image.fromarray(np.rint(values).astype(np.uint8)).save(written, "PNG")
    return written.getvalue()
