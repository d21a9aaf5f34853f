"""Images of known modality: from DICOM files, from scikit-image's wheel, from PneumoniaMNIST's file."""

import importlib.util
import io

import numpy as np
import pytest

from guerdon.conformance import check_task
from guerdon.errors import ConfigError, TaskError
from guerdon.parsing.images import opened
from guerdon_medical.medix_answers import MODALITIES
from guerdon_medical.medix_rewards import MediX
from guerdon_medical.modality_images import TAG_OF_MODALITY, PneumoniaMnist, dicom_images, sample_images

pytest.importorskip("PIL", reason="pictures need pillow: pip install 'guerdon-medical[images]'")


def test_every_modality_has_a_tag_of_the_authors():
    assert set(TAG_OF_MODALITY.values()) <= set(MODALITIES)


def test_the_files_in_pydicoms_wheel_say_what_they_are():
    pytest.importorskip("pydicom", reason="the extra images is not installed")
    found = dicom_images()
    tags = {one.tag for one in found.images}
    assert {"CT_SCAN", "MRI_SCAN"} <= tags
    assert len(found.images) >= 20
    assert all(found.left_out.values())
    for one in found.images[:5]:
        assert min(opened(one.image).size) > 0
        question = one.question()
        assert question.solution == f"<{one.tag}>{one.tag.replace('_', ' ').lower()}"
        assert question.images == (one.image,)


def written(folder, name, pixels, **attributes):
    """A DICOM file of 16-bit values."""
    import pydicom
    from pydicom.dataset import FileMetaDataset

    meta = FileMetaDataset()
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = pydicom.uid.CTImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    data = pydicom.Dataset()
    data.file_meta = meta
    data.SOPClassUID, data.SOPInstanceUID = meta.MediaStorageSOPClassUID, "1.2.3"
    data.Rows, data.Columns = pixels.shape
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation, data.SamplesPerPixel = 16, 16, 15, 0, 1
    data.PixelData = pixels.astype("<u2").tobytes()
    data.PhotometricInterpretation = attributes.pop("kind", "MONOCHROME2")
    for attribute, value in attributes.items():
        setattr(data, attribute, value)
    data.save_as(folder / name, enforce_file_format=True)


def test_values_are_spread_turned_round_where_told_and_what_cannot_be_read_is_told(tmp_path):
    pytest.importorskip("pydicom", reason="the extra images is not installed")
    pixels = np.array([[100, 200], [300, 500]])
    written(tmp_path, "a.dcm", pixels, Modality="DX")
    written(tmp_path, "b.dcm", pixels, Modality="DX", kind="MONOCHROME1")
    written(tmp_path, "c.dcm", pixels * 0 + 7, Modality="ECG")
    written(tmp_path, "d.dcm", pixels)
    (tmp_path / "e.dcm").write_bytes(b"no such thing")
    found = dicom_images(tmp_path)
    assert [(one.id, one.tag) for one in found.images] == [("a.dcm", "X_RAY"), ("b.dcm", "X_RAY"), ("c.dcm", "OTHER")]
    grey = [np.asarray(opened(one.image))[..., 0].tolist() for one in found.images]
    assert grey == [[[0, 64], [128, 255]], [[255, 191], [128, 0]], [[0, 0], [0, 0]]]
    assert set(found.left_out) == {"d.dcm", "e.dcm"}
    assert found.left_out["d.dcm"] == "no modality"
    with pytest.raises(ConfigError, match="no such folder"):
        dicom_images(tmp_path / "none")


def test_the_pictures_in_scikit_images_wheel_can_be_opened():
    if importlib.util.find_spec("skimage") is None:
        pytest.skip("the extra images is not installed")
    found = {one.subject: one for one in sample_images()}
    assert {"retina", "colon tissue", "cell", "microaneurysms"} == set(found)
    assert found["retina"].question().solution == "<FUNDUS_PHOTOGRAPHY>retina"
    assert all(min(opened(one.image).size) > 0 for one in found.values())


def films(**arrays):
    held = io.BytesIO()
    np.savez(held, **arrays)
    return held.getvalue()


def test_chest_films_from_a_file(tmp_path):
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (6, 28, 28), dtype=np.uint8), np.array([[0], [1]] * 3, dtype=np.uint8)
    path = tmp_path / "pneumoniamnist.npz"
    path.write_bytes(films(train_images=images, train_labels=labels, test_images=images[:2], test_labels=labels[:2]))
    task = PneumoniaMnist(path=str(path))
    check_task(task, MediX())
    first, second = task.examples("train")[:2]
    assert (first.solution, second.solution) == ("<X_RAY>no pneumonia", "<X_RAY>pneumonia")
    assert (np.asarray(opened(first.images[0]))[..., 0] == images[0]).all()
    assert len(PneumoniaMnist(path=str(path), limit=3).examples("train")) == 3


def test_a_file_of_films_that_is_another_is_named(tmp_path):
    path = tmp_path / "films.npz"
    with pytest.raises(TaskError, match="cannot read the train part"):
        PneumoniaMnist(path=str(path)).examples("train")
    path.write_bytes(films(train_images=np.zeros((2, 4)), train_labels=np.array([0, 3])))
    with pytest.raises(TaskError, match="labels of 0 or 1"):
        PneumoniaMnist(path=str(path)).examples("train")
