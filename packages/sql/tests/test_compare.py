"""Expected values: the comparison table of the fact sheet on SQL execution, or by hand."""

import math
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon_sql.compare import MODES, compare, orders_rows, soft_f1, valid_efficiency

WORKED = [
    # gold, got, set, bag under any column order, list under any column order, soft F1
    ([(1,), (2,)], [(1,), (1,), (2,)], True, False, False, 1.0),
    ([("a", 1), ("b", 2)], [("b", 2), ("a", 1)], True, True, False, 0.0),
    ([("a", 1), ("b", 2)], [(1, "a"), (2, "b")], False, True, True, 1.0),
    ([("a",), ("b",)], [("a", 1), ("b", 2)], False, False, False, 2 / 3),
    ([(1,), (2,), (3,)], [(1,), (2,)], False, False, False, 0.8),
    ([("a", 1), ("b", 2)], [("a", 1), ("b", 3)], False, False, False, 0.75),
    ([], [], True, True, True, 1.0),
    ([], [(1,)], False, False, False, 0.0),
]

cells = st.one_of(st.none(), st.integers(-2, 2), st.sampled_from([0.5, "a", "b", b"a"]))
tables = st.integers(1, 4).flatmap(lambda width: st.lists(st.tuples(*[cells] * width), max_size=6))


@pytest.mark.parametrize(("gold", "got", "as_set", "as_bag", "as_list", "overlap"), WORKED)
def test_the_sheets_worked_lines(gold, got, as_set, as_bag, as_list, overlap):
    assert compare(got, gold, "bird_set") is as_set
    assert compare(got, gold, "bag", columns="any") is as_bag
    assert compare(got, gold, "spider") is as_bag
    assert compare(got, gold, "ordered", columns="any") is as_list
    assert compare(got, gold, "spider", gold_ordered=True) is as_list
    assert soft_f1(got, gold) == pytest.approx(overlap)
    assert soft_f1(got, gold, "released") == pytest.approx(overlap)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (1, 1.0, True),
        ("1", 1, False),
        ("a", b"a", False),
        (None, None, True),
        (None, 0, False),
        (None, "", False),
        (math.nan, float("nan"), True),
        (2**53, 2**53 + 1, False),
        (0.1 + 0.2, 0.3, False),
    ],
)
def test_cells_are_equal_as_python_has_it_but_for_nan(mode, one, other, same):
    assert compare([(one, "x")], [(other, "x")], mode) is same


def test_without_asking_for_it_column_order_matters():
    got, gold = [(1, "a"), (2, "b")], [("a", 1), ("b", 2)]
    assert [mode for mode in MODES if compare(got, gold, mode)] == ["spider"]


def test_set_mode_ignores_duplicates_under_any_column_order_too():
    assert compare([(1, "a"), (1, "a")], [("a", 1)], columns="any")


def test_one_column_order_must_serve_all_rows():
    """Each column of one table has the same cells as one of the other's, yet no permutation makes the rows equal."""
    gold = [(0, 0), (1, 1)]
    assert not compare([(0, 1), (1, 0)], gold, "spider")
    assert compare([(1, 1), (0, 0)], gold, "spider")


def test_tolerance_needs_a_float_and_is_absolute_or_relative():
    assert compare([(0.3000001,)], [(0.3,)], tolerance=1e-6)
    assert not compare([(0.31,)], [(0.3,)], tolerance=1e-6)
    assert compare([(1e9 + 1,)], [(1e9,)], tolerance=1e-6)
    assert compare([(2,)], [(2.0000001,)], tolerance=1e-6)
    assert not compare([(1000000,)], [(1000001,)], tolerance=0.1), "two integers are compared exactly"
    assert not compare([("a", 1.0)], [("b", 1.0)], tolerance=0.5)


def test_a_bag_under_tolerance_needs_partners_of_their_own():
    """0.0 and 0.2 both lie near 0.1, but 0.9 has nobody; as sets, 0.1 may serve twice."""
    assert not compare([(0.0,), (0.2,)], [(0.1,), (0.9,)], "bag", tolerance=0.15)
    assert compare([(0.1,), (0.1,)], [(0.0,), (0.2,)], "bird_set", tolerance=0.15)
    # 0.1 is near both golds and -0.1 near the first only: whoever chose first must give way.
    assert compare([(0.1,), (-0.1,)], [(0.0,), (0.2,)], "bag", tolerance=0.15)
    assert compare([(1, 0.1), (2, 0.2)], [(0.2, 2), (0.100001, 1)], "spider", tolerance=1e-3)


def test_an_unknown_mode_or_negative_tolerance_is_refused():
    with pytest.raises(ValueError, match="bird_set, bag, ordered, spider"):
        compare([], [], "exact")
    with pytest.raises(ValueError, match="tolerance"):
        compare([], [], tolerance=-1.0)
    with pytest.raises(ValueError, match="tolerance"):
        compare([], [], tolerance=math.nan)


