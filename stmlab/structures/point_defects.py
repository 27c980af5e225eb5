"""Point defects of a sheet made by `wse2`: missing, foreign, shifted and charged atoms."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from ase.data import atomic_numbers, chemical_symbols

from .sheet import BOTTOM, METAL, TOP, images


@dataclass(frozen=True)
class Kind:
    """What a kind of defect does to the atom whose site it takes.

    Parameters
    ----------
    layer : int
        Tag of the atoms that can become one.
    potential : str
        Which of the energies of `add_defects` shifts its orbitals; none by default.
    element : str
        Which of the elements of `add_defects` the atom becomes; its own by default.
    missing, charged : bool
        The atom is cut out; it bends the energies of all atoms around it.
    """

    layer: int
    potential: str = ""
    element: str = ""
    missing: bool = False
    charged: bool = False


DEFECTS = {
    "se-vacancy-top": Kind(TOP, missing=True),
    "se-vacancy-bottom": Kind(BOTTOM, missing=True),
    "w-vacancy": Kind(METAL, missing=True),
    "dopant-top": Kind(TOP, "dopant"),
    "dopant-bottom": Kind(BOTTOM, "dopant"),
    "oxygen-top": Kind(TOP, "oxygen", "oxygen"),
    "oxygen-bottom": Kind(BOTTOM, "oxygen", "oxygen"),
    "w-substitution": Kind(METAL, "substitution", "substitute"),
    "charged-dopant": Kind(METAL, charged=True),
}


def draw_defects(atoms, densities, generator):
    """Choose defect sites at random; each site of a layer is hit with the same probability.

    A site becomes a defect where its own random number is below density x area per site. The number belongs to
    the cell, counted from the origin: a higher density only adds defects to those already there, and a larger
    sheet has the same ones in its middle. No site is taken twice.

    Parameters
    ----------
    atoms : ase.Atoms
        A sheet made by `wse2`.
    densities : dict of str to float
        Kind of defect (a key of ``DEFECTS``) to its density on that layer [1/Å²].
    generator : callable
        ``generator(kind)`` gives the `numpy.random.Generator` for that kind.

    Returns
    -------
    dict of str to ndarray of int
        Kind to site numbers, for `add_defects`.

    Raises
    ------
    ValueError
        If a kind is unknown, or a density is below 0 or above one defect for each site.
    """
    nx, ny = atoms.info["size"]
    tags, free, chosen = atoms.arrays["tags"], np.ones(3 * nx * ny, bool), {}
    cell, layers = atoms.cell.array, {}
    number, count = _cell_numbers(nx, ny)
    per_site = abs(cell[0, 0] * cell[1, 1] - cell[0, 1] * cell[1, 0]) / (nx * ny)
    for kind, density in densities.items():
        if not 0 <= density * per_site <= 1:
            raise ValueError(f"density of {kind} = {density} 1/Å² is outside [0, {1 / per_site:.4f}] 1/Å²")
        layer = _kind(kind).layer
        if density == 0:
            chosen[kind] = np.zeros(0, int)
            continue
        if layer not in layers:
            sites = atoms.arrays["site"][tags == layer]
            layers[layer] = sites, number[sites // 3]
        sites, cells = layers[layer]
        hit = sites[generator(kind).random(count)[cells] < density * per_site]
        chosen[kind] = hit[free[hit]]
        free[hit] = False
    return chosen


def draw_depths(atoms, sites, spread, generator):
    """Draw how deep charges lie, in parts of the shallowest: every factor from 1 to ``spread`` alike.

    The potential of a charge at a depth d below the atoms is about 1/d as high and d as wide. As in `draw_defects`,
    the random numbers belong to the cells.

    Parameters
    ----------
    atoms : ase.Atoms
        A sheet made by `wse2`.
    sites : (D,) array of int
        Sites of the charges.
    spread : float
        Greatest depth, in parts of the least, at least 1.
    generator : numpy.random.Generator
        Its own stream.

    Returns
    -------
    depth : ndarray, (D,)
        From 1 to ``spread``.
    lot : ndarray, (D,)
        A number in [0, 1) for each, to choose its sign by.
    """
    number, count = _cell_numbers(*atoms.info["size"])
    drawn = generator.random((count, 2))[number[np.asarray(sites, int) // 3]]
    return spread ** drawn[:, 0], drawn[:, 1]


@lru_cache(maxsize=64)
def _cell_numbers(nx, ny):
    """Number the cells of a periodic sheet outwards from the origin, (nx ny,), the same for any size; and count up."""
    i, j = (np.fft.fftfreq(n, 1 / n).astype(int) for n in (nx, ny))  # 0, 1, ..., -2, -1: the nearest image
    u, v = np.meshgrid(*(np.where(m < 0, -2 * m - 1, 2 * m) for m in (i, j)), indexing="ij")
    number = np.where(u >= v, u * u + u + v, v * v + u).ravel()  # Szudzik's pairing of two whole numbers
    return number, number.max() + 1


def add_defects(
    atoms, sites, dopant_potential=0.3, oxygen_potential=-3.0, oxygen_depth=0.7, substitution_potential=1.0,
    substitute="Nb", charge_potential=0.1, charge_radius=10.0,
):  # fmt: skip
    r"""Return a copy of a sheet with point defects.

    Vacancies are cut out. Dopants, oxygen on selenium sites and substitutes of tungsten keep the orbitals and
    hoppings of the atom whose place they take; their energies are shifted, and oxygen sits closer to the middle of
    the sheet. A charged dopant bends the energies of all atoms around it,

    .. math:: U(r) = U_0\, e^{-r^2 / 2R^2}

    with r the distance along the sheet. The defaults are plausible, not fitted to a measurement.

    Parameters
    ----------
    atoms : ase.Atoms
        A sheet made by `wse2`.
    sites : dict of str to sequence of int
        Kind of defect (a key of ``DEFECTS``) to the site numbers that it takes.
    dopant_potential, oxygen_potential, substitution_potential : float
        On-site energy added at a dopant on a selenium site, at oxygen, and at a substitute of tungsten [eV].
    oxygen_depth : float
        How much closer to the middle of the sheet oxygen sits than selenium [Å].
    substitute : str
        Element on the tungsten site.
    charge_potential, charge_radius : float or (D,) arrays
        U_0 [eV], positive for a negative charge, and R [Å] of all charged dopants, or of each of them.

    Returns
    -------
    ase.Atoms
        ``onsite`` and ``potential`` hold the energy of each atom [eV] due to itself and to charges around;
        ``host`` and ``displacement`` [Å], where they differ, the element whose orbitals it has and how far it is
        from the place that its hoppings belong to. `defects` reads the list of defects back.

    Raises
    ------
    ValueError
        If a kind is unknown, a site is named twice, no atom of the right layer is there, or a radius is not
        positive.
    """
    if not np.all(np.asarray(charge_radius) > 0):
        raise ValueError(f"charge_radius = {charge_radius} Å must be greater than 0 Å")
    energies = {"dopant": dopant_potential, "oxygen": oxygen_potential, "substitution": substitution_potential}
    elements = {"oxygen": "O", "substitute": substitute}
    rows = _rows(atoms, sites)
    arrays, kept = _energies(atoms), np.ones(len(atoms), bool)
    for kind, those in rows.items():
        rule = DEFECTS[kind]
        arrays["onsite"][those] += energies.get(rule.potential, 0.0)
        if rule.element:
            inwards = oxygen_depth if rule.layer == BOTTOM else -oxygen_depth
            _replace(atoms, arrays, those, elements[rule.element], inwards)
        if rule.charged:
            arrays["potential"] += _bumps(atoms, atoms.positions[those], charge_potential, charge_radius)
        kept[those] = not rule.missing
    kept = np.flatnonzero(kept)
    out = atoms[kept]
    out.arrays |= {name: values[kept] for name, values in arrays.items()}
    out.info |= _listed(atoms, rows)
    return out


def _rows(atoms, sites):
    """Find the atoms of the defects, kind -> rows, without kinds of which there is none."""
    have, tags, rows = atoms.arrays["site"], atoms.arrays["tags"], {}
    place, seen = np.full(have.max(initial=0) + 1, -1), {int(site) for site in atoms.info.get("defect_site", [])}
    place[have] = np.arange(len(have))
    for kind, those in sites.items():
        layer, those = _kind(kind).layer, np.array(those, int).ravel()
        if not those.size:
            continue
        rows[kind] = at = place[those % len(place)]
        for site in those.tolist():
            if site in seen:
                raise ValueError(f"site {site} is given twice; a site can hold one defect")
            seen.add(site)
        if (wrong := (have[at] != those) | (tags[at] != layer)).any():
            site = those[wrong][0]
            raise ValueError(f"there is no atom for a {kind} at site {site}; take one with tag {layer}")
    return rows


def _energies(atoms):
    """Copy the energies of each atom; 0 where there are none yet."""
    own = atoms.arrays
    return {name: own[name].copy() if name in own else np.zeros(len(atoms)) for name in ("onsite", "potential")}


def _listed(atoms, rows):
    """Return the list of defects, with those that were there before."""
    kinds = np.repeat(list(rows), [len(those) for those in rows.values()]).tolist()
    every = np.concatenate([np.zeros(0, int), *rows.values()])
    new = {"kind": kinds, "site": atoms.arrays["site"][every].tolist(), "position": atoms.positions[every].tolist()}
    return {f"defect_{name}": [*atoms.info.get(f"defect_{name}", []), *values] for name, values in new.items()}


def _replace(atoms, arrays, rows, element, move):
    """Put another element in the place of some atoms; oxygen moves by that much."""
    for name in ("numbers", "positions"):
        arrays.setdefault(name, atoms.arrays[name].copy())
    hosts = np.array(chemical_symbols)[atoms.numbers]
    for name, none in (("host", hosts), ("displacement", np.zeros((len(atoms), 3)))):
        arrays.setdefault(name, atoms.arrays.get(name, none).copy())
    arrays["numbers"][rows] = atomic_numbers[element]
    if element == "O":
        arrays["positions"][rows, 2] += move
        arrays["displacement"][rows, 2] += move


def _bumps(atoms, centres, height, radius):
    """Add up U exp(-r^2/2R^2) around centres (D, 3) and their periodic images, (N,)."""
    x, total = atoms.positions[:, :2], np.zeros(len(atoms))
    height, radius = (np.broadcast_to(v, len(centres)) for v in (height, radius))
    reach = 6 * radius.max(initial=0)  # e^-18
    which, places = images(centres, atoms.cell, atoms.pbc, x.min(0) - reach, x.max(0) + reach)
    x, y = np.ascontiguousarray(x.T)
    for k, place in zip(which, places, strict=True):
        square = (x - place[0]) ** 2 + (y - place[1]) ** 2
        near = np.flatnonzero(square < (6 * radius[k]) ** 2)
        total[near] += height[k] * np.exp(-square[near] / (2 * radius[k] ** 2))
    return total


def defects(atoms):
    """Read back kinds (D,), site numbers (D,) and positions (D, 3) [Å] of the defects in a sheet."""
    info = atoms.info
    kinds = np.array(info.get("defect_kind", []), dtype="U24")
    return kinds, np.array(info.get("defect_site", []), int), np.reshape(info.get("defect_position", []), (-1, 3))


def _kind(name):
    if name not in DEFECTS:
        raise ValueError(f"unknown defect {name!r}; known: {', '.join(DEFECTS)}")
    return DEFECTS[name]
