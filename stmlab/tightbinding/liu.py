"""The three-band model of Liu et al.: dz2, dxy and dx2-y2 of the metal, for bands near the gap only."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

S3 = np.sqrt(3)


def three_band(model, k, spin=False):
    r"""Bloch Hamiltonian in the basis dz2, dxy, dx2-y2.

    Nearest neighbours are equations 6 to 11 of the paper, second (r) and third (u) ones its appendix.

    Parameters
    ----------
    model : Model
        With ``e1 e2 t0 t1 t2 t11 t12 t22`` in its table, and for further neighbours ``r0 r1 r2 r11 r12`` and
        ``u0 u1 u2 u11 u12 u22`` [eV].
    k : (..., 2) or (..., 3) array
        Bloch vectors [1/Å].
    spin : bool
        Double the basis and add :math:`\lambda L_z S_z`.

    References
    ----------
    G.-B. Liu et al., 10.1103/PhysRevB.88.085433
    """
    p, a = defaultdict(float, model.table), model.lattice["a"]
    x, y = k[..., 0] * a / 2, k[..., 1] * a * S3 / 2
    h = np.zeros((*x.shape, 3, 3), complex)
    for term in (_first, _second, _third):
        for (i, j), value in term(p, x, y).items():
            h[..., i, j] += value
    h += np.einsum("i,ij->ij", [p["e1"], p["e2"], p["e2"]], np.eye(3))
    for i, j in ((1, 0), (2, 0), (2, 1)):
        h[..., i, j] = h[..., j, i].conj()
    return _with_spin(h, next(iter(model.spin_orbit.values()), 0.0)) if spin else h


def _first(p, x, y):
    c2x, cx, cy, sx, sy, s2x = np.cos(2 * x), np.cos(x), np.cos(y), np.sin(x), np.sin(y), np.sin(2 * x)
    return {
        (0, 0): 2 * p["t0"] * (c2x + 2 * cx * cy),
        (1, 1): 2 * p["t11"] * c2x + (p["t11"] + 3 * p["t22"]) * cx * cy,
        (2, 2): 2 * p["t22"] * c2x + (3 * p["t11"] + p["t22"]) * cx * cy,
        (0, 1): -2 * S3 * p["t2"] * sx * sy + 2j * p["t1"] * (s2x + sx * cy),
        (0, 2): 2 * p["t2"] * (c2x - cx * cy) + 2j * S3 * p["t1"] * cx * sy,
        (1, 2): S3 * (p["t22"] - p["t11"]) * sx * sy + 4j * p["t12"] * sx * (cx - cy),
    }


def _second(p, x, y):
    c3x, s3x, cy, sy, c2y = np.cos(3 * x), np.sin(3 * x), np.cos(y), np.sin(y), np.cos(2 * y)
    plus, minus = p["r1"] + p["r2"], p["r1"] - p["r2"]
    return {
        (0, 0): 2 * p["r0"] * (2 * c3x * cy + c2y),
        (1, 1): 4 * p["r11"] * c3x * cy + 2 * (p["r11"] + S3 * p["r12"]) * c2y,
        (2, 2): 2 * p["r11"] * (2 * c3x * cy + c2y) + 2 / S3 * p["r12"] * (4 * c3x * cy - c2y),
        (0, 1): 2 * plus * s3x * sy + 2j * minus * s3x * cy,
        (0, 2): -2 / S3 * plus * (c3x * cy - c2y) + 2j / S3 * minus * sy * (c3x + 2 * cy),
        (1, 2): 4 * p["r12"] * s3x * sy,
    }


def _third(p, x, y):
    """Neighbours twice as far as the nearest, in the same directions."""
    names = {"t0": "u0", "t1": "u1", "t2": "u2", "t11": "u11", "t12": "u12", "t22": "u22"}
    return _first({near: p[far] for near, far in names.items()}, 2 * x, 2 * y)


def _with_spin(h, coupling):
    """Both spins, and lambda L_z S_z between dxy and dx2-y2."""
    lz = np.zeros((3, 3), complex)
    lz[1, 2], lz[2, 1] = 2j, -2j
    out = np.zeros((*h.shape[:-2], 6, 6), complex)
    out[..., :3, :3] = h + coupling / 2 * lz
    out[..., 3:, 3:] = h - coupling / 2 * lz
    return out
