"""The Green's function of a sheet with point defects, without diagonalising it: perfect sheet and T-matrix."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ..kernels.tmatrix import add_scattered
from ..structures import wse2
from .broadening import gaussian
from .hamiltonian import bonds, orbital_atoms, runs
from .models import model_named
from .table import Table, pristine_green

# Type, distance of the nodes and how far they go beyond the energies asked for, both in units of sigma
PRECISIONS = {"double": (np.complex128, 0.6, 7.0), "single": (np.complex64, 0.85, 5.0)}

TINY = 1e-30  # 1/eV
ROWS = 4096  # atoms that are worked on in one go where a potential bends their levels


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


def green_diagonal(green, kept, defect, shift, compiled=True):
    r"""Diagonal of the Green's function of the sheet with its defects, by Dyson's equation.

    .. math:: G_{ii} = G^0_{ii} + \sum_{ab} G^0_{ia}\, T_{ab}\, G^0_{bi}, \qquad
              T = (U^{-1} - G^0_{dd})^{-1}

    over the orbitals a, b of the defects. A shift in energy U enters as 1/U; a vacancy is a shift without bound, so
    1/U = 0 is exact for it.

    Parameters
    ----------
    green : (K, nx, ny, n, n) array
        From `stmlab.tightbinding.table.pristine_green` [1/eV].
    kept, defect : (m,) and (d,) arrays of int
        Orbitals whose diagonal is asked for, and orbitals of the defects, counted cell by cell.
    shift : (d,) array
        Energy shift U of each of the latter [eV], infinite where the atom is missing.
    compiled : bool
        Use the numba kernel for the sum.

    Returns
    -------
    ndarray, (K, m)
        G_ii [1/eV].
    """
    count = green.shape[-1]
    diagonal = green[:, 0, 0].diagonal(axis1=-2, axis2=-1)[:, kept % count].copy()
    if not len(defect):
        return diagonal
    flat = green.reshape(len(green), -1)
    across, among = (_pairs(defect, right, green.shape) for right in (kept, defect))
    t = np.linalg.inv(np.diag(1 / shift).astype(green.dtype) - flat[:, among])
    # H is real, so G is symmetric and one direction serves for both
    if compiled:
        add_scattered(flat, across, t, diagonal)
        return diagonal
    return diagonal + np.einsum("kai,kab,kbi->ki", flat[:, across], t, flat[:, across], optimize=True)


def _pairs(left, right, shape):
    """Where G between every two orbitals stands in a flat table; it depends on the difference of their cells alone."""
    nx, ny, n, _ = shape[-4:]
    (i, j), (k, m) = (np.divmod(orbitals // n, ny) for orbitals in (left, right))
    x, y = i[:, None] - k, j[:, None] - m
    x[x < 0] += nx  # quicker than a remainder
    y[y < 0] += ny
    return ((x * ny + y) * n + (left % n)[:, None]) * n + right % n


class Problem(NamedTuple):
    """What Dyson's equation needs to know of a sheet with defects."""

    perfect: tuple  # what the Hamiltonian of the perfect sheet depends on
    kept: np.ndarray  # (m,) orbitals asked for, counted cell by cell
    defect: np.ndarray  # (d,) orbitals of the defects
    shift: np.ndarray  # (d,) their energy shifts [eV], infinite for a missing atom
    potential: np.ndarray  # (m,) smooth potential at the orbitals asked for [eV]


def knows_its_sites(atoms):
    """Whether atoms carry the bookkeeping of `wse2`."""
    return "size" in atoms.info and "site" in atoms.arrays


def is_sheet(atoms):
    """Whether atoms are a sheet made by `wse2`, perhaps with defects, and nobody has moved or exchanged one since."""
    if not knows_its_sites(atoms) or len(np.unique(atoms.arrays["site"])) < len(atoms):
        return False
    elements = atoms.info.get("elements", ("W", "Se"))
    perfect = wse2(atoms.info["size"], atoms.info["lattice_constant"], atoms.info["thickness"], *elements)
    if max(atoms.arrays["site"]) >= len(perfect) or not np.allclose(atoms.cell[:2], perfect.cell[:2], atol=1e-9):
        return False
    hosts = atoms.arrays.get("host", atoms.get_chemical_symbols())
    if list(hosts) != list(np.array(perfect.get_chemical_symbols())[atoms.arrays["site"]]):
        return False
    ideal = atoms.positions - atoms.arrays.get("displacement", 0.0)
    return bool(np.all(atoms.pbc == perfect.pbc)) and np.allclose(ideal, perfect.positions[atoms.arrays["site"]])


