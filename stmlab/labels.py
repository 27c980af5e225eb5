"""Ground truth: what is where in the image that the instrument recorded."""

from __future__ import annotations

import numpy as np

from .kernels import nearest as kernel
from .scan import DEFECT_DTYPE, EVENT_DTYPE


def image_coordinates(x, y, points):
    r"""Find where points of the sample appear in an image, between the pixels too.

    From the pixel whose true position r is nearest to the point, one step of the inverse of the local map:
    :math:`(row, col) += (\partial r / \partial(row, col))^{-1} (p - r)`. Exact where the map is linear.

    Parameters
    ----------
    x, y : (L, P) arrays
        Where the tip really was at each pixel [Å].
    points : (D, 2) array
        Points of the sample [Å].

    Returns
    -------
    ndarray, (D, 2)
        Fractional row and column; outside the frame they run on linearly.
    """
    points, flat = np.ascontiguousarray(np.reshape(points, (-1, 2)), float), np.zeros(len(points), int)
    kernel.closest(np.ravel(x), np.ravel(y), points, flat)
    pixel = np.column_stack(np.unravel_index(flat, x.shape)).astype(int)
    here = tuple(pixel.T)
    map_ = np.array([[_slope(v, pixel, axis) for axis in (0, 1)] for v in (x, y)])  # (2: x y, 2: row col, D)
    gap = points - np.column_stack([x[here], y[here]])
    return pixel + np.linalg.solve(map_.transpose(2, 0, 1), gap[..., None])[..., 0]


def _slope(values, pixel, axis):
    """Change of an image (L, P) from pixel to pixel along an axis, at pixels (D, 2): that of `numpy.gradient`."""
    before, after = pixel.copy(), pixel.copy()
    before[:, axis] = np.maximum(pixel[:, axis] - 1, 0)
    after[:, axis] = np.minimum(pixel[:, axis] + 1, values.shape[axis] - 1)
    return (values[tuple(after.T)] - values[tuple(before.T)]) / (after - before)[:, axis]


def locate(kinds, sites, points, x, y):
    """List defects with their place in the image.

    Parameters
    ----------
    kinds : (D,) array of str
        What they are.
    sites : (D,) array of int
        Site numbers.
    points : (D, 2) array
        Where they are on the sample [Å].
    x, y : (L, P) arrays
        Where the tip really was at each pixel of the trace [Å].

    Returns
    -------
    structured ndarray, (D,)
        kind, site, x, y [Å], row, col, inside.
    """
    out = np.zeros(len(kinds), DEFECT_DTYPE)
    out["kind"], out["site"] = kinds, sites
    if len(out):
        place = image_coordinates(x, y, points)
        out["x"], out["y"] = np.transpose(points)[:2]
        out["row"], out["col"] = place.T
        out["inside"] = np.all((place > -0.5) & (place < np.array(x.shape) - 0.5), axis=1)
    return out


def events(raster, **times):
    """List what happened on the way.

    Parameters
    ----------
    raster : Raster
        The frame.
    **times : (K,) arrays
        Kind of event (underscores become hyphens) -> times since the start of the frame [s].

    Returns
    -------
    structured ndarray
        kind, time [s], row and column of the pixel that was being scanned (the nearest one while the tip turned
        around), and whether on the retrace; in order of time.
    """
    rows = [(kind.replace("_", "-"), t, *_pixel(raster, t)) for kind, many in times.items() for t in many]
    return np.sort(np.array(rows, EVENT_DTYPE), order="time")


def _pixel(raster, time):
    """Row, column and whether on the retrace, at a time [s]."""
    row, rest = divmod(time, raster.line_period)
    retrace, rest = divmod(rest, raster.line_period / 2)
    col = int(np.clip(rest / raster.dwell - raster.turn, 0, raster.pixels - 1))
    return min(int(row), raster.lines - 1), raster.pixels - 1 - col if retrace else col, bool(retrace)


def masks(scan, kind="thesis"):
    r"""Lattice and defects as soft discs, in the coordinates of the distorted trace.

    .. math:: m = \mathrm{clip}\left(1.1 - \frac{d}{a/2},\; 0,\; 1\right)

    with d the distance along the surface from where the tip really was to the nearest top selenium atom
    (channel 0) or the nearest defect (channel 1), and a the lattice constant.

    Parameters
    ----------
    scan : Scan
        Simulated, with ``x``, ``y``, ``lattice``, ``defects`` and ``parameters``.
    kind : {"thesis"}
        Shape of the discs.

    Returns
    -------
    ndarray, (2, L, P)
        Between 0 and 1.

    Raises
    ------
    ValueError
        If the kind is unknown, or the scan is a measurement, whose truth nobody knows.
    """
    if kind != "thesis":
        raise ValueError(f"mask kind = {kind!r} must be 'thesis'")
    if scan.lattice is None or scan.defects is None:
        raise ValueError("this scan has no ground truth; only a simulated one knows where its atoms are")
    atoms = (scan.lattice, np.column_stack([scan.defects["x"], scan.defects["y"]]))
    return np.stack([_discs(scan.x[0], scan.y[0], points, scan.meta["lattice_constant"]) for points in atoms])


def _discs(x, y, points, a):
    if not len(points):
        return np.zeros(x.shape)
    distance = np.empty(x.size)
    kernel.distances(x.ravel(), y.ravel(), np.ascontiguousarray(points, float), 1.2 * a / 2, distance)
    return np.clip(1.1 - distance.reshape(x.shape) / (a / 2), 0.0, 1.0)
