"""The local density of states: how many states each atom offers at each energy."""

from __future__ import annotations

import contextlib

import numpy as np

from .broadening import gaussian, lorentzian
from .contour import PRECISIONS
from .hamiltonian import assemble, bonds, hamiltonian, orbital_atoms, orbital_counts, runs
from .kpm import ldos_kpm
from .threads import one_thread
from .tmatrix import broadened, green_function, is_sheet, knows_its_sites, quick

KERNELS = {"gaussian": gaussian, "lorentzian": lorentzian, "jackson": None}
METHODS = ("exact", "kpm", "tmatrix")
MOST_DEFECTS = 400  # for the T-matrix, whose time grows with their square
QUICK = 3000  # orbitals; up to here diagonalising takes seconds
LARGEST = 8000  # orbitals; a dense matrix of this size takes 0.5 GB and minutes


def ldos(
    atoms, energies, model="single-orbital", method="exact", broadening=0.1, kernel="gaussian", kpts=(1, 1),
    per="atom", only=None, precision="double", fold=None,
):  # fmt: skip
    r"""Local density of states of every atom or orbital.

    .. math:: \rho_i(E) = \frac{1}{N_k} \sum_{k, n} |c_{in}(k)|^2 \, g(E - E_n(k))

    Parameters
    ----------
    atoms : ase.Atoms
        N atoms.
    energies : (E,) array
        Energies on the model's own scale [eV]; see `stmlab.tightbinding.fermi_level`.
    model : str or Model
        Tight-binding model.
    method : {"exact", "kpm", "tmatrix"}
        Diagonalise H; expand in Chebyshev polynomials of H (`stmlab.tightbinding.kpm`), for large sets of atoms
        of any kind; or start from the perfect sheet and add the defects (`stmlab.tightbinding.tmatrix`), for
        sheets made by `wse2`. With the Gaussian kernel all three give the same numbers, except around a charged
        dopant: there the T-matrix shifts the energies of each place by the potential, right where the potential
        is smooth on the scale of the lattice.
    broadening : float
        Width of the kernel [eV].
    kernel : {"gaussian", "lorentzian", "jackson"}
        Shape g of each level; ``jackson`` is what truncated Chebyshev series are usually damped with, and
        belongs to ``kpm``.
    kpts : (int, int) or (int, int, int)
        Bloch vectors along the reciprocal vectors, Gamma included (``exact`` only).
    per : {"atom", "orbital"}
        Sum over the orbitals of each atom, or keep them apart.
    only : sequence of int, optional
        Atoms asked for; all N by default.
    precision : {"double", "single"}
        Of the T-matrix; ``single`` is good to 3e-5 of the largest density, and faster.
    fold : (E, M) array of numbers not below 0, optional
        Return the densities multiplied with this matrix; the T-matrix in single precision is quicker so.

    Returns
    -------
    ndarray, (N, E) or (N, M)
        States per eV and atom (or orbital), one spin.

    Raises
    ------
    ValueError
        If the broadening is not positive, a name is unknown, an atom asked for does not exist, there are too many
        orbitals for a dense matrix, or the T-matrix is asked for atoms that are no such sheet.
    """
    choices = (
        ("method", method, METHODS), ("kernel", kernel, KERNELS), ("per", per, ("atom", "orbital")),
        ("precision", precision, PRECISIONS),
    )  # fmt: skip
    for name, value, known in choices:
        if value not in known:
            raise ValueError(f"{name} = {value!r} must be one of {', '.join(known)}")
    if not broadening > 0:
        raise ValueError(f"broadening = {broadening} eV must be greater than 0 eV")
    if kernel == {"kpm": "lorentzian"}.get(method, "jackson"):
        raise ValueError(f"kernel = {kernel!r} does not go with method = {method!r}; take 'gaussian'")
    energies = np.atleast_1d(np.asarray(energies, float))
    only = _indices(only, len(atoms))
    if (method, kernel, precision) == ("tmatrix", "gaussian", "single"):
        _check_sheet(atoms, kpts)
        with one_thread():
            return quick(atoms, model, energies, broadening, only, per, fold)
    engine = {"exact": _by_diagonalising, "kpm": _by_kpm, "tmatrix": _by_tmatrix}[method]
    with contextlib.nullcontext() if method == "exact" else one_thread():
        rho = engine(atoms, energies, model, broadening, kernel=kernel, kpts=kpts, only=only)
        rho = rho if fold is None else rho @ fold
    return rho if per == "orbital" else _per_atom(rho, np.repeat(range(len(only)), orbital_counts(atoms, model)[only]))


