"""Which defects are felt where on a sheet, laid out for the compiled sum over them."""

from __future__ import annotations

import numpy as np

from ..kernels.tmatrix import ROWS, RUN, add_scattered

GROUP = 8  # cells along a side of a patch of the sheet that feels the same defects


class Sites:
    """Orbitals asked for and orbitals of defects, as the kernel wants them.

    Parameters
    ----------
    shape : (int, int, int)
        Cells along the sides of the sheet, and orbitals of a cell.
    kept, defect, shift
        See `green_diagonal`.
    owner : (m,) array of int, optional
        Column that each orbital asked for is added to; one each by default.
    reach : int, optional
        Cells beyond which nothing is felt.
    """

    def __init__(self, shape, kept, defect, shift, owner=None, reach=None):
        nx, ny, n = shape[:3]
        self.sheet = nx, ny * n
        (x, y), orbital = np.divmod(defect // n, ny), defect % n
        self.defect, self.shift = np.stack([x, y * n, orbital]), shift
        row, place = np.divmod(kept, ny * n)
        whole = reach is None or 2 * reach + GROUP >= max(nx, ny)
        side = max(nx, ny) if whole else GROUP
        tile = (row // ROWS) * (ny * n // RUN + 1) + place // RUN
        patch = np.zeros_like(tile) if whole else (row // side) * (ny // side + 1) + place // RUN * RUN // (side * n)
        order = np.lexsort((tile, patch))
        ends = np.flatnonzero(np.diff(tile[order], prepend=-1, append=-1))
        first = order[ends[:-1]]
        self.corner, self.start = np.stack([row[first] // ROWS * ROWS, place[first] // RUN * RUN]), ends
        self.lane = (row % ROWS * RUN + place % RUN)[order]
        self.owner = order if owner is None else owner[order]
        self.patch = np.flatnonzero(np.diff(patch[first], prepend=-1, append=-1))
        self.near_start, self.near = self._near(x, y, shape, None if whole else reach)

    def _near(self, x, y, shape, reach):
        """List the defects that each patch feels, one patch after the other."""
        patches, (nx, ny, n) = self.patch[:-1], shape[:3]
        if reach is None:
            return np.array([0, len(x)] if len(patches) else [0]), np.arange(len(x))
        low = self.corner[0, patches] // GROUP * GROUP, self.corner[1, patches] // (GROUP * n) * GROUP
        sides = (x, low[0], nx), (y, low[1], ny)
        far = [np.abs((d - c[:, None] - GROUP / 2 + side / 2) % side - side / 2) for d, c, side in sides]
        which, near = np.nonzero(np.maximum(*far) <= reach + GROUP / 2 + RUN / n)
        return np.searchsorted(which, np.arange(len(patches) + 1)), near


def scatter(table, size, sites, out, least=0.0):
    """Add what the defects scatter to the diagonal ``out`` (K, N), with a table of ``size`` cells from `planes`."""
    if len(sites.shift) and len(sites.lane):
        kind = table.dtype.type
        cells = size[0], size[1] * table.shape[2]
        add_scattered(
            table, sites.defect, (1 / sites.shift).astype(kind), sites.corner, sites.start, sites.lane, sites.owner,
            sites.patch, sites.near_start, sites.near, sites.sheet, cells, kind(least**2), out,
        )  # fmt: skip
