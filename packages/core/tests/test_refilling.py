"""Refill: groups that teach nothing leave the update, others are sampled in their place, and a resumed run agrees.

Twelve questions, those of even number alive by construction (the attempts of a group all earn different values) and
those of odd number dead (they all earn 0.5).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import pytest

torch = pytest.importorskip("torch", reason="the trainer needs torch; the extra guerdon[train] is not installed")

from guerdon.advantages import alive  # noqa: E402
from guerdon.errors import ConfigError, TaskError  # noqa: E402
from guerdon.policies.tabular import TabularPolicy  # noqa: E402
from guerdon.protocols import Split, Task  # noqa: E402
from guerdon.rewards import reward  # noqa: E402
from guerdon.runs import RunFolder  # noqa: E402
from guerdon.trainer import TrainConfig, Trainer, loop  # noqa: E402
from guerdon.transforms import center  # noqa: E402
from guerdon.types import Example, Prompt, Score  # noqa: E402

GROUP = 4
ANSWERS = ("a", "b", "c", "d")


class Numbered(Example):
    number: int


@dataclass(frozen=True)
class Numbers(Task):
    name: ClassVar[str] = "test/numbers-v1"

    count: int = 12

    def examples(self, split: Split) -> Sequence[Numbered]:
        return [Numbered(id=f"n{i}", number=i) for i in range(self.count)]

    def prompt(self, example: Example) -> Prompt:
        return Prompt(observation=example.id)


@reward(bounds=(0.0, 1.0))
def ranked_if_even(rollout):
    """0, 1/3, 2/3, 1 over the group of an even question; 0.5 throughout for an odd one."""
    return 0.5 if rollout.example.number % 2 else rollout.index / (GROUP - 1)


@reward(bounds=(0.0, 1.0))
def is_a(rollout):
    return float(rollout.answer == "a")


def train(path, refill, *, earned=ranked_if_even, resume=False, task=Numbers(), **fields):
    base = {"steps": 3, "prompts_per_step": 4, "group_size": GROUP, "optimizer": {"lr": 0.1}, "refill": refill}
    config = TrainConfig.model_validate({**base, **fields})
    policy = TabularPolicy.for_task(task, ANSWERS)
    opened = RunFolder.open if resume else lambda path, **kept: RunFolder.create(path, "name: t", 0, **kept)
    with opened(path, tensorboard=False) as run:
        Trainer(policy, task, earned, config).fit(run, resume=resume)
        lines = [{name: value for name, value in line.items() if "time" not in name} for line in run.metrics()]
    return lines, policy


def records(path, step):
    return [json.loads(line) for line in (path / "rollouts" / f"rl-{step:06d}.jsonl").read_text().splitlines()]


def weights(policy):
    return torch.cat([parameter.detach().flatten() for parameter in policy.parameters()])


def test_without_refill_everything_sampled_goes_into_the_update(tmp_path):
    lines, _ = train(tmp_path / "run", None)
    assert [line["groups/count"] for line in lines] == [4, 4, 4]
    assert sum(line["groups/dead"] for line in lines) == 6  # 12 questions, half of them odd, each asked once
    assert not any(name.startswith("refill/") for line in lines for name in line)


def test_dead_groups_are_replaced_by_groups_on_prompts_not_yet_asked(tmp_path):
    """Six of twelve are alive, so four can always be found within ten rounds; each prompt is asked once a step."""
    lines, _ = train(tmp_path / "run", {"max_rounds": 10})
    for step, line in enumerate(lines):
        rows = records(tmp_path / "run", step)
        asked = [row["example"] for row in rows if row["index"] == 0]
        odd = [name for name in asked if int(name[1:]) % 2]
        assert len(asked) == len(set(asked)) == line["groups/count"] == 4 + len(odd)
        assert line["refill/kept"] == 4
        assert line["refill/dropped"] == line["groups/dead"] == len(odd)
        assert line["refill/rounds"] == max(row["round"] for row in rows)
        assert {row["example"] for row in rows if row["advantage"] is None} == set(odd)
    assert any(line["refill/rounds"] > 0 for line in lines)


def test_the_measures_are_of_all_that_was_sampled_and_not_of_what_was_picked(tmp_path):
    """Both kinds of group have the mean 0.5; the spread of the population says how many of each there were."""
    lines, _ = train(tmp_path / "run", {"max_rounds": 10})
    for line in lines:
        kept, dead = line["refill/kept"], line["refill/dropped"]
        spread = kept / (kept + dead) * (2 * (1 / 2) ** 2 + 2 * (1 / 6) ** 2) / 4
        assert line["reward/total"] == pytest.approx(0.5)
        assert line["reward/std"] == pytest.approx(spread**0.5)
        assert line["tokens/sampled"] == GROUP * (kept + dead)


@pytest.mark.parametrize("rounds", [0, 1])
def test_what_is_missing_after_the_last_round_stays_missing(tmp_path, rounds):
    lines, _ = train(tmp_path / "run", {"max_rounds": rounds}, steps=6)
    assert all(line["refill/rounds"] <= rounds for line in lines)
    assert any(line["refill/kept"] < 4 for line in lines)


def test_groups_that_leave_also_leave_what_the_loss_is_averaged_over(tmp_path):
    """One step, no clipping of the gradient: k of 4 groups kept weigh each token 1 / k instead of 1 / 4."""
    free = {"steps": 1, "optimizer": {"lr": 0.1, "grad_clip": None}}
    (whole,), _ = train(tmp_path / "a", None, **free)
    (picked,), _ = train(tmp_path / "b", {"max_rounds": 0}, **free)
    assert 0 < picked["refill/kept"] < 4
    assert picked["grad_norm"] == pytest.approx(whole["grad_norm"] * 4 / picked["refill/kept"])


def test_a_step_without_a_living_group_moves_nothing(tmp_path):
    """Twelve prompts, four a round: two refills ask the rest, the third has nobody left to ask."""
    lines, policy = train(tmp_path / "run", {"max_rounds": 5}, earned=0.0 * ranked_if_even, steps=1)
    assert (lines[0]["groups/count"], lines[0]["refill/rounds"], lines[0]["refill/kept"]) == (12, 2, 0)
    assert policy.version == 0
    assert weights(policy).abs().max() == 0.0


def test_groups_too_easy_or_too_hard_are_left_out_by_their_mean(tmp_path):
    """Every living group's mean is 0.5: not strictly below 0.5."""
    assert train(tmp_path / "a", {"max_rounds": 0, "below": 0.5})[0][0]["refill/kept"] == 0
    assert train(tmp_path / "b", {"max_rounds": 0, "above": 0.4, "below": 0.6})[0][0]["refill/kept"] > 0


