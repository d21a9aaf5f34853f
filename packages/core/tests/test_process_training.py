"""The kit in training: a table that may fill its pages, weighed rewards, and a language model's steps on its tokens."""

from __future__ import annotations

import importlib.util
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

torch = pytest.importorskip("torch", reason="the trainer needs torch; the extra guerdon[train] is not installed")

from guerdon.advantages import group_relative, returns_to_go, weighted_by  # noqa: E402
from guerdon.policies.tabular import TabularPolicy  # noqa: E402
from guerdon.protocols import Split, Task, Turn  # noqa: E402
from guerdon.rewards import ProcessReward, StepScores, UncertaintyWeighted, ensemble, reward  # noqa: E402
from guerdon.runs import RunFolder  # noqa: E402
from guerdon.trainer import TrainConfig, Trainer, loop  # noqa: E402
from guerdon.trainer.records import score_of  # noqa: E402
from guerdon.types import Example, Message, Prompt, Segment  # noqa: E402

MOVES = ("work", "filler", "stop")
LONGEST = 8


class Page:
    """Ends at "stop", or when it is full; shows how much work is on it."""

    def reset(self, *, seed: int) -> str:
        return "0"

    def step(self, segments: Sequence[Segment]) -> Turn:
        moves = [segment.text for segment in segments if segment.author == "policy"]
        return Turn(str(min(2, moves.count("work"))), terminated=moves[-1] == "stop", truncated=len(moves) == LONGEST)


@dataclass(frozen=True)
class Pages(Task):
    name: ClassVar[str] = "test/pages-v1"

    def examples(self, split: Split) -> Sequence[Example]:
        return [Example(id=f"{split}{i}") for i in range(4)]

    def prompt(self, example: Example) -> Prompt:
        return Prompt(observation=example.id)

    def environment(self, example: Example) -> Page:
        return Page()


@reward(bounds=(0.0, 1.0))
def solved(rollout):
    moves = [turn.text for turn in rollout.turns]
    return float(moves[-1] == "stop" and moves.count("work") >= 2)


@reward(bounds=(0.0, 1.0))
def liked(rollout):
    """A scorer of steps that likes filler best."""
    return {"work": 0.7, "filler": 0.9, "stop": 0.6}[rollout.answer]


def fit(path, policy, task, earned, advantage, resume=False, **fields):
    base = {"prompts_per_step": 4, "group_size": 8, "optimizer": {"lr": 0.2}, "checkpoint_every": 10}
    made = RunFolder.open if resume else lambda path, **kept: RunFolder.create(path, "name: t", 0, **kept)
    with made(path, tensorboard=False) as run:
        Trainer(policy, task, earned, TrainConfig.model_validate({**base, **fields}), advantage).fit(run, resume=resume)
        return [{name: value for name, value in line.items() if "time" not in name} for line in run.metrics()]


def pages(path, mode, steps=20, **options):
    earned = solved + ProcessReward(StepScores(liked, "turn", given="step"), mode, alpha=0.3)
    policy = TabularPolicy(("0", "1", "2"), MOVES)
    credit = returns_to_go({"solved": 1.0, "process/steps": 1.0})
    return fit(path, policy, Pages(), earned, credit, steps=steps, **options), policy


def test_plain_step_scores_fill_pages_and_clipped_and_differenced_ones_do_not(tmp_path):
    plain, _ = pages(tmp_path / "plain", "plain")
    safe, policy = pages(tmp_path / "safe", "clip_delta")
    # Three moves solve it: work, work, stop. Filler pays 0.27 a move, and a full page of it 2.16 beside a success of 1.
    assert plain[-1]["reward/process/step_count"] > 5.0 > 4.0 > safe[-1]["reward/process/step_count"]
    assert safe[-1]["reward/solved"] > 0.95 > 0.9 > plain[-1]["reward/solved"]
    assert safe[-1]["reward/process/success_only"] == 0.0
    assert policy.action_probabilities(["2"])[0, MOVES.index("stop")] > 0.8


def test_a_killed_run_with_spans_resumes_to_the_same_numbers(tmp_path, monkeypatch):
    straight, policy = pages(tmp_path / "a", "clip_delta", steps=5, checkpoint_every=2)

    class Killed(BaseException):
        pass

    calls, original = iter(range(100)), loop.reinforce

    def dies(*args, **kwargs):
        if next(calls) == 3:
            raise Killed
        return original(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "reinforce", dies)
        with pytest.raises(Killed):
            pages(tmp_path / "b", "clip_delta", steps=5, checkpoint_every=2)
    resumed, other = pages(tmp_path / "b", "clip_delta", steps=5, checkpoint_every=2, resume=True)
    assert resumed == straight
    assert torch.equal(policy.logits_SA, other.logits_SA)


