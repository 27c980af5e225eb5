"""Spin-orbit coupling of atoms: lambda L.S among the orbitals of each."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.sparse import block_diag, bmat

from .models import model_named
from .slater_koster import ORBITALS, along

PAULI = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])


def spin_orbit(atoms, model):
    r"""Spin-orbit coupling :math:`\lambda\, L \cdot S` of every atom.

    Parameters
    ----------
    atoms : ase.Atoms
        Atoms with n orbitals; a ``host`` array says which element of the model stands where.
    model : str or Model
        Tight-binding model, with lambda for each element.

    Returns
    -------
    scipy.sparse.csr_array, (2n, 2n)
        All orbitals up, then all down [eV].
    """
    model = model_named(model)
    hosts = atoms.arrays.get("host", atoms.get_chemical_symbols())
    lambdas = model.spin_orbit
    of = {element: _coupling(orbitals, lambdas.get(element, 0.0)) for element, orbitals in model.orbitals.items()}
    quarters = [[block_diag([of[h][s, t] for h in hosts], "csr") for t in (0, 1)] for s in (0, 1)]
    return bmat(quarters, "csr")


def _coupling(orbitals, strength):
    """lambda/2 sum_a sigma_a L_a among the orbitals of one atom, (2, 2, n, n)."""
    return strength / 2 * np.einsum("ast,aij->stij", PAULI, angular_momentum(orbitals))


@cache
def angular_momentum(orbitals):
    r"""Matrices of L_x, L_y, L_z among real orbitals, (3, n, n), in units of hbar.

    :math:`(L_a)_{ij} = -i \langle i | \partial_\theta R_a(\theta) | j \rangle` with R_a the rotation about axis a.
    """
    out = np.zeros((3, len(orbitals), len(orbitals)), complex)
    for a, j in np.ndindex(3, len(orbitals)):
        about = np.zeros((3, 3))  # the generator of rotations about axis a
        about[(a + 2) % 3, (a + 1) % 3], about[(a + 1) % 3, (a + 2) % 3] = 1, -1
        tensor = ORBITALS[orbitals[j]]
        moved = sum((along(about, tensor, axis) for axis in range(tensor.ndim)), 0 * tensor)
        out[a, :, j] = [1j * np.sum(ORBITALS[o] * moved) if ORBITALS[o].ndim == tensor.ndim else 0 for o in orbitals]
    return out
