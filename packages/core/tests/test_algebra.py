"""Composites, checked against their parts applied by hand."""

import json
import math
import pickle
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.errors import ConfigError
from guerdon.rewards import Context, Gate, Reward, Sum, Weighted, reward, walk
from guerdon.scoring import Runner
from guerdon.transforms import center, chain, clip, scale, standardize
from guerdon.types import Example, Group, Rollout, Score, Stream

nan = math.nan


@dataclass(frozen=True)
class Says(Reward, bounds=(-10.0, 10.0)):
    """Reads its own score off a completion: JSON, from label to a number or an unscored status."""

    key: str

    @property
    def name(self):
        return f"test/{self.key}-v1"

    def score(self, rollout):
        said = json.loads(rollout.completion)[self.key]
        return Score.unscored(f"{self.key} is out", status=said) if isinstance(said, str) else Score(said, self.key)


@dataclass(frozen=True)
class Place(Says):
    """The same, seen by the group."""

    def score_group(self, group):
        return [Says.score(self, rollout) for rollout in group.rollouts]


a, b, c = Says("a"), Says("b"), Says("c")
said = st.floats(-10.0, 10.0) | st.sampled_from(["abstain", "invalid", "infra"])
rows = st.lists(
    st.lists(st.fixed_dictionaries({"a": said, "b": said, "c": said}), min_size=1, max_size=4), min_size=1, max_size=3
)
weights = st.floats(-3.0, 3.0)


def batch(rows):
    return [
        Group.of([Rollout.of(Example(id=f"e{i}"), json.dumps(row), index=j) for j, row in enumerate(group)])
        for i, group in enumerate(rows)
    ]


def evaluate(tree, rows):
    """Scores with their cells, one pair per rollout."""
    scores = Context().scores(tree, batch(rows))
    assert [len(row) for row in scores] == [len(group) for group in rows]
    return [
        (score, cell) for row, group in zip(scores, rows, strict=True) for score, cell in zip(row, group, strict=True)
    ]


def only(tree, **cell):
    return evaluate(tree, [[{"a": 0.0, "b": 0.0, "c": 0.0, **cell}]])[0][0]


@given(rows, weights, weights)
def test_a_sum_is_its_weighted_parts(rows, u, v):
    for score, cell in evaluate(u * a + v * b, rows):
        parts = [(u, cell["a"]), (v, cell["b"])]
        blocked = [status for status in ("infra", "invalid") if status in (cell["a"], cell["b"])]
        numbers = [weight * value for weight, value in parts if not isinstance(value, str)]
        if blocked:
            assert score.status == blocked[0]
        elif not numbers:
            assert score.status == "abstain"
        else:
            assert score.value == sum(numbers)
        assert list(score.parts) == ["a", "b"]


@given(rows, weights)
def test_a_weight_scales_the_value_and_keeps_the_rest(rows, u):
    for score, cell in evaluate(u * a, rows):
        if isinstance(cell["a"], str):
            assert score.status == cell["a"]
            assert math.isnan(score.value)
        else:
            assert score.value == u * cell["a"]
            assert score.parts["a"].value == cell["a"]


@given(rows, weights, st.sampled_from(["gated_by", "unless"]), st.booleans())
def test_a_gate_lets_through_or_gives_zero(rows, above, method, narrow):
    """An unscored gate has no say, whichever way it opens."""
    inner = a if narrow else Place("a")
    for score, cell in evaluate(getattr(inner, method)(b, above=above), rows):
        if isinstance(cell["b"], str):
            assert score.status == cell["b"]
        elif (cell["b"] > above) != (method == "gated_by"):
            assert score.value == 0.0
            assert "closed" in score.why
        elif isinstance(cell["a"], str):
            assert score.status == cell["a"]
        else:
            assert score.value == cell["a"]
        assert score.parts["b"].value == cell["b"] or not score.parts["b"].scored


@given(rows)
def test_the_runner_and_the_context_agree(rows):
    tree = (0.5 * a + b).gated_by(c) + 2.0 * Place("a").named("place")
    for mine, other in zip(Runner().score(tree, batch(rows)), Context().scores(tree, batch(rows)), strict=True):
        assert [repr(score) for score in mine] == [repr(score) for score in other]


