"""What crosses, and what counts as equal."""

import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.errors import ConfigError
from guerdon.sandbox import Equality
from guerdon.sandbox.wire import Malformed, Untransferable, pack, unpack

atoms = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.complex_numbers(allow_nan=False)
)
keys = st.one_of(st.none(), st.booleans(), st.integers(), st.text(), st.tuples(st.integers(), st.text()))
plain = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.lists(inner), st.tuples(inner, inner), st.dictionaries(keys, inner), st.sets(keys), st.frozensets(keys)
    ),
    max_leaves=12,
)


@given(plain)
def test_a_plain_value_comes_back_as_it_was(value):
    back = unpack(pack(value))
    assert Equality()(back, value)
    assert repr(back) == repr(value) or isinstance(value, set | frozenset | dict | list | tuple)


@given(st.one_of(st.text(), st.binary()))
def test_any_text_is_read_or_refused(text):
    with contextlib.suppress(Malformed):
        unpack(text)


@pytest.mark.parametrize(
    "text", ["[", "{}", "[]", '["x"]', '["d",1]', '["d",["l"],1]', '["s",["l"]]', '["b",1,2]', '["c",1]', "[" * 10**5]
)
def test_what_pack_never_writes_is_malformed(text):
    with pytest.raises(Malformed):
        unpack(text)


@pytest.mark.parametrize("value", [object(), len, [{1: object()}], 10**5000, type], ids=range(5))
def test_what_is_not_plain_does_not_cross(value):
    with pytest.raises(Untransferable):
        pack(value)


def test_a_subclass_crosses_as_what_it_is_underneath():
    class Text(str):
        def __str__(self):
            return "another"

    class Number(float):
        def __pos__(self):
            return 7.0

    assert unpack(pack([Text("one"), Number(1.5)])) == ["one", 1.5]


@pytest.mark.parametrize(
    ("got", "expected", "typed", "python"),
    [
        (1, 1, True, True),
        (1, 1.0, False, True),
        (1, True, False, True),
        ([1], (1,), False, False),
        ({1}, frozenset({1}), False, True),
        ({1}, {True}, False, True),
        ({1: "a"}, {1.0: "a"}, False, True),
        ("a", b"a", False, False),
        (None, 0, False, False),
        ([], None, False, False),
        (-0.0, 0.0, True, True),
        (math.nan, math.nan, True, True),
        ([math.nan], [math.nan], True, True),
        ({math.nan}, {math.nan}, True, True),
        (math.inf, -math.inf, False, False),
        ([1, 2], [1, 2, 3], False, False),
        ([1, 2, 3], [1, 2], False, False),
        ({"a": 1}, {"a": 1, "b": 2}, False, False),
        ("", [], False, False),
    ],
)
def test_equal_by_type_and_value_or_as_python_says(got, expected, typed, python):
    assert Equality()(got, expected) is typed
    assert Equality(types=False)(got, expected) is python


def test_a_tolerance_reaches_floats_wherever_they_are():
    near = Equality(relative=0.01)
    assert near([{"a": (1.0,)}], [{"a": (1.005,)}])
    assert not near([{"a": (1.0,)}], [{"a": (1.02,)}])
    assert not near(100, 101)  # two ints are two ints
    assert Equality(types=False, absolute=0.5)(1, 1.4)
    assert not Equality(types=False, relative=1e-9)(10**400, 1.0)


def test_a_tuple_may_stand_for_a_list_where_the_test_says_so():
    assert Equality(tuples_are_lists=True)([(1, 2)], [[1, 2]])
    assert not Equality()([(1, 2)], [[1, 2]])


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf])
def test_a_tolerance_is_a_finite_number_from_zero(value):
    with pytest.raises(ConfigError, match=r"Equality\.relative"):
        Equality(relative=value)
