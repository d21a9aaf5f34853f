import pickle

import pytest

from guerdon_sql.packed import PackedRows, pack, size_bytes

ROWS = [(1, 2.5, "x", b"\x00", None), (2, -0.0, "\udcff", b"", 2**70)]


def packed(rows, keep=False):
    return PackedRows(pack(rows), len(rows), keep)


def test_packed_rows_read_as_the_list_they_were():
    rows = packed(ROWS)
    assert (rows, len(rows), list(rows), rows[1], rows[:1]) == (ROWS, 2, ROWS, ROWS[1], ROWS[:1])
    assert [type(cell) for cell in rows[0]] == [int, float, str, bytes, type(None)]
    assert rows == pickle.loads(pickle.dumps(rows))
    assert repr(rows) == repr(ROWS)


@pytest.mark.parametrize("other", [ROWS[:1], ROWS[::-1], [*ROWS, ROWS[0]], []])
def test_other_rows_are_unequal(other):
    assert packed(ROWS) != other
    assert packed(ROWS) != packed(other)


def test_equal_numbers_of_different_types_are_equal_and_their_bytes_are_not():
    one, other = packed([(1,)]), packed([(1.0,)])
    assert one == other
    assert not one.same_bytes(other)
    assert one.same_bytes(packed([(1,)]))
    assert not one.same_bytes([(1,)])


def test_kept_rows_are_decoded_once_and_count_for_more():
    rows = packed(ROWS)
    assert rows.rows is not rows.rows
    kept = rows.kept()
    assert kept.rows is kept.rows
    assert kept == rows
    assert size_bytes(kept) > 8 * size_bytes(rows)
    assert size_bytes([]) == 0
