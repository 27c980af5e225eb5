"""ln I at one height, and the height at which it has a given value, for a whole image.

The pairs of atoms that matter are listed for blocks of 16 x 16 pixels, and from those for tiles of 8 x 8. At the
height of the pixel before, ln I is expanded up to the third power; the cubic is solved for the setpoint, and mostly
that is all: one evaluation for a pixel. Steps that are too long, or leave the bracket, are taken again from where
they end.
"""

import math

import numpy as np
from numba import njit

from . import INLINED, OPTIONS
from .exponential import exponential
from .pairs import DRIFT, FAR, LANES, select

BLOCK, TILE = 16, 8  # pixels
TRUST = 0.3  # longest step for which the cubic is believed [Å]
LEAST = 1e-3  # 1/Å^2; the fourth power is well below this part of d^3 for steps that are believed
STEP = 1.0  # longest step at all, near the sample [Å]
NEAR = 10.0  # height above the floor from which the tip may come half the way in one step [Å]
ITERATIONS = 80


@njit(**INLINED)
def expand(x, y, z, pairs, n, nearest, decay):
    r"""Return ln I and its first three derivatives by z, for a list of pairs.

    With :math:`d`, :math:`c = dz/d` and :math:`q = (1 - c^2)/d` of a pair, the derivatives of
    :math:`e^{-Kd}` are :math:`-Kc`, :math:`K^2c^2 - Kq` and :math:`-Kc(K^2c^2 - 3Kq - 3q/d)` times itself.
    """
    real = pairs.dtype.type
    x, y, z, far, k, one, three = real(x), real(y), real(z), real(nearest), real(decay), real(1), real(3)
    s0, s1, s2, s3 = real(0), real(0), real(0), real(0)
    for i in range(n):
        dx, dy, dz = x + pairs[0, i], y + pairs[1, i], z + pairs[2, i]
        d = np.sqrt(dx * dx + dy * dy + dz * dz)
        inverse = one / d
        e = pairs[3, i] * exponential(k * (far - d))
        c = dz * inverse
        q, kc = (one - c * c) * inverse, k * c
        s0 += e
        s1 -= e * kc
        s2 += e * (kc * kc - k * q)
        s3 += e * kc * (three * q * (k + inverse) - kc * kc)
    a, b, c3 = s1 / s0, s2 / s0, s3 / s0
    return math.log(s0) - decay * nearest, a, b - a * a, c3 - 3 * a * b + 2 * a * a * a


@njit(**INLINED)
def cubic_step(value, a, b, c):
    """Solve value + a d + b d^2/2 + c d^3/6 = 0 for d near 0; return d, and how much its cubic term moves it.

    The latter bounds what is neglected. It may vanish by chance, so a share ``LEAST`` of d^3 always counts.
    """
    d = -value / a
    for _ in range(3):
        slope = a + d * (b + 0.5 * c * d)
        if slope < 0.5 * a:  # as steep as it should be: ln I falls
            d -= (value + d * (a + d * (0.5 * b + d * c / 6))) / slope
    return d, abs(d * d * d) * (abs(c / (6 * a)) + LEAST)


@njit(**INLINED)
def patch(x, y, row, col, size):
    """Centre and radius of the pixels from (row, col) on, (3,), and the row and column behind the last of them."""
    bottom, right = min(row + size, x.shape[0]), min(col + size, x.shape[1])
    circle, far = np.empty(3), 0.0
    circle[0], circle[1] = (x[row, col] + x[bottom - 1, right - 1]) / 2, (y[row, col] + y[bottom - 1, right - 1]) / 2
    for i in range(row, bottom):  # all of them, for the tip's path may be bent
        for j in range(col, right):
            far = max(far, (x[i, j] - circle[0]) ** 2 + (y[i, j] - circle[1]) ** 2)
    circle[2] = math.sqrt(far)
    return circle, bottom, right


@njit(**INLINED)
def relist(z, everything, slack, block, around, tile, inside, counts, made):
    """Make the lists anew if the tip has left the heights for which they were made.

    ``around`` and ``inside`` (3,) are centre and radius of block and tile, ``counts`` (2,) the lengths of their
    lists, ``made`` (3,) the heights at which these were made and the shortest distance of the latter.
    """
    if abs(z - made[0]) > 2 * DRIFT:
        counts[0], _ = select(everything, everything.shape[1], around[0], around[1], z, around[2],
                              slack + 2 * DRIFT, 0.0, 0.0, block)  # fmt: skip
        made[0] = z
    if abs(z - made[1]) > DRIFT:
        counts[1], made[2] = select(block, counts[0], inside[0], inside[1], z, inside[2], slack,
                                    inside[0], inside[1], tile)  # fmt: skip
        made[1] = z


@njit(**INLINED)
def next_height(z, value, target, s1, s2, s3, bounds, tolerance):
    """Take a step; return the new height, whether it is the last one, and whether it was a bisection."""
    if value > target:
        bounds[0] = max(bounds[0], z)
    else:
        bounds[1] = min(bounds[1], z)
    d, doubt = cubic_step(value - target, s1, s2, s3)
    longest = STEP if z - bounds[2] < NEAR else (z - bounds[2]) / 2
    new = z + min(max(d, -longest), longest)
    if bounds[0] <= new <= bounds[1]:
        return new, abs(d) < TRUST and doubt < tolerance, 0
    new = (bounds[0] + bounds[1]) / 2
    return new, abs(new - z) < tolerance, 1


