"""The Green's function of a sheet with point defects, without diagonalising it: perfect sheet and T-matrix."""

from __future__ import annotations

import numpy as np

from ..structures import wse2
from .hamiltonian import bonds, orbital_atoms
from .models import model_named

STEP = 0.6  # distance between nodes of the contour, in units of sigma
REACH = 6.0  # how far beyond the energies asked for the nodes go, in units of sigma


def bloch_matrices(cell, model, size):
    """H(k) of a primitive cell at one Bloch vector for each cell of a supercell, (nx, ny, n, n) [eV]."""
    energy, first, second, hop, vector = bonds(cell, model)
    place = cell.positions[orbital_atoms(cell, model)]
    shift = vector - (place[second] - place[first])
    steps = np.rint(shift @ np.asarray(cell.cell.reciprocal()).T)[:, :2]
    a, b = (2 * np.pi * np.arange(n) / n for n in size)
    turns = a[:, None, None] * steps[:, 0] + b[:, None] * steps[:, 1]
    h = np.zeros((*size, len(energy), len(energy)), complex)
    np.add.at(h, (slice(None), slice(None), first, second), hop * np.exp(1j * turns))
    return h + np.diag(energy)


def pristine_green(h, z):
    r"""Green's function of a perfect periodic sheet, between the cell at the origin and every cell R.

    .. math:: G^0(R, z) = \frac{1}{n_x n_y} \sum_k e^{i k \cdot R}\, [z - H(k)]^{-1}

    With one Bloch vector for each cell this is exact for the supercell; the sum is a Fourier transform.

    Parameters
    ----------
    h : (nx, ny, n, n) array
        From `bloch_matrices` [eV].
    z : complex
        Energy off the real axis [eV].

    Returns
    -------
    ndarray, (nx, ny, n, n)
        From an atom of cell 0 to an atom of cell R [1/eV].
    """
    return np.fft.ifft2(np.linalg.inv(z * np.eye(h.shape[-1]) - h), axes=(0, 1))


def green_diagonal(green, kept, defect, shift):
    r"""Diagonal of the Green's function of the sheet with its defects, by Dyson's equation.

    .. math:: G_{ii} = G^0_{ii} + \sum_{ab} G^0_{ia}\, T_{ab}\, G^0_{bi}, \qquad
              T = (U^{-1} - G^0_{dd})^{-1}

    over the orbitals a, b of the defects. A shift in energy U enters as 1/U; a vacancy is a shift without bound, so
    1/U = 0 is exact for it.

    Parameters
    ----------
    green : (nx, ny, n, n) array
        From `pristine_green` [1/eV].
    kept, defect : (m,) and (d,) arrays of int
        Orbitals whose diagonal is asked for, and orbitals of the defects, counted cell by cell.
    shift : (d,) array
        Energy shift U of each of the latter [eV], infinite where the atom is missing.

    Returns
    -------
    ndarray, (m,)
        G_ii [1/eV].
    """
    diagonal = green[0, 0].diagonal()[kept % green.shape[-1]]
    if not len(defect):
        return diagonal
    across = _between(green, kept, defect)
    t = np.linalg.inv(np.diag(1 / shift) - _between(green, defect, defect))
    # H is real, so G is symmetric and one direction serves for both
    return diagonal + np.sum((across @ t) * across, axis=1)


def _between(green, left, right):
    """G of every pair of orbitals; it depends on the difference of their cells alone."""
    nx, ny, n, _ = green.shape
    (i, j), (k, m) = (np.divmod(orbitals // n, ny) for orbitals in (left, right))
    return green[(i[:, None] - k) % nx, (j[:, None] - m) % ny, (left % n)[:, None], right % n]


def green_function(sheet, model, z):
    r"""Diagonal of the Green's function of a sheet made by `wse2` and `add_defects`.

    Parameters
    ----------
    sheet : ase.Atoms
        N atoms with ``site`` numbers, ``onsite`` shifts and the size of the supercell in ``info``.
    model : str or Model
        Tight-binding model.
    z : (K,) array of complex
        Energies off the real axis [eV].

    Returns
    -------
    ndarray, (n, K)
        G_ii(z) of every orbital [1/eV].
    """
    size = tuple(int(n) for n in sheet.info["size"])
    cell = wse2((1, 1), sheet.info["lattice_constant"], sheet.info["thickness"])
    h, kept = bloch_matrices(cell, model, size), sheet.arrays["site"]
    onsite = np.asarray(sheet.arrays.get("onsite", np.zeros(len(sheet))))
    missing = np.setdiff1d(np.arange(len(cell) * size[0] * size[1]), kept)
    count = [len(model_named(model).orbitals[s]) for s in cell.get_chemical_symbols()]
    defect, which = _orbitals(np.concatenate([missing, kept[onsite != 0]]), count)
    shift = np.concatenate([np.full(len(missing), np.inf), onsite[onsite != 0]])[which]
    kept, _ = _orbitals(kept, count)
    return np.stack([green_diagonal(pristine_green(h, e), kept, defect, shift) for e in z], axis=1)


def _orbitals(sites, count):
    """Orbitals of each site, and which site each belongs to; ``count`` are the orbitals of the atoms of a cell."""
    count = np.asarray(count)
    start = np.concatenate([[0], np.cumsum(count)])
    cell, atom = np.divmod(sites, len(count))
    which = np.repeat(np.arange(len(sites)), count[atom])
    within = np.arange(len(which)) - np.repeat(np.cumsum(count[atom]) - count[atom], count[atom])
    return (cell * start[-1] + start[atom])[which] + within, which


def contour(energies, width):
    r"""Nodes above the real axis on which a Gaussian broadening becomes a sum over Green's functions.

    For a Gaussian g of standard deviation sigma, an energy E and a level E_n

    .. math:: g(E - E_n) = -\frac{1}{\pi} \mathrm{Im} \sum_k h\, \frac{g(E - x_k - i y)}{x_k + i y - E_n},
              \qquad y = \frac{\pi \sigma^2}{2 h}

    The trapezoidal rule errs by exp[-(pi sigma / 2 h)^2] on this line, where Gaussian and pole are equally
    smooth, and by far more on another.

    Parameters
    ----------
    energies : (E,) array
        Where the density of states is asked for [eV].
    width : float
        sigma [eV].

    Returns
    -------
    nodes : ndarray of complex, (K,)
        x_k + i y [eV].
    step : float
        h [eV].
    """
    step = width * STEP
    first, last = (np.min(energies) / step - REACH / STEP, np.max(energies) / step + REACH / STEP)
    x = step * np.arange(np.floor(first), np.ceil(last) + 1)
    return x + 0.5j * np.pi * width**2 / step, step
