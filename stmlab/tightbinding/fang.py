"""The eleven-orbital model of Fang et al.: hoppings by symmetry, from the parity basis to atoms."""

from __future__ import annotations

import numpy as np

ODD, EVEN, METAL_ODD, METAL_EVEN = [3, 4, 5], [9, 10, 11], [1, 2], [6, 7, 8]
METAL_ATOM, TOP_ATOM, BOTTOM_ATOM = "M", "X+", "X-"
ORBITALS = {METAL_ATOM: ("dxz", "dyz", "dz2", "dxy", "dx2-y2"), TOP_ATOM: ("pz", "px", "py")}
METAL = [*METAL_ODD, *METAL_EVEN]
_MIRROR_ODD = {1, 4, 7, 10}  # odd under x -> -x
# Displacements in thirds of (a1, a2)
_D = {1: (3, 0), 2: (3, 3), 3: (0, 3), 4: (-2, -1), 5: (1, 2), 6: (1, -1), 7: (-2, -4), 8: (4, 2), 9: (-2, 2)}
_S3 = np.sqrt(3)


def parity_hoppings(t1, t5, t6, energy):
    """All hoppings between the orbitals 1..11, as {(i, j): {thirds of a1 and a2: eV}}."""
    out: dict = {}

    def add(i, j, d, value, back=False):
        step = tuple(-c for c in _D[d]) if back else _D[d]
        out.setdefault((i, j), {})[step] = value
        out.setdefault((j, i), {})[tuple(-c for c in step)] = value

    for i, value in enumerate(energy, 1):
        out.setdefault((i, i), {})[(0, 0)] = value
    for a, b, g in ((1, 2, None), (4, 5, 3), (7, 8, 6), (10, 11, 9)):
        _same_kind(add, t1, a, b, g)
    for x, m in (((4, 5, 3), (1, 2, None)), ((10, 11, 9), (7, 8, 6))):
        _metal_chalcogen(add, t5, x, m)
    _third_shell(add, t6)
    return out


def _same_kind(add, t1, a, b, g):
    taa, tbb, tab = t1[a, a], t1[b, b], t1[a, b]
    for i, t2 in ((a, (taa + 3 * tbb) / 4), (b, (3 * taa + tbb) / 4), *([(g, t1[g, g])] if g else [])):
        add(i, i, 1, t1[i, i])
        add(i, i, 2, t2)
        add(i, i, 3, t2)
    skew = _S3 / 4 * (taa - tbb)
    pairs = [(a, b, tab, skew - tab, -skew - tab)]
    if g:
        ga, gb = t1[g, a], t1[g, b]
        pairs.append((g, b, gb, _S3 / 2 * ga - gb / 2, -_S3 / 2 * ga - gb / 2))
        pairs.append((g, a, ga, ga / 2 + _S3 / 2 * gb, ga / 2 - _S3 / 2 * gb))
    for i, j, one, two, three in pairs:
        p = 1 if (i in _MIRROR_ODD) == (j in _MIRROR_ODD) else -1
        # H_ij = t1 (e1* + P e1) + t2 (e2* + P e3*) + t3 (e3 + P e2)
        add(i, j, 1, one, back=True)
        add(i, j, 1, p * one)
        add(i, j, 2, two, back=True)
        add(i, j, 3, p * two, back=True)
        add(i, j, 3, three)
        add(i, j, 2, p * three)


def _metal_chalcogen(add, t5, x, m):
    (a, b, g), (ma, mb, mg) = x, m
    aa, bb, gb = t5[a, ma], t5[b, mb], t5[g, mb]
    four = {
        (a, ma): (aa + 3 * bb) / 4, (b, mb): (3 * aa + bb) / 4, (g, ma): -_S3 / 2 * gb, (g, mb): -gb / 2,
        (b, ma): -_S3 / 4 * (aa - bb), (a, mb): -_S3 / 4 * (aa - bb),
    }  # fmt: skip
    if mg:
        four |= {(g, mg): t5[g, mg], (a, mg): -_S3 / 2 * t5[b, mg], (b, mg): -t5[b, mg] / 2}
    for (i, j), t4 in four.items():
        p = 1 if (i in _MIRROR_ODD) == (j in _MIRROR_ODD) else -1
        # H_ij = t4 (e4 + P e6) + t5 e5
        add(i, j, 4, t4)
        add(i, j, 6, p * t4)
        if (i, j) in t5:
            add(i, j, 5, t5[i, j])


def _third_shell(add, t6):
    s, y, z, w = t6[9, 6], t6[11, 6], t6[9, 8], t6[11, 8]
    table = {
        (9, 6): (s, s, s), (11, 6): (y, -y / 2, -y / 2), (10, 6): (0, -_S3 / 2 * y, _S3 / 2 * y),
        (9, 8): (z, -z / 2, -z / 2), (9, 7): (0, -_S3 / 2 * z, _S3 / 2 * z), (10, 7): (0, 3 / 4 * w, 3 / 4 * w),
        (11, 7): (0, _S3 / 4 * w, -_S3 / 4 * w), (10, 8): (0, _S3 / 4 * w, -_S3 / 4 * w), (11, 8): (w, w / 4, w / 4),
    }  # fmt: skip
    for (i, j), values in table.items():
        for d, value in zip((7, 8, 9), values, strict=True):
            if value:
                add(i, j, d, value)


def layer_signs(side):
    """Coefficients of one selenium layer (+1 top, -1 bottom) in the odd and even orbitals 3..5 and 9..11."""
    r = 1 / np.sqrt(2)
    return {3: r, 4: side * r, 5: side * r, 9: side * r, 10: r, 11: r}


def block(hoppings, left, right, thirds):
    """Hoppings (eV) between two atoms labelled ``M``, ``X+`` or ``X-``, in the orbitals of ``ORBITALS``."""
    rows, cols = (_expansion(label) for label in (left, right))
    out = np.zeros((len(rows), len(cols)))
    for a, ones in enumerate(rows):
        for b, others in enumerate(cols):
            out[a, b] = sum(
                c * d * hoppings.get((i, j), {}).get(thirds, 0.0) for i, c in ones.items() for j, d in others.items()
            )
    return out


def _expansion(label):
    """Each orbital of an atom as {parity orbital: coefficient}."""
    if label == METAL_ATOM:
        return [{1: 1.0}, {2: 1.0}, {6: 1.0}, {7: 1.0}, {8: 1.0}]
    c = layer_signs(1 if label == TOP_ATOM else -1)
    return [{i: c[i], i + 6: c[i + 6]} for i in (3, 4, 5)]