def problem(sheet, model, only=None):
    """Take a sheet made by `wse2` and `add_defects` apart; ``only`` are the atoms asked for, all by default."""
    model, size = model_named(model), tuple(int(n) for n in sheet.info["size"])
    elements = tuple(sheet.info.get("elements", ("W", "Se")))
    perfect = (model, size, sheet.info["lattice_constant"], sheet.info["thickness"], elements)
    count = [len(model.orbitals[s]) for s in (elements[0], elements[1], elements[1])]
    site, onsite, potential = (
        np.asarray(sheet.arrays.get(name, np.zeros(len(sheet)))) for name in ("site", "onsite", "potential")
    )
    there = np.zeros(3 * size[0] * size[1], bool)
    there[site] = True
    missing = np.flatnonzero(~there)
    defect, which = _orbitals(np.concatenate([missing, site[onsite != 0]]), count)
    shift = np.concatenate([np.full(len(missing), np.inf), onsite[onsite != 0]])[which]
    only = np.arange(len(sheet)) if only is None else np.asarray(only)
    kept, which = _orbitals(site[only], count)
    return Problem(perfect, kept, defect, shift, potential[only][which])


def _orbitals(sites, count):
    """Orbitals of each site, and which site each belongs to; ``count`` are the orbitals of the atoms of a cell."""
    count = np.asarray(count)
    cell, atom = np.divmod(sites, len(count))
    start = cell * count.sum() + (np.cumsum(count) - count)[atom]
    return runs(start, count[atom]), np.repeat(np.arange(len(sites)), count[atom])


@lru_cache(maxsize=16)
def _perfect(model, size, a, thickness, elements):
    return bloch_matrices(wse2((1, 1), a, thickness, *elements), model, size)


@lru_cache(maxsize=16)
def _table(perfect, width, precision):
    dtype, spacing, _ = PRECISIONS[precision]
    return Table(_perfect(*perfect), spacing * width, np.pi * width / (2 * spacing), np.dtype(dtype))


def green_function(sheet, model, z, only=None):
    """Diagonal of the Green's function of a sheet made by `wse2` and `add_defects`, without its smooth potential.

    Parameters
    ----------
    sheet : ase.Atoms
        N atoms with ``site`` numbers, ``onsite`` shifts and the size of the supercell in ``info``.
    model : str or Model
        Tight-binding model.
    z : (K,) array of complex
        Energies off the real axis [eV].
    only : sequence of int, optional
        Atoms asked for; all by default.

    Returns
    -------
    ndarray, (n, K)
        G_ii(z) of every orbital [1/eV].
    """
    p = problem(sheet, model, only)
    h = _perfect(*p.perfect)
    return np.hstack([green_diagonal(pristine_green(h, e)[None], p.kept, p.defect, p.shift).T for e in z])


def contour(energies, width, spacing=0.6, reach=7.0):
    r"""Nodes above the real axis on which a Gaussian broadening becomes a sum over Green's functions.

    For a Gaussian g of standard deviation sigma, an energy E and a level E_n

    .. math:: g(E - E_n) = -\frac{1}{\pi} \mathrm{Im} \sum_k h\, \frac{g(E - x_k - i y)}{x_k + i y - E_n},
              \qquad y = \frac{\pi \sigma^2}{2 h}

    The trapezoidal rule errs by exp[-(pi sigma / h)^2] on this line, where Gaussian and pole are equally
    smooth, and by far more on another.

    Parameters
    ----------
    energies : (E,) array
        Where the density of states is asked for [eV].
    width : float
        sigma [eV].
    spacing, reach : float
        Distance h of the nodes, and how far they go beyond the energies, in units of sigma.

    Returns
    -------
    nodes : ndarray of complex, (K,)
        x_k + i y [eV]; every x_k is a whole multiple of h.
    step : float
        h [eV].
    """
    step = width * spacing
    first, last = np.min(energies) / step - reach / spacing, np.max(energies) / step + reach / spacing
    x = step * np.arange(np.floor(first), np.ceil(last) + 1)
    return x + 0.5j * np.pi * width**2 / step, step


