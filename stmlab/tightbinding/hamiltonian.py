"""The Hamiltonian of any set of atoms, finite or periodic."""

from __future__ import annotations

import warnings
from functools import cache

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from ase.neighborlist import neighbor_list
from scipy.sparse import block_diag, coo_array, diags_array

from .models import model_named
from .spin import spin_orbit

MISMATCH = 0.005  # of the lattice constant, beyond which hoppings no longer fit


def hamiltonian(atoms, model="single-orbital", k=None, spin=False):
    r"""Write down H in the basis of the model's orbitals, atom by atom.

    .. math:: H_{i\alpha, j\beta}(k) = \varepsilon_{i\alpha} \delta_{ij} \delta_{\alpha\beta}
              + \sum_R t_{i\alpha, j\beta}\, e^{i k \cdot (r_j + R - r_i)}

    where the sum runs over the bonds of atom i to all periodic images of atom j.

    Parameters
    ----------
    atoms : ase.Atoms
        ``atoms.pbc`` says along which cell vectors they repeat. Arrays ``onsite`` and ``potential`` [eV] are
        added to all orbital energies of an atom; ``host`` and ``displacement`` say which atom of the model
        stands there, and how far it was moved [Å] (see `stmlab.structures.add_defects`).
    model : str or Model
        Table of parameters.
    k : (2,) or (3,) array, optional
        Bloch vector [1/Å]; the Gamma point, and so a real matrix, by default.
    spin : bool
        Double the basis (all orbitals up, then all down) and add the spin-orbit coupling lambda L.S.

    Returns
    -------
    scipy.sparse.csr_array, (n, n)
        Hermitian [eV]; `orbital_atoms` tells which atom each row belongs to.

    Raises
    ------
    ValueError
        If the model has no parameters for an element.

    Warns
    -----
    UserWarning
        Once, if the lattice constant is more than 0.5 % off the one that the hoppings belong to.
    """
    h = assemble(*bonds(atoms, model), k)
    return block_diag([h, h], "csr") + spin_orbit(atoms, model) if spin else h


def orbital_atoms(atoms, model="single-orbital"):
    """Index of the atom that each orbital belongs to, (n,)."""
    return np.repeat(np.arange(len(atoms)), orbital_counts(atoms, model))


def orbital_counts(atoms, model):
    """Number of orbitals of each atom, (N,)."""
    model = model_named(model)
    symbols, which = hosts(atoms, model)
    return np.array([len(model.orbitals[s]) for s in symbols], int)[which]


def runs(start, count):
    """The numbers start, start + 1, ..., start + count - 1 of each run, one run after the other."""
    return np.repeat(start - (np.cumsum(count) - count), count) + np.arange(np.sum(count))


def hosts(atoms, model):
    """Elements whose orbitals atoms have, and which of them each has, (N,); refuses what the model does not know."""
    if "host" in atoms.arrays:
        symbols, which = np.unique(atoms.arrays["host"], return_inverse=True)
    else:
        numbers, which = np.unique(atoms.numbers, return_inverse=True)
        symbols = np.array(chemical_symbols)[numbers]
    strangers = sorted(set(symbols) - set(model.orbitals))
    if strangers and not model.orbitals:
        raise ValueError(f"model {model.name!r} has bands only, no orbitals on atoms; take bloch_hamiltonian or bands")
    if strangers:
        known = ", ".join(model.orbitals)
        raise ValueError(f"model {model.name!r} has no parameters for {', '.join(strangers)}; it knows {known}")
    return symbols.tolist(), which


@cache
def _warn_of_mismatch(model, a):
    right = model.lattice["a"]
    warnings.warn(
        f"lattice constant {a} Å is {abs(a / right - 1):.1%} off the {right} Å that the hoppings of {model.name!r} "
        "belong to, and they are not rescaled; build the sheet with the model's own",
        stacklevel=4,
    )


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
    symbols, which = hosts(atoms, model)
    a = atoms.info.get("lattice_constant")
    if a and abs(a / model.lattice["a"] - 1) > MISMATCH:
        _warn_of_mismatch(model, a)
    onsite = sum(np.asarray(atoms.arrays.get(name, 0.0)) for name in ("onsite", "potential")) + np.zeros(len(atoms))
    if "host" in atoms.arrays:
        ideal = atoms.positions - atoms.arrays["displacement"]
        atoms = Atoms(atoms.arrays["host"], ideal, cell=atoms.cell, pbc=atoms.pbc)
    count = orbital_counts(atoms, model)
    start = np.cumsum(count) - count
    energy = np.concatenate([model.onsite[symbols[i]] for i in which]) + np.repeat(onsite, count)
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
