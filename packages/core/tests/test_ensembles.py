"""Ensembles: the fact sheet's worked examples, who is missing, where members are centred; and best of n."""

from __future__ import annotations

import io
import math
import pickle
import statistics
import sys
from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

import guerdon
from guerdon.conformance import check_is_a_value, check_reward
from guerdon.errors import ConfigError
from guerdon.grading import Grader
from guerdon.plugins.catalog import catalog, register_local
from guerdon.protocols import Task
from guerdon.recipes import load_recipe
from guerdon.recipes.building import build_reward
from guerdon.rewards import Context, Ensemble, ensemble, reward
from guerdon.rewards.best_of_n import best_of, best_of_n_kl, best_of_n_weights, expected_best_of_n
from guerdon.rewards.ensembles import aggregate, calibrated, spread
from guerdon.transforms import center, standardize
from guerdon.types import Example, Group, Prompt, Rollout, Score

nan = math.nan
S = [1.0, 2.0, 4.0, 2.5, -3.0]
HOWS = ("worst", "mean", "median", "mean_minus_std", "uwo", "quantile")


def says(name, low=-10.0, high=10.0):
    """A reward that reads its own number off the text: "a=1 b=2"; a word in place of the number is a status."""

    @reward(name=f"test/{name}-v1", bounds=(low, high))
    def read(rollout):
        found = dict(pair.split("=") for pair in rollout.answer.split())[name]
        return Score.unscored(f"{name} is {found}", status=found) if found.isalpha() else float(found)

    return read


A, B, C = (says(name) for name in "abc")


@reward(name="test/longer-v1", bounds=(0.0, 10.0))
def longer(rollout):
    return min(10.0, float(len(rollout.answer)))


@reward(name="test/shorter-v1", bounds=(-10.0, 0.0))
def shorter(rollout):
    return max(-10.0, -float(len(rollout.answer)))


def group(*texts):
    return Group.of([Rollout.of(Example(id="x"), text, index=place) for place, text in enumerate(texts)])


def values(made, *texts):
    return [score.value for score in Context().scores(made, [group(*texts)])[0]]


# -- the fact sheet's worked examples --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "k", "expected"),
    [
        ("mean", None, 1.3),
        ("median", None, 2.0),
        ("worst", None, -3.0),
        ("mean_minus_std", None, -1.057965),
        ("uwo", 1.0, -4.26),
    ],
)
def test_five_members_as_on_the_sheet(how, k, expected):
    assert aggregate(S, how, k) == pytest.approx(expected, abs=1e-6)


def test_the_std_divides_by_the_number_of_members():
    """Pitfall 3: ddof 1 would give -1.336285."""
    assert statistics.mean(S) - statistics.stdev(S) == pytest.approx(-1.336285, abs=1e-6)
    assert aggregate(S, "mean_minus_std") == pytest.approx(1.3 - statistics.pstdev(S))


@pytest.mark.parametrize("how", HOWS)
def test_members_that_agree_and_a_member_alone_are_taken_at_their_word(how):
    assert aggregate([2.0, 2.0, 2.0], how) == 2.0
    assert aggregate([0.1] * 7, how) == 0.1
    assert aggregate([1.5], how) == 1.5
    assert spread([1.5]) == 0.0


def test_medians_and_quantiles_lie_between_neighbours():
    """The 0.25-quantile of 1, 2, 4 lies half way from the first to the second."""
    assert aggregate([1.0, 3.0], "median") == 2.0
    assert aggregate([4.0, 1.0, 2.0], "quantile") == 1.5
    assert [aggregate([4.0, 1.0, 2.0], "quantile", level) for level in (0.0, 1.0)] == [1.0, 4.0]


@pytest.mark.parametrize(
    ("how", "expected", "chosen"),
    [
        ("mean", [4.6667, 0.8333], 0),
        ("median", [8.0, 1.0], 0),
        ("worst", [-3.0, 0.5], 1),
        ("mean_minus_std", [-0.7698, 0.5976], 1),
    ],
)
def test_two_responses_three_members_as_on_the_sheet(how, expected, chosen):
    found = values(ensemble([A, B, C], how), "a=9 b=8 c=-3", "a=1 b=1 c=0.5")
    assert found == pytest.approx(expected, abs=1e-4)
    assert best_of(found) == chosen


def test_scores_of_any_finite_size_are_aggregated():
    """Mean 0 and std 1e200 of -+ 1e200; what is beyond the floats is the largest of its sign."""
    top = sys.float_info.max
    apart = [-1e200, 1e200]
    assert [aggregate(apart, how) for how in HOWS] == [-1e200, 0.0, 0.0, -1e200, -top, -0.5e200]
    assert (spread(apart), spread([-top, top]), spread([-top, top], "range")) == (1e200, top, top)
    assert (aggregate([top, top], "mean"), aggregate([-top, top], "median")) == (top, 0.0)
    assert spread([1e-200, 3e-200]) == pytest.approx(1e-200)
    free = [says(name, -math.inf, math.inf) for name in "ab"]
    assert values(ensemble(free, "uwo"), "a=-1e200 b=1e200") == [-top]
    assert values(ensemble(free, "worst", scale=(1e-300, 1.0)), "a=-1e200 b=1e200") == [-top]


