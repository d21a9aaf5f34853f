"""Ratios per sequence, CISPO and the limits on log-ratios: MediX-R1's worked examples, and any packing of a batch."""

import math

import pytest

torch = pytest.importorskip("torch", reason="losses are torch functions; the extra guerdon[train] is not installed")

from pydantic import ValidationError  # noqa: E402

from guerdon.advantages import group_relative  # noqa: E402
from guerdon.errors import ConfigError, PolicyError  # noqa: E402
from guerdon.losses.averaging import step_weights  # noqa: E402
from guerdon.losses.surrogate import ClippedSurrogate  # noqa: E402
from guerdon.protocols import StepLogprobs  # noqa: E402
from guerdon.trainer import TrainConfig  # noqa: E402
from guerdon.trainer.config import LossConfig, RefillConfig  # noqa: E402
from guerdon.trainer.refilling import Batch  # noqa: E402
from guerdon.trainer.updates import reinforce  # noqa: E402
from guerdon.types import Example, Group, Rollout, Score, Segment  # noqa: E402

NEW = [[-0.5, -1.0, -1.2], [-2.5, -1.0]]  # the sheet's third step of the second response is masked
LENGTHS = [3, 2]
DAPO, GSPO = {"clip_low": 0.2, "clip_high": 0.28}, {"clip_low": 3e-4, "clip_high": 4e-4}


def loss_of(average, rows=None, lengths=LENGTHS, **options):
    """Of responses with advantages 1 and -1 and old log-probs of -1; and its gradient by each log-prob."""
    new_N = torch.tensor([value for row in (rows or NEW) for value in row], dtype=torch.float64, requires_grad=True)
    weights = step_weights(lengths, [True] * len(lengths), average)
    advantages = (1.0, -1.0)
    weights_N, advantages_N = (
        torch.tensor([value for value, length in zip(values, lengths, strict=True) for _ in range(length)])
        for values in (weights, advantages)
    )
    terms = ClippedSurrogate(**options)(
        new_N, torch.full_like(new_N, -1.0), advantages_N.double(), weights_N.double(), lengths=lengths
    )
    terms.loss.backward()
    return float(terms.loss.detach()), new_N.grad.tolist(), terms


@pytest.mark.parametrize(
    ("kind", "clips", "token", "sequence"),
    [
        ("ppo", DAPO, -0.259746, -0.066455),
        ("gspo", GSPO, -0.200360, -0.000350),
        ("gspo_token", GSPO, -0.200360, -0.000350),
        ("cispo", DAPO, -0.075505, -0.312921),
    ],
)
def test_the_losses_of_the_sheet(kind, clips, token, sequence):
    """Worked example 13 of MediX-R1: values for either average."""
    options = {"kind": kind, "dual_clip": None if kind == "cispo" else 3.0, "max_log_ratio": 20.0, **clips}
    assert loss_of("token", **options)[0] == pytest.approx(token, abs=1e-6)
    assert loss_of("sequence", **options)[0] == pytest.approx(sequence, abs=1e-6)


def test_a_dual_clip_of_three_on_a_ratio_of_e_squared():
    """Worked example 14: delta 2 is 7.39, held at 3 for A = -1 and at 1.28 for A = 1."""
    new, weights = torch.ones(1), torch.ones(1)
    loss = ClippedSurrogate(**DAPO, dual_clip=3.0, max_log_ratio=20.0)
    assert float(loss(new, new - 2.0, -torch.ones(1), weights).loss) == pytest.approx(3.0)
    assert float(loss(new, new - 2.0, torch.ones(1), weights).loss) == pytest.approx(-1.28)


def test_a_ratio_per_sequence_moves_all_of_its_steps_alike():
    """Mean delta (0.3 + 0 + 0) / 3 = 0.1, clips of 1: d/d logp_t = -A e^0.1 / 3 for each of three steps of weight 1/3;
    of `gspo_token` as well, where each step has its own."""
    rows, options = [[-0.7, -1.0, -1.0], []], {"clip_low": 1.0, "clip_high": 1.0}
    for kind in ("gspo", "gspo_token"):
        _, gradient, _ = loss_of("sequence", rows, [3, 0], kind=kind, **options)
        assert gradient == pytest.approx([-math.exp(0.1) / 3] * 3, rel=1e-6)


