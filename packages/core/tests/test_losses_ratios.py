"""A sequence's log-ratio to a reference, by hand."""

import pytest

torch = pytest.importorskip("torch", reason="losses need torch; the extra guerdon[train] is not installed")

from guerdon.losses.ratios import log_ratios  # noqa: E402


def one(*numbers):
    return torch.tensor(numbers)


def test_a_sequences_log_ratio_adds_up_its_own_steps():
    """(-1 + 2) + (-2 + 2) = 1; the empty one 0; -3 + 1 = -2."""
    assert log_ratios(one(-1.0, -2.0, -3.0), one(-2.0, -2.0, -1.0), [2, 0, 1]).tolist() == [1.0, 0.0, -2.0]


def test_token_weights_say_what_each_step_counts():
    """.5 * 1 + 3 * 0, and 2 * -2."""
    found = log_ratios(one(-1.0, -2.0, -3.0), one(-2.0, -2.0, -1.0), [2, 1], one(0.5, 3.0, 2.0))
    assert found.tolist() == [0.5, -4.0]


def test_the_policy_is_moved_by_its_ratio_and_the_reference_is_not():
    """d/dlogp is the token's weight: 1 and 3 of the first sequence, 0 of the second's step."""
    policy, reference = one(-1.0, -2.0, -3.0).requires_grad_(), one(-2.0, -2.0, -2.5).requires_grad_()
    log_ratios(policy, reference, [2, 1], one(1.0, 3.0, 0.0)).sum().backward()
    assert policy.grad.tolist() == [1.0, 3.0, 0.0]
    assert reference.grad is None


def test_a_small_difference_over_many_steps_is_not_rounded_away():
    """4096 steps of 2^-24 more than -16: 2^-12, exactly. In float32 -16 + 2^-24 is -16."""
    policy = torch.full((4096,), -16.0, dtype=torch.float64) + 2.0**-24
    assert log_ratios(policy, torch.full((4096,), -16.0), [4096]).tolist() == [2.0**-12]


def test_of_no_sequence_there_is_no_ratio():
    assert log_ratios(torch.zeros(0), torch.zeros(0), []).tolist() == []
