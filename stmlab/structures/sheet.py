"""WSe2 sheets as `ase.Atoms`, and where a periodic sheet repeats [Å].

The top selenium plane is at z = 0, tungsten and the lower selenium below it.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from ase import Atoms

TOP, METAL, BOTTOM = 1, 2, 3  # ASE's tags: 1 is the top layer


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
    i, j = np.divmod(np.arange(int(nx) * int(ny)), int(ny))
    shifts = i[:, None] * cell[0] + j[:, None] * cell[1]
    atoms = Atoms(
        [metal, chalcogen, chalcogen] * len(shifts),
        positions=(shifts[:, None] + basis).reshape(-1, 3),
        cell=cell * [[nx], [ny], [1]],
        pbc=(True, True, False),
        tags=np.tile([METAL, TOP, BOTTOM], len(shifts)),
        info={
            "lattice_constant": float(a),
            "thickness": float(thickness),
            "size": [int(nx), int(ny)],
            "elements": [metal, chalcogen],
        },
    )
    atoms.arrays["site"] = np.arange(len(atoms))
    return atoms


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
    x, y, z = np.ascontiguousarray(points.T)
    middle, inverse = (np.asarray(low) + high) / 2, np.linalg.inv(lateral) if any(pbc[:2]) else np.eye(2)
    reach = np.abs(inverse.T) @ (np.asarray(high) - low) / 2  # of the rectangle from its middle, in cells
    cells = [(x - middle[0]) * u + (y - middle[1]) * v for u, v in inverse.T]
    home = [-np.rint(n) if periodic else np.zeros(len(n)) for n, periodic in zip(cells, pbc, strict=False)]
    found = []
    for shift in product(*(_steps(r, periodic) for r, periodic in zip(reach, pbc, strict=False))):
        i, j = (h + s for h, s in zip(home, shift, strict=True))
        left, up = x + i * lateral[0, 0] + j * lateral[1, 0], y + i * lateral[0, 1] + j * lateral[1, 1]
        inside = np.flatnonzero((left >= low[0]) & (left <= high[0]) & (up >= low[1]) & (up <= high[1]))
        found.append((inside, left[inside], up[inside]))
    index, left, up = map(np.concatenate, zip(*found, strict=True))
    order = np.argsort(index, kind="stable")  # the same wherever the middle is
    return index[order], np.column_stack([left, up, z[index]])[order]


def _steps(reach, periodic):
    """Whole translations that can lead from the image nearest to the middle into a rectangle of that reach."""
    most = int(np.ceil(reach - 0.5)) if periodic and reach > 0.5 else 0
    return range(-most, most + 1)
