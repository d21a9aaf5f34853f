"""The direct gradient: what a reward's value owes to the policy's own probability of the reference.

Against autograd of the exact expected objective, on a table in which every expectation is a finite sum.
"""

# ruff: noqa: E402 - what needs torch is imported after the skip that asks for it

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

_spec = importlib.util.spec_from_file_location("tiny_models", Path(__file__).with_name("tiny_models.py"))
tiny_models = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tiny_models)

from guerdon.advantages import group_relative, log_mean_exp
from guerdon.errors import ConfigError
from guerdon.protocols import Continuation, StepLogprobs
from guerdon.rewards import Context, Reward, reward
from guerdon.rewards.likelihood_rewards import Likelihood
from guerdon.rewards.spread_filter import SpreadFilter
from guerdon.scorers import StandInScorer, UnderPolicy, UnderReference
from guerdon.trainer import TrainConfig
from guerdon.trainer.updates import reinforce
from guerdon.transforms import clip
from guerdon.types import Example, Group, Message, Prompt, Rollout, Score, Segment, Target

REFERENCE = "ba"
"""Two tokens."""
PROMPT = Prompt((Message("user", "?"),))


class Question(Example):
    reference: str = REFERENCE


class World:
    """Two reasonings, "x=" and "yy=", of one step each; behind each, two tokens drawn from "ab".

    Everything the objective needs is a sum over two reasonings, and all of it is in two tables.
    """

    version, fixed = 0, ""

    def __init__(self, cot=(0.0, 0.0), answer=None):
        self.cot = torch.nn.Parameter(torch.tensor(cot, dtype=torch.float32))
        start = [[[0.3, -0.2], [0.1, 0.4]], [[-0.5, 0.2], [0.6, 0.0]]] if answer is None else answer
        self.answer = torch.nn.Parameter(torch.tensor(start, dtype=torch.float32))  # reasoning x place x letter

    def parameters(self):
        return [self.cot, self.answer]

    def updated(self):
        self.version += 1

    def cost(self, rollouts):
        return sum(rollout.steps for rollout in rollouts)

    def continued(self, continuations):
        return [
            Rollout(
                Question(id="q"),
                (Segment("forced", one.prefix), Segment("policy", one.text, tuple("ab".index(c) for c in one.text))),
            )
            for one in continuations
        ]

    def logprobs(self, rollouts, *, temperature=1.0, grad=True):
        with torch.set_grad_enabled(grad):
            parts, lengths = [], []
            for rollout in rollouts:
                if rollout.segments[0].author == "forced":
                    z = 0 if rollout.segments[0].text.startswith("x") else 1
                    table = (self.answer[z] / temperature).log_softmax(-1)
                    parts += [table[place, token] for place, token in enumerate(rollout.segments[1].token_ids)]
                else:
                    parts.append((self.cot / temperature).log_softmax(-1)[rollout.segments[0].action])
                lengths.append(rollout.steps)
            logprobs = torch.stack(parts)
        return StepLogprobs(logprobs, torch.zeros_like(logprobs.detach()), tuple(lengths))


def attempt(z, index=0):
    segment = Segment("policy", ("x=", "yy=")[z], logprobs=(0.0,), action=z)
    return Rollout(Question(id="q"), (segment,), PROMPT, index=index)


def group_of(*choices):
    return Group.of([attempt(z, place) for place, z in enumerate(choices)])


def likelihood(variant, **options):
    return Likelihood(UnderPolicy(), variant, separator="=", **options)


def gradient(world, reward, group, estimator, average="token", **train):
    """What one update moves by, with plain gradient descent of step 1: minus the loss' gradient."""
    before = [parameter.detach().clone() for parameter in world.parameters()]
    context = Context(policy=world)
    scores = context.scores(reward, [group])
    config = TrainConfig.model_validate(
        {"loss": {"average": average}, "optimizer": {"grad_clip": None}, "sampling": {"max_tokens": 4}, **train}
    )
    optimizer = torch.optim.SGD(world.parameters(), lr=1.0)
    targets = reward.targets([group], scores, context)
    metrics = reinforce(world, [group], estimator.estimate([group], scores), config, optimizer, 1.0, targets=targets)
    return [after.detach() - b for after, b in zip(world.parameters(), before, strict=True)], metrics


