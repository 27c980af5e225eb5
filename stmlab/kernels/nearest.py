"""Which of many points is the nearest, for the pixels of an image."""

import math

import numpy as np
from numba import njit

from . import EXACT

FINITE = EXACT | {"fastmath": {"nnan", "nsz"}}  # without NaN a least value is found in any order, and it is the same
TILE = 8


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
def touched(corner, low, size, count):
    """First cell, and the one after the last, that lie within one size of a stretch (first, last), along one axis."""
    first, last = math.floor((corner[0] - low) / size) - 1, math.floor((corner[1] - low) / size) + 1
    return max(first, 0), min(last + 1, count)


@njit(**FINITE)
def squares(x, y, point, out):
    """Lower what is in ``out`` (l, p) to the squared distance of the places x, y to a point (2,)."""
    for row in range(x.shape[0]):
        for col in range(x.shape[1]):
            dx, dy = x[row, col] - point[0], y[row, col] - point[1]
            out[row, col] = min(out[row, col], dx * dx + dy * dy)


@njit(**EXACT)
def discs(x, y, points, radius, out):
    """Fill ``out`` (L, P) with 1.1 - d/R, clipped to [0, 1]; d from the places x, y to the nearest point (K, 2).

    Tile by tile: of a tile of 8 by 8 places, only the points around the rectangle that holds them are looked at.
    """
    reach = 1.1 * radius
    low = points[:, 0].min(), points[:, 1].min()
    shape = int((points[:, 0].max() - low[0]) / reach) + 1, int((points[:, 1].max() - low[1]) / reach) + 1
    order, begin = buckets(points, low, reach, shape)
    out[:] = reach * reach
    for row in range(0, x.shape[0], TILE):
        for col in range(0, x.shape[1], TILE):
            tile = slice(row, row + TILE), slice(col, col + TILE)
            here = x[tile], y[tile]
            wide, high = (here[0].min(), here[0].max()), (here[1].min(), here[1].max())
            i0, i1 = touched(wide, low[0], reach, shape[0])
            j0, j1 = touched(high, low[1], reach, shape[1])
            for i in range(i0, i1):
                for k in range(begin[i * shape[1] + j0], begin[i * shape[1] + max(j1, j0)]):
                    at = points[order[k]]
                    if wide[0] - reach < at[0] < wide[1] + reach and high[0] - reach < at[1] < high[1] + reach:
                        squares(here[0], here[1], at, out[tile])
    for row in range(x.shape[0]):
        for col in range(x.shape[1]):
            out[row, col] = min(max(1.1 - np.sqrt(out[row, col]) / radius, 0.0), 1.0)


@njit(**FINITE)
def least(x, y, point):
    """Smallest squared distance of the places x, y (n,) to a point (2,)."""
    nearest = np.inf
    for n in range(len(x)):
        dx, dy = x[n] - point[0], y[n] - point[1]
        nearest = min(nearest, dx * dx + dy * dy)
    return nearest


@njit(**EXACT)
def closest(x, y, point):
    """Row and column of the place x, y (L, P) that is nearest to a point (2,); the first, if there are several."""
    best, line = np.inf, 0
    for row in range(x.shape[0]):
        nearest = least(x[row], y[row], point)
        if nearest < best:
            best, line = nearest, row
    for col in range(x.shape[1]):
        dx, dy = x[line, col] - point[0], y[line, col] - point[1]
        if dx * dx + dy * dy <= best:
            return line, col
    return line, 0


@njit(**EXACT)
def slope(values, row, col, down):
    """Change of an image (L, P) from pixel to pixel along one of its axes: that of `numpy.gradient`."""
    i0, j0 = max(row - down, 0), max(col - (1 - down), 0)
    i1, j1 = min(row + down, values.shape[0] - 1), min(col + (1 - down), values.shape[1] - 1)
    return (values[i1, j1] - values[i0, j0]) / (i1 - i0 + j1 - j0)


@njit(**EXACT)
def coordinates(x, y, points, out):
    """Fill ``out`` (K, 2) with the fractional row and column of points (K, 2): see `labels.image_coordinates`."""
    for k in range(len(points)):
        row, col = closest(x, y, points[k])
        xr, xc, yr, yc = slope(x, row, col, 1), slope(x, row, col, 0), slope(y, row, col, 1), slope(y, row, col, 0)
        dx, dy = points[k, 0] - x[row, col], points[k, 1] - y[row, col]
        area = xr * yc - xc * yr
        out[k, 0], out[k, 1] = row + (yc * dx - xc * dy) / area, col + (xr * dy - yr * dx) / area
