"""The creep of a piezo along a path: a few relaxations that follow the drive, each in its own time."""

import numpy as np
from numba import njit

from . import EXACT


@njit(**EXACT)
def creep(drive, keep, shares, out):
    """Fill ``out`` (N,) with what the drive (N,) leaves behind, in the drive's unit and for gamma = 1.

    ``keep`` (K,) is what is left of a relaxation after one step, exp(-dt / times); ``shares`` (K,) weigh them. The
    drive stays put from one sample to the next, and stood at drive[0] for ever.
    """
    behind = np.zeros(keep.size)
    out[0] = 0.0
    for n in range(1, drive.size):
        move, start, total = drive[n] - drive[n - 1], drive[n] - drive[0], 0.0
        for k in range(keep.size):
            behind[k] = keep[k] * behind[k] + move
            total += shares[k] * (start - behind[k])
        out[n] = total
