from dataclasses import dataclass
from typing import ClassVar

import pytest

torch = pytest.importorskip("torch")

from guerdon.advantages import group_relative  # noqa: E402
from guerdon.errors import ConfigError, PolicyError  # noqa: E402
from guerdon.policies.tabular import TabularPolicy  # noqa: E402
from guerdon.protocols import Policy, Sampling, Task, Turn  # noqa: E402
from guerdon.rewards import reward  # noqa: E402
from guerdon.scoring import Runner  # noqa: E402
from guerdon.types import Example, Prompt  # noqa: E402

COLOURS = ("red", "green", "blue")


@dataclass(frozen=True)
class Colours(Task):
    name: ClassVar[str] = "test/colours"

    def examples(self, split):
        return [Example(id=f"{split}-{i}") for i in range(3)]

    def prompt(self, example):
        return Prompt()

    def reference(self, example):
        return COLOURS[int(example.id[-1])]


class Corridor:
    """Two steps right end it."""

    def reset(self, *, seed):
        self.place = 0
        return "at 0"

    def step(self, segments):
        self.place += 1 if segments[-1].text == "right" else 0
        return Turn(f"at {self.place}", float(self.place == 2), terminated=self.place == 2)


@dataclass(frozen=True)
class Walk(Colours):
    name: ClassVar[str] = "test/walk"

    def environment(self, example):
        return Corridor()


@reward(bounds=(0.0, 1.0))
def right_colour(rollout):
    return float(rollout.answer == Colours().reference(rollout.example))


@pytest.fixture
def policy():
    return TabularPolicy.for_task(Colours(), COLOURS)


def test_it_is_a_policy(policy):
    assert isinstance(policy, Policy)
    assert policy.states == ("train-0", "train-1", "train-2", "eval-0", "eval-1", "eval-2")


def test_sampling_is_seeded_and_follows_the_table(policy):
    examples = Colours().examples("train")
    with torch.no_grad():
        policy.logits_SA[0, 2] = 50.0
    drawn = policy.sample(Colours(), examples, 8, Sampling(), seed=1)
    assert drawn == policy.sample(Colours(), examples, 8, Sampling(), seed=1)
    assert drawn != policy.sample(Colours(), examples, 8, Sampling(), seed=2)
    assert {rollout.answer for rollout in drawn[0].rollouts} == {"blue"}
    assert [rollout.index for rollout in drawn[1].rollouts] == list(range(8))


def test_logprobs_are_those_it_sampled_with_and_carry_a_gradient(policy):
    """d log p(a) / d logits = onehot(a) - p; a uniform row of three has p = 1/3 and entropy ln 3."""
    group = policy.sample(Colours(), Colours().examples("train")[:1], 4, Sampling(temperature=0.5), seed=0)[0]
    steps = policy.logprobs(group.rollouts, temperature=0.5)
    assert steps.lengths == (1, 1, 1, 1)
    assert steps.logprobs_N.tolist() == pytest.approx([rollout.logprobs[0] for rollout in group.rollouts])
    assert steps.entropy_N.tolist() == pytest.approx([1.0986123] * 4)
    policy.logprobs(group.rollouts[:1]).logprobs_N.sum().backward()
    expected = [-1 / 3] * 3
    expected[COLOURS.index(group.rollouts[0].answer)] += 1.0
    assert policy.logits_SA.grad[0].tolist() == pytest.approx(expected)
    assert not policy.logprobs(group.rollouts, grad=False).logprobs_N.requires_grad


def test_greedy_takes_the_likeliest_action(policy):
    with torch.no_grad():
        policy.logits_SA[:, 1] = 0.1
    groups = policy.sample(Colours(), Colours().examples("eval"), 2, Sampling(temperature=0.0), seed=0)
    assert {rollout.answer for group in groups for rollout in group.rollouts} == {"green"}


def test_an_environment_is_walked_state_by_state():
    policy = TabularPolicy(["at 0", "at 1"], ["left", "right"])
    with torch.no_grad():
        policy.logits_SA[:, 1] = 50.0
    rollout = policy.sample(Walk(), Walk().examples("train")[:1], 1, Sampling(), seed=0)[0].rollouts[0]
    assert [segment.author for segment in rollout.segments] == ["policy", "environment"] * 2
    assert rollout.stop == "environment"
    assert rollout.steps == 2
    assert rollout.segments[2].observation.reward == 1.0
    assert policy.logprobs([rollout]).lengths == (2,)


def test_a_reference_is_one_step_of_that_action(policy):
    example = Colours().examples("train")[2]
    rollout = policy.reference_rollout(Colours(), example, "blue")
    assert rollout.answer == "blue"
    assert rollout.steps == 1
    assert policy.logprobs([rollout]).logprobs_N.item() == pytest.approx(-1.0986123)


def test_a_snapshot_stays_and_files_restore_exactly(policy, tmp_path):
    frozen = policy.snapshot()
    with torch.no_grad():
        policy.logits_SA.normal_(generator=torch.Generator().manual_seed(0))
    policy.updated()
    assert frozen.logits_SA.abs().sum() == 0.0
    assert not frozen.logits_SA.requires_grad
    policy.save(tmp_path / "p")
    frozen.load(tmp_path / "p")
    assert torch.equal(frozen.logits_SA, policy.logits_SA)
    assert frozen.version == policy.version == 1
    with pytest.raises(PolicyError, match="other states"):
        TabularPolicy(["x"], COLOURS).load(tmp_path / "p")


def test_it_learns_the_right_colours_by_policy_gradient(policy):
    """Sixty plain policy-gradient steps; chance is 1/3."""
    task, runner = Colours(), Runner()
    optimizer = torch.optim.SGD(policy.parameters(), lr=1.0)
    for step in range(60):
        groups = policy.sample(task, task.examples("train"), 8, Sampling(), seed=step)
        advantages = group_relative().estimate(groups, runner.score(right_colour, groups))
        flat = torch.tensor([value for group in advantages.values for rollout in group for value in rollout])
        loss = -(flat * policy.logprobs([r for g in groups for r in g.rollouts]).logprobs_N).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    probabilities = policy.action_probabilities(["train-0", "train-1", "train-2"])
    assert torch.diagonal(probabilities).min() > 0.9


def test_what_it_cannot_do_is_said(policy):
    examples = Colours().examples("train")
    with pytest.raises(PolicyError, match="whole row"):
        policy.sample(Colours(), examples, 1, Sampling(top_p=0.9), seed=0)
    with pytest.raises(PolicyError, match="no row for state 'other'"):
        policy.sample(Colours(), [Example(id="other")], 1, Sampling(), seed=0)
    with pytest.raises(PolicyError, match="'purple' is not among the table's 3 actions"):
        policy.reference_rollout(Colours(), examples[0], "purple")
    with pytest.raises(ConfigError, match="at least one"):
        TabularPolicy([], [])
    with pytest.raises(ConfigError, match="equal"):
        TabularPolicy(["x"], ["a", "a"])
