"""Exponential tails of s, p and d orbitals, and their derivatives by z."""

from __future__ import annotations

from math import comb, perm

import numpy as np

from ..tightbinding.slater_koster import ORBITALS

MEAN_SQUARE = (1.0, 1 / 3, 2 / 15)  # of each tensor in `ORBITALS` over all directions


def length(offset):
    """Length of vectors (3, ...)."""
    return np.sqrt(np.einsum("c...,c...", offset, offset))


def harmonic(orbital, offset, order):
    """Differentiate the solid harmonic of an orbital ``order`` times by z.

    Parameters
    ----------
    orbital : str
        Name in `stmlab.tightbinding.slater_koster.ORBITALS`.
    offset : (3, ...) array
        From the orbital's atom [Å].
    order : int
        How often.

    Returns
    -------
    ndarray, (...) or scalar
        In Å to the power of l - order; on a sphere of 1 Å the mean square of the harmonic is 1.
    """
    tensor = ORBITALS[orbital]
    left = tensor.ndim - order
    if left < 0:
        return 0.0
    value = tensor[(2,) * order] * (perm(tensor.ndim, order) / np.sqrt(MEAN_SQUARE[tensor.ndim]))
    if left > 0:
        value = np.tensordot(value, offset, 1)
    return np.einsum("c...,c...", value, offset) if left > 1 else value


def radial(distance, nearest, power, kappa, count):
    r"""Apply :math:`(1/r)\, d/dr` up to count - 1 times to :math:`e^{-\kappa (r - r_0)} r^{-l}`.

    Parameters
    ----------
    distance, nearest : arrays that broadcast
        r and r_0 [Å].
    power : int
        l.
    kappa : float
        Decay constant [1/Å].
    count : int
        How many functions.

    Returns
    -------
    list of ndarray
        The m-th in 1/Å to the power of l + 2 m.
    """
    inverse, envelope = 1 / distance, np.exp(-kappa * (distance - nearest))
    terms, out = {power: 1.0}, []  # exponents of 1/r and their coefficients
    for _ in range(count):
        out.append(envelope * sum(a * inverse**p for p, a in terms.items()))
        grown = {}
        for p, a in terms.items():
            grown[p + 1] = grown.get(p + 1, 0.0) - kappa * a
            grown[p + 2] = grown.get(p + 2, 0.0) - p * a
        terms = {p: a for p, a in grown.items() if a}
    return out


def tails(orbital, offset, nearest, kappa, count):
    r"""Tail of an orbital, and its derivatives by :math:`\kappa z`.

    .. math:: \chi(r) = Y(\hat r)\, e^{-\kappa\, r}

    with Y = 1 for an s orbital, and a real harmonic of mean square 1 for a p or d orbital.

    Parameters
    ----------
    orbital : str
        Name of the orbital.
    offset : (3, P, M) array
        From its atoms to the points [Å].
    nearest : (P, 1) array
        Length r_0 of a factor :math:`e^{\kappa r_0}` that keeps the numbers in range [Å].
    kappa : float
        Decay constant [1/Å].
    count : int
        How many: the tail, its first derivative, and so on, at most 4.

    Returns
    -------
    list of ndarray, (P, M)
        Without units.
    """
    z, rank = offset[2], ORBITALS[orbital].ndim
    r = radial(length(offset), nearest, rank, kappa, count)
    g = [r[0], z * r[1]]  # d/dz of a function of r is z (1/r) d/dr
    if count > 2:
        g.append(r[1] + z**2 * r[2])
    if count > 3:
        g.append(z * (3 * r[2] + z**2 * r[3]))
    y = [harmonic(orbital, offset, order) for order in range(min(rank, count - 1) + 1)]
    return [sum(comb(n, m) * y[m] * g[n - m] for m in range(min(n, rank) + 1)) / kappa**n for n in range(count)]