def exact(world, value):
    """Autograd of sum_z pi(z) * value(log-probs of the reference behind z)."""
    tokens = torch.tensor(["ab".index(c) for c in REFERENCE])
    logprobs = world.answer.log_softmax(-1)[:, torch.arange(len(REFERENCE)), tokens]  # reasoning x place
    objective = (world.cot.softmax(-1) * value(logprobs)).sum()
    return torch.autograd.grad(objective, world.parameters())


VALUES = {
    "log-prob": lambda logprobs: logprobs.sum(-1),
    "avg-log-prob": lambda logprobs: logprobs.mean(-1),
    "prob": lambda logprobs: logprobs.sum(-1).exp(),
    "avg-prob": lambda logprobs: logprobs.exp().mean(-1),
}


@pytest.mark.parametrize("average", ["token", "sequence"])
@pytest.mark.parametrize("variant", VALUES)
def test_the_update_is_the_gradient_of_the_expected_value(variant, average):
    """pi(z) = (.25, .75), and a group of four holds one and three: its mean is the expectation, without noise.

    With the group's mean as baseline (no std) the policy gradient is exact, since every reasoning is there in
    proportion; the targets add the other half. All rollouts have one step, so both averages are 1/4 each.
    """
    world = World(cot=(0.0, torch.tensor(3.0).log().item()))
    expected = exact(world, VALUES[variant])
    moved, _ = gradient(world, likelihood(variant), group_of(0, 1, 1, 1), group_relative(std=False), average)
    for one, other in zip(moved, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-5)


def test_without_the_direct_term_the_answers_table_stands_still():
    world = World()
    moved, metrics = gradient(world, likelihood("log-prob", direct=False), group_of(0, 1), group_relative(std=False))
    assert moved[0].abs().max() > 0.0
    assert moved[1].abs().max() == 0.0
    assert "target_loss" not in metrics


def test_jepo_follows_the_gradient_of_the_groups_log_mean():
    """The direct half, exactly: d/d(answer) of log((1/G) sum_g exp(l_g)) for the group that was drawn."""
    world, group = World(), group_of(0, 1, 1)
    tokens = torch.tensor(["ab".index(c) for c in REFERENCE])
    l_Z = world.answer.log_softmax(-1)[:, torch.arange(2), tokens].sum(-1)
    expected = torch.autograd.grad(torch.logsumexp(l_Z[torch.tensor([0, 1, 1])], 0), [world.answer])[0]
    moved, _ = gradient(world, likelihood("jepo"), group, log_mean_exp())
    torch.testing.assert_close(moved[1], expected, atol=1e-6, rtol=1e-5)


def test_jepos_advantages_are_the_estimators():
    """l behind "x=" and "yy=" by hand; A_g = log mean exp of both - that of the other."""
    world, group = World(), group_of(0, 1)
    scores = Context(policy=world).scores(likelihood("jepo"), [group])
    l0, l1 = (score.value for score in scores[0])
    mean = torch.logsumexp(torch.tensor([l0, l1], dtype=torch.float64), 0).item() - torch.tensor(2.0).log().item()
    found = log_mean_exp().estimate([group], scores).values[0]
    assert [row[0] for row in found] == pytest.approx([mean - l1, mean - l0], abs=1e-6)


def test_debiasing_moves_nothing_where_the_reasoning_hurts():
    """The baseline is a stand-in that finds the reference certain: B - A0 < 0 everywhere, so value and slope are 0."""
    certain = likelihood("avg-prob", baseline=StandInScorer(always_certain))
    moved, _ = gradient(World(), certain, group_of(0, 1), group_relative(std=False))
    assert all(one.abs().max() == 0.0 for one in moved)
    world, low = World(), likelihood("prob", baseline=StandInScorer(never))
    expected, _ = gradient(World(), likelihood("prob"), group_of(0, 1), group_relative(std=False))
    moved, _ = gradient(world, low, group_of(0, 1), group_relative(std=False))
    for one, other in zip(moved, expected, strict=True):
        torch.testing.assert_close(one, other)