def test_alive_says_which_groups_are_worth_an_update():
    rows = [[0.0, 1.0], [1.0, 1.0], [0.9, 1.0]]
    scores = [[Score(value) for value in row] for row in rows]
    assert alive(scores) == [True, False, True]
    assert alive(scores, high=0.95) == [True, False, False]  # means 0.5 and 0.95


class Killed(BaseException):
    """Stands for the kill: nothing catches it."""


@pytest.mark.parametrize("running", [False, True], ids=["stateless", "running mean"])
@pytest.mark.parametrize("owner", ["_sample", "_keep", "reinforce", "log"])
@pytest.mark.parametrize("at", [1, 5, 9])
def test_a_killed_run_resumes_to_the_same_numbers(tmp_path, monkeypatch, owner, at, running):
    """Killed between rounds, before the rollouts are safe, after it (so that they are replayed), and after an update.

    A table that learns `a`: groups die out, so the number of rounds changes from step to step.
    """

    def earned():
        return is_a.then(center(decay=0.9)) if running else is_a

    fields = {"steps": 9, "checkpoint_every": 4, "optimizer": {"lr": 0.3}, "updates_per_batch": 2}
    refill = {"max_rounds": 2}
    undisturbed, straight = train(tmp_path / "a", refill, earned=earned(), **fields)
    assert len({line["refill/rounds"] for line in undisturbed}) > 1

    place = {"reinforce": loop, "log": RunFolder}.get(owner, Trainer)
    original, calls = getattr(place, owner), iter(range(1000))

    def dies(*args, **kwargs):
        if next(calls) == min(at, 8):
            raise Killed
        return original(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(place, owner, dies)
        with pytest.raises(Killed):
            train(tmp_path / "b", refill, earned=earned(), **fields)
    resumed, policy = train(tmp_path / "b", refill, earned=earned(), resume=True, **fields)
    assert resumed == undisturbed
    assert torch.equal(weights(policy), weights(straight))


def test_a_replayed_step_samples_no_round_again(tmp_path, monkeypatch):
    train(tmp_path / "run", {"max_rounds": 3}, checkpoint_every=0)
    (tmp_path / "run" / "checkpoints" / "step-000003").rename(tmp_path / "gone")  # as if killed before it
    asked = []
    monkeypatch.setattr(Trainer, "_sample", lambda self, *args: asked.append(args))
    train(tmp_path / "run", {"max_rounds": 3}, checkpoint_every=0, resume=True)
    assert asked == []


@dataclass(frozen=True)
class Pairs(Numbers):
    """Two numbers that follow one another belong together."""

    def unit(self, example: Example) -> str:
        return str(example.number // 2)


@pytest.mark.parametrize("refill", [None, {"max_rounds": 10}])
def test_what_belongs_together_is_asked_together(tmp_path, refill):
    """Half of each pair is dead: of two pairs two groups are missing, then one, and each time a whole pair is asked."""
    train(tmp_path / "run", refill, task=Pairs())
    for step in range(3):
        rows = [row for row in records(tmp_path / "run", step) if row["index"] == 0]
        by_round = {}
        for row in rows:
            by_round.setdefault(row["round"], []).append(int(row["example"][1:]))
        assert [len(asked) for asked in by_round.values()] == ([4] if refill is None else [4, 2, 2])
        for asked in by_round.values():
            assert {second - first for first, second in zip(asked[::2], asked[1::2], strict=True)} == {1}


def test_pairs_that_would_be_parted_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="a multiple of 2 is needed"):
        train(tmp_path / "run", None, task=Pairs(), prompts_per_step=3)


@dataclass(frozen=True)
class Trajectories(Numbers):
    """Units of 2, 3 and 4 steps, again and again: 18 numbers are six of them."""

    count: int = 18
    sizes: ClassVar[tuple[int, ...]] = (2, 3, 4)

    def unit(self, example: Example) -> str:
        return f"t{self.starts().index(max(one for one in self.starts() if one <= example.number))}"

    @classmethod
    def starts(cls):
        return [9 * lap + start for lap in range(2) for start in (0, 2, 5)]


@pytest.mark.parametrize("refill", [None, {"max_rounds": 10}])
def test_units_of_different_sizes_are_asked_whole(tmp_path, refill):
    """Nine prompts a step are three of six units, in the mean; every unit comes once in two steps."""
    task = Trajectories()
    train(tmp_path / "run", refill, task=task, steps=2, prompts_per_step=9)
    whole = {f"t{place}": 2 + place % 3 for place in range(6)}
    first_rounds = []
    for step in range(2):
        rows = [row for row in records(tmp_path / "run", step) if row["index"] == 0]
        asked = [task.unit(Numbered(id="", number=int(row["example"][1:]))) for row in rows]
        assert {unit: asked.count(unit) for unit in asked} == {unit: whole[unit] for unit in asked}
        assert len({row["key"] for row in rows}) == len(rows)  # each step of each trajectory is a group of its own
        first_rounds += [unit for unit, row in zip(asked, rows, strict=True) if row["round"] == 0]
    assert {unit: first_rounds.count(unit) for unit in first_rounds} == whole


def test_a_batch_that_cannot_hold_the_largest_unit_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="up to 4 examples belong together; a number >= 4 is needed"):
        train(tmp_path / "run", None, task=Trajectories(), prompts_per_step=3)


