"""A linear policy: chances by hand, what it draws and reads, files, refusals, and that a reward teaches it."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from guerdon.advantages import group_relative  # noqa: E402
from guerdon.errors import PolicyError  # noqa: E402
from guerdon.policies.linear import LinearPolicy  # noqa: E402
from guerdon.protocols import Policy, Sampling, Task  # noqa: E402
from guerdon.rewards import reward  # noqa: E402
from guerdon.runs import RunFolder  # noqa: E402
from guerdon.trainer import TrainConfig, Trainer  # noqa: E402
from guerdon.types import Example, Prompt  # noqa: E402

WORDS = ("low", "high", "none")
GREEDY = Sampling(temperature=0.0)


class Numbers(Example):
    values: tuple[float, ...]


class Levels:
    """A word for each number."""

    features, choices = 2, 3

    def described(self, example):
        return np.array([[1.0, value] for value in example.values])

    def written(self, example, chosen):
        return " ".join(WORDS[choice] for choice in chosen)

    def read(self, example, text):
        if unknown := [word for word in text.split() if word not in WORDS]:
            raise PolicyError(f"no level: {unknown[0]}")
        return [WORDS.index(word) for word in text.split()]


@dataclass(frozen=True)
class Sort(Task):
    """The level of each number: high above 0."""

    name: ClassVar[str] = "test/sort"

    def examples(self, split):
        random = np.random.default_rng(0 if split == "train" else 1)
        return [Numbers(id=f"{split}-{i}", values=tuple(random.normal(size=1 + i % 3))) for i in range(60)]

    def prompt(self, example):
        return Prompt()

    def reference(self, example):
        return " ".join("high" if value > 0 else "low" for value in example.values)

    def metrics(self):
        return {"right": right}


@reward(bounds=(0.0, 1.0))
def right(rollout):
    said, true = rollout.answer.split(), Sort().reference(rollout.example).split()
    return sum(map(str.__eq__, said, true)) / len(true)


TWO = Numbers(id="two", values=(1.0, -1.0))


def policy(*rows):
    made = LinearPolicy(Levels())
    if rows:
        with torch.no_grad():
            made.theta_FC.copy_(torch.tensor(rows))
    return made


def test_it_is_a_policy():
    assert isinstance(policy(), Policy)


def test_chances_are_those_by_hand():
    """Constants log 2, 0, 0; slopes 0, log 3, 0: at 1 the choices are as 2 : 3 : 1, at -1 as 2 : 1/3 : 1."""
    made = policy([math.log(2), 0.0, 0.0], [0.0, math.log(3), 0.0])
    rollouts = [made.reference_rollout(Sort(), TWO, text) for text in ("high low", "none high")]
    found = made.logprobs(rollouts)
    assert found.lengths == (2, 2) == tuple(one.steps for one in rollouts)
    assert found.logprobs_N.exp().tolist() == pytest.approx([3 / 6, 2 / (10 / 3), 1 / 6, 1 / 10], rel=1e-5)
    first = [2 / 6, 3 / 6, 1 / 6]
    assert float(found.entropy_N[0]) == pytest.approx(-sum(p * math.log(p) for p in first), rel=1e-5)
    halved = made.logprobs(rollouts[:1], temperature=0.5)
    assert float(halved.logprobs_N[0].detach().exp()) == pytest.approx(9 / (4 + 9 + 1), rel=1e-5)


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_what_it_draws_has_the_chances_that_it_is_trained_on(temperature):
    made = policy([0.2, -0.1, 0.4], [1.0, 0.3, -0.2])
    (group,) = made.sample(Sort(), [TWO], 256, Sampling(temperature=temperature), seed=3)
    told = [each for rollout in group.rollouts for each in rollout.segments[0].logprobs]
    assert made.logprobs(group.rollouts, temperature=temperature).logprobs_N.tolist() == pytest.approx(told, abs=1e-5)
    assert len({rollout.completion for rollout in group.rollouts}) == 9


def test_answers_come_as_often_as_their_chance():
    (group,) = policy().sample(Sort(), [TWO], 2000, Sampling(), seed=0)
    found = sum(rollout.completion == "high none" for rollout in group.rollouts)
    assert found == pytest.approx(2000 / 9, abs=4 * math.sqrt(2000 * (1 / 9) * (8 / 9)))


def test_greedy_takes_the_likeliest_and_the_same_seed_draws_the_same():
    made = policy([0.0, 0.1, 0.0], [0.0, 2.0, 0.0])
    (group,) = made.sample(Sort(), [TWO], 1, GREEDY, seed=0)
    assert group.rollouts[0].completion == "high low"
    drawn = [policy().sample(Sort(), [TWO, TWO], 8, Sampling(), seed=seed) for seed in (5, 5, 6)]
    texts = [[[rollout.completion for rollout in group.rollouts] for group in groups] for groups in drawn]
    assert texts[0] == texts[1] != texts[2]
    assert texts[0][0] != texts[0][1]  # each example has draws of its own


def test_rollouts_carry_the_version_and_log_probs_a_gradient_where_it_is_asked_for():
    made = policy()
    made.updated()
    (group,) = made.sample(Sort(), [TWO], 2, Sampling(), seed=0)
    assert {rollout.policy_version for rollout in group.rollouts} == {1}
    assert made.logprobs(group.rollouts).logprobs_N.requires_grad
    assert not made.logprobs(group.rollouts, grad=False).logprobs_N.requires_grad
    assert made.logprobs([]).lengths == ()


def test_a_domain_may_refuse_a_task():
    class Strict(Levels):
        def check(self, task):
            raise PolicyError(f"not {task.name}")

    with pytest.raises(PolicyError, match="not test/sort"):
        LinearPolicy(Strict()).sample(Sort(), [TWO], 1, Sampling(), seed=0)
    with pytest.raises(PolicyError, match="not test/sort"):
        LinearPolicy(Strict()).reference_rollout(Sort(), TWO, "low high")


def test_weights_are_saved_and_loaded_and_a_copy_is_frozen(tmp_path):
    made = policy([1.0, 2.0, 3.0], [4.0, 5.0, 6.0])
    made.updated()
    made.save(tmp_path)
    other = policy()
    other.load(tmp_path)
    assert (other.theta_FC.tolist(), other.version) == ([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], 1)
    copied = made.snapshot()
    with torch.no_grad():
        made.theta_FC.zero_()
    assert copied.theta_FC.tolist() == other.theta_FC.tolist()
    assert not copied.theta_FC.requires_grad

    class Wider(Levels):
        features = 3

    with pytest.raises(PolicyError, match=r"of \(features, choices\) \(2, 3\); this policy's are \(3, 3\)"):
        LinearPolicy(Wider()).load(tmp_path)


@pytest.mark.parametrize(
    ("text", "why"), [("high", "1 choices for 2 decisions, for 'two'"), ("high up", "no level: up")]
)
def test_what_it_cannot_have_written_is_refused(text, why):
    with pytest.raises(PolicyError, match=why):
        policy().reference_rollout(Sort(), TWO, text)


def test_top_p_and_top_k_are_refused():
    with pytest.raises(PolicyError, match=r"top_p=1\.0 and top_k=0 are accepted"):
        policy().sample(Sort(), [TWO], 1, Sampling(top_p=0.9), seed=0)


def test_a_reward_teaches_it(tmp_path):
    """By the sign of a number: a slope of one sign for `high`, of the other for `low`, and `none` is left."""
    made = policy()
    config = TrainConfig.model_validate(
        {"steps": 40, "prompts_per_step": 8, "group_size": 8, "optimizer": {"lr": 0.2}, "eval": {"examples": 60}}
    )
    with RunFolder.create(tmp_path / "run", "name: sort", 0, tensorboard=False) as run:
        Trainer(made, Sort(), right, config, group_relative()).fit(run)
        log = run.metrics()
    slopes = made.theta_FC[1].tolist()
    assert slopes[0] < slopes[2] < slopes[1]
    assert log[-1]["eval/right"] > 0.9 > 0.6 > log[0]["eval/right"]