def always_certain(continuation):
    return [0.0] * len(continuation.text)


def never(continuation):
    return [-1000.0] * len(continuation.text)


@reward(bounds=(0.0, 1.0))
def is_long(rollout):
    return float(len(rollout.answer) > 2)


def test_weights_sums_names_and_gates_pass_the_gradient_on():
    """.5 * l + is_long: half of l's direct gradient. Behind a gate that only "yy=" passes: that rollout's alone."""
    likely = likelihood("log-prob")
    whole, _ = gradient(World(), likely, group_of(0, 1), group_relative(std=False))
    for composite in (0.5 * likely + is_long, (0.5 * likely).named("half") + is_long, 0.5 * (likely + 0.0 * is_long)):
        moved, _ = gradient(World(), composite, group_of(0, 1), group_relative(std=False))
        torch.testing.assert_close(moved[1], 0.5 * whole[1])
    for gated in (likely.gated_by(is_long), 1.0 * likely.gated_by(is_long) + 0.0 * is_long.named("other")):
        moved, _ = gradient(World(), gated, group_of(0, 1), group_relative(std=False))
        assert moved[1][0].abs().max() == 0.0
        torch.testing.assert_close(moved[1][1], whole[1][1])


def test_a_filter_passes_on_what_it_keeps():
    likely = SpreadFilter(likelihood("log-prob"))
    whole, _ = gradient(World(), likelihood("log-prob"), group_of(0, 1), group_relative(std=False))
    moved, _ = gradient(World(), likely, group_of(0, 1), group_relative(std=False))
    torch.testing.assert_close(moved[1], whole[1])


@dataclass(frozen=True)
class Doubled(Reward):
    """A composite that says nothing of gradients."""

    inner: Reward
    sees = "group"

    @property
    def children(self):
        return (self.inner,)

    def score_batch(self, groups, context):
        return [[Score(2 * score.value) for score in row] for row in context.scores(self.inner, groups)]


@pytest.mark.parametrize("composite", [Doubled(likelihood("log-prob")), likelihood("log-prob").then(clip(-5, 0))])
def test_a_composite_that_cannot_pass_it_on_says_so(composite):
    assert composite.has_targets
    with pytest.raises(ConfigError, match="direct: false"):
        composite.targets([], [], Context(policy=World()))
    silent = Doubled(likelihood("log-prob", direct=False))
    assert silent.targets([group_of(0)], [[Score(0.0)]], Context()) == [[()]]


def test_other_scorers_have_no_gradient_of_the_policys():
    assert not Likelihood(StandInScorer()).has_targets
    assert not Likelihood(UnderReference()).has_targets
    assert Likelihood(UnderPolicy()).has_targets


def test_unscored_rollouts_pull_nothing_and_dead_groups_still_do():
    """Two equal reasonings: no advantage, but the answer is still learnt; an unscored rollout leaves both."""
    world = World()
    moved, metrics = gradient(world, likelihood("log-prob"), group_of(0, 0), group_relative(std=False))
    assert moved[0].abs().max() == 0.0
    assert moved[1].abs().max() > 0.0
    assert metrics["loss"] == metrics["target_loss"] > 0.0

    group, context = group_of(0, 1), Context(policy=World())
    scores = [[Score(-1.0), Score.unscored("down")]]
    targets = likelihood("log-prob").targets([group], scores, context)
    assert [len(each) for each in targets[0]] == [1, 0]


def test_a_missing_separator_pulls_nothing():
    odd = Rollout(Question(id="q"), (Segment("policy", "no end", logprobs=(0.0,), action=0),), PROMPT)
    group, context = Group.of([attempt(0), odd]), Context(policy=World())
    likely = likelihood("log-prob")
    targets = likely.targets([group], context.scores(likely, [group]), context)
    assert [len(each) for each in targets[0]] == [1, 0]


