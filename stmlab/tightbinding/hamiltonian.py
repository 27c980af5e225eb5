"""The Hamiltonian of any set of atoms, finite or periodic."""

from __future__ import annotations

import numpy as np
from ase.neighborlist import neighbor_list
from scipy.sparse import coo_array, diags_array

from .models import model_named


def hamiltonian(atoms, model="single-orbital", k=None):
    r"""Write down H in the basis of the model's orbitals, atom by atom.

    .. math:: H_{i\alpha, j\beta}(k) = \varepsilon_{i\alpha} \delta_{ij} \delta_{\alpha\beta}
              + \sum_R t_{i\alpha, j\beta}\, e^{i k \cdot (r_j + R - r_i)}

    where the sum runs over the bonds of atom i to all periodic images of atom j.

    Parameters
    ----------
    atoms : ase.Atoms
        ``atoms.pbc`` says along which cell vectors they repeat. An ``onsite`` array [eV] is added to all
        orbital energies of an atom.
    model : str or Model
        Table of parameters.
    k : (2,) or (3,) array, optional
        Bloch vector [1/Å]; the Gamma point, and so a real matrix, by default.

    Returns
    -------
    scipy.sparse.csr_array, (n, n)
        Hermitian [eV]; `orbital_atoms` tells which atom each row belongs to.

    Raises
    ------
    ValueError
        If the model has no parameters for an element.
    """
    return assemble(*bonds(atoms, model), k)


def orbital_atoms(atoms, model="single-orbital"):
    """Index of the atom that each orbital belongs to, (n,)."""
    model = model_named(model)
    return np.repeat(np.arange(len(atoms)), [len(model.orbitals[s]) for s in atoms.get_chemical_symbols()])


def bonds(atoms, model):
    """List what a Hamiltonian is made of, for any Bloch vector.

    Returns
    -------
    energy : ndarray, (n,)
        Orbital energies [eV].
    first, second : ndarray of int, (B,)
        Orbitals at the ends of each hopping; every one occurs in both directions.
    hop : ndarray, (B,)
        Hopping [eV].
    vector : ndarray, (B, 3)
        From the first atom to the image of the second [Å].
    """
    model = model_named(model)
    symbols = atoms.get_chemical_symbols()
    strangers = sorted(set(symbols) - set(model.orbitals))
    if strangers:
        known = ", ".join(model.orbitals)
        raise ValueError(f"model {model.name!r} has no parameters for {', '.join(strangers)}; it knows {known}")
    count = np.array([len(model.orbitals[s]) for s in symbols])
    start = np.concatenate([[0], np.cumsum(count)[:-1]]).astype(int)
    onsite = np.asarray(atoms.arrays.get("onsite", np.zeros(len(atoms))))
    energy = np.concatenate([model.onsite[s] for s in symbols]) + np.repeat(onsite, count)
    i, j, vector = neighbor_list("ijD", atoms, model.reach)
    parts = [_expand(*part, start) for part in _alike(model, model.labels(atoms), i, j, vector)] if len(i) else []
    if not parts:
        return energy, np.zeros(0, int), np.zeros(0, int), np.zeros(0), np.zeros((0, 3))
    return energy, *(np.concatenate(arrays) for arrays in zip(*parts, strict=True))


def _alike(model, labels, i, j, vector):
    """Group pairs with the same labels and vector; they share one block of hoppings."""
    code = np.unique(labels, return_inverse=True)[1]
    key = np.column_stack([code[i], code[j], np.rint(vector * 1e4).astype(int)])
    group = np.unique(key, axis=0, return_inverse=True)[1].ravel()
    order = np.argsort(group, kind="stable")
    for members in np.split(order, np.cumsum(np.bincount(group))[:-1]):
        one = members[0]
        block = model.block(str(labels[i[one]]), str(labels[j[one]]), vector[one])
        if block is not None and block.any():
            yield i[members], j[members], vector[members], block


def _expand(i, j, vector, block, start):
    """Spell a block of hoppings out for every pair of atoms that has it."""
    a, b = np.nonzero(block)
    first, second = (start[i][:, None] + a).ravel(), (start[j][:, None] + b).ravel()
    return first, second, np.tile(block[a, b], len(i)), np.repeat(vector, len(a), axis=0)


def assemble(energy, first, second, hop, vector, k=None):
    """Put the hoppings of `bonds` together for one Bloch vector (real at Gamma), as a sparse matrix (n, n) [eV]."""
    if k is not None:
        k = np.asarray(k, float)
        hop = hop * np.exp(1j * vector[:, : len(k)] @ k)
    size = (len(energy), len(energy))
    return (coo_array((hop, (first, second)), shape=size) + diags_array(energy)).tocsr()
