"""Lists of the pairs of atoms that matter around one position of the tip."""

import math

import numpy as np
from numba import njit

from . import INLINED, OPTIONS

FAR = 1e30
AWAY = 1e3  # Å; where pairs of no weight are put, so that no tip can be at their place
LANES = 16  # pairs that are worked on together
DRIFT = 0.5  # lists are made anew when the tip has risen or sunk further than this [Å]
WIDE, NARROW = 6.0, 1.0  # radii of the two lists that follow a tip on its way [Å]


@njit(**INLINED)
def select(source, count, x, y, z, radius, slack, cx, cy, out):
    """Copy the pairs that matter for a tip within ``radius`` beside (x, y, z), lateral offsets from (cx, cy).

    ``source`` and ``out`` (4, n) hold lateral offsets, vertical offset and weight. Pairs are kept that are somewhere
    at most ``slack`` longer than the shortest. Returns their number, padded to whole lanes with weights of 0, and
    the shortest distance.
    """
    nearest = FAR
    for i in range(count):
        dx, dy, dz = x + source[0, i], y + source[1, i], z + source[2, i]
        nearest = min(nearest, dx * dx + dy * dy + dz * dz)
    nearest = math.sqrt(nearest)
    far = (nearest + slack) ** 2
    # (sqrt(room) + radius)^2 without the root, from above: sqrt(room far) <= (room + far) / 2
    wider = radius / math.sqrt(far)
    n = 0
    for i in range(count):
        dx, dy, dz = x + source[0, i], y + source[1, i], z + source[2, i]
        out[0, n], out[1, n] = source[0, i] + cx, source[1, i] + cy
        out[2, n], out[3, n] = source[2, i], source[3, i]
        room = far - dz * dz
        n += (room > 0) & (dx * dx + dy * dy < room + radius * radius + wider * (room + far))
    while n % LANES:
        out[0, n], out[1, n], out[2, n], out[3, n] = 0, 0, AWAY, 0
        n += 1
    return n, nearest


@njit(**OPTIONS)
def around(everything, x, y, z, extra):
    """Copy the pairs (4, n) that are at most ``extra`` longer than the shortest, for a tip at (x, y, z)."""
    nearest, count = FAR, 0
    for i in range(everything.shape[1]):
        dx, dy, dz = x + everything[0, i], y + everything[1, i], z + everything[2, i]
        nearest = min(nearest, dx * dx + dy * dy + dz * dz)
    far = (math.sqrt(nearest) + extra) ** 2
    for i in range(everything.shape[1]):
        dx, dy, dz = x + everything[0, i], y + everything[1, i], z + everything[2, i]
        count += dx * dx + dy * dy + dz * dz <= far
    out, n = np.empty((4, count + 1)), 0  # with room for what is written over again
    for i in range(everything.shape[1]):
        dx, dy, dz = x + everything[0, i], y + everything[1, i], z + everything[2, i]
        for k in range(4):
            out[k, n] = everything[k, i]
        n += dx * dx + dy * dy + dz * dz <= far
    return out[:, :count].copy()


@njit(**INLINED)
def lists(everything):
    """Room for the lists of a tip on its way: wide and narrow list, their lengths, and where they were made."""
    room = everything.shape[1] + LANES
    return np.empty((4, room)), np.empty((4, room)), np.zeros(2, np.int64), np.full(7, FAR)


@njit(**INLINED)
def strayed(x, y, z, made):
    """Whether the tip has left the range of the narrow list."""
    return (x - made[3]) ** 2 + (y - made[4]) ** 2 > NARROW**2 or abs(z - made[5]) > DRIFT


@njit(**INLINED)
def follow(x, y, z, everything, slack, wide, narrow, counts, made):
    """Make the narrow list for a tip at (x, y, z): from the wide one, and that from all pairs, when it has left.

    ``made`` (7,) are the places where the lists were made, wide and narrow, and the shortest distance of the latter.
    The lateral offsets in the narrow list count from where it was made.
    """
    if (x - made[0]) ** 2 + (y - made[1]) ** 2 > (WIDE - NARROW) ** 2 or abs(z - made[2]) > DRIFT:
        counts[0], _ = select(everything, everything.shape[1], x, y, z, WIDE, slack + 2 * DRIFT, 0.0, 0.0, wide)
        made[0], made[1], made[2] = x, y, z
    counts[1], made[6] = select(wide, counts[0], x, y, z, NARROW, slack, x, y, narrow)
    made[3], made[4], made[5] = x, y, z
