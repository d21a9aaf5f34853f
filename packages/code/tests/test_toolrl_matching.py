from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon_code.tool_calls import Call
from guerdon_code.tool_matching import GRANULARITIES, Rules, agreement, assignment, similarity

words = st.lists(st.sampled_from("abc"), max_size=5)
calls = st.builds(
    Call, st.sampled_from("fg"), st.dictionaries(st.sampled_from("xyz"), st.integers(0, 2) | st.booleans(), max_size=3)
)
rules = st.builds(
    Rules,
    st.sampled_from(GRANULARITIES),
    st.sampled_from(["greedy", "optimal"]),
    st.sampled_from(["python", "json", "typed"]),
)


@pytest.mark.parametrize(
    ("one", "other", "share"),
    [
        ([], [], 1.0),
        ([], ["a"], 0.0),
        (["a"], [], 0.0),
        (["a", "b"], ["b", "a"], 1.0),
        (["a"], ["a", "a"], 1 / 2),
        (["a"], ["a", "a", "a"], 1 / 3),
        (["a", "a", "b"], ["a", "b", "b"], 2 / 4),
        (["a"], ["A"], 0.0),
    ],
)
def test_similarity_counts_repetitions_and_not_order(one, other, share):
    assert similarity(one, other) == pytest.approx(share)


@given(words, words)
def test_similarity_is_symmetric_and_one_only_for_the_same_bag(one, other):
    share = similarity(one, other)
    assert 0.0 <= share <= 1.0
    assert share == similarity(other, one)
    assert (share == 1.0) == (sorted(one) == sorted(other))


def test_each_surplus_call_lowers_only_the_names():
    """One gold call with one key: S = 1/(1+k) + 2 of 3 with k surplus calls."""
    gold = [Call("f", {"x": 1})]
    for surplus in range(4):
        found = agreement(gold, gold * (1 + surplus))
        assert (found.earned, found.most) == (pytest.approx(1 / (1 + surplus) + 2), 3.0)


def test_a_predicted_call_serves_one_gold_call():
    """names 1/2, then 2 for the first gold call and nothing for the second: 2.5 of 5."""
    gold = [Call("f", {"x": 1}), Call("f", {"x": 1})]
    found = agreement(gold, gold[:1])
    assert (found.earned, found.most, found.matches) == (2.5, 5.0, (0, None))


def test_of_equally_good_calls_the_first_is_taken():
    found = agreement([Call("f", {"x": 1, "y": 1})], [Call("f", {"x": 1}), Call("f", {"y": 1})])
    assert found.matches == (0,)


def test_a_call_worth_nothing_is_not_matched():
    """Same name, no key in common: the greedy choice takes only s > 0."""
    assert agreement([Call("f", {"x": 1})], [Call("f", {"z": 1})]).matches == (None,)


def test_a_call_with_further_members_is_never_wholly_equal():
    gold, said = [Call("f", {"x": 1})], [Call("f", {"x": 1}, extra=True)]
    shares = {g: agreement(gold, said, Rules(g)) for g in GRANULARITIES}
    assert {g: found.earned / found.most for g, found in shares.items()} == {
        "default": 1.0,
        "finegrained": 1.0,
        "intermediate": 0.5,
        "coarse": 0.0,
    }


def test_finegrained_looks_at_the_order_of_keys_and_names():
    """Keys swapped: 1 + 0 + 2 of 4; names swapped: 0 + 2 + 2 of 5."""
    swapped = agreement([Call("f", {"x": 1, "y": 2})], [Call("f", {"y": 2, "x": 1})], Rules("finegrained"))
    assert swapped.earned == 4.0  # equal lists earn the top at once: mappings have no order
    swapped = agreement([Call("f", {"x": 1, "y": 2})], [Call("f", {"y": 2, "x": 0})], Rules("finegrained"))
    assert (swapped.earned, swapped.most) == (2.0, 4.0)
    gold = [Call("f", {"x": 1}), Call("g", {"x": 1})]
    assert agreement(gold, gold[::-1], Rules("finegrained")).earned == 4.0


def brute(worth):
    columns = range(len(worth[0]))
    return max(
        sum(worth[row][column] for row, column in enumerate(chosen)) for chosen in permutations(columns, len(worth))
    )


@given(
    st.integers(1, 4).flatmap(
        lambda n: st.integers(n, 5).flatmap(
            lambda m: st.lists(st.lists(st.integers(0, 6), min_size=m, max_size=m), min_size=n, max_size=n)
        )
    )
)
def test_the_assignment_is_the_best_of_all(worth):
    chosen = assignment(worth)
    assert len(set(chosen)) == len(worth)
    assert sum(worth[row][column] for row, column in enumerate(chosen)) == brute(worth)


def test_no_rows_need_no_columns():
    assert assignment([]) == []


@given(st.lists(calls, min_size=1, max_size=3), st.lists(calls, max_size=4))
def test_optimal_is_the_maximum_over_one_to_one_matchings_and_at_least_greedy(gold, predicted):
    greedy = agreement(gold, predicted)
    optimal = agreement(gold, predicted, Rules(assignment="optimal"))
    assert optimal.earned >= greedy.earned - 1e-9
    if [call.name for call in gold] != [call.name for call in predicted] or gold != predicted:
        alone = [[_worth(one, other) for other in predicted] + [0.0] * len(gold) for one in gold]
        names = similarity([call.name for call in gold], [call.name for call in predicted])
        assert optimal.earned == pytest.approx(names + brute(alone))


def _worth(gold, call):
    if gold.name != call.name:
        return 0.0
    common = sum(call.parameters.get(key, None) == value for key, value in gold.parameters.items())
    return similarity(list(gold.parameters), list(call.parameters)) + common


@given(st.lists(calls, min_size=1, max_size=3), st.lists(calls, max_size=4), rules)
def test_a_share_lies_between_nothing_and_all_and_gold_has_it_all(gold, predicted, rules):
    found = agreement(gold, predicted, rules)
    assert 0.0 <= found.earned <= found.most
    itself = agreement(gold, gold, rules)
    assert itself.earned == itself.most
    taken = [place for place in found.matches if place is not None]
    assert len(set(taken)) == len(taken)


def test_thousands_of_calls_are_matched_in_a_moment():
    """Each gold call keeps its n best candidates, and some best choice is among them."""
    gold = [Call("f", {"x": number, "y": 0}) for number in range(12)]
    said = [Call("f", {"x": number % 40, "y": number}) for number in range(20_000)]
    found = agreement(gold, said, Rules(assignment="optimal"))
    names = 12 / (12 + 20_000 - 12)
    assert found.earned == pytest.approx(names + 12 * 2.0 + 1.0)  # x right for all; y is 0 once, where x is 0 too
