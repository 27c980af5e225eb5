"""Where points of a periodic sheet lie inside a rectangle."""

import numpy as np
from numba import njit

from . import EXACT


@njit(**EXACT)
def inside(points, lateral, inverse, most, periodic, low, high, index, out):
    """Count the images of points (N, 3) in a rectangle; fill their numbers and positions (K, 3) in where there is room.

    ``lateral`` (2, 2) are the cell vectors in rows, ``inverse`` its inverse; from the image nearest to the middle of
    the rectangle, at most ``most`` (2,) translations lead into it.
    """
    count, x0, y0 = 0, (low[0] + high[0]) / 2, (low[1] + high[1]) / 2
    for k in range(len(points)):
        u = (points[k, 0] - x0) * inverse[0, 0] + (points[k, 1] - y0) * inverse[1, 0]
        v = (points[k, 0] - x0) * inverse[0, 1] + (points[k, 1] - y0) * inverse[1, 1]
        home_u, home_v = -np.rint(u) * periodic[0], -np.rint(v) * periodic[1]
        for s in range(-most[0], most[0] + 1):
            for t in range(-most[1], most[1] + 1):
                i, j = home_u + s, home_v + t
                x = points[k, 0] + (i * lateral[0, 0] + j * lateral[1, 0])
                y = points[k, 1] + (i * lateral[0, 1] + j * lateral[1, 1])
                if low[0] <= x <= high[0] and low[1] <= y <= high[1]:
                    if count < len(index):
                        index[count], out[count, 0], out[count, 1], out[count, 2] = k, x, y, points[k, 2]
                    count += 1
    return count
