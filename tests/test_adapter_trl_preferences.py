"""What `guerdon mine` writes, TRL's own trainers read; what we train, its trainers go on with.

Needs `trl`: nox -s "adapters(trl)". The models are random and tiny.
"""

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

pytest.importorskip("trl", reason="TRL is not installed: nox -s 'adapters(trl)' runs these")
pytest.importorskip("torch")

from guerdon.adapters import trl as adapter
from guerdon.grading import Grader
from guerdon.preferences import Pair, read_preferences, write_rows
from guerdon.protocols import Task
from guerdon.reward_models.rewards import RewardModel
from guerdon.reward_models.training import RewardModelConfig, train_reward_model
from guerdon.rewards.followups import FollowUpLikelihood, FollowUps
from guerdon.types import Example, Message, Prompt, Rollout

ROOT = Path(__file__).parents[1]
_spec = importlib.util.spec_from_file_location("tiny_models", ROOT / "packages/core/tests/tiny_models.py")
tiny_models = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tiny_models)

SETTINGS = {"per_device_train_batch_size": 2, "max_steps": 2, "report_to": [], "use_cpu": True, "logging_steps": 1}


def pairs(count):
    for number in range(count):
        prompt = Prompt((Message("user", f"question {number}"),))
        good, bad = (Rollout.of(Example(id=str(number)), text, prompt=prompt) for text in (f"yes {number}", "no"))
        yield Pair(good, bad, 1.0, 0.0)


def loaded(path):
    from datasets import load_dataset

    return load_dataset("json", data_files=str(path), split="train", cache_dir=str(path.parent / "cache"))


@pytest.fixture
def base(tmp_path):
    model, tokenizer = tiny_models.tiny_llama(), tiny_models.byte_tokenizer()
    model.save_pretrained(tmp_path / "base")
    tokenizer.save_pretrained(tmp_path / "base")
    return str(tmp_path / "base"), tokenizer


def test_dpo_trainer_trains_on_mined_pairs(base, tmp_path):
    from trl import DPOConfig, DPOTrainer

    model, tokenizer = base
    write_rows(pairs(4), tmp_path / "pairs.jsonl", "dpo")
    config = DPOConfig(output_dir=str(tmp_path / "out"), bf16=False, **SETTINGS)
    trainer = DPOTrainer(
        model=model, args=config, train_dataset=loaded(tmp_path / "pairs.jsonl"), processing_class=tokenizer
    )
    assert trainer.train().training_loss > 0.0


def test_kto_trainer_trains_on_mined_answers(base, tmp_path):
    try:
        from trl.experimental.kto import KTOConfig, KTOTrainer
    except ImportError:
        from trl import KTOConfig, KTOTrainer

    model, tokenizer = base
    write_rows(pairs(4), tmp_path / "rows.jsonl", "kto")
    config = KTOConfig(output_dir=str(tmp_path / "out"), bf16=False, **SETTINGS)
    trainer = KTOTrainer(
        model=model, args=config, train_dataset=loaded(tmp_path / "rows.jsonl"), processing_class=tokenizer
    )
    assert trainer.train().training_loss > 0.0


def test_reward_trainer_reads_our_pairs_and_goes_on_with_our_model(base, tmp_path):
    from transformers import AutoModelForSequenceClassification
    from trl import RewardConfig, RewardTrainer

    name, tokenizer = base
    write_rows(pairs(6), tmp_path / "pairs.jsonl", "dpo")
    config = RewardModelConfig(held_out=0.0)
    train_reward_model(read_preferences(tmp_path / "pairs.jsonl"), tmp_path / "rm", model=name, config=config)
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "rm", num_labels=1)
    settings = RewardConfig(output_dir=str(tmp_path / "out"), bf16=False, **SETTINGS)
    trainer = RewardTrainer(
        model=model, args=settings, train_dataset=loaded(tmp_path / "pairs.jsonl"), processing_class=tokenizer
    )
    assert trainer.train().training_loss > 0.0


@dataclass(frozen=True)
class Cheerful:
    """A `Scorer` that finds praise the likelier the longer the answer."""

    name: ClassVar[str] = "cheerful"

    def logprobs(self, continuations, *, policy=None):
        return [
            (-1.0 / (1 + len(one.messages[-1].content)),) if one.text == "yes" else (-1.0,) for one in continuations
        ]


class Chat(Task):
    name = "test/chat-v1"

    def examples(self, split):
        return [Example(id=f"{split}{number}") for number in range(4)]

    def prompt(self, example):
        return Prompt((Message("user", f"question {example.id}"),))


def test_grpo_trains_on_follow_ups_and_a_reward_model(base, tmp_path):
    """Both, summed, each a metric of its own."""
    from trl import GRPOConfig, GRPOTrainer

    name, tokenizer = base
    rows = list(pairs(6))
    write_rows(rows, tmp_path / "pairs.jsonl", "dpo")
    train_reward_model(read_preferences(tmp_path / "pairs.jsonl"), tmp_path / "rm", model=name)
    follow_ups = (FollowUps("feedback", ("yes",), ("no",)),)
    reward = FollowUpLikelihood(Cheerful(), follow_ups=follow_ups) + 0.5 * RewardModel(str(tmp_path / "rm"))
    functions = adapter.reward_funcs(Grader(reward, Chat()), name="both")
    settings = {**SETTINGS, "per_device_train_batch_size": 4, "num_generations": 2, "max_completion_length": 8}
    trainer = GRPOTrainer(
        model=name,
        reward_funcs=functions,
        args=GRPOConfig(output_dir=str(tmp_path / "out"), bf16=False, **settings),
        train_dataset=adapter.dataset(functions),
        processing_class=tokenizer,
        callbacks=[adapter.RewardState(functions)],
    )
    trainer.train()
    logged = trainer.state.log_history[0]
    assert logged["rewards/both/unscored"] == 0.0
    parts = logged["rewards/both/follow-up-likelihood/mean"], logged["rewards/both/reward-model/mean"]
    assert logged["rewards/both/mean"] == pytest.approx(parts[0] + 0.5 * parts[1], rel=1e-4)
