"""The local density of states: how many states each atom offers at each energy."""

from __future__ import annotations

import numpy as np

from .hamiltonian import assemble, bonds


def gaussian(energy, width):
    r"""Broadening :math:`e^{-E^2/2\sigma^2} / \sigma\sqrt{2\pi}` [1/eV] of standard deviation ``width`` [eV]."""
    return np.exp(-0.5 * (energy / width) ** 2) / (width * np.sqrt(2 * np.pi))


def lorentzian(energy, width):
    r"""Broadening :math:`\eta / \pi (E^2 + \eta^2)` [1/eV] of half width ``width`` at half maximum [eV]."""
    return width / np.pi / (energy**2 + width**2)


KERNELS = {"gaussian": gaussian, "lorentzian": lorentzian}
LARGEST = 8000  # atoms; a dense matrix of this size takes 0.5 GB and a few minutes


def ldos(atoms, energies, model="single-orbital", method="exact", broadening=0.1, kernel="gaussian", kpts=(1, 1)):
    r"""Local density of states of every atom by exact diagonalisation.

    .. math:: \rho_i(E) = \frac{1}{N_k} \sum_{k, n} |c_{in}(k)|^2 \, g(E - E_n(k))

    Parameters
    ----------
    atoms : ase.Atoms
        N atoms.
    energies : (E,) array
        Energies [eV].
    model : str or Model
        Tight-binding model.
    method : {"exact"}
        Engine.
    broadening : float
        Width of the kernel [eV].
    kernel : {"gaussian", "lorentzian"}
        Shape g of each level.
    kpts : (int, int)
        Bloch vectors along the first two reciprocal vectors, Gamma included.

    Returns
    -------
    ndarray, (N, E)
        States per eV and atom, one spin.

    Raises
    ------
    ValueError
        If the broadening is not positive, a name is unknown, or there are too many atoms for a dense matrix.
    """
    if method != "exact":
        raise ValueError(f"method = {method!r} must be 'exact'")
    if kernel not in KERNELS:
        raise ValueError(f"kernel = {kernel!r} must be one of {', '.join(KERNELS)}")
    if not broadening > 0:
        raise ValueError(f"broadening = {broadening} eV must be greater than 0 eV")
    if len(atoms) > LARGEST:
        raise ValueError(f"{len(atoms)} atoms are too many to diagonalise (at most {LARGEST}); take a smaller frame")
    energies = np.atleast_1d(np.asarray(energies, float))
    grid = _bloch_vectors(atoms, kpts)
    parts = bonds(atoms, model)
    return sum(_ldos_at(assemble(*parts, k), energies, KERNELS[kernel], broadening) for k in grid) / len(grid)


def _ldos_at(h, energies, kernel, width):
    level, state = np.linalg.eigh(h.toarray())
    return np.abs(state) ** 2 @ kernel(energies - level[:, None], width)


def _bloch_vectors(atoms, kpts):
    """Gamma-centred grid of Bloch vectors [1/Å]; None for Gamma alone, where H is real."""
    if tuple(kpts) == (1, 1):
        return [None]
    reciprocal = 2 * np.pi * np.asarray(atoms.cell.reciprocal())[:2]
    return [i / kpts[0] * reciprocal[0] + j / kpts[1] * reciprocal[1] for i in range(kpts[0]) for j in range(kpts[1])]
