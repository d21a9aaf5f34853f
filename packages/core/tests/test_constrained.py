"""`Constrained` and `Satisficing`: what a rollout earns, what moves the multipliers, and what keeps them."""

import json
import math
import pickle
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from guerdon.advantages import group_relative
from guerdon.conformance import check_is_a_value
from guerdon.errors import ConfigError
from guerdon.grading import Grader
from guerdon.plugins.catalog import catalog, register_local
from guerdon.recipes import load_recipe
from guerdon.recipes.building import build_reward
from guerdon.rewards import Context, reward
from guerdon.rewards.constrained import Constrained
from guerdon.rewards.lagrange import mixed_advantage
from guerdon.rewards.satisficing import Satisficing
from guerdon.types import Example, Group, Rollout, Score, Segment, Stream


@reward(name="test/length-v1", bounds=(0.0, 10.0))
def length(rollout):
    return float(len(rollout.answer))


@reward(name="test/vowels-v1", bounds=(0.0, 1.0))
def vowels(rollout):
    """Share of vowels; abstains on nothing, and fails on a question mark."""
    if "?" in rollout.answer:
        return Score.unscored("the counter is down")
    if not rollout.answer:
        return Score.unscored("no letters", status="abstain")
    return sum(letter in "aeiou" for letter in rollout.answer) / len(rollout.answer)


THETA = {"length": 3.0, "vowels": 0.5}


def made(**options):
    return Constrained({"length": length, "vowels": vowels}, THETA, **options)


def group(*texts, id="x"):
    return Group.of([Rollout.of(Example(id=id), text, index=i) for i, text in enumerate(texts)])


def scored(made, *groups):
    return Context().scores(made, groups)


def learned(made, *groups):
    """Score and learn, as a trainer does."""
    context = Context()
    scores = context.scores(made, groups)
    made.update(groups, scores, context)
    return scores


BATCH = (group("a", "bcd", "aeiou"), group("no", "yes", id="y"))


# -- what a rollout earns ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["mu", "xi"])
def test_centred_over_a_batch_the_total_is_the_components_part_of_the_mixed_advantage(kind):
    """One group that is the batch: total less its mean, against the paper's mix of standardised columns."""
    texts = ("a", "bcd", "aeiou", "xyxyxy")
    one = made(kind=kind, initial={"length": 0.4, "vowels": -0.3})
    [row] = scored(one, group(*texts))
    found = group_relative(std=False).centred([score.value for score in row])
    columns = {"length": [1.0, 3.0, 5.0, 6.0], "vowels": [1.0, 0.0, 1.0, 0.0]}
    expected = mixed_advantage([0.0] * 4, columns, one.multipliers, kind, standardize=True)
    assert found == pytest.approx(expected, abs=1e-12)


def test_a_total_by_hand():
    """Lengths 1 and 3: standardised with ddof 1, -+ 1/sqrt 2; vowels 1 and 0; weights tanh .5 and tanh -.2."""
    [row] = scored(made(initial={"length": 0.5, "vowels": -0.2}), group("a", "bcd"))
    expected = (-0.462117 - 0.197375) / math.sqrt(2)
    assert [score.value for score in row] == pytest.approx([expected, -expected], abs=1e-5)
    assert {name: part.value for name, part in row[0].parts.items()} == pytest.approx(
        {
            "length": 1.0,
            "vowels": 1.0,
            "length_multiplier": 0.5,
            "vowels_multiplier": -0.2,
            "length_weight": 0.462117,
            "vowels_weight": -0.197375,
        },
        abs=1e-6,
    )


def test_standardised_by_group_a_prompt_that_is_all_easy_moves_nobody_else():
    by_group = scored(made(kind="mu", standardize="group"), *BATCH)
    alone = [scored(made(kind="mu", standardize="group"), one)[0] for one in BATCH]
    assert [[s.value for s in row] for row in by_group] == [[s.value for s in row] for row in alone]
    assert scored(made(kind="mu"), *BATCH)[0][0].value != alone[0][0].value


def test_without_standardising_the_total_is_a_weighted_sum_within_its_bounds():
    one = made(kind="mu", standardize="none")
    [row] = scored(one, group("aeiou"))
    assert row[0].value == pytest.approx(0.5 * 5.0 + 0.5 * 1.0)
    assert one.bounds == (0.0, 11.0)
    assert made(kind="xi", standardize="none").bounds == (-11.0, 11.0)
    assert made().bounds == (-math.inf, math.inf)


