"""Which of many points is the nearest, for the pixels of an image."""

import numpy as np
from numba import njit

from . import EXACT


@njit(**EXACT)
def buckets(points, low, size, shape):
    """Sort points (K, 2) into square cells: their order (K,), and where each cell begins in it."""
    cells, begin = np.empty(len(points), np.int64), np.zeros(shape[0] * shape[1] + 1, np.int64)
    for k in range(len(points)):
        cells[k] = int((points[k, 0] - low[0]) / size) * shape[1] + int((points[k, 1] - low[1]) / size)
        begin[cells[k] + 1] += 1
    begin = np.cumsum(begin)
    order, filled = np.empty(len(points), np.int64), begin.copy()
    for k in range(len(points)):
        order[filled[cells[k]]] = k
        filled[cells[k]] += 1
    return order, begin


@njit(**EXACT)
def distances(x, y, points, reach, out):
    """Fill ``out`` (n,) with the distance of each place (x, y) to the nearest point (K, 2), or ``reach`` if further."""
    low = np.array([points[:, 0].min(), points[:, 1].min()])
    shape = np.array([int((points[:, 0].max() - low[0]) / reach) + 1, int((points[:, 1].max() - low[1]) / reach) + 1])
    order, begin = buckets(points, low, reach, shape)
    for n in range(len(x)):
        i, j = int(np.floor((x[n] - low[0]) / reach)), int(np.floor((y[n] - low[1]) / reach))
        nearest = reach * reach
        for row in range(max(i - 1, 0), min(i + 2, shape[0])):
            for col in range(max(j - 1, 0), min(j + 2, shape[1])):
                for k in range(begin[row * shape[1] + col], begin[row * shape[1] + col + 1]):
                    dx, dy = x[n] - points[order[k], 0], y[n] - points[order[k], 1]
                    nearest = min(nearest, dx * dx + dy * dy)
        out[n] = np.sqrt(nearest)


@njit(**EXACT)
def closest(x, y, points, out):
    """Fill ``out`` (K,) with the number of the place (x, y) (n,) that is nearest to each point (K, 2)."""
    for k in range(len(points)):
        nearest = np.inf
        for n in range(len(x)):
            dx, dy = x[n] - points[k, 0], y[n] - points[k, 1]
            if dx * dx + dy * dy < nearest:
                nearest, out[k] = dx * dx + dy * dy, n
