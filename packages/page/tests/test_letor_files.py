"""Judged documents of a made file in SVMlight's form."""

import gzip

import pytest

from guerdon.errors import TaskError
from guerdon_page.letor_files import read_letor

MADE = "4 qid:7 1:0.5 3:2 # docid = a\n0 qid:7 2:-1e0\n\n# nothing\n1 qid:x 1:3\n"


def filed(tmp_path, text=MADE):
    path = tmp_path / "made.txt"
    path.write_text(text)
    return path


def test_queries_are_read_with_their_documents(tmp_path):
    """Attraction of grades 4, 0 and 1 of 4: 15/16, 0 and 1/16. What a line leaves out is 0."""
    first, second = read_letor(filed(tmp_path))
    assert (first.id, first.length, first.shown, first.engagement) == ("7", 10, (), ())
    assert [(item.id, item.features) for item in first.items] == [("1", (0.5, 0.0, 2.0)), ("2", (0.0, -1.0, 0.0))]
    assert first.attraction == (15 / 16, 0.0)
    assert (second.id, second.items[0].features, second.attraction) == ("x", (3.0, 0.0, 0.0), (1 / 16,))


def test_a_limit_and_a_gzipped_file(tmp_path):
    (tmp_path / "made.txt.gz").write_bytes(gzip.compress(MADE.encode()))
    assert [one.id for one in read_letor(tmp_path / "made.txt.gz", limit=1)] == ["7"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("4 1:0.5", "is needed"),
        ("4 qid: 1:0.5", "is needed"),
        ("prose", "is needed"),
        ("5 qid:1 1:2", "the grade is '5'"),
        ("-1 qid:1 1:2", "the grade is '-1'"),
        ("1.5 qid:1 1:2", "the grade is '1.5'"),
        ("1 qid:1 1:nan", "'nan' is no finite number"),
        ("1 qid:1 1:inf", "'inf' is no finite number"),
        ("1 qid:1 1:", "'' is no finite number"),
        ("1 qid:1 0:1", "no index of its own"),
        ("1 qid:1 1:1 1:2", "no index of its own"),
        ("1 qid:1 99999999999:1", "no index of its own"),
        ("1 qid:7 1:1\n0 qid:8 1:1\n0 qid:7 1:1", "line 3: query '7' stood before"),
    ],
)
def test_what_is_of_another_form_is_told_by_line(tmp_path, line, told):
    with pytest.raises(TaskError, match=told):
        read_letor(filed(tmp_path, line))


def test_no_file_is_told(tmp_path):
    with pytest.raises(TaskError, match="no judged documents"):
        read_letor(tmp_path / "none.txt")
