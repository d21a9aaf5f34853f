"""Generation agrees with the model it runs: log-probs, greedy choices, stops, seeds."""

# ruff: noqa: E402 - what needs torch is imported after the skip that asks for it

import importlib.util
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

_spec = importlib.util.spec_from_file_location("tiny_models", Path(__file__).with_name("tiny_models.py"))
tiny_models = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tiny_models)

from guerdon.engines.decoders import PlainDecoder, SharedDecoder
from guerdon.engines.llama_decode import LlamaDecoder
from guerdon.engines.sampling import draw
from guerdon.engines.transformers import TransformersEngine, disagreement
from guerdon.errors import PolicyError
from guerdon.protocols import Sampling

PROMPTS = [[5, 9, 100, 41, 7], [8, 8, 250], [11, 12, 13, 14, 15, 16, 17, 18, 19]]


@pytest.fixture(scope="module")
def model():
    return tiny_models.tiny_llama()


@pytest.fixture
def engine(model):
    engine = TransformersEngine(model, tiny_models.byte_tokenizer())
    engine.end_ids = frozenset()
    return engine


def plain_logprobs(model, prompt, tokens, temperature=1.0):
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([[*prompt, *tokens]])).logits[0, len(prompt) - 1 : -1]
    table = (logits / temperature).log_softmax(-1)
    return table[torch.arange(len(tokens)), torch.tensor(tokens)]


@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_logprobs_are_those_of_a_plain_forward_pass(model, engine, temperature):
    drawn = engine.generate(PROMPTS, 3, Sampling(temperature=temperature, max_tokens=12), seed=3)
    for prompt, group in zip(PROMPTS, drawn, strict=True):
        for generation in group:
            expected = plain_logprobs(model, prompt, generation.token_ids, temperature)
            torch.testing.assert_close(torch.tensor(generation.logprobs), expected, atol=1e-4, rtol=0)


def test_greedy_is_what_transformers_generates(model, engine):
    drawn = engine.generate(PROMPTS, 1, Sampling(temperature=0, max_tokens=20), seed=0)
    for prompt, (generation,) in zip(PROMPTS, drawn, strict=True):
        ids = torch.tensor([prompt])
        expected = model.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=20, eos_token_id=-1
        )
        assert list(generation.token_ids) == expected[0, len(prompt) :].tolist()


