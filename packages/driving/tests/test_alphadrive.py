"""The worked examples of AlphaDrive's fact sheet, by number, its pitfalls, and what every reward promises."""

import math
import pickle
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon.advantages import group_relative
from guerdon.conformance import check_is_a_value, check_reward, hostile_texts
from guerdon.errors import ConfigError
from guerdon.protocols import Task
from guerdon.recipes.building import build_reward
from guerdon.recipes.schema import RewardSpec
from guerdon.rewards import Context
from guerdon.types import Example, Group, Rollout, Score, Segment
from guerdon_driving.actions import PATH_ACTIONS, SPEED_ACTIONS
from guerdon_driving.examples import DrivingExample
from guerdon_driving.prompts import completion_of, prompt_of
from guerdon_driving.rewards import AlphaDrive, Format, PlanExact, PlanF1

RELEASED, PRINTED, SHARE = AlphaDrive("released"), AlphaDrive("printed"), AlphaDrive()
MODES = [RELEASED, PRINTED, SHARE]
TEXTS = st.lists(
    st.sampled_from(
        ["<think>", "</think>", "<answer>", "</answer>", " ", "\n", ", ", "x", *SPEED_ACTIONS, *PATH_ACTIONS]
    ),
    max_size=16,
).map("".join)


def answered(words):
    return f"<think> t </think> <answer> {words} </answer>"


def group(truth, texts, name="1"):
    solution = f"<answer> {truth} </answer>" if truth is not None else "KEEP, STRAIGHT"
    example = DrivingExample(id=name, solution=solution)
    rollouts = [
        Rollout(example, (Segment("policy", text, token_ids=(1,)),), index=index) for index, text in enumerate(texts)
    ]
    return Group.of(rollouts)


def scores(reward, truth, texts):
    return Context().scores(reward, [group(truth, texts)])[0]


def parts(reward, truth, texts, part):
    return pytest.approx([score.parts[part].value for score in scores(reward, truth, texts)], abs=5e-7)


def totals(reward, truth, texts):
    return pytest.approx([score.value for score in scores(reward, truth, texts)], abs=5e-7)


# -- worked examples -------------------------------------------------------------------------------------------------


def test_example_1_in_released_the_first_of_two_right_answers_takes_the_bonus():
    assert parts(RELEASED, "KEEP, STRAIGHT", [answered("KEEP, STRAIGHT")], "speed") == [1.199998]
    assert parts(RELEASED, "KEEP, STRAIGHT", [answered("KEEP, STRAIGHT")] * 2, "speed") == [1.199998, 0.399998]


def test_example_2_in_released_a_wrong_but_new_action_is_paid():
    texts = [answered("KEEP, STRAIGHT"), answered("STOP, STRAIGHT")]
    assert parts(RELEASED, "KEEP, STRAIGHT", texts, "speed") == [1.199998, 0.4]
    assert parts(RELEASED, "KEEP, STRAIGHT", texts, "path") == [1.199998, 0.399998]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (answered("DECELERATE, LEFT_CHANGE"), 1.399998),
        (answered("KEEP, ACCELERATE, DECELERATE, STOP"), 0.769999),
        (answered("DECELERATE,LEFT_CHANGE"), 0.4),
        (answered("decelerate, left_change"), 0.4),
        ("<think> t </think>\n<answer>\nDECELERATE, LEFT_CHANGE\n</answer>", 0.4),
        ("DECELERATE, LEFT_CHANGE", 1.399998),
        ("", 0.4),
    ],
)
def test_example_3_released_speed(text, expected):
    assert parts(RELEASED, "DECELERATE, LEFT_CHANGE", [text], "speed") == [expected]


def test_example_3_a_solution_without_tags_earns_0_in_released_and_is_not_counted():
    """The second group's answer is still the first that was seen."""
    broken, sound = group(None, [answered("KEEP, STRAIGHT")]), group("KEEP, STRAIGHT", [answered("KEEP, STRAIGHT")])
    rows = Context().scores(replace(RELEASED, counted_over="batch"), [broken, sound])
    first, second = rows[0][0], rows[1][0]
    assert (first.parts["speed"].value, first.parts["path"].value, first.value) == (0.0, 0.0, 1.0)
    assert (first.status, "no answer block" in first.why) == ("fail", True)
    assert second.parts["speed"].value == pytest.approx(1.199998, abs=5e-7)


