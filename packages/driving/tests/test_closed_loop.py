"""A planner's words drive: what each does, and what is made of answers that say nothing."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

from guerdon.errors import ConfigError
from guerdon.types import Group, Rollout

pytest.importorskip("guerdon_driving.answers")
pytest.importorskip("guerdon_driving.pdms")
from guerdon_driving.closed_loop import Wheel, close_loop, read_words, summary
from guerdon_driving.commands import command, numbers
from guerdon_driving.simulation import start
from guerdon_driving.tasks import Highway
from guerdon_driving.trajectory_tasks import HighwayTrajectories


def says(words: str):
    return lambda examples: [f"<think> t </think> <answer> {words} </answer>"] * len(examples)


def driven_by(words: str, kind: str = "highway", seed: int = 2, seconds: float = 6.0):
    wheel = Wheel(start(kind, seed))
    for _ in range(round(seconds * 10)):
        if not wheel.observe(64):
            break
        if wheel.running.due is not None:
            wheel.follow(f"<answer> {words} </answer>")
        wheel.running.advance()
    return wheel


def test_stop_stops_and_accelerate_does_not():
    assert driven_by("STOP, STRAIGHT", "racetrack", seconds=8.0).running.ego.speed < 0.5
    fast = driven_by("ACCELERATE, STRAIGHT", seconds=4.0)
    assert fast.running.ego.speed > fast.running.recording().speeds[0, 0]
    assert fast.running.ego.speed <= 1.15 * fast.running.made.limit


def test_a_change_of_lane_moves_a_lane():
    """Lanes are 4 m wide; the frame at the start has y to the left."""
    for words, sign in (("KEEP, LEFT_CHANGE", 1), ("KEEP, RIGHT_CHANGE", -1)):
        wheel = Wheel(start("highway", 2))
        lanes = len(wheel.running.made.road.network.graph["0"]["1"])
        first = wheel.running.ego.lane_index[2]
        wheel = driven_by(words, seconds=8.0)
        y = wheel.running.recording().poses[:, 0, 1]
        room = first if sign > 0 else lanes - 1 - first
        assert np.sign(round(y[-1] - y[0])) == (sign if room else 0)


def test_a_run_is_measured_and_filmed(tmp_path):
    from PIL import Image

    (one,) = close_loop(says("KEEP, STRAIGHT"), kinds=["racetrack"], episodes=1, seconds=7.0, gif=tmp_path / "a.gif")
    assert one.kind == "racetrack"
    assert 0 <= one.progress <= 1
    assert math.isnan(one.pdms) or 0 <= one.pdms <= 1
    assert one.unread == 0
    with Image.open(tmp_path / "a.gif") as film:
        assert film.n_frames > 10


def test_who_stays_behind_the_human_has_less_progress_and_less_pdms():
    """Standing still breaks no rule but comfort, once: what is lacking is progress, 5 of 12."""
    (slow,) = close_loop(says("STOP, STRAIGHT"), kinds=["racetrack"], episodes=1, seconds=9.0)
    (human,) = close_loop(says("KEEP, STRAIGHT"), kinds=["racetrack"], episodes=1, seconds=9.0)
    assert slow.human_m == human.human_m
    assert slow.progress == slow.progress_m / slow.human_m < 0.5 < human.progress
    assert slow.pdms <= 1 - (1 - slow.progress) * 5 / 12 + 1e-9


def test_words_that_are_none_are_counted():
    found = close_loop(lambda examples: ["hello"] * len(examples), kinds=["racetrack"], episodes=1, seconds=3.0)
    assert found[0].unread == 1.0
    assert summary(found)["unread"] == 1.0


def test_the_film_does_not_show_a_plan_that_nobody_made():
    """KEEP, STRAIGHT is followed for want of one."""
    wheel = Wheel(start("racetrack", 2))
    wheel.follow("hello")
    assert (wheel.plans, wheel.said) == ([("KEEP", "STRAIGHT")], ("no plan", ""))
    wheel.follow("<answer> STOP, LEFT_TURN </answer>")
    assert wheel.said == ("STOP", "LEFT_TURN")


def test_an_answer_needs_one_action_on_each_axis():
    assert read_words("<answer> KEEP, LEFT_TURN </answer>") == ("KEEP", "LEFT_TURN")
    for none in ("", "<answer> KEEP </answer>", "<answer> KEEP, STOP, STRAIGHT </answer>", "\x00"):
        assert read_words(none) is None


def test_a_planner_that_skips_frames_is_told():
    with pytest.raises(ConfigError, match="answers for"):
        close_loop(lambda examples: [], kinds=["racetrack"], episodes=1, seconds=3.0)
    with pytest.raises(ConfigError, match="kinds"):
        close_loop(says("KEEP, STRAIGHT"), kinds=[], episodes=1)


class Parrot:
    """A policy that says one thing, and keeps what it was shown."""

    def __init__(self, text: str) -> None:
        self.text, self.shown, self.weights = text, [], None

    def sample(self, task, examples, n, sampling, *, seed):
        from PIL import Image

        for example in examples:
            with Image.open(task.prompt(example).images[0].path) as picture:
                self.shown.append(picture.size)
        return [Group.of([Rollout.of(example, self.text)]) for example in examples]


def commanded(monkeypatch, tmp_path, task, *arguments, text="<answer> KEEP, STRAIGHT </answer>"):
    from guerdon.recipes import trained

    policy = Parrot(text)
    limits = SimpleNamespace(batch_size=4, max_tokens=0)
    config = SimpleNamespace(sampling=SimpleNamespace(sampling=lambda greedy: None), eval=limits)

    def trainer_of(recipe, checkpoint):
        policy.weights = checkpoint
        return SimpleNamespace(task=task, policy=policy, config=config)

    monkeypatch.setattr(trained, "recipe_of", lambda run: SimpleNamespace(task=None))
    monkeypatch.setattr(trained, "build_task", lambda use: task)
    monkeypatch.setattr(trained, "trainer_of", trainer_of)
    monkeypatch.setattr(trained, "find_checkpoint", lambda run, checkpoint: run / "checkpoints" / "step-3")
    result = CliRunner().invoke(command, ["closed-loop", str(tmp_path), "--kinds", "racetrack", *arguments])
    return result, policy


def test_the_command_shows_frames_as_the_run_was_trained_and_tells_progress(monkeypatch, tmp_path):
    result, policy = commanded(monkeypatch, tmp_path, Highway(image_size=64), "--episodes", "1", "--json")
    assert result.exit_code == 0, result.output
    assert set(policy.shown) == {(64, 64)}
    assert policy.weights == tmp_path / "checkpoints" / "step-3"
    told = json.loads(result.stdout, parse_constant=pytest.fail)  # progress goes to stderr
    assert 0 <= told["episodes"][0]["progress"] <= 1
    assert told["summary"]["episodes"] == 1


def test_a_table_names_what_was_measured(monkeypatch, tmp_path):
    result, _ = commanded(monkeypatch, tmp_path, Highway(), "--episodes", "1", text="no plan")
    assert "racetrack" in result.output
    assert "progress" in result.output
    assert "unread       1.000" in result.output


def test_a_run_that_plans_no_words_is_refused(monkeypatch, tmp_path):
    result, policy = commanded(monkeypatch, tmp_path, HighwayTrajectories())
    assert policy.weights is None  # no model was loaded for it
    assert isinstance(result.exception, ConfigError)
    assert "driving/highway-trajectories-v1; a planner in words is needed" in str(result.exception)


def test_json_has_no_nan():
    assert numbers({"pdms": math.nan, "seconds": 1.0, "kind": "exit"}) == {"pdms": None, "seconds": 1.0, "kind": "exit"}
