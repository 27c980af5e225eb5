"""Point defects of a sheet made by `wse2`: missing, foreign, shifted and charged atoms."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

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
    taken, chosen = np.zeros(0, int), {}
    nx, ny = atoms.info["size"]
    number, per_site = _cell_numbers(nx, ny), atoms.cell.areas()[2] / (nx * ny)
    for kind, density in densities.items():
        if not 0 <= density * per_site <= 1:
            raise ValueError(f"density of {kind} = {density} 1/Å² is outside [0, {1 / per_site:.4f}] 1/Å²")
        layer = _kind(kind).layer
        if density == 0:
            chosen[kind] = np.zeros(0, int)
            continue
        sites = atoms.arrays["site"][atoms.arrays["tags"] == layer]
        own = generator(kind).random(number.max() + 1)[number[sites // 3]]
        hit = sites[own < density * per_site]
        chosen[kind] = np.setdiff1d(hit, taken)
        taken = np.union1d(taken, hit)
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
    number = _cell_numbers(*atoms.info["size"])
    drawn = generator.random((number.max() + 1, 2))[number[np.asarray(sites, int) // 3]]
    return spread ** drawn[:, 0], drawn[:, 1]


@lru_cache(maxsize=64)
def _cell_numbers(nx, ny):
    """Number the cells of a periodic sheet outwards from the origin, (nx ny,); the same for a sheet of any size."""
    i, j = (np.fft.fftfreq(n, 1 / n).astype(int) for n in (nx, ny))  # 0, 1, ..., -2, -1: the nearest image
    u, v = np.meshgrid(*(np.where(m < 0, -2 * m - 1, 2 * m) for m in (i, j)), indexing="ij")
    return np.where(u >= v, u * u + u + v, v * v + u).ravel()  # Szudzik's pairing of two whole numbers


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
    named = [(kind, int(site)) for kind, those in sites.items() for site in those]
    rows = _rows(atoms, named)
    out = _bookkept(atoms, named, rows)
    for (kind, _), row in zip(named, rows, strict=True):
        rule = DEFECTS[kind]
        out.arrays["onsite"][row] += energies.get(rule.potential, 0.0)
        if rule.element:
            _replace(out, row, {"oxygen": "O", "substitute": substitute}[rule.element], oxygen_depth)
    charges = out.positions[[row for (kind, _), row in zip(named, rows, strict=True) if DEFECTS[kind].charged]]
    out.arrays["potential"] += _bumps(out, charges, charge_potential, charge_radius)
    del out[[row for (kind, _), row in zip(named, rows, strict=True) if DEFECTS[kind].missing]]
    return out


def _rows(atoms, named):
    """Find the atom of each defect."""
    sites, tags = atoms.arrays["site"], atoms.arrays["tags"]
    order = np.argsort(sites, kind="stable")
    wanted = np.array([site for _, site in named], int)
    rows = order[np.minimum(np.searchsorted(sites, wanted, sorter=order), len(sites) - 1)]
    seen = {int(site) for site in atoms.info.get("defect_site", [])}
    for (kind, site), row in zip(named, rows, strict=True):
        if site in seen:
            raise ValueError(f"site {site} is given twice; a site can hold one defect")
        seen.add(site)
        if sites[row] != site or tags[row] != _kind(kind).layer:
            raise ValueError(f"there is no atom for a {kind} at site {site}; take one with tag {_kind(kind).layer}")
    return rows.tolist()


def _bookkept(atoms, named, rows):
    """Copy a sheet, with what `add_defects` fills in, and the defects in its list."""
    out, info = atoms.copy(), atoms.info
    for name in ("onsite", "potential"):
        out.set_array(name, atoms.arrays.get(name, np.zeros(len(atoms))).copy())
    out.info["defect_kind"] = [*info.get("defect_kind", []), *(kind for kind, _ in named)]
    out.info["defect_site"] = [*info.get("defect_site", []), *(site for _, site in named)]
    before = np.reshape(info.get("defect_position", []), (-1, 3))
    out.info["defect_position"] = np.vstack([before, atoms.positions[rows]]).tolist()
    return out


def _replace(atoms, row, element, depth):
    """Put another element in an atom's place; oxygen moves towards the middle of the sheet."""
    if "host" not in atoms.arrays:
        atoms.set_array("host", np.array(atoms.get_chemical_symbols()))
        atoms.set_array("displacement", np.zeros((len(atoms), 3)))
    atoms.symbols[row] = element
    if element == "O":
        move = -depth if atoms.get_tags()[row] == TOP else depth
        atoms.positions[row, 2] += move
        atoms.arrays["displacement"][row, 2] += move


def _bumps(atoms, centres, height, radius):
    """Add up U exp(-r^2/2R^2) around centres (D, 3) and their periodic images, (N,)."""
    x, total = atoms.positions[:, :2], np.zeros(len(atoms))
    height, radius = (np.broadcast_to(v, len(centres)) for v in (height, radius))
    reach = 6 * radius.max(initial=0)  # e^-18
    which, places = images(centres, atoms.cell, atoms.pbc, x.min(0) - reach, x.max(0) + reach)
    for k, place in zip(which, places, strict=True):
        total += height[k] * np.exp(-((x - place[:2]) ** 2).sum(1) / (2 * radius[k] ** 2))
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