def test_example_5_three_the_same_and_one_other():
    texts = [answered("KEEP, STRAIGHT")] * 3 + [answered("STOP, STRAIGHT")]

    def diversity(reward):
        found = scores(reward, "KEEP, STRAIGHT", texts)
        assert all(score.parts["speed"].parts["diversity"] == score.parts["path"].parts["diversity"] for score in found)
        return pytest.approx([score.parts["speed"].parts["diversity"].value for score in found], abs=5e-5)

    assert diversity(PRINTED) == [0.8, 0.8, 0.8, 0.8]
    assert diversity(SHARE) == [0.8667, 0.8667, 0.8667, 1.0]


def test_example_5_seven_the_same_and_one_other():
    texts = [answered("KEEP, STRAIGHT")] * 7 + [answered("STOP, STRAIGHT")]
    for reward, expected in ((PRINTED, [0.8] * 7 + [0.875]), (SHARE, [0.8286] * 7 + [1.0])):
        found = [score.parts["path"].parts["diversity"].value for score in scores(reward, "KEEP, STRAIGHT", texts)]
        assert found == pytest.approx(expected, abs=5e-5)


def test_example_6_group_share_and_its_advantages():
    """(0, 0, 1) and (.9, 1, 1): sums 1 and 2.9, whose standard deviation over n - 1 is 1.9 / sqrt 2."""
    of = group("ACCELERATE, LEFT_TURN", [answered("KEEP, STRAIGHT"), answered("ACCELERATE, LEFT_TURN")])
    row = Context().scores(SHARE, [of])[0]
    assert [tuple(part.value for part in score.parts.values()) for score in row] == [(0, 0, 1), (0.9, 1, 1)]
    assert [score.value for score in row] == pytest.approx([1.0, 2.9])
    estimate = group_relative(std=True, ddof=1, epsilon=1e-4).estimate([of], [row])
    assert [values[0] for values in estimate.values[0]] == pytest.approx([-0.707054, 0.707054], abs=5e-7)


def test_example_7_advantages():
    estimator = group_relative(std=True, ddof=1, epsilon=1e-4)
    found = estimator.centred([2.6, 1.4, 1.4, 0.8])
    assert found == pytest.approx([1.390575, -0.198654, -0.198654, -0.993268], abs=5e-7)
    of = group("KEEP, STRAIGHT", ["a", "b"])
    dead = estimator.estimate([of], [[Score(1.0)] * 2])
    assert (dead.values[0], dead.dead) == ([[0.0], [0.0]], [True])


def test_example_8_released_totals():
    texts = [answered("STOP, STRAIGHT"), answered("STOP, STRAIGHT"), answered("KEEP, STRAIGHT"), "garbage"]
    assert totals(RELEASED, "STOP, STRAIGHT", texts) == [3.599996, 1.999996, 1.799998, 0.8]


# -- pitfalls --------------------------------------------------------------------------------------------------------


@settings(deadline=None)  # a busy machine is no fault
@given(st.lists(st.sampled_from(["KEEP", "STOP", "ACCELERATE"]), min_size=2, max_size=5))
def test_printed_diversity_is_the_same_for_all_of_a_group_of_up_to_five(speeds):
    texts = [answered(f"{speed}, STRAIGHT") for speed in speeds]
    found = scores(PRINTED, "KEEP, STRAIGHT", texts)
    assert {score.parts["speed"].parts["diversity"].value for score in found} == {0.8}


@settings(deadline=None)  # a busy machine is no fault
@given(st.lists(st.sampled_from(["KEEP, STRAIGHT", "STOP, STRAIGHT", "STOP, LEFT_TURN"]), max_size=6), st.randoms())
def test_group_share_does_not_depend_on_the_order_of_the_answers(plans, random):
    plans = ["KEEP, STRAIGHT", *plans]
    shuffled = random.sample(plans, len(plans))
    found = dict(
        zip(plans, (score.value for score in scores(SHARE, "KEEP, STRAIGHT", map(answered, plans))), strict=True)
    )
    for plan, score in zip(shuffled, scores(SHARE, "KEEP, STRAIGHT", map(answered, shuffled)), strict=True):
        assert score.value == found[plan]


@pytest.mark.parametrize("text", ["", "garbage", "<answer></answer>", "保持, 直行", "KEEP, STRAIGHT", "a" * 1_000_000])
def test_what_cannot_be_read_earns_0_in_tolerant_modes_and_says_why(text):
    for reward in (SHARE, PRINTED):
        (score,) = scores(reward, "KEEP, STRAIGHT", [text])
        assert (score.value, score.status) == (0.0, "fail")
        assert score.why.startswith("plan: no ")


