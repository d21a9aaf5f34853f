import json
import math
import pickle
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon import transforms
from guerdon.errors import ConfigError
from guerdon.transforms import center, chain, clip, gate, scale, standardize, stateless

nan = math.nan
values = st.lists(st.floats(-1e3, 1e3) | st.just(nan), max_size=8)
SHAPES = [
    clip(-1.0, 1.0),
    scale(-2.0, 0.5),
    gate(0.25),
    center(decay=0.9),
    center(scope="group"),
    standardize(),
    standardize(scope="batch", ddof=0),
    standardize(scope="running", decay=0.5),
    chain(center(decay=0.99), clip(-1.0, 1.0)),
]


def halved(values):
    return [value / 2 for value in values]


def apply(shape, batch, sizes=None):
    return shape.update(batch, shape.init(), sizes)[0]


def test_the_style_guides_example():
    assert apply(chain(center(decay=0.99), clip(-1.0, 1.0)), [1.0, 0.0, 0.5]) == [0.5, -0.5, 0.0]


def test_clip_scale_and_gate_by_hand():
    assert apply(clip(0.0, 1.0), [-3.0, 0.25, 7.0]) == [0.0, 0.25, 1.0]
    assert apply(scale(2.0, -1.0), [0.0, 0.5, 1.0]) == [-1.0, 0.0, 1.0]
    assert apply(gate(0.5, otherwise=-1.0), [0.5, 0.6, 0.0]) == [-1.0, 0.6, -1.0]


def test_groups_are_standardised_apart_with_the_stated_ddof():
    """(1, -1): sample std sqrt(2), population std 1; (10, 10) has no spread."""
    found = apply(standardize(epsilon=0.0), [1.0, -1.0, 10.0, 10.0], sizes=[2, 2])
    assert found == pytest.approx([0.5**0.5, -(0.5**0.5), 0.0, 0.0])
    assert apply(standardize(ddof=0, epsilon=0.0), [1.0, -1.0], sizes=[2]) == [1.0, -1.0]


def test_epsilon_is_added_to_the_std():
    """std 1 + epsilon 1: halved."""
    assert apply(standardize(ddof=0, epsilon=1.0), [1.0, -1.0]) == [0.5, -0.5]


def test_running_moments_without_decay_are_those_of_all_values_so_far():
    shape = standardize(scope="running", ddof=1, epsilon=0.0)
    state = shape.init()
    for batch in ([1.0, 5.0], [2.0, nan, 9.0], [4.0]):
        shaped, state = shape.update(batch, state)
    seen = [1.0, 5.0, 2.0, 9.0, 4.0]
    assert shaped == pytest.approx([(4.0 - statistics.mean(seen)) / statistics.stdev(seen)])


def test_decay_discounts_the_batches_before():
    """Baseline after [0, 0] then [1, 1] with decay 0.5: (0.5*2*0 + 2*1) / (0.5*2 + 2) = 2/3."""
    shape = center(decay=0.5)
    _, state = shape.update([0.0, 0.0], shape.init())
    shaped, _ = shape.update([1.0, 1.0], state)
    assert shaped == pytest.approx([1 / 3, 1 / 3])


def test_state_is_a_value_that_can_be_forked_and_replayed():
    shape = chain(center(decay=0.9), standardize(scope="running"))
    _, state = shape.update([1.0, 2.0], shape.init())
    kept = json.loads(json.dumps(state))
    once = shape.update([3.0, 4.0], state)
    assert shape.update([3.0, 4.0], kept) == once
    assert state == kept


@pytest.mark.parametrize("shape", SHAPES, ids=repr)
@given(batch=values)
def test_nan_stays_and_moves_nothing_else(shape, batch):
    shaped = apply(shape, batch)
    assert [value != value for value in shaped] == [value != value for value in batch]
    scored = [value for value in batch if value == value]
    assert [value for value in shaped if value == value] == apply(shape, scored)


@pytest.mark.parametrize("shape", SHAPES, ids=repr)
@given(batches=st.lists(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=5), min_size=1, max_size=4))
def test_shaped_values_stay_within_the_promised_bounds(shape, batches):
    low, high = shape.bounds((0.0, 1.0))
    state = shape.init()
    for batch in batches:
        shaped, state = shape.update(batch, state)
        assert all(low <= value <= high for value in shaped)


@pytest.mark.parametrize("shape", SHAPES, ids=repr)
def test_a_transform_is_a_value(shape):
    rebuilt = eval(repr(shape), vars(transforms))
    assert rebuilt == shape
    assert hash(rebuilt) == hash(shape)
    assert pickle.loads(pickle.dumps(shape)) == shape
    assert json.loads(json.dumps(shape.init())) == shape.init()


def test_bounds_follow_the_chain():
    assert chain(scale(4.0), clip(-1.0, 2.0)).bounds((0.0, 1.0)) == (0.0, 2.0)
    assert scale(-1.0).bounds((0.0, 3.0)) == (-3.0, 0.0)
    assert gate(0.5).bounds((0.0, 1.0)) == (0.0, 1.0)
    assert gate(2.0).bounds((0.0, 1.0)) == (0.0, 0.0)
    assert scale(0.0, 2.0).bounds((-math.inf, math.inf)) == (2.0, 2.0)


def test_a_chain_is_as_wide_as_its_widest_part_and_flattens():
    assert chain(clip(0.0, 1.0), standardize()).scope == "group"
    assert chain(clip(0.0, 1.0), center()).scope == "running"
    assert chain(chain(clip(0.0, 1.0)), scale(2.0)) == chain(clip(0.0, 1.0), scale(2.0))
    assert apply(chain(), [1.0, 2.0]) == [1.0, 2.0]


def test_a_plain_function_becomes_a_transform():
    shape = stateless(halved, within=(0.0, 0.5))
    assert apply(shape, [1.0, nan])[0] == 0.5
    assert shape.bounds((0.0, 1.0)) == (0.0, 0.5)
    assert repr(shape).endswith("halved, within=(0.0, 0.5))")


def test_a_function_that_loses_values_is_named():
    with pytest.raises(ValueError, match="made 0 values of 2"):
        apply(stateless(lambda values: []), [1.0, 2.0])


def test_sizes_must_add_up():
    with pytest.raises(ValueError, match="add up to 3"):
        apply(standardize(), [1.0, 2.0], sizes=[1, 2])


@pytest.mark.parametrize(
    "build",
    [
        lambda: clip(1.0, 0.0),
        lambda: scale(math.inf),
        lambda: center(decay=0.0),
        lambda: center(decay=0.9, scope="group"),
        lambda: standardize(ddof=3),
        lambda: standardize(scope="sample"),
        lambda: standardize(epsilon=-1.0),
        lambda: stateless(halved, scope="running"),
    ],
)
def test_a_wrong_option_is_refused_at_start(build):
    with pytest.raises(ConfigError):
        build()
