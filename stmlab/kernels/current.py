"""ln I of a tip above a sample and its slope, point by point."""

import math

import numpy as np
from numba import njit

from . import INLINED, OPTIONS
from .exponential import exp64
from .pairs import follow, lists, strayed


@njit(**INLINED)
def evaluate(x, y, z, pairs, n, nearest, decay):
    """Return ln I and d ln I/dz of a list of pairs; ``nearest`` keeps the exponentials in range."""
    total, slope = 0.0, 0.0
    for i in range(n):
        dx, dy, dz = x + pairs[0, i], y + pairs[1, i], z + pairs[2, i]
        d = np.sqrt(dx * dx + dy * dy + dz * dz)
        e = pairs[3, i] * exp64(decay * (nearest - d))
        total += e
        slope -= e * dz / d
    return math.log(total) - decay * nearest, decay * slope / total


@njit(**OPTIONS)
def log_current(x, y, z, everything, decay, slack, value, slope):
    """Fill ``value`` with ln I and ``slope`` with d ln I/dz at each of the points (x, y, z)."""
    wide, narrow, counts, made = lists(everything)
    for p in range(x.size):
        if strayed(x[p], y[p], z[p], made):
            follow(x[p], y[p], z[p], everything, slack, wide, narrow, counts, made)
        value[p], slope[p] = evaluate(x[p] - made[3], y[p] - made[4], z[p], narrow, counts[1], made[6], decay)
