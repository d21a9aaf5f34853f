import gzip
import json

import pytest

from guerdon.errors import ConfigError, TaskError
from guerdon.parsing.rows import FileRow, read_rows


@pytest.fixture
def read(tmp_path):
    """Write a text or bytes to a file, and read its rows."""

    def reading(content, name="rows.jsonl"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        return list(read_rows(path, "questions"))

    return reading


@pytest.mark.parametrize(
    "text",
    ['[{"a": 1}, {"a": 2}]', '\n [{"a": 1},\n{"a": 2}]', '{"a": 1}\n\n{"a": 2}\n', '{"a": 1}\r\n{"a": 2}\r\n'],
)
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("name", ["rows.json", "rows.jsonl.gz"])
def test_an_array_and_lines_read_the_same_marked_and_gzipped_or_not(read, text, mark, name):
    data = (mark + text).encode()
    found = read(gzip.compress(data) if name.endswith(".gz") else data, name)
    assert [row.fields for row in found] == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize("text", ["", "\n \n", "[]"])
def test_an_empty_file_has_no_rows(read, text):
    assert read(text) == []


def test_rows_keep_every_field_and_the_place_where_they_stand(read, tmp_path):
    file = repr(str(tmp_path / "rows.jsonl"))
    assert read('\n{"id": "x", "extra": [1]}') == [FileRow({"id": "x", "extra": [1]}, f"{file}, line 2")]
    assert read('[{},\n\n{"id": "x"}]')[1] == FileRow({"id": "x"}, f"{file}, row 2")


def test_a_line_separator_inside_a_text_does_not_end_the_line(read):
    assert [row.fields["a"] for row in read('{"a": "one\u2028two"}\n')] == ["one\u2028two"]


def test_lines_are_parsed_as_they_are_asked_for(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\n{]')
    rows = read_rows(path, "rows")
    assert next(rows).fields == {"a": 1}
    with pytest.raises(TaskError, match="line 2 is not JSON"):
        next(rows)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{]", "line 1 is not JSON: Expecting property name enclosed in double quotes at column 2"),
        ('{}\n\n{"a": }', "line 3 is not JSON: Expecting value at column 7"),
        ('[{"a": 1},\n {"b" 2}]', "line 2 is not JSON: Expecting ':' delimiter at column 7"),
        ('{\n"a": 1\n}', "line 1 is not JSON"),
        ("[1]", "row 1 is int; an object with named fields is needed"),
        ("{}\n3", "line 2 is int; an object with named fields is needed"),
        ("{}\n" + '{"a":' * 100_000, "line 2 begins what cannot be read as JSON: maximum recursion depth"),
        ('{"a": ' + "9" * 5000 + "}", "line 1 begins what cannot be read as JSON: Exceeds the limit"),
    ],
    ids=lambda text: text[:12],
)
def test_what_is_no_row_is_named_by_its_file_and_place(read, tmp_path, text, said):
    with pytest.raises(TaskError) as caught:
        read(text)
    assert str(caught.value).startswith(f"{str(tmp_path / 'rows.jsonl')!r}, {said}")


def test_a_file_that_is_not_there_names_those_that_are(tmp_path):
    with pytest.raises(TaskError, match=r"no questions at '.*train\.json'; no \.json or \.jsonl file is in '"):
        list(read_rows(tmp_path / "train.json", "questions"))
    (tmp_path / "dev.json").write_text("[]")
    with pytest.raises(TaskError, match=r"no questions at '.*train\.json'; that folder has dev\.json$"):
        list(read_rows(tmp_path / "train.json", "questions"))
    with pytest.raises(TaskError, match=r"no questions at '.*nowhere/train\.json'; no \.json or \.jsonl file is in '"):
        list(read_rows(tmp_path / "nowhere" / "train.json", "questions"))


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"\xff\xfe", "latin.jsonl"),
        (b"not zipped", "rows.jsonl.gz"),
        (gzip.compress(json.dumps([{"a": "b" * 99}]).encode())[:-9], "torn.json.gz"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_a_file_that_cannot_be_read_is_named_with_the_reason(read, content, name):
    with pytest.raises(TaskError, match=rf"cannot read questions from '.*{name}': ."):
        read(content, name)


def test_a_text_is_a_text_and_blank_or_missing_only_where_that_is_optional():
    row = FileRow({"a": "x", "blank": " ", "null": None, "number": 3}, "here")
    assert row.text("a") == row.text("a", optional=True) == "x"
    assert [row.text(field, optional=True) for field in ("blank", "null", "missing")] == [" ", "", ""]
    for field, found in (("blank", "' '"), ("null", "None"), ("number", "3")):
        with pytest.raises(TaskError, match=f"^here: field '{field}' is {found}; a text is needed$"):
            row.text(field)
    with pytest.raises(TaskError, match="field 'number' is 3"):
        row.text("number", optional=True)


def test_a_missing_field_lists_those_that_are_there():
    said = "here: field 'b' is missing; the row has a, c; a list is needed"
    assert str(FileRow({"a": 1, "c": 2}, "here").fault("b", "a list")) == said
    assert "is missing; the row has no fields;" in str(FileRow({}, "here").fault("b", "a list"))


def test_a_long_value_is_shown_by_its_start():
    """80 characters, the quote that opens the text and the three dots among them."""
    said = str(FileRow({"a": "x" * 500}, "here").fault("a", "a number"))
    assert said == f"here: field 'a' is '{'x' * 76}...; a number is needed"


def test_a_list_that_is_too_short_is_told_without_the_models_words():
    from pydantic import BaseModel, Field, ValidationError

    class Two(BaseModel):
        names: tuple[str, ...] = Field(min_length=2)

    with pytest.raises(ValidationError) as caught:
        Two(names=("a",))
    told = FileRow({}, "here").refused(caught.value)
    assert str(told) == "here: field 'names': 2 or more entries are needed, and it has 1"


def test_a_line_separator_within_a_text_ends_no_line_whoever_reads(tmp_path):
    """Our writers leave U+2028, U+2029 and U+0085 as they are; `str.splitlines` would cut there."""
    from guerdon.cli.sources import rows_of_file

    text = "a\u2028b\u2029c\x85d"
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"example": "1", "completion": text}, ensure_ascii=False) + "\n", encoding="utf-8")
    assert [row["completion"] for row in rows_of_file(path)] == [text]


def test_a_file_that_an_option_names_is_a_wrong_setting(tmp_path):
    with pytest.raises(ConfigError, match="no pairs at"):
        list(read_rows(tmp_path / "none.jsonl", "pairs", error=ConfigError))
