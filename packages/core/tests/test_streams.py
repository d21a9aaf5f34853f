"""Streams in training: a table talks to an environment over two turns, and each turn is credited for itself.

Four corridors. The first turn is worth what it says; the second ends it, and the trajectory is worth 1 where it says
"stop". Odd corridors pay the same whatever is done, so that their groups are dead.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import pytest

torch = pytest.importorskip("torch", reason="the trainer needs torch; the extra guerdon[train] is not installed")

from guerdon.advantages import group_relative, streams  # noqa: E402
from guerdon.errors import ConfigError  # noqa: E402
from guerdon.policies.tabular import TabularPolicy  # noqa: E402
from guerdon.protocols import Split, Task, Turn  # noqa: E402
from guerdon.rewards import reward  # noqa: E402
from guerdon.runs import RunFolder  # noqa: E402
from guerdon.trainer import TrainConfig, Trainer, loop  # noqa: E402
from guerdon.trainer.records import score_of, score_record  # noqa: E402
from guerdon.types import Example, Prompt, Rollout, Score, Segment, Stream  # noqa: E402

WORDS = ("go", "stop", "left")
BOTH = streams({"trajectory": 1.0, "turn": 1.0})


class Corridor(Example):
    number: int


class Hall:
    """It answers once, and ends after the second turn."""

    def __init__(self, number: int) -> None:
        self.number, self.heard = number, 0

    def reset(self, *, seed: int) -> str:
        self.heard = 0
        return f"enter {self.number}"

    def step(self, segments: Sequence[Segment]) -> Turn:
        self.heard += 1
        return Turn(f"inside {self.number}", terminated=self.heard == 2)


@dataclass(frozen=True)
class Halls(Task):
    name: ClassVar[str] = "test/halls-v1"

    def examples(self, split: Split) -> Sequence[Corridor]:
        return [Corridor(id=f"{split}{i}", number=i) for i in range(4)]

    def prompt(self, example: Example) -> Prompt:
        return Prompt(observation=example.id)

    def environment(self, example: Corridor) -> Hall:
        return Hall(example.number)


@reward(bounds=(0.0, 2.0))
def walked(rollout: Rollout) -> Score:
    """Both streams, and a total that says nothing: it is 1 for every rollout of an even corridor, and of an odd one."""
    first, second = (turn.text for turn in rollout.turns)
    pays = rollout.example.number % 2 == 0
    turn = (float(first == "go" and pays), 0.0)
    trajectory = float(second == "stop" and pays)
    dense = {"trajectory": Stream("rollout", (trajectory,)), "turn": Stream("turn", turn)}
    return Score(1.0, "walked", dense=dense)


def train(path, *, earned=walked, advantage=BOTH, resume=False, **fields):
    base = {"steps": 40, "prompts_per_step": 4, "group_size": 8, "optimizer": {"lr": 0.2}}
    policy = TabularPolicy([f"{where} {i}" for i in range(4) for where in ("enter", "inside")], WORDS)
    opened = RunFolder.open if resume else lambda path, **kept: RunFolder.create(path, "name: t", 0, **kept)
    with opened(path, tensorboard=False) as run:
        config = TrainConfig.model_validate({**base, **fields})
        Trainer(policy, Halls(), earned, config, advantage).fit(run, resume=resume)
        lines = [{name: value for name, value in line.items() if "time" not in name} for line in run.metrics()]
    return lines, policy


def records(path, step):
    return [json.loads(line) for line in (path / "rollouts" / f"rl-{step:06d}.jsonl").read_text().splitlines()]


def weights(policy):
    return torch.cat([parameter.detach().flatten() for parameter in policy.parameters()])


def test_each_turn_learns_what_it_is_paid_for_though_all_totals_are_equal(tmp_path):
    _, policy = train(tmp_path / "run")
    likely = policy.action_probabilities(["enter 0", "enter 2", "inside 0", "inside 2"])
    assert likely[:2, WORDS.index("go")].min() > 0.9
    assert likely[2:, WORDS.index("stop")].min() > 0.9
    uniform = policy.action_probabilities(["enter 1", "inside 3"])
    torch.testing.assert_close(uniform, torch.full((2, 3), 1 / 3))


def test_dead_groups_are_those_the_estimator_finds_and_not_those_of_equal_totals(tmp_path):
    """All totals are 1: by value every group is dead, by streams the odd ones."""
    lines, _ = train(tmp_path / "a", steps=1)
    assert lines[0]["groups/dead"] == 2
    lines, policy = train(tmp_path / "b", steps=1, advantage=group_relative())
    assert lines[0]["groups/dead"] == 4
    assert not weights(policy).any()


def test_refill_leaves_out_what_the_estimator_calls_dead(tmp_path):
    lines, _ = train(tmp_path / "run", steps=3, refill={"max_rounds": 3}, prompts_per_step=2)
    for step, line in enumerate(lines):
        kept = {row["example"] for row in records(tmp_path / "run", step) if row["advantage"] is not None}
        assert kept == {"train0", "train2"}
        assert line["refill/kept"] == 2
        assert line["refill/dropped"] == line["groups/dead"]


def test_a_rollouts_streams_and_its_mean_advantage_are_on_disk(tmp_path):
    train(tmp_path / "run", steps=1)
    for row in records(tmp_path / "run", 0):
        score = score_of(row["score"])
        assert score.dense["turn"].per == "turn"
        assert len(score.dense["turn"].values) == 2
    rows = [row for row in records(tmp_path / "run", 0) if row["example"] == "train0"]
    said = [score_of(row["score"]).dense for row in rows]
    trajectories = [one["trajectory"].values[0] for one in said]
    turns = [sum(one["turn"].values) / 2 for one in said]
    expected = [a - sum(trajectories) / 8 + b - sum(turns) / 8 for a, b in zip(trajectories, turns, strict=True)]
    assert [row["advantage"] for row in rows] == pytest.approx(expected, abs=1e-12)


def test_a_score_with_streams_survives_its_record_exactly():
    """NaN becomes null and comes back; 0.1 + 0.2 keeps its last bit."""
    dense = {"turn": Stream("turn", (0.1 + 0.2, float("nan"))), "step": Stream("step", ())}
    score = Score(1.0, parts={"a": Score(0.5, dense=dense)}, dense=dense)
    again = score_of(json.loads(json.dumps(score_record(score, {}), allow_nan=False)))
    for one in (again, again.parts["a"]):
        assert one.dense["turn"].values[0] == 0.1 + 0.2
        assert one.dense["turn"].values[1] != one.dense["turn"].values[1]
        assert one.dense["step"] == Stream("step", ())
    assert "dense" not in score_record(Score(1.0), {})


def test_a_stream_that_the_reward_does_not_give_is_said_at_the_first_step(tmp_path):
    with pytest.raises(ConfigError, match=r"'turns'; the score of .* has 'trajectory', 'turn'"):
        train(tmp_path / "run", steps=1, advantage=streams({"turns": 1.0}))


class Killed(BaseException):
    """Stands for the kill: nothing catches it."""


@pytest.mark.parametrize("owner", ["_sample", "_keep", "reinforce", "log"])
@pytest.mark.parametrize("earned", [walked, 0.5 * walked], ids=["plain", "weighted"])
def test_a_killed_run_resumes_to_the_same_numbers(tmp_path, monkeypatch, owner, earned):
    """Replayed steps take their streams from the rollouts file; refill decides by them too."""
    fields = {"steps": 7, "checkpoint_every": 4, "refill": {"max_rounds": 2}, "prompts_per_step": 2, "earned": earned}
    undisturbed, straight = train(tmp_path / "a", **fields)
    place = {"reinforce": loop, "log": RunFolder}.get(owner, Trainer)
    original, calls = getattr(place, owner), iter(range(1000))

    def dies(*args, **kwargs):
        if next(calls) == 6:
            raise Killed
        return original(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(place, owner, dies)
        with pytest.raises(Killed):
            train(tmp_path / "b", **fields)
    resumed, policy = train(tmp_path / "b", resume=True, **fields)
    assert resumed == undisturbed
    assert torch.equal(weights(policy), weights(straight))
