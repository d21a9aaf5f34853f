import json
import math
import pickle
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon import transforms
from guerdon.errors import ConfigError
from guerdon.transforms import (
    ceiling,
    center,
    chain,
    clip,
    clip_to_spread,
    gate,
    min_max,
    scale,
    sigmoid,
    standardize,
    stateless,
    tanh,
)

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
    ceiling(0.5),
    sigmoid(2.0),
    tanh(),
    min_max(),
    clip_to_spread(),
    clip_to_spread(0.5, ddof=1, decay=0.9),
    chain(ceiling(0.75), min_max()),
]
PAR_BATCHES = [[1.0, 2.0, 3.0, 4.0], [5.0, 5.0]]


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


# -- the running shapings that PAR compares (arXiv:2502.18770), by its worked examples ---------------------------------


def over(shape, *batches):
    """The batches one after the other, the state passed on through JSON."""
    state, found = shape.init(), []
    for batch in batches:
        shaped, state = shape.update(batch, json.loads(json.dumps(state)))
        found.append(shaped)
    return found


def test_standardize_is_pars_mean_std():
    """Population std, the batch added before it is measured, no epsilon; a single value has no spread and becomes 0."""
    shape = standardize(scope="running", ddof=0, epsilon=0.0)
    first, second = over(shape, *PAR_BATCHES)
    assert first == pytest.approx([-1.341641, -0.447214, 0.447214, 1.341641], abs=5e-7)
    assert second == pytest.approx([1.118034, 1.118034], abs=5e-7)
    assert over(shape, [3.0]) == [[0.0]]


def test_values_are_clipped_to_one_running_std_around_the_mean():
    first, second = over(clip_to_spread(), *PAR_BATCHES)
    assert first == pytest.approx([1.381966, 2.0, 3.0, 3.618034], abs=5e-7)
    assert second == pytest.approx([4.824045, 4.824045], abs=5e-7)
    assert over(clip_to_spread(), [0.0, 0.0, 0.0, 10.0])[0] == pytest.approx([0.0, 0.0, 0.0, 6.830127], abs=5e-7)


def test_min_max_widens_with_the_batch_before_it_measures():
    first, second = over(min_max(), [1.0, 2.0, 3.0, 4.0], [6.0, 0.0])
    assert first == pytest.approx([0.0, 1 / 3, 2 / 3, 1.0])
    assert second == [1.0, 0.0]
    assert over(min_max(), [2.0, 2.0]) == [[0.0, 0.0]]
    assert over(min_max(), [1.0, 4.0], [6.0, 0.0, 3.0], [3.0]) == [[0.0, 1.0], [1.0, 0.0, 0.5], [0.5]]


@pytest.mark.parametrize("shape", [standardize(scope="running"), clip_to_spread(), min_max()], ids=repr)
def test_a_batch_without_a_score_moves_no_running_state(shape):
    _, before = shape.update([1.0, 2.0], shape.init())
    shaped, after = shape.update([nan, nan], before)
    assert all(math.isnan(value) for value in shaped)
    assert after == before
    assert all(math.isnan(value) for value in apply(shape, [nan]))
    assert apply(shape, []) == []


@pytest.mark.parametrize(
    "shape", [sigmoid(3.0), tanh(), ceiling(3.0), min_max(), clip_to_spread(), standardize(scope="running")], ids=repr
)
@pytest.mark.parametrize("huge", [1e30, 1e150, 1e154, 1.7976931348623157e308])
def test_huge_values_come_out_finite(shape, huge):
    assert all(math.isfinite(value) for value in apply(shape, [huge, huge, 0.0, 1.0]))
    assert all(math.isfinite(value) for value in apply(shape, [huge] * 3))
    assert all(math.isfinite(value) for value in apply(shape, [-huge, huge]))
    assert all(math.isfinite(value) for value in apply(shape, [huge, *[-huge] * 6]))


def test_plain_curves_by_hand():
    """sigmoid(1) = 0.731059, sigmoid(2) = 0.880797, tanh(1) = 0.761594; the ceiling leaves what is below."""
    assert apply(sigmoid(), [1.0, 0.0, -1.0]) == pytest.approx([0.731059, 0.5, 0.268941], abs=5e-7)
    assert apply(sigmoid(2.0), [1.0]) == pytest.approx([0.880797], abs=5e-7)
    assert apply(tanh(), [1.0, -1.0]) == pytest.approx([0.761594, -0.761594], abs=5e-7)
    assert apply(ceiling(3.0), [2.0, 3.0, 4.0]) == [2.0, 3.0, 3.0]
    assert sigmoid().bounds((-math.inf, 0.0)) == (0.0, 0.5)
    assert ceiling(3.0).bounds((-1.0, math.inf)) == (-1.0, 3.0)


def test_within_one_group_an_affine_shaping_changes_no_normalised_advantage():
    """Min-max, mean-std and a shift cancel under GRPO's normalisation; a sigmoid does not."""
    values, normal = [0.5, 2.0, 3.5, 7.0], standardize(epsilon=0.0)
    plain = apply(normal, values)
    for shape in (min_max(), standardize(scope="running", ddof=0, epsilon=0.0), scale(1.0, -4.0)):
        assert apply(normal, apply(shape, values)) == pytest.approx(plain)
    assert apply(normal, apply(sigmoid(), values)) != pytest.approx(plain, abs=0.1)


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
        lambda: sigmoid(0.0),
        lambda: tanh(-1.0),
        lambda: ceiling(math.inf),
        lambda: clip_to_spread(0.0),
        lambda: clip_to_spread(ddof=2),
        lambda: clip_to_spread(decay=0.0),
    ],
)
def test_a_wrong_option_is_refused_at_start(build):
    with pytest.raises(ConfigError):
        build()
