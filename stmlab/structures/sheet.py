"""WSe2 sheets as `ase.Atoms`, and where a periodic sheet repeats [Å].

The top selenium plane is at z = 0, tungsten and the lower selenium below it.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms

from ..kernels import periodic as kernel

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
    points = np.ascontiguousarray(np.reshape(points, (-1, 3)), float)
    low, high, periodic = np.array(low, float), np.array(high, float), np.array(pbc[:2], float)
    lateral = np.array(cell, float)[:2, :2].copy()
    inverse = np.linalg.inv(lateral) if periodic.any() else np.eye(2)
    reach = np.abs(inverse.T) @ (high - low) / 2  # of the rectangle from its middle, in cells
    most = np.where(periodic > 0, np.maximum(np.ceil(reach - 0.5), 0), 0).astype(int)
    room, count = len(points), len(points) + 1
    while count > room:  # at most twice
        room = max(room, count)
        index, out = np.empty(room, int), np.empty((room, 3))
        count = kernel.inside(points, lateral, inverse, most, periodic, low, high, index, out)
    return index[:count], out[:count]
