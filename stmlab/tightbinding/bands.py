"""Bands of the perfect crystal that a model describes: H(k), band paths, density of states, spin-orbit coupling."""

from __future__ import annotations

from functools import cache

import numpy as np
from ase import Atoms

from ..structures import wse2
from .broadening import gaussian
from .hamiltonian import bonds
from .liu import three_band
from .models import model_named
from .spin import spin_orbit


def primitive_cell(model):
    """The crystal that a model's parameters belong to, one primitive cell of it, as `ase.Atoms`."""
    model = model_named(model)
    a = model.lattice["a"]
    if "thickness" in model.lattice:
        if model.orbitals and len(model.elements) != 2:
            raise ValueError(f"model {model.name!r} of a sheet must have two elements, the metal first")
        return wse2((1, 1), a, model.lattice["thickness"], *model.elements)
    return Atoms(model.elements[0], cell=a / 2 * (np.ones((3, 3)) - 2 * np.eye(3)), pbc=True)  # bcc


def bloch_hamiltonian(model, k, spin=False):
    r"""Bloch Hamiltonian of the perfect crystal, at any number of Bloch vectors.

    .. math:: H_{\alpha\beta}(k) = \varepsilon_\alpha \delta_{\alpha\beta}
              + \sum_R t_{\alpha\beta}(R)\, e^{i k \cdot (r_\beta + R - r_\alpha)}

    Parameters
    ----------
    model : str or Model
        Its own lattice constants are used.
    k : (..., 2) or (..., 3) array
        Bloch vectors [1/Å]; a1 lies along x.
    spin : bool
        Double the basis (all orbitals up, then all down) and add the spin-orbit coupling lambda L.S.

    Returns
    -------
    ndarray of complex, (..., n, n)
        Hermitian [eV].
    """
    model, k = model_named(model), np.asarray(k, float)
    if model.kind == "liu":
        return three_band(model, k, spin)
    energy, vector, blocks = _blocks(model)
    h = np.tensordot(np.exp(1j * k @ vector[:, : k.shape[-1]].T), blocks, 1) + np.diag(energy)
    return np.kron(np.eye(2), h) + spin_orbit(primitive_cell(model), model).toarray() if spin else h


@cache
def _blocks(model):
    """Orbital energies (n,) [eV], bond vectors (R, 3) [Å] and the hoppings along each (R, n, n) [eV]."""
    energy, first, second, hop, vector = bonds(primitive_cell(model), model)
    vector, which = np.unique(np.round(vector, 9), axis=0, return_inverse=True)
    blocks = np.zeros((len(vector), len(energy), len(energy)))
    np.add.at(blocks, (which.ravel(), first, second), hop)
    return energy, vector, blocks


def band_path(model, path="GMKG", points=120):
    """Bloch vectors along a path through special points, by ASE.

    Returns
    -------
    k : ndarray, (points, 3)
        Bloch vectors [1/Å].
    distance : ndarray, (points,)
        Length of the path up to each [1/Å].
    ticks : list of (float, str)
        Where the special points are.
    """
    cell = primitive_cell(model).cell
    band = cell.bandpath(path, npoints=points, pbc=(True, True, "thickness" not in model_named(model).lattice))
    x, where, names = band.get_linear_kpoint_axis()
    # ASE gives the vectors in units of 2 pi, but not the length of the path
    return 2 * np.pi * band.cartesian_kpts(), x, list(zip(where.tolist(), names, strict=True))


def bands(model, path="GMKG", points=120, spin=False):
    """Energies along a path: distance (points,) [1/Å], bands (points, n) [eV] in ascending order, and ticks."""
    k, distance, ticks = band_path(model, path, points)
    return distance, np.linalg.eigvalsh(bloch_hamiltonian(model, k, spin)), ticks


def dos(model, energies, mesh=24, broadening=0.05, spin=False):
    """Density of states of the perfect crystal by a regular mesh.

    Parameters
    ----------
    model : str or Model
        Tight-binding model.
    energies : (E,) array
        Energies [eV].
    mesh : int
        Bloch vectors along each reciprocal vector.
    broadening : float
        Standard deviation of the Gaussian [eV].
    spin : bool
        With spin-orbit coupling; without it both spins count alike.

    Returns
    -------
    ndarray, (E,)
        States per eV and primitive cell, both spins.
    """
    levels = np.linalg.eigvalsh(bloch_hamiltonian(model, mesh_vectors(model, mesh), spin)).ravel()
    per = mesh ** (2 if "thickness" in model_named(model).lattice else 3)
    return np.array([gaussian(e - levels, broadening).sum() for e in energies]) * (1 if spin else 2) / per


def mesh_vectors(model, mesh, shift=0.5):
    """A regular mesh of Bloch vectors over the Brillouin zone, (K, 3) [1/Å]; by default off the special points."""
    flat = "thickness" in model_named(model).lattice
    steps = (np.arange(mesh) + shift) / mesh
    grid = np.meshgrid(steps, steps, [0.0] if flat else steps, indexing="ij")
    return 2 * np.pi * np.stack(grid, -1).reshape(-1, 3) @ np.asarray(primitive_cell(model).cell.reciprocal())
