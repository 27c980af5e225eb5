"""Chebyshev moments of many starting vectors at once, for the kernel polynomial method."""

import numpy as np
from numba import njit

from . import OPTIONS

BLOCK = 16  # starting orbitals that share one pass over the matrix, one for each SIMD lane


@njit(**OPTIONS)
def multiply(data, column, row, x, y, previous, factor):
    """y = factor * H x - previous for a block of vectors (n, b); H in CSR form, already scaled to [-1, 1]."""
    n, b = x.shape
    for i in range(n):
        for c in range(b):
            y[i, c] = -previous[i, c]
        for k in range(row[i], row[i + 1]):
            h, j = factor * data[k], column[k]
            for c in range(b):
                y[i, c] += h * x[j, c]


@njit(**OPTIONS)
def moments(data, column, row, starts, count, out):
    r"""Fill ``out`` (len(starts), 2 count) with :math:`\mu_m = \langle i | T_m(H) | i \rangle`.

    Each step of the recursion T_{m+1} = 2 H T_m - T_{m-1} gives two of them, because
    2 T_m T_m = T_{2m} + 1 and 2 T_{m+1} T_m = T_{2m+1} + H.
    """
    n = row.size - 1
    for first in range(0, starts.size, BLOCK):
        b = min(BLOCK, starts.size - first)
        old, now, new = np.zeros((n, BLOCK)), np.zeros((n, BLOCK)), np.zeros((n, BLOCK))
        for c in range(b):
            old[starts[first + c], c] = 1.0
        multiply(data, column, row, old, now, new, 1.0)
        for c in range(b):
            out[first + c, 0], out[first + c, 1] = 1.0, now[starts[first + c], c]
        for m in range(1, count):
            square, cross = np.zeros(BLOCK), np.zeros(BLOCK)
            multiply(data, column, row, now, new, old, 2.0)
            for i in range(n):
                for c in range(BLOCK):
                    square[c] += now[i, c] * now[i, c]
                    cross[c] += new[i, c] * now[i, c]
            for c in range(b):
                out[first + c, 2 * m] = 2 * square[c] - 1
                out[first + c, 2 * m + 1] = 2 * cross[c] - out[first + c, 1]
            old, now, new = now, new, old