def best_method(atoms, model):
    """Fastest method for some atoms: the T-matrix for a sheet whose atoms are where `wse2` put them."""
    if is_sheet(atoms):
        return "tmatrix"
    return "exact" if orbital_counts(atoms, model).sum() <= QUICK else "kpm"


def _indices(only, count):
    """Atoms asked for, as whole numbers from 0 to count - 1."""
    only = np.arange(count) if only is None else np.atleast_1d(np.asarray(only))
    only = np.flatnonzero(only) if only.dtype == bool else only
    if only.dtype.kind not in "iu" or not np.all((only >= 0) & (only < count)):
        raise ValueError(f"only = {only} must be numbers of atoms, each in 0 .. {count - 1}")
    return only


def _rows(atoms, model, only):
    """Orbitals of the atoms asked for."""
    count = orbital_counts(atoms, model)
    return runs((np.cumsum(count) - count)[only], count[only])


def _per_atom(values, owner):
    """Sum over the orbitals of each atom, (n, ...) -> (N, ...)."""
    if len(owner) == owner.max(initial=-1) + 1:
        return values
    out = np.zeros((owner.max(initial=-1) + 1, *values.shape[1:]))
    np.add.at(out, owner, values)
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
    return levels, _per_atom(np.abs(states) ** 2, orbital_atoms(atoms, model))


def broaden(levels, shares, energies, width, kernel="gaussian"):
    """Density of states (N, E) [1/eV] from a `spectrum`; ``width`` and ``kernel`` are those of `ldos`."""
    return shares @ KERNELS[kernel](np.asarray(energies) - levels[:, None], width)


def _by_diagonalising(atoms, energies, model, width, *, kernel, kpts, only, **_):
    parts, grid, rows = bonds(atoms, model), _bloch_vectors(atoms, kpts), _rows(atoms, model, only)
    if len(parts[0]) > LARGEST:
        raise ValueError(
            f"{len(parts[0])} orbitals are too many to diagonalise (at most {LARGEST}); take a smaller frame"
        )
    return sum(_ldos_at(assemble(*parts, k), energies, width, kernel, rows) for k in grid) / len(grid)


def _ldos_at(h, energies, width, kernel, rows):
    levels, states = np.linalg.eigh(h.toarray())
    return broaden(levels, np.abs(states[rows]) ** 2, energies, width, kernel)


def _bloch_vectors(atoms, kpts):
    """Gamma-centred grid of Bloch vectors [1/Å]; None for Gamma alone, where H is real."""
    if set(kpts) == {1}:
        return [None]
    axes = 2 * np.pi * np.asarray(atoms.cell.reciprocal())[: len(kpts)]
    return [np.divide(n, kpts) @ axes for n in np.ndindex(*kpts)]


def _by_kpm(atoms, energies, model, width, *, kernel, kpts, only, **_):
    if set(kpts) != {1}:
        raise ValueError("method = 'kpm' knows the Gamma point only; take kpts = (1, 1) and a larger supercell")
    h = hamiltonian(atoms, model)
    return np.maximum(ldos_kpm(h, energies, width, KERNELS[kernel], _rows(atoms, model, only)), 0.0)


def _check_sheet(sheet, kpts):
    if set(kpts) != {1} or not knows_its_sites(sheet):
        raise ValueError("method = 'tmatrix' needs a sheet made by wse2, and kpts = (1, 1); take method = 'exact'")
    sites = 3 * np.prod(sheet.info["size"])
    if sites - len(sheet) + np.count_nonzero(sheet.arrays.get("onsite", 0.0)) > MOST_DEFECTS:
        raise ValueError(f"the sheet holds more than {MOST_DEFECTS} defects; take a smaller frame or a lower density")


def _by_tmatrix(sheet, energies, model, width, *, kernel, kpts, only):
    _check_sheet(sheet, kpts)
    if kernel == "gaussian":
        return broadened(sheet, model, energies, width, only)
    if np.any(sheet.arrays.get("potential", 0.0)):
        raise ValueError("a lorentzian kernel does not go with a smooth potential; take kernel = 'gaussian'")
    return -np.imag(green_function(sheet, model, energies + 1j * width, only)) / np.pi