def test_gspo_by_token_gives_a_step_its_own_advantage():
    """Two steps, ratio 1, advantages 1 and 0: `gspo_token` moves the first alone, `gspo` both by half."""
    for kind, expected in (("gspo_token", [-1.0, 0.0]), ("gspo", [-0.5, -0.5])):
        new_N = torch.zeros(2, requires_grad=True)
        loss = ClippedSurrogate(kind=kind)(new_N, torch.zeros(2), torch.tensor([1.0, 0.0]), torch.ones(2), lengths=[2])
        loss.loss.backward()
        assert new_N.grad.tolist() == pytest.approx(expected)


def test_cispo_keeps_the_gradient_of_a_step_that_is_clipped():
    """Ratio 2 held at 1.28, A = 1, weight 1: the gradient is -1.28, where `ppo` has none."""
    for kind, expected in (("cispo", -1.28), ("ppo", 0.0)):
        new_N = torch.tensor([math.log(2.0)], requires_grad=True)
        terms = ClippedSurrogate(kind=kind, **DAPO)(new_N, torch.zeros(1), torch.ones(1), torch.ones(1))
        terms.loss.backward()
        assert float(new_N.grad) == pytest.approx(expected)
        assert terms.clip_share == 1.0


@pytest.mark.parametrize(("kind", "shares"), [("ppo", (1.0, 0.0, 0.0, 1.0)), ("cispo", (1.0, 1.0, 1.0, 1.0))])
def test_the_share_that_is_clipped_is_of_what_the_loss_clips(kind, shares):
    """Ratio 2 with A 1 and -1, ratio 1/2 with A 1 and -1: a minimum takes two of them as they are, CISPO none."""
    found = []
    for delta in (math.log(2.0), -math.log(2.0)):
        for advantage in (1.0, -1.0):
            new_N, one = torch.full((1,), delta), torch.ones(1)
            found.append(ClippedSurrogate(kind=kind, **DAPO)(new_N, torch.zeros(1), advantage * one, one).clip_share)
    assert tuple(found) == shares


@pytest.mark.parametrize("kind", ["ppo", "gspo", "gspo_token", "cispo"])
def test_very_different_policies_overflow_only_where_nothing_is_held(kind):
    """delta 100: e^100 is infinite in float32; held at 20 and by the dual clip the loss is 3 for A = -1."""
    new_N = torch.full((1,), 100.0, requires_grad=True)
    dual = None if kind == "cispo" else 3.0
    loss = ClippedSurrogate(kind=kind, dual_clip=dual, max_log_ratio=20.0, **DAPO)
    found = loss(new_N, torch.zeros(1), -torch.ones(1), torch.ones(1), lengths=[1]).loss
    found.backward()
    assert float(found.detach()) == pytest.approx(128.0 if kind == "cispo" else 3.0)
    assert math.isfinite(float(new_N.grad))


def test_the_divergence_is_held_on_both_sides():
    """log q - log p = 50 is held at 20, and its k3 of 4.9e8 at 10; d = 1 is e - 2 as ever."""
    loss = ClippedSurrogate(kl_weight=0.01, max_log_ratio=20.0, max_kl=10.0)
    for apart, expected in ((50.0, 10.0), (1.0, math.e - 2.0)):
        p = torch.zeros(1, requires_grad=True)
        terms = loss(p, p.detach(), torch.zeros(1), torch.ones(1), torch.full((1,), apart))
        terms.loss.backward()
        assert terms.kl == pytest.approx(expected)
        assert math.isfinite(float(p.grad))


def test_a_ratio_per_sequence_needs_to_know_the_sequences():
    with pytest.raises(ValueError, match="needs the lengths"):
        ClippedSurrogate(kind="gspo")(torch.zeros(2), torch.zeros(2), torch.ones(2), torch.ones(2))