@given(rows, weights, weights)
def test_every_tree_stays_within_its_own_bounds(rows, u, v):
    """`Context.scores` raises BoundsError otherwise."""
    evaluate((u * a + v * b).gated_by(c).then(chain(scale(v), clip(-1.0, 5.0))).named("all") + u * c, rows)


def test_the_rounding_of_many_terms_stays_within_the_sum_of_bounds():
    """Ten times 0.1 is 0.9999999999999999 added one by one, 1.0 added exactly."""
    ones = [reward(lambda rollout: 1.0, name=f"r{i}", bounds=(0.0, 1.0)) for i in range(10)]
    tree = Sum(tuple((0.1, one) for one in ones))
    score = Context().scores(tree, batch([[{}]]))[0][0]
    assert score.value == tree.bounds[1]


def test_statuses_of_unscored_parts():
    assert only(a + b, a="abstain", b=2.0).value == 2.0
    assert only(a + b, a="abstain", b="abstain").status == "abstain"
    assert only(a + b, a="invalid", b=2.0).status == "invalid"
    assert only(a + b, a="invalid", b="infra").status == "infra"
    assert only(a + b, a="infra", b=2.0).why == "a: a is out"
    assert only(a.gated_by(b), a=1.0, b="abstain").status == "abstain"
    assert only(a.gated_by(b), a="infra", b=-1.0).value == 0.0


def test_a_closed_gate_saves_its_childs_work():
    asked = []

    @reward
    def dear(rollout):
        asked.append(rollout.completion)
        return 1.0

    rows = [[{"b": 1.0}, {"b": -1.0}], [{"b": -1.0}], [{"b": 2.0}, {"b": 2.0}]]
    assert [score.value for score, _ in evaluate(dear.gated_by(b), rows)] == [1.0, 0.0, 0.0, 1.0, 1.0]
    assert len(asked) == 3


def test_sums_flatten_and_weights_stay_as_written():
    assert (0.9 * a + 0.1 * b + c).terms == ((0.9, a), (0.1, b), (1.0, c))
    assert repr(0.9 * a + c) == "(0.9 * Says(key='a') + Says(key='c'))"


@pytest.mark.parametrize(
    "tree",
    [
        a + 2.0 * b,
        (0.5 * a).gated_by(b, above=0.25),
        a.unless(b),
        2.0 * (3.0 * a),
        Sum.of(a),
        (a + b).named("ab") + c,
        (0.1 * a).named("x"),
        (a + b).then(standardize()),
        (0.3 * a).then(chain(center(decay=0.9), clip(-1.0, 1.0))),
        1 / 3 * a,
    ],
    ids=repr,
)
def test_a_tree_is_a_value(tree):
    names = {"Says": Says, "Sum": Sum, "chain": chain, "center": center, "clip": clip, "standardize": standardize}
    assert eval(repr(tree), names) == tree
    assert pickle.loads(pickle.dumps(tree)) == tree
    assert hash(pickle.loads(pickle.dumps(tree))) == hash(tree)


def test_two_terms_of_one_name_are_refused():
    with pytest.raises(ConfigError, match="two terms of one sum are called 'a'"):
        a + 2.0 * Place("a")
    assert (a + Place("a").named("a2")).bounds == (-20.0, 20.0)


def test_a_gate_that_would_hide_a_part_is_refused():
    with pytest.raises(ConfigError, match="both called 'a'"):
        (a + b).gated_by(Place("a"))
    assert isinstance((a + b).gated_by(a), Gate)


@pytest.mark.parametrize("weight", [nan, math.inf])
def test_a_weight_must_be_finite(weight):
    with pytest.raises(ConfigError, match="finite"):
        weight * a


def test_a_tree_sees_as_much_as_its_widest_part():
    assert (a + b).sees == "rollout"
    assert (a + Place("b")).sees == "group"
    assert a.then(standardize()).sees == "group"
    assert a.gated_by(b).then(center()).sees == "batch"


one, two = (reward(lambda rollout: 1.0, name=name, bounds=(0.0, 1.0)) for name in ("one", "two"))
three = reward(lambda rollout: 1.0, name="three", bounds=(-2.0, 1.0))


