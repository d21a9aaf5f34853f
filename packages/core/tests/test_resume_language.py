"""A language policy that is held near where RL began resumes to the numbers of a run that was never killed."""

# ruff: noqa: E402 - what needs torch is imported after the skip that asks for it

import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

_spec = importlib.util.spec_from_file_location("tiny_models", Path(__file__).with_name("tiny_models.py"))
tiny_models = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tiny_models)

from guerdon.policies.language import LanguagePolicy, LoraSpec
from guerdon.protocols import Task
from guerdon.rewards import reward
from guerdon.runs import RunFolder
from guerdon.trainer import TrainConfig, Trainer, loop
from guerdon.types import Example, Message, Prompt


class Killed(BaseException):
    """Stands for the kill: nothing catches it."""


@dataclass(frozen=True)
class Greetings(Task):
    name: ClassVar[str] = "test/greetings-v1"

    def examples(self, split):
        return [Example(id=text) for text in ("Hi", "Good day", "Hello", "Evening")]

    def prompt(self, example):
        return Prompt((Message("user", example.id),))

    def reference(self, example):
        return f"{example.id}!"


@reward(bounds=(0.0, 1.0))
def low_tokens(rollout):
    """The share of tokens from the vocabulary's lower half: attempts of an untrained model differ in it."""
    ids = rollout.segments[-1].token_ids
    return sum(token < tiny_models.VOCABULARY / 2 for token in ids) / len(ids)


CONFIG = TrainConfig.model_validate(
    {
        "steps": 5,
        "prompts_per_step": 2,
        "group_size": 4,
        "updates_per_batch": 2,
        "optimizer": {"lr": 1e-2},
        "sampling": {"max_tokens": 6},
        "loss": {"kl_weight": 0.2},
        "sft": {"examples": 4, "batch_size": 2, "optimizer": {"lr": 1e-2}},
        "eval": {"examples": 2},
        "checkpoint_every": 2,
    }
)


def train(path, options, *, resume=False):
    """A fresh policy every time, as in a new process; the metrics without what the clock says, and the weights."""
    policy = LanguagePolicy(tiny_models.tiny_llama(), tiny_models.byte_tokenizer(), **options)
    opened = RunFolder.open if resume else lambda path, **kept: RunFolder.create(path, "name: t", 0, **kept)
    with opened(path, tensorboard=False) as run:
        Trainer(policy, Greetings(), low_tokens, CONFIG).fit(run, resume=resume)
        metrics = [{name: value for name, value in line.items() if "time" not in name} for line in run.metrics()]
    return metrics, torch.cat([parameter.detach().flatten() for parameter in policy.parameters()])


def raise_at(monkeypatch, owner, name, call):
    """Let `owner.name` raise `Killed` at its `call`-th call, counted from 0."""
    original, calls = getattr(owner, name), iter(range(1000))

    def dies(*args, **kwargs):
        if next(calls) == call:
            raise Killed
        return original(*args, **kwargs)

    monkeypatch.setattr(owner, name, dies)


@pytest.fixture(
    scope="module",
    params=[{}, {"dtype": torch.bfloat16}, {"dtype": torch.bfloat16, "lora": LoraSpec(4, dropout=0.1)}],
    ids=["full weights", "masters under bfloat16", "adapters with dropout"],
)
def options(request):
    return request.param


@pytest.fixture(scope="module")
def undisturbed(options, tmp_path_factory):
    return train(tmp_path_factory.mktemp("undisturbed") / "run", options)


@pytest.mark.parametrize(
    ("owner", "name", "call"),
    [(Trainer, "_sample", 0), (loop, "reinforce", 0), (Trainer, "_sample", 3), (loop, "reinforce", 3)],
    ids=["before any step", "before the first update", "between checkpoints", "with a step to replay"],
)
def test_a_killed_run_with_a_divergence_resumes_to_the_same_numbers(
    tmp_path, monkeypatch, options, undisturbed, owner, name, call
):
    """Checkpoints after RL steps 2 and 4 (the warm start's two steps end in one): killed in step 3, the policy loaded
    is not the one that RL started from, and the divergence must still be measured from that.
    """
    with monkeypatch.context() as patch:
        raise_at(patch, owner, name, call)
        with pytest.raises(Killed):
            train(tmp_path / "run", options)
    resumed, weights = train(tmp_path / "run", options, resume=True)

    assert resumed == undisturbed[0]
    assert torch.equal(weights, undisturbed[1])
    divergences = [line["kl"] for line in resumed if line["phase"] == "rl"]
    assert len(divergences) == 5
    assert divergences[-1] > 0.0


def test_the_reference_on_disk_is_where_rl_began_and_not_where_the_model_did(tmp_path):
    train(tmp_path / "run", {})
    assert json.loads((tmp_path / "run" / "reference" / "guerdon.json").read_text())["version"] == 2  # SFT's two steps