@pytest.mark.parametrize(("n", "proxy", "gold"), [(1, 2.5, -1.0), (2, 3.3333, -3.6667), (4, 4.0, -10.0)])
def test_exact_best_of_n_as_on_the_sheet(n, proxy, gold):
    pool = [1.0, 2.0, 3.0, 4.0]
    assert expected_best_of_n(pool, pool, n) == pytest.approx(proxy, abs=1e-4)
    assert expected_best_of_n(pool, [1.0, 2.0, 3.0, -10.0], n) == pytest.approx(gold, abs=1e-4)


@pytest.mark.parametrize(("n", "kl"), [(1, 0.0), (2, 0.193147), (4, 0.636294), (64, 3.174508)])
def test_the_divergence_of_best_of_n_as_on_the_sheet(n, kl):
    assert best_of_n_kl(n) == pytest.approx(kl, abs=1e-6)


def test_a_cautious_value_may_fall_though_every_member_rises():
    """Pitfall 4, intended: from (1, 1) to (1, 4) mean - std goes from 1 to 2.5 - 1.5, and mean - variance below it."""
    assert aggregate([1.0, 1.0], "mean_minus_std") == aggregate([1.0, 4.0], "mean_minus_std") == 1.0
    assert aggregate([1.1, 4.1], "uwo", 1.0) < aggregate([1.0, 1.0], "uwo", 1.0)


# -- best of n -------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 4), min_size=1, max_size=7), st.data())
def test_best_of_n_is_the_mean_over_all_subsets(proxy, data):
    gold = [float(place * place) for place in range(len(proxy))]
    n = data.draw(st.integers(1, len(proxy)))
    subsets = list(combinations(range(len(proxy)), n))
    expected = sum(gold[places[best_of([proxy[place] for place in places])]] for places in subsets) / len(subsets)
    assert expected_best_of_n(proxy, gold, n) == pytest.approx(expected)


def test_the_weights_of_a_large_pool_add_up_to_one():
    for n in (1, 2, 100, 5000):
        assert math.fsum(best_of_n_weights(5000, n)) == pytest.approx(1.0)


def test_the_first_of_equals_is_picked_and_nothing_unscored():
    assert best_of([1.0, 3.0, 3.0]) == 1
    assert best_of([nan, 0.0, nan]) == 1
    for empty in ([], [nan]):
        with pytest.raises(ValueError, match="none of the"):
            best_of(empty)


@pytest.mark.parametrize("n", [0, 5])
def test_more_than_there_are_cannot_be_drawn(n):
    with pytest.raises(ValueError, match="pool of 4"):
        expected_best_of_n([1.0] * 4, [1.0] * 4, n)
    with pytest.raises(ValueError, match="n is 0"):
        best_of_n_kl(0)


def test_a_pool_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="2 numbers of the proxy for 1 values"):
        expected_best_of_n([1.0, 2.0], [1.0], 1)
    with pytest.raises(ValueError, match="finite numbers"):
        expected_best_of_n([1.0, nan], [1.0, 2.0], 1)


# -- the reward ------------------------------------------------------------------------------------------------------


def test_each_member_and_their_disagreement_are_in_every_log():
    (score,) = Context().scores(ensemble([A, B], "mean"), [group("a=1 b=3")])[0]
    assert score.flat() == {"a": 1.0, "b": 3.0, "missing": 0.0, "disagreement": 1.0}
    (wide,) = Context().scores(ensemble([A, B], "mean", spread="range"), [group("a=1 b=3")])[0]
    assert wide.parts["disagreement"].value == 2.0


@pytest.mark.parametrize("status", ["abstain", "invalid", "infra"])
def test_a_missing_member_is_dropped_from_means_and_makes_the_others_unscored(status):
    text = f"a=1 b={status} c=4"
    for how, expected in (("mean", 2.5), ("median", 2.5)):
        (score,) = Context().scores(ensemble([A, B, C], how), [group(text)])[0]
        assert (score.value, score.parts["missing"].value, score.parts["disagreement"].value) == (expected, 1.0, 1.5)
    for how in ("worst", "mean_minus_std", "uwo", "quantile"):
        (score,) = Context().scores(ensemble([A, B, C], how), [group(text)])[0]
        assert (score.scored, score.status, score.why) == (False, status, f"b: b is {status}")


