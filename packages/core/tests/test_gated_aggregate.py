"""The gate of SearchLLM: the fact sheet's worked examples 1 to 9, and its pitfalls."""

import math
import pickle
from dataclasses import dataclass

import pytest

from guerdon.advantages import group_relative
from guerdon.conformance import check_is_a_value, check_reward
from guerdon.errors import BoundsError, ConfigError
from guerdon.grading import Grader
from guerdon.plugins.catalog import catalog, register_local
from guerdon.protocols import Task
from guerdon.recipes import load_recipe
from guerdon.recipes.building import build_reward
from guerdon.rewards import Context, reward
from guerdon.rewards.gated_aggregate import GatedAggregate, hard_and, soft_and, weighted_mean
from guerdon.types import Example, Group, Prompt, Rollout, Score


class Scored(Example):
    """An answer whose criteria are known; None abstains, a text is the reason why it could not be scored."""

    values: dict[str, float | str | None]

    def __hash__(self):
        return hash(self.id)


def criterion(name, bounds=(0.0, 1.0)):
    def read(rollout):
        value = rollout.example.values[name]
        if value is None:
            return Score.unscored("does not apply", status="abstain")
        return Score.unscored(value) if isinstance(value, str) else Score(value)

    return reward(name=f"test/{name}-v1", bounds=bounds)(read)


LINES = {name: criterion(name) for name in ("safe", "format", "length")}
TRAITS = {name: criterion(name) for name in ("useful", "varied")}


def score(lines, traits, **options):
    """The gate's score of one answer with these criteria, in order."""
    made = GatedAggregate(
        {name: one for name, one in LINES.items() if name in list(LINES)[: len(lines)]},
        {name: one for name, one in TRAITS.items() if name in list(TRAITS)[: len(traits)]},
        **options,
    )
    values = {**dict(zip(LINES, lines, strict=False)), **dict(zip(TRAITS, traits, strict=False))}
    return made(Rollout.of(Scored(id="x", values=values), "an answer"))


# -- worked examples --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "traits", "gate", "utility", "total"),
    [
        ([1.0] * 9, [0.8] * 4, 1.0, 0.8, 0.8),
        ([0.0] + [1.0] * 8, [1.0] * 4, 0.598822, 1.0, 0.598822),
        ([1.0] * 9, [0.1] * 4, 1.0, 0.1, 0.1),
        ([0.0] * 9, [1.0], 0.009901, 1.0, 0.009901),
        ([0.5] * 9, [1.0], 0.504950, 1.0, 0.504950),
    ],
    ids=["1", "2", "3", "4", "5"],
)
def test_examples_1_to_5(lines, traits, gate, utility, total):
    assert soft_and(lines) == pytest.approx(gate, abs=1e-6)
    assert weighted_mean(traits, [1.0] * len(traits)) == pytest.approx(utility, abs=1e-6)
    assert soft_and(lines) * weighted_mean(traits, [1.0] * len(traits)) == pytest.approx(total, abs=1e-6)


def test_example_3_an_answer_that_breaks_a_bottom_line_may_beat_one_that_breaks_none():
    assert soft_and([0.0] + [1.0] * 8) * 1.0 > soft_and([1.0] * 9) * 0.1
    assert hard_and([0.0] + [1.0] * 8) * 1.0 < hard_and([1.0] * 9) * 0.1


def test_example_6_through_the_reward():
    found = score((1.0, 1.0, 0.0), (0.9, 0.5), weights={"useful": 2.0})
    assert found.parts["bottom_line"].value == pytest.approx(0.214730, abs=1e-6)
    assert found.parts["behaviour"].value == pytest.approx(0.766667, abs=1e-6)
    assert found.value == pytest.approx(0.164626, abs=1e-6)
    assert {name: found.parts[name].value for name in ("safe", "length", "useful")} == {
        "safe": 1.0,
        "length": 0.0,
        "useful": 0.9,
    }


def test_example_7_through_the_reward():
    found = score((0.9, 0.95, 1.0), (0.9, 0.5), weights={"useful": 2.0})
    assert found.parts["bottom_line"].value == pytest.approx(0.949635, abs=1e-6)
    assert found.value == pytest.approx(0.728053, abs=1e-6)