def test_divided_the_total_leads_the_same_way_and_the_kl_keeps_its_own_weight():
    """N - sum(s) = 2 - 2 sigmoid(1): every total divided by it, and the factor for the KL is 1."""
    options = {"kind": "mu", "initial": {"length": 1.0, "vowels": 1.0}, "limit": 5.0}
    plain, divided = made(**options), made(kl="divided", **options)
    factor = 2.0 - 2.0 / (1.0 + math.exp(-1.0))
    for a, b in zip(scored(plain, *BATCH)[0], scored(divided, *BATCH)[0], strict=True):
        assert b.value == pytest.approx(a.value / factor)
    assert (plain.kl_factor, divided.kl_factor) == (pytest.approx(factor), 1.0)
    low, high = made(kl="divided", standardize="none", **options).bounds
    assert low == 0.0
    assert high == pytest.approx(11.0 / (2.0 - 2.0 / (1.0 + math.exp(-5.0))))


def test_a_component_that_abstains_adds_nothing_and_one_that_fails_unscores_the_whole():
    [row] = scored(made(kind="mu"), group("", "abc", "what?"))
    assert [score.status for score in row] == ["ok", "ok", "infra"]
    assert row[0].value == pytest.approx(0.5 * (0.0 - 8.0 / 3.0) / np.std([0.0, 3.0, 5.0], ddof=1))
    assert "the counter is down" in row[2].why


def test_where_every_component_abstains_the_whole_does():
    one = Constrained({"vowels": vowels}, {"vowels": 0.5})
    assert scored(one, group(""))[0][0].status == "abstain"
    assert scored(one, group("", "")) is not None
    learned(one, group("", ""))
    assert one.multipliers == {"vowels": 0.0}


def test_one_rollout_or_equal_ones_are_zeros_and_an_empty_batch_is_empty():
    assert scored(made(kind="mu"), group("abc"))[0][0].value == 0.0
    assert [s.value for s in scored(made(kind="mu"), group("abc", "abc"))[0]] == [0.0, 0.0]
    assert scored(made()) == []


def test_the_spread_between_prompts_has_no_part_in_a_components_advantage():
    """Two prompts whose attempts lie .1 apart: advantages -+ .05, std sqrt(4 * .05 ** 2 / 3), so -+ .866 of weight .5.

    That one prompt scores 10 more changes nothing: what is standardised are advantages, and not scores.
    """
    easy = reward(name="test/easy-v1")(lambda rollout: float(rollout.answer))
    one = Constrained({"easy": easy}, {"easy": 100.0}, kind="mu")
    for level in (0.0, 10.0):
        rows = scored(one, group("0", "0.1"), group(str(level), str(level + 0.1), id="y"))
        expected = 0.5 * math.sqrt(3) / 2
        for row in rows:
            assert [score.value for score in row] == pytest.approx([-expected, expected], abs=1e-6)


def test_equal_attempts_at_one_prompt_are_zeros_beside_a_prompt_that_differs():
    tenth = reward(name="test/tenth-v1")(lambda rollout: float(rollout.answer))
    rows = scored(Constrained({"a": tenth}, {"a": 1.0}, kind="mu"), group("0.1", "0.1", "0.1"), group("0", "1", id="y"))
    assert [score.value for score in rows[0]] == [0.0, 0.0, 0.0]
    assert rows[1][1].value > 0.5


def test_where_every_prompt_has_one_attempt_it_says_that_all_totals_are_zero():
    with pytest.warns(RuntimeWarning, match="standardize: none"):
        rows = scored(made(kind="mu"), group("abc"), group("de", id="y"))
    assert [row[0].value for row in rows] == [0.0, 0.0]


# -- what moves the multipliers ---------------------------------------------------------------------------------------


def test_a_batch_moves_them_by_its_means():
    """Mean length (1 + 3 + 5 + 2 + 3) / 5 = 2.8 and vowels (1 + 0 + 1 + .5 + 1/3) / 5 = .566667 against 3 and .5."""
    one = made()
    learned(one, *BATCH)
    assert one.multipliers == pytest.approx({"length": 0.02, "vowels": -0.00666667})
    assert one.version == 1