@pytest.mark.parametrize(("field", "value"), [("kind", "gpso"), ("max_log_ratio", 0.0), ("max_kl", math.nan)])
def test_an_impossible_option_is_named(field, value):
    with pytest.raises(ConfigError, match=f"loss.{field} is"):
        ClippedSurrogate(**{field: value})


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"kind": "cispo", "dual_clip": 3.0}, "dual_clip has no effect"),
        ({"divergence": "sequence_chi2", "kl_weight": 0.1, "max_kl": 10.0}, "max_kl is of divergence k3"),
        ({"kind": "gpso"}, "kind"),
    ],
)
def test_options_that_do_nothing_together_are_refused(fields, said):
    with pytest.raises(ValidationError, match=said):
        LossConfig.model_validate(fields)


# -- the trainer's update ----------------------------------------------------------------------------------------------


class Vocabulary:
    """A policy of one distribution: the log-probability of a token is that of its place in a softmax."""

    def __init__(self, logits):
        self.logits = torch.nn.Parameter(torch.tensor(logits))

    def logprobs(self, rollouts, *, temperature=1.0, grad=True):
        table = torch.log_softmax(self.logits, dim=0)
        tokens = [token for one in rollouts for segment in one.turns for token in segment.token_ids]
        found = table[torch.tensor(tokens, dtype=torch.long)]
        return StepLogprobs(found, torch.zeros(len(tokens)), tuple(one.steps for one in rollouts))

    def parameters(self):
        return [self.logits]

    def cost(self, rollouts):
        return sum(one.steps for one in rollouts)

    def updated(self):
        pass


def attempt(*turns):
    """An attempt whose turns are told apart by what an environment says between them."""
    pieces = []
    for tokens in turns:
        pieces += [Segment("policy", token_ids=tokens, logprobs=(-1.0,) * len(tokens)), Segment("environment", "go on")]
    return Rollout(Example(id="e"), tuple(pieces))


def updated(budget, *, logits=(0.3, -0.2, 0.1), attempts=None, values=(1.0, 0.0, 0.5), **loss):
    """Two passes over one group; the policy's logits after it, and the metrics."""
    policy = Vocabulary(logits)
    attempts = attempts or [attempt((0, 1), (2,)), attempt((1,)), attempt((2, 2, 2, 0), (), (1,))]
    group = Group.of(attempts)
    estimated = group_relative(std=True, ddof=1, epsilon=1e-6).estimate([group], [[Score(one) for one in values]])
    config = TrainConfig.model_validate(
        {"updates_per_batch": 2, "tokens_per_microbatch": budget, "loss": loss, "optimizer": {"grad_clip": None}}
    )
    optimizer = torch.optim.SGD(policy.parameters(), lr=0.5)
    metrics = reinforce(policy, [group], estimated, config, optimizer, 0.5)
    return policy.logits.detach(), metrics


@pytest.mark.parametrize("kind", ["gspo", "gspo_token", "cispo"])
@pytest.mark.parametrize("average", ["token", "sequence"])
def test_however_a_batch_is_cut_the_update_is_the_same(kind, average):
    """A budget of one token puts each attempt alone, of 100 all together; the mean is over all turns of an attempt."""
    options = {"kind": kind, "average": average, "clip_low": 0.01, "clip_high": 0.01}
    alone, told = updated(1, **options)
    together, also_told = updated(100, **options)
    torch.testing.assert_close(alone, together, rtol=1e-5, atol=1e-7)
    assert told["clip_share"] == pytest.approx(also_told["clip_share"])
    assert told["clip_share"] > 0.0  # the second pass: the ratios have left 1


