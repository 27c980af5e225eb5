import numpy as np
import pytest
from scipy.spatial import cKDTree

from stmlab.kernels.nearest import closest, discs


@pytest.mark.parametrize("count", [1, 7, 400])
@pytest.mark.parametrize("shape", [(30, 30), (8, 64), (17, 3), (2, 2)])
@pytest.mark.parametrize("radius", [0.7, 2.5])
def test_discs_are_those_of_a_tree(count, shape, radius):
    """On a raster that is turned and bent, on places without any order, and far from all points."""
    rng = np.random.default_rng(count)
    points = rng.uniform(-15, 25, (count, 2))
    v, u = np.meshgrid(np.linspace(-12, 12, shape[0]), np.linspace(-9, 9, shape[1]), indexing="ij")
    for x, y in ((0.8 * u - 0.6 * v + 0.02 * v**2, 0.6 * u + 0.8 * v), rng.uniform(-20, 20, (2, *shape)),
                 (u + 90, v), (u, v - 90)):  # fmt: skip
        out = np.full(shape, np.nan)
        discs(x, y, points, radius, out)
        distance = cKDTree(points).query(np.column_stack([x.ravel(), y.ravel()]))[0].reshape(shape)
        np.testing.assert_allclose(out, np.clip(1.1 - distance / radius, 0, 1), atol=1e-12)


def test_closest_places_are_those_of_a_tree():
    rng = np.random.default_rng(3)
    x, y = rng.uniform(-20, 20, (2, 30, 31))
    points = rng.uniform(-25, 25, (60, 2))
    found = [row * 31 + col for row, col in (closest(x, y, point) for point in points)]
    np.testing.assert_array_equal(found, cKDTree(np.column_stack([x.ravel(), y.ravel()])).query(points)[1])


def test_of_places_equally_near_the_first_counts():
    x, y = np.zeros((3, 4)), np.ones((3, 4))
    assert closest(x, y, np.zeros(2)) == (0, 0)
    x[0], x[1, 0] = 5, 5
    assert closest(x, y, np.zeros(2)) == (1, 1)