def test_the_weights_in_force_are_those_from_before_the_batch():
    one = made()
    first, second = learned(one, *BATCH), scored(one, *BATCH)
    assert first[0][0].parts["length_weight"].value == 0.0
    assert second[0][0].parts["length_weight"].value == pytest.approx(math.tanh(0.02))


def test_evaluation_never_moves_them():
    one = made()
    with Grader(one) as grader:
        rows = [{"example": {"id": "x"}, "completion": text} for text in ("a", "bcd")]
        grader.grade(rows)
        assert (one.version, one.multipliers) == (0, {"length": 0.0, "vowels": 0.0})
        grader.grade(rows, learn=True)
        assert one.version == 1
        before = one.multipliers
        grader.grade(rows)
        assert one.multipliers == before


def test_an_unscored_component_does_not_count_as_zero_in_its_mean():
    """Vowels of '' abstain, of 'a?' fail: the mean is that of 'ab' alone, .5, and exactly at its threshold."""
    one = made()
    learned(one, group("", "a?", "ab"))
    assert one.multipliers["vowels"] == 0.0
    assert one.multipliers["length"] == pytest.approx(0.05)  # mean 4/3 of 3: clipped


def test_pitfalls_4_and_5_a_dense_reward_counts_by_its_sum_over_the_episode():
    """Three tokens of .5 and one of .25: the threshold is in units of 1.5 and .25, never of a token's."""

    def per_token(rollout):
        value = 0.5 if rollout.steps == 3 else 0.25
        return Score(value * rollout.steps, dense={"token": Stream("step", (value,) * rollout.steps)})

    dense = reward(name="test/dense-v1")(per_token)
    one = Constrained({"dense": dense}, {"dense": 0.875})
    segments = [Segment("policy", token_ids=(1,) * count) for count in (3, 1)]
    learned(one, Group.of([Rollout(Example(id="x"), (segment,)) for segment in segments]))
    assert one.multipliers == {"dense": 0.0}  # (1.5 + .25) / 2


def test_during_the_warm_up_they_stand_still():
    one = made(warmup_steps=2)
    for _ in range(2):
        learned(one, *BATCH)
    assert (one.multipliers["length"], one.version) == (0.0, 2)
    learned(one, *BATCH)
    assert one.multipliers["length"] == pytest.approx(0.02)


def test_a_limit_holds_them():
    one = made(limit=0.03)
    for _ in range(10):
        learned(one, *BATCH)
    assert one.multipliers["length"] == 0.03


def test_pitfall_3_components_are_told_apart_by_name_and_never_by_place():
    turned = Constrained({"vowels": vowels, "length": length}, dict(reversed(list(THETA.items()))))
    assert turned == made()
    learned(turned, *BATCH)
    assert turned.multipliers == pytest.approx({"length": 0.02, "vowels": -0.00666667})


# -- what keeps them --------------------------------------------------------------------------------------------------


def test_the_state_survives_a_checkpoint_and_goes_on_the_same(tmp_path):
    torch = pytest.importorskip("torch")
    one, other = made(), made()
    learned(one, *BATCH)
    learned(one, *BATCH)
    torch.save(one.state_dict(), tmp_path / "state.pt")
    other.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert (other.version, other.multipliers) == (2, one.multipliers)
    learned(one, *BATCH)
    learned(other, *BATCH)
    assert other.state_dict() == one.state_dict()
    assert json.loads(json.dumps(one.state_dict())) == one.state_dict()


def test_a_restored_state_forgets_a_batch_that_was_scored_and_not_learned_from():
    one = made()
    scored(one, *BATCH)
    one.load_state_dict(made().state_dict())
    one.update(BATCH, [], Context())
    assert one.version == 0


def test_the_state_of_other_components_is_refused():
    with pytest.raises(ConfigError, match="the same names"):
        made().load_state_dict(Constrained({"length": length}, {"length": 3.0}).state_dict())


def test_it_is_a_value_and_its_copy_knows_what_it_learned():
    for one in (made(), made(kind="mu", initial={"length": 1.0}, limit=2.0, kl="divided")):
        check_is_a_value(one)
    one = made()
    learned(one, *BATCH)
    assert pickle.loads(pickle.dumps(one)).multipliers == one.multipliers


