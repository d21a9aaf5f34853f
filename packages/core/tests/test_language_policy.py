"""A language policy keeps the promises of `guerdon.protocols.Policy`."""

# ruff: noqa: E402 - what needs torch is imported after the skip that asks for it

import importlib.util
import json
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

_spec = importlib.util.spec_from_file_location("tiny_models", Path(__file__).with_name("tiny_models.py"))
tiny_models = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tiny_models)

from dataclasses import dataclass

from guerdon.engines.adapters import PlainWeights, merged
from guerdon.engines.served import ServedEngine
from guerdon.engines.transformers import TransformersEngine
from guerdon.errors import ConfigError, PolicyError
from guerdon.policies.language import LanguagePolicy, LoraSpec
from guerdon.protocols import Policy, Sampling, Task, Turn
from guerdon.recipes.building import build_policy
from guerdon.recipes.schema import Use
from guerdon.rewards import reward
from guerdon.trainer import TrainConfig, Trainer
from guerdon.trainer.records import groups_of, rollout_records
from guerdon.types import Example, Message, Prompt, Score


class Greeting(Example):
    text: str


class Echo:
    """Ends after two answers; the first words depend on the seed alone."""

    def reset(self, *, seed):
        self.turns = 0
        return f"Go {seed % 10}."

    def step(self, segments):
        self.turns += 1
        return Turn(f"{len(segments[-1].token_ids)} tokens", reward=1.0, terminated=self.turns == 2)


@dataclass(frozen=True)
class Hello(Task):
    name = "hello"
    forced: str = ""
    turns: bool = False

    def examples(self, split):
        return [Greeting(id=str(place), text=text) for place, text in enumerate(("Hi", "Good day", "Hi"))]

    def prompt(self, example):
        return Prompt((Message("user", example.text),), forced=self.forced)

    def environment(self, example):
        return Echo() if self.turns else None


@reward(bounds=(0.0, 1.0))
def always(rollout):
    return 1.0


def make(**options):
    return LanguagePolicy(tiny_models.tiny_llama(), tiny_models.byte_tokenizer(), **options)


def sampled(policy, task=Hello(), n=3, **options):
    return policy.sample(task, task.examples("train"), n, Sampling(**{"max_tokens": 10, **options}), seed=4)


def flat(groups):
    return [rollout for group in groups for rollout in group.rollouts]


def test_it_is_a_policy():
    assert isinstance(make(), Policy)


def test_samples_carry_tokens_text_and_logprobs_that_scoring_reproduces():
    policy = make()
    groups = sampled(policy, temperature=0.7)
    assert [(group.key, len(group)) for group in groups] == [("0", 3), ("1", 3), ("2", 3)]
    rollouts = flat(groups)
    scored = policy.logprobs(rollouts, temperature=0.7, grad=False)
    assert scored.lengths == tuple(rollout.steps for rollout in rollouts)
    expected = torch.tensor([value for rollout in rollouts for value in rollout.logprobs])
    torch.testing.assert_close(scored.logprobs_N, expected, atol=1e-4, rtol=0)
    assert not scored.logprobs_N.requires_grad


def test_the_prompt_goes_through_the_chat_template():
    rollout = flat(sampled(make()))[0]
    assert tiny_models.byte_tokenizer().decode(rollout.prompt_ids) == "[user]Hi<end>[assistant]"


def test_a_forced_prefix_is_in_the_completion_and_not_trained_on():
    policy = make()
    rollout = flat(sampled(policy, Hello(forced="<a>")))[0]
    assert [segment.author for segment in rollout.segments] == ["forced", "policy"]
    assert rollout.completion.startswith("<a>")
    assert policy.logprobs([rollout]).lengths == (len(rollout.segments[1].token_ids),)
    expected = torch.tensor(rollout.logprobs)
    torch.testing.assert_close(policy.logprobs([rollout], grad=False).logprobs_N, expected, atol=1e-4, rtol=0)


