"""Ground truth: what is where in the image that the instrument recorded."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates, uniform_filter, uniform_filter1d

from .kernels import nearest as kernel
from .scan import DEFECT_DTYPE, EVENT_DTYPE

SCALES = (2.0, 4.0, 8.0, 16.0)  # Å, at which defects are looked for; the first already blurs the lattice away
CLEAR = 3.0  # contrast of what is seen, in units of its scatter over the image
QUARTER = 0.3186  # standard deviations within which a quarter of all normal values lie
GREY = 0.012  # and as a share of all that the image spans: three grey levels of 256
PROMINENT = 1.8  # prominence of a shape that is seen, in units of the noise around it
SMOOTH, AROUND = 7.0, 31.0  # Å, sides of the squares in which that noise is averaged, and of which it is the rms
WORST = 4.0  # times the median: noise counts no more, or nothing would be seen beside a bad spot
FLANK = 3.0  # Å; a shape so far outside the frame can be seen
APART = 9.0  # Å; what is closer than that is seen as one


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
    points = np.ascontiguousarray(np.reshape(points, (-1, 2)), float)
    out = np.empty_like(points)
    kernel.coordinates(np.ascontiguousarray(x, float), np.ascontiguousarray(y, float), points, out)
    return out


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

    .. math:: m = \mathrm{clip}\left(1.1 - \frac{d}{R},\; 0,\; 1\right)

    with d the distance along the surface from where the tip really was to the nearest top selenium atom
    (channel 0) or the nearest defect (channel 1).

    "thesis": R = a/2, half the lattice constant, around every atom and every defect, seen or not. "visible", for large
    frames: only the defects of `visible`, with R = 4.5 Å or two pixels, whichever is more, and the lattice only
    where `lattice_shows`.

    Parameters
    ----------
    scan : Scan
        Simulated, with ``x``, ``y``, ``lattice``, ``defects`` and, for "visible", ``ideal``.
    kind : {"thesis", "visible"}
        Size of the discs, and what gets one.

    Returns
    -------
    ndarray, (2, L, P)
        Between 0 and 1.

    Raises
    ------
    ValueError
        If the kind is unknown, or the scan is a measurement, whose truth nobody knows.
    """
    if kind not in ("thesis", "visible"):
        raise ValueError(f"mask kind = {kind!r} must be 'thesis' or 'visible'")
    if scan.lattice is None or scan.defects is None or (kind == "visible" and scan.ideal is None):
        raise ValueError("this scan has no ground truth; only a simulated one knows where its atoms are")
    lattice, seen, half = scan.lattice, scan.defects, scan.meta["lattice_constant"] / 2
    radii = half, half
    if kind == "visible":
        lattice, seen = (lattice if lattice_shows(scan) else lattice[:0]), visible(scan)
        radii = half, max(APART / 2, 2 * max(scan.raster.pixel_size))
    places = lattice, np.column_stack([seen["x"], seen["y"]])
    return np.stack([
        _discs(scan.x[0], scan.y[0], points, radius) for points, radius in zip(places, radii, strict=True)
    ])  # fmt: skip


def _discs(x, y, points, radius):
    distance = np.full(x.shape, np.inf)
    if len(points):
        flat = (np.ascontiguousarray(v, float) for v in (x, y, points))
        kernel.distances(*flat, 1.2 * radius, distance)
    return np.clip(1.1 - distance / radius, 0.0, 1.0)


def visible(scan):
    r"""List the defects that can be seen in the trace.

    The contrast of a place at a scale s is what a difference of two blurs leaves there of the levelled image,
    :math:`C_s = G_s * z - G_{2s} * z`. A defect shows at s if the contrast at its place is above ``CLEAR`` times the
    scatter, which the lower quartile of :math:`|C_s|` says, over the image, or over the lines nearby where they are
    worse: noise and streaks count in it, other defects hardly, as long as they leave a quarter of a line free. It must
    also be above ``GREY`` of what the image spans. (Where nothing is to be seen, noise looks like it once in some
    hundred times, to an expert as well.) Of defects closer than ``APART``, or
    than 2 s of the stronger one, the stronger one stands for both. Those just outside, less than s away, are kept: one
    sees their flank.

    Parameters
    ----------
    scan : Scan
        Simulated, with ``defects``.

    Where the prominences P of shapes are known (`stmlab.relief.Relief.prominences`), a shape shows if P is above
    ``PROMINENT`` times the noise around it, and above ``GREY`` of the span.

    Returns
    -------
    structured ndarray, (D,)
        Rows of ``scan.defects``, the clearest first.
    """
    clear, scale = _clearness_of_shapes(scan) if "prominence" in scan.meta else _clearness(scan)
    points, kept = np.column_stack([scan.defects["x"], scan.defects["y"]]), []
    for d in np.argsort(-clear, kind="stable"):
        if clear[d] < 1:
            break
        if all(np.hypot(*(points[d] - points[k])) > max(APART, 2 * scale[k]) for k in kept):
            kept.append(d)
    return scan.defects[np.array(kept, int)]


