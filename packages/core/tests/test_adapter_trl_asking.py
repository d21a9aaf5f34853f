"""Rewards that ask the policy, under TRL's contract: stand-ins of the trainer's names around a tiny real model."""

# ruff: noqa: E402 - what needs torch is imported after the skip that asks for it

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

_spec = importlib.util.spec_from_file_location("tiny_models", Path(__file__).with_name("tiny_models.py"))
tiny_models = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tiny_models)

from guerdon.adapters.trl import reward_funcs
from guerdon.errors import ConfigError
from guerdon.policies.language import LanguagePolicy
from guerdon.protocols import Continuation
from guerdon.rewards.likelihood_rewards import Likelihood
from guerdon.rewards.nover import Nover
from guerdon.scorers import StandInScorer, UnderMoving, UnderPolicy, UnderReference
from guerdon.types import Message

LIKELY = Likelihood(UnderPolicy(), "log-prob", "answer", "=", direct=False)
SAID = ["so =", "hm =1"]
ASKED = [{"role": "user", "content": "?"}]


class Trainer:
    """What a call sees of TRL's trainer."""

    def __init__(self, functions, model=None, callbacks=(), **changes):
        self.reward_funcs = functions
        self.model = model or tiny_models.tiny_llama().train()
        self.processing_class = tiny_models.byte_tokenizer()
        self.accelerator = SimpleNamespace(unwrap_model=lambda wrapped: wrapped)
        self.num_generations = self.num_generations_eval = 2
        self.args = SimpleNamespace(seed=7)
        self.callback_handler = SimpleNamespace(callbacks=list(callbacks))
        vars(self).update(changes)

    def log(self, name, value):
        pass

    def score(self, completions=SAID, prompts=ASKED, step=0):
        return self.reward_funcs[0](
            prompts=[prompts] * len(completions),
            completions=completions,
            completion_ids=[[5, 2]] * len(completions),
            trainer_state=SimpleNamespace(global_step=step, max_steps=10, epoch=0.0),
            log_metric=self.log,
            answer=["4"] * len(completions),
        )


def expected(prefixes=("so =", "hm =")):
    policy = LanguagePolicy(tiny_models.tiny_llama(), tiny_models.byte_tokenizer())
    asked = [Continuation((Message("user", "?"),), "4", prefix) for prefix in prefixes]
    return [sum(values) for values in UnderPolicy().logprobs(asked, policy=policy)]


def test_the_trainers_model_is_the_policy_and_stays_as_it_was():
    trainer = Trainer(reward_funcs(LIKELY))
    assert trainer.score() == pytest.approx(expected(), abs=1e-5)
    assert trainer.model.training
    assert all(parameter.grad is None for parameter in trainer.model.parameters())


def test_a_processor_brings_its_tokenizer():
    trainer = Trainer(reward_funcs(LIKELY))
    trainer.processing_class = SimpleNamespace(tokenizer=trainer.processing_class)
    assert trainer.score() == pytest.approx(expected(), abs=1e-5)


def test_a_moving_copy_follows_and_its_state_is_the_graders():
    functions = reward_funcs(Nover(UnderMoving(mix=1.0), "answer"))
    keeper = SimpleNamespace(keeps=functions)
    trainer = Trainer(functions, callbacks=[keeper])
    text = "<think>a</think><answer>1</answer>"
    first = trainer.score([text, "x"])
    with torch.no_grad():
        for parameter in trainer.model.parameters():
            parameter.mul_(0.5)
    trainer.score([text, "x"], step=1)
    (kept,) = functions[0].grader.state_dict()["rewards"]
    (state,) = kept["state"]["scorers"]
    assert state["version"] == 2
    weights = dict(trainer.model.named_parameters())
    assert all(torch.equal(values, weights[name].detach()) for name, values in state["weights"].items())
    assert first[1] == 0.0


def test_a_copy_is_refused_where_no_checkpoint_keeps_it():
    with pytest.raises(ConfigError, match="RewardState"):
        Trainer(reward_funcs(Likelihood(UnderReference(), "prob", "answer", "="))).score()


def test_a_gradient_of_its_own_has_no_place_in_trls_loss():
    with pytest.raises(ConfigError, match="direct: false"):
        Trainer(reward_funcs(Likelihood(UnderPolicy(), "log-prob", "answer", "="))).score()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"is_fsdp_enabled": True}, "FSDP"),
        (
            {
                "accelerator": SimpleNamespace(
                    state=SimpleNamespace(deepspeed_plugin=SimpleNamespace(zero_stage=3)), unwrap_model=lambda m: m
                )
            },
            "ZeRO-3",
        ),
    ],
)
def test_a_model_in_pieces_is_refused_with_what_would_do(changes, said):
    with pytest.raises(ConfigError, match=rf"{said}.*'local' or 'server'"):
        Trainer(reward_funcs(LIKELY), **changes).score()


def test_without_a_trainer_behind_the_call_the_other_scorers_are_named():
    (function,) = reward_funcs(LIKELY)
    with pytest.raises(ConfigError, match="'local' or 'server'"):
        function(prompts=[ASKED], completions=["so ="], answer=["4"])


def test_a_scorer_with_a_model_of_its_own_needs_no_trainer():
    (function,) = reward_funcs(Likelihood(StandInScorer(), "log-prob", "answer", "="))
    (value,) = function(prompts=[ASKED], completions=["so ="], answer=["4"])
    assert -4.0 < value < 0.0


def test_a_prompt_that_is_no_messages_is_said():
    with pytest.raises(ConfigError, match="chat messages"):
        Trainer(reward_funcs(LIKELY)).score(prompts="what?")