@given(tables, st.randoms(use_true_random=False), st.sampled_from([0.0, 1e-6]))
def test_a_table_equals_its_own_shuffles_where_the_mode_says_so(gold, rng, tolerance):
    shuffled = rng.sample(gold, len(gold))
    assert compare(shuffled, gold, "bird_set", tolerance=tolerance)
    assert compare(shuffled, gold, "bag", tolerance=tolerance)
    if gold:
        places = rng.sample(range(len(gold[0])), len(gold[0]))
        turned = [tuple(row[place] for place in places) for row in shuffled]
        assert compare(turned, gold, "spider", tolerance=tolerance)
        in_order = [tuple(row[place] for place in places) for row in gold]
        assert compare(in_order, gold, "ordered", columns="any", tolerance=tolerance)


@given(tables, tables)
def test_the_column_search_agrees_with_trying_every_permutation(got, gold):
    from collections import Counter
    from itertools import permutations

    wanted = (
        Counter(gold) == Counter(got)
        if not got or not gold or len(got[0]) != len(gold[0])
        else any(
            Counter(tuple(row[place] for place in order) for row in got) == Counter(gold)
            for order in permutations(range(len(gold[0])))
        )
    )
    assert compare(got, gold, "spider") is wanted
    assert compare(gold, got, "spider") is wanted


@given(tables, tables, st.sampled_from(MODES))
def test_comparison_is_symmetric_and_soft_f1_stays_in_bounds(one, other, mode):
    assert compare(one, other, mode) == compare(other, one, mode)
    assert 0.0 <= soft_f1(one, other) <= 1.0
    assert soft_f1(other, other) == 1.0
    assert compare(one, other, "ordered") <= compare(one, other, "bag") <= compare(one, other, "bird_set")


@pytest.mark.parametrize("tolerance", [0.0, 1e-6])
def test_wide_regular_tables_end_fast(tolerance):
    """Random 0/1 tables of equal row and column sums: all columns look alike one by one, the hard case for a search."""
    rng = random.Random(0)
    size = 60

    def regular():
        rows = [[int((column - row) % size < size // 2) for column in range(size)] for row in range(size)]
        for _ in range(2000):
            (a, b), (x, y) = rng.sample(range(size), 2), rng.sample(range(size), 2)
            if rows[a][x] == rows[b][y] == 1 and rows[a][y] == rows[b][x] == 0:
                rows[a][x] = rows[b][y] = 0
                rows[a][y] = rows[b][x] = 1
        return [tuple(row) for row in rows]

    one, other = regular(), regular()
    start = time.process_time()
    assert not compare(one, other, "spider", tolerance=tolerance)
    assert time.process_time() - start < 4.0


def test_five_hundred_constant_columns_are_no_search_at_all():
    gold = [(row, *[0] * 498, row % 2) for row in range(50)]
    got = [(row % 2, *[0] * 498, row) for row in range(50)]
    assert compare(got, gold, "spider")
    assert not compare([*got[:-1], (0, *[0] * 497, 1, 49)], gold, "spider")


def test_repeating_a_right_column_pays_only_in_the_released_reading():
    """Rows as bags: tp = 1/2, fp = 99/2, fn = 1/2, so 1/51. Released: tp = 100/2, fp = 0, fn = 1/2, so 100/100.5."""
    got, gold = [("a",) * 100], [("a", "b")]
    assert soft_f1(got, gold) == pytest.approx(1 / 51)
    assert soft_f1(got, gold, "released") == pytest.approx(100 / 100.5)


def test_a_gold_row_without_cells_is_an_error():
    with pytest.raises(ValueError, match="no cells"):
        soft_f1([(1,)], [()])


def test_order_counts_for_spider_when_the_gold_says_order_by():
    assert orders_rows("SELECT a FROM t ORDER  BY a")
    assert orders_rows("select a from t order\n by a limit 1")
    assert not orders_rows("SELECT border FROM by_t")


@pytest.mark.parametrize(
    ("ratio", "points"),
    [
        (2.0, 111.8033989),
        (1.0, 100.0),
        (0.5, 86.6025404),
        (0.25, 70.7106781),
        (0.2, 50.0),
        (1.99, 100.0),
        (0.99, 86.6025404),
    ],
)
def test_r_ves_steps(ratio, points):
    assert valid_efficiency(True, [ratio] * 5, [1.0] * 5) == pytest.approx(points)


def test_identical_ratios_survive_the_filter():
    """The released strict filter would drop them all and score 0."""
    assert valid_efficiency(True, [0.1] * 100, [0.1] * 100) == 100.0
    assert valid_efficiency(True, [0.7] * 7, [0.1] * 7, "ves") == pytest.approx(100 * math.sqrt(7))
    assert valid_efficiency(True, [4.0], [1.0], "ves") == 200.0


def test_an_outlier_beyond_three_deviations_is_dropped():
    """99 runs at ratio 1, one at 1000: mean 10.99, deviation 99.4, so the one at 1000 goes and 1 remains."""
    assert valid_efficiency(True, [1.0] * 99 + [1000.0], [1.0] * 100, "ves") == 100.0


def test_a_wrong_answer_has_no_efficiency_and_bad_times_are_refused():
    assert valid_efficiency(False, [], []) == 0.0
    for times in ([], []), ([1.0], []), ([0.0], [1.0]):
        with pytest.raises(ValueError, match="run"):
            valid_efficiency(True, *times)
