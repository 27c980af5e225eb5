"""How near the places of an image are to points of the sample."""

import math

import numpy as np
from numba import njit

from . import EXACT

TILE = 8  # places along each side of the squares that an image is divided into


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
def boxes(x, y):
    """Left, right, lower and upper end of the rectangle that holds each tile of places x, y (L, P)."""
    rows, cols = -(-x.shape[0] // TILE), -(-x.shape[1] // TILE)
    out = np.empty((rows, cols, 4))
    out[:, :, 0::2], out[:, :, 1::2] = np.inf, -np.inf
    for row in range(x.shape[0]):
        for n in range(cols):
            box = out[row // TILE, n]
            for col in range(n * TILE, min(n * TILE + TILE, x.shape[1])):
                box[0], box[1] = min(box[0], x[row, col]), max(box[1], x[row, col])
                box[2], box[3] = min(box[2], y[row, col]), max(box[3], y[row, col])
    return out


@njit(**EXACT)
def touched(first, last, low, size, count):
    """First cell, and the one after the last, that lie within one size of a stretch, along one axis."""
    return max(math.floor((first - low) / size) - 1, 0), min(math.floor((last - low) / size) + 2, count)


@njit(**EXACT)
def squares(x, y, row, col, px, py, out):
    """Lower what is in a tile of ``out`` (L, P) to the squared distance of the places x, y to a point."""
    for i in range(row, min(row + TILE, x.shape[0])):
        for j in range(col, min(col + TILE, x.shape[1])):
            dx, dy = x[i, j] - px, y[i, j] - py
            d = dx * dx + dy * dy
            out[i, j] = d if d < out[i, j] else out[i, j]


@njit(**EXACT)
def distances(x, y, points, reach, out):
    """Fill ``out`` (L, P) with the distance of the places x, y to the nearest point (K, 2), or reach if further.

    Tile by tile: of a tile of 8 by 8 places, only the points around the rectangle that holds them are looked at.
    """
    low = points[:, 0].min(), points[:, 1].min()
    shape = int((points[:, 0].max() - low[0]) / reach) + 1, int((points[:, 1].max() - low[1]) / reach) + 1
    order, begin = buckets(points, low, reach, shape)
    box = boxes(x, y)
    out[:] = reach * reach
    for row in range(box.shape[0]):
        for col in range(box.shape[1]):
            left, right, lower, upper = box[row, col]
            i0, i1 = touched(left, right, low[0], reach, shape[0])
            j0, j1 = touched(lower, upper, low[1], reach, shape[1])
            for i in range(i0, i1):
                for k in range(begin[i * shape[1] + j0], begin[i * shape[1] + max(j1, j0)]):
                    px, py = points[order[k], 0], points[order[k], 1]
                    if left - reach < px < right + reach and lower - reach < py < upper + reach:
                        squares(x, y, row * TILE, col * TILE, px, py, out)
    for row in range(x.shape[0]):
        for col in range(x.shape[1]):
            out[row, col] = np.sqrt(out[row, col])


@njit(**EXACT)
def closest(x, y, box, px, py):
    """Row and column of the place x, y (L, P) that is nearest to a point; the first, if there are several."""
    best, line, column = np.inf, x.shape[0], 0
    for row in range(box.shape[0]):
        for col in range(box.shape[1]):
            left, right, lower, upper = box[row, col]
            dx, dy = max(left - px, px - right, 0.0), max(lower - py, py - upper, 0.0)
            if dx * dx + dy * dy > best:
                continue
            for i in range(row * TILE, min(row * TILE + TILE, x.shape[0])):
                for j in range(col * TILE, min(col * TILE + TILE, x.shape[1])):
                    dx, dy = x[i, j] - px, y[i, j] - py
                    d = dx * dx + dy * dy
                    if d < best or (d == best and (i < line or (i == line and j < column))):
                        best, line, column = d, i, j
    return line, column


@njit(**EXACT)
def slope(values, row, col, down):
    """Change of an image (L, P) from pixel to pixel along one of its axes: that of `numpy.gradient`."""
    i0, j0 = max(row - down, 0), max(col - (1 - down), 0)
    i1, j1 = min(row + down, values.shape[0] - 1), min(col + (1 - down), values.shape[1] - 1)
    return (values[i1, j1] - values[i0, j0]) / (i1 - i0 + j1 - j0)


@njit(**EXACT)
def coordinates(x, y, points, out):
    """Fill ``out`` (K, 2) with the fractional row and column of points (K, 2): see `labels.image_coordinates`."""
    box = boxes(x, y)
    for k in range(len(points)):
        row, col = closest(x, y, box, points[k, 0], points[k, 1])
        xr, xc, yr, yc = slope(x, row, col, 1), slope(x, row, col, 0), slope(y, row, col, 1), slope(y, row, col, 0)
        dx, dy = points[k, 0] - x[row, col], points[k, 1] - y[row, col]
        area = xr * yc - xc * yr
        out[k, 0], out[k, 1] = row + (yc * dx - xc * dy) / area, col + (xr * dy - yr * dx) / area
