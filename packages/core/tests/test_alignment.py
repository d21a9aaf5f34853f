"""What sees is taught which words its pictures' answers hold, before a warm start, and nothing else is moved."""

from __future__ import annotations

import importlib.util
import io
from dataclasses import dataclass
from pathlib import Path

import PIL.Image
import pytest
import torch

from guerdon.engines.multimodal import batch_states
from guerdon.errors import ConfigError
from guerdon.policies.language import LanguagePolicy
from guerdon.protocols import Split, Task
from guerdon.runs import RunFolder
from guerdon.trainer.aligning import align
from guerdon.trainer.config import AlignmentConfig, OptimizerConfig
from guerdon.types import Example, Image, Message, Prompt, Rollout

_spec = importlib.util.spec_from_file_location("tiny_sighted", Path(__file__).with_name("tiny_sighted.py"))
tiny_sighted = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tiny_sighted)

COLOURS = {"r": (250, 20, 20), "b": (20, 20, 250)}
CONFIG = AlignmentConfig(epochs=3, batch_size=8, optimizer=OptimizerConfig(lr=3e-3))


def plain_picture(colour: str, shade: int) -> Image:
    written = io.BytesIO()
    level = tuple(max(0, value - shade) for value in COLOURS[colour])
    PIL.Image.new("RGB", (56, 56), level).save(written, "PNG")
    return Image(data=written.getvalue())


@dataclass(frozen=True)
class Colours(Task):
    """One letter names the picture's colour; every answer ends alike."""

    name = "colours"
    blind: bool = False

    def examples(self, split: Split) -> list[Example]:
        return [Example(id=f"{'rb'[place % 2]}{place}") for place in range(32)]

    def prompt(self, example: Example) -> Prompt:
        image = plain_picture(example.id[0], 3 * int(example.id[1:]))
        return Prompt((Message("user", "?", () if self.blind else (image,)),))

    def reference(self, example: Example) -> str:
        return f"{example.id[0]}."


def references(policy: LanguagePolicy, task: Colours) -> list[Rollout]:
    return [policy.reference_rollout(task, example, task.reference(example)) for example in task.examples("train")]


@torch.no_grad()
def states(policy: LanguagePolicy) -> torch.Tensor:
    """Of each task's pictures, (B, N, W)."""
    shown = [rollout for rollout in references(policy, Colours()) if rollout.prompt.images]
    image_id = policy.alignment(shown).image_id
    count = sum(token == image_id for token in shown[0].prompt_ids)
    return batch_states(policy.model, image_id, count, [policy.chat.read(rollout.prompt)[1] for rollout in shown])


def word_length(policy: LanguagePolicy) -> torch.Tensor:
    """The mean length of the embeddings of "r" and "b"."""
    ids = [policy.tokenizer.convert_tokens_to_ids(letter) for letter in "rb"]
    return policy.model.get_input_embeddings().weight.detach()[ids].norm(dim=1).mean()


def test_what_sees_learns_the_words_and_the_reader_stays(tmp_path: Path):
    """To know nothing of two words of equal share costs log 2 = 0.693 nats; states as long as words cost none."""
    policy = tiny_sighted.smolvlm()
    with torch.no_grad():
        policy.model.get_input_embeddings().weight.mul_(states(policy).norm(dim=-1).mean() / word_length(policy))
    rollouts = references(policy, Colours())
    before = {name: value.clone() for name, value in policy.weights().items()}
    with RunFolder.create(tmp_path / "run", "name: x\n", 0, {}) as run:
        align(policy, rollouts, CONFIG, run, seed=0)
        logged = [line for line in run.metrics() if line["phase"] == "alignment"]
    assert len(logged) == 12
    assert logged[-1]["loss"] < 0.1
    moved = {name for name, value in policy.weights().items() if not torch.equal(value, before[name])}
    assert moved
    assert all("vision_model" in name or "connector" in name for name in moved)