def test_released_pays_an_empty_answer_as_much_as_a_repeated_right_one():
    """0.4 per axis each time, however often it comes; the second KEEP earns 0.8 - 0.4."""
    found = [score.parts["speed"].value for score in scores(RELEASED, "KEEP, STRAIGHT", ["", "", "", ""])]
    assert found == [0.4] * 4
    assert parts(RELEASED, "KEEP, STRAIGHT", [answered("KEEP, STRAIGHT")] * 2, "speed") == [1.199998, 0.399998]


def test_the_weight_is_that_of_the_action_named():
    """KEEP and STOP named, KEEP true: F1 2/3, weight (0.8 + 1) / 2."""
    (score,) = scores(AlphaDrive(at_most=5), "KEEP, STRAIGHT", [answered("KEEP, STOP, STRAIGHT")])
    speed = score.parts["speed"]
    assert [part.value for part in speed.parts.values()] == pytest.approx([2 / 3, 0.9, 1.0])
    assert speed.value == pytest.approx(0.6)


def test_hedging_pays_by_f1_and_not_under_the_cap():
    """With even chances of KEEP and STOP, weights 1: both named earn 2/3 each time, one named earns 1/2 on average."""
    even = {"KEEP": 1.0}

    def mean(reward, words):
        truths = ("KEEP, STRAIGHT", "STOP, STRAIGHT")
        return sum(scores(reward, truth, [answered(words)])[0].parts["speed"].value for truth in truths) / 2

    hedged, one = "KEEP, STOP, STRAIGHT", "KEEP, STRAIGHT"
    loose = AlphaDrive(at_most=5, weights=even)
    assert mean(loose, hedged) == pytest.approx(2 / 3)
    assert mean(loose, one) == pytest.approx(1 / 2)
    assert mean(AlphaDrive(weights=even), hedged) == 0.0
    assert mean(AlphaDrive(weights=even), one) == pytest.approx(1 / 2)


def test_the_cap_is_one_in_group_share_none_in_the_published_ones_and_can_be_set():
    words = answered("KEEP, STOP, STRAIGHT")

    def f1(reward):
        return scores(reward, "KEEP, STRAIGHT", [words])[0].parts["speed"].parts["f1"].value

    assert f1(SHARE) == 0.0
    for reward in (PRINTED, RELEASED, AlphaDrive(at_most=2), AlphaDrive(at_most=5)):
        assert f1(reward) == pytest.approx(2 / 3, abs=1e-5)
    for mode in ("printed", "released"):
        assert f1(AlphaDrive(mode, at_most=1)) == 0.0


def test_a_truth_of_two_actions_may_be_named_whole_under_the_cap():
    (score,) = scores(SHARE, "KEEP, DECELERATE, STRAIGHT", [answered("KEEP, DECELERATE, STRAIGHT")])
    assert score.parts["speed"].parts["f1"].value == 1.0


def test_a_turn_earns_nothing_where_a_change_is_true():
    for reward in MODES:
        (score,) = scores(reward, "KEEP, LEFT_CHANGE", [answered("KEEP, LEFT_TURN")])
        assert score.parts["path"].parts["f1"].value == 0.0


@pytest.mark.parametrize("reward", MODES, ids=lambda reward: reward.mode)
def test_an_axis_that_the_truth_lacks_has_f1_0(reward):
    for words in ("KEEP", "KEEP, STRAIGHT"):
        (score,) = scores(reward, "KEEP", [answered(words)])
        assert score.parts["path"].parts["f1"].value == 0.0
        assert score.parts["speed"].parts["f1"].value == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("solution", ["", "KEEP, STRAIGHT", "<answer> go on </answer>", "<answer> KEEP"])
def test_a_broken_solution_is_not_the_answers_fault(solution):
    example = DrivingExample(id="7", solution=solution)
    for reward in (SHARE, PRINTED, PlanF1(), PlanExact(), PlanExact("path")):
        score = reward(Rollout.of(example, answered("KEEP, STRAIGHT")))
        assert (score.status, math.isnan(score.value)) == ("invalid", True)
        assert "'7'" in score.why


def test_a_group_of_one_keeps_its_whole_reward():
    assert totals(SHARE, "STOP, LEFT_TURN", [answered("STOP, LEFT_TURN")]) == [3.0]


def test_a_group_that_is_all_right_and_all_the_same_is_dead():
    of = group("KEEP, STRAIGHT", [answered("KEEP, STRAIGHT")] * 4)
    row = Context().scores(SHARE, [of])[0]
    assert [score.value for score in row] == pytest.approx([0.8 * 1.6 + 1] * 4)
    assert group_relative().estimate([of], [row]).dead == [True]


