"""Cases are read from both layouts, and split by publication."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from guerdon.errors import TaskError
from guerdon_medical.cases import Case, Disease, read_cases, split_by_publication

ROW: dict[str, Any] = {
    "id": "PMID_1_a",
    "pmid": "1",
    "observed": ["HP:1", "HP:2", "HP:1"],
    "excluded": ["HP:3"],
    "diagnosis": [["OMIM:9", "Made disease"]],
    "sex": None,
}


def write_rows(folder: Path, *rows: dict[str, Any]) -> Path:
    path = folder / "cases.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(json.dumps(row) for row in rows).encode()))
    return path


def test_a_row_is_a_case_and_a_finding_counts_once(tmp_path: Path) -> None:
    expected = Case("PMID_1_a", "1", ("HP:1", "HP:2"), ("HP:3",), (Disease("OMIM:9", "Made disease"),))
    assert read_cases(write_rows(tmp_path, ROW)) == [expected]


def test_cases_that_nothing_can_be_asked_about_are_left_out(tmp_path: Path) -> None:
    path = write_rows(tmp_path, {**ROW, "diagnosis": []}, {**ROW, "id": "b", "observed": []})
    assert read_cases(path) == []


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ({"observed": "HP:1"}, "field 'observed' is 'HP:1'; a list of HPO ids is needed"),
        ({"observed": None}, "field 'observed'"),
        ({"excluded": {"HP:1": 1}}, "field 'excluded'"),
        ({"diagnosis": [["OMIM:9"]]}, r"field 'diagnosis' is .*; a list of \[id, name\] is needed"),
        ({"diagnosis": None}, "field 'diagnosis'"),
        ({"id": None}, "field 'id'"),
        ({"id": " "}, "field 'id'"),
    ],
)
def test_a_row_of_another_shape_is_named_by_its_line(tmp_path: Path, broken: dict[str, Any], said: str) -> None:
    with pytest.raises(TaskError, match=r"cases.jsonl.gz', line 2: .*" + said):
        read_cases(write_rows(tmp_path, ROW, {**ROW, "id": "b", **broken}))


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = write_rows(tmp_path, ROW)
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(TaskError, match=r"cannot read cases from .*cases.jsonl.gz"):
        read_cases(path)
    (tmp_path / "packets").mkdir()
    (tmp_path / "packets" / "p.json").write_bytes(b'{"id": "\xff"}')
    with pytest.raises(TaskError, match=r"p\.json: not JSON"):
        read_cases(tmp_path / "packets")
    with pytest.raises(TaskError, match="does not exist"):
        read_cases(tmp_path / "nowhere")


@pytest.mark.parametrize("shares", [{}, {"a": 0.0}, {"a": 1.0, "b": float("nan")}, {"a": float("inf"), "b": 1.0}])
def test_shares_that_deal_nothing_out_are_refused(shares: dict[str, float]) -> None:
    with pytest.raises(TaskError, match="finite and > 0"):
        split_by_publication([], shares, seed=0)


def test_an_id_that_stands_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="'PMID_1_a' stands twice"):
        read_cases(write_rows(tmp_path, ROW, ROW))


def test_a_phenopacket_is_a_case(tmp_path: Path) -> None:
    (tmp_path / "GENE").mkdir()
    packet = {
        "id": "PMID_7_patient",
        "subject": {"id": "p", "sex": "MALE"},
        "phenotypicFeatures": [
            {"type": {"id": "HP:1", "label": "one"}},
            {"type": {"id": "HP:2", "label": "two"}, "excluded": True},
        ],
        "interpretations": [{"id": "i", "diagnosis": {"disease": {"id": "OMIM:9", "label": "Made disease"}}}],
    }
    (tmp_path / "GENE" / "p.json").write_text(json.dumps(packet))
    expected = Case("PMID_7_patient", "7", ("HP:1",), ("HP:2",), (Disease("OMIM:9", "Made disease"),), "MALE")
    assert read_cases(tmp_path) == [expected]


def test_no_two_parts_share_a_publication_and_shares_are_kept() -> None:
    made = Disease("OMIM:9", "Made disease")
    cases = [Case(f"c{i}", str(i // 4), ("HP:1",), (), (made,)) for i in range(400)]
    parts = split_by_publication(cases, {"records": 2, "train": 1, "test": 1}, seed=0)
    published = [{case.publication for case in part} for part in parts.values()]
    assert not (published[0] & published[1] | published[0] & published[2] | published[1] & published[2])
    assert [len(part) for part in parts.values()] == [200, 100, 100]
    assert parts != split_by_publication(cases, {"records": 2, "train": 1, "test": 1}, seed=1)


def test_a_disease_of_enough_publications_is_in_every_part() -> None:
    """Ten diseases of three publications each; one of them a large one."""
    cases = [
        Case(f"{d}-{p}-{c}", f"{d}-{p}", ("HP:1",), (), (Disease(f"OMIM:{d}", "Made"),))
        for d in range(10)
        for p in range(3)
        for c in range(9 if (d, p) == (0, 0) else 2)
    ]
    for seed in range(5):
        parts = split_by_publication(cases, {"records": 0.5, "train": 0.25, "test": 0.25}, seed)
        for part in parts.values():
            assert {case.diagnoses[0].id for case in part} == {f"OMIM:{d}" for d in range(10)}


def test_real_cases_are_read_whole(data_dir: Path) -> None:
    cases = read_cases(data_dir / "phenopackets.jsonl.gz")
    assert len(cases) > 7000
    assert all(case.publication.isdigit() for case in cases)