def test_the_ratio_of_an_attempt_is_over_its_own_steps_of_all_turns():
    """By hand, the second pass alone: old log-probs are those before the first."""
    attempts = [attempt((0, 1), (2,)), attempt((1,))]
    logits, _ = updated(100, attempts=attempts, values=(1.0, 0.0), kind="gspo", average="sequence", clip_high=0.001)
    by_hand = torch.tensor([0.3, -0.2, 0.1], requires_grad=True)
    old = torch.log_softmax(by_hand.detach(), 0)
    advantage = 0.5 / (math.sqrt(0.5) + 1e-6)
    for _ in range(2):
        apart = torch.log_softmax(by_hand, 0) - old
        first, second = apart[[0, 1, 2]].mean().exp(), apart[1].exp()
        gains = [
            torch.minimum(first * advantage, first.clamp(0.8, 1.001) * advantage),
            torch.minimum(-second * advantage, -second.clamp(0.8, 1.001) * advantage),
        ]
        (gradient,) = torch.autograd.grad(-sum(gains) / 2, by_hand)
        by_hand = (by_hand.detach() - 0.5 * gradient).requires_grad_()
    torch.testing.assert_close(logits, by_hand.detach(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["ppo", "gspo", "gspo_token", "cispo"])
def test_attempts_without_steps_move_nothing_and_are_no_nan(kind):
    logits, metrics = updated(100, attempts=[attempt(()), attempt(()), attempt((0,))], kind=kind)
    assert logits.isfinite().all()
    assert math.isfinite(metrics["loss"])


@pytest.mark.parametrize("kind", ["ppo", "gspo", "gspo_token", "cispo"])
def test_log_probs_that_are_nan_stop_the_run_before_the_step(kind):
    with pytest.raises(PolicyError, match="the gradient's norm is nan"):
        updated(100, logits=(math.nan, 0.0, 0.0), kind=kind, max_log_ratio=20.0)


# -- groups and the online filter --------------------------------------------------------------------------------------


def test_advantages_by_the_spread_of_a_sample():
    """Worked example 11: mean 0.4, unbiased deviation 0.547723."""
    group = Group.of([attempt((0,)) for _ in range(5)])
    estimator = group_relative(std=True, ddof=1, epsilon=1e-6)
    row = [one[0] for one in estimator.estimate([group], [[Score(v) for v in (1.0, 0, 0, 0, 1.0)]]).values[0]]
    assert row == pytest.approx([1.095443, -0.730295, -0.730295, -0.730295, 1.095443], abs=1e-5)
    equal = [one[0] for one in estimator.estimate([group], [[Score(0.3)] * 5]).values[0]]
    assert equal == [0.0] * 5


def batch(values, **refill):
    made = Batch(RefillConfig(max_rounds=0, **refill), group_relative(std=True, ddof=1, epsilon=1e-6))
    groups = [Group.of([attempt((0,)) for _ in row]) for row in values]
    made.add(groups, [[Score(value) if value == value else Score.unscored("away") for value in row] for row in values])
    return made


ROWS = [[0.1] * 4, [0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [math.nan, math.nan], [0.005, 0.01]]
"""Equal, all wrong, all right, mixed, unscored, and wrong but for a trace."""


def test_the_filter_by_the_mean_keeps_a_group_of_equal_values():
    """Worked example 12: 0.01 < 0.1 < 0.99. Without a value there is no mean to keep a group by."""
    made = batch(ROWS, dead="keep", above=0.01, below=0.99)
    assert made.kept == [True, False, False, True, False, False]
    assert made.metrics()["refill/dead"] == 4  # 0.1s, 0s, 1s, unscored
    assert made.metrics()["refill/outside"] == 3  # 0s, 1s, the trace


def test_the_filter_by_the_mean_and_the_one_by_the_spread_can_go_together():
    made = batch(ROWS, above=0.01, below=0.99)
    assert made.kept == [False, False, False, True, False, False]
    assert (made.metrics()["refill/kept"], made.metrics()["refill/dropped"]) == (1, 5)


def test_a_batch_of_which_none_is_kept_moves_nothing():
    made = batch([[0.0, 0.0], [1.0, 1.0]], dead="keep", above=0.01, below=0.99)
    assert made.kept_groups == []
    policy = Vocabulary((0.0, 0.0))
    config = TrainConfig.model_validate({"loss": {"kind": "gspo", "kl_weight": 0.01}})
    nothing = group_relative().estimate([], [])
    metrics = reinforce(policy, [], nothing, config, torch.optim.SGD(policy.parameters(), lr=1.0), 1.0)
    assert (metrics["loss"], metrics["grad_norm"]) == (0.0, 0.0)
    assert policy.logits.tolist() == [0.0, 0.0]


def test_a_filter_that_filters_nothing_is_refused():
    with pytest.raises(ValidationError, match="leaves nothing out"):
        RefillConfig(dead="keep")
