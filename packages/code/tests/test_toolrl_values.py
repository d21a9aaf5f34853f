import pytest

from guerdon_code.tool_calls import Call, read_json
from guerdon_code.tool_values import COMPARISONS, accepts, first_of, in_golds_words, same

READ = read_json


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ("1", "1", (True, True, True)),
        ("1", "1.0", (True, True, False)),
        ("1", "true", (True, False, False)),
        ("0", "false", (True, False, False)),
        ("true", "true", (True, True, True)),
        ("1", '"1"', (False, False, False)),
        ("null", "0", (False, False, False)),
        ("[1, [2]]", "[1.0, [2]]", (True, True, False)),
        ('{"a": 1, "b": 2}', '{"b": 2, "a": true}', (True, False, False)),
        ('{"a": 1}', '{"a": 1, "b": 1}', (False, False, False)),
        ("[1]", "[1, 1]", (False, False, False)),
        ("[]", "{}", (False, False, False)),
        ("NaN", "NaN", (False, False, False)),
        ("[NaN]", "[NaN]", (False, False, False)),
        ('"Oslo"', '"oslo"', (False, False, False)),
        ("1e999", "1e999", (True, True, True)),
    ],
)
def test_what_is_the_same_depends_on_the_comparison(one, other, equal):
    assert tuple(same(READ(one), READ(other), comparison) for comparison in COMPARISONS) == equal
    assert tuple(same(READ(other), READ(one), comparison) for comparison in COMPARISONS) == equal


@pytest.mark.parametrize(
    ("options", "needed", "gold"),
    [
        ([5, 6], False, (5,)),
        (["C", ""], False, ("C",)),
        (["", "C"], False, None),
        (["", "C"], True, ("C",)),
        ([""], True, None),
        ([], False, None),
        ([[1, 2], [2, 1]], False, ([1, 2],)),
        ([{"w": [20, 21], "u": ["", "m"], "z": [""]}], False, ({"w": 20},)),
        ([[{"w": [1]}, {"w": [2]}]], False, ([{"w": 1}, {"w": 2}],)),
        ([{"format": "epoch"}], False, ({"format": "epoch"},)),
        ([False], False, (False,)),
    ],
)
def test_gold_is_the_first_accepted_value(options, needed, gold):
    assert first_of(options, needed=needed) == gold


def test_an_accepted_value_may_be_a_mapping_of_accepted_values():
    options = [{"w": [20, 21], "u": ["m", ""]}, {"w": [0]}]
    assert accepts(options, {"w": 21, "u": "m"})
    assert accepts(options, {"w": 20})
    assert accepts(options, {"w": 0})
    assert not accepts(options, {"u": "m"})
    assert not accepts(options, {"w": 20, "v": 1})
    assert not accepts(options, 20)


def test_that_a_parameter_may_be_left_out_does_not_accept_an_empty_text():
    assert accepts(["C", ""], "C")
    assert not accepts(["C", ""], "")


def test_a_list_is_accepted_member_by_member():
    assert accepts([[{"w": [1, 2]}]], [{"w": 2}])
    assert not accepts([[{"w": [1, 2]}]], [{"w": 2}, {"w": 2}])


def test_what_is_wrong_stays_wrong():
    gold, accepted = Call("f", {"x": 1}), {"x": [1, 2], "y": ["", 5]}
    assert in_golds_words(Call("f", {"x": 2, "y": 5}), gold, accepted).parameters == {"x": 1}
    assert in_golds_words(Call("f", {"x": 3, "y": 6}), gold, accepted).parameters == {"x": 3, "y": 6}
    assert in_golds_words(Call("f", {}), gold, accepted).parameters == {}  # x may not be left out


def test_a_parameter_that_may_be_left_out_comes_in_where_gold_has_it():
    gold, accepted = Call("f", {"a": 1, "b": 2, "c": 3}), {"a": [1], "b": [2, ""], "c": [3]}
    restored = in_golds_words(Call("f", {"a": 1, "c": 3}), gold, accepted)
    assert list(restored.parameters) == ["a", "b", "c"]