def test_without_any_member_the_gravest_reason_is_told():
    (score,) = Context().scores(ensemble([A, B, C], "mean"), [group("a=abstain b=infra c=invalid")])[0]
    assert (score.status, score.why) == ("infra", "b: b is infra")


def test_one_look_left_of_two_knows_no_disagreement():
    (score,) = Context().scores(ensemble([A, B], "mean"), [group("a=1 b=infra")])[0]
    assert score.value == 1.0
    assert not score.parts["disagreement"].scored
    (alone,) = Context().scores(ensemble([A], "mean"), [group("a=1.5")])[0]
    assert (alone.value, alone.parts["disagreement"].value) == (1.5, 0.0)


def test_a_member_with_a_low_offset_decides_every_worst_until_it_is_centred():
    """Pitfall 1. b says -5 where a says 0; off their means, b is the kinder one about the first text."""
    texts = ("a=1 b=-4", "a=-1 b=-6")
    assert values(ensemble([A, B]), *texts) == [-4.0, -6.0]
    measured = calibrated([A, B], [group("a=2 b=-5", "a=0 b=-5", "a=-2 b=abstain")])
    assert measured.centre == (0.0, -5.0)
    assert measured.scale == (pytest.approx(math.sqrt(8 / 3)), 1.0)
    assert values(ensemble([A, B], centre=measured.centre), "a=1 b=-3", "a=-1 b=-3") == [1.0, -1.0]
    scaled = ensemble([A, B], "mean", centre=(0.0, -5.0), scale=(2.0, 0.5))
    assert values(scaled, "a=1 b=-4") == [(0.5 + 2.0) / 2]


def test_a_member_that_scores_nothing_cannot_be_calibrated():
    with pytest.raises(ConfigError, match="b scores none of 1 rollouts"):
        calibrated([A, B], [group("a=1 b=abstain")])


@given(st.sampled_from(HOWS), st.lists(st.floats(-10, 10), min_size=3, max_size=3), st.floats(0.0, 1.0))
def test_values_stay_within_the_stated_bounds(how, numbers, k):
    made = ensemble([A, B, C], how, k if how in ("mean_minus_std", "uwo", "quantile") else None)
    (found,) = values(made, " ".join(f"{name}={value!r}" for name, value in zip("abc", numbers, strict=True)))
    assert found == pytest.approx(aggregate(numbers, how, k), abs=1e-9)  # held to the bounds, and not cut by them


def test_bounds_are_the_tightest_there_are():
    """Many of [0, 10], a share p = (1 - 1/sqrt 2)/2 of them at 10: their mean - std is 10 (1 - sqrt 2)/2."""
    zero, ten = says("a", 0.0, 10.0), says("b", 0.0, 10.0)
    assert ensemble([zero, ten], "mean_minus_std").bounds == pytest.approx((-2.071068, 10.0))
    assert ensemble([zero, ten], "uwo", 0.5).bounds == pytest.approx((10 * 0.4 - 50 * 0.24, 10.0))
    assert ensemble([zero, ten], "uwo", 0.0).bounds == (0.0, 10.0)
    assert ensemble([says("a", 0.0, 1.0), says("b", -1.0, 0.5)], "worst").bounds == (-1.0, 0.5)
    assert ensemble([zero, ten], centre=(5.0, 5.0), scale=(1.0, 5.0)).bounds == (-5.0, 1.0)
    endless = ensemble([says("a", 0.0, math.inf), says("b", 0.0, 1.0)], "uwo")
    assert endless.bounds == (-math.inf, math.inf)
    assert ensemble([zero, ten], spread="range").widest_disagreement == 10.0


@pytest.mark.parametrize(
    ("members", "options", "said"),
    [
        ([], {}, "members is empty"),
        ([A, A], {}, "called 'a'"),
        ([A.named("disagreement")], {}, "called 'disagreement'"),
        ([A], {"how": "best"}, r"Ensemble\.how is 'best'"),
        ([A], {"how": "mean", "k": 1.0}, "'mean' has none"),
        ([A], {"how": "uwo", "k": -1.0}, r"Ensemble\.k is -1\.0"),
        ([A], {"how": "quantile", "k": 1.5}, "from 0 to 1 is needed"),
        ([A], {"how": "uwo", "k": nan}, r"Ensemble\.k is nan"),
        ([A], {"centre": (1.0, 2.0)}, "2 numbers for 1 members"),
        ([A], {"scale": (0.0,)}, "above 0"),
        ([A], {"centre": (nan,)}, "finite"),
        ([A], {"spread": "variance"}, r"Ensemble\.spread"),
    ],
)
def test_wrong_options_are_named(members, options, said):
    with pytest.raises(ConfigError, match=said):
        ensemble(members, **options)
    with pytest.raises(ValueError, match="at least one value"):
        aggregate([], "mean")


