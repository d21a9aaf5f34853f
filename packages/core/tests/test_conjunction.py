"""Sums that need every term, by the worked examples of the LSC sheet (arXiv:2402.00742)."""

import math

import pytest

from guerdon.conformance import check_is_a_value
from guerdon.errors import ConfigError
from guerdon.rewards import Context, Reward, Sum, reward
from guerdon.rewards.conjunction import Every, every, log_and
from guerdon.rewards.references import References
from guerdon.rewards.shapes import lsc, par
from guerdon.transforms import clip
from guerdon.types import Example, Group, Rollout, Score


class Scores(Example):
    """Two properties' centred rewards of each answer, by its text; their references are at 0."""

    helpful: dict[str, float | str]
    harmless: dict[str, float | str]
    zero: tuple[float, ...] = (0.0,)


def told(rollout, of):
    value = getattr(rollout.example, of)[rollout.completion]
    return Score.unscored(f"{of} has none", status=value) if isinstance(value, str) else Score(value)


@reward
def helpful(rollout):
    return told(rollout, "helpful")


@reward
def harmless(rollout):
    return told(rollout, "harmless")


@reward(bounds=(0.0, 1.0))
def bonus(rollout):
    return 1.0


ZERO = References("zero")
BOTH = log_and({"helpful": helpful.against(ZERO, lsc()), "harmless": harmless.against(ZERO, lsc())})


def scored(of: Reward, **answers):
    """The scores of answers given as name=(helpful, harmless)."""
    example = Scores(
        id="1",
        helpful={name: pair[0] for name, pair in answers.items()},
        harmless={name: pair[1] for name, pair in answers.items()},
    )
    rows = Context().scores(of, [Group.of([Rollout.of(example, name) for name in answers])])
    return dict(zip(answers, rows[0], strict=True))


def test_the_sum_of_log_probabilities_is_the_probability_of_both():
    """sigmoid(0.5) sigmoid(-0.5) = 0.235004."""
    found = scored(BOTH, a=(0.5, -0.5))["a"]
    assert found.value == pytest.approx(-1.448154, abs=5e-7)
    assert math.exp(found.value) == pytest.approx(0.235004, abs=5e-7)
    assert found.flat()["helpful"] == pytest.approx(-0.474077, abs=5e-7)
    assert found.flat()["helpful/helpful"] == 0.5


def test_an_answer_that_is_good_in_one_property_alone_loses_to_one_that_is_fair_in_both():
    """Raw sums tie at 0."""
    answers = {"lopsided": (4.0, -4.0), "fair": (0.0, 0.0)}
    raw = scored(helpful + harmless, **answers)
    assert raw["lopsided"].value == raw["fair"].value == 0.0
    found = scored(BOTH, **answers)
    assert found["lopsided"].value == pytest.approx(-4.036300, abs=5e-7)
    assert found["fair"].value == pytest.approx(-1.386294, abs=5e-7)


def test_no_property_is_an_error():
    with pytest.raises(ConfigError, match="has none: give it at least one"):
        log_and({})
    with pytest.raises(ConfigError, match="has none"):
        Every(())


@pytest.mark.parametrize("status", ["abstain", "invalid", "infra"])
@pytest.mark.parametrize("place", [0, 1])
def test_a_property_without_a_score_leaves_the_row_out(status, place):
    """And never counts as 0, which is the maximum of a log-probability. The sibling keeps its number."""
    pair = [0.5, 0.5]
    pair[place] = status
    found = scored(BOTH, a=tuple(pair), b=(0.5, -0.5))
    name = ("helpful", "harmless")[place]
    assert math.isnan(found["a"].value)
    assert (found["a"].status, found["a"].why) == (status, f"{name}: {name} has none")
    assert found["b"].value == pytest.approx(-1.448154, abs=5e-7)


def test_a_plain_sum_would_make_the_missing_property_a_perfect_one():
    """Why `Every` is there: an abstaining term leaves a `Sum`, and the answer gains by it."""
    terms = helpful.against(ZERO, lsc()) + harmless.against(ZERO, lsc())
    found = scored(terms, missing=(0.5, "abstain"), whole=(0.5, 0.5))
    assert found["missing"].value > found["whole"].value


def test_the_gravest_reason_is_told():
    assert scored(BOTH, a=("abstain", "infra"))["a"].status == "infra"
    assert scored(BOTH, a=("abstain", "invalid"))["a"].status == "invalid"


def test_what_is_no_log_probability_is_refused():
    with pytest.raises(ConfigError, match=r"log_and: 'raw' \(helpful\) lies in \(-inf, inf\), .* shape it first"):
        log_and({"raw": helpful})
    with pytest.raises(ConfigError, match="a log-probability is at most 0"):
        log_and({"probable": helpful.against(ZERO, par())})


def test_its_bounds_do_not_reach_to_zero_as_a_plain_sums_do():
    """A term may abstain from a `Sum`, whose bounds then hold 0; here every term counts."""
    high = bonus.then(clip(0.5, 1.0))
    assert Every.of(high, 2.0 * bonus.named("twice").then(clip(0.5, 1.0))).bounds == (1.5, 3.0)
    assert (high + 2.0 * bonus.named("twice")).bounds == (0.0, 3.0)
    assert BOTH.bounds == (-math.inf, 0.0)


def test_weights_and_names_are_those_of_a_sum():
    both = every({"a": bonus, "b": bonus})
    assert scored(both, x=(0.0, 0.0))["x"].flat() == {"a": 1.0, "b": 1.0}
    assert scored(Every.of(0.5 * bonus, helpful), x=(2.0, 0.0))["x"].value == 2.5
    with pytest.raises(ConfigError, match="two terms of one sum are called 'bonus'"):
        Every.of(bonus, bonus)


def test_it_stays_whole_inside_another_sum():
    """`BOTH + bonus` must not flatten into a plain sum, whose terms may abstain; Every within Every may."""
    total = BOTH.named("good") + bonus
    found = scored(total, a=(0.5, "infra"), b=(0.5, -0.5))
    assert found["a"].status == "infra"
    assert found["b"].value == pytest.approx(1.0 - 1.448154, abs=5e-7)
    assert len((BOTH + bonus).terms) == 2
    assert isinstance(Sum.of(BOTH, bonus).terms[0][1], Every)
    assert len(Every.of(Every.of(helpful, harmless), bonus).terms) == 3


def test_it_is_a_value():
    check_is_a_value(BOTH)
    check_is_a_value(BOTH + 0.5 * bonus)