@pytest.mark.parametrize(
    ("tree", "bounds"),
    [
        (3.0 * one + 2.0 * two.unless(one), (0.0, 3.0)),  # one is 0: 2; one is above 0: 3
        (2.0 * one + 3.0 * two.unless(one), (0.0, 3.0)),
        (one + two.unless(one, above=0.5), (0.0, 1.5)),  # up to 0.5 and 1; beyond it 1
        (-1.0 * one + 2.0 * two.gated_by(one), (-1.0, 2.0)),  # one is 0: 0; above 0: from -1 + 0 to 0 + 2
        (one.gated_by(three) + two.unless(three), (0.0, 1.0)),  # one or the other, and three is no term itself
        (three + one.gated_by(three, above=-1.0), (-2.0, 2.0)),  # up to -1: [-2, -1]; beyond: [-1, 1] + [0, 1]
        (one.gated_by(three, above=-1.0) + two.unless(three, above=0.5), (0.0, 2.0)),  # both between -1 and 0.5
        (one + two.gated_by(three), (0.0, 2.0)),  # a gate on which nothing else hangs
        (one + 2.0 * two.unless(one) + three, (-2.0, 3.0)),
        ((one + 2.0 * two.unless(one)).gated_by(three), (0.0, 2.0)),
        (one + two.unless(one, above=1.0), (0.0, 2.0)),  # a gate that is always open
        (one + two.gated_by(one, above=1.0), (0.0, 1.0)),  # one that never is
    ],
    ids=repr,
)
def test_terms_that_hang_on_one_gate_are_bounded_together(tree, bounds):
    """By hand, case by case; an abstaining term reaches every bound to 0."""
    assert tree.bounds == bounds


@given(rows, weights, weights, st.floats(-10.0, 10.0), st.floats(-10.0, 10.0))
def test_a_sum_of_gated_terms_stays_within_its_own_bounds(rows, u, v, low, high):
    """The runner refuses a value outside: nothing here may raise."""
    tree = u * a + v * b.unless(a, above=low) + c.gated_by(a, above=high) + Says("b").gated_by(c).named("d")
    evaluate(tree, rows)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda a: 0.5 * a + 1, "1 is no reward and cannot be added to a: a constant is the same for every attempt"),
        (lambda a: 1 + a, "1 is no reward and cannot be added to a"),
        (lambda a: a + (lambda rollout: 1.0), "decorate the function with @guerdon.reward"),
        (lambda a: a + "b", "'b' is no reward"),
        (lambda a: a.gated_by(0.5), "0.5 is no reward and cannot be the gate of a"),
        (lambda a: a.unless(None), "None is no reward and cannot be the gate of a"),
        (lambda a: a * a, "the weight of a is .*; a finite number is needed"),
        (lambda a: "half" * a, "the weight of a is 'half'; a finite number is needed"),
    ],
)
def test_what_is_no_reward_or_no_weight_is_said_where_it_is_written(spoil, said):
    with pytest.raises(ConfigError, match=said):
        spoil(reward(name="a")(lambda rollout: 0.0))


def test_bounds_follow_the_algebra():
    """Bounds of each leaf are (-10, 10)."""
    assert (0.5 * a).bounds == (-5.0, 5.0)
    assert (-2.0 * a + b).bounds == (-30.0, 30.0)
    assert (0.0 * reward(lambda rollout: 1.0)).bounds == (0.0, 0.0)
    assert a.then(clip(1.0, 2.0)).gated_by(b).bounds == (0.0, 2.0)


def test_shaped_values_keep_the_raw_one_as_evidence():
    """Group mean of 1 and 3 is 2."""
    found = evaluate(a.then(center(scope="group")), [[{"a": 1.0}, {"a": 3.0}]])
    assert [score.value for score, _ in found] == [-1.0, 1.0]
    assert [score.parts["a"].value for score, _ in found] == [1.0, 3.0]


