"""Matching and scores, against cases counted by hand."""

import itertools

import numpy as np
import pytest

pytest.importorskip("torch")

from stmlab.learn import match, match_boxes, score
from stmlab.scan import DEFECT_DTYPE


def test_matching_is_one_to_one_and_closest():
    truth = [[0, 0], [10, 0]]
    found = [[0.5, 0], [0.2, 0], [10, 1.5], [30, 30]]
    assert match(found, truth, 1.0).tolist() == [[1, 0]]
    assert match(found, truth, 2.0).tolist() == [[1, 0], [2, 1]]
    assert match([], truth, 1.0).shape == match(found, [], 1.0).shape == (0, 2)


def test_as_many_pairs_as_there_can_be():
    # the closest pair would leave the other two alone
    assert sorted(match([[0, 0], [1.1, 0]], [[1, 0], [2, 0]], 1.0).tolist()) == [[0, 0], [1, 1]]


def most_pairs(allowed):
    """Number of pairs by trying all orders."""
    n, m = allowed.shape
    if n > m:
        return most_pairs(allowed.T)
    return max(sum(allowed[i, j] for i, j in enumerate(order)) for order in itertools.permutations(range(m), n))


@pytest.mark.parametrize("seed", range(20))
def test_matching_against_all_orders(seed):
    rng = np.random.default_rng(seed)
    found, truth = rng.random((rng.integers(1, 6), 2)), rng.random((rng.integers(1, 6), 2))
    allowed = np.linalg.norm(found[:, None] - truth, axis=-1) <= 0.3
    pairs = match(found, truth, 0.3)
    assert len(pairs) == most_pairs(allowed)
    assert allowed[tuple(pairs.T)].all()
    boxes = np.column_stack([truth - 0.2, np.full((len(truth), 2), 0.4)])
    inside = (np.abs(found[:, None] - truth) <= 0.2).all(axis=-1)
    pairs = match_boxes(found, boxes)
    assert len(pairs) == most_pairs(inside)
    assert inside[tuple(pairs.T)].all()


def test_the_edge_belongs_to_the_box():
    box = [[2, 3, 4, 5]]
    corners = [[2, 3], [6, 8], [6, 3], [2, 8]]
    assert all(len(match_boxes([corner], box)) == 1 for corner in corners)
    assert not len(match_boxes([[6.01, 5]], box))
    assert not len(match_boxes([[4, 2.99]], box))


def defects(*rows):
    out = np.zeros(len(rows), DEFECT_DTYPE)
    for one, (kind, col, row, inside) in zip(out, rows, strict=True):
        one["kind"], one["col"], one["row"], one["inside"] = kind, col, row, inside
    return out


def test_a_score_counted_by_hand():
    first = defects(("vacancy", 10, 10, True), ("dopant", 30, 10, True), ("dopant", 50, 50, False))
    second = defects(("vacancy", 5, 5, True))
    result = score([[[10, 11], [20, 20], [50, 50]], [[5, 5]], []], [first, second, first[:0]], 1.5, [1.0, 0.5, 1.0])
    assert (result.found.tolist(), result.true.tolist(), result.matched.tolist()) == ([3, 1, 0], [2, 1, 0], [1, 1, 0])
    assert (result.precision, result.recall, result.f1) == (0.5, 2 / 3, 4 / 7)
    assert result.f1_image == pytest.approx((2 / 5 + 1) / 2)
    assert result.recall_by_kind == {"dopant": 0.0, "vacancy": 1.0}
    assert result.rmse == pytest.approx(np.sqrt(0.5))
    low, high = result.interval()
    assert low <= result.f1 <= high


def test_radius_is_in_angstrom():
    near = np.array([[10.0, 13.0]])
    one = defects(("vacancy", 10, 10, True))
    assert score(near, one, radius=1.6, pixel_size=0.5).matched.sum() == 1
    assert score(near, one, radius=1.6, pixel_size=0.6).matched.sum() == 0
    assert score(near, one, radius=1.6, pixel_size=0.5).rmse == pytest.approx(1.5)


def test_columns_are_x_and_rows_are_y():
    found = np.array([(12.0, 40.0, 0.9)], [("x", float), ("y", float), ("score", float)])
    assert score(found, defects(("vacancy", 12, 40, True))).recall == 1
    assert score(found, defects(("vacancy", 40, 12, True))).recall == 0
    assert score(found, [[12, 40.5]]).recall == 1


def test_boxes_have_no_distance():
    result = score(np.array([[5.0, 5], [6, 6]]), np.array([[4, 4, 4, 4.0]]))
    assert (result.precision, result.recall, result.kinds) == (0.5, 1.0, {"defect": (1, 1)})
    assert np.isnan(result.rmse)


def test_nothing_found_and_nothing_there():
    empty = score([], [])
    assert np.isnan([empty.precision, empty.recall, empty.f1, empty.f1_image, empty.rmse]).all()
    clean = score(np.zeros((0, 2)), np.zeros((0, 2)))
    assert np.isnan(clean.f1)
    assert clean.found.tolist() == [0]


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="2 images with detections and 1 with the truth"):
        score([[], []], [[]])
    with pytest.raises(ValueError, match=r"positions have shape \(1, 3\); give \(n, 2\) arrays"):
        score(np.zeros((1, 3)), np.zeros((1, 2)))
