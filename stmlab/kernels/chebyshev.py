"""Chebyshev moments of many starting vectors at once, for the kernel polynomial method."""

import numpy as np
from numba import njit

from . import INLINED, OPTIONS

LANES = 64  # starting orbitals that share one pass over the matrix; their vectors lie side by side


@njit(**INLINED)
def multiply(data, column, row, now, old, factor):
    """Replace old by factor * H now - old for vectors (n, lanes), H in CSR form."""
    lanes = now.shape[1]
    for i in range(row.size - 1):
        for c in range(lanes):
            old[i, c] = -old[i, c]
        for k in range(row[i], row[i + 1]):
            h, j = factor * data[k], column[k]
            for c in range(lanes):
                old[i, c] += h * now[j, c]


@njit(**INLINED)
def add_products(now, new, square, cross):
    """Add now . now and new . now to square and cross, vector by vector."""
    for i in range(now.shape[0]):
        for c in range(now.shape[1]):
            square[c] += now[i, c] * now[i, c]
            cross[c] += new[i, c] * now[i, c]


@njit(**OPTIONS)
def moments(data, column, row, starts, count, out):
    r"""Fill ``out`` (len(starts), 2 count) with :math:`\mu_m = \langle i | T_m(H) | i \rangle`.

    H is scaled to [-1, 1]. Each step of the recursion T_{m+1} = 2 H T_m - T_{m-1} gives two moments, because
    2 T_m T_m = T_{2m} + 1 and 2 T_{m+1} T_m = T_{2m+1} + H.
    """
    for first in range(0, starts.size, LANES):
        lanes = min(LANES, starts.size - first)
        old, now = np.zeros((row.size - 1, lanes)), np.zeros((row.size - 1, lanes))
        for c in range(lanes):
            now[starts[first + c], c] = 1.0
        for m in range(count):
            square, cross = np.zeros(lanes), np.zeros(lanes)
            multiply(data, column, row, now, old, 1.0 if m == 0 else 2.0)
            add_products(now, old, square, cross)
            old, now = now, old
            for c in range(lanes):
                out[first + c, 2 * m] = 1.0 if m == 0 else 2 * square[c] - 1
                out[first + c, 2 * m + 1] = cross[c] if m == 0 else 2 * cross[c] - out[first + c, 1]
