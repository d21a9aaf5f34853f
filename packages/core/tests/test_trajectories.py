"""Step data sets: a file of trajectories becomes one example per step, each with its own prompt."""

import json

import pytest

from guerdon.advantages import group_relative
from guerdon.errors import TaskError
from guerdon.parsing.trajectories import TrajectoryStep, read_trajectories, write_trajectories
from guerdon.types import Group, Rollout, Score

ROW = {
    "images": ["scan.png"],
    "steps": [
        {"step_type": "ret", "system": "Plan.", "problem": "Origin question: who?", "answer": "a query"},
        {"step_type": "ans", "system": "", "problem": "Say it.", "answer": "her"},
    ],
}


class Said(TrajectoryStep):
    answer: str


def made(shared, row):
    return Said(**shared, answer=row.text("answer"))


def written(tmp_path, *rows):
    path = tmp_path / "steps.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_each_step_is_an_example_with_its_own_prompt(tmp_path):
    (steps,) = read_trajectories(written(tmp_path, {"id": "t7", **ROW}), made)
    assert [step.id for step in steps] == ["t7#0", "t7#1"]
    assert [step.answer for step in steps] == ["a query", "her"]
    first, second = (step.shown for step in steps)
    assert [(one.role, one.content) for one in first.messages] == [
        ("system", "Plan."),
        ("user", "Origin question: who?"),
    ]
    assert [(one.role, one.content) for one in second.messages] == [("user", "Say it.")]
    assert [image.path for image in second.images] == [str(tmp_path / "scan.png")]


def test_a_trajectory_without_an_id_is_named_by_its_place(tmp_path):
    found = read_trajectories(written(tmp_path, ROW, ROW), made)
    assert [steps[0].trajectory for steps in found] == ["0", "1"]


def test_what_was_written_is_read_again(tmp_path):
    found = read_trajectories(written(tmp_path, {**ROW, "id": "a"}, {**ROW, "id": "b"}), made)
    write_trajectories(tmp_path / "again.jsonl", found, lambda step: step.answer)
    assert read_trajectories(tmp_path / "again.jsonl", made) == found


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([{"steps": []}], "line 1: field 'steps' is .*a list of one or more steps"),
        ([{"steps": [1]}], "line 1: field 'steps'"),
        ([{**ROW, "id": "a"}, {**ROW, "id": "a"}], "line 2: the trajectory's id is 'a'; an id that no other"),
        ([{**ROW, "id": "a#1"}], 'an id without "#"'),
        ([{"steps": [ROW["steps"][0], {"step_type": "ans"}]}], "line 1, step 1: field 'problem' is missing"),
        ([{"steps": [{**ROW["steps"][0], "answer": 3}]}], "line 1, step 0: field 'answer' is 3"),
        ([{**ROW, "images": [""]}], "field 'images'"),
    ],
)
def test_a_broken_row_is_named_with_line_and_step(tmp_path, rows, told):
    with pytest.raises(TaskError, match=told):
        read_trajectories(written(tmp_path, *rows), made)


def test_baselines_are_of_one_step_of_one_trajectory(tmp_path):
    """Two steps of one trajectory earn 0 and 1 throughout: one group would see a difference, two see none."""
    (steps,) = read_trajectories(written(tmp_path, {"id": "t7", **ROW}), made)
    groups = [Group.of([Rollout.of(step, "x") for _ in range(5)]) for step in steps]
    assert [group.key for group in groups] == ["t7#0", "t7#1"]
    found = group_relative(epsilon=1e-6).estimate(groups, [[Score(float(place))] * 5 for place in range(2)])
    assert found.dead == [True, True]