def test_with_two_answers_the_size_of_a_gap_is_lost():
    """n - 1: half the gap over the gap / sqrt 2."""
    estimator = group_relative(std=True, ddof=1, epsilon=1e-4)
    for gap in (0.1, 1.0, 2.9):
        assert estimator.centred([0.0, gap]) == pytest.approx([-0.7071, 0.7071], abs=2e-3)


# -- what released counts over ---------------------------------------------------------------------------------------


def test_released_counts_over_one_prompt_or_over_the_batch():
    groups = [group("KEEP, STRAIGHT", [answered("KEEP, STRAIGHT")], name) for name in ("1", "2")]
    apart = Context().scores(RELEASED, groups)
    together = Context().scores(replace(RELEASED, counted_over="batch"), groups)
    assert [row[0].parts["speed"].value for row in apart] == pytest.approx([1.199998, 1.199998], abs=5e-7)
    assert [row[0].parts["speed"].value for row in together] == pytest.approx([1.199998, 0.399998], abs=5e-7)
    assert (RELEASED.sees, replace(RELEASED, counted_over="batch").sees) == ("group", "batch")


# -- options ---------------------------------------------------------------------------------------------------------


def test_the_ablations_of_the_paper_are_options():
    """Figure 2's ACCELERATE; all weights 1; no diversity."""
    texts = [answered("ACCELERATE, STRAIGHT")] * 2
    assert parts(AlphaDrive(diversity=0.0), "ACCELERATE, STRAIGHT", texts, "speed") == [0.9, 0.9]
    assert parts(AlphaDrive(weights={"ACCELERATE": 1}), "ACCELERATE, STRAIGHT", texts, "speed") == [0.8, 0.8]
    assert parts(AlphaDrive("released", diversity=0.0), "ACCELERATE, STRAIGHT", texts, "speed") == [0.899998] * 2


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"mode": "fair"}, "mode is 'fair'; accepted are 'group_share', 'printed', 'released'"),
        ({"at_most": 0}, "at_most is 0"),
        ({"at_most": True}, "at_most is True"),
        ({"diversity": 1.5}, "from 0 to 1"),
        ({"diversity": math.nan}, "diversity is nan"),
        ({"mode": "released", "diversity": math.inf}, "diversity is inf"),
        ({"counted_over": "batch"}, "counts within a group alone"),
        ({"weights": {"DRIVE": 1.0}}, "has 'DRIVE'; accepted are KEEP"),
        ({"weights": {"KEEP": -1.0}}, "of KEEP is -1.0"),
        ({"weights": {"KEEP": math.nan}}, "of KEEP is nan"),
        ({"weights": (("KEEP", 1.0), ("KEEP", 2.0))}, "'KEEP' twice"),
        ({"weights": "KEEP"}, "pairs of an action"),
    ],
)
def test_a_wrong_option_is_told(options, told):
    with pytest.raises(ConfigError, match=told):
        AlphaDrive(**options)


def test_a_recipe_names_its_options():
    spec = {"use": "driving/alphadrive", "with": {"mode": "released", "weights": {"ACCELERATE": 1}, "at_most": 1}}
    from guerdon.plugins.catalog import catalog

    if "driving/alphadrive-v1" not in {entry.name for entry in catalog().entries("rewards")}:
        pytest.skip("guerdon-driving is not installed: pip install ./packages/driving")
    made = build_reward(RewardSpec.model_validate(spec))
    assert made == AlphaDrive("released", at_most=1, weights=(("ACCELERATE", 1.0),))


# -- pieces ----------------------------------------------------------------------------------------------------------


def test_exact_asks_for_both_axes_or_for_one():
    example = DrivingExample(id="1", solution="<answer> KEEP, LEFT_TURN </answer>")

    def earned(reward, words):
        return reward(Rollout.of(example, answered(words))).value

    assert earned(PlanExact(), "KEEP, LEFT_TURN") == 1.0
    assert earned(PlanExact(), "KEEP, STRAIGHT") == 0.0
    assert earned(PlanExact("speed"), "KEEP, STRAIGHT") == 1.0
    assert earned(PlanExact("path"), "KEEP, STRAIGHT") == 0.0
    assert earned(PlanExact("speed"), "KEEP, STOP, LEFT_TURN") == 0.0


def test_plan_f1_is_the_mean_of_both_axes():
    """KEEP and STOP for KEEP: 2/3; STRAIGHT for LEFT_TURN: 0."""
    example = DrivingExample(id="1", solution="<answer> KEEP, LEFT_TURN </answer>")
    rollout = Rollout.of(example, answered("KEEP, STOP, STRAIGHT"))
    assert PlanF1()(rollout).value == pytest.approx(1 / 3)
    assert PlanF1("speed")(rollout).value == pytest.approx(2 / 3)
    assert PlanF1("speed", at_most=1)(rollout).value == 0.0


