"""The three-band model of Liu et al.: dz2, dxy and dx2-y2 of the metal, for bands near the gap only."""

from __future__ import annotations

import numpy as np


def three_band(model, k, spin=False):
    r"""Bloch Hamiltonian in the basis dz2, dxy, dx2-y2, nearest neighbours (equations 6 to 11 of the paper).

    Parameters
    ----------
    model : Model
        With ``e1 e2 t0 t1 t2 t11 t12 t22`` in its table [eV].
    k : (..., 2) or (..., 3) array
        Bloch vectors [1/Å].
    spin : bool
        Double the basis and add :math:`\lambda L_z S_z`.

    References
    ----------
    G.-B. Liu et al., 10.1103/PhysRevB.88.085433
    """
    p, a = model.table, model.lattice["a"]
    x, y = k[..., 0] * a / 2, k[..., 1] * a * np.sqrt(3) / 2
    c2x, cx, cy, sx, sy, s2x = np.cos(2 * x), np.cos(x), np.cos(y), np.sin(x), np.sin(y), np.sin(2 * x)
    h = np.zeros((*x.shape, 3, 3), complex)
    h[..., 0, 0] = 2 * p["t0"] * (c2x + 2 * cx * cy) + p["e1"]
    h[..., 1, 1] = 2 * p["t11"] * c2x + (p["t11"] + 3 * p["t22"]) * cx * cy + p["e2"]
    h[..., 2, 2] = 2 * p["t22"] * c2x + (3 * p["t11"] + p["t22"]) * cx * cy + p["e2"]
    h[..., 0, 1] = -2 * np.sqrt(3) * p["t2"] * sx * sy + 2j * p["t1"] * (s2x + sx * cy)
    h[..., 0, 2] = 2 * p["t2"] * (c2x - cx * cy) + 2j * np.sqrt(3) * p["t1"] * cx * sy
    h[..., 1, 2] = np.sqrt(3) * (p["t22"] - p["t11"]) * sx * sy + 4j * p["t12"] * sx * (cx - cy)
    for i, j in ((1, 0), (2, 0), (2, 1)):
        h[..., i, j] = h[..., j, i].conj()
    if not spin:
        return h
    lz = np.zeros((3, 3), complex)
    lz[1, 2], lz[2, 1] = 2j, -2j
    out = np.zeros((*x.shape, 6, 6), complex)
    out[..., :3, :3] = h + model.spin_orbit["W"] / 2 * lz
    out[..., 3:, 3:] = h - model.spin_orbit["W"] / 2 * lz
    return out
