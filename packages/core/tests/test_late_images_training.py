"""A run whose environment answers with pictures: it learns, is resumed to the same numbers, and its page shows them."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

from guerdon.diagnostics.report import render
from guerdon.protocols import Split, Task, Turn
from guerdon.rewards import reward
from guerdon.runs import RunFolder, read_rollouts, rollout_files
from guerdon.trainer import TrainConfig, Trainer, loop
from guerdon.types import Example, Image, Message, Prompt, Rollout, Segment

_spec = importlib.util.spec_from_file_location("tiny_sighted", Path(__file__).with_name("tiny_sighted.py"))
tiny_sighted = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tiny_sighted)


class Killed(BaseException):
    """Stands for the kill: nothing catches it."""


@dataclass
class Answers:
    """One picture: a file after an odd number of letters, bytes after an even one."""

    file: str

    def reset(self, *, seed: int) -> str:
        return ""

    def cut(self, text: str) -> list[str]:
        return [part + "|" * (place < text.count("|")) for place, part in enumerate(text.split("|"))]

    def step(self, segments: Sequence[Segment]) -> Turn:
        if len(segments) > 1:
            return Turn("", terminated=True)
        image = Image(self.file) if len(segments[0].text) % 2 else tiny_sighted.noise(len(segments[0].text))
        return Turn("again", images=(image,))


@dataclass(frozen=True)
class Twice(Task):
    name: ClassVar[str] = "test/twice-v1"
    file: str = ""

    def examples(self, split: Split) -> Sequence[Example]:
        return [Example(id=str(place)) for place in range(2)]

    def prompt(self, example: Example) -> Prompt:
        return Prompt((Message("user", "look", (tiny_sighted.noise(int(example.id)),)),))

    def reference(self, example: Example) -> str:
        return "ab|cd"

    def environment(self, example: Example) -> Any:
        return Answers(self.file)


@reward(bounds=(0.0, 1.0))
def written(rollout: Rollout) -> float:
    return (sum(rollout.completion.encode("utf-8", "replace")) % 100) / 100


CONFIG = TrainConfig.model_validate(
    {
        "steps": 2,
        "prompts_per_step": 2,
        "group_size": 3,
        "optimizer": {"lr": 1e-2},
        "sampling": {"max_tokens": 6, "stop": [chr(code) for code in range(33, 127)]},
        "eval": {"examples": 1},
        "checkpoint_every": 1,
        "sft": {"examples": 2, "batch_size": 2},
    }
)


def train(path: Path, file: str, *, resume: bool = False) -> tuple[list[dict[str, Any]], torch.Tensor]:
    """Metrics without what the clock says, and weights."""
    policy = tiny_sighted.smolvlm()
    policy.model.config.get_text_config().max_position_embeddings = 512  # room for two turns
    opened: Any = RunFolder.open if resume else lambda path, **kept: RunFolder.create(path, "name: t", 0, **kept)
    with opened(path, tensorboard=False) as run:
        Trainer(policy, Twice(file), written, CONFIG).fit(run, resume=resume)
        metrics = [{name: value for name, value in line.items() if "time" not in name} for line in run.metrics()]
    return metrics, torch.cat([parameter.detach().flatten() for parameter in policy.parameters()])


def test_a_run_is_resumed_from_the_pictures_that_it_wrote_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Killed between sampling and update: the step is replayed from its rollouts, and not sampled again."""
    (tmp_path / "case.png").write_bytes(tiny_sighted.noise(99).data)
    file = str(tmp_path / "case.png")
    undisturbed = train(tmp_path / "whole", file)
    calls = iter(range(100))
    original = loop.reinforce

    def dies(*args: Any, **kwargs: Any) -> Any:
        if next(calls) == 1:
            raise Killed
        return original(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "reinforce", dies)
        with pytest.raises(Killed):
            train(tmp_path / "run", file)
    resumed = train(tmp_path / "run", file, resume=True)
    assert resumed[0] == undisturbed[0]
    assert torch.equal(resumed[1], undisturbed[1])

    records = [record for _, _, path in rollout_files(tmp_path / "whole") for record in read_rollouts(path)]
    images = [image for record in records for segment in record["segments"] for image in segment.get("images", ())]
    assert {name for image in images for name in image} == {"path", "data"}
    behind = [record for record in records if len(record["segments"]) > 2]
    assert len(behind) >= 6, "the seed gives too few second turns to say anything"
    page = render(tmp_path / "whole").read_text(encoding="utf-8")
    assert "shown by the environment" in page
    json.dumps(records)
