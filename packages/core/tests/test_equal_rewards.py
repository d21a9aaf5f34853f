"""Equal rewards in one tree are one: what a batch taught is kept, and restored. And whose batch it was."""

import copy
import dataclasses
import pickle

import pytest

from guerdon.grading import Columns
from guerdon.rewards import Context, Reward, reward, walk
from guerdon.rewards.constrained import Constrained
from guerdon.rewards.gated_aggregate import GatedAggregate
from guerdon.rewards.process import StepScores
from guerdon.rewards.references import Against, References
from guerdon.rewards.shapes import par
from guerdon.scoring import Runner
from guerdon.transforms import center, clip, min_max
from guerdon.types import Example, Group, Rollout, Score


@reward(name="t/number-v1", bounds=(0.0, 1.0))
def number(rollout):
    return float(rollout.answer)


@reward(name="t/one-v1", bounds=(0.0, 1.0))
def one(rollout):
    return 1.0


def group(*values, id_="x"):
    return Group.of([Rollout.of(Example(id=id_), str(value), index=i) for i, value in enumerate(values)])


def learn(made, *groups, runner=None):
    context, groups = Context(), list(groups)
    scores = runner.score(made, groups, context) if runner else context.scores(made, groups)
    for node in walk(made):
        if node.stateful:
            node.update(groups, scores, context)
    return [[score.value for score in row] for row in scores]


def running():
    return number.then(min_max())


TREES = {
    "a gate and what it gates": lambda: running().named("z").gated_by(running()),
    "two terms": lambda: running().named("a") + running().named("b"),
    "behind a gate": lambda: (one + running().named("z")).gated_by(running()),
    "gated aggregate": lambda: GatedAggregate({}, {"fast": running(), "one": one}).gated_by(running()),
    "steps and the whole": lambda: StepScores(running(), "line", given="step").named("s") + running().named("w"),
}
each_tree = pytest.mark.parametrize("tree", TREES.values(), ids=TREES)


@each_tree
def test_of_equal_rewards_that_learn_the_one_that_is_updated_saw_the_batch(tree):
    made = tree()
    [node] = [node for node in walk(made) if node.stateful]
    learn(made, group(0.2, 0.4))
    learn(made, group(0.3, 0.3))
    assert node.version == 2
    assert node.state_dict()["state"] is not None


def test_a_gate_and_what_it_gates_are_as_if_written_with_one_object():
    """The range after 0.2 and 0.4 is [0.2, 0.4], in which 0.3 is halfway."""
    shared = running()
    apart, together = running().named("z").gated_by(running()), shared.named("z").gated_by(shared)
    for made in (apart, together):
        learn(made, group(0.2, 0.4))
    assert learn(apart, group(0.3, 0.3)) == learn(together, group(0.3, 0.3)) == [[pytest.approx(0.5)] * 2]


@each_tree
def test_a_run_that_is_resumed_goes_on_as_if_it_had_not_stopped(tree):
    batches = [group(0.2, 0.4), group(0.1, 0.3), group(0.15, 0.9), group(0.5, 0.2)]
    whole, first, second = tree(), tree(), tree()
    expected = [learn(whole, batch) for batch in batches]
    found = [learn(first, batch) for batch in batches[:2]]
    kept = [node.state_dict() for node in walk(first) if node.stateful]
    for node, state in zip((node for node in walk(second) if node.stateful), kept, strict=True):
        node.load_state_dict(state)
    found += [learn(second, batch) for batch in batches[2:]]
    assert found == expected


@each_tree
def test_the_runner_agrees(tree):
    made, plain = tree(), tree()
    with Runner(workers=1) as runner:
        for batch in (group(0.2, 0.4), group(0.1, 0.3)):
            assert learn(made, batch, runner=runner) == learn(plain, batch)
    assert [n.version for n in walk(made) if n.stateful] == [n.version for n in walk(plain) if n.stateful] == [2]