def test_example_8_the_group_pushes_the_violating_answer_up():
    """Population std, as in the paper; equal rewards give zeros (a dead group)."""
    found = group_relative(ddof=0, epsilon=0.0).centred([0.598822, 0.1, 0.1, 0.1])
    assert found == pytest.approx([1.732051, -0.577350, -0.577350, -0.577350], abs=1e-6)
    group = Group.of([Rollout(Example(id="x")) for _ in range(4)])
    assert group_relative(ddof=0, epsilon=0.0).estimate([group], [[Score(0.5)] * 4]).dead == [True]


def test_example_9_sensitivity_is_bounded_and_no_bottom_line_leaves_the_gate_open():
    """The steepest place is s = 0: 1 / (m d) = 11.1111 for nine criteria."""
    small = 1e-7
    rise = (math.log(soft_and([small] + [0.5] * 8)) - math.log(soft_and([0.0] + [0.5] * 8))) / small
    assert rise == pytest.approx(11.1111, abs=1e-3)
    assert soft_and([]) == 1.0
    assert score((), (0.7,)).value == pytest.approx(0.7)
    with pytest.raises(ValueError, match="not all 0"):
        weighted_mean([0.5], [0.0])
    with pytest.raises(ConfigError, match="0 for every behaviour"):
        score((1.0,), (0.7,), weights={"useful": 0.0})


# -- pitfalls ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("m", "left"), [(1, 0.0099), (3, 0.215), (9, 0.599)])
def test_one_broken_criterion_weighs_less_among_more(m, left):
    assert soft_and([0.0] + [1.0] * (m - 1)) == pytest.approx(left, abs=5e-4)


def test_the_hard_gate_lets_nothing_through():
    assert score((1.0, 0.0), (1.0,), gate="hard").value == 0.0
    assert score((0.5, 0.5), (1.0,), gate="hard").value == 0.25


def test_below_its_threshold_one_criterion_closes_the_gate_and_is_named():
    closed = score((0.7, 0.9), (1.0,), thresholds={"safe": 0.8})
    assert closed.value == 0.0
    assert closed.why == "below its threshold: safe"
    assert score((0.8, 0.9), (1.0,), thresholds={"safe": 0.8}).value > 0.8


@pytest.mark.parametrize("bad", [math.nan, -0.1, 1.1, math.inf])
def test_scores_outside_the_unit_interval_never_reach_the_log(bad):
    for function in (soft_and, hard_and, lambda scores: weighted_mean(scores, [1.0, 1.0])):
        with pytest.raises(ValueError, match=r"numbers in \[0, 1\]"):
            function([0.5, bad])


def test_a_criterion_whose_bounds_leave_the_unit_interval_is_refused_at_once():
    wide = criterion("safe", bounds=(-1.0, 1.0))
    for layers in ({"bottom_line": {"safe": wide}}, {"behaviour": {"safe": wide}}):
        with pytest.raises(ConfigError, match=r"'safe' .* has bounds \(-1.0, 1.0\)"):
            GatedAggregate(**{"bottom_line": {}, "behaviour": dict(TRAITS), **layers})
    assert GatedAggregate({"safe": wide.then(_clip())}, TRAITS).bounds == (0.0, 1.0)


def _clip():
    from guerdon.transforms import clip

    return clip(0.0, 1.0)


def test_a_criterion_that_breaks_its_own_bounds_is_a_bug():
    with pytest.raises(BoundsError, match="safe"):
        score((1.5,), (0.5,))


# -- without a score --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lines", [("the judge is down", 1.0), (1.0, "the judge is down")])
def test_a_judge_that_is_down_makes_no_number(lines):
    found = score(lines, (0.5,))
    assert found.status == "infra"
    assert math.isnan(found.value)
    assert "the judge is down" in found.why


def test_a_criterion_that_abstains_leaves_its_mean():
    """m is then 2: one broken of two leaves (d / (1 + d))^(1/2) = 0.0995."""
    assert score((0.0, 1.0, None), (1.0, None)).value == pytest.approx(0.0995037, abs=1e-6)
    assert score((None, None), (0.4, 0.6)).value == pytest.approx(0.5)


def test_all_behaviours_abstaining_leave_nothing_to_score():
    assert score((1.0,), (None, None)).status == "abstain"


