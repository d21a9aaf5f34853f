"""Worked examples 10 and 12 of the fact sheet `skintokens`; 11 is in test_weights."""

import numpy as np
import pytest

from guerdon_rigging.codec_metrics import compression, support_iou

P = np.array([[0.6, 0.2, 0.15, 0, 0.05, 0]]).T
W = np.array([[0.8, 0.3, 0.05, 0, 0.2, 0]]).T


@pytest.mark.parametrize(("threshold", "expected"), [(0.1, 0.500125), (0.01, 1.0)])
def test_supports_overlap_by_a_threshold(threshold, expected):
    """Worked example 10: two of four above .1, (2 + .001) / (4 + .001)."""
    assert support_iou(P, W, threshold)[0] == pytest.approx(expected, abs=1e-6)


def test_two_empty_bones_agree_and_a_false_alarm_does_not():
    """Worked example 10."""
    empty, alarm = np.zeros((6, 1)), np.eye(6)[:, :1]
    assert support_iou(empty, empty)[0] == 1.0
    assert support_iou(alarm, empty)[0] == pytest.approx(0.000999, abs=1e-6)


def test_bones_are_counted_apart():
    got = support_iou(np.hstack([P, P]), np.hstack([W, P]))
    assert got == pytest.approx([0.500125, 1.0], abs=1e-6)


def test_an_overlap_with_what_is_no_number_is_refused():
    with pytest.raises(ValueError, match="predicted weights are not all finite"):
        support_iou(np.full((6, 1), np.nan), W)
    with pytest.raises(ValueError, match="shape"):
        support_iou(P, np.hstack([W, W]))


@pytest.mark.parametrize(("length", "expected"), [(32, 195.2), (4, 1561.8)])
def test_codes_are_far_smaller_than_a_column(length, expected):
    """Worked example 12."""
    assert compression(6247.05, length) == pytest.approx(expected, abs=0.05)