@pytest.mark.parametrize("budget", [1, 3, 1000])
def test_however_the_targets_are_cut_the_gradient_is_the_same(budget):
    whole, _ = gradient(World(), likelihood("avg-prob"), group_of(0, 1, 1, 0), group_relative(std=False))
    cut, _ = gradient(
        World(), likelihood("avg-prob"), group_of(0, 1, 1, 0), group_relative(std=False), tokens_per_microbatch=budget
    )
    for one, other in zip(cut, whole, strict=True):
        torch.testing.assert_close(one, other)


def test_a_temperature_of_the_scorer_is_that_of_its_targets():
    hot = Likelihood(UnderPolicy(temperature=2.0), "log-prob", separator="=")
    group, context = group_of(0, 1), Context(policy=World())
    targets = hot.targets([group], context.scores(hot, [group]), context)
    assert [target.temperature for each in targets[0] for target in each] == [2.0, 2.0]
    world = World()
    tokens = torch.tensor(["ab".index(c) for c in REFERENCE])
    l_Z = (world.answer / 2.0).log_softmax(-1)[:, torch.arange(2), tokens].sum(-1)
    expected = torch.autograd.grad(l_Z.mean(), [world.answer])[0]
    moved, _ = gradient(world, hot, group, group_relative(std=False))
    torch.testing.assert_close(moved[1], expected)


def test_a_target_has_a_finite_coefficient_per_step():
    rollout = World().continued([Continuation(PROMPT.messages, "ab")])[0]
    with pytest.raises(ValueError, match="2 steps has 1"):
        Target(rollout, (1.0,))
    with pytest.raises(ValueError, match="finite"):
        Target(rollout, (1.0, float("nan")))


# -- a language model -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("average", ["token", "sequence", "constant"])
def test_a_language_models_update_is_the_loss_written_out(average):
    """-sum_i w_i (A_i sum_t log pi(z_it) + kappa_i sum_j log pi(a*_j)) by hand, on rows of their own."""
    pytest.importorskip("transformers")
    from guerdon.policies.language import LanguagePolicy

    def make():
        return LanguagePolicy(tiny_models.tiny_llama(), tiny_models.byte_tokenizer())

    policy, other = make(), make()
    chat = policy.chat
    prompt_ids = chat.prompt_ids(PROMPT)
    texts = ("ab<answer>", "c<answer>")
    group = Group.of(
        [
            Rollout(Question(id="q", reference="42"), (Segment("policy", text, chat.encode(text)),), PROMPT, prompt_ids)
            for text in texts
        ]
    )
    moved, _ = gradient(policy, Likelihood(UnderPolicy(), "prob"), group, group_relative(std=False), average)

    def row(model, before, after):
        ids = [*before, *after]
        table = model(input_ids=torch.tensor([ids])).logits[0].log_softmax(-1)
        return torch.stack([table[place - 1, ids[place]] for place in range(len(before), len(ids))])

    cots = [row(other.model, prompt_ids, chat.encode(text)) for text in texts]
    answers = [row(other.model, [*prompt_ids, *chat.encode(text)], chat.encode("42")) for text in texts]
    values = [float(one.detach().sum().exp()) for one in answers]
    lengths = [len(one) for one in cots]
    weights = {
        "token": [1 / sum(lengths)] * 2,
        "sequence": [1 / (2 * length) for length in lengths],
        "constant": [1 / (2 * 4)] * 2,  # sampling.max_tokens is 4
    }[average]
    mean = sum(values) / 2
    loss = -sum(
        w * ((value - mean) * cot.sum() + value * answer.sum())
        for w, value, cot, answer in zip(weights, values, cots, answers, strict=True)
    )
    loss.backward()
    for change, parameter in zip(moved, other.parameters(), strict=True):
        torch.testing.assert_close(change, -parameter.grad, atol=2e-6, rtol=1e-3)
