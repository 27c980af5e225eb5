"""Figures of scans, with matplotlib; every function draws into the ``ax`` it is given and returns it."""

from __future__ import annotations

import numpy as np

from .io import picture

CHANNELS = {
    "height": ("height", "pm", 100.0),
    "true_height": ("true height", "pm", 100.0),
    "ideal": ("ideal height", "pm", 100.0),
    "current": ("ln(I / I$_{set}$)", "", 1.0),
    "drive": ("drive voltage", "mV", 1000.0),
}


def show(
    scan, ax, channel="height", retrace=False, cmap="afmhot", percentile=(0.5, 99.5), limits=None, defects=False
):  # fmt: skip
    """Draw one channel of a scan as one sees it in space: x to the right, y up.

    Parameters
    ----------
    scan : Scan
        Simulated or measured.
    ax : matplotlib.axes.Axes
        Where to draw.
    channel : {"height", "true_height", "ideal", "current", "drive"}
        What to draw; heights from their lowest point, in pm.
    retrace : bool
        Draw the retrace rather than the trace.
    cmap : str
        Colour map.
    percentile : (float, float)
        Share of the pixels below and above which the colours saturate [%].
    limits : (float, float), optional
        Values at which they saturate instead, in the unit of the colour bar.
    defects : bool
        Mark the defects inside the frame.

    Returns
    -------
    matplotlib.axes.Axes
    """
    name, unit, scale = CHANNELS[channel]
    values = getattr(scan, channel)
    values = values if channel == "ideal" else values[int(retrace)]
    values = scale * (values - (np.nanmin(values) if unit == "pm" else 0.0))
    label = f"{name} [{unit}]" if unit else name
    image(picture(values, scan.raster), ax, scan.raster, label, cmap, percentile, limits)
    if defects and scan.defects is not None:
        inside = scan.defects[scan.defects["inside"]]
        ax.plot(*in_picture(inside["row"], inside["col"], scan.raster), "o", mfc="none", mec="tab:cyan", ms=9)
    return ax


def in_picture(row, col, raster):
    """Place in a picture, x to the right and y up from its corner [nm], of image coordinates."""
    du, dv = raster.pixel_size
    fast, slow = (np.asarray(col) + 0.5) * du, (np.asarray(row) + 0.5) * dv
    fast = fast if raster.fast_direction == "forward" else raster.width - fast
    slow = slow if raster.direction == "up" else raster.height - slow
    x, y = (fast, slow) if raster.fast_axis == "x" else (slow, fast)
    return x / 10, y / 10


def image(values, ax, raster, label, cmap="afmhot", percentile=(0.5, 99.5), limits=None):
    """Draw values (L, P), row 0 at the bottom, with axes in nm and a colour bar."""
    low, high = limits or np.nanpercentile(values, percentile)
    width, height = raster.extent
    extent = (0, width / 10, 0, height / 10)
    drawn = ax.imshow(values, origin="lower", extent=extent, cmap=cmap, vmin=low, vmax=high, interpolation="nearest")
    ax.set(xlabel="x [nm]", ylabel="y [nm]")
    ax.figure.colorbar(drawn, ax=ax, label=label, shrink=0.85)
    return ax


def detections(values, found, pixel_size, ax, boxes=(), upwards=False, cmap="gray", percentile=(0.5, 99.5)):
    """Draw an image, circles around what was found in it, and boxes around what is known to be there.

    Parameters
    ----------
    values : array_like, (L, P)
        Any values; NaN stays empty.
    found : structured array
        From `stmlab.learn.detect`; the surer, the less transparent.
    pixel_size : float or (float, float)
        Side of a pixel [Å], or along the lines and from line to line.
    ax : matplotlib.axes.Axes
        Where to draw.
    boxes : array_like, (n, 4)
        x and y of a corner, width and height [pixels from the corner of the first pixel].
    upwards : bool
        Whether the first line lies at the bottom, as in a scan that was made upwards, or on top, as in a picture.
    cmap, percentile
        As in `show`.

    Returns
    -------
    matplotlib.axes.Axes
    """
    from matplotlib.patches import Rectangle

    values, (fast, slow) = np.asarray(values, float), np.broadcast_to(np.asarray(pixel_size, float), 2) / 10
    width, height = values.shape[1] * fast, values.shape[0] * slow
    low, high = np.nanpercentile(values, percentile)
    extent = (0, width, 0, height) if upwards else (0, width, height, 0)
    ax.imshow(values, origin="lower" if upwards else "upper", extent=extent, cmap=cmap, vmin=low, vmax=high)
    for x, y, wide, tall in np.reshape(boxes, (-1, 4)) * [fast, slow, fast, slow]:
        ax.add_patch(Rectangle((x, y), wide, tall, fill=False, ec="tab:orange", lw=1.2))
    edge = [(0.0, 0.75, 0.85, 0.4 + 0.6 * min(score, 1.0)) for score in found["score"]]
    ax.scatter((found["x"] + 0.5) * fast, (found["y"] + 0.5) * slow, 90, facecolors="none", edgecolors=edge, lw=1.6)
    ax.set(xlabel="x [nm]", ylabel="y [nm]", xlim=(0, width), ylim=(0, height) if upwards else (height, 0))
    return ax


def atoms(structure, ax, view="top"):
    """Draw atoms as discs of their covalent radius, from above (``top``) or from the side (``side``)."""
    from ase.data import covalent_radii
    from ase.data.colors import jmol_colors
    from matplotlib.patches import Circle

    flat, depth = ((0, 1), 2) if view == "top" else ((0, 2), 1)
    order = np.argsort(structure.positions[:, depth] * (1 if view == "top" else -1))
    for position, number in zip(structure.positions[order], structure.numbers[order], strict=True):
        ax.add_patch(
            Circle(position[list(flat)], 0.6 * covalent_radii[number], fc=jmol_colors[number], ec="0.2", lw=0.6)
        )
    ax.set(aspect="equal", xlabel="x [Å]", ylabel="y [Å]" if view == "top" else "z [Å]")
    ax.autoscale_view()
    return ax


def range_test(found, ax):
    """Draw a learning rate range test: the loss of each step, the same smoothed, and the rate that is suggested.

    Parameters
    ----------
    found : stmlab.learn.RangeTest
        What it found.
    ax : matplotlib.axes.Axes
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax.semilogx(found.rates, found.losses, ".", color="0.7", ms=3, label="each step")
    ax.semilogx(found.rates, found.smooth, color="tab:blue", label="smoothed")
    ax.axvline(found.suggestion, color="tab:red", ls="--", label=f"suggestion {found.suggestion:.2g}")
    low, high = found.smooth.min(), found.smooth[0]
    ax.set(xlabel="learning rate", ylabel="loss", ylim=(low - 0.2 * (high - low), high + 0.5 * (high - low)))
    ax.legend()
    return ax


def learning_curve(rows, ax, columns=("loss", "mse")):
    """Draw columns of the log of a training run over the samples that were seen.

    Parameters
    ----------
    rows : list of dict
        From `stmlab.learn.read_log`.
    ax : matplotlib.axes.Axes
        Where to draw.
    columns : sequence of str
        Which; rows without them are left out.

    Returns
    -------
    matplotlib.axes.Axes
    """
    for name in columns:
        there = [row for row in rows if name in row]
        ax.plot([row["samples"] for row in there], [row[name] for row in there], ".-", label=name)
    ax.set(xlabel="samples seen", yscale="log")
    ax.legend()
    return ax
