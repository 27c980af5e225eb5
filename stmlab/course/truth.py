"""The instructor's answers, each a function of a case."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from ..analysis import defect_density
from ..labels import visible
from ..spectra import apparent_barrier

ANSWERS = {}
DARK = ("se-vacancy-top", "se-vacancy-bottom", "w-vacancy")
USED = 2.0  # Å of a curve that a fit can use, before the current is lost in noise


def answers(solve):
    """Register a function as the answer to the question of its name."""
    ANSWERS[solve.__name__] = solve
    return solve


@answers
def scale(case):
    """True length per length that the file says."""
    return case.parameters.raster.width / case.record.raster.width


@answers
def drift_x(case):
    """Velocity of the tip over the sample along x [Å/s]."""
    return case.parameters.piezo.drift_x


@answers
def drift_y(case):
    """Velocity of the tip over the sample along y [Å/s]."""
    return case.parameters.piezo.drift_y


@answers
def tilt_x(case):
    """Angle at which the surface rises along x [degrees]."""
    return case.parameters.sample.tilt_x


@answers
def tilt_y(case):
    """Angle at which the surface rises along y [degrees]."""
    return case.parameters.sample.tilt_y


@answers
def loop_gain(case):
    """Share of the height error that one update removes."""
    return case.parameters.feedback.loop_gain


@answers
def shift(case):
    """Greatest distance along x between trace and retrace of one column [% of the frame]."""
    x = case.scan.x
    return 100 * np.abs(x[1] - x[0]).max() / case.parameters.raster.width


@answers
def dark(case):
    """Vacancies in the frame."""
    return np.isin(_inside(case)["kind"], DARK).sum()


@answers
def bright(case):
    """Defects in the frame that are no vacancies."""
    return len(_inside(case)) - dark(case)


@answers
def density(case):
    """Defects per area [1/nm2]."""
    return _density(case).value


@answers
def density_low(case):
    """Lower limit of the interval of one standard deviation [1/nm2]."""
    return _density(case).low


@answers
def density_high(case):
    """Upper limit of the interval of one standard deviation [1/nm2]."""
    return _density(case).high


def _density(case):
    return defect_density(len(_inside(case)), np.prod(case.scan.raster.extent) / 100)


def _inside(case):
    return case.scan.defects[case.scan.defects["inside"]]


@answers
def barrier(case):
    """Apparent height of the barrier over the part of the curve that can be used [eV]."""
    return apparent_barrier(_slope(case))


@answers
def decay(case):
    """Factor by which the current falls when the tip retracts by 1 Å."""
    return np.exp(-_slope(case))


@answers
def offset(case):
    """Current that the amplifier shows when none flows [pA]."""
    return case.offset


def _slope(case):
    used = case.record.z <= USED
    return np.polyfit(case.record.z[used], case.log_current[used], 1)[0]


def places(case):
    """Visible defects, (D, 2): column and row [pixels]."""
    seen = visible(case.scan)
    return np.column_stack([seen["col"], seen["row"]])


def f1(found, true, pixel_size, reach):
    r"""How well places agree.

    .. math:: F_1 = \frac{2 n}{n_\mathrm{found} + n_\mathrm{true}}

    with n pairs of a found and a true place at most `reach` apart.

    Parameters
    ----------
    found, true : (N, 2) and (D, 2) arrays
        Column and row [pixels].
    pixel_size : (float, float)
        Side of a pixel along columns and rows [Å].
    reach : float
        Greatest distance [Å].

    Returns
    -------
    float
        1 where both are empty. Every place is paired once at most, in the way that gives the most pairs.
    """
    if not len(found) + len(true):
        return 1.0
    distance = np.linalg.norm((found[:, None] - true) * pixel_size, axis=-1)
    near = distance <= reach
    pairs = linear_sum_assignment(near, maximize=True)
    return float(2 * near[pairs].sum() / (len(found) + len(true)))
