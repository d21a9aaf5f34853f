"""Frames answered with poses: what is asked, and that the driven path is the right answer."""

from __future__ import annotations

import pytest

from guerdon.conformance import check_task
from guerdon.errors import ConfigError
from guerdon.types import Example, Group, Rollout
from guerdon_driving.answers import format_fault
from guerdon_driving.tasks import Highway
from guerdon_driving.trajectories import faults, parse
from guerdon_driving.trajectory_rewards import L2
from guerdon_driving.trajectory_tasks import HighwayTrajectories


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The task, and the one in words of the same settings, from the same files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GUERDON_CACHE", str(tmp_path_factory.mktemp("cache")))
        tasks = [
            kind(train_size=4, eval_size=2, kinds=["racetrack"], seed=3) for kind in (HighwayTrajectories, Highway)
        ]
        for task in tasks:
            task.examples("train")
            task.examples("eval")
        yield tasks


def test_the_driven_path_is_the_right_answer(small):
    task, _ = small
    check_task(task, L2())
    for example in task.examples("train"):
        said = task.reference(example)
        assert format_fault(said) == ""
        poses = parse(said).poses
        assert poses.tolist() == [list(pose) for pose in example.future]
        assert faults(poses[None], 0.5) == [""]


def test_both_tasks_read_the_same_files(small):
    paths, words = small
    assert paths.folder == words.folder
    assert paths.examples("train") == words.examples("train")


def test_the_prompt_shows_the_frame_and_a_format_that_can_be_read(small):
    task, _ = small
    example = task.examples("train")[0]
    (message,) = task.prompt(example).messages
    assert [image.path for image in message.images] == [example.image]
    assert f"{example.speed:.1f} m/s" in message.content
    shown = parse(message.content[message.content.index("<think> reasoning") :])
    assert shown.poses.shape == (6, 3)


def test_every_metric_has_a_number_for_the_driven_path(small):
    task, _ = small
    example = task.examples("train")[0]
    for name, metric in task.metrics().items():
        (score,) = metric.score_batch([Group.of([Rollout.of(example, task.reference(example))])], None)[0]
        assert score.scored, name


def test_wrong_options_and_examples_are_refused():
    with pytest.raises(ConfigError, match="view is 'side'"):
        HighwayTrajectories(view="side")
    with pytest.raises(TypeError, match="DrivingExample"):
        HighwayTrajectories().prompt(Example(id="1"))
