"""Two-centre integrals: the hopping between any s, p and d orbitals along any direction."""

from __future__ import annotations

import numpy as np

# Each real orbital of angular momentum l as a symmetric traceless tensor of rank l, of norm 1
_X, _Y, _Z = np.eye(3)


def _d(a, b):
    return (np.outer(a, b) + np.outer(b, a)) / np.sqrt(2)


ORBITALS = {
    "s": np.array(1.0),
    "px": _X,
    "py": _Y,
    "pz": _Z,
    "dxy": _d(_X, _Y),
    "dyz": _d(_Y, _Z),
    "dxz": _d(_X, _Z),
    "dx2-y2": (np.outer(_X, _X) - np.outer(_Y, _Y)) / np.sqrt(2),
    "dz2": (2 * np.outer(_Z, _Z) - np.outer(_X, _X) - np.outer(_Y, _Y)) / np.sqrt(6),
}
# The same orbitals in the order of |m| about z: sigma, pi, pi, delta, delta
_ABOUT_Z = (("s",), ("pz", "px", "py"), ("dz2", "dxz", "dyz", "dxy", "dx2-y2"))
_NAMES = "spd"


def rotation_to(direction):
    """A rotation (3, 3) that turns z into a unit vector."""
    z = np.asarray(direction, float)
    helper = _X if abs(z[0]) < 0.8 else _Y
    x = np.cross(helper, z)
    x /= np.linalg.norm(x)
    return np.column_stack([x, np.cross(z, x), z])


def turned(orbital, rotation):
    """Tensor of an orbital after a rotation of space."""
    tensor = ORBITALS[orbital]
    for axis in range(tensor.ndim):
        tensor = along(rotation, tensor, axis)
    return tensor


def along(matrix, tensor, axis):
    """Multiply a tensor by a matrix along one of its axes."""
    return np.moveaxis(np.tensordot(matrix, tensor, axes=(1, axis)), 0, axis)


def hopping_block(left, right, direction, integrals):
    r"""Hoppings from the orbitals of one atom to those of another.

    .. math:: H_{\alpha\beta} = \sum_m
              \langle \alpha | R\, l m \rangle\, V_{l l' |m|}\, \langle R\, l' m | \beta \rangle

    where R turns z into the direction of the bond: along z two orbitals couple only if they have the same m.

    Parameters
    ----------
    left, right : sequence of str
        Orbitals of both atoms, such as ``("s",)`` or ``("pz", "px", "py")``.
    direction : (3,) array
        Unit vector from the left atom to the right one.
    integrals : dict of str to float
        Two-centre integrals such as ``pds``, ``pdp`` [eV]; the order of the letters is that of the bond from
        the lower to the higher l, and missing ones are 0.

    Returns
    -------
    ndarray, (len(left), len(right))
        In eV.

    References
    ----------
    J. C. Slater and G. F. Koster, 10.1103/PhysRev.94.1498
    """
    rotation = rotation_to(direction)
    block = np.zeros((len(left), len(right)))
    for la, lb in {(ORBITALS[a].ndim, ORBITALS[b].ndim) for a in left for b in right}:
        name = "".join(sorted((_NAMES[la], _NAMES[lb]), key=_NAMES.index))
        sign = -1.0 if la > lb and (la + lb) % 2 else 1.0
        for m in range(2 * min(la, lb) + 1):
            value = sign * integrals.get(name + "spd"[(m + 1) // 2], 0.0)
            block += value * np.outer(_share(left, la, m, rotation), _share(right, lb, m, rotation))
    return block


def _share(orbitals, l, m, rotation):
    """How much of the m-th orbital of angular momentum l about the bond is in each orbital."""
    about = turned(_ABOUT_Z[l][m], rotation)
    return [np.sum(ORBITALS[o] * about) if ORBITALS[o].ndim == l else 0.0 for o in orbitals]
