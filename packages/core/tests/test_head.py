"""Log-probs from hidden states agree with a plain log-softmax, whatever the chunking."""

# ruff: noqa: E402 - what needs torch is imported after the skip that asks for it

import pytest

torch = pytest.importorskip("torch")

from guerdon.policies import head
from guerdon.policies.head import chosen_logprobs


def make(count, *, width=16, vocabulary=1000, dtype=torch.float32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(count, width, generator=generator).to(dtype).requires_grad_()
    weight = torch.randn(vocabulary, width, generator=generator).to(dtype).requires_grad_()
    bias = torch.randn(vocabulary, generator=generator).to(dtype).requires_grad_()
    targets = torch.randint(0, vocabulary, (count,), generator=generator)
    return hidden, weight, bias, targets


@pytest.mark.parametrize("elements", [1, 3000, 1 << 22])
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_values_and_gradients_are_those_of_log_softmax(monkeypatch, elements, temperature):
    monkeypatch.setattr(head, "CHUNK_ELEMENTS", elements)
    hidden, weight, bias, targets = make(37)
    upstream = torch.linspace(-1, 1, 37)
    logprobs, entropies = chosen_logprobs(hidden, weight, targets, bias_V=bias, temperature=temperature)
    gradients = torch.autograd.grad((logprobs * upstream).sum(), (hidden, weight, bias))
    table = ((hidden @ weight.T + bias) / temperature).log_softmax(-1)
    plain = table[torch.arange(37), targets]
    expected = torch.autograd.grad((plain * upstream).sum(), (hidden, weight, bias))
    torch.testing.assert_close(logprobs, plain, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(entropies, -(table.exp() * table).sum(-1), atol=1e-4, rtol=1e-4)
    for got, wanted in zip(gradients, expected, strict=True):
        torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-4)


def test_a_uniform_distribution_has_the_entropy_of_its_size():
    """All logits equal over 8 tokens: log-prob -ln 8, entropy ln 8."""
    logprobs, entropies = chosen_logprobs(torch.zeros(2, 4), torch.ones(8, 4), torch.tensor([0, 7]))
    torch.testing.assert_close(logprobs, torch.full((2,), -2.0794415))
    torch.testing.assert_close(entropies, torch.full((2,), 2.0794415))


def test_no_scored_token_is_no_row():
    hidden, weight, _, targets = make(0)
    logprobs, entropies = chosen_logprobs(hidden, weight, targets)
    assert logprobs.shape == entropies.shape == (0,)
    assert torch.autograd.grad(logprobs.sum(), weight)[0].abs().sum() == 0


def test_a_masked_token_does_not_make_the_entropy_nan():
    """One of two equal tokens masked by a bias of -inf: the other is certain."""
    bias = torch.tensor([0.0, -torch.inf])
    logprobs, entropies = chosen_logprobs(torch.zeros(1, 4), torch.ones(2, 4), torch.tensor([0]), bias_V=bias)
    assert logprobs.item() == 0.0
    assert entropies.item() == pytest.approx(0.0, abs=1e-6)


def test_half_precision_gradients_follow_float32_ones():
    hidden, weight, _, targets = make(29, dtype=torch.bfloat16)
    logprobs, _ = chosen_logprobs(hidden, weight, targets)
    assert logprobs.dtype == torch.float32
    gradients = torch.autograd.grad(logprobs.sum(), (hidden, weight))
    wide = [tensor.detach().float().requires_grad_() for tensor in (hidden, weight)]
    table = (wide[0] @ wide[1].T).log_softmax(-1)
    expected = torch.autograd.grad(table[torch.arange(29), targets].sum(), wide)
    for got, wanted in zip(gradients, expected, strict=True):
        assert got.dtype == torch.bfloat16
        assert (got.float() - wanted).norm() / wanted.norm() < 0.02
