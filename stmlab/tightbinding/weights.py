"""The energy window of the tunnelling current, folded with both densities of states."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.special import expit

BOLTZMANN = 8.617333262e-5  # eV/K, exact in the SI


@lru_cache(maxsize=64)
def _gauss(nodes):
    """Gauss-Legendre nodes and weights, which cost as much to find as all else here."""
    return np.polynomial.legendre.leggauss(nodes)


def bias_window(bias, temperature=0.0, nodes=16):
    r"""Quadrature of the window :math:`|f(E - eV) - f(E)|` of states that carry current.

    At T = 0 it is 1 between 0 and eV, whatever the sign of the bias V: V > 0 (sample positive) counts empty
    sample states, V < 0 filled ones.

    Parameters
    ----------
    bias : float
        Sample voltage [V].
    temperature : float
        Temperature of both electrodes [K].
    nodes : int
        Gauss-Legendre nodes on each smooth stretch of the window.

    Returns
    -------
    energies, factors : ndarray, (K,)
        Energies from the sample's Fermi level [eV], and what a sum over them is multiplied with [eV].

    Raises
    ------
    ValueError
        If the bias is 0 or not finite, or the temperature is negative.
    """
    if not np.isfinite(bias) or bias == 0:
        raise ValueError(f"bias = {bias} V must be finite and not 0 V; no current flows at 0 V")
    if not temperature >= 0:
        raise ValueError(f"temperature = {temperature} K must be at least 0 K")
    low, high, kt = min(0.0, bias), max(0.0, bias), BOLTZMANN * temperature
    soft = min(20 * kt, (high - low) / 2)  # the Fermi edges are smooth on the scale of kT only
    edges = np.unique([low - 20 * kt, low, low + soft, high - soft, high, high + 20 * kt])
    x, w = _gauss(nodes)
    half, middle = np.diff(edges) / 2, (edges[1:] + edges[:-1]) / 2
    energy, factor = (middle[:, None] + half[:, None] * x).ravel(), (half[:, None] * w).ravel()
    return energy, factor * np.abs(_fermi(energy - bias, kt) - _fermi(energy, kt))


def _fermi(energy, kt):
    return expit(-energy / kt) if kt > 0 else (energy < 0).astype(float)


def weights(sample_ldos, tip_ldos, factors):
    r"""Weight of every pair of a sample atom i and a tip atom j.

    .. math:: w_{ij} = \left| \int [f(E - eV) - f(E)]\, \rho_i(E)\, \rho_j(E - eV)\, dE \right|

    Parameters
    ----------
    sample_ldos : (N, K) array
        At the energies of `bias_window` [1/eV].
    tip_ldos : (M, K) array
        At those energies less the bias [1/eV].
    factors : (K,) array
        From `bias_window` [eV].

    Returns
    -------
    ndarray, (N, M)
        In 1/eV.
    """
    return (np.asarray(sample_ldos) * factors) @ np.transpose(tip_ldos)