@njit(**OPTIONS)
def expansions(x, y, z, everything, decay, slack, tile, terms):
    """Fill ``terms`` (5, L, P) with heights z (L, P), ln I there and its three derivatives, tile by tile.

    ``everything`` (4, n) are all pairs, ``tile`` (4, n + lanes) is room for a list in the precision wanted.
    """
    block = np.empty((4, everything.shape[1] + LANES))
    (lines, pixels), everyone = x.shape, everything.shape[1]
    for row in range(0, lines, BLOCK):
        for col in range(0, pixels, BLOCK):
            o, bottom, right = patch(x, y, row, col, BLOCK)
            # the higher the tip, the more pairs matter: a list for the highest serves all
            top = z[row:bottom, col:right].max()
            count, _ = select(everything, everyone, o[0], o[1], top, o[2], slack, 0.0, 0.0, block)
            for first in range(row, bottom, TILE):
                for left in range(col, right, TILE):
                    o, below, beside = patch(x, y, first, left, TILE)
                    top = z[first:below, left:beside].max()
                    here, near = select(block, count, o[0], o[1], top, o[2], slack, o[0], o[1], tile)
                    for r in range(first, below):
                        for c in range(left, beside):
                            value, s1, s2, s3 = expand(x[r, c] - o[0], y[r, c] - o[1], z[r, c], tile, here, near, decay)
                            terms[0, r, c], terms[1, r, c], terms[2, r, c] = z[r, c], value, s1
                            terms[3, r, c], terms[4, r, c] = s2, s3


@njit(**OPTIONS)
def first_steps(terms, target, floor, tolerance, z, calls):
    """Fill ``z`` (n,) with the heights where the cubics of ``terms`` (5, n) have their target.

    ``calls`` is 1 where that is all, and 0 where the step was too long and another has to follow from ``z``.
    """
    for p in range(z.size):  # without a branch, so that several are solved at once
        d, doubt = cubic_step(terms[1, p] - target, terms[2, p], terms[3, p], terms[4, p])
        new = terms[0, p] + min(max(d, -STEP), STEP)
        z[p] = max(new, floor)
        calls[p] = 1 if (abs(d) < TRUST) & (doubt < tolerance) & (new - floor > 2 * tolerance) else 0


@njit(**OPTIONS)
def constant_current(
    x, y, last, target, floor, everything, decay, slack, tolerance, known, tile, z, calls, fallbacks, terms
):
    """Fill ``z`` (L, P), tile by tile to and fro; each pixel starts from the one before, or where it is ``known``.

    ``everything`` (4, n) are all pairs, ``tile`` (4, n + lanes) is room for a list in the precision wanted. ``calls``
    counts the evaluations, negative where no height above ``floor`` will do, ``fallbacks`` the bisections. ``terms``
    (5, L, P) is filled with the last expansion unless it is empty: its height, ln I, three derivatives. Of what is
    ``known``, pixels are left alone whose ``calls`` are not 0, and the others start from their ``z``.
    """
    block = np.empty((4, everything.shape[1] + LANES))
    counts, made, bounds = np.zeros(2, np.int64), np.full(3, FAR), np.empty(3)
    lines, pixels = x.shape
    down, across, per = (lines + BLOCK - 1) // BLOCK, (pixels + BLOCK - 1) // BLOCK, BLOCK // TILE
    for b in range(down * across * per * per):
        big, i, j = b // (per * per), b % (per * per) // per, b % per
        row, col = big // across, big % across
        col, j = (across - 1 - col if row % 2 else col), (per - 1 - j if (i + row) % 2 else j)
        if b % (per * per) == 0:
            around, _, _ = patch(x, y, row * BLOCK, col * BLOCK, BLOCK)
            made[0] = FAR
        if i * TILE + row * BLOCK >= lines or j * TILE + col * BLOCK >= pixels:
            continue
        top, left = i * TILE + row * BLOCK, j * TILE + col * BLOCK
        inside, bottom, right = patch(x, y, top, left, TILE)
        made[1] = FAR
        for p in range((bottom - top) * (right - left)):
            r, c = top + p // (right - left), p % (right - left)
            c = left + c if (r - top) % 2 == 0 else right - 1 - c
            if known and calls[r, c] != 0:
                continue
            last = z[r, c] if known else last
            bounds[0], bounds[1], bounds[2] = floor, FAR, floor
            tries, bisections, done = int(known), 0, False
            while not done and tries < ITERATIONS:
                # asked here, because handing arrays on costs more than the question
                if abs(last - made[1]) > DRIFT or abs(last - made[0]) > 2 * DRIFT:
                    relist(last, everything, slack, block, around, tile, inside, counts, made)
                value, s1, s2, s3 = expand(x[r, c] - inside[0], y[r, c] - inside[1], last, tile, counts[1],
                                           made[2], decay)  # fmt: skip
                if terms.size:
                    terms[0, r, c], terms[1, r, c], terms[2, r, c] = last, value, s1
                    terms[3, r, c], terms[4, r, c] = s2, s3
                last, done, bisected = next_height(last, value, target, s1, s2, s3, bounds, tolerance)
                tries, bisections = tries + 1, bisections + bisected
            z[r, c], fallbacks[r, c] = last, bisections
            calls[r, c] = tries if done and last - floor > 2 * tolerance else -tries
