"""Policies that see: a prompt with pictures is shared by its group, exactly; whatever the model does with pictures."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from guerdon.engines import multimodal
from guerdon.errors import ConfigError, PolicyError, TaskError
from guerdon.policies.language import LanguagePolicy, LoraSpec
from guerdon.protocols import Sampling, Split, Task
from guerdon.types import Example, Group, Image, Message, Prompt, Rollout

_spec = importlib.util.spec_from_file_location("tiny_sighted", Path(__file__).with_name("tiny_sighted.py"))
tiny_sighted = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tiny_sighted)

SAMPLING = Sampling(max_tokens=6)
real = multimodal.prompt_states


@dataclass(frozen=True)
class Seen(Task):
    """`1` is a question of words alone; every other id is the seed of a picture."""

    name = "seen"

    def examples(self, split: Split) -> list[Example]:
        return [Example(id=str(place)) for place in range(3)]

    def prompt(self, example: Example) -> Prompt:
        images = () if example.id == "1" else (tiny_sighted.noise(int(example.id)),)
        return Prompt((Message("user", "look", images),))


@pytest.fixture(params=["smolvlm", "llava", "qwen2_vl", "qwen3_vl"])
def policy(request: pytest.FixtureRequest, tmp_path: Path) -> LanguagePolicy:
    make = getattr(tiny_sighted, request.param)
    return make(tmp_path) if request.param.startswith("qwen") else make()


def drawn(policy: LanguagePolicy) -> tuple[list[Group], list[Rollout]]:
    groups = policy.sample(Seen(), Seen().examples("train"), 3, SAMPLING, seed=1)
    return groups, [rollout for group in groups for rollout in group.rollouts]


def test_what_is_trained_on_is_what_was_sampled_from(policy: LanguagePolicy):
    """The log-probs of packed training are those that the engine drew with."""
    _, rollouts = drawn(policy)
    sampled = torch.tensor([value for rollout in rollouts for value in rollout.logprobs])
    scored = policy.logprobs(rollouts, grad=False).logprobs_N
    torch.testing.assert_close(scored, sampled, atol=1e-4, rtol=0)


def test_a_shared_prompt_gives_the_numbers_of_the_model_as_it_is(tmp_path: Path):
    for policy in (tiny_sighted.smolvlm(), tiny_sighted.llava(), tiny_sighted.qwen2_vl(tmp_path)):
        groups, rollouts = drawn(policy)
        packed = policy.logprobs(rollouts, grad=False).logprobs_N
        assert policy.likelihood._packs_pictures
        assert policy.engine._shares_pictures  # type: ignore[attr-defined]
        policy.likelihood._packs_pictures = policy.engine._shares_pictures = False  # type: ignore[attr-defined]
        torch.testing.assert_close(packed, policy.logprobs(rollouts, grad=False).logprobs_N, atol=1e-4, rtol=0)
        again, _ = drawn(policy)
        assert again == groups or all(
            a.completion == b.completion
            for one, two in zip(groups, again, strict=True)
            for a, b in zip(one.rollouts, two.rollouts, strict=True)
        )


@pytest.mark.parametrize(("made", "together"), [("smolvlm", True), ("llava", True), ("qwen2_vl", False)])
def test_pictures_of_one_shape_go_through_the_model_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: str, together: bool
):
    """Where positions have several axes they go one by one; the states are the same either way."""
    policy = tiny_sighted.qwen2_vl(tmp_path) if made == "qwen2_vl" else getattr(tiny_sighted, made)()
    prompts = [policy.chat.read(Seen().prompt(Example(id=name))) for name in ("0", "2", "3")]
    alone = [multimodal.prompt_states(policy.model, *prompt) for prompt in prompts]
    multimodal.states_of(policy.model, prompts)  # asks the model once whether it allows it
    asked: list[int] = []
    monkeypatch.setattr(multimodal, "prompt_states", lambda model, ids, own: asked.append(1) or real(model, ids, own))
    found = multimodal.states_of(policy.model, prompts)
    assert len(asked) == (0 if together else 3)
    for one, other in zip(alone, found, strict=True):
        torch.testing.assert_close(one.states_PW, other.states_PW, atol=1e-5, rtol=1e-4)
        assert torch.equal(one.positions_AP, other.positions_AP)


def test_features_for_deeper_layers_cannot_be_shared_and_are_not(tmp_path: Path):
    policy = tiny_sighted.qwen3_vl(tmp_path)
    drawn(policy)
    assert policy.engine._shares_pictures is False  # type: ignore[attr-defined]


def test_the_picture_matters(policy: LanguagePolicy):
    """Same words, same tokens, another picture: another distribution, and another group."""
    _, rollouts = drawn(policy)
    first = rollouts[0]
    other = Rollout(
        first.example, first.segments, Prompt((Message("user", "look", (tiny_sighted.noise(7),)),)), first.prompt_ids
    )
    both = policy.logprobs([first, other], grad=False).logprobs_N.reshape(2, -1)
    assert float((both[0] - both[1]).abs().max()) > 1e-3


def test_the_gradient_reaches_what_sees(policy: LanguagePolicy):
    _, rollouts = drawn(policy)
    policy.logprobs(rollouts).logprobs_N.sum().backward()
    found = {
        name: float(parameter.grad.abs().sum())
        for name, parameter in policy.model.named_parameters()
        if "patch_embed" in name and parameter.grad is not None
    }
    assert found
    assert all(value > 0 for value in found.values())


def test_a_broken_picture_is_named_before_anything_is_drawn(tmp_path: Path):
    (tmp_path / "broken.png").write_bytes(b"nothing")

    class Broken(Seen):
        def prompt(self, example: Example) -> Prompt:
            return Prompt((Message("user", "look", (Image(str(tmp_path / "broken.png")),)),))

    with pytest.raises(TaskError, match=r"broken\.png"):
        tiny_sighted.llava().sample(Broken(), [Example(id="0")], 1, SAMPLING, seed=0)


def test_a_model_that_reads_text_only_refuses_pictures():
    policy = LanguagePolicy(tiny_sighted.tiny_models.tiny_llama(), tiny_sighted.tiny_models.byte_tokenizer())
    with pytest.raises(PolicyError, match="reads text only"):
        policy.sample(Seen(), [Example(id="0")], 1, SAMPLING, seed=0)


def test_an_engine_that_takes_no_pictures_is_named():
    policy = tiny_sighted.llava()

    class Blind:
        def load_weights(self, weights: object) -> None: ...

        def generate(self, prompts: object, n: int, sampling: Sampling, *, seed: int) -> list[list[object]]:
            raise AssertionError("asked for what it cannot do")

    policy.engine = Blind()  # type: ignore[assignment]
    with pytest.raises(PolicyError, match="Blind takes no prompts with images"):
        policy.sample(Seen(), [Example(id="0")], 1, SAMPLING, seed=0)


def test_words_cannot_make_a_picture():
    """A placeholder spelt out in a question is text."""
    policy = tiny_sighted.llava()
    ids, pictures = policy.chat.read(Prompt((Message("user", "an <image> in words", (tiny_sighted.noise(0),)),)))
    image = policy.tokenizer.convert_tokens_to_ids("<image>")
    assert ids.count(image) == 16
    assert pictures["pixel_values"].shape[0] == 1


def test_a_saved_policy_sees_as_before(tmp_path: Path):
    policy = tiny_sighted.smolvlm()
    _, rollouts = drawn(policy)
    before = policy.logprobs(rollouts, grad=False).logprobs_N
    policy.save(tmp_path / "kept")
    read = LanguagePolicy.from_pretrained(str(tmp_path / "kept"), dtype="float32")
    torch.testing.assert_close(read.logprobs(rollouts, grad=False).logprobs_N, before, atol=1e-5, rtol=0)
    assert drawn(read)[1][0].completion == rollouts[0].completion


def test_every_kind_that_sees_reads_what_it_saved_bit_for_bit(policy: LanguagePolicy, tmp_path: Path):
    """LLaVA's classes save under the names of their first release."""
    policy.save(tmp_path / "kept")
    saved = {name: values.clone() for name, values in policy.weights().items()}
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.add_(1.0)
    policy.load(tmp_path / "kept")
    assert all(torch.equal(values, saved[name]) for name, values in policy.weights().items())


