"""The Hamiltonian of any set of atoms, finite or periodic."""

from __future__ import annotations

import numpy as np
from ase.neighborlist import neighbor_list
from scipy.sparse import coo_array, diags_array

from .models import model_named


def hamiltonian(atoms, model="single-orbital", k=None):
    r"""Write down H in the basis of one orbital per atom.

    .. math:: H_{ij}(k) = \varepsilon_i \delta_{ij} + \sum_R t_{ij}\, e^{i k \cdot (r_j + R - r_i)}

    where the sum runs over the bonds of atom i to all periodic images of atom j.

    Parameters
    ----------
    atoms : ase.Atoms
        N atoms; ``atoms.pbc`` says along which cell vectors they repeat. An ``onsite`` array [eV] is added
        to the model's orbital energies.
    model : str or Model
        Table of hoppings.
    k : (2,) or (3,) array, optional
        Bloch vector [1/Å]; the Gamma point, and so a real matrix, by default.

    Returns
    -------
    scipy.sparse.csr_array, (N, N)
        Hermitian [eV].

    Raises
    ------
    ValueError
        If the model has no parameters for an element.
    """
    return assemble(*bonds(atoms, model), k)


def bonds(atoms, model):
    """List what a Hamiltonian is made of, for any Bloch vector.

    Returns
    -------
    energy : ndarray, (N,)
        Orbital energies [eV].
    first, second : ndarray of int, (B,)
        Atoms at the ends of each bond; every bond occurs in both directions.
    hop : ndarray, (B,)
        Hopping [eV].
    vector : ndarray, (B, 3)
        From the first atom to the image of the second [Å].
    """
    model = model_named(model)
    symbols = np.array(atoms.get_chemical_symbols())
    strangers = sorted(set(symbols) - set(model.onsite))
    if strangers:
        known = ", ".join(model.onsite)
        raise ValueError(f"model {model.name!r} has no parameters for {', '.join(strangers)}; it knows {known}")
    first, second, length, vector = neighbor_list("ijdD", atoms, model.reach)
    hop = _hoppings(model, symbols[first], symbols[second], length)
    energy = np.array([model.onsite[s] for s in symbols]) + atoms.arrays.get("onsite", 0.0)
    real = hop != 0
    return energy, first[real], second[real], hop[real], vector[real]


def assemble(energy, first, second, hop, vector, k=None):
    """Put the bonds of `bonds` together for one Bloch vector (real at Gamma), as a sparse matrix (N, N) [eV]."""
    if k is not None:
        k = np.asarray(k, float)
        hop = hop * np.exp(1j * vector[:, : len(k)] @ k)
    size = (len(energy), len(energy))
    return (coo_array((hop, (first, second)), shape=size) + diags_array(energy)).tocsr()


def _hoppings(model, left, right, length):
    """Hopping of each neighbour pair; 0 where the pair is not a bond of the model."""
    hop = np.zeros(len(length))
    for a, b, bond, t in model.bonds:
        pair = ((left == a) & (right == b)) | ((left == b) & (right == a))
        hop[pair & (np.abs(length - bond) < model.tolerance)] = t
    return hop
