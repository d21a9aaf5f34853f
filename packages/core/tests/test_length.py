"""The length penalty, by the PAR sheet's worked examples (arXiv:2502.18770)."""

import math

import pytest

from guerdon.conformance import check_is_a_value, hostile_texts
from guerdon.errors import ConfigError
from guerdon.rewards import Context, reward
from guerdon.rewards.conjunction import Every
from guerdon.rewards.length import LengthPenalty
from guerdon.rewards.references import References
from guerdon.rewards.shapes import par
from guerdon.types import Example, Group, Rollout, Score, Segment


class Asked(Example):
    sample_rewards: tuple[float, ...] = (1.0,)


@reward
def two(rollout):
    return Score.unscored("the model is down") if rollout.completion == "infra" else Score(2.0)


@reward
def silent(rollout):
    return Score.unscored("not for this", status="abstain")


def tokens(*counts, text="t"):
    """A rollout whose policy turns have that many tokens, with a tool's words between."""
    segments = []
    for count in counts:
        segments += [Segment("policy", text, tuple(range(count))), Segment("environment", "tool " * 500)]
    return Rollout(Asked(id="1"), tuple(segments[:-1]))


def value(of, rollout):
    return Context().scores(of, [Group.of([rollout])])[0][0].value


@pytest.mark.parametrize(("length", "expected"), [(420, 0.8), (300, 2.0), (301, 1.99), (1, 2.0)])
def test_each_token_beyond_three_hundred_costs_a_hundredth(length, expected):
    assert value(Every.of(two, LengthPenalty()), tokens(length)) == pytest.approx(expected, abs=1e-12)


def test_the_penalised_reward_is_what_meets_the_references():
    """sigmoid(0.8 - 1.0)."""
    shaped = Every.of(two, LengthPenalty()).against(References(), par())
    assert value(shaped, tokens(420)) == pytest.approx(0.450166, abs=5e-7)


def test_only_the_policys_own_tokens_count_over_all_its_turns():
    """250 + 170 = 420; what the tool said in between is not the policy's."""
    assert LengthPenalty()(tokens(250, 170)).value == pytest.approx(-1.2)
    forced = Rollout(Asked(id="1"), (Segment("forced", "a " * 900), Segment("policy", "b", (1, 2))))
    assert LengthPenalty()(forced).value == 0.0


def test_text_without_tokens_is_counted_otherwise_and_says_so():
    text = Rollout.of(Asked(id="1"), "word " * 301)
    found = LengthPenalty()(text)
    assert found.value == pytest.approx(-0.01)
    assert found.why == "301 words (there are no token ids), 1 beyond 300"
    assert LengthPenalty(instead="characters", free=1500)(text).value == pytest.approx(-0.05)
    assert LengthPenalty(instead="abstain")(text).status == "abstain"


def test_an_empty_answer_costs_nothing():
    assert LengthPenalty()(Rollout.of(Asked(id="1"), "")).value == 0.0
    assert LengthPenalty()(Rollout(Asked(id="1"))).value == 0.0


def test_an_answer_without_a_reward_is_not_scored_by_its_penalty():
    """A plain sum leaves the abstaining reward out, and the penalty alone would rank the answer."""
    assert math.isnan(value(Every.of(silent, LengthPenalty()), tokens(420)))
    assert value(silent + LengthPenalty(), tokens(420)) == pytest.approx(-1.2)


def test_no_text_breaks_it():
    for text in hostile_texts():
        assert -1e9 < LengthPenalty()(Rollout.of(Asked(id="1"), text)).value <= 0.0


@pytest.mark.parametrize(
    ("options", "said"),
    [({"per_token": -0.1}, "per_token"), ({"free": -1}, "free"), ({"instead": "bytes"}, "'bytes'")],
)
def test_a_wrong_option_is_refused_at_start(options, said):
    with pytest.raises(ConfigError, match=said):
        LengthPenalty(**options)


def test_it_is_a_value():
    check_is_a_value(LengthPenalty(0.02, instead="characters"))


def test_words_are_counted_alike_by_all_penalties_on_length():
    """400 characters of a script without blanks are 400 words, and a turn without tokens makes all of it words."""
    from guerdon.rewards.penalties import SoftOverlong

    chinese = Rollout.of(Example(id="1"), "好" * 400)
    assert LengthPenalty()(chinese).value == pytest.approx(-1.0)
    assert SoftOverlong(400, 100)(chinese).value == -1.0
    mixed = Rollout(Example(id="1"), (Segment("policy", "a " * 400), Segment("policy", "b", (1,))))
    assert SoftOverlong(400, 100)(mixed).parts["length"].value == 401.0
    assert LengthPenalty()(mixed).value == pytest.approx(-1.01)


def test_a_copy_of_a_reference_answer_is_worth_a_half_whatever_its_tokens():
    """320 words in 420 tokens: 20 words too many on both sides."""
    from guerdon.rewards import reward
    from guerdon.rewards.par_pipeline import par_pipeline
    from guerdon.rewards.references import References

    class Answered(Example):
        sample_completions: tuple[str, ...]

    text = " ".join(["w"] * 320)
    copy = Rollout(Answered(id="1", sample_completions=(text,)), (Segment("policy", text, tuple(range(420))),))
    two = reward(name="test/two-v1")(lambda rollout: 2.0)
    for method in ("par", "centred"):
        found = par_pipeline(two, method, References(kind="answers"))(copy)
        assert found.value == {"par": 0.5, "centred": 0.0}[method]
