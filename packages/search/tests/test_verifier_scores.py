"""The training reward of a verifier: the sheet's worked examples in both readings, and its pitfalls."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.rewards.penalties import SoftOverlong
from guerdon.types import Example, Rollout, Segment
from guerdon_search.label_formats import FORMATS, written
from guerdon_search.labels import LABELS
from guerdon_search.verifier_scores import macro_f1, verifier_score

S, P, N = LABELS
T = (S, N, P)
THOUGHT = "<reasoning>a</reasoning>"
READINGS = ("repaired", "released")


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize(
    ("text", "asked", "reward"),
    [
        (THOUGHT + written(T, "json"), "json", 1.0),  # 1
        (THOUGHT + "support,not_support,not_support", "csv", 0.494444),  # 2: F1 (1 + 0 + 2/3) / 3
        (THOUGHT + written(T, "csv"), "yaml", 0.9),  # 3
        ("<reasoning> </reasoning>\n" + written(T, "markdown"), "markdown", 0.9),  # 4
        (written(T, "pipe_separated"), "pipe_separated", 0.8),  # 5
        (THOUGHT + "support,not_support", "csv", 0.0),  # 6
        (THOUGHT + THOUGHT + written(T, "json"), "json", 0.0),  # 7
        ("", "json", 0.0),  # 8
    ],
)
def test_the_worked_examples(text, asked, reward, reading):
    """All three classes are in the truth, so that both readings agree."""
    assert verifier_score(text, T, asked, reading).total == pytest.approx(reward, abs=1e-6)


def test_a_bare_label_lacks_its_shape_as_released_and_not_here():
    """Example 9, and its pitfall."""
    assert verifier_score(THOUGHT + "support", (S,), "csv", "released").total == pytest.approx(0.9)
    assert verifier_score(THOUGHT + "support", (S,), "csv").total == 1.0


def test_wrong_in_every_place_is_paid_as_released_and_not_here():
    """Example 10: 0.35 / 3 + 0.2 + 0.1; the class partial_support is in neither sequence."""
    text = THOUGHT + written((N, N), "json")
    assert verifier_score(text, (S, S), "json", "released").total == pytest.approx(0.416667, abs=1e-6)
    repaired = verifier_score(text, (S, S), "json")
    assert (repaired.total, repaired.why) == (0.0, "every label is wrong")


def test_one_word_everywhere_is_far_from_full_marks():
    """Pitfall: not_support in a skewed set. Truth 4 of 5: F1 of not_support 8/9, of support 0, mean 4/9."""
    truth = (N, N, N, N, S)
    assert macro_f1((N,) * 5, truth) == pytest.approx(4 / 9)
    assert macro_f1((N,) * 5, truth, "released") == pytest.approx((8 / 9 + 0 + 1) / 3)


def test_a_class_that_is_only_predicted_costs_precision_elsewhere():
    """Truth S S, predicted S P: precision 1, recall 1/2, F1 2/3 over the one class in the truth."""
    assert macro_f1((S, P), (S, S)) == pytest.approx(2 / 3)


def test_optional_reasoning_pays_labels_alone_in_full_and_broken_tags_not():
    assert verifier_score(written(T, "json"), T, "json", reasoning="optional").total == 1.0
    assert verifier_score(THOUGHT + written(T, "json"), T, "json", reasoning="optional").total == 1.0
    cut = verifier_score("<reasoning>a" + written(T, "csv"), T, "csv", reasoning="optional")
    assert cut.reasoning == 0.0


def test_labels_within_the_reasoning_are_not_the_answer():
    assert verifier_score(f"<reasoning>{written(T, 'json')}</reasoning>", T, "json").total == 0.0


@pytest.mark.parametrize(
    "labels",
    [
        '["lorem", "support", "ipsum", "not_support", "I do not know", "partial_support", "SUPPORT"]',
        '{"labels": ["not_support", "support", "support"], "labels": ["support", "not_support", "partial_support"]}',
        '{"labels": ["support", "not_support", "partial_support"], "or": ["not_support", "support", "support"]}',
    ],
)
def test_words_beside_the_labels_are_free_as_released_and_not_here(labels):
    """Once the three right labels are read: 0.35 + 0.35 + 0.2 + 0.1."""
    assert verifier_score(THOUGHT + labels, T, "json", "released").total == 1.0
    repaired = verifier_score(THOUGHT + labels, T, "json")
    assert (repaired.total, repaired.why) == (0.0, "other words beside the labels")


def test_a_block_without_nuggets_is_refused():
    with pytest.raises(ValueError, match="at least one nugget"):
        verifier_score("support", (), "json")
    with pytest.raises(ValueError, match="at least 1"):
        macro_f1((), ())


@given(
    st.lists(st.sampled_from(LABELS), min_size=1, max_size=6),
    st.lists(st.sampled_from(LABELS), min_size=1, max_size=6),
    st.sampled_from(FORMATS),
    st.sampled_from(READINGS),
)
def test_the_reward_is_a_share_and_full_only_for_the_truth(truth, predicted, shape, reading):
    total = verifier_score(THOUGHT + written(predicted, shape), truth, shape, reading).total
    assert 0.0 <= total <= 1.0
    if total == 1.0:
        assert predicted == truth


@pytest.mark.parametrize(("length", "cost"), [(100, 0.0), (2048, 0.0), (3072, -0.5), (4096, -1.0)])
def test_the_over_long_penalty_is_cores(length, cost):
    """Example 13: limit 4096, buffer 2048."""
    rollout = Rollout(Example(id="x"), (Segment("policy", token_ids=(7,) * length),))
    assert SoftOverlong(max_length=4096, cache=2048)(rollout).value == cost
