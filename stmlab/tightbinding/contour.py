"""Densities of states, broadened by a Gaussian, from Green's functions at points above the real axis."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from .broadening import gaussian

TINY = 1e-30  # 1/eV
ROWS = 4096  # atoms that are worked on in one go where a potential bends their levels


class Line(NamedTuple):
    """Where the nodes lie, in units of the width sigma of the Gaussian."""

    dtype: type  # of the Green's functions
    spacing: float  # of the nodes
    height: float  # above the real axis
    reach: float  # how far they go beyond the energies asked for


# For sums with the weights of `contour`, and for sums with the fewer weights of `fitted`
PRECISIONS = {
    "double": Line(np.complex128, 0.6, np.pi / 1.2, 7.0),
    "single": Line(np.complex64, 1.0, 2.2, 3.25),
}
FAR, COARSE, FINE = 8.0, 0.4, 8  # where a Gaussian ends, and how densely it is sampled: every 0.4, and 8 times finer


def contour(energies, width, spacing=0.6, reach=7.0):
    r"""Nodes above the real axis on which a Gaussian broadening becomes a sum over Green's functions.

    For a Gaussian g of standard deviation sigma, an energy E and a level E_n

    .. math:: g(E - E_n) = -\frac{1}{\pi} \mathrm{Im} \sum_k h\, \frac{g(E - x_k - i y)}{x_k + i y - E_n},
              \qquad y = \frac{\pi \sigma^2}{2 h}

    The trapezoidal rule errs by exp[-(pi sigma / h)^2] on this line, where Gaussian and pole are equally
    smooth, and by far more on another.

    Parameters
    ----------
    energies : (E,) array
        Where the density of states is asked for [eV].
    width : float
        sigma [eV].
    spacing, reach : float
        Distance h of the nodes, and how far they go beyond the energies, in units of sigma.

    Returns
    -------
    nodes : ndarray of complex, (K,)
        x_k + i y [eV]; every x_k is a whole multiple of h.
    step : float
        h [eV].
    """
    step = width * spacing
    first, last = node_range(np.min(energies), np.max(energies), width, spacing, reach)
    return step * np.arange(first, last + 1) + 0.5j * np.pi * width**2 / step, step


def node_range(low, high, width, spacing, reach):
    """First and last node, counted from 0 eV, for energies from low to high [eV]."""
    return (int(np.floor((low / width - reach) / spacing)), int(np.ceil((high / width + reach) / spacing)))


def weighed(green, factor, energies, z, width, potential):
    """Im sum_k G_ik factor g(E - U_i - z_k), (n, E), from G (K, n)."""
    if potential.any():
        return _bent(green, factor, energies, z, width, potential)
    shape = factor * gaussian(energies - z[:, None], width)
    shape[np.abs(shape) < TINY] = 0  # in single precision they are subnormal and slow a product down 20 times
    # Re G Im g + Im G Re g as one real product, without large arrays on the way
    return np.vstack([green.real, green.imag]).T @ np.vstack([shape.imag, shape.real]).astype(green.real.dtype)


def _bent(green, factor, energies, z, width, potential):
    r"""Do the same where the potential U bends the levels, without an array of all three of its indices.

    With U = u + v, where u is one of few levels and v small, s the width and c the middle of the energies,

    .. math:: g(E - U - z) = g(E - u - z)\; e^{(E - u - c) v / s^2 - v^2 / 2 s^2}\; e^{-(z - c) v / s^2}

    is a product in which no factor has more than two of the indices i, E and k; the levels are so dense that none of
    them overflows.
    """
    c, s2 = np.mean(energies), width**2
    room = np.ptp(energies) / 2 + np.abs(z.real - c).max()
    spacing = 30 * s2 / room  # |v| room / s^2 <= 15
    level, out = np.rint(potential / spacing).astype(int), np.empty((potential.size, np.size(energies)))
    for m in np.unique(level):
        shape = factor * gaussian(energies - m * spacing - z[:, None], width)
        shape = np.vstack([shape.imag, shape.real])
        rows = np.flatnonzero(level == m)
        for part in np.array_split(rows, -(-rows.size // ROWS)):
            v = (potential[part] - m * spacing)[:, None]
            bent = green[:, part].T * np.exp(-(z - c) * v / s2)
            out[part] = np.hstack([bent.real, bent.imag]) @ shape
            out[part] *= np.exp((energies - m * spacing - c) * v / s2 - v * v / (2 * s2))
    return out


@lru_cache(maxsize=64)
def fitted(count):
    r"""Weights by which any Gaussian between the nodes of the single-precision line becomes a sum over few of them.

    The real and imaginary parts of :math:`1/(z_k - t)` are fitted to functions of t by least squares, on all of the
    real axis. That takes two thirds of the nodes of `contour` for the same error.

    Parameters
    ----------
    count : int
        Nodes K.

    Returns
    -------
    points : ndarray, (N,)
        Where the function that is wanted must be known, in units of sigma, from the first node.
    weights : ndarray, (2 K, N)
        What its values there are multiplied with: weights of Re G_k and of Im G_k.
    """
    line = PRECISIONS["single"]
    x = line.spacing * np.arange(count)
    points = np.arange(-FAR, x[-1] + FAR + COARSE, COARSE)
    tail = np.geomspace(COARSE / 2, 1e4, 40)
    t = np.concatenate([points, points[0] - tail, points[-1] + tail])[:, None]  # where there must be nothing
    pole = 1 / (x + 1j * line.height - t)
    rows = np.vstack([np.hstack([pole.real, pole.imag]), 1e-6 * np.eye(2 * count)])  # the latter keeps weights small
    return points, np.linalg.pinv(rows)[:, : len(points)]


def folded(green, first, energies, width, potential, fold=None):
    r"""Densities of states, or sums over them, from Green's functions on the single-precision line.

    .. math:: \rho_i(E) = \int \rho^0_i(E')\, g(E - U_i - E')\, dE'

    Parameters
    ----------
    green : (K, m) array
        [1/eV].
    first : int
        The first node.
    energies : (E,) array
        [eV].
    width : float
        Standard deviation of g [eV].
    potential : (m,) array
        U [eV].
    fold : (E, M) array, optional
        What the densities are multiplied with and added up: cheaper than doing so later.

    Returns
    -------
    ndarray, (m, E) or (m, M)
    """
    points, weights = fitted(len(green))
    parts = np.vstack([green.real, green.imag])
    place = np.asarray(energies) / width - first * PRECISIONS["single"].spacing
    if not potential.any():
        return parts.T @ (weights @ _bells(points, place, fold)).astype(parts.dtype)
    level, low, rest = _levels(potential / width)
    fine = points[0] + COARSE / FINE * np.arange(low - 1, low - 1 + FINE * len(points) + np.ptp(level) + 4)
    bells = _bells(fine, place, fold)
    out = np.empty((potential.size, bells.shape[1]), parts.dtype)
    order = np.argsort(level, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(level[order])) + 1):
        start = level[rows[0]] - low
        four = [weights @ bells[start + j : start + j + FINE * len(points) : FINE] for j in range(4)]
        found = parts[:, rows].T @ np.hstack(four).astype(parts.dtype)
        out[rows] = np.einsum("ijk,ij->ik", found.reshape(len(rows), 4, -1), _cubic(rest[rows]))
    return out


def _bells(points, energies, fold):
    """Gaussians around energies at some points, (N, E) or folded (N, M), all in units of the width."""
    bells = gaussian(points[:, None] - energies, 1.0)
    return bells if fold is None else bells @ fold


def _levels(potential):
    """Number of the level below each potential, the lowest of them, and how far above it each is, 0 to 1."""
    place = potential * FINE / COARSE
    level = np.floor(place).astype(int)
    return level, level.min(), place - level


def _cubic(v):
    """Weights (m, 4) of values at -1, 0, 1, 2 in the cubic through them, at v."""
    return np.stack([-v * (v - 1) * (v - 2) / 6, (v + 1) * (v - 1) * (v - 2) / 2,
                     -(v + 1) * v * (v - 2) / 2, (v + 1) * v * (v - 1) / 6], axis=1)  # fmt: skip