def test_frozen_it_keeps_its_weights_learns_nothing_and_can_be_served():
    one = made(kind="mu")
    learned(one, *BATCH)
    still = one.frozen()
    assert still.multipliers == one.multipliers
    assert not still.stateful
    before = scored(one, *BATCH)
    assert [s.value for s in learned(still, *BATCH)[0]] == [s.value for s in before[0]]
    assert still.version == 0
    Grader(still).refuse_learning("here")
    with pytest.raises(ConfigError, match="the reward learns"):
        Grader(one).refuse_learning("here")


def test_frozen_it_is_served_as_any_and_learning_by_one_lane_that_keeps_its_state():
    pytest.importorskip("fastapi")
    from guerdon.serve.service import Service
    from guerdon.serve.settings import Settings

    service = Service({"still": Grader(made(learning_rate=0.0, initial={"length": 0.3}))}, Settings())
    assert service.graders["still"].part_names[:2] == ("length", "vowels")
    with pytest.raises(ConfigError, match="--state FOLDER --lanes 1"):
        Service({"learning": Grader(made())}, Settings())


def test_trl_keeps_its_state_in_the_trainers_checkpoints(tmp_path):
    pytest.importorskip("transformers", reason="the callback is transformers'")
    from guerdon.adapters.trl import RewardState, reward_funcs

    (tmp_path / "checkpoint-3").mkdir()
    args = SimpleNamespace(output_dir=str(tmp_path))
    state = SimpleNamespace(global_step=3, is_world_process_zero=True)
    one, other = made(), made()
    learned(one, *BATCH)
    RewardState(reward_funcs(one)).on_save(args, state, None)
    RewardState(reward_funcs(other)).on_train_begin(args, state, None)
    assert other.state_dict() == one.state_dict()
    assert other.version == 1


def test_its_components_multipliers_and_weights_are_logged_under_names_known_beforehand():
    with Grader(made(kind="mu")) as grader:
        names = ["length", "vowels", "length_multiplier", "vowels_multiplier", "length_weight", "vowels_weight"]
        assert list(grader.part_names) == names
        [score] = grader.grade([{"example": {"id": "1"}, "completion": "abc"}])
        parts = grader.parts(score)
        assert (parts["length"], parts["length_multiplier"], parts["length_weight"]) == (3.0, 0.0, 0.5)


def test_a_recipe_names_components_and_thresholds():
    register_local("rewards", "test/length-v1", length)
    register_local("rewards", "test/vowels-v1", vowels)
    try:
        options = {"components": {"length": "test/length", "vowels": {"use": "test/vowels"}}, "thresholds": THETA}
        spec = {"use": "constrained", "with": {**options, "kind": "mu"}}
        assert build_reward(load_recipe({"task": "t", "policy": "p", "reward": spec}).reward) == made(kind="mu")
    finally:
        catalog.cache_clear()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"thresholds": {"length": 3.0}}, "both need|the same names"),
        ({"thresholds": {"length": 3.0, "vowels": math.nan}}, "thresholds.vowels is nan"),
        ({"initial": {"vowel": 1.0}}, "initial.vowel is 1.0; a finite number of length, vowels"),
        ({"initial": {"vowels": math.inf}}, "initial.vowels is inf"),
        ({"kind": "equality"}, "accepted are 'mu', 'xi', 'all', 'unsquashed'"),
        ({"standardize": "run"}, "standardize"),
        ({"kl": "divided"}, "limit"),
        ({"kl": "none"}, "'controlled' and 'divided'"),
        ({"warmup_steps": -1}, "warmup_steps"),
        ({"components": {}, "thresholds": {}}, "the same names"),
    ],
)
def test_settings_that_cannot_be_are_refused(options, said):
    with pytest.raises(ConfigError, match=said):
        Constrained(**{"components": {"length": length, "vowels": vowels}, "thresholds": THETA, **options})


def test_a_component_may_not_be_called_as_a_logged_part_is():
    with pytest.raises(ConfigError, match="a_weight"):
        Constrained({"a": length, "a_weight": vowels}, {"a": 1.0, "a_weight": 1.0})


# -- satisficing ------------------------------------------------------------------------------------------------------


