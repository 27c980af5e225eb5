"""The atoms: WSe2 sheets with point defects, and tungsten apexes, as `ase.Atoms` [Å].

A sheet has its top selenium plane at z = 0 and tungsten and the lower selenium below it; an apex hangs
above the origin with its lowest atoms at z = 0. Everything that ASE can view or write stays that way:
bookkeeping lives in ``atoms.arrays`` and in plain entries of ``atoms.info``.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from ase import Atoms

TOP, METAL, BOTTOM = 1, 2, 3  # ASE's tags: 1 is the top layer
DEFECTS = {
    "se-vacancy-top": TOP,
    "se-vacancy-bottom": BOTTOM,
    "dopant-top": TOP,
    "dopant-bottom": BOTTOM,
}
TUNGSTEN_A = 3.165  # bcc lattice constant [Å]


def wse2(size=(1, 1), a=3.32, thickness=3.36, metal="W", chalcogen="Se"):
    r"""Build a periodic 1H-WSe2 sheet.

    Tungsten sits at the corner of each cell :math:`a_1 = (a, 0)`, :math:`a_2 = (-a/2, \sqrt3 a/2)` and two
    selenium atoms above and below :math:`(a/2, a/2\sqrt3)`, at :math:`d_{W-Se} = \sqrt{a^2/3 + t^2/4}`.

    Parameters
    ----------
    size : (int, int)
        Cells along each lattice vector.
    a : float
        Lattice constant [Å].
    thickness : float
        Distance t between the selenium planes [Å].
    metal, chalcogen : str
        Elements, for another sheet of the same structure.

    Returns
    -------
    ase.Atoms
        3 nx ny atoms in the order W, top Se, bottom Se; ``tags`` 1 (top Se), 2 (W), 3 (bottom Se); ``site``
        numbers that stay with each atom when others are removed.

    Raises
    ------
    ValueError
        If the size is not two positive integers, or a length is not positive.
    """
    nx, ny = size
    if min(nx, ny) < 1 or int(nx) != nx or int(ny) != ny:
        raise ValueError(f"size = {size} must be two whole numbers of cells, each at least 1")
    if not (a > 0 and thickness > 0):
        raise ValueError(f"a = {a} Å and thickness = {thickness} Å must be greater than 0")
    cell = np.array([[a, 0, 0], [-a / 2, a * np.sqrt(3) / 2, 0], [0, 0, thickness + 20]])
    basis = np.array([[0, 0, -thickness / 2], [a / 2, a / np.sqrt(12), 0], [a / 2, a / np.sqrt(12), -thickness]])
    shifts = np.array([i * cell[0] + j * cell[1] for i, j in product(range(int(nx)), range(int(ny)))])
    atoms = Atoms(
        [metal, chalcogen, chalcogen] * len(shifts),
        positions=(shifts[:, None] + basis).reshape(-1, 3),
        cell=cell * [[nx], [ny], [1]],
        pbc=(True, True, False),
        tags=np.tile([METAL, TOP, BOTTOM], len(shifts)),
        info={"lattice_constant": float(a), "thickness": float(thickness), "size": [int(nx), int(ny)]},
    )
    atoms.arrays["site"] = np.arange(len(atoms))
    return atoms


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
    """
    taken, chosen = np.zeros(0, int), {}
    nx, ny = atoms.info["size"]
    number = _cell_numbers(nx, ny)
    for kind, density in densities.items():
        sites = atoms.arrays["site"][atoms.get_tags() == _layer(kind)]
        own = generator(kind).random(number.max() + 1)[number[sites // 3]]
        hit = sites[own < density * atoms.cell.areas()[2] / (nx * ny)]
        chosen[kind] = np.setdiff1d(hit, taken)
        taken = np.union1d(taken, hit)
    return chosen


def _cell_numbers(nx, ny):
    """Number the cells of a periodic sheet outwards from the origin, (nx ny,); the same for a sheet of any size."""
    i, j = (np.fft.fftfreq(n, 1 / n).astype(int) for n in (nx, ny))  # 0, 1, ..., -2, -1: the nearest image
    u, v = np.meshgrid(*(np.where(m < 0, -2 * m - 1, 2 * m) for m in (i, j)), indexing="ij")
    return np.where(u >= v, u * u + u + v, v * v + u).ravel()  # Szudzik's pairing of two whole numbers


def add_defects(atoms, sites, dopant_potential=0.3):
    """Return a copy of a sheet with vacancies cut out and dopants shifted in energy.

    Parameters
    ----------
    atoms : ase.Atoms
        A sheet made by `wse2`.
    sites : dict of str to sequence of int
        Kind of defect (``se-vacancy-top``, ``se-vacancy-bottom``, ``dopant-top``, ``dopant-bottom``) to the
        site numbers that it takes.
    dopant_potential : float
        On-site energy added at a dopant [eV].

    Returns
    -------
    ase.Atoms
        ``onsite`` holds the energy shift of each atom [eV]; `defects` reads the list of defects back.

    Raises
    ------
    ValueError
        If a kind is unknown, a site is named twice, or no atom of the right layer is there.
    """
    named = [(kind, int(site)) for kind, those in sites.items() for site in those]
    index = {int(site): i for i, site in enumerate(atoms.arrays["site"])}
    for n, (kind, site) in enumerate(named):
        if site in [other for _, other in named[:n]]:
            raise ValueError(f"site {site} is given twice; a site can hold one defect")
        if site not in index or atoms.get_tags()[index[site]] != _layer(kind):
            raise ValueError(f"there is no atom for a {kind} at site {site}; take one with tag {_layer(kind)}")
    rows = [index[site] for _, site in named]
    out = atoms.copy()
    shift = atoms.arrays.get("onsite", np.zeros(len(atoms))).copy()
    shift[[index[s] for kind, s in named if kind.startswith("dopant")]] += dopant_potential
    out.set_array("onsite", shift)
    out.info["defect_kind"] = [*atoms.info.get("defect_kind", []), *(kind for kind, _ in named)]
    out.info["defect_site"] = [*atoms.info.get("defect_site", []), *(site for _, site in named)]
    before = np.reshape(atoms.info.get("defect_position", []), (-1, 3))
    out.info["defect_position"] = np.vstack([before, atoms.positions[rows]]).tolist()
    del out[[index[s] for kind, s in named if "vacancy" in kind]]
    return out


def defects(atoms):
    """Read back kinds (D,), site numbers (D,) and positions (D, 3) [Å] of the defects in a sheet."""
    info = atoms.info
    kinds = np.array(info.get("defect_kind", []), dtype="U24")
    return kinds, np.array(info.get("defect_site", []), int), np.reshape(info.get("defect_position", []), (-1, 3))


def _layer(kind):
    if kind not in DEFECTS:
        raise ValueError(f"unknown defect {kind!r}; known: {', '.join(DEFECTS)}")
    return DEFECTS[kind]


def _corner_sites(n):
    """Sites of bcc tungsten in a cube of n cells, its corner at the origin, its diagonal along z."""
    grid = np.array(list(product(range(n), repeat=3)), float)
    sites = np.vstack([grid, grid + 0.5])
    axes = np.array([[1, -1, 0], [1, 1, -2], [1, 1, 1]]) / np.sqrt([[2], [6], [3]])
    return TUNGSTEN_A * sites @ axes.T


def _cone_sites(n):
    """Sites of bcc tungsten in a cone of 45 degrees, n cells deep, its axis [001] along z."""
    i = np.arange(-n, n + 1)
    grid = np.array(list(product(i, i, range(n))), float)
    sites = np.vstack([grid + [0, 0, 0.5], grid + [0.5, 0.5, 0]])
    return TUNGSTEN_A * sites[np.hypot(sites[:, 0], sites[:, 1]) < sites[:, 2] - 1e-9]


def tip(orientation="111", dull=0, keep=None, size=6):
    """Cut a tungsten apex: the corner of a cube (111) or a cone of 45 degrees (001).

    Parameters
    ----------
    orientation : {"111", "001"}
        Direction of the tip's axis. The planes of the corner hold 1, 3, 1, 6 atoms, those of the cone 1, 4.
    dull : int
        Planes removed from the end.
    keep : str, optional
        One letter for each atom of the plane then exposed, in order of distance from the axis and of angle:
        ``O`` keeps the atom, ``X`` removes it. All are kept by default.
    size : int
        Unit cells along the cube's edge or the cone's depth.

    Returns
    -------
    ase.Atoms
        Lowest atoms at z = 0, their mean at x = y = 0, the body above; ``plane`` numbers the planes.

    Raises
    ------
    ValueError
        If the orientation or plane does not exist, or ``keep`` does not fit the plane.
    """
    makers, counts = {"111": _corner_sites, "001": _cone_sites}, {"111": (1, 3, 1, 6), "001": (1, 4)}
    if orientation not in makers:
        raise ValueError(f"tip orientation = {orientation!r} must be '111' or '001'")
    if dull not in range(len(counts[orientation])):
        raise ValueError(f"dull = {dull} is outside 0 .. {len(counts[orientation]) - 1} for a {orientation} tip")
    sites = makers[orientation](size)
    plane = np.unique(np.round(sites[:, 2], 6), return_inverse=True)[1]
    exposed = _around(sites, np.flatnonzero(plane == dull))
    keep = "O" * len(exposed) if keep is None else keep
    if len(keep) != len(exposed) or set(keep) - set("OX") or "O" not in keep:
        raise ValueError(f"keep = {keep!r} must have {len(exposed)} letters O or X for this plane, at least one O")
    kept = exposed[[letter == "O" for letter in keep]]
    chosen = np.concatenate([kept, np.flatnonzero(plane > dull)])
    foot = sites[kept].mean(0)
    apex = Atoms(f"W{len(chosen)}", positions=sites[chosen] - foot, info={"orientation": orientation})
    apex.set_array("plane", plane[chosen])
    return apex


def _around(sites, rows):
    """Order atoms of one plane by distance from the axis, then by angle."""
    x, y = sites[rows, 0], sites[rows, 1]
    return rows[np.lexsort((np.round(np.arctan2(y, x) % (2 * np.pi), 6), np.round(np.hypot(x, y), 6)))]


def tip_named(apex):
    """Build the tip of a name like ``"111-1-OXX"``: orientation, planes removed, atoms kept."""
    orientation, dull, keep = apex.split("-")
    return tip(orientation, int(dull), keep)


def images(points, cell, pbc, low, high):
    """Find the periodic images of points that fall inside a rectangle.

    Parameters
    ----------
    points : (N, 3) array
        Points of one cell [Å].
    cell : (3, 3) array
        Cell vectors in rows [Å]; the first two lie in the plane.
    pbc : sequence of bool
        Along which of them the points repeat.
    low, high : (2,) array
        Corners of the rectangle [Å].

    Returns
    -------
    index : ndarray of int, (K,)
        Which point each image belongs to.
    positions : ndarray, (K, 3)
        Where the images are [Å].
    """
    points, lateral = np.reshape(points, (-1, 3)), np.asarray(cell)[:2, :2]
    if not len(points):
        return np.zeros(0, int), points
    shifts = np.array(list(product(*_spans(points, lateral, pbc, low, high)))) @ lateral if any(pbc[:2]) else [[0, 0]]
    x = points[None, :, :2] + np.asarray(shifts)[:, None]
    shift, index = np.nonzero(np.all((x >= low) & (x <= high), axis=2))
    return index, np.column_stack([x[shift, index], points[index, 2]])


def _spans(points, lateral, pbc, low, high):
    """Range of whole translations along each cell vector that can reach into the rectangle."""
    corners = np.array([[x, y] for x in (low[0], high[0]) for y in (low[1], high[1])])
    steps = (corners[:, None] - points[:, :2]).reshape(-1, 2) @ np.linalg.inv(lateral)
    return [
        range(int(np.floor(n.min())), int(np.ceil(n.max())) + 1) if periodic else range(1)
        for n, periodic in zip(steps.T, pbc, strict=False)
    ]
