"""What defects add to the diagonal of a Green's function, for many sites at once.

A sheet is worked on in tiles of ROWS rows of RUN orbitals. The Green's function between a defect and a row is a run of
neighbours in `planes`, so that nothing has to be looked up one by one.
"""

import numpy as np
from numba import njit

from . import INLINED, OPTIONS

ROWS, RUN = 4, 16
LANES = ROWS * RUN  # sites worked on together


@njit(**INLINED)
def _start(step, sheet, table, room):
    """Where in `planes` something stands that is so many places after a defect; negative or too large if far away."""
    if sheet == table:
        return step % sheet + room
    return (step + sheet // 2) % sheet - sheet // 2 + table // 2 + room


@njit(**INLINED)
def _places(defect, row, place, sheet, table, shape, out):
    """Where, in a flattened plane, the runs stand that begin at a row and place, for each defect; 0 if far away."""
    for a in range(defect.shape[1]):
        x = _start(row - defect[0, a], sheet[0], table[0], 0)
        y = _start(place - defect[1, a], sheet[1], table[1], RUN)
        far = x < 0 or x >= table[0] or y < 0 or y >= table[1] + RUN
        out[a] = 0 if far else (defect[2, a] * shape[3] + x) * shape[4] + y


@njit(**INLINED)
def _invert(flat, place, inverse, re, im, u_re, u_im):
    """Write (1/U - G)^-1 to the lower half of re + i im, by sweeps; Im G < 0 as a matrix, so no pivot vanishes."""
    d = inverse.size
    for a in range(d):
        for b in range(a + 1):
            p = place[b, a]
            re[a, b], im[a, b] = flat[0, p], flat[1, p]
        re[a, a] -= inverse[a]
    for j in range(d):
        norm = re[j, j] ** 2 + im[j, j] ** 2
        x, y = re[j, j] / norm, -im[j, j] / norm
        for c in range(d):
            u_re[c], u_im[c] = (re[j, c], im[j, c]) if c < j else (re[c, j], im[c, j])
        for i in range(d):
            p, q = u_re[i] * x - u_im[i] * y, u_re[i] * y + u_im[i] * x
            for c in range(i + 1):
                re[i, c] -= p * u_re[c] - q * u_im[c]
                im[i, c] -= p * u_im[c] + q * u_re[c]
            if i > j:
                re[i, j], im[i, j] = p, q
        for c in range(j):
            re[j, c], im[j, c] = u_re[c] * x - u_im[c] * y, u_re[c] * y + u_im[c] * x
        re[j, j], im[j, j] = -x, -y


@njit(**INLINED)
def _gather(flat, place, re, im, size):
    """Copy G between defects and a tile, and add up |G|^2 of each defect."""
    for a in range(size.size):
        for r in range(ROWS):
            p = place[r, a]
            for s in range(RUN):
                re[a, r * RUN + s], im[a, r * RUN + s] = flat[0, p + np.uint64(s)], flat[1, p + np.uint64(s)]
        total = size[a] * 0
        for s in range(LANES):
            total += re[a, s] * re[a, s] + im[a, s] * im[a, s]
        size[a] = total


@njit(**INLINED)
def _quadratic(t_re, t_im, re, im, size, least, row_re, row_im, which, out_re, out_im):
    """Sum of G T G over all pairs of defects whose term is not smaller than `least` for all lanes."""
    out_re[:], out_im[:] = 0, 0
    for a in range(size.size):
        count = 0
        for b in range(a):
            which[count] = b
            count += size[a] * size[b] * (t_re[a, b] ** 2 + t_im[a, b] ** 2) >= least
        x, y = t_re[a, a] / 2, t_im[a, a] / 2
        for s in range(LANES):
            row_re[s] = x * re[a, s] - y * im[a, s]
            row_im[s] = x * im[a, s] + y * re[a, s]
        for c in range(0, count - 1, 2):  # two at a time: fewer trips to memory
            b, e = which[c], which[c + 1]
            x, y, u, v = t_re[a, b], t_im[a, b], t_re[a, e], t_im[a, e]
            for s in range(LANES):
                row_re[s] += x * re[b, s] - y * im[b, s] + u * re[e, s] - v * im[e, s]
                row_im[s] += x * im[b, s] + y * re[b, s] + u * im[e, s] + v * re[e, s]
        if count % 2:
            b = which[count - 1]
            x, y = t_re[a, b], t_im[a, b]
            for s in range(LANES):
                row_re[s] += x * re[b, s] - y * im[b, s]
                row_im[s] += x * im[b, s] + y * re[b, s]
        for s in range(LANES):  # T is symmetric: each pair stands for two
            out_re[s] += 2 * (row_re[s] * re[a, s] - row_im[s] * im[a, s])
            out_im[s] += 2 * (row_re[s] * im[a, s] + row_im[s] * re[a, s])


@njit(**INLINED)
def _patch(planes, defect, inverse, corner, start, site, owner, sheet, table, least, out):
    """Add what some defects do to some tiles."""
    d, kind, tiles = inverse.size, planes.dtype, start.size - 1
    t_re, t_im, u_re, u_im = np.empty((d, d), kind), np.empty((d, d), kind), np.empty(d, kind), np.empty(d, kind)
    re, im = np.empty((d, LANES), kind), np.empty((d, LANES), kind)
    size, which = np.empty(d, kind), np.empty(d, np.int64)
    row_re, row_im = np.empty(LANES, kind), np.empty(LANES, kind)
    sum_re, sum_im = np.empty(LANES, kind), np.empty(LANES, kind)
    flat = planes.reshape(planes.shape[0], 2, -1)
    among, place = np.empty((d, d), np.uint64), np.empty((tiles, ROWS, d), np.uint64)
    for a in range(d):
        _places(defect, defect[0, a], defect[1, a] + defect[2, a], sheet, table, planes.shape, among[a])
    for t in range(tiles):
        for r in range(ROWS):
            _places(defect, corner[0, t] + r, corner[1, t], sheet, table, planes.shape, place[t, r])
    for k in range(planes.shape[0]):
        _invert(flat[k], among, inverse, t_re, t_im, u_re, u_im)
        for t in range(tiles):
            _gather(flat[k], place[t], re, im, size)
            _quadratic(t_re, t_im, re, im, size, least, row_re, row_im, which, sum_re, sum_im)
            for s in range(start[t], start[t + 1]):
                out[k, owner[s]] += sum_re[site[s]] + 1j * sum_im[site[s]]


@njit(**OPTIONS)
def add_scattered(
    planes, defect, inverse, corner, start, site, owner, patch, near_start, near, sheet, table, least, out
):  # fmt: skip
    r"""Add :math:`\sum_{ab} G^0_{ia} T_{ab} G^0_{bi}` to ``out`` (K, N), for symmetric G^0 and T.

    Parameters
    ----------
    planes : (K, 2, n, X, Y) array
        Real and imaginary parts of the Green's function of the perfect sheet, from `stmlab.tightbinding.table.planes`.
    defect : (3, d) array of int
        Orbitals of the defects: row of cells, first place of the cell in its row, number in the cell.
    inverse : (d,) array
        Inverse of their shifts [1/eV].
    corner : (2, t) array of int
        First row and place of each tile.
    start : (t + 1,) array of int
        Which of the sites belong to each tile.
    site, owner : (m,) arrays of int
        Lane of each orbital asked for in its tile, and column of ``out`` that it is added to.
    patch, near_start : (p + 1,) arrays of int
        Which tiles belong to each patch of the sheet, and which of ``near`` are the defects that it feels.
    near : array of int
        Numbers of defects.
    sheet, table : (int, int)
        Rows, and orbitals of a row, in the sheet and in the table. What is further apart than half of a smaller table
        counts as unconnected.
    least : float
        Square of the least term that counts [1/eV^2].
    """
    for p in range(patch.size - 1):
        felt = near[near_start[p] : near_start[p + 1]]
        if felt.size:
            tiles, ends = slice(patch[p], patch[p + 1]), slice(patch[p], patch[p + 1] + 1)
            _patch(planes, defect[:, felt], inverse[felt], corner[:, tiles], start[ends], site, owner, sheet, table,
                   least, out)  # fmt: skip
