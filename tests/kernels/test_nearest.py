import numpy as np
import pytest
from scipy.spatial import cKDTree

from stmlab.kernels.nearest import boxes, closest, distances


@pytest.mark.parametrize("count", [1, 7, 400])
@pytest.mark.parametrize("shape", [(30, 30), (8, 64), (17, 3), (2, 2)])
@pytest.mark.parametrize("reach", [0.8, 2.5])
def test_distances_are_those_of_a_tree(count, shape, reach):
    """On a raster that is turned and bent, on places without any order, and far from all points."""
    rng = np.random.default_rng(count)
    points = rng.uniform(-15, 25, (count, 2))
    v, u = np.meshgrid(np.linspace(-12, 12, shape[0]), np.linspace(-9, 9, shape[1]), indexing="ij")
    for x, y in ((0.8 * u - 0.6 * v + 0.02 * v**2, 0.6 * u + 0.8 * v), rng.uniform(-20, 20, (2, *shape)),
                 (u + 90, v), (u, v - 90)):  # fmt: skip
        out = np.full(shape, np.nan)
        distances(x, y, points, reach, out)
        expected = cKDTree(points).query(np.column_stack([x.ravel(), y.ravel()]))[0].reshape(shape)
        np.testing.assert_allclose(out, np.minimum(expected, reach), atol=1e-12)


def near(x, y, point):
    return closest(x, y, boxes(x, y), *point)


@pytest.mark.parametrize("shape", [(30, 31), (8, 16), (5, 40)])
def test_closest_places_are_those_of_a_tree(shape):
    rng = np.random.default_rng(3)
    x, y = rng.uniform(-20, 20, (2, *shape))
    points = rng.uniform(-25, 25, (60, 2))
    found = [np.ravel_multi_index(near(x, y, point), shape) for point in points]
    np.testing.assert_array_equal(found, cKDTree(np.column_stack([x.ravel(), y.ravel()])).query(points)[1])


def test_of_places_equally_near_the_first_counts():
    x, y = np.zeros((12, 20)), np.ones((12, 20))
    assert near(x, y, (0.0, 0.0)) == (0, 0)
    x[0], x[1, :15] = 5, 5
    assert near(x, y, (0.0, 0.0)) == (1, 15)  # not (2, 0), of an earlier tile


def test_a_box_holds_its_tile():
    x, y = np.random.default_rng(1).normal(size=(2, 11, 17))
    box = boxes(x, y)
    assert box.shape == (2, 3, 4)
    last = x[8:, 16:], y[8:, 16:]
    assert box[1, 2].tolist() == [last[0].min(), last[0].max(), last[1].min(), last[1].max()]