def test_references_are_scored_anew_when_the_equal_reward_that_learns_moves():
    """`Against` looks at the version of whoever stands for its child, not at that of its own copy."""

    @dataclasses.dataclass(frozen=True)
    class Learner(Reward, name="t/learner-v1", sees="rollout"):
        held: dict = dataclasses.field(default_factory=dict, compare=False, repr=False)
        stateful = True

        @property
        def version(self):
            return self.held.get("version", 0)

        def score(self, rollout):
            return Score(float(rollout.answer) + 10.0 * self.version)

        def update(self, groups, scores, context):
            self.held["version"] = self.version + 1

    made = Learner() + Learner().against(References(kind="answers"), par()).named("shaped")
    asked = Columns(id="1", sample_completions=["0.5"])
    batch = Group.of([Rollout.of(asked, "0.5")])
    for version in range(2):
        [[score]] = Context().scores(made, [batch])
        assert score.parts["learner"].value == 0.5 + 10.0 * version
        assert score.parts["shaped"].value == 0.5  # the answer is the reference: no better, no worse
        for node in walk(made):
            if node.stateful:
                node.update([batch], [[score]], Context())


# -- whose batch it was ------------------------------------------------------------------------------------------------


def test_a_state_that_an_evaluation_left_is_not_learned_from():
    """The training batch has no steps, so nobody is asked; what an evaluation left is not taken for it."""
    inner = number.then(center())
    made = StepScores(inner, "line", given="step")
    Context().scores(made, [group("0.1\n0.9")])
    learn(made, group(""))
    assert (inner.version, inner.state_dict()["state"]) == (0, None)
    learn(made, group("0.1\n0.9"))
    assert inner.version == 1


def test_a_gate_that_lets_some_in_still_teaches_what_is_behind_it():
    inner = number.then(min_max())
    made = StepScores(inner, "line", given="step").gated_by(number, above=0.15)
    learn(made, group(0.1, 0.2, 0.4))
    assert inner.version == 1


def test_multipliers_do_not_move_by_an_evaluations_means():
    made = Constrained({"n": number}, {"n": 0.5})
    Context().scores(made, [group(0.0, 0.1)])
    made.update([group(0.9, 0.9)], [], Context())
    assert made.version == 0
    assert made.multipliers == {"n": 0.0}
    learn(made, group(0.0, 0.1))
    assert made.version == 1


def test_a_copy_keeps_the_state_and_not_the_batch():
    for made in (number.then(min_max()), Constrained({"n": number}, {"n": 0.5})):
        learn(made, group(0.2, 0.4))
        Context().scores(made, [group(0.1, 0.9)])
        for other in (pickle.loads(pickle.dumps(made)), copy.deepcopy(made)):
            assert other.state_dict() == made.state_dict()
            other.update([group(0.1, 0.9)], [], Context())
            assert other.version == 1


# -- caches and states belong to what they were made by ---------------------------------------------------------------


def test_another_reward_against_the_same_references_scores_them_itself():
    asked = Columns(id="1", sample_completions=["0.5"])
    made = number.against(References(kind="answers"), par())
    assert made(Rollout.of(asked, "0.5")).value == 0.5
    hundred = reward(name="t/hundred-v1")(lambda rollout: 100.0)
    assert dataclasses.replace(made, reward=hundred)(Rollout.of(asked, "0.5")).value == 0.5
    assert isinstance(pickle.loads(pickle.dumps(made)), Against)


def test_another_transform_starts_without_the_state_of_the_first():
    made = number.then(min_max())
    learn(made, group(0.1, 0.9))
    changed = dataclasses.replace(made, transform=center())
    assert changed.version == 0
    assert changed(Rollout.of(Example(id="1"), "0.5")).scored
    assert dataclasses.replace(made, transform=clip(0.0, 0.2))(Rollout.of(Example(id="1"), "0.5")).value == 0.2
