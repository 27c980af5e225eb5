import numpy as np
import pytest
from scipy.spatial import cKDTree

from stmlab.kernels.nearest import closest, distances


@pytest.mark.parametrize("count", [1, 7, 400])
def test_distances_are_those_of_a_tree(count):
    rng = np.random.default_rng(count)
    x, y = rng.uniform(-20, 20, (2, 900))
    points, out = rng.uniform(-15, 25, (count, 2)), np.empty(900)
    distances(x, y, points, 2.5, out)
    expected, _ = cKDTree(points).query(np.column_stack([x, y]))
    np.testing.assert_allclose(out, np.minimum(expected, 2.5), atol=1e-12)
    assert (out < 2.5).any() == (expected < 2.5).any()


def test_closest_places_are_those_of_a_tree():
    rng = np.random.default_rng(3)
    x, y = rng.uniform(-20, 20, (2, 900))
    points, out = rng.uniform(-25, 25, (60, 2)), np.empty(60, int)
    closest(x, y, points, out)
    np.testing.assert_array_equal(out, cKDTree(np.column_stack([x, y])).query(points)[1])
