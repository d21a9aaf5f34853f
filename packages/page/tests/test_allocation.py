"""Allocation as an environment and a task; a table that learns to beat a rule."""

import json
from importlib.util import find_spec

import pytest

from guerdon.errors import ConfigError
from guerdon.types import Segment
from guerdon_page.matching.environments import Allocation, AllocationExample, MatchingWorld, TextWorld, instance_of
from guerdon_page.matching.exact import rule_value
from guerdon_page.matching.instances import Instance

TWO = Instance.of(2, [{0: 0.6, 1: 0.5}, {0: 0.6, 1: 0.2}, {0: 0.3, 1: 0.4}])


def test_an_episode_is_gymnasiums():
    world = MatchingWorld(Instance.of(2, [{0: 1.0}, {0: 1.0, 1: 1.0}]))
    seen, info = world.reset(seed=0)
    assert (seen["edges"], info) == ({0: 1.0}, {})
    seen, reward, terminated, truncated, info = world.step(0)
    assert (reward, terminated, truncated, info) == (1.0, False, False, {"tried": 0, "invalid": False})
    assert seen == {"step": 1, "alive": (False, True), "loads": (1.0, 0.0), "edges": {1: 1.0}}
    assert world.step(1)[1:4] == (1.0, True, False)
    with pytest.raises(ConfigError, match="over"):
        world.step(1)


@pytest.mark.parametrize("action", [0, 7, -1])
def test_what_is_not_on_offer_is_a_skip_and_is_said(action):
    world = MatchingWorld(Instance.of(2, [{0: 1.0}, {0: 1.0, 1: 1.0}]))
    world.step(0)
    _, reward, _, _, info = world.step(action)
    assert (reward, info) == (0.0, {"tried": None, "invalid": True})


def test_a_skip_is_no_fault():
    assert MatchingWorld(TWO).step(None)[4] == {"tried": None, "invalid": False}


def test_luck_depends_on_the_seed_and_not_on_what_was_tried():
    found = []
    for first in (None, 0, 1):
        world = MatchingWorld(Instance.of(3, [{0: 0.5, 1: 0.5}, {2: 0.5}]))
        world.reset(seed=5)
        world.step(first)
        found.append(world.step(2)[1])
    assert len(set(found)) == 1


def test_the_mean_return_of_a_rule_is_its_exact_value():
    world, total = MatchingWorld(TWO), 0.0
    for seed in range(4000):
        seen, _ = world.reset(seed=seed)
        over = False
        while not over:
            edges = seen["edges"]
            action = max(edges, key=lambda u: (edges[u], -u)) if edges else None
            seen, reward, over, _, _ = world.step(action)
            total += reward
    assert total / 4000 == pytest.approx(rule_value(TWO, "greedy"), abs=0.04)


def test_a_bound_makes_the_return_a_share():
    world = MatchingWorld(Instance.of(1, [{0: 1.0}]), bound=4.0)
    assert world.step(0)[1] == 0.25
    for bound in (0.0, float("nan"), float("inf")):
        with pytest.raises(ConfigError, match="bound"):
            MatchingWorld(TWO, bound)


def test_turns_are_words_or_short():
    world = TextWorld(MatchingWorld(Instance.of(2, [{0: 1.0, 1: 0.5}, {0: 1.0}])))
    assert world.reset(seed=0) == (
        "View 1 of 2, wanted by 0 (chance 1, tried for 0 so far); 1 (chance 0.5, tried for 0 so far). "
        "Which one, or skip?"
    )
    turn = world.step([Segment("policy", " 0\n")])
    assert (turn.reward, turn.terminated) == (1.0, False)
    assert turn.observation == "View 2 of 2: nobody who is still open wants it. Say skip."
    assert world.step([Segment("policy", "skip")]).terminated
    short = TextWorld(MatchingWorld(Instance.of(2, [{0: 1.0}, {1: 1.0}])), "compact")
    assert short.reset(seed=0) == "0/11"
    assert short.step([Segment("policy", "0")]).observation == "1/01"


@pytest.mark.parametrize("text", ["", "the first", "0, 1", "1e0", "²", "9" * 4000, "<think>0</think>", "[0]", "\ud800"])
def test_whatever_is_said_is_an_action_or_a_skip(text):
    world = TextWorld(MatchingWorld(TWO))
    world.reset(seed=0)
    assert world.step([Segment("policy", text)]).reward == 0.0


@pytest.mark.parametrize("family", ["random", "triangular", "thick_z", "star", "twelve"])
def test_every_family_is_a_task(family):
    task = Allocation(family=family, train_size=3, eval_size=2, copies=2)
    train, held_out = task.examples("train"), task.examples("eval")
    assert (len(train), len(held_out)) == (3, 2)
    assert not {one.id for one in train} & {one.id for one in held_out}
    for one in train:
        instance = instance_of(one)
        assert one.bound > 0.0
        assert task.environment(one).reset(seed=0).startswith("View 1 of ")
        assert str(instance.offline) in task.prompt(one).messages[0].content


def test_a_task_that_cannot_be_is_refused():
    for options in ({"family": "easy"}, {"size": 0}, {"copies": 0}, {"train_size": -1}, {"shown": "long"}):
        with pytest.raises(ConfigError):
            Allocation(**options)


@pytest.mark.skipif(find_spec("torch") is None, reason="a table learns with torch: pip install 'guerdon[train]'")
@pytest.mark.model
@pytest.mark.slow
def test_a_table_learns_to_beat_balance_and_greedy_on_a_small_graph(tmp_path):
    """Example 6: balance 1.5425, greedy 1.4456, ranking 1.6060; the best in arrival order 1.7663."""
    from guerdon.advantages import returns_to_go
    from guerdon.policies.tabular import TabularPolicy
    from guerdon.protocols import Sampling
    from guerdon.rewards.environment_return import EnvironmentReturn
    from guerdon.runs import RunFolder
    from guerdon.trainer import TrainConfig, Trainer

    instance = Instance.of(2, [{0: 0.5, 1: 0.45}] * 3 + [{0: 0.5}] * 3)

    class OneGraph(Allocation):
        name = "test/one-graph-v1"

        def examples(self, split):
            graph = json.dumps(instance.to_json())
            return [AllocationExample(id=f"{split}-{n}", instance=graph, bound=1.0) for n in range(500)]

    task = OneGraph(shown="compact")
    states = [f"{step}/{alive}" for step in range(6) for alive in ("11", "01", "10", "00")]
    policy = TabularPolicy(states, ["0", "1"])
    config = TrainConfig.model_validate(
        {"steps": 25, "prompts_per_step": 16, "group_size": 8, "optimizer": {"lr": 0.3}, "checkpoint_every": 0}
    )
    with RunFolder.create(tmp_path / "run", "name: t", 0, tensorboard=False) as run:
        Trainer(policy, task, EnvironmentReturn(), config, returns_to_go({"turns": 1.0})).fit(run)
    groups = policy.sample(task, task.examples("eval") * 4, 1, Sampling(temperature=0.0), seed=7)
    scores = [EnvironmentReturn()(group.rollouts[0]).value for group in groups]
    assert sum(scores) / len(scores) > 1.65
