"""ln I of a tip above a sample and its slope, point by point and along the path of a feedback loop.

Every function works on a list of the pairs of atoms that matter around one position of the tip. A list stays
valid while the tip is within ``SHIFT`` of that position, so neighbouring pixels and the steps of an iteration
share it.
"""

import math

import numpy as np
from numba import njit

from . import EXACT, INLINED, OPTIONS
from .exponential import exp64

FAR = 1e30
SHIFT = 0.6  # a list is made anew when the tip has moved further than this [Å]


@njit(**EXACT)
def gather(x, y, z, sample, tip, weight, slack, pairs, at):
    """List the pairs that are at most ``slack`` longer than the shortest anywhere within ``SHIFT`` of (x, y, z).

    ``pairs`` (4, N M) receives lateral offsets, vertical offset and weight, ``at`` (4,) the position and the
    shortest distance; returns the number of pairs.
    """
    nearest = FAR
    for j in range(tip.shape[0]):
        for i in range(sample.shape[0]):
            dx = x + tip[j, 0] - sample[i, 0]
            dy = y + tip[j, 1] - sample[i, 1]
            dz = z + tip[j, 2] - sample[i, 2]
            nearest = min(nearest, dx * dx + dy * dy + dz * dz)
    nearest = math.sqrt(nearest)
    reach = (nearest + slack + 2 * SHIFT) ** 2
    n = 0
    for j in range(tip.shape[0]):
        for i in range(sample.shape[0]):
            ox, oy, oz = tip[j, 0] - sample[i, 0], tip[j, 1] - sample[i, 1], tip[j, 2] - sample[i, 2]
            pairs[0, n], pairs[1, n], pairs[2, n], pairs[3, n] = ox, oy, oz, weight[i, j]
            n += (x + ox) ** 2 + (y + oy) ** 2 + (z + oz) ** 2 <= reach
    at[0], at[1], at[2], at[3] = x, y, z, nearest
    return n


@njit(**INLINED)
def refresh(x, y, z, n, sample, tip, weight, slack, pairs, at):
    """Make the list anew if the tip has left its range; return the number of pairs."""
    if (x - at[0]) ** 2 + (y - at[1]) ** 2 + (z - at[2]) ** 2 > SHIFT * SHIFT:
        return gather(x, y, z, sample, tip, weight, slack, pairs, at)
    return n


@njit(**INLINED)
def evaluate(x, y, z, pairs, n, nearest, decay):
    """Return ln I and d ln I/dz of a list of pairs; ``nearest`` keeps the exponentials in range."""
    ox, oy, oz, weight = pairs[0], pairs[1], pairs[2], pairs[3]
    total, slope = 0.0, 0.0
    for i in range(n):
        dx, dy, dz = x + ox[i], y + oy[i], z + oz[i]
        d = np.sqrt(dx * dx + dy * dy + dz * dz)
        e = weight[i] * exp64(decay * (nearest - d))
        total += e
        slope -= e * dz / d
    return math.log(total) - decay * nearest, decay * slope / total


@njit(**INLINED)
def workspace(sample, tip):
    """Room for a list of pairs, and the mark of an empty one."""
    return np.empty((4, sample.shape[0] * tip.shape[0] + 1)), np.full(4, FAR)


@njit(**OPTIONS)
def log_current(x, y, z, sample, tip, weight, decay, slack, value, slope):
    """Fill ``value`` with ln I and ``slope`` with d ln I/dz at each of the points (x, y, z)."""
    pairs, at = workspace(sample, tip)
    n = 0
    for p in range(x.size):
        n = refresh(x[p], y[p], z[p], n, sample, tip, weight, slack, pairs, at)
        value[p], slope[p] = evaluate(x[p], y[p], z[p], pairs, n, at[3], decay)


@njit(**OPTIONS)
def feedback(x, y, offset, noise, start, target, floor, kp, ki, kd, sample, tip, weight, decay, slack, z, error):
    """Run the loop along a path: at each step read ln I, then move to the next height.

    ``offset`` is what drift adds to the height that the loop asks for; ``kp``, ``ki`` and ``kd`` are per step.
    Fills ``z`` with the heights asked for and ``error`` with ln(I / I_set) as the loop saw it.
    """
    pairs, at = workspace(sample, tip)
    height, integral, last, n = start, start, 0.0, 0
    for s in range(x.size):
        true = max(height + offset[s], floor)
        n = refresh(x[s], y[s], true, n, sample, tip, weight, slack, pairs, at)
        value, _ = evaluate(x[s], y[s], true, pairs, n, at[3], decay)
        e = value - target + noise[s]
        if s == 0:
            last = e
        z[s], error[s] = height, e
        integral += ki * e
        height = integral + kp * e + kd * (e - last)
        last = e