def test_filled_in_is_a_choice_by_name_and_says_so():
    """The fact sheet's rule: bottom line 0, behaviour 0.5, and an error flag."""
    found = score(("unreadable", 1.0, 1.0), ("unreadable", 0.5), missing="filled")
    assert found.value == pytest.approx(0.214730 * 0.5, abs=1e-6)
    assert found.why == "no score, filled in: safe, useful"
    assert found.parts["filled"].value == 2.0
    assert not found.parts["safe"].scored
    assert score((1.0,), (0.5,), missing="filled").parts["filled"].value == 0.0


# -- a reward like any other ------------------------------------------------------------------------------------------


@reward(name="test/polite-v1", bounds=(0.0, 1.0))
def polite(rollout):
    return float("please" in rollout.answer)


@reward(name="test/short-v1", bounds=(0.0, 1.0))
def short(rollout):
    return float(len(rollout.answer) < 20)


def made(**options):
    return GatedAggregate({"polite": polite}, {"short": short}, **options)


@dataclass(frozen=True)
class Requests(Task):
    name = "test/requests-v1"

    def examples(self, split):
        return [Example(id=f"{split}{n}") for n in range(3)]

    def prompt(self, example):
        return Prompt()

    def reference(self, example):
        return "yes, please"


def test_it_keeps_what_every_reward_promises():
    """A cheat that is short and rude keeps .0099 of the soft gate, and nothing of the hard one."""
    check_reward(made(), Requests(), cheats=["", "no"], nothing=0.01)
    check_reward(made(gate="hard"), Requests(), cheats=["", "no", "please " * 100])


def test_it_is_a_value():
    for one in (made(), made(gate="hard", thresholds={"polite": 0.5}, weights={"short": 2.0}, missing="filled")):
        check_is_a_value(one)
        assert pickle.loads(pickle.dumps(one)) == one
    assert made() != made(gate="hard")


def test_a_recipe_names_its_criteria():
    register_local("rewards", "test/polite-v1", polite)
    register_local("rewards", "test/short-v1", short)
    try:
        options = {"bottom_line": {"polite": "test/polite"}, "behaviour": {"brief": {"use": "test/short"}}}
        spec = {"use": "gated-aggregate", "with": {**options, "thresholds": {"polite": 0.5}}}
        built = build_reward(load_recipe({"task": "test/any", "policy": "scripted", "reward": spec}).reward)
        assert built == GatedAggregate({"polite": polite}, {"brief": short}, thresholds={"polite": 0.5})
        found = built(Rollout.of(Example(id="1"), "yes, please"))
        assert (found.value, found.parts["brief"].value) == (1.0, 1.0)
    finally:
        catalog.cache_clear()


def test_its_parts_are_logged_under_names_known_beforehand():
    with Grader(made()) as grader:
        [found] = grader.grade([{"example": {"id": "1"}, "completion": "no"}])
        assert grader.part_names == ("polite", "short", "bottom_line", "behaviour")
        parts = grader.parts(found)
        assert parts["bottom_line"] == pytest.approx(0.009901, abs=1e-6)
        assert (parts["polite"], parts["short"], parts["behaviour"]) == (0.0, 1.0, 1.0)
        assert grader.logged([found])["part/behaviour"] == [1.0]


def test_it_is_as_wide_as_its_widest_criterion_and_an_empty_batch_is_empty():
    assert made().sees == "rollout"
    assert Context().scores(made(), []) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"gate": "smooth"}, "'soft' and 'hard'"),
        ({"missing": "zero"}, "'unscored' and 'filled'"),
        ({"smoothing": 0.0}, "gate='hard'"),
        ({"smoothing": math.nan}, "smoothing"),
        ({"weights": {"polite": 1.0}}, "names 'polite'; accepted are short"),
        ({"weights": {"short": -1.0}}, "weights.short"),
        ({"thresholds": {"short": 0.5}}, "names 'short'; accepted are polite"),
        ({"thresholds": {"polite": 1.5}}, "thresholds.polite"),
    ],
)
def test_settings_that_cannot_be_are_refused(options, said):
    with pytest.raises(ConfigError, match=said):
        made(**options)


def test_names_that_clash_are_refused():
    with pytest.raises(ConfigError, match="'polite'"):
        GatedAggregate({"polite": polite}, {"polite": short})
    with pytest.raises(ConfigError, match="'bottom_line'"):
        GatedAggregate({"bottom_line": polite}, {"short": short})
    with pytest.raises(ConfigError, match="behaviour is empty"):
        GatedAggregate({"polite": polite}, {})
