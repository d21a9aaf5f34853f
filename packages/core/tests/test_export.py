"""A task's examples as files for other trainers: what a row holds, and that a file is whole or not there."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from guerdon.adapters import exporting
from guerdon.adapters.exporting import FORMATS, Format, Source, export, openrlhf_rows, plain_rows, verl_rows
from guerdon.cli import main
from guerdon.errors import ConfigError, RunError
from guerdon.grading import Grader
from guerdon.plugins.catalog import catalog, register_local
from guerdon.protocols import Split, Task
from guerdon.recipes.schema import Use
from guerdon.recipes.spelling import spelled, task_use
from guerdon.rewards import reward
from guerdon.types import Example, Image, Message, Prompt


class Sum(Example):
    a: int
    b: int


@dataclass(frozen=True)
class Sums(Task):
    name: ClassVar[str] = "test/sums-v1"

    count: int = 4
    ask: str = "What is {}?"
    forced: str = ""

    def examples(self, split: Split) -> Sequence[Sum]:
        return [Sum(id=f"{split}-{place}", a=place, b=len(split)) for place in range(self.count)]

    def prompt(self, example: Example) -> Prompt:
        said = (Message("system", "Add."), Message("user", self.ask.format(f"{example.a} + {example.b}")))
        return Prompt(said, forced=self.forced)

    def reference(self, example: Example) -> str | None:
        return f"{self.forced}{example.a + example.b}" if example.a else None


@reward(name="test/adds-v1", bounds=(0.0, 1.0))
def adds(rollout):
    example = rollout.example_as(Sum)
    return float(rollout.answer == f"={example.a + example.b}")


@pytest.fixture(autouse=True)
def _offered():
    register_local("tasks", "test/sums-v1", Sums)
    register_local("rewards", "test/adds-v1", adds)
    register_local(
        "recipes",
        "sums",
        {"task": {"use": "test/sums", "with": {"count": 2}}, "reward": "test/adds", "policy": "scripted"},
    )
    yield
    catalog.cache_clear()


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(main, list(arguments))
    assert result.exit_code == code, result.output + repr(result.exception)
    return result.output


def test_a_row_has_what_is_asked_and_what_would_be_right():
    """train is five letters: 1 + 5 = 6. The first example has no reference."""
    rows = [json.loads(line) for line in run("export", "test/sums[count=2, forced='=']").splitlines()]
    assert rows[1] == {
        "example": "train-1",
        "prompt": [{"role": "system", "content": "Add."}, {"role": "user", "content": "What is 1 + 5?"}],
        "forced": "=",
        "reference": "=6",
        "task": 'test/sums[count=2,forced="="]',
    }
    assert rows[0] == {**rows[0], "example": "train-0", "reference": None}


def test_the_task_of_a_row_is_read_back_as_it_was():
    (line,) = run("export", "test/sums[count=1, ask='a, b=c [{}]?']").splitlines()
    grader = Grader.of(task=json.loads(line)["task"], reward="test/adds")
    assert grader.task == Sums(count=1, ask="a, b=c [{}]?")


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
VALUES = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.text(max_size=3), SCALARS, max_size=2)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(["count", "ask", "forced"]), VALUES))
@example({"ask": "a, b=c", "forced": "]=[,'\"\\", "count": 1e22})
@example({"ask": "\u2028\x85\ufeff\x7f\U00010000\n", "forced": "yes", "count": "2e-5"})
@example({"ask": {"k": ", b=c"}, "forced": "", "count": [[], {}]})
def test_any_options_are_spelled_so_that_they_are_read_back(options):
    use = Use.model_validate({"use": "test/sums", "with": options})
    assert task_use(spelled(use)) == use


def test_a_recipe_stands_for_its_task():
    assert len(run("export", "sums").splitlines()) == 2
    assert json.loads(run("export", "sums", "--limit", "1", "--split", "eval"))["example"] == "eval-0"


def test_a_name_that_is_neither_gets_the_nearest_of_both():
    assert "no task or recipe named 'smus'" in (said := run("export", "smus", code=2))
    assert "Did you mean 'sums'?" in said
    assert "Did you mean 'test/sums'?" in run("export", "test/sumz", code=2)
    assert "field 'task.with.cuont' is unknown; did you mean 'count'?" in run("export", "test/sums[cuont=2]", code=2)


def test_exported_rows_with_a_completion_are_scored(tmp_path):
    rows = [json.loads(line) for line in run("export", "test/sums[count=3, forced='=']").splitlines()]
    file = tmp_path / "done.jsonl"
    file.write_text("".join(json.dumps({**row, "completion": row["reference"]}) + "\n" for row in rows[1:]))
    said = run("score", "--task", rows[0]["task"], "--reward", "test/adds", "--rollouts", str(file), "--json")
    assert [json.loads(line)["score"]["value"] for line in said.splitlines()] == [1.0, 1.0]


def test_openrlhf_gets_a_prompt_and_a_label_that_names_the_example():
    assert json.loads(run("export", "sums", "--format", "openrlhf", "--limit", "1")) == {
        "prompt": [{"role": "system", "content": "Add."}, {"role": "user", "content": "What is 0 + 5?"}],
        "label": "train-0",
    }


def test_openrlhf_cannot_begin_a_completion_and_nothing_is_left(tmp_path):
    out = tmp_path / "rows.jsonl"
    said = run("export", "test/sums[forced='=']", "--format", "openrlhf", "--out", str(out), code=2)
    assert "begins the completion with '=', which messages cannot hold" in said
    assert "Either name the task without it" in said
    assert "guerdon.adapters.openrlhf.dataset_rows(task, render=...)" in said
    assert list(tmp_path.iterdir()) == []


def source(**fields):
    return Source(Sums(**fields), "train", "test/sums")


def test_the_file_is_there_when_it_is_whole_and_the_old_one_until_then(tmp_path, monkeypatch):
    out = tmp_path / "rows.jsonl"
    out.write_text("old")

    def breaks(asked):
        for place, row in enumerate(exporting.plain_rows(asked)):
            if place == 2:
                assert out.read_text() == "old"
                raise ValueError("a bug")
            yield row

    monkeypatch.setitem(FORMATS, "breaks", Format(breaks))
    with pytest.raises(ValueError, match="a bug"):
        export(source(), out, "breaks")
    assert out.read_text() == "old"
    assert export(source(), out) == 4
    assert len(out.read_text().splitlines()) == 4
    assert list(tmp_path.iterdir()) == [out]


def test_a_disk_that_cannot_be_written_is_said(tmp_path, monkeypatch):
    def full(rows, path):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(FORMATS, "full", replace(FORMATS["jsonl"], write=full))
    with pytest.raises(RunError, match="no space left on the disk that holds"):
        export(source(), tmp_path / "rows.jsonl", "full")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_made_is_not_called_a_folder(monkeypatch, tmp_path):
    def nowhere(rows, path):
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setitem(FORMATS, "nowhere", replace(FORMATS["jsonl"], write=nowhere))
    with pytest.raises(RunError, match=r"x': No such file or directory\. Mend that, or give another place\.$"):
        export(source(), tmp_path / "x", "nowhere")


def test_a_format_of_another_kind_writes_a_file_and_needs_one(tmp_path, monkeypatch):
    def write(rows, path):
        path.write_text(" ".join(row["example"] for row in rows))

    monkeypatch.setitem(FORMATS, "words", Format(exporting.plain_rows, write))
    with pytest.raises(ConfigError, match="name a file with --out"):
        export(source(), None, "words")
    export(source(count=2), tmp_path / "rows", "words")
    assert (tmp_path / "rows").read_text() == "train-0 train-1"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--format", "jsonk"), "no export format named 'jsonk' among the 3 that are written. Did you mean 'jsonl'?"),
        (("--format", "trl"), "trl reads no file that could be exported: make its data set in Python"),
        (("--format", "trl"), "guerdon.adapters.trl.dataset("),
        (("--format", "verifiers"), "guerdon.adapters.verifiers.taskset("),
        (("--out", "."), "a file in a folder that exists is needed"),
        (("--out", "no/such/folder/x"), "a file in a folder that exists is needed"),
        (("--limit", "0"), "0 is not in the range"),
        (("--split", "test"), "'test' is not one of"),
    ],
)
def test_what_cannot_be_is_said_in_one_message(options, said):
    assert said in run("export", "sums", *options, code=2)


def test_a_split_without_examples_is_no_empty_file():
    assert "test/sums[count=0] has no train examples" in run("export", "test/sums[count=0]", code=2)


@pytest.mark.parametrize("form", FORMATS)
def test_a_prompt_that_is_no_text_is_not_exported_for_anybody(form):
    class Silent(Sums):
        def prompt(self, example):
            return Prompt(observation=object())

    with pytest.raises(ConfigError, match="'train-0' of test/silent has a prompt that is no messages"):
        list(FORMATS[form].rows(Source(Silent(), "train", "test/silent")))


@pytest.mark.parametrize("form", FORMATS)
def test_whoever_reads_the_file_is_warned_once_that_it_has_no_environment(form):
    class Turns(Sums):
        def environment(self, example):
            return object()

    with pytest.warns(RuntimeWarning, match="plays the first turn alone") as said:
        assert len(list(FORMATS[form].rows(Source(Turns(), "train", "test/turns", limit=2)))) == 2
    assert len(said) == 1


@dataclass(frozen=True)
class Pictured(Task):
    name = "test/pictured"

    def examples(self, split):
        return [Example(id="one")]

    def prompt(self, example):
        return Prompt((Message("user", "look", (Image("frame.png"),)),))


def test_images_are_named_and_never_lost_in_silence():
    """Our own rows name the files; a reader of text alone is told that there are images."""
    source = Source(Pictured(), "train", "test/pictured")
    assert [row["images"] for row in plain_rows(source)] == [["frame.png"]]
    for rows in (openrlhf_rows, verl_rows):
        with pytest.raises(ConfigError, match="show images"):
            list(rows(source))
