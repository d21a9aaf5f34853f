"""A packed group gives the log-probs and gradients of its completions in rows of their own."""

# ruff: noqa: E402 - what needs torch is imported after the skip that asks for it

import importlib.util
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

_spec = importlib.util.spec_from_file_location("tiny_models", Path(__file__).with_name("tiny_models.py"))
tiny_models = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tiny_models)

from guerdon.errors import PolicyError
from guerdon.policies.likelihood import Likelihood
from guerdon.policies.packing import Completion, PackedGroup, group_neighbours
from guerdon.types import Example, Rollout, Segment


def tokens(count, seed):
    return tuple(torch.randint(0, 300, (count,), generator=torch.Generator().manual_seed(seed)).tolist())


def all_scored(ids):
    return Completion(ids, tuple(range(len(ids))))


GROUPS = [
    PackedGroup(tokens(10, 0), (*(all_scored(tokens(length, length)) for length in (5, 1, 0, 9)),)),
    PackedGroup(tokens(4, 20), (Completion(tokens(6, 21), (1, 2, 5)), Completion(tokens(3, 22), ()))),
    PackedGroup(tokens(7, 30), (all_scored(tokens(1, 31)),)),
]


def scored(model, *, packs, groups=GROUPS, temperature=0.8, **options):
    likelihood = Likelihood(model, **options)
    likelihood._packs = packs
    logprobs, entropies = likelihood.score(groups, temperature)
    model.zero_grad()
    (logprobs * torch.linspace(-1, 1, len(logprobs))).sum().backward()
    return logprobs.detach(), entropies, {name: p.grad.clone() for name, p in model.named_parameters()}


@pytest.mark.parametrize("changes", [{}, {"tie_word_embeddings": False, "num_key_value_heads": 4}])
@pytest.mark.parametrize("row_tokens", [4096, 1])
def test_packed_is_exact_to_the_unpacked_gradient(changes, row_tokens):
    model = tiny_models.tiny_llama(**changes)
    logprobs, entropies, gradients = scored(model, packs=True, row_tokens=row_tokens)
    plain_logprobs, plain_entropies, plain_gradients = scored(model, packs=False)
    assert len(logprobs) == 15 + 3 + 1
    torch.testing.assert_close(logprobs, plain_logprobs, atol=1e-5, rtol=0)
    torch.testing.assert_close(entropies, plain_entropies, atol=1e-4, rtol=0)
    for name, gradient in gradients.items():
        assert (gradient - plain_gradients[name]).norm() <= 1e-5 * plain_gradients[name].norm(), name


def test_the_check_accepts_a_plain_model():
    assert Likelihood(tiny_models.tiny_llama()).packs


def test_a_model_that_cannot_be_packed_falls_back_and_says_so_once(caplog):
    from transformers import MistralConfig, MistralForCausalLM

    torch.manual_seed(0)
    config = MistralConfig(
        vocab_size=300, hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=128, sliding_window=4,
    )  # fmt: skip
    likelihood = Likelihood(MistralForCausalLM(config).eval())
    logprobs, _ = likelihood.score(GROUPS)
    likelihood.score(GROUPS)
    assert len(logprobs) == 19
    assert caplog.text.count("MistralForCausalLM cannot be trained on packed groups") == 1
    assert likelihood.cost(GROUPS) == (10 + 4) + (10 + 0) + (10 + 0) + (10 + 8) + (4 + 5) + 4 + 7


def test_cost_counts_each_shared_prompt_once_and_no_last_token():
    """10 + (4 + 0 + 0 + 8), 4 + (5 + 0), 7 + 0: what is only predicted or follows the last scored token is not read."""
    assert [group.cost for group in GROUPS] == [22, 9, 7]


def test_neighbours_with_one_prompt_make_a_group_and_only_the_policys_tokens_are_scored():
    example = Example(id="a")
    multi = Rollout(
        example,
        (
            Segment("forced", "x", (1,)),
            Segment("policy", "yy", (2, 3)),
            Segment("environment", "zz", (4, 5)),
            Segment("policy", "w", (6,)),
        ),
        prompt_ids=(7, 8),
    )
    other = Rollout(example, (Segment("policy", "v", (9,)),), prompt_ids=(7,))
    groups = group_neighbours([multi, multi, other, multi])
    assert [(group.prompt_ids, len(group.completions)) for group in groups] == [((7, 8), 2), ((7,), 1), ((7, 8), 1)]
    assert groups[0].completions[0] == Completion((1, 2, 3, 4, 5, 6), (1, 2, 5))


def test_text_without_tokens_is_refused():
    with pytest.raises(PolicyError, match="reference_rollout"):
        group_neighbours([Rollout.of(Example(id="a"), "hello", prompt_ids=(1,))])
    with pytest.raises(PolicyError, match="prompt_ids"):
        group_neighbours([Rollout.of(Example(id="a"), "hello")])
