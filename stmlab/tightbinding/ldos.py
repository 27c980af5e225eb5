"""The local density of states: how many states each atom offers at each energy."""

from __future__ import annotations

import numpy as np

from .hamiltonian import assemble, bonds, hamiltonian, orbital_atoms
from .kpm import ldos_kpm
from .tmatrix import contour, green_function


def gaussian(energy, width):
    r"""Broadening :math:`e^{-E^2/2\sigma^2} / \sigma\sqrt{2\pi}` [1/eV] of standard deviation ``width`` [eV]."""
    return np.exp(-0.5 * (energy / width) ** 2) / (width * np.sqrt(2 * np.pi))


def lorentzian(energy, width):
    r"""Broadening :math:`\eta / \pi (E^2 + \eta^2)` [1/eV] of half width ``width`` at half maximum [eV]."""
    return width / np.pi / (energy**2 + width**2)


KERNELS = {"gaussian": gaussian, "lorentzian": lorentzian, "jackson": None}
METHODS = ("exact", "kpm", "tmatrix")
MOST_DEFECTS = 400  # for the T-matrix, whose time grows with their square
LARGEST = 8000  # atoms; a dense matrix of this size takes 0.5 GB and minutes


def ldos(
    atoms, energies, model="single-orbital", method="exact", broadening=0.1, kernel="gaussian", kpts=(1, 1),
    per="atom",
):  # fmt: skip
    r"""Local density of states of every atom or orbital.

    .. math:: \rho_i(E) = \frac{1}{N_k} \sum_{k, n} |c_{in}(k)|^2 \, g(E - E_n(k))

    Parameters
    ----------
    atoms : ase.Atoms
        N atoms.
    energies : (E,) array
        Energies [eV].
    model : str or Model
        Tight-binding model.
    method : {"exact", "kpm", "tmatrix"}
        Diagonalise H; expand in Chebyshev polynomials of H (`stmlab.tightbinding.kpm`), for large sets of atoms
        of any kind; or start from the perfect sheet and add the defects (`stmlab.tightbinding.tmatrix`), for
        sheets made by `wse2`. With the Gaussian kernel all three give the same numbers.
    broadening : float
        Width of the kernel [eV].
    kernel : {"gaussian", "lorentzian", "jackson"}
        Shape g of each level; ``jackson`` is what truncated Chebyshev series are usually damped with, and
        belongs to ``kpm``.
    kpts : (int, int)
        Bloch vectors along the first two reciprocal vectors, Gamma included (``exact`` only).

    per : {"atom", "orbital"}
        Sum over the orbitals of each atom, or keep them apart.

    Returns
    -------
    ndarray, (N, E)
        States per eV and atom (or orbital), one spin.

    Raises
    ------
    ValueError
        If the broadening is not positive, a name is unknown, there are too many atoms for a dense matrix, or
        the T-matrix is asked for atoms that are no such sheet.
    """
    choices = (("method", method, METHODS), ("kernel", kernel, KERNELS), ("per", per, ("atom", "orbital")))
    for name, value, known in choices:
        if value not in known:
            raise ValueError(f"{name} = {value!r} must be one of {', '.join(known)}")
    if not broadening > 0:
        raise ValueError(f"broadening = {broadening} eV must be greater than 0 eV")
    energies = np.atleast_1d(np.asarray(energies, float))
    if kernel == {"kpm": "lorentzian"}.get(method, "jackson"):
        raise ValueError(f"kernel = {kernel!r} does not go with method = {method!r}; take 'gaussian'")
    engine = {"exact": _by_diagonalising, "kpm": _by_kpm, "tmatrix": _by_tmatrix}[method]
    rho = engine(atoms, energies, model, broadening, kernel, kpts)
    return rho if per == "orbital" else _per_atom(rho, atoms, model)


def _per_atom(values, atoms, model):
    """Sum over the orbitals of each atom, (n, ...) -> (N, ...)."""
    out = np.zeros((len(atoms), *values.shape[1:]))
    np.add.at(out, orbital_atoms(atoms, model), values)
    return out


def spectrum(atoms, model="single-orbital", k=None):
    """Levels of H and the share of every atom in each, to broaden as often as one likes with `broaden`.

    Parameters
    ----------
    atoms : ase.Atoms
        N atoms.
    model : str or Model
        Tight-binding model.
    k : (2,) or (3,) array, optional
        Bloch vector [1/Å].

    Returns
    -------
    levels : ndarray, (n,)
        Eigenvalues [eV].
    shares : ndarray, (N, n)
        Squared amplitudes, summed over the orbitals of each atom; each column adds up to 1.
    """
    levels, states = np.linalg.eigh(hamiltonian(atoms, model, k).toarray())
    return levels, _per_atom(np.abs(states) ** 2, atoms, model)


def broaden(levels, shares, energies, width, kernel="gaussian"):
    """Density of states (N, E) [1/eV] from a `spectrum`; ``width`` and ``kernel`` are those of `ldos`."""
    return shares @ KERNELS[kernel](np.asarray(energies) - levels[:, None], width)


def _by_diagonalising(atoms, energies, model, width, kernel, kpts):
    if len(atoms) > LARGEST:
        raise ValueError(f"{len(atoms)} atoms are too many to diagonalise (at most {LARGEST}); take a smaller frame")
    parts, grid = bonds(atoms, model), _bloch_vectors(atoms, kpts)
    return sum(_ldos_at(assemble(*parts, k), energies, width, kernel) for k in grid) / len(grid)


def _ldos_at(h, energies, width, kernel):
    levels, states = np.linalg.eigh(h.toarray())
    return broaden(levels, np.abs(states) ** 2, energies, width, kernel)


def _bloch_vectors(atoms, kpts):
    """Gamma-centred grid of Bloch vectors [1/Å]; None for Gamma alone, where H is real."""
    if tuple(kpts) == (1, 1):
        return [None]
    a, b = 2 * np.pi * np.asarray(atoms.cell.reciprocal())[:2]
    return [i / kpts[0] * a + j / kpts[1] * b for i in range(kpts[0]) for j in range(kpts[1])]


def _by_kpm(atoms, energies, model, width, kernel, kpts):
    if tuple(kpts) != (1, 1):
        raise ValueError("method = 'kpm' knows the Gamma point only; take kpts = (1, 1) and a larger supercell")
    return np.maximum(ldos_kpm(hamiltonian(atoms, model), energies, width, KERNELS[kernel]), 0.0)


def _by_tmatrix(sheet, energies, model, width, kernel, kpts):
    if tuple(kpts) != (1, 1) or "size" not in sheet.info or "site" not in sheet.arrays:
        raise ValueError("method = 'tmatrix' needs a sheet made by wse2, and kpts = (1, 1); take method = 'exact'")
    sites = 3 * np.prod(sheet.info["size"])
    if sites - len(sheet) + np.count_nonzero(sheet.arrays.get("onsite", 0.0)) > MOST_DEFECTS:
        raise ValueError(f"the sheet holds more than {MOST_DEFECTS} defects; take a smaller frame or a lower density")
    if kernel == "lorentzian":
        return -np.imag(green_function(sheet, model, energies + 1j * width)) / np.pi
    z, step = contour(energies, width)
    rho = -step / np.pi * np.imag(green_function(sheet, model, z) @ gaussian(energies - z[:, None], width))
    return np.maximum(rho, 0.0)  # rounding leaves -1e-13 where there are no states
