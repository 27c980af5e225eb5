"""Spectra and maps of a sample under a point, from its states: one diagonalisation serves all biases."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from ..tightbinding import fermi_level
from ..tightbinding.broadening import gaussian
from ..tightbinding.threads import one_thread
from .states import TAILS, above, bloch_states, bloch_vectors, orbital_names

BEYOND = 8  # standard deviations outside the biases asked for; further levels add less than 1e-15


@dataclass(frozen=True, eq=False)
class LocalStates:
    r"""Levels of a sample and how strongly each is felt at some points.

    Parameters
    ----------
    levels : ndarray, (S,)
        From the Fermi level [eV].
    density : ndarray, (..., S)
        :math:`|\psi_n(r)|^2` at the points, times the share of the Bloch vector, in one arbitrary unit.
    broadening : float
        Standard deviation of the Gaussian that stands for each level [eV].
    """

    levels: np.ndarray
    density: np.ndarray
    broadening: float

    def conductance(self, bias):
        r"""dI/dV at biases (V,) [V] under a tip without features, (..., V), in the unit of `density` per V.

        .. math:: \frac{dI}{dV} = \sum_n |\psi_n(r)|^2\, g(eV - E_n)
        """
        return self.density @ gaussian(np.asarray(bias, float) - self.levels[:, None], self.broadening)

    def current(self, bias):
        r"""I at biases (V,) [V], (..., V), with the sign of the bias: the integral of `conductance` from 0 V."""
        steps = ndtr((np.asarray(bias, float) - self.levels[:, None]) / self.broadening)
        return self.density @ (steps - ndtr(-self.levels[:, None] / self.broadening))


def local_states(
    atoms, points, kappa, model="single-orbital", fermi="neutral", broadening=0.1, reading=(-2.0, 2.0), channel="s",
    kpts=(1, 1), orbital_tails="harmonic", reach=20.0,
):  # fmt: skip
    """Diagonalise the Hamiltonian of a sample, and feel its states at some points.

    Parameters
    ----------
    atoms : ase.Atoms
        The sample; its highest atom is moved to z = 0.
    points : (..., 3) array
        Where the tip is [Å].
    kappa : float
        Decay constant [1/Å]; see `stmlab.junction.kappa`.
    model, fermi, channel, kpts, orbital_tails, reach
        See `stmlab.tersoff_hamann.tersoff_hamann`.
    broadening : float
        Standard deviation of the Gaussian that stands for each level [eV].
    reading : (float, float)
        Lowest and highest bias that will be asked for [V]. Levels beyond them, and not between them and 0 V, are
        left out.

    Returns
    -------
    LocalStates

    Raises
    ------
    ValueError
        If the broadening is not positive, a name is unknown, points are no finite (..., 3), the biases do not rise,
        or no level lies between them.
    """
    points, (low, high) = np.asarray(points, float), reading
    if points.shape[-1:] != (3,) or not np.isfinite(points).all():
        raise ValueError(f"points must be finite x, y, z of shape (..., 3) in Å, not {points.shape}")
    if not (low < high and broadening > 0):
        raise ValueError(f"reading = {reading} V must rise, and broadening = {broadening} eV be greater than 0 eV")
    if orbital_tails not in TAILS:
        raise ValueError(f"orbital_tails = {orbital_tails!r} must be one of {', '.join(TAILS)}")
    levels, states, share, k = _between(atoms, model, fermi, kpts, min(low, 0.0), max(high, 0.0), BEYOND * broadening)
    if not len(levels):
        raise ValueError(f"no level lies between {low} V and {high} V of model {model!r}; widen reading")
    names = orbital_names(atoms, model) if orbital_tails == "harmonic" else None
    junction = above(atoms, model, states, share, kappa, names, k, channel, reach)
    return LocalStates(levels, junction.densities(*np.moveaxis(points, -1, 0)) * share, broadening)


def _between(atoms, model, fermi, kpts, low, high, margin):
    """Levels (S,) from the Fermi level [eV], amplitudes (n, S), shares (S,) and Bloch vectors (S, 2) of some states."""
    zero, found = fermi_level(model, fermi) if isinstance(fermi, str) else float(fermi), []
    with one_thread():
        for vector, share in bloch_vectors(atoms, kpts):
            levels, states = bloch_states(atoms, model, vector)
            near = np.flatnonzero((levels - zero > low - margin) & (levels - zero < high + margin))
            found.append((levels[near] - zero, states[:, near].T, near * 0 + share, np.tile(vector, (len(near), 1))))
    levels, states, share, k = (np.concatenate(part) for part in zip(*found, strict=True))
    return levels, states.T, share, k
