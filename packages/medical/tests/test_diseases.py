"""Diseases are matched by id, then by name, then by synonym."""

from __future__ import annotations

import pytest

from guerdon_medical.cases import Disease
from guerdon_medical.diseases import DiseaseNames

NAMES = DiseaseNames(
    [Disease("X:1", "Hepatitis"), Disease("X:2", "Hepatitis A"), Disease("X:3", "Crohn's disease")],
    {"X:3": ["Regional enteritis", "Hepatitis"], "X:9": ["Nobody's"]},
)


@pytest.mark.parametrize(
    ("wanted", "id"),
    [
        ("X:3", "X:3"),
        (Disease("X:1", "Crohn's disease"), "X:1"),
        (Disease("ORPHA:7", "CROHN'S DISEASE"), "X:3"),
        ("the Crohns Diseases", "X:3"),
        ("regional enteritis", "X:3"),
        ("Hepatitis", "X:1"),
        ("hepatitis a", "X:2"),
    ],
)
def test_a_disease_is_found_by_the_nearest_of_its_names(wanted: Disease | str, id: str) -> None:
    """An id outweighs a name, a name outweighs another disease's synonym, and a letter outweighs what N drops."""
    found = NAMES.find(wanted)
    assert found is not None
    assert found.id == id


@pytest.mark.parametrize("wanted", ["", " ", "?", "the", "Nobody's", "X:9", Disease("", "")])
def test_what_is_no_disease_finds_none(wanted: Disease | str) -> None:
    assert NAMES.find(wanted) is None
