"""Likelihood rewards in a run: a tiny model learns its references, and a killed run resumes to the same numbers."""

# ruff: noqa: E402 - what needs torch is imported after the skip that asks for it

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pytest
import yaml

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

_spec = importlib.util.spec_from_file_location("tiny_models", Path(__file__).with_name("tiny_models.py"))
tiny_models = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tiny_models)

from guerdon.advantages import leave_one_out, log_mean_exp
from guerdon.errors import ConfigError
from guerdon.plugins.catalog import register_local
from guerdon.policies.language import LanguagePolicy, LoraSpec
from guerdon.policies.tabular import TabularPolicy
from guerdon.protocols import Split, Task
from guerdon.recipes.running import trainer_of
from guerdon.recipes.schema import Recipe
from guerdon.rewards.likelihood_rewards import Likelihood, rlpr
from guerdon.rewards.nover import Nover
from guerdon.rewards.spread_filter import SpreadFilter
from guerdon.runs import RunFolder
from guerdon.scorers import UnderMoving, UnderPolicy
from guerdon.scorers import UnderReference as Reference
from guerdon.trainer import TrainConfig, Trainer, loop
from guerdon.types import Example, Message, Prompt


class Killed(BaseException):
    """Stands for the kill: nothing catches it."""


class Pair(Example):
    answer: str


@dataclass(frozen=True)
class Pairs(Task):
    name: ClassVar[str] = "test/pairs-v1"
    forced: str = ""
    """With the tags in it, whatever a random model writes is well formed enough to be ranked."""

    def examples(self, split: Split) -> Sequence[Pair]:
        return [
            Pair(id=letter, answer=answer) for letter, answer in zip("abcd", ("no", "yes", "up", "ok"), strict=True)
        ]

    def prompt(self, example):
        return Prompt((Message("user", example.id),), forced=self.forced)

    def reference(self, example):
        return example.answer

    def metrics(self):
        return {"likelihood": LIKELY}


LIKELY = Likelihood(UnderPolicy(), "avg-log-prob", "task.reference", "=", missing="close")
TAGGED = Pairs("<think>x</think><answer>5</answer>")

CASES = {
    "log-prob": (Likelihood(UnderPolicy(), "log-prob", "answer", "=", missing="close"), leave_one_out(), Pairs()),
    "avg-prob": (
        Likelihood(UnderPolicy(), "avg-prob", "task.reference", "=", missing="close"),
        leave_one_out(),
        Pairs(),
    ),
    "jepo": (Likelihood(UnderPolicy(), "jepo", "answer", "=", missing="close"), log_mean_exp(), Pairs()),
    "rlpr with its gradient": (rlpr(UnderPolicy(), Reference(), "answer", direct=True), leave_one_out(), TAGGED),
    "nover": (Nover(UnderMoving(), "answer"), leave_one_out(), TAGGED),
    "filtered": (SpreadFilter(LIKELY, 0.9, 0.5, 1, 2), leave_one_out(), Pairs()),
}
"""What keeps state and what does not: a copy, a moving copy, a running mean, or nothing."""

CONFIG = TrainConfig.model_validate(
    {
        "steps": 5,
        "prompts_per_step": 2,
        "group_size": 4,
        "optimizer": {"lr": 1e-2},
        "sampling": {"max_tokens": 5},
        "eval": {"examples": 2},
        "checkpoint_every": 2,
    }
)


def train(path, case, *, resume=False, options=None, config=CONFIG):
    """A fresh policy and reward every time, as in a new process; metrics without what the clock says, and weights."""
    reward, advantage, task = CASES[case]
    reward = fresh(reward)
    policy = LanguagePolicy(tiny_models.tiny_llama(), tiny_models.byte_tokenizer(), **(options or {}))
    opened = RunFolder.open if resume else lambda path, **kept: RunFolder.create(path, "name: t", 0, **kept)
    with opened(path, tensorboard=False) as run:
        Trainer(policy, task, reward, config, advantage).fit(run, resume=resume)
        metrics = [{name: value for name, value in line.items() if "time" not in name} for line in run.metrics()]
    return metrics, torch.cat([parameter.detach().flatten() for parameter in policy.parameters()])


def fresh(reward):
    """An equal one that has learnt nothing."""
    import pickle

    if isinstance(reward, SpreadFilter):
        return replace(reward)
    return pickle.loads(pickle.dumps(reward))


def raise_at(monkeypatch, owner, name, call):
    """Let `owner.name` raise `Killed` at its `call`-th call, counted from 0."""
    original, calls = getattr(owner, name), iter(range(1000))

    def dies(*args, **kwargs):
        if next(calls) == call:
            raise Killed
        return original(*args, **kwargs)

    monkeypatch.setattr(owner, name, dies)