def _clearness(scan):
    """How many times clearer than the limit each defect is at its best scale (D,), and that scale (D,) [Å]."""
    pixel, z = np.array(scan.raster.pixel_size[::-1]), _flat(scan.height[0])
    nearest, outside = _nearest(scan, pixel)
    best, at = np.zeros(len(nearest)), np.full(len(nearest), SCALES[0])
    grey = GREY * np.ptp(np.percentile(z, [0.5, 99.5]))
    for s in SCALES:
        if s < 0.7 * pixel.max() or 6 * s > min(scan.raster.extent):
            continue
        contrast = np.abs(gaussian_filter(z, s / pixel) - gaussian_filter(z, 2 * s / pixel))
        line = uniform_filter1d(np.quantile(contrast, 0.25, axis=1), max(1, round(2 * s / pixel[0])))
        limit = np.maximum(CLEAR / QUARTER * np.maximum(line, np.median(line)), max(grey, 1e-6))
        clear = np.where(outside < s, contrast[tuple(nearest.T)] / limit[nearest[:, 0]], 0.0)
        at[clear > best] = s
        best = np.maximum(best, clear)
    return best, at


def _clearness_of_shapes(scan):
    """Do as `_clearness` does where it is known how much each shape stands out [Å].

    What it stands out from is what the instrument added, smoothed as the eye does and taken within `AROUND`, and the
    undulation of the surface.
    """
    pixel, z = np.array(scan.raster.pixel_size[::-1]), _flat(scan.height[0])
    true = map_coordinates(scan.ideal, np.array(scan.raster.pixel(scan.x[0], scan.y[0])), order=1, mode="nearest")
    smooth, around = (np.maximum(1, np.rint(length / pixel).astype(int)) for length in (SMOOTH, AROUND))
    added = uniform_filter(uniform_filter(z - _flat(true), smooth), smooth)
    noise = np.sqrt(uniform_filter(added**2, around) + scan.parameters.relief.undulation**2)
    nearest, outside = _nearest(scan, pixel)
    noise = np.minimum(noise, WORST * np.median(noise))[tuple(nearest.T)]
    limit = np.maximum(PROMINENT * noise, max(GREY * np.ptp(z), 1e-6))
    return np.where(outside < FLANK, scan.meta["prominence"] / limit, 0.0), np.zeros(len(nearest))


def _nearest(scan, pixel):
    """Pixel of the frame that is nearest to each defect (D, 2), and how far outside it lies (D,) [Å]."""
    place, last = np.column_stack([scan.defects["row"], scan.defects["col"]]), np.array(scan.raster.shape) - 1
    outside = np.linalg.norm((place - np.clip(place, 0, last)) * pixel, axis=1)
    return np.clip(np.rint(place), 0, last).astype(int), outside


def _flat(z):
    """Take the plane of least squares off, then the median of each line."""
    for axis in (0, 1):
        along = np.arange(z.shape[axis]) - (z.shape[axis] - 1) / 2
        along = along[:, None] if axis == 0 else along
        z = z - along * ((z - z.mean()) * along).mean() / (along**2).mean()
    return z - np.median(z, axis=1, keepdims=True)


def lattice_shows(scan):
    """Whether the atoms of the lattice can be seen in the trace: three pixels to a row, and not lost in noise.

    Both the ideal and the recorded topograph are blurred by 0.5 Å, and what is wider than 2 Å is taken off. The
    first must hold at least a fifth of the variance of the second: the eye averages over the whole pattern.
    """
    pixel = np.array(scan.raster.pixel_size[::-1])
    if not fine_enough(pixel.max(), scan.meta["lattice_constant"]):
        return False
    fine = [gaussian_filter(v, 0.5 / pixel) - gaussian_filter(v, 2 / pixel) for v in (scan.ideal, scan.height[0])]
    return bool(5 * fine[0].var() > fine[1].var())


def fine_enough(pixel, lattice_constant=3.32):
    """Whether pixels [Å] are so fine that each row of atoms [Å] has three of them."""
    return 3 * pixel <= np.sqrt(0.75) * lattice_constant
