"""Where points of a periodic sheet lie inside a rectangle."""

import math

import numpy as np
from numba import njit

from . import EXACT


@njit(**EXACT)
def spans(points, inverse, low, high):
    """First and last whole translation along each cell vector that can reach into the rectangle, (2, 2)."""
    out = np.empty((2, 2), np.int64)
    for n in range(2):
        u, v = inverse[0, n], inverse[1, n]
        least = min(low[0] * u, high[0] * u) + min(low[1] * v, high[1] * v)  # of the rectangle's corners
        most = max(low[0] * u, high[0] * u) + max(low[1] * v, high[1] * v)
        first, last = np.inf, -np.inf
        for k in range(len(points)):
            at = points[k, 0] * u + points[k, 1] * v
            first, last = min(first, at), max(last, at)
        out[n, 0], out[n, 1] = math.floor(least - last), math.ceil(most - first)
    return out


@njit(**EXACT)
def inside(points, lateral, spans, low, high):
    """Number (K,) and position (K, 3) of the images of points (N, 3), moved along the lateral vectors (2, 2)."""
    count, room = 0, len(points)
    index, out = np.empty(room, np.int64), np.empty((room, 3))
    x0, x1, y0, y1 = points[:, 0].min(), points[:, 0].max(), points[:, 1].min(), points[:, 1].max()
    for i in range(spans[0, 0], spans[0, 1] + 1):
        for j in range(spans[1, 0], spans[1, 1] + 1):
            dx, dy = i * lateral[0, 0] + j * lateral[1, 0], i * lateral[0, 1] + j * lateral[1, 1]
            if x0 + dx > high[0] or x1 + dx < low[0] or y0 + dy > high[1] or y1 + dy < low[1]:
                continue
            if count + len(points) > room:  # twice as much
                room = 2 * room + len(points)
                more, further = np.empty(room, np.int64), np.empty((room, 3))
                more[:count], further[:count] = index[:count], out[:count]
                index, out = more, further
            for k in range(len(points)):
                x, y = points[k, 0] + dx, points[k, 1] + dy
                if low[0] <= x <= high[0] and low[1] <= y <= high[1]:
                    index[count], out[count, 0], out[count, 1], out[count, 2] = k, x, y, points[k, 2]
                    count += 1
    return index[:count].copy(), out[:count].copy()
