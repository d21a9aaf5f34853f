"""Data sets: the same from the same settings, balanced, and none of them half built."""

from __future__ import annotations

import json
from random import Random

import pytest

from guerdon.errors import ConfigError, TaskError
from guerdon_driving import building, episode_worker
from guerdon_driving.building import Build, Candidate, balance, build, choose
from guerdon_driving.tasks import KINDS, Highway, read_built

pytest.importorskip("guerdon_driving.prompts")


def settings(**changed: object) -> Build:
    given: dict[str, object] = {
        "seed": 1,
        "train_size": 5,
        "eval_size": 2,
        "train_kinds": ("intersection",),
        "eval_kinds": ("racetrack",),
        "share": 1.0,
    }
    return Build(**(given | changed))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("built")
    build(place, settings())
    return place


def test_rows_have_alphadrives_columns_and_ours(folder):
    rows = [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]
    assert len(rows) == 5
    for row in rows:
        assert set(row) == {
            "id", "image", "problem", "solution", "thinking", "speed", "navigation", "kind", "future", "scene",
        }  # fmt: skip
        assert (folder / row["image"]).is_file()
        assert (folder / row["scene"]).is_file()
        assert row["solution"].startswith("<answer> ")
        assert row["thinking"].startswith("<think> ")
        assert "m/s" in row["problem"]
        assert len(row["future"]) == 6
        assert row["navigation"].startswith("100m: ")


def test_types_of_scenario_can_be_held_out(folder):
    kinds = {split: {one.kind for one in read_built(folder, split)} for split in ("train", "eval")}
    assert kinds == {"train": {"intersection"}, "eval": {"racetrack"}}


def test_the_label_is_what_was_driven(folder):
    import numpy as np

    from guerdon_driving.labels import labels

    for one in read_built(folder, "train"):
        assert one.solution == "<answer> {}, {} </answer>".format(*labels(np.array(one.future), one.speed))


@pytest.mark.slow
def test_workers_change_nothing(folder, tmp_path):
    build(tmp_path, settings(), workers=2)
    for split in ("train", "eval"):
        assert (tmp_path / f"{split}.jsonl").read_bytes() == (folder / f"{split}.jsonl").read_bytes()
    names = sorted(path.name for path in (folder / "frames").iterdir())
    assert all((tmp_path / "frames" / n).read_bytes() == (folder / "frames" / n).read_bytes() for n in names)


def test_an_interrupted_build_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setenv("GUERDON_CACHE", str(tmp_path))
    monkeypatch.setattr(building, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        building.built(settings(), workers=0)
    assert list((tmp_path / "driving").iterdir()) == []


def test_a_cache_that_cannot_be_written_says_what_to_set(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GUERDON_CACHE", str(tmp_path / "file"))
    with pytest.raises(TaskError, match="GUERDON_CACHE"):
        building.built(settings())


def test_a_key_changes_with_the_settings():
    assert settings().key == settings().key != settings(seed=2).key


def test_no_plan_fills_more_than_its_share_while_others_can():
    """90 of one plan and 10 of another, 20 wanted with at most half each: 10 and 10."""
    many = [Candidate(0, place, "highway", ("KEEP", "STRAIGHT")) for place in range(90)]
    few = [Candidate(1, place, "highway", ("STOP", "STRAIGHT")) for place in range(10)]
    chosen = choose([*many, *few], 20, 0.5, Random(0))
    assert balance(chosen)["speed"] == {"KEEP": 10, "STOP": 10}


def test_a_rare_plan_does_not_make_the_set_smaller():
    """2 of one and 90 of the other: 18 of the other fill up."""
    many = [Candidate(0, place, "highway", ("KEEP", "STRAIGHT")) for place in range(90)]
    few = [Candidate(1, place, "highway", ("STOP", "STRAIGHT")) for place in range(2)]
    assert balance(choose([*many, *few], 20, 0.5, Random(0)))["speed"] == {"KEEP": 18, "STOP": 2}


def test_within_a_plan_kinds_take_turns():
    both = [
        Candidate(0, place, kind, ("KEEP", "STRAIGHT"))
        for kind, count in (("highway", 50), ("merge", 5))
        for place in range(count)
    ]
    assert balance(choose(both, 10, 1.0, Random(0)))["kinds"] == {"highway": 5, "merge": 5}


def test_a_job_that_fails_in_a_worker_says_why():
    with episode_worker.workers(1) as run, pytest.raises(KeyError, match="nowhere"):
        list(run([(dict.__getitem__, ({}, "nowhere"))]))


def test_the_task_reads_what_was_built(tmp_path, monkeypatch):
    monkeypatch.setenv("GUERDON_CACHE", str(tmp_path))
    task = Highway(train_size=4, eval_size=2, kinds=["racetrack"], seed=3)
    train, held_out = task.examples("train"), task.examples("eval")
    assert (len(train), len(held_out)) == (4, 2)
    assert not {one.id for one in train} & {one.id for one in held_out}
    assert task.prompt(train[0]).images[0].path == train[0].image
    assert task == Highway(train_size=4, eval_size=2, kinds=("racetrack",), seed=3)


def test_the_reference_keeps_alphadrives_layout(folder):
    import re

    for one in read_built(folder, "eval"):
        said = Highway().reference(one)
        assert re.fullmatch(r"<think>.*?</think>\s*<answer>.*?</answer>", said, re.DOTALL)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kinds": ("moon",)},
        {"kinds": ()},
        {"eval_kinds": ("moon",)},
        {"train_size": -1},
        {"image_size": 3},
        {"view": "side"},
        {"layout": "long"},
    ],
)
def test_a_wrong_option_is_named(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        Highway(**wrong)


def test_built_files_read_as_rows_of_a_file_give_the_same_examples(folder):
    """The prompt that other readers find in the rows is the one that the task writes."""
    from guerdon_driving.filed_tasks import JsonLines
    from guerdon_driving.loaders import read_examples

    for split in ("train", "eval"):
        filed, made = read_examples(folder / f"{split}.jsonl"), read_built(folder, split)
        assert [one.model_copy(update={"prompt": ""}) for one in filed] == made
        assert len(made[0].future) == 6
        assert made[0].scene.startswith(str(folder))
    task = JsonLines(path=str(folder / "train.jsonl"), eval_path=str(folder / "eval.jsonl"))
    for one, other in zip(task.examples("train"), read_built(folder, "train"), strict=True):
        assert task.prompt(one) == Highway().prompt(other)
        assert task.reference(one) == Highway().reference(other)


def test_the_tasks_kinds_are_the_scenarios():
    from guerdon_driving import scenarios

    assert scenarios.KINDS == KINDS


def test_a_row_that_was_damaged_is_named(folder, tmp_path):
    (tmp_path / "train.jsonl").write_text('{"id": "x", "speed": NaN, "future": []}\n')
    with pytest.raises(TaskError, match="line 1"):
        read_built(tmp_path, "train")