def test_satisficing_is_minus_the_squared_distances():
    """Example 9's shape: length 5 of 3 and vowels 1 of .5 give -(4 + .25)."""
    one = Satisficing({"vowels": vowels, "length": length}, THETA)
    [row] = scored(one, group("aeiou", "what?"))
    assert row[0].value == -4.25
    assert row[1].status == "infra"
    assert one.bounds == (-49.25, 0.0)
    check_is_a_value(one)


def test_satisficing_needs_the_same_names_and_finite_thresholds():
    with pytest.raises(ConfigError, match="the same names"):
        Satisficing({"length": length}, THETA)
    with pytest.raises(ConfigError, match="inf"):
        Satisficing({"length": length}, {"length": math.inf})


def test_satisficing_sees_what_its_components_see():
    """One rollout each: a server may take rows of it alone, and a ranking among siblings makes it a group's."""
    from guerdon.transforms import standardize

    assert Satisficing({"vowels": vowels}, {"vowels": 0.5}).sees == "rollout"
    ranked = Satisficing({"vowels": vowels.then(standardize())}, {"vowels": 0.5})
    assert ranked.sees == vowels.then(standardize()).sees != "rollout"


def test_satisficing_tells_the_gravest_reason_and_not_the_first():
    quiet = reward(name="test/quiet-v1")(lambda rollout: Score.unscored("nothing to say", status="abstain"))
    down = reward(name="test/down-v1")(lambda rollout: Score.unscored("the machine is down"))
    [[score]] = scored(Satisficing({"quiet": quiet, "down": down}, {"quiet": 0.0, "down": 0.0}), group("a"))
    assert (score.status, score.why) == ("infra", "down: the machine is down")


# -- limits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"kind": "xi", "limit": 25.0}, {"kind": "mu", "limit": 40.0}, {"limit": 9.0}])
def test_a_limit_at_which_nothing_would_be_left_to_divide_by_is_refused(options):
    """tanh(25) and sigmoid(40) are 1: N - sum(s) is 0; 1 - tanh(9) is 3e-8."""
    with pytest.raises(ConfigError, match=r"constrained.limit is .* the divisor"):
        made(kl="divided", **options)


def test_a_multiplier_may_not_start_beyond_the_limit():
    with pytest.raises(ConfigError, match=r"initial.length is 3.0, beyond the limit, 1.0"):
        made(kind="unsquashed", limit=1.0, initial={"length": 3.0})
    with pytest.raises(ConfigError, match=r"initial.length is -3.0, beyond the limit"):
        made(limit=1.0, initial={"length": -3.0})


def test_an_unsquashed_start_and_an_older_state_count_as_the_limit_and_stay_within_bounds():
    """.5 is where unsquashed multipliers start, and a state of 4.0 was kept under a larger limit."""
    low = made(kind="unsquashed", limit=0.25, standardize="none")
    assert low.multipliers == {"length": 0.25, "vowels": 0.25}
    assert scored(low, group("aeiouaeiou"))[0][0].value == low.bounds[1] == 0.25 * 11.0
    low.load_state_dict({"multipliers": {"length": 4.0, "vowels": 4.0}, "velocity": {}, "version": 3})
    assert scored(low, group("aeiouaeiou"))[0][0].value == 2.75


def test_scores_of_any_finite_size_are_mixed_and_satisfied_without_overflow():
    """Squares of 1e200 are no floats: the distance is the largest float, and standardised the sizes are as any."""
    huge = reward(name="test/huge-v1")(lambda rollout: float(rollout.answer))
    one = group("-1e200", "1e200", "0")
    [row] = scored(Satisficing({"huge": huge}, {"huge": 0.0}), one)
    assert [score.value for score in row] == [-sys.float_info.max, -sys.float_info.max, 0.0]
    [row] = scored(Constrained({"huge": huge}, {"huge": 0.0}, kind="mu"), one)
    assert [score.value for score in row] == pytest.approx([-0.5, 0.5, 0.0])
    bounded = reward(name="test/huge-v2", bounds=(-1e200, 1e200))(lambda rollout: float(rollout.answer))
    assert Satisficing({"huge": bounded}, {"huge": 0.0}).bounds == (-sys.float_info.max, 0.0)
