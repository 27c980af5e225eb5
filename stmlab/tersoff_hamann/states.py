"""From atoms and a bias to the weighted states of a `TersoffHamann` junction."""

from __future__ import annotations

import numpy as np

from ..tightbinding import bias_window, fermi_level, hamiltonian, model_named
from ..tightbinding.broadening import gaussian
from ..tightbinding.hamiltonian import hosts, orbital_atoms
from ..tightbinding.threads import one_thread
from .junction import TersoffHamann

TAILS = ("harmonic", "isotropic")
SHARPEST = 200  # bias over broadening; sharper levels would need more than 616 nodes
NEGLIGIBLE = 1e-8  # weight of a state, of the largest


def tersoff_hamann(
    atoms, bias, kappa, model="single-orbital", fermi="neutral", broadening=0.1, temperature=0.0, channel="s",
    kpts=(1, 1), orbital_tails="harmonic", reach=20.0,
):  # fmt: skip
    r"""Diagonalise the Hamiltonian of a sample, and weigh its states by the bias window.

    .. math:: w_n = \frac{1}{N_k} \int |f(E - eV) - f(E)|\, g(E - E_n)\, dE

    States of less than 1e-8 of the largest weight are left out.

    Parameters
    ----------
    atoms : ase.Atoms
        The sample; its highest atom is moved to z = 0.
    bias : float
        Sample voltage [V].
    kappa : float
        Decay constant [1/Å]; see `stmlab.junction.kappa`.
    model : str or Model
        Tight-binding model.
    fermi : str or float
        Reference of `stmlab.tightbinding.fermi_level`, or the Fermi level on the model's own scale [eV].
    broadening : float
        Standard deviation of the Gaussian g [eV], more than 1/200 of the bias.
    temperature : float
        Temperature of both electrodes [K].
    channel : {"s", "pz", "dz2"}
        Orbital of the tip.
    kpts : (int, int)
        Bloch vectors along the reciprocal vectors of the cell, Gamma included.
    orbital_tails : {"harmonic", "isotropic"}
        Give the tails of p and d orbitals their angular factors, or none. The signs of the amplitudes go with the
        lobes, so ``isotropic`` breaks the symmetry of the crystal; it is there to show just that.
    reach : float
        Images further than this to the side carry no current [Å].

    Returns
    -------
    TersoffHamann
    """
    if orbital_tails not in TAILS:
        raise ValueError(f"orbital_tails = {orbital_tails!r} must be one of {', '.join(TAILS)}")
    if not broadening > abs(bias) / SHARPEST:
        raise ValueError(f"broadening = {broadening} eV must be greater than {abs(bias) / SHARPEST:.4f} eV")
    zero = fermi_level(model, fermi) if isinstance(fermi, str) else float(fermi)
    energy, factor = bias_window(bias, temperature, nodes=16 + int(3 * abs(bias) / broadening))
    found = []
    with one_thread():
        for vector, share in bloch_vectors(atoms, kpts):
            levels, states = bloch_states(atoms, model, vector)
            weights = share * (factor @ gaussian(energy[:, None] + zero - levels, broadening))
            found.append((states, weights, np.tile(vector, (len(levels), 1))))
    states, weights, k = np.hstack([f[0] for f in found]), *(np.concatenate([f[i] for f in found]) for i in (1, 2))
    kept = weights > NEGLIGIBLE * weights.max()
    names = orbital_names(atoms, model) if orbital_tails == "harmonic" else None
    return above(atoms, model, states[:, kept], weights[kept], kappa, names, k[kept], channel, reach)


def above(atoms, model, states, weights, kappa, names, k, channel, reach):
    """Hang a point above the states of a sample whose highest atom is moved to z = 0."""
    owner = orbital_atoms(atoms, model)
    return TersoffHamann(
        (atoms.positions - [0, 0, atoms.positions[:, 2].max()])[owner], states, weights, kappa, names,
        atoms.cell.complete().array, tuple(atoms.pbc), k if k.any() else None, channel, reach=reach,
    )  # fmt: skip


def orbital_names(atoms, model):
    """Name of each orbital of a structure, (n,)."""
    model = model_named(model)
    symbols, which = hosts(atoms, model)
    return np.concatenate([model.orbitals[symbols[i]] for i in which])


def bloch_vectors(atoms, kpts):
    """Yield the vectors (2,) [1/Å] of a mesh and their shares; k stands for -k, where the density is the same."""
    axes = 2 * np.pi * atoms.cell.reciprocal()[:2, :2]
    for n in np.ndindex(*kpts):
        opposite = tuple(-np.array(n) % kpts)
        if n <= opposite:
            yield np.divide(n, kpts) @ axes, (1 if n == opposite else 2) / np.prod(kpts)


def bloch_states(atoms, model, k):
    """Levels (n,) [eV] and amplitudes (n, n) at one vector, for phases taken where the atoms are."""
    levels, states = np.linalg.eigh(hamiltonian(atoms, model, k if k.any() else None).toarray())
    moved = atoms.arrays.get("displacement")  # H knows where they would be
    if moved is None or not k.any():
        return levels, states
    return levels, states * np.exp(-1j * moved[orbital_atoms(atoms, model), :2] @ k)[:, None]
