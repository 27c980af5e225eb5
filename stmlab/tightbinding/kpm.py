"""The kernel polynomial method: the density of states from products of H with vectors, nothing diagonalised."""

from __future__ import annotations

import numpy as np
from scipy.fft import dct
from scipy.sparse import eye_array
from scipy.sparse.linalg import eigsh

from ..kernels import chebyshev

MARGIN = 0.02  # share of the band's half width that is added on both sides
REACH = 4.0  # half the moments that a Gaussian needs for an error of 1e-13, in units of band half width / sigma


def band_edges(h):
    """Bounds (low, high) [eV] of the spectrum of a sparse Hermitian matrix, by Lanczos and a margin."""
    if h.shape[0] < 30:
        low, high = np.linalg.eigvalsh(h.toarray())[[0, -1]]
    else:
        start = np.random.default_rng(0).standard_normal(h.shape[0])
        low, high = (eigsh(h, 1, which=end, v0=start, tol=1e-4, return_eigenvectors=False)[0] for end in ("SA", "LA"))
    margin = MARGIN * max((high - low) / 2, 0.1)
    return low - margin, high + margin


def chebyshev_moments(h, starts, count):
    r"""Moments :math:`\mu_m = \langle i | T_m(H) | i \rangle` of some orbitals, m < 2 count, in plain SciPy.

    Parameters
    ----------
    h : sparse array, (n, n)
        Real, scaled so that its spectrum lies within [-1, 1].
    starts : (s,) array of int
        Orbitals i.
    count : int
        Half the number of moments.

    Returns
    -------
    ndarray, (s, 2 count)
    """
    old = np.zeros((h.shape[0], len(starts)))
    old[starts, range(len(starts))] = 1.0
    now = h @ old
    out = np.empty((len(starts), 2 * count))
    out[:, 0], out[:, 1] = 1.0, now[starts, range(len(starts))]
    for m in range(1, count):
        new = 2 * (h @ now) - old
        out[:, 2 * m] = 2 * np.sum(now * now, axis=0) - 1
        out[:, 2 * m + 1] = 2 * np.sum(new * now, axis=0) - out[:, 1]
        old, now = now, new
    return out


def jackson(count):
    r"""Jackson's damping of moments, (count,): a kernel of standard deviation about pi / count at the centre.

    References
    ----------
    A. Weisse et al., 10.1103/RevModPhys.78.275
    """
    m, q = np.arange(count), np.pi / (count + 1)
    return ((count - m + 1) * np.cos(q * m) + np.sin(q * m) / np.tan(q)) / (count + 1)


def ldos_kpm(h, energies, width, kernel=None, starts=None, compiled=True):
    r"""Density of states of every orbital from Chebyshev moments.

    With :math:`x = (E - b) / a` in [-1, 1],

    .. math:: \rho_i(E) = \sum_m c_m(E)\, \mu_m^{(i)}

    where the :math:`c_m` expand the kernel in Chebyshev polynomials of the level's energy. Jackson's kernel
    (``kernel=None``) damps the expansion of a delta function instead: positive, but of a width that shrinks
    towards the band edges.

    Parameters
    ----------
    h : sparse array, (n, n)
        Real Hamiltonian [eV].
    energies : (E,) array
        Inside the band for Jackson's kernel [eV].
    width : float
        Standard deviation (or half width) of the kernel, for Jackson's at the centre of the band [eV].
    kernel : callable, optional
        ``kernel(energy, width)`` [1/eV]; see `stmlab.tightbinding.ldos`.
    starts : (s,) array of int, optional
        Orbitals asked for; all n by default.
    compiled : bool
        Use the numba kernel.

    Returns
    -------
    ndarray, (s, E)
        States per eV.

    Raises
    ------
    ValueError
        If an energy lies outside the band, where Jackson's expansion does not exist.
    """
    low, high = band_edges(h)
    a, b = (high - low) / 2, (high + low) / 2
    if kernel is None:
        count = int(np.ceil(np.pi / 2 * a / width))
        series = _jackson_series(energies, a, b, 2 * count)
    else:
        count = int(np.ceil(REACH * a / width)) + 8
        series = _series(energies, a, b, 2 * count, kernel, width)
    scaled = ((h - b * eye_array(h.shape[0])) / a).tocsr()
    starts = np.arange(h.shape[0]) if starts is None else np.asarray(starts)
    if not compiled:
        return chebyshev_moments(scaled, starts, count) @ series
    moments = np.empty((len(starts), 2 * count))
    chebyshev.moments(scaled.data, scaled.indices, scaled.indptr, starts, count, moments)
    return moments @ series


def _jackson_series(energies, a, b, count):
    x = (np.asarray(energies) - b) / a
    if np.abs(x).max() >= 1:
        raise ValueError(f"energies must lie inside the band, {b - a:.2f} to {b + a:.2f} eV, for the jackson kernel")
    m = np.arange(count)[:, None]
    series = jackson(count)[:, None] * np.cos(m * np.arccos(x)) * np.where(m == 0, 1, 2)
    return series / (np.pi * a * np.sqrt(1 - x**2))


def _series(energies, a, b, count, kernel, width):
    """Chebyshev coefficients (count, E) of kernel(E - level) as a function of the level, by a cosine transform."""
    nodes = np.cos(np.pi * (np.arange(2 * count) + 0.5) / (2 * count))
    values = kernel(np.asarray(energies)[:, None] - (a * nodes + b), width)
    series = dct(values, type=2, axis=1)[:, :count].T / (2 * count)
    series[0] /= 2
    return series