def test_the_same_seed_draws_the_same_and_another_does_not(engine):
    first, again, other = (engine.generate(PROMPTS, 2, Sampling(max_tokens=8), seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert first[0][0] != first[0][1]


@pytest.mark.parametrize("limits", [{"max_rows": 1}, {"max_rows": 2}, {"max_tokens_held": 30}])
def test_a_completion_does_not_depend_on_its_batch(model, engine, limits):
    split = TransformersEngine(model, **limits)
    split.end_ids = frozenset()
    whole = engine.generate(PROMPTS, 4, Sampling(max_tokens=8), seed=1)
    parts = split.generate(PROMPTS, 4, Sampling(max_tokens=8), seed=1)
    assert [[g.token_ids for g in group] for group in whole] == [[g.token_ids for g in group] for group in parts]


def test_rows_that_end_early_leave_the_others_as_they_were(model, engine):
    """A third of the vocabulary ends a completion, so rows and whole groups leave at every step."""
    ending = TransformersEngine(model)
    ending.end_ids = frozenset(range(0, 300, 9))
    free = engine.generate(PROMPTS, 4, Sampling(max_tokens=24), seed=5)
    cut = ending.generate(PROMPTS, 4, Sampling(max_tokens=24), seed=5)
    stops = set()
    for before, after in zip((g for group in free for g in group), (g for group in cut for g in group), strict=True):
        ends = [place + 1 for place, token in enumerate(before.token_ids) if token in ending.end_ids]
        assert after.token_ids == before.token_ids[: min(ends, default=24)]
        assert after.stop == ("stop" if ends else "length")
        stops.add(len(after.token_ids))
    assert len(stops) > 3


def test_a_completion_that_ends_at_once_is_its_end_token(model):
    engine = TransformersEngine(model)
    engine.end_ids = frozenset(range(300))
    (group,) = engine.generate([[5, 6]], 2, Sampling(max_tokens=8), seed=0)
    assert [(len(generation.token_ids), generation.stop) for generation in group] == [(1, "stop")] * 2


def test_no_budget_gives_empty_completions(engine):
    (group,) = engine.generate([[5, 6]], 2, Sampling(max_tokens=0), seed=0)
    assert [(g.token_ids, g.logprobs, g.stop) for g in group] == [((), (), "length")] * 2


def test_generation_ends_with_the_token_that_completes_a_stop_string(engine):
    tokenizer = engine.tokenizer
    (free,) = engine.generate(PROMPTS[:1], 4, Sampling(max_tokens=30), seed=7)
    text = tokenizer.decode(free[0].token_ids)
    stop = next(text[i : i + 2] for i in range(5, len(text)) if "\ufffd" not in text[i : i + 2])
    (held,) = engine.generate(PROMPTS[:1], 4, Sampling(max_tokens=30, stop=(stop,)), seed=7)
    assert held[0].stop == "stop"
    assert stop in tokenizer.decode(held[0].token_ids)
    assert stop not in tokenizer.decode(held[0].token_ids[:-1])


def test_progress_counts_finished_completions(engine):
    seen = []
    engine.generate(PROMPTS, 2, Sampling(max_tokens=3), seed=0, on_token=seen.append)
    assert seen == [1, 2, 3, 4, 5, 6]


def test_a_prompt_that_does_not_fit_is_refused_with_both_numbers(engine):
    with pytest.raises(
        PolicyError, match=r"prompt 0 has 120 tokens and sampling.max_tokens=20, together more than .* 128"
    ):
        engine.generate([[5] * 120], 1, Sampling(max_tokens=20), seed=0)
    with pytest.raises(PolicyError, match="prompt 1 has no tokens"):
        engine.generate([[5], []], 1, Sampling(max_tokens=2), seed=0)


@pytest.mark.parametrize("build", [LlamaDecoder, SharedDecoder, PlainDecoder])
def test_each_decoder_agrees_with_full_passes(model, build):
    assert disagreement(model, build(model)) < 1e-5


@pytest.mark.parametrize("build", [SharedDecoder, PlainDecoder])
def test_all_decoders_draw_the_same_completions(model, engine, build):
    other = TransformersEngine(model)
    other.end_ids, other._decoder = frozenset(range(0, 300, 9)), build(model)
    engine.end_ids = other.end_ids
    assert isinstance(engine.decoder(), LlamaDecoder)
    lean = engine.generate(PROMPTS, 3, Sampling(max_tokens=16), seed=2)
    full = other.generate(PROMPTS, 3, Sampling(max_tokens=16), seed=2)
    assert [[g.token_ids for g in group] for group in lean] == [[g.token_ids for g in group] for group in full]


def test_the_lean_step_is_that_of_the_model_in_half_precision_too():
    """bfloat16 keeps 8 bits: logits of size 4 are off by 0.02 or so, and another function would be off by nats."""
    half = tiny_models.tiny_llama().to(torch.bfloat16)
    assert disagreement(half, LlamaDecoder(half)) < 0.1


def test_joined_weights_stay_the_models_own():
    """After a step in place, and after a weight is replaced, the lean step follows."""
    model = tiny_models.tiny_llama()
    decoder = LlamaDecoder(model)
    disagreement(model, decoder)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.3)
    assert disagreement(model, decoder) < 1e-4
    model.model.layers[0].self_attn.k_proj.weight.data = torch.ones(16, 32)
    assert disagreement(model, decoder) < 1e-4


@pytest.mark.parametrize("changes", [{"attention_bias": True}, {"mlp_bias": True}, {"hidden_act": "gelu"}])
def test_a_llama_of_another_shape_is_left_to_its_own_modules(changes):
    model = tiny_models.tiny_llama(**changes)
    assert not LlamaDecoder.fits(model)
    assert type(TransformersEngine(model).decoder()) is SharedDecoder


def test_a_model_with_windowed_attention_falls_back_to_plain_batches(caplog):
    from transformers import MistralConfig, MistralForCausalLM

    torch.manual_seed(0)
    config = MistralConfig(
        vocab_size=300, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=128, sliding_window=4,
    )  # fmt: skip
    windowed = MistralForCausalLM(config).eval()
    engine = TransformersEngine(windowed)
    engine.end_ids = frozenset()
    (group,) = engine.generate([list(range(5, 15))], 2, Sampling(max_tokens=6), seed=0)
    assert isinstance(engine.decoder(), PlainDecoder)
    assert "MistralForCausalLM" in caplog.text
    expected = plain_logprobs(windowed, list(range(5, 15)), group[0].token_ids)
    torch.testing.assert_close(torch.tensor(group[0].logprobs), expected, atol=1e-4, rtol=0)


def test_draws_follow_the_distribution():
    """Shares of 4,000 evenly spaced uniforms are the probabilities to 1/4000 a token."""
    logits = torch.randn(1, 700, generator=torch.Generator().manual_seed(0)) * 2
    uniform = (torch.arange(4000) + 0.5) / 4000
    ids, logprobs = draw(logits.expand(4000, -1), uniform, Sampling(temperature=0.8))
    expected = (logits[0] / 0.8).softmax(-1)
    assert (torch.bincount(ids, minlength=700) / 4000 - expected).abs().max() < 1.01 / 4000
    torch.testing.assert_close(logprobs, expected.log()[ids], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("sampling", "kept"),
    [(Sampling(top_k=2), {1, 3}), (Sampling(top_p=0.75), {1, 3}), (Sampling(top_p=0.85), {0, 1, 3})],
)
def test_top_k_and_top_p_keep_the_likeliest(sampling, kept):
    """Probabilities 0.15, 0.5, 0.05, 0.3: two make 0.8, three make 0.95."""
    logits = torch.tensor([[0.15, 0.5, 0.05, 0.3]]).log().expand(200, -1)
    ids, logprobs = draw(logits, torch.arange(200) / 200, sampling)
    assert set(ids.tolist()) == kept
    torch.testing.assert_close(logprobs, logits[0][ids], atol=1e-6, rtol=1e-6)