# -- uncertainty -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Doors(Task):
    name: ClassVar[str] = "test/doors-v1"

    def examples(self, split: Split) -> Sequence[Example]:
        return [Example(id=f"{split}{i}") for i in range(2)]

    def prompt(self, example: Example) -> Prompt:
        return Prompt(observation="hall")


@reward(bounds=(0.0, 1.0))
def one_look(rollout):
    return {"left": 0.6, "right": 1.0, "stay": 0.0}[rollout.answer]


@reward(bounds=(0.0, 1.0))
def other_look(rollout):
    return {"left": 0.6, "right": 0.2, "stay": 0.0}[rollout.answer]


def test_of_two_answers_equal_in_the_mean_the_doubtful_one_moves_the_policy_less(tmp_path):
    """Left is 0.6 to both looks; right is 0.6 in their mean, and they are 0.8 apart: a weight of exp(-0.8 / 0.2)."""
    earned = UncertaintyWeighted(ensemble([one_look, other_look], "mean", spread="range"), tau=0.2)
    policy = TabularPolicy(("hall",), ("left", "right", "stay"))
    lines = fit(tmp_path / "run", policy, Doors(), earned, weighted_by("weight", group_relative(std=False)), steps=2)
    assert {"reward/uncertainty", "reward/weight", "reward/ensemble/disagreement"} <= set(lines[0])
    rows = [json.loads(line) for line in (tmp_path / "run" / "rollouts" / "rl-000000.jsonl").read_text().splitlines()]
    said = {(row["group"], row["completion"]): row["advantage"] for row in rows}
    groups = [group for group, word in said if word == "left" and (group, "right") in said]
    assert groups
    for group in groups:
        assert said[group, "right"] == pytest.approx(math.exp(-4.0) * said[group, "left"])
        assert said[group, "left"] > 0.0


# -- a language model ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Talk(Task):
    name: ClassVar[str] = "test/talk-v1"

    def examples(self, split: Split) -> Sequence[Example]:
        return [Example(id=f"{split}{i}") for i in range(2)]

    def prompt(self, example: Example) -> Prompt:
        return Prompt((Message("user", "Go"),))


@reward(bounds=(0.0, 1.0))
def ascii_share(rollout):
    return sum(letter.isascii() for letter in rollout.answer) / len(rollout.answer)


@reward(bounds=(0.0, 1.0))
def variety(rollout):
    return len(set(rollout.answer)) / max(1, len(rollout.answer))


def test_a_language_models_steps_are_placed_on_its_tokens(tmp_path):
    """Random bytes: where there is a line break in them, there are spans, and each ends within the completion."""
    from guerdon.policies.language import LanguagePolicy

    spec = importlib.util.spec_from_file_location("tiny_models", Path(__file__).with_name("tiny_models.py"))
    tiny_models = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tiny_models)
    policy = LanguagePolicy(tiny_models.tiny_llama(1), tiny_models.byte_tokenizer())
    earned = variety + ProcessReward(StepScores(ascii_share, "line"), "clip_delta", alpha=0.5, eta=0.9)
    credit = returns_to_go({"variety": 1.0, "process/steps": 1.0})
    config = {
        "prompts_per_step": 2,
        "group_size": 8,
        "sampling": {"max_tokens": 80, "temperature": 4.0},
        "optimizer": {"lr": 1e-3},
    }
    fit(tmp_path / "run", policy, Talk(), earned, credit, steps=2, **config)
    assert policy.version == 2
    lines = (tmp_path / "run" / "rollouts" / "rl-000000.jsonl").read_text().splitlines()
    spans = []
    for line in map(json.loads, lines):
        stream = score_of(line["score"]).parts["process"].dense["steps"]
        assert len(stream.ends) == len(stream.values)
        if stream.ends:
            assert stream.ends[-1] == len(line["segments"][-1]["token_ids"]) - 1
        spans.append(len(stream.ends))
        assert spans[-1] == sum(bool(one.strip()) for one in line["completion"].split("\n"))
    assert max(spans) > 1