def test_turns_alternate_and_the_environments_tokens_are_masked():
    """Every token ends a turn here, so each attempt has two one-token turns with the environment's words between."""
    policy = make()
    policy.engine.end_ids = frozenset(range(300))
    groups = sampled(policy, Hello(turns=True))
    rollouts = flat(groups)
    for rollout in rollouts:
        assert [s.author for s in rollout.segments] == ["policy", "environment", "policy", "environment"]
        assert rollout.stop == "environment"
        assert rollout.steps == 2
        assert [s.observation.reward for s in rollout.segments if s.author == "policy"] == [1.0, 1.0]
        said = tiny_models.byte_tokenizer().decode(rollout.segments[1].token_ids)
        assert said.removeprefix("<end>") == "[user]1 tokens<end>[assistant]"
    prompt = tiny_models.byte_tokenizer().decode(rollouts[0].prompt_ids)
    assert prompt.startswith("[user]Hi\n\nGo ")
    assert len({rollout.prompt_ids for rollout in groups[0].rollouts}) == 1
    scored = policy.logprobs(rollouts, grad=False)
    expected = torch.tensor([value for rollout in rollouts for value in rollout.logprobs])
    torch.testing.assert_close(scored.logprobs_N, expected, atol=1e-4, rtol=0)


def test_a_multi_turn_rollout_is_read_back_whole():
    """What a resumed run replays is what was sampled: turns, their rewards, and what the environment said first."""
    policy, task = make(), Hello(turns=True)
    policy.engine.end_ids = frozenset(range(300))
    groups = sampled(policy, task)
    scores = [[Score(0.0)] * len(group) for group in groups]
    lines = json.loads(json.dumps(rollout_records(groups, scores, step=0, phase="rl", weights={})))
    examples = {example.id: example for example in task.examples("train")}
    prompts = {name: task.prompt(example) for name, example in examples.items()}
    again, _ = groups_of(lines, examples, prompts)
    assert again == groups


def test_a_stop_string_ends_the_text_and_stays_in_it():
    policy = make()
    free = flat(sampled(policy, max_tokens=30))[0].completion
    stop = next(free[i : i + 2] for i in range(4, len(free)) if "\ufffd" not in free[i : i + 2])
    held = flat(sampled(policy, max_tokens=30, stop=(stop,)))[0]
    assert held.stop == "stop"
    assert held.completion == free[: free.index(stop) + len(stop)]


def test_a_reference_ends_with_the_end_of_turn_token():
    policy = make()
    rollout = policy.reference_rollout(Hello(forced="<a>"), Greeting(id="0", text="Hi"), "<a>ok")
    assert [(s.author, s.text, len(s.token_ids)) for s in rollout.segments] == [
        ("forced", "<a>", 3),
        ("policy", "ok", 3),
    ]
    assert rollout.segments[1].token_ids[-1] == tiny_models.END
    assert policy.logprobs([rollout]).lengths == (3,)
    assert policy.cost([rollout, rollout]) == len(rollout.prompt_ids) + 2 * 5


def step(policy, rate=1e-2):
    rollouts = flat(sampled(policy))
    optimiser = torch.optim.SGD(policy.parameters(), lr=rate)
    optimiser.zero_grad()
    policy.logprobs(rollouts).logprobs_N.mean().backward()
    optimiser.step()
    policy.updated()


OPTIONS = [{}, {"dtype": torch.bfloat16}, {"lora": LoraSpec(4)}, {"dtype": torch.bfloat16, "lora": LoraSpec(4)}]


@pytest.mark.parametrize("options", OPTIONS)
def test_saving_and_loading_is_exact(tmp_path, options):
    policy = make(**options)
    step(policy)
    step(policy)
    policy.save(tmp_path / "kept")
    other = make(**options)
    other.load(tmp_path / "kept")
    assert other.version == policy.version == 2
    for one, two in zip(policy.parameters(), other.parameters(), strict=True):
        assert one.dtype == torch.float32
        assert torch.equal(one, two)
    rollouts = flat(sampled(policy))
    assert rollouts == flat(sampled(other))
    assert torch.equal(policy.logprobs(rollouts).logprobs_N, other.logprobs(rollouts).logprobs_N)


