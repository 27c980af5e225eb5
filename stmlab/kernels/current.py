"""ln I of a tip above a sample and its slope, point by point and along the path of a feedback loop."""

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


@njit(**OPTIONS)
def feedback(x, y, offset, noise, start, target, floor, kp, ki, kd, everything, decay, slack, z, error):
    """Run the loop along a path: at each step read ln I, then move to the next height.

    ``offset`` is what drift adds to the height that the loop asks for; ``kp``, ``ki`` and ``kd`` are per step.
    Fills ``z`` with the heights asked for and ``error`` with ln(I / I_set) as the loop saw it.
    """
    wide, narrow, counts, made = lists(everything)
    height, integral, last = start, start, 0.0
    for s in range(x.size):
        true = max(height + offset[s], floor)
        if strayed(x[s], y[s], true, made):
            follow(x[s], y[s], true, everything, slack, wide, narrow, counts, made)
        value, _ = evaluate(x[s] - made[3], y[s] - made[4], true, narrow, counts[1], made[6], decay)
        e = value - target + noise[s]
        if s == 0:
            last = e
        z[s], error[s] = height, e
        integral += ki * e
        height = integral + kp * e + kd * (e - last)
        last = e