@dataclass(frozen=True)
class Yes(Task):
    name: ClassVar[str] = "test/yes-v1"

    def examples(self, split):
        return [Example(id=f"{split}{place}") for place in range(2)]

    def prompt(self, example):
        return Prompt(observation="?")

    def reference(self, example):
        return "yes"


@reward(name="test/agrees-v1", bounds=(0.0, 1.0))
def agrees(rollout):
    return float(rollout.answer.startswith("yes"))


@reward(name="test/brief-v1", bounds=(0.0, 1.0))
def brief(rollout):
    return float(len(rollout.answer) < 9)


@pytest.mark.parametrize("how", HOWS)
def test_it_keeps_the_promises_of_any_reward(how):
    """A cheat that one member falls for earns nothing by the worst, and half at most by the mean."""
    nothing = {"worst": 0.0, "mean_minus_std": 0.0, "quantile": 0.25, "uwo": 0.375}.get(how, 0.5)
    check_reward(ensemble([agrees, brief], how), Yes(), cheats=["yes" * 100, "no"], nothing=nothing, top=1.0)


def test_an_ensemble_is_a_value():
    made = ensemble([longer, shorter], "uwo", 0.3, centre=(1.0, 2.0), spread="range")
    check_is_a_value(made)
    assert made == Ensemble((longer, shorter), "uwo", 0.3, (1.0, 2.0), (), "range")
    assert guerdon.ensemble is ensemble


def test_aggregating_first_and_standardising_members_first_are_two_methods():
    """Pitfall 7: the member with the larger spread decides the mean of values, and not that of standardised ones."""
    texts = ("a=1 b=-9", "a=-1 b=9", "a=0 b=0")
    assert values(ensemble([A, B], "mean"), *texts) == [-4.0, 4.0, 0.0]
    each = [one.then(standardize(epsilon=0.0)).named(one.label) for one in (A, B)]
    assert values(ensemble(each, "mean"), *texts) == pytest.approx([0.0, 0.0, 0.0])


def test_a_recipe_builds_one_of_nested_rewards():
    register_local("rewards", "test/longer-v1", longer)
    register_local("rewards", "test/shorter-v1", shorter)
    try:
        given = {"members": ["test/longer", {"use": "test/shorter", "name": "brief"}], "how": "mean", "centre": [1, 2]}
        recipe = {"task": "any", "policy": "scripted", "reward": {"use": "ensemble", "with": given}}
        built = build_reward(load_recipe(recipe).reward)
        assert built == ensemble([longer, shorter.named("brief")], "mean", centre=(1.0, 2.0))
        assert hash(built) == hash(pickle.loads(pickle.dumps(built)))
    finally:
        catalog.cache_clear()


def test_members_that_learn_keep_their_state_in_the_checkpoint():
    """A running mean of 4 after one batch, and of 4 again in the copy that takes it up."""
    torch = pytest.importorskip("torch")
    made = ensemble([longer.then(center()), shorter], "mean")
    rows = [{"example": {"id": str(place)}, "completion": "x" * size} for place, size in enumerate((2, 6))]
    with Grader(made) as grader:
        grader.grade(rows, learn=True)
        kept = io.BytesIO()
        torch.save(grader.state_dict(), kept)
    kept.seek(0)
    fresh = ensemble([longer.then(center()), shorter], "mean")
    with Grader(fresh) as grader:
        grader.load_state_dict(torch.load(kept, weights_only=True))
        (score,) = grader.grade([{"example": {"id": "y"}, "completion": "x" * 7}])
        # 7 less the mean of 2, 6 and 7, which is 5; and -7 beside it
        assert score.parts["longer"].value == pytest.approx(2.0)
        assert score.value == pytest.approx((2.0 - 7.0) / 2)


# -- terms standardised before they are added ------------------------------------------------------------------------


def test_standardising_each_term_is_what_streams_with_std_do():
    """Two ways to one number: `.then(standardize())` per term for trainers elsewhere, `streams(std=True)` in ours."""
    from guerdon.advantages import streams
    from guerdon.types import Segment

    texts = ("a=1 b=-9", "a=-1 b=8", "a=0 b=0", "a=3 b=1")
    rollouts = [Rollout(Example(id="x"), (Segment("policy", text, action=0),)) for text in texts]
    raw = Context().scores(0.7 * A + 0.3 * B, [Group.of(rollouts)])
    (estimated,) = streams({"a": 0.7, "b": 0.3}, std=True).estimate([Group.of(rollouts)], raw).values
    shaped = 0.7 * A.then(standardize()) + 0.3 * B.then(standardize())
    (scores,) = Context().scores(shaped, [Group.of(rollouts)])
    assert [score.value for score in scores] == pytest.approx([steps[0] for steps in estimated])
    assert max(abs(score.value) for score in scores) > 0.1