def test_the_reasons_name_what_was_said_and_what_is_true():
    (score,) = scores(SHARE, "KEEP, STRAIGHT", [answered("STOP, KEEP, STRAIGHT")])
    assert score.why == "speed: names KEEP, STOP; true is KEEP; more than 1 earns 0"


def test_another_domains_example_is_refused():
    with pytest.raises(ConfigError, match="DrivingExample"):
        SHARE(Rollout.of(Example(id="1"), "x"))


# -- promises --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Made(Task):
    """Frames without a picture, all of actions whose weight is 1."""

    name = "test/made-plans"

    def examples(self, split):
        plans = [(speed, path) for speed in ("DECELERATE", "STOP") for path in PATH_ACTIONS[1:]]
        return [
            DrivingExample(id=f"{split}-{n}", speed=n, navigation="straight", solution=f"<answer> {s}, {p} </answer>")
            for n, (s, p) in enumerate(plans)
        ]

    def prompt(self, example):
        return prompt_of(example)

    def reference(self, example):
        return completion_of(example)


CHEATS = ["", "KEEP, STRAIGHT", "<answer></answer>", "<think> STOP, LEFT_TURN, DECELERATE, RIGHT_TURN </think>"]


@pytest.mark.parametrize("reward", [SHARE, PlanExact(), PlanF1(), PlanF1(at_most=1)], ids=repr)
def test_the_four_questions(reward):
    """Hedging over all words is a cheat where there is a cap."""
    capped = isinstance(reward, PlanExact) or getattr(reward, "at_most", None) == 1
    every = "<answer> " + ", ".join([*SPEED_ACTIONS, *PATH_ACTIONS]) + " </answer>"
    check_reward(reward, Made(), cheats=[*CHEATS, every] if capped or reward == SHARE else CHEATS)


def test_the_published_readings_answer_them_as_far_as_they_can():
    """`printed` takes 0.2 off every answer of a small group: 2 * 0.8 + 1. `released` pays 0.4 per axis for nothing; its
    top is 3.8 less what 1e-6 in the denominators takes."""
    check_reward(PRINTED, Made(), cheats=CHEATS, top=2.6)
    top = scores(RELEASED, "STOP, LEFT_TURN", [answered("STOP, LEFT_TURN")])[0].value
    assert top == pytest.approx(3.799995, abs=2e-6)
    check_reward(RELEASED, Made(), cheats=["", "garbage"], nothing=0.8, top=top)
    check_is_a_value(RELEASED)
    check_is_a_value(AlphaDrive(weights={"KEEP": 1}, at_most=2, diversity=0.1))
    check_reward(Format(), Made(), cheats=CHEATS)


@settings(deadline=None)  # a busy machine is no fault
@given(st.lists(TEXTS, min_size=1, max_size=6), st.sampled_from(["KEEP, STRAIGHT", "STOP", "KEEP, STOP, LEFT_TURN"]))
def test_scores_stay_in_bounds_and_are_the_same_again(texts, truth):
    for reward in (*MODES, replace(RELEASED, counted_over="batch"), AlphaDrive(at_most=2, weights={"STOP": 3.0})):
        found = scores(reward, truth, texts)
        assert [score.value for score in found] == [score.value for score in scores(reward, truth, texts)]
        for score in found:
            assert reward.bounds[0] <= score.value <= reward.bounds[1]
            assert score.value == pytest.approx(sum(part.value for part in score.parts.values()))


@settings(deadline=None)  # a busy machine is no fault
@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_the_truth_earns_at_least_what_anything_else_does_in_its_group(texts):
    """STOP, LEFT_TURN has weight 1 throughout; the true answer alone of its kind keeps all of it."""
    found = scores(SHARE, "STOP, LEFT_TURN", [answered("STOP, LEFT_TURN"), *texts])
    assert max(score.value for score in found) <= found[0].value + 1e-12


@pytest.mark.parametrize("reward", MODES, ids=lambda reward: reward.mode)
def test_hostile_texts_get_a_number_and_a_status(reward):
    for score in scores(reward, "KEEP, STRAIGHT", list(hostile_texts())):
        assert (score.scored, score.status) == (True, "fail")


def test_a_pickled_copy_scores_alike():
    texts = [answered("KEEP, STRAIGHT"), "", answered("STOP, LEFT_TURN")]
    for reward in MODES:
        copied = pickle.loads(pickle.dumps(reward))
        assert scores(copied, "KEEP, STRAIGHT", texts) == scores(reward, "KEEP, STRAIGHT", texts)