@pytest.mark.filterwarnings("ignore:step . teaches nothing")  # of the filter, which leaves out both groups of a step
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("name", "call"), [("reinforce", 0), ("reinforce", 3)], ids=["first update", "fourth"])
def test_a_killed_run_resumes_to_the_same_numbers(tmp_path, monkeypatch, case, name, call):
    """Checkpoints after steps 2 and 4: step 4 is replayed from its rollouts, under a copy of another step's weights."""
    undisturbed = train(tmp_path / "whole", case)
    with monkeypatch.context() as patch:
        raise_at(patch, loop, name, call)
        with pytest.raises(Killed):
            train(tmp_path / "run", case)
    resumed = train(tmp_path / "run", case, resume=True)
    assert resumed[0] == undisturbed[0]
    assert torch.equal(resumed[1], undisturbed[1])


def test_adapters_in_bfloat16_resume_with_a_moving_copy(tmp_path, monkeypatch):
    options = {"dtype": torch.bfloat16, "lora": LoraSpec(4, dropout=0.1)}
    undisturbed = train(tmp_path / "whole", "nover", options=options)
    with monkeypatch.context() as patch:
        raise_at(patch, loop, "reinforce", 3)
        with pytest.raises(Killed):
            train(tmp_path / "run", "nover", options=options)
    resumed = train(tmp_path / "run", "nover", options=options, resume=True)
    assert resumed[0] == undisturbed[0]
    assert torch.equal(resumed[1], undisturbed[1])


def test_the_direct_term_teaches_the_references(tmp_path):
    """Two letters after "=": a random model is at about -5.7 a token; ten steps of the direct gradient raise that."""
    config = CONFIG.model_copy(update={"steps": 10, "prompts_per_step": 4})
    metrics, _ = train(tmp_path / "run", "log-prob", config=config)
    rewards = [line["reward/total"] for line in metrics if line["phase"] == "rl"]
    evals = [line["eval/likelihood"] for line in metrics if line["phase"] == "eval"]
    assert rewards[-1] > rewards[0] + 2.0
    assert evals[-1] > evals[0] + 1.0
    assert all("target_loss" in line for line in metrics if line["phase"] == "rl")


def test_a_recipe_trains_with_a_likelihood_reward(tmp_path):
    policy = LanguagePolicy(tiny_models.tiny_llama(), tiny_models.byte_tokenizer())
    policy.save(tmp_path / "model")
    register_local("tasks", "test/pairs-v1", Pairs)
    text = f"""
name: likely
task: test/pairs-v1
policy: {{use: language, with: {{model: {str(tmp_path / "model")!r}, dtype: float32, device: cpu}}}}
reward:
  sum:
    - use: likelihood-v1
      with: {{scorer: policy, variant: log-prob, reference: answer, separator: '=', missing: close}}
      weight: 0.9
    - {{use: tag-format-v1, with: {{tags: ['=']}}, weight: 0.1}}
advantage: leave_one_out
train:
  steps: 3
  prompts_per_step: 2
  group_size: 3
  sampling: {{max_tokens: 4, stop: ['=']}}
  optimizer: {{lr: 0.01}}
"""
    trainer = trainer_of(Recipe.model_validate(yaml.safe_load(text)))
    with RunFolder.create(tmp_path / "run", text, 0, tensorboard=False) as run:
        trainer.fit(run)
        steps = [line for line in run.metrics() if line["phase"] == "rl"]
    assert len(steps) == 3
    assert all(line["grad_norm"] > 0.0 and line["target_loss"] > 0.0 for line in steps)
    assert steps[0]["reward/likelihood"] < 0.0


def test_refill_counts_out_the_targets_of_groups_that_leave(tmp_path):
    config = CONFIG.model_copy(
        update={"steps": 2, "refill": loop.TrainConfig.model_validate({"refill": {"max_rounds": 1}}).refill}
    )
    metrics, _ = train(tmp_path / "run", "log-prob", config=config)
    assert all(line["target_loss"] > 0.0 for line in metrics if line["phase"] == "rl" and line["refill/kept"])


def test_a_policy_that_reads_no_text_is_refused_before_anything_is_written():
    trainer = Trainer(TabularPolicy(["a"], ["x"]), Pairs(), LIKELY, CONFIG)
    with pytest.raises(ConfigError, match="likelihood asks how likely"):
        trainer.check()


def test_a_gradient_that_a_transform_would_swallow_is_refused_before_anything_is_written():
    from guerdon.transforms import clip

    policy = LanguagePolicy(tiny_models.tiny_llama(), tiny_models.byte_tokenizer())
    with pytest.raises(ConfigError, match="direct: false"):
        Trainer(policy, Pairs(), LIKELY.then(clip(-5.0, 0.0)), CONFIG).check()
