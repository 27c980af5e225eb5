"""Constant-current surfaces against ASE's, which reads them off a grid of the density."""

import numpy as np
from ase.dft.stm import STM
from ase.io.jsonio import write_json

from stmlab.junction import Junction
from stmlab.modes import newton

A, KAPPA, STEP = 3.32, 1.0, 0.02


def test_the_surface_is_the_one_that_ase_finds(tmp_path):
    """A triangular lattice in a rectangular cell; `scan` interpolates linearly in z."""
    cell = np.array([A, A * np.sqrt(3)])
    n = np.arange(-8, 9)
    corners = np.array([[i * cell[0], j * cell[1], 0] for i in n for j in n])
    atoms = np.vstack([corners, corners + [*cell / 2, 0]])
    junction = Junction(atoms, [[0, 0, 0]], np.ones((len(atoms), 1)), KAPPA, slack=12)
    x, y = np.meshgrid(np.arange(8) / 8 * cell[0], np.arange(12) / 12 * cell[1], indexing="ij")
    z = np.arange(0, 9, STEP)
    above = z >= junction.floor
    density = np.full((*x.shape, len(z)), np.inf)
    density[..., above] = np.exp(junction.log_current(x[..., None], y[..., None], z[above]))
    density[..., ~above] = 2 * density.max(where=np.isfinite(density), initial=0)

    with open(tmp_path / "stm.json", "w") as file:
        write_json(file, (density, 1.0, np.diag([*cell, len(z) * STEP])))
    stm = STM(str(tmp_path / "stm.json"))
    for height in (4.0, 6.0):
        current = stm.get_averaged_current(1.0, height)
        theirs_x, theirs_y, theirs = stm.scan(1.0, current)
        np.testing.assert_allclose([theirs_x, theirs_y], [x, y], atol=1e-12)
        ours = newton(junction, x, y, np.log(current), tolerance=1e-9)[0]
        # a chord of exp(-2 kappa z) over one step lies above it by at most (2 kappa h)^2 / 8 of it
        assert np.abs(ours - theirs).max() < (2 * KAPPA * STEP) ** 2 / 8 / (2 * KAPPA) * 1.05