def broadened(sheet, model, energies, width, precision="double", only=None):
    r"""Density of states of a sheet with defects, broadened by a Gaussian, from a table of the perfect sheet.

    .. math:: \rho_i(E) = -\frac{h}{\pi} \mathrm{Im} \sum_k G_{ii}(z_k)\, g(E - U_i - z_k)

    on the nodes z_k of `contour`. A smooth potential U shifts the energies of the place.

    Parameters
    ----------
    sheet : ase.Atoms
        See `green_function`; with ``potential`` U_i [eV] where there is one.
    model : str or Model
        Tight-binding model.
    energies : (E,) array
        Energies [eV].
    width : float
        Standard deviation of the Gaussian [eV].
    precision : {"double", "single"}
        Of the Green's functions: good to 1e-11 or 1e-5 of the largest density.
    only : sequence of int, optional
        Atoms asked for; all by default.

    Returns
    -------
    ndarray, (n, E)
        States per eV and orbital.
    """
    p = problem(sheet, model, only)
    ends = [np.min(energies) - p.potential.max(), np.max(energies) - p.potential.min()]
    nodes, step = contour(ends, width, *PRECISIONS[precision][1:])
    first, last = (round(z.real / step) for z in nodes[[0, -1]])
    green = green_diagonal(_table(p.perfect, width, precision).green(first, last), p.kept, p.defect, p.shift)
    rho = _weighed(green, -step / np.pi, energies, nodes, width, p.potential)
    return np.maximum(rho, 0.0, out=rho)  # rounding leaves -1e-13 where there are no states


def _weighed(green, factor, energies, z, width, potential):
    """Im sum_k G_ik factor g(E - U_i - z_k), (n, E), from G (K, n)."""
    if potential.any():
        return _bent(green, factor, energies, z, width, potential)
    shape = factor * gaussian(energies - z[:, None], width)
    shape[np.abs(shape) < TINY] = 0  # in single precision they are subnormal and slow a product down 20 times
    # Re G Im g + Im G Re g as one real product, without large arrays on the way
    return np.vstack([green.real, green.imag]).T @ np.vstack([shape.imag, shape.real]).astype(green.real.dtype)


def _bent(green, factor, energies, z, width, potential):
    r"""Do the same where the potential U bends the levels, without an array of all three of its indices.

    With U = u + v, where u is one of few levels and v small, s the width and c the middle of the energies,

    .. math:: g(E - U - z) = g(E - u - z)\; e^{(E - u - c) v / s^2 - v^2 / 2 s^2}\; e^{-(z - c) v / s^2}

    is a product in which no factor has more than two of the indices i, E and k; the levels are so dense that none of
    them overflows.
    """
    c, s2 = np.mean(energies), width**2
    room = np.ptp(energies) / 2 + np.abs(z.real - c).max()
    spacing = 30 * s2 / room  # |v| room / s^2 <= 15
    level, out = np.rint(potential / spacing).astype(int), np.empty((potential.size, np.size(energies)))
    for m in np.unique(level):
        shape = factor * gaussian(energies - m * spacing - z[:, None], width)
        shape = np.vstack([shape.imag, shape.real])
        rows = np.flatnonzero(level == m)
        for part in np.array_split(rows, -(-rows.size // ROWS)):
            v = (potential[part] - m * spacing)[:, None]
            bent = green[:, part].T * np.exp(-(z - c) * v / s2)
            out[part] = np.hstack([bent.real, bent.imag]) @ shape
            out[part] *= np.exp((energies - m * spacing - c) * v / s2 - v * v / (2 * s2))
    return out