def test_a_running_transform_learns_only_when_told_and_resumes_from_its_state():
    """Baseline 0 after [0, 0]; with decay 0.5, (0.5*2*0 + 2*3) / 3 = 2 after [3, 3]."""
    tree, fresh = a.then(center(decay=0.5)), a.then(center(decay=0.5))
    low, high = batch([[{"a": 0.0}, {"a": 0.0}]]), batch([[{"a": 3.0}, {"a": 3.0}]])
    assert tree.stateful
    assert not a.then(clip(0.0, 1.0)).stateful

    Context().scores(tree, high)  # an evaluation: scored, not learned from
    assert tree.version == 0
    scores = Context().scores(tree, low)
    tree.update(low, scores, Context())
    assert tree.version == 1
    fresh.load_state_dict(json.loads(json.dumps(tree.state_dict())))
    for one in (tree, fresh):
        assert [score.value for score in Context().scores(one, high)[0]] == [1.0, 1.0]
    assert fresh.version == 1


def test_loading_an_empty_state_forgets():
    tree = a.then(center())
    blank = tree.state_dict()
    rows = batch([[{"a": 1.0}]])
    tree.update(rows, Context().scores(tree, rows), Context())
    tree.load_state_dict(blank)
    assert tree.state_dict() == blank


def test_walk_meets_every_node_once():
    tree = (a + 2.0 * b).gated_by(a)
    assert [type(node).__name__ for node in walk(tree)] == ["Gate", "Sum", "Says", "Says"]
    assert isinstance(0.5 * a, Weighted)


# -- streams ---------------------------------------------------------------------------------------------------------


@reward(bounds=(-10.0, 10.0))
def dense(rollout):
    """A stream beside the value, of two turns."""
    value = json.loads(rollout.completion)["a"]
    return Score(value, dense={"turn": Stream("turn", (value, value / 2))})


def streams_of(score):
    return {name: stream.values for name, stream in score.dense.items()}


def test_a_lone_rewards_streams_survive_a_weight_a_name_and_an_open_gate():
    assert streams_of(only(dense, a=3.0)) == {"turn": (3.0, 1.5)}
    assert streams_of(only(1.0 * dense, a=3.0)) == {"turn": (3.0, 1.5)}
    assert streams_of(only(dense.named("x"), a=3.0)) == {"turn": (3.0, 1.5)}
    assert streams_of(only(dense.gated_by(b), a=3.0, b=1.0)) == {"turn": (3.0, 1.5)}
    assert streams_of(only(dense.unless(b), a=3.0, b=-1.0)) == {"turn": (3.0, 1.5)}


def test_a_weight_scales_the_streams_with_the_value_and_the_raw_ones_stay_with_the_part():
    score = only(-2.0 * dense, a=3.0)
    assert streams_of(score) == {"turn": (-6.0, -3.0)}
    assert streams_of(score.parts["dense"]) == {"turn": (3.0, 1.5)}


def test_behind_a_closed_gate_there_is_a_bare_zero():
    score = only(dense.gated_by(b), a=3.0, b=-1.0)
    assert (score.value, streams_of(score)) == (0.0, {})


@pytest.mark.parametrize("tree", [2.0 * dense + b, (dense + b).then(scale(0.5)), (dense + b).gated_by(c)], ids=repr)
def test_a_sum_and_a_transform_leave_streams_with_the_parts_that_have_them(tree):
    score = only(tree, a=3.0, c=1.0)
    assert streams_of(score) == {}
    inner = score.parts.get("sum", score)
    assert streams_of(inner.parts["dense"]) == {"turn": (3.0, 1.5)}


@dataclass(frozen=True)
class Fails(Reward, bounds=(-1.0, 1.0)):
    """Fails for a reason."""

    key: str
    why: str

    @property
    def name(self):
        return f"test/{self.key}-v1"

    def score(self, rollout):
        return Score(-1.0, self.why, status="fail" if self.why else "ok")


@pytest.mark.parametrize(
    ("whys", "told"),
    [(("no JSON", "no JSON"), "no JSON"), (("no JSON", "wrong"), ""), (("no JSON", ""), ""), (("", ""), "")],
)
def test_a_sum_says_why_where_its_terms_failed_for_one_reason(whys, told):
    """An abstaining term has no say."""
    first, second = (Fails(key, why) for key, why in zip("ab", whys, strict=True))
    rollout = Rollout.of(Example(id="1"), '{"out": "abstain"}')
    assert (first + second)(rollout).why == told
    assert (first + second + Says("out"))(rollout).why == told
