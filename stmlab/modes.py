"""Scan modes: what is recorded at constant height, and the height at constant current."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .kernels import constant_current as kernel
from .kernels.pairs import around

FLAT = 1e-2  # 1/Å; ln I of atoms falls at least so fast
MANY = 10_000  # pairs of atoms, beyond which a frame is worked on in patches ...
PATCH = 64  # ... of so many places each way


def constant_height(junction, raster, height):
    """Record ln I while the tip moves at one height.

    Parameters
    ----------
    junction : Junction
        Sample and tip.
    raster : Raster
        Where the tip goes.
    height : float
        Height of the tip's origin above z = 0 [Å].

    Returns
    -------
    ndarray, (L, P)
        ln I.

    Raises
    ------
    ValueError
        If the tip would touch the sample.
    """
    if not hasattr(junction, "pairs"):
        _above(junction, height)
        return junction.log_current(*raster.xy, height)
    return at_height(junction, *raster.xy, height, np.float64)[1]


def constant_current(junction, raster, log_setpoint, start=6.0, tolerance=1e-4, full_output=False):
    r"""Find the height at which the current has its setpoint, pixel by pixel.

    At the height of the pixel before, ln I and three derivatives are worked out once, and

    .. math:: \ln I + I_1 d + \tfrac12 I_2 d^2 + \tfrac16 I_3 d^3 = \ln I^*

    is solved for the step d; ln I is so nearly linear in z that this is mostly all. A bracket catches the steps
    that would leave the root.

    Parameters
    ----------
    junction : Junction
        Sample and tip.
    raster : Raster
        Where the tip goes.
    log_setpoint : float
        ln I to hold, in the units of `Junction.log_current`.
    start : float
        Height from which the first pixel starts [Å].
    tolerance : float
        A step is the last one when its cubic term is smaller [Å]; the error left is smaller by far. From 1e-5 Å on
        the sums run in single precision (which costs a few 1e-6 Å), below in double.
    full_output : bool
        Return a dict of ``evaluations`` and ``fallbacks`` (L, P) as well.

    Returns
    -------
    ndarray, (L, P)
        Heights [Å].

    Raises
    ------
    ValueError
        If the setpoint or tolerance is not finite or not positive, or at some pixel no height above the surface has
        the setpoint.
    """
    if not np.isfinite(log_setpoint):
        raise ValueError(f"log_setpoint = {log_setpoint} must be finite")
    if not tolerance > 0:
        raise ValueError(f"tolerance = {tolerance} Å must be greater than 0 Å")
    x, y = map(np.ascontiguousarray, raster.xy)
    if not hasattr(junction, "pairs"):
        z, info = newton(junction, x, y, log_setpoint, start, tolerance)
    else:
        z, info = _search(junction, x, y, log_setpoint, start, tolerance, np.empty((5, 0, 0)))
    return (z, info) if full_output else z


def expansion(junction, x, y, log_setpoint, start=6.0, tolerance=1e-4):
    r"""Expand ln I by the height near that of constant current, at any places.

    .. math:: \ln I(z) - \ln I^* = l_0 + l_1 d + \tfrac12 l_2 d^2 + \tfrac16 l_3 d^3, \qquad d = z - z_0

    Parameters
    ----------
    junction : Junction
        Sample and tip.
    x, y : (L, P) arrays
        Where the tip is [Å]; neighbours in the array are to be neighbours in space.
    log_setpoint, tolerance
        As in `constant_current`.
    start : float or (L, P) array
        Height from which the first place starts [Å], or a guess for each of them.

    Returns
    -------
    terms : ndarray, (5, L, P)
        Height z0 [Å], l0, l1 [1/Å], l2 [1/Å²] and l3 [1/Å³].
    z : ndarray, (L, P)
        Height of constant current [Å], at most a short step from z0.

    Raises
    ------
    ValueError
        As in `constant_current`.
    """
    x, y = (np.ascontiguousarray(v, dtype=float) for v in (x, y))
    terms, z = np.empty((5, *x.shape)), np.empty(x.shape)
    if np.ndim(start):
        for part, near in _parts(junction, x, y, start):
            out = expansions(near, x[part], y[part], start[part], _precision(tolerance))
            z[part] = solve(near, x[part], y[part], out, log_setpoint, tolerance)
            terms[:, *part] = out
    else:
        z, _ = _search(junction, x, y, log_setpoint, start, tolerance, terms)
    terms[1] -= log_setpoint
    return terms, z


class Part(NamedTuple):
    """What the sums need to know of a junction, for one part of a frame."""

    pairs: np.ndarray
    kappa: float
    slack: float
    floor: float


def _parts(junction, x, y, z):
    """Cut a frame with many pairs of atoms into patches, and give each the pairs that can matter there."""
    everything, size = junction.pairs, PATCH if junction.pairs.shape[1] > MANY else max(x.shape)
    for row in range(0, x.shape[0], size):
        for col in range(0, x.shape[1], size):
            part = slice(row, row + size), slice(col, col + size)
            if size == max(x.shape):
                yield part, junction
                continue
            ends = np.array([[v[part].min(), v[part].max()] for v in (x, y, z)])
            # nothing in the patch is further from its middle than this, so no distance differs by more
            reach = np.linalg.norm(np.ptp(ends, axis=1)) / 2 + kernel.STEP
            near = around(everything, *ends.mean(1), junction.slack + 2 * reach)
            yield part, Part(near, junction.kappa, junction.slack, junction.floor)


def at_height(junction, x, y, height, dtype=np.float32):
    """Do `expansions` at one height."""
    _above(junction, height)
    return expansions(junction, x, y, np.full(x.shape, height), dtype)


def _above(junction, height):
    if not height >= junction.floor:
        raise ValueError(f"height = {height} Å is inside the sample; raise the tip to at least {junction.floor:.2f} Å")


def expansions(junction, x, y, z, dtype=np.float32):
    """Heights z (L, P) [Å], ln I there and its first three derivatives by z, (5, L, P).

    In single precision, ln I is good to a few 1e-6.
    """
    x, y, z = (np.ascontiguousarray(v, dtype=float) for v in (x, y, z))
    terms, room = np.empty((5, *x.shape)), np.empty((4, junction.pairs.shape[1] + kernel.LANES), dtype)
    kernel.expansions(x, y, z, junction.pairs, 2 * junction.kappa, junction.slack, room, terms)
    return terms


def solve(junction, x, y, terms, log_setpoint, tolerance=1e-4):
    """Heights of constant current (L, P) [Å] by `expansions`, which are taken anew where they are too far away."""
    x, y = (np.ascontiguousarray(v, dtype=float) for v in (x, y))
    return _search(junction, x, y, log_setpoint, 0.0, tolerance, terms, known=True)[0]


def _precision(tolerance):
    return np.float32 if tolerance >= 1e-5 else np.float64


def _search(junction, x, y, log_setpoint, start, tolerance, terms, known=False):
    """Run the compiled search; return heights, and its evaluations and fallbacks."""
    z, calls, fallbacks = np.empty(x.shape), np.zeros(x.shape, int), np.zeros(x.shape, int)
    if known:
        kernel.first_steps(terms.reshape(5, -1), log_setpoint, junction.floor, tolerance, z.ravel(), calls.ravel())
    room = np.empty((4, junction.pairs.shape[1] + kernel.LANES), _precision(tolerance))
    kernel.constant_current(
        x, y, max(start, junction.floor), log_setpoint, junction.floor, junction.pairs, 2 * junction.kappa,
        junction.slack, tolerance, known, room, z, calls, fallbacks, terms,
    )  # fmt: skip
    _refuse(z, calls, junction.floor, log_setpoint, start)
    return z, {"evaluations": calls, "fallbacks": fallbacks}


def _refuse(z, calls, floor, log_setpoint, start):
    """Say why some pixels have no height."""
    if (calls == -kernel.ITERATIONS).any():
        raise ValueError(f"no height found in {kernel.ITERATIONS} steps from {start} Å; start nearer to the surface")
    if (calls < 0).any():
        raise ValueError(
            f"no height above {floor:.2f} Å reaches ln I = {log_setpoint:.3g} at {(calls < 0).sum()} of {z.size} "
            "pixels; lower the setpoint (start the tip further away)"
        )


def newton(junction, x, y, log_setpoint, start=6.0, tolerance=1e-6):
    r"""Find the height at which the current has its setpoint, all pixels at once, in plain NumPy.

    .. math:: z \leftarrow z + \frac{\ln I^* - \ln I}{d\ln I/dz}

    within a bracket that only shrinks: steps that would leave it go to its middle. It needs nothing of a junction
    but ln I and its slope, and is what the compiled search is tested against.

    Parameters
    ----------
    junction : object
        With ``log_current_and_slope(x, y, z)`` and ``floor``.
    x, y : array
        Where the tip is [Å].
    log_setpoint : float
        ln I to hold.
    start : float
        Height from which all pixels start [Å].
    tolerance : float
        Longest last step [Å].

    Returns
    -------
    z : ndarray
        Heights [Å].
    info : dict
        ``evaluations`` and ``fallbacks`` of each pixel.
    """
    floor, z = junction.floor, np.full(np.shape(x), max(start, junction.floor))
    low, high = np.full_like(z, floor), np.full_like(z, np.inf)
    calls, fallbacks, moving = np.zeros(z.shape, int), np.zeros(z.shape, int), np.ones(z.shape, bool)
    for _ in range(kernel.ITERATIONS):
        value, slope = junction.log_current_and_slope(x[moving], y[moving], z[moving])
        calls[moving] += 1
        old = z[moving]
        low[moving] = np.where(value > log_setpoint, old, low[moving])
        high[moving] = np.where(value > log_setpoint, high[moving], old)
        longest = np.maximum(kernel.STEP, (old - floor) / 2)
        # a wave function can have nodes, where ln I does not fall; the step stays finite and upwards there
        new = old + np.clip((log_setpoint - value) / np.minimum(slope, -FLAT), -longest, longest)
        outside = (new < low[moving]) | (new > high[moving])
        new[outside] = (low[moving] + np.minimum(high[moving], old + longest))[outside] / 2
        fallbacks[moving] += outside
        z[moving] = new
        moving[moving] = np.abs(new - old) >= tolerance
        if not moving.any():
            break
    calls[moving | (z - floor < 2 * tolerance)] *= -1
    _refuse(z, calls, floor, log_setpoint, start)
    return z, {"evaluations": calls, "fallbacks": fallbacks}
