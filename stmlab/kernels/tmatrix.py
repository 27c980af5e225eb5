"""What defects add to the diagonal of a Green's function, for many sites at once."""

import numpy as np
from numba import njit

from . import INLINED, OPTIONS

LANES = 128  # sites worked on together


@njit(**INLINED)
def _quadratic(re, im, t, out):
    d, n = t.shape[0], out.size
    row_re, row_im = np.empty(n, re.dtype), np.empty(n, re.dtype)
    for a in range(d):
        row_re[:], row_im[:] = 0, 0
        for b in range(a, d):
            factor = re.dtype.type(1 if a == b else 2)
            x, y = factor * t[a, b].real, factor * t[a, b].imag
            for s in range(n):
                row_re[s] += x * re[b, s] - y * im[b, s]
                row_im[s] += x * im[b, s] + y * re[b, s]
        for s in range(n):
            out[s] += (row_re[s] * re[a, s] - row_im[s] * im[a, s]) + 1j * (row_re[s] * im[a, s] + row_im[s] * re[a, s])


@njit(**OPTIONS)
def add_scattered(green, index, t, out):
    r"""Add :math:`\sum_{ab} G^0_{ia} T_{ab} G^0_{bi}` to ``out`` (K, m), for symmetric G^0 and T.

    Parameters
    ----------
    green : (K, P) array of complex
        Green's function of the perfect sheet, flattened.
    index : (d, m) array of int
        Where in it the pair of defect orbital a and site i stands.
    t : (K, d, d) array of complex
        T-matrix.
    """
    d, m = index.shape
    re, im = np.empty((d, LANES), green.real.dtype), np.empty((d, LANES), green.real.dtype)
    for k in range(green.shape[0]):
        for first in range(0, m, LANES):
            n = min(LANES, m - first)
            for a in range(d):
                for s in range(n):
                    g = green[k, index[a, first + s]]
                    re[a, s], im[a, s] = g.real, g.imag
            _quadratic(re, im, t[k], out[k, first : first + n])
