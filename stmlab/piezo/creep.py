"""What the scanner does besides what it is told, as functions of time."""

from __future__ import annotations

import numpy as np


def drift(time, velocity):
    r"""Displacement at constant velocity: :math:`\Delta r(t) = v\, t`.

    Parameters
    ----------
    time : array
        Since the start of the frame [s].
    velocity : float
        Of the tip along the sample, on top of what was asked for [Å/s].

    Returns
    -------
    ndarray
        Displacement [Å].
    """
    return velocity * np.asarray(time, float)


def drifted_lattice(vectors, velocity, raster):
    r"""Lattice vectors as they appear in the trace of an image taken under drift.

    The tip is told to be at u and is at :math:`u + v\,t(u)`, where t(u) grows along both axes of the frame.
    An atom at r appears where :math:`(1 + v \otimes \nabla t)\, u = r`, and so

    .. math:: a' = (1 + v \otimes \nabla t)^{-1} a

    Parameters
    ----------
    vectors : (..., 2) array
        Lattice vectors on the sample [Å].
    velocity : (2,) array
        Drift velocity of the tip relative to the sample [Å/s].
    raster : Raster
        Anything with `angle`, `direction`, `width`, `height`, `lines` and `line_time`.

    Returns
    -------
    ndarray, (..., 2)
        Lattice vectors in the image, in sample axes [Å].
    """
    c, s = np.cos(np.deg2rad(raster.angle)), np.sin(np.deg2rad(raster.angle))
    up = 1.0 if raster.direction == "up" else -1.0
    fast, slow = np.array([c, s]), up * np.array([-s, c])
    gradient = fast * raster.line_time / raster.width + slow * 2 * raster.line_time * raster.lines / raster.height
    return np.asarray(vectors) @ np.linalg.inv(np.eye(2) + np.outer(velocity, gradient)).T
