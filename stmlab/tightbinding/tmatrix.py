"""The Green's function of a sheet with point defects, without diagonalising it: perfect sheet and T-matrix."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ..structures import wse2
from .contour import PRECISIONS, folded, node_range, weighed
from .hamiltonian import bonds, orbital_atoms, runs
from .models import model_named
from .scattering import GROUP, Sites, scatter
from .table import Table, planes, pristine_green

LARGEST = 300_000  # numbers in a table of one energy; sheets beyond share one
LEAST = 1e-5  # 1/eV, smallest term of the sum over pairs of defects that counts in single precision


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
    if compiled:
        scatter(planes(green), green.shape[1:3], Sites(green.shape[1:], kept, defect, shift), diagonal)
        return diagonal
    # H is real, so G is symmetric and one direction serves for both
    flat = green.reshape(len(green), -1)
    across, among = (_pairs(defect, right, green.shape) for right in (kept, defect))
    t = np.linalg.inv(np.diag(1 / shift).astype(green.dtype) - flat[:, among])
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
    owner: np.ndarray  # (m,) which of the atoms asked for each orbital belongs to


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
    return Problem(perfect, kept, defect, shift, potential[only][which], which)


def _orbitals(sites, count):
    """Orbitals of each site, and which site each belongs to; ``count`` are the orbitals of the atoms of a cell."""
    count = np.asarray(count)
    cell, atom = np.divmod(sites, len(count))
    start = cell * count.sum() + (np.cumsum(count) - count)[atom]
    return runs(start, count[atom]), np.repeat(np.arange(len(sites)), count[atom])


@lru_cache(maxsize=16)
def _perfect(model, size, a, thickness, elements):
    return bloch_matrices(wse2((1, 1), a, thickness, *elements), model, size)


def _table(perfect, width, precision):
    """Table of Green's functions for a perfect sheet; in single precision, sheets beyond a certain size share one."""
    size, n = perfect[1], sum(len(perfect[0].orbitals[element]) for element in (*perfect[4], perfect[4][1]))
    if precision == "single":  # far atoms do not feel each other
        largest = max(int(LARGEST**0.5 / n) // GROUP, 1) * GROUP
        perfect = (perfect[0], tuple(min(side, largest) for side in size), *perfect[2:])
    return _made(perfect, width, precision, tuple(a != b for a, b in zip(size, perfect[1], strict=True)))


@lru_cache(maxsize=32)
def _made(perfect, width, precision, cut):
    line = PRECISIONS[precision]
    return Table(_perfect(*perfect), line.spacing * width, line.height * width, np.dtype(line.dtype), cut)


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


def broadened(sheet, model, energies, width, only=None):
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
    only : sequence of int, optional
        Atoms asked for; all by default.

    Returns
    -------
    ndarray, (n, E)
        States per eV and orbital, good to 1e-11 of the largest density.
    """
    p = problem(sheet, model, only)
    table, nodes = _nodes(p, energies, width, "double")
    step = width * PRECISIONS["double"].spacing
    z = step * np.arange(nodes[0], nodes[1] + 1) + 1j * table.height
    green = green_diagonal(table.green(*nodes), p.kept, p.defect, p.shift)
    rho = weighed(green, -step / np.pi, energies, z, width, p.potential)
    return np.maximum(rho, 0.0, out=rho)  # rounding leaves -1e-13 where there are no states


def quick(sheet, model, energies, width, only=None, per="atom", fold=None):
    """Do the same in single precision, for each atom or orbital, good to 3e-5 of the largest density.

    Sheets of more than a certain size share the table of the largest smaller one: atoms further apart than half of it
    count as unconnected, and so do a defect and an atom where the Green's function between them is too small.

    Parameters
    ----------
    sheet, model, energies, width, only
        As for `broadened`.
    per : {"atom", "orbital"}
        What the densities belong to.
    fold : (E, M) array of numbers not below 0, optional
        What the densities are multiplied with and summed over.

    Returns
    -------
    ndarray, (n, E) or (n, M)
    """
    p = problem(sheet, model, only)
    table, nodes = _nodes(p, energies, width, "single")
    owner = p.owner if per == "atom" else np.arange(len(p.kept))
    first = np.flatnonzero(np.diff(owner, prepend=-1))
    n = table.h.shape[-1]
    green, sites = np.zeros((nodes[1] - nodes[0] + 1, len(first)), np.complex64), None
    reach = max((block.reach for _, block in table.blocks(*nodes)), default=0)
    sites = Sites((*p.perfect[1], n), p.kept, p.defect, p.shift, owner, reach)
    for rows, block in table.blocks(*nodes):
        part = green[rows[0] - nodes[0] : rows[1] + 1 - nodes[0]]
        some = slice(rows[0] - block.first, rows[1] + 1 - block.first)
        np.add(part, np.add.reduceat(block.diagonal[some][:, p.kept % n], first, axis=1), out=part)
        scatter(block.planes[some], block.size, sites, part, LEAST)
    return np.maximum(folded(green, nodes[0], energies, width, p.potential[first], fold), 0.0)


def _nodes(p, energies, width, precision):
    """Table of Green's functions for a problem, and the first and last node that are needed."""
    line = PRECISIONS[precision]
    low = np.min(energies) - p.potential.max(initial=0.0)
    high = np.max(energies) - p.potential.min(initial=0.0)
    return _table(p.perfect, width, precision), node_range(low, high, width, line.spacing, line.reach)
