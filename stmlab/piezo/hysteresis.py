"""A piezo's displacement depends on where it has been: loops, their width, and what they do to a scan.

The drive v runs over a stated range from -1/2 to 1/2, and the displacement is v - h, with the state h of `BoucWen`.
"""

from __future__ import annotations

import numpy as np

from .bouc_wen import BoucWen, drive, follow, limit, ramp, rate, rk4

__all__ = [
    "BoucWen", "displaced", "drive", "follow", "limit", "loop", "loop_width", "of_width", "ramp", "rate", "rk4",
    "stroke",
]  # fmt: skip


def loop(model, amplitude=0.5, points=101):
    """Closed loop between ±amplitude (n = 1).

    Parameters
    ----------
    model : BoucWen
        Its three numbers.
    amplitude : float
        Of the drive [ranges].
    points : int
        Points of each branch.

    Returns
    -------
    v : (points,) ndarray
        Drive, rising [ranges].
    rising, falling : (points,) ndarray
        State on the way up and on the way down [ranges].
    """
    v = np.linspace(-amplitude, amplitude, points)
    top = limit(model, amplitude)
    rising = ramp(-top, v + amplitude, model)
    return v, rising, -rising[::-1]


def stroke(model):
    r"""Displacement for a drive from -1/2 to 1/2, once the loop has closed: :math:`X = 1 - 2 H_0` [ranges].

    Raises
    ------
    ValueError
        If it is not positive: then the state swallows the whole drive.
    """
    length = 1 - 2 * limit(model)
    if length <= 0:
        raise ValueError(f"{model}: the piezo would not move at all; lower a")
    return length


def loop_width(model):
    r"""Width of the closed loop, as a share of the stroke.

    The displacements on the way down and on the way up differ most at v = 0, where
    :math:`(v - h_\downarrow) - (v - h_\uparrow) = 2 h_\uparrow(0)`.

    Parameters
    ----------
    model : BoucWen
        Its three numbers.

    Returns
    -------
    float
        0.05 means 5 % of the stroke.
    """
    return 2 * float(ramp(-limit(model), 0.5, model)) / stroke(model)


def of_width(width, beta, gamma):
    r"""Model whose closed loop has a given width.

    The state is proportional to A. With the width m and the top y of the loop of h for A = 1, the width w asks for

    .. math:: \frac{A m}{1 - 2 A y} = w \quad\Longrightarrow\quad A = \frac{w}{m + 2 w y}

    Parameters
    ----------
    width : float
        Share of the stroke; 0.05 is 5 %.
    beta, gamma : float
        Shape of the loop.

    Returns
    -------
    BoucWen

    Raises
    ------
    ValueError
        If the width is negative.
    """
    if width < 0:
        raise ValueError(f"width = {width:g}: a loop is at least 0 wide")
    unit = BoucWen(1.0, beta, gamma)
    top = limit(unit)
    return BoucWen(width / (2 * float(ramp(-top, 0.5, unit)) + 2 * width * top), beta, gamma)


def displaced(command, extent, model):
    r"""Where the piezo is when it is told to be somewhere.

    It has been swept over its range until the loop closed, and comes to the first position from the end that lets it
    go on without a turn. The drive is stretched so that the ends of the range stay where they are:

    .. math:: x = \mathrm{extent}\,\frac{v - h(v)}{X}, \quad v = \frac{\mathrm{command}}{\mathrm{extent}}

    Parameters
    ----------
    command : (N,) array
        Positions asked for, in the order of time, counted from the middle of the range [Å].
    extent : float
        Range that the piezo is swept over [Å].
    model : BoucWen
        Its three numbers; a = 0 returns the command.

    Returns
    -------
    (N,) ndarray
        Positions reached [Å].
    """
    command = np.asarray(command, float)
    v = command / extent
    moves = np.diff(v)[np.diff(v) != 0]
    up = 1.0 if moves.size == 0 or moves[0] > 0 else -1.0
    top = limit(model)
    first = ramp(-up * top, v[0] + up / 2, model)
    return command + extent * (2 * top * v - follow(v, model, first)) / stroke(model)