class Unmade(Sequence):
    """Examples that are made when they are asked for, and counted."""

    def __init__(self, count):
        self.count, self.made = count, 0

    def __len__(self):
        return self.count

    def __getitem__(self, place):
        if not 0 <= place < self.count:
            raise IndexError(place)
        self.made += 1
        return Numbered(id=f"n{place}", number=place)


@dataclass(frozen=True)
class Lazy(Numbers):
    numbers: Unmade = field(default_factory=lambda: Unmade(12))

    def examples(self, split: Split) -> Sequence[Numbered]:
        return self.numbers


def test_examples_that_are_units_by_themselves_are_not_made_to_be_dealt_out():
    task = Lazy()
    policy = TabularPolicy.for_task(Numbers(), ANSWERS)
    trainer = Trainer(policy, task, is_a, TrainConfig(steps=1, prompts_per_step=4, group_size=2))
    assert len(trainer._units) == 12
    assert task.numbers.made == 0


@dataclass(frozen=True)
class Scattered(Numbers):
    """Even and odd numbers belong together, and do not stand side by side."""

    def unit(self, example: Example) -> str:
        return str(example.number % 2)


def test_a_unit_whose_examples_stand_apart_is_refused(tmp_path):
    with pytest.raises(TaskError, match=r"unit '0'.*do not stand side by side: one is at place 2"):
        train(tmp_path / "run", None, task=Scattered())