def test_beside_adapters_the_fresh_parts_are_trained_whole_and_kept(tmp_path: Path):
    base = tiny_sighted.smolvlm()
    base.save(tmp_path / "base")
    spec = LoraSpec(r=2, whole=("vision_model", "connector"))
    policy = LanguagePolicy.from_pretrained(str(tmp_path / "base"), dtype="float32", lora=spec)
    trained = {name for name, parameter in policy.model.named_parameters() if parameter.requires_grad}
    assert any("lora_" in name for name in trained)
    assert not any("lora_" in name and "vision_model" in name for name in trained)
    assert all(("vision_model" in name or "connector" in name) for name in trained if "lora_" not in name)
    assert any("patch_embedding" in name for name in trained)
    _, rollouts = drawn(policy)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.add_(0.05)
    policy.updated()
    after = policy.logprobs(rollouts, grad=False).logprobs_N
    policy.save(tmp_path / "adapted")
    read = LanguagePolicy.from_pretrained(str(tmp_path / "adapted"), dtype="float32")
    torch.testing.assert_close(read.logprobs(rollouts, grad=False).logprobs_N, after, atol=1e-5, rtol=0)


def test_a_part_that_is_not_there_cannot_be_trained_whole(tmp_path: Path):
    from guerdon.errors import ConfigError

    tiny_sighted.smolvlm().save(tmp_path / "base")
    with pytest.raises(ConfigError, match="tower"):
        LanguagePolicy.from_pretrained(str(tmp_path / "base"), dtype="float32", lora=LoraSpec(whole=("tower",)))


def test_what_is_frozen_has_no_gradient_and_is_no_parameter_for_a_while(policy: LanguagePolicy):
    _, (rollout, *_) = drawn(policy)
    names = {part for name in policy.masters.pairs for part in name.split(".")}
    (sight,) = names & {"vision_model", "vision_tower", "visual"}
    whole = len(list(policy.parameters()))
    with policy.frozen([sight]):
        left = len(list(policy.parameters()))
        policy.logprobs([rollout]).logprobs_N.sum().backward()
    graded = {name for name, (master, _) in policy.masters.pairs.items() if master.grad is not None}
    assert graded == {name for name in policy.masters.pairs if sight not in name.split(".")}
    assert left == len(graded) < whole == len(list(policy.parameters()))


def test_what_cannot_be_frozen_is_named(policy: LanguagePolicy):
    with pytest.raises(ConfigError, match=r"frozen names \['eyes'\]"), policy.frozen(["eyes"]):
        pass
    everything = sorted({name.split(".")[0] for name in policy.masters.pairs})
    with pytest.raises(ConfigError, match="nothing else of the model is trained"), policy.frozen(everything):
        pass