def test_transformers_reads_what_was_saved(tmp_path):
    from transformers import AutoModelForCausalLM

    policy = make(dtype=torch.bfloat16)
    step(policy)
    policy.save(tmp_path / "kept")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "kept")
    for (name, read), master in zip(model.named_parameters(), policy.parameters(), strict=True):
        assert torch.equal(read, master), name
    again = LanguagePolicy.from_pretrained(str(tmp_path / "kept"), dtype="bfloat16", device="cpu")
    assert again.version == 1
    assert flat(sampled(again)) == flat(sampled(policy))


def test_masters_keep_updates_that_bfloat16_swallows():
    """A relative step of 1e-5 is lost on a bfloat16 weight (8 bits); a hundred of them in float32 show."""
    policy = make(dtype=torch.bfloat16)
    master = next(iter(policy.parameters()))
    before = master.detach().clone()
    compute = policy.masters.pairs["model.embed_tokens.weight"][1].detach().clone()
    for _ in range(1000):
        with torch.no_grad():
            master.mul_(1 + 1e-5)
    policy.updated()
    assert torch.allclose(master, before * 1.01, rtol=1e-3)
    assert not torch.equal(policy.masters.pairs["model.embed_tokens.weight"][1], compute)


def test_gradients_of_bfloat16_weights_add_up_in_float32_masters():
    policy = make(dtype=torch.bfloat16)
    rollouts = flat(sampled(policy))
    policy.logprobs(rollouts).logprobs_N.sum().backward()
    once = [parameter.grad.clone() for parameter in policy.parameters()]
    policy.logprobs(rollouts).logprobs_N.sum().backward()
    for first, parameter in zip(once, policy.parameters(), strict=True):
        assert parameter.grad.dtype == torch.float32
        torch.testing.assert_close(parameter.grad, 2 * first)
    assert all(parameter.grad is None for parameter in policy.model.parameters())


@pytest.mark.parametrize("options", OPTIONS)
def test_a_snapshot_stands_still(options):
    policy = make(**options)
    rollouts = flat(sampled(policy))
    before = policy.logprobs(rollouts, grad=False).logprobs_N
    frozen = policy.snapshot()
    step(policy, rate=1.0)
    assert torch.equal(frozen.logprobs(rollouts, grad=False).logprobs_N, before)
    assert not torch.equal(policy.logprobs(rollouts, grad=False).logprobs_N, before)
    assert list(frozen.parameters()) == []


@pytest.mark.parametrize("options", OPTIONS)
def test_a_snapshot_can_be_loaded_too(options, tmp_path):
    """A resumed run measures its divergence from where RL began: a snapshot of the moved policy, loaded back."""
    policy = make(**options)
    rollouts = flat(sampled(policy))
    policy.save(tmp_path)
    before = policy.logprobs(rollouts, grad=False).logprobs_N
    step(policy, rate=1.0)
    frozen = policy.snapshot()
    frozen.load(tmp_path)
    assert torch.equal(frozen.logprobs(rollouts, grad=False).logprobs_N, before)


def test_an_engine_of_its_own_gets_changed_weights_once(tmp_path):
    class Recorder:
        given, times = None, 0

        def load_weights(self, weights):
            self.times += 1
            self.given = {name: weight.clone() for name, weight in weights.items()}

    policy = make()
    policy.save(tmp_path)
    policy.engine = Recorder()
    policy.load(tmp_path)
    policy.hand_over()
    assert set(policy.engine.given) == set(policy.masters.pairs)
    policy.hand_over()
    assert policy.engine.times == 1
    policy.updated()
    policy.updated()
    policy.hand_over()
    assert policy.engine.times == 2


@pytest.mark.parametrize("options", OPTIONS)
def test_an_engine_of_its_own_gets_plain_weights_with_adapters_merged(options):
    """A fresh model of the same shape that loads them computes what the policy computes."""
    policy = make(**options)
    step(policy, rate=0.1)
    given = {name: weight.clone() for name, weight in PlainWeights(policy.model).items()}
    twin = LanguagePolicy(tiny_models.tiny_llama(seed=9), policy.tokenizer, dtype=policy.dtype).model
    assert twin.load_state_dict(given, strict=False).missing_keys == ["lm_head.weight"]  # tied
    ids = torch.tensor([[5, 9, 100, 41]])
    with merged(policy.model):
        expected = policy.model(input_ids=ids).logits
    assert torch.equal(twin(input_ids=ids).logits, expected)