def test_states_become_as_long_as_words(tmp_path: Path):
    """Thirty times as long to begin with: log(30)^2 = 11.6."""
    policy = tiny_sighted.smolvlm()
    assert float(states(policy).norm(dim=-1).mean() / word_length(policy)) > 20
    with RunFolder.create(tmp_path / "run", "name: x\n", 0, {}) as run:
        align(policy, references(policy, Colours()), CONFIG, run, seed=0)
    assert float(states(policy).norm(dim=-1).mean() / word_length(policy)) < 10


def test_only_words_that_tell_answers_apart_are_learnt():
    policy = tiny_sighted.smolvlm()
    found = policy.alignment(references(policy, Colours())).words
    assert sorted(policy.tokenizer.decode([word]) for word in found) == ["b", "r"]


def test_there_must_be_pictures():
    policy = tiny_sighted.smolvlm()
    with pytest.raises(ConfigError, match="prompts that show images"):
        policy.alignment(references(policy, Colours(blind=True)))


def test_what_is_frozen_cannot_be_aligned():
    policy = tiny_sighted.smolvlm()
    rollouts = references(policy, Colours())
    blind = policy.snapshot()
    with pytest.raises(ConfigError, match=r"lora\.whole"):
        blind.alignment(rollouts)


def test_a_policy_without_eyes_is_named(tmp_path: Path):
    from guerdon.policies.tabular import TabularPolicy

    with (
        RunFolder.create(tmp_path / "run", "name: x\n", 0, {}) as run,
        pytest.raises(ConfigError, match="TabularPolicy does not"),
    ):
        align(TabularPolicy(["s"], ["a"]), [], CONFIG, run, seed=0)


def test_a_run_aligns_first_and_its_report_shows_what_was_seen(tmp_path: Path):
    """Two alignment steps, on more examples than the one supervised step; then one of RL, whose records name frames."""
    from guerdon.diagnostics.report import render
    from guerdon.recipes.illustrating import illustrator
    from guerdon.rewards import reward
    from guerdon.runs import read_rollouts, rollout_files
    from guerdon.trainer import Trainer
    from guerdon.trainer.config import EvalConfig, SamplingConfig, SftConfig, TrainConfig

    @dataclass(frozen=True)
    class Filed(Colours):
        name = "filed"
        folder: str = ""

        def prompt(self, example: Example) -> Prompt:
            file = Path(self.folder) / f"{example.id}.png"
            if not file.exists():
                file.write_bytes(plain_picture(example.id[0], 0).data)
            return Prompt((Message("user", "?", (Image(str(file)),)),))

        def picture(self, example: Example, completion: str) -> bytes:
            return plain_picture(example.id[0], 0).data

    @reward(bounds=(0.0, 1.0))
    def right(rollout: Rollout) -> float:
        return float(rollout.answer.startswith(rollout.example.id[0]))

    task = Filed(folder=str(tmp_path))
    config = TrainConfig(
        steps=1,
        prompts_per_step=2,
        group_size=2,
        sampling=SamplingConfig(max_tokens=3),
        sft=SftConfig(examples=8, batch_size=8, alignment=AlignmentConfig(examples=32, epochs=1, batch_size=16)),
        eval=EvalConfig(examples=2),
    )
    trainer = Trainer(policy=tiny_sighted.smolvlm(), task=task, reward=right, config=config)
    with RunFolder.create(tmp_path / "run", "name: x\n", 0, {}) as run:
        trainer.fit(run)
        phases = [line["phase"] for line in run.metrics()]
    assert [phase for phase in phases if phase != "eval"] == ["alignment", "alignment", "sft", "rl"]
    path = next(path for phase, _, path in rollout_files(tmp_path / "run") if phase == "rl")
    assert all(Path(name).is_file() for record in read_rollouts(path) for name in record["images"])
    page = render(tmp_path / "run", illustrator(task)).read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") >= 3
    assert "which words the references hold" in page
