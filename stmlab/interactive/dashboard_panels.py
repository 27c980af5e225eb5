"""The dashboard's pictures: from a simulated sample to charts, without widgets."""

from __future__ import annotations

import numpy as np

from ..io import picture
from ..junction import Junction
from ..modes import constant_height
from . import dashboard_draw as draw

NM = 0.1  # nm in an Å
PM = 100.0  # pm in an Å
TITLES = {
    "sample": "Sample: weight of each atom", "tip": "Tip: weight of each atom", "footprint": "Footprint of the tip",
    "constant_height": "Constant height", "ideal": "Constant current, ideal", "height": "Recorded height (drive)",
    "true_height": "True height of the tip", "current": "Error of the current", "loop": "Drive and true height",
    "truth": "Ground truth",
}  # fmt: skip
RECORDED = ("height", "true_height", "current", "loop")  # what differs between trace and retrace
RANGE = (0.5, 99.5)  # % of the pixels at which the colours saturate


def panels(shot, leg=0, wanted=tuple(TITLES)):
    """Draw a sample.

    Parameters
    ----------
    shot : Shot
        From `stmlab.interactive.dashboard_render.shoot`.
    leg : {0, 1}
        Trace or retrace.
    wanted : sequence of str
        Which of `TITLES`.

    Returns
    -------
    dict of str to str
        SVG of each.
    """
    return {name: MAKERS[name](shot, leg) if name in RECORDED else MAKERS[name](shot) for name in wanted}


def sample(shot):
    """Atoms in and around the frame from above, coloured by the sum of the weights of their pairs."""
    scan, junction = shot.scan, shot.junction
    weight = relative(junction.weights.sum(1))
    x, y, z = (NM * junction.sample).T
    box = draw.Box((x.min(), x.max(), y.min(), y.max()))
    order = np.argsort(z, kind="stable")
    radius = np.clip(0.3 * NM * 3.3 * box.size[0] / (x.max() - x.min()), 0.8, 5.0)
    seen = draw.dots(box, x[order], y[order], draw.colours(weight[order], (0, 1), "viridis"), radius)
    frame = draw.outline(box, *(NM * corner for corner in corners(scan.raster)))
    alt = (
        f"Top view of {len(x)} atoms, each coloured by its share of the current's weights; the frame of the scan, "
        f"outlined, with {count(scan)} in it."
    )
    bar = ("weight [1]", (0.0, 1.0), "viridis")
    return draw.chart(TITLES["sample"], alt, box, seen + frame, "x [nm]", "y [nm]", bar)


def tip(shot):
    """Side view of the tip; atoms that carry no current are grey."""
    junction = shot.junction
    weight = relative(junction.weights.sum(0))
    far = shot.apex[:, 1:2] - shot.apex[:, 1].min()
    grey = np.rint(110 + 110 * far / (far.max() or 1.0)).astype("u1") * np.ones(3, "u1")
    ink = np.vstack([grey, draw.colours(weight, (0, 1), "viridis")])
    x, y, z = np.vstack([shot.apex, junction.tip]).T
    reach = max(8.0, np.abs(junction.tip[:, 0]).max() + 2.0)  # a second tip may stand far away
    box = draw.Box((-reach, reach, *draw.padded(0.0, 12.0, 0.1)))
    order = np.argsort(-y, kind="stable")  # the nearer atoms last
    order = np.concatenate([order[order < len(grey)], order[order >= len(grey)]])
    seen = draw.dots(box, x[order], z[order], ink[order], radius=72 / reach)
    alt = f"Side view of the tip: {len(shot.apex)} tungsten atoms, {len(weight)} of which carry current, coloured."
    return draw.chart(TITLES["tip"], alt, box, seen, "x [Å]", "z [Å]", ("weight [1]", (0.0, 1.0), "viridis"))


def footprint(shot):
    """Current above one atom of the sample wherever the tip is: what each atom looks like in an image."""
    junction, height = shot.junction, shot.scan.parameters.junction.height
    one = Junction(np.zeros((1, 3)), junction.tip, junction.weights.mean(0)[None], junction.kappa)
    reach = 5.0 + np.abs(junction.tip[:, :2]).max()
    at = np.linspace(-reach, reach, 61)
    log = one.log_current(at[None, :], at[:, None], np.full((61, 61), max(height, one.floor)))
    box = draw.Box((-reach, reach, -reach, reach))
    seen = draw.filled(box, draw.colours(np.exp(log - log.max()), (0, 1), "magma"))
    places = -junction.tip[junction.weights.sum(0) > 0]  # the tip is here when that atom is above ours
    seen += draw.dots(box, places[:, 0], places[:, 1], np.tile([[86, 180, 233]], (len(places), 1)), 2.5)
    alt = f"Current of the tip over a single atom, {height:g} Å below it, with a blue dot for each atom of the tip."
    bar = ("I / I max [1]", (0.0, 1.0), "magma")
    return draw.chart(TITLES["footprint"], alt, box, seen, "x [Å]", "y [Å]", bar)