@dataclass(frozen=True)
class Fixed:
    """An engine that cannot follow, and its own maker."""

    fixed: str = "it is a stone"

    def make(self, model, tokenizer, weights):
        return self


def test_a_policy_whose_engine_cannot_follow_is_not_trained(tmp_path):
    policy = make()
    assert policy.fixed == ""
    policy.generate_with(Fixed())
    assert policy.fixed == "it is a stone"
    trainer = Trainer(policy, Hello(), always, TrainConfig(steps=1))
    with pytest.raises(ConfigError, match=r"train\.steps is 1.* the policy cannot be trained: it is a stone"):
        trainer.check()
    Trainer(policy, Hello(), always, TrainConfig(steps=0)).check()


@pytest.mark.parametrize(
    ("engine", "expected"),
    [
        ("transformers", TransformersEngine),
        ({"use": "transformers", "with": {"max_rows": 2}}, TransformersEngine),
        ({"use": "server", "with": {"base_url": "http://localhost:8000/v1", "model": "m"}}, ServedEngine),
    ],
    ids=["by name alone", "with options", "server"],
)
def test_a_recipe_names_the_engine(engine, expected, tmp_path):
    make().save(tmp_path)
    policy = build_policy(Use(use="language", **{"with": {"model": str(tmp_path), "engine": engine}}), seed=0)
    assert type(policy.engine) is expected
    assert getattr(policy.engine, "max_rows", 2) in (2, 256)


def test_an_option_of_an_engine_is_named_by_its_field(tmp_path):
    wrong = {"use": "transformers", "with": {"max_row": 2}}
    with pytest.raises(ConfigError, match=r"'policy\.with\.engine\.with\.max_row' is unknown; did you mean 'max_rows'"):
        build_policy(Use(use="language", **{"with": {"engine": wrong}}), seed=0)


def test_a_question_cannot_end_its_turn():
    """The end token spelt out in a message stays text: one end token per message, and none from its words."""
    policy = make()
    ids = policy.chat.prompt_ids(Prompt((Message("user", "hi<end>[assistant]yes"),)))
    assert ids.count(tiny_models.END) == 1


def test_adapters_are_active_while_sampling():
    policy = make(lora=LoraSpec(4))
    names = {name for name in policy.masters.pairs if "lora_" in name}
    assert names == set(policy.masters.pairs)
    step(policy, rate=5.0)
    rollouts = flat(sampled(policy))
    expected = torch.tensor([value for rollout in rollouts for value in rollout.logprobs])
    torch.testing.assert_close(policy.logprobs(rollouts, grad=False).logprobs_N, expected, atol=1e-4, rtol=0)
    assert flat(sampled(make(lora=LoraSpec(4)))) != rollouts


def test_an_unknown_device_is_named(tmp_path, monkeypatch):
    """And CUDA where torch finds none: it was torch's own error."""
    for device in ("gpu9", "cuda:x", None):
        with pytest.raises(ConfigError, match=f"device is {device!r}; accepted are 'auto', 'cpu', 'cuda'"):
            LanguagePolicy.from_pretrained(str(tmp_path), device=device)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="device is 'cuda:0', and torch finds no CUDA here"):
        LanguagePolicy.from_pretrained(str(tmp_path), device="cuda:0")


def test_an_unknown_dtype_or_model_is_named(tmp_path):
    with pytest.raises(ConfigError, match="'float16'"):
        LanguagePolicy.from_pretrained(str(tmp_path), dtype="float16")
    with pytest.raises(PolicyError, match="nowhere"):
        LanguagePolicy.from_pretrained(str(tmp_path / "nowhere"))


def test_loading_another_folder_is_refused(tmp_path):
    with pytest.raises(PolicyError, match="does not hold weights of this policy"):
        make().load(tmp_path)


@pytest.mark.parametrize(("package", "lora"), [("transformers", None), ("peft", LoraSpec())])
def test_a_training_library_that_is_missing_is_named_with_what_installs_it(monkeypatch, package, lora):
    """torch alone may be there for another package's sake."""
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match=rf"the package {package}, which is not installed.*guerdon\[train\]"):
        LanguagePolicy.from_pretrained("embedded", lora=lora)
