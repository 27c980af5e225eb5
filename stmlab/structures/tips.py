"""Tungsten apexes as `ase.Atoms` [Å]: above the origin, their lowest atoms at z = 0."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
from ase import Atoms

TUNGSTEN_A = 3.165  # bcc lattice constant [Å]


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


def tip(orientation="111", dull=0, keep=None, size=6, rotation=0.0, tilt=0.0, azimuth=0.0):
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
    rotation, tilt, azimuth : float
        How the finished tip is turned and tilted [degrees]; see `turned`.

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
    body = turned(sites[chosen] - foot, rotation, tilt, azimuth)
    apex = Atoms(f"W{len(chosen)}", positions=body - [0, 0, body[:, 2].min()], info={"orientation": orientation})
    apex.set_array("plane", plane[chosen])
    return apex


def _around(sites, rows):
    """Order atoms of one plane by distance from the axis, then by angle."""
    x, y = sites[rows, 0], sites[rows, 1]
    return rows[np.lexsort((np.round(np.arctan2(y, x) % (2 * np.pi), 6), np.round(np.hypot(x, y), 6)))]


def tip_named(apex, size=6):
    """Build the tip of a name like ``"111-1-OXX"``: orientation, planes removed, atoms kept."""
    orientation, dull, keep = apex.split("-")
    return tip(orientation, int(dull), keep, size)


def turned(points, rotation=0.0, tilt=0.0, azimuth=0.0):
    r"""Turn points about the z axis, then tilt that axis.

    .. math:: r' = R_u(\mathrm{tilt})\, R_z(\mathrm{rotation})\, r, \qquad
              u = (-\sin\alpha, \cos\alpha, 0), \quad \alpha = \mathrm{azimuth}

    so that the top of a tip leans towards the azimuth.

    Parameters
    ----------
    points : (N, 3) array
        Points [Å].
    rotation : float
        About z, counter-clockwise seen from above [degrees].
    tilt : float
        Angle between the old axis and the new [degrees].
    azimuth : float
        Direction in which the axis leans, from x towards y [degrees].

    Returns
    -------
    ndarray, (N, 3)
    """
    r, t, a = (math.radians(angle) for angle in (rotation, tilt, azimuth))
    # R_u = R_z(azimuth) R_y(tilt) R_z(-azimuth)
    return np.asarray(points, float) @ (_about_z(a) @ _about_y(t) @ _about_z(r - a)).T


def _about_z(angle):
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def _about_y(angle):
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])