def at_constant_height(shot):
    """ln I on the nominal raster at the height of the setpoint, against its median."""
    scan = shot.scan
    log = constant_height(shot.junction, scan.raster, max(scan.parameters.junction.height, shot.junction.floor))
    what = "Logarithm of the current while the tip stays at one height"
    return image("constant_height", what, log - np.median(log), scan, "ln(I / median) [1]", "cividis")


def topograph(name, what):
    """Return the maker of an image of heights [pm], counted from the lowest."""

    def make(shot, leg=None):
        height = getattr(shot.scan, name)
        height = height if leg is None else height[leg]
        return image(name, what, PM * (height - np.nanmin(height)), shot.scan, "height [pm]", "afmhot", leg)

    return make


def error(shot, leg):
    """ln(I / I set) that the controller read."""
    values = shot.scan.current[leg]
    end = np.nanpercentile(np.abs(values), RANGE[1]) or 1.0
    what = "Logarithm of the measured current over the setpoint"
    return image("current", what, values, shot.scan, "ln(I / I set) [1]", "RdBu_r", leg, (-end, end))


def loop(shot, leg):
    """True height against the drive, pixel by pixel, coloured by time."""
    scan = shot.scan
    drive, true = 1000 * scan.drive[leg].ravel(), PM * (scan.true_height[leg].ravel() - scan.true_height.min())
    when = scan.time[leg].ravel()
    box = draw.Box((*draw.padded(drive.min(), drive.max(), 0.04), *draw.padded(true.min(), true.max(), 0.04)), False)
    limits = draw.padded(when.min(), when.max())
    order = np.argsort(when)
    seen = draw.dots(box, drive[order], true[order], draw.colours(when[order], limits, "plasma"), 1.2)
    alt = f"True height against drive voltage for each pixel of the {LEGS[leg]}, coloured by time."
    bar = ("time [s]", limits, "plasma")
    return draw.chart(TITLES["loop"], alt, box, seen, "drive [mV]", "true height [pm]", bar)


def truth(shot):
    """Masks of the lattice (blue) and the defects (orange) in the coordinates of the trace."""
    lattice, defects = shot.scan.masks()[..., None]
    paper, blue, orange = (np.array(c, float) for c in ((20, 20, 30), (60, 110, 190), (255, 160, 40)))
    seen = paper + lattice * (blue - paper)
    seen = np.rint(seen + defects * (orange - seen)).astype("u1")
    alt = f"Top selenium atoms, blue, and {count(shot.scan)}, orange, where the distorted trace shows them."
    box = frame_box(shot.scan.raster)
    shown = draw.filled(box, upright(seen, shot.scan.raster))
    return draw.chart("Truth: top Se blue, defects orange", alt, box, shown, "x [nm]", "y [nm]")


LEGS = ("trace", "retrace")
MAKERS = {
    "sample": sample, "tip": tip, "footprint": footprint, "constant_height": at_constant_height,
    "ideal": topograph("ideal", "Height at which a perfect instrument holds the current"),
    "height": topograph("height", "Recorded height, that is the drive voltage times its calibration"),
    "true_height": topograph("true_height", "Height at which the tip really was"),
    "current": error, "loop": loop, "truth": truth,
}  # fmt: skip


def image(name, what, values, scan, label, cmap, leg=None, limits=None):
    """Draw values (L, P) of a scan as one sees them in space."""
    limits = draw.padded(*(limits or np.nanpercentile(values, RANGE)))
    box = frame_box(scan.raster)
    seen = draw.filled(box, upright(draw.colours(np.nan_to_num(values, nan=limits[0]), limits, cmap), scan.raster))
    title = TITLES[name] if leg is None else f"{TITLES[name]}, {LEGS[leg]}"
    low, high = np.nanmin(values), np.nanmax(values)
    alt = f"{what}{'' if leg is None else ', ' + LEGS[leg]}: from {low:.3g} to {high:.3g}, {label}."
    return draw.chart(title, alt, box, seen, "x [nm]", "y [nm]", (label, limits, cmap))


def upright(pixels, raster):
    """Turn pixels (L, P, 3) in the order of acquisition into space: row 0 at the bottom."""
    return np.moveaxis(picture(np.moveaxis(pixels, -1, 0), raster), 0, -1)


def frame_box(raster):
    """Axes of an image, from its lower left corner [nm]."""
    width, height = raster.extent
    return draw.Box((0.0, NM * width, 0.0, NM * height))


def corners(raster):
    """Corners of the frame on the sample: x (4,), y (4,) [Å]."""
    width, height = raster.extent
    return raster.to_sample(np.array([-1, 1, 1, -1]) * width / 2, np.array([-1, -1, 1, 1]) * height / 2)


def relative(weight):
    """Weights as shares of the largest."""
    return weight / (weight.max() or 1.0)


def count(scan):
    """Number of defects inside the frame, in words."""
    inside = int(scan.defects["inside"].sum())
    return f"{inside or 'no'} defect{'' if inside == 1 else 's'}"
