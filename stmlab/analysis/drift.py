"""Drift and creep from the lattice itself: how fast the tip drifted, band by band, and what that does to places."""

import numpy as np
from scipy.ndimage import map_coordinates

from .calibration import lattice_correction
from .lattice import lattice_vectors


def drift_velocity(correction, raster):
    r"""Drift velocity of the tip from the correction of an image.

    A tip that is told to be at u is at :math:`u + v\,t(u)`, so that :math:`M = 1 + v \otimes \nabla t`; see
    `stmlab.piezo.drifted_lattice`, which goes the other way.

    Parameters
    ----------
    correction : (2, 2) array
        M, in sample axes.
    raster : Raster
        Of the trace.

    Returns
    -------
    ndarray, (2,)
        Velocity relative to the sample [Å/s], least squares where M is not exactly of this form.
    """
    gradient = _gradient(raster)
    return (np.asarray(correction, dtype=float) - np.eye(2)) @ gradient / (gradient @ gradient)


def _steps(raster):
    """Return the steps to the next pixel and to the next line in sample axes [Å]; rows of the result."""
    x, y = raster.at(np.array([0, 0, 1]), np.array([0, 1, 0]))
    return np.array([[x[1] - x[0], y[1] - y[0]], [x[2] - x[0], y[2] - y[0]]])


def _gradient(raster):
    """Return how fast time passes along the sample's axes [s/Å]."""
    return np.linalg.solve(_steps(raster), [raster.dwell, raster.line_period])


def drift_history(image, raster, known, bands=4):
    """Measure how the drift changes in the course of a frame, as it does under creep.

    Parameters
    ----------
    image : ndarray, (L, P)
        A trace in the order of acquisition.
    raster : Raster
        Its frame.
    known : float or (2, 2) array
        The known lattice, see `lattice_correction`; vectors are in sample axes.
    bands : int
        Number of bands of lines, each half as high again as its share, so that neighbours overlap. Each must show
        at least some eight periods of the lattice.

    Returns
    -------
    times : ndarray, (bands,)
        Middle of each band, from the start of the frame [s].
    velocities : ndarray, (bands, 2)
        Drift velocity of the tip in each [Å/s], in sample axes.

    Raises
    ------
    ValueError
        If the image does not fit the raster, or a band shows no lattice.
    """
    image = np.asarray(image, dtype=float)
    if image.shape != raster.shape or not 1 <= bands <= raster.lines // 16:
        raise ValueError(f"an image of shape {image.shape} in {bands} bands does not fit a raster of {raster.shape}; "
                         "each band needs 16 lines")  # fmt: skip
    height = min(raster.lines, max(16, round(1.5 * raster.lines / bands) if bands > 1 else raster.lines))
    starts = np.rint(np.linspace(0, raster.lines - height, bands)).astype(int)
    axes = _steps(raster)
    axes = axes / np.linalg.norm(axes, axis=1, keepdims=True)
    constant = known if np.ndim(known) == 0 else None
    gradient = _gradient(raster)
    at_once = np.array([gradient[1], -gradient[0]])  # along which no time passes; nearly the fast axis
    velocities = []
    for start in starts:
        seen = lattice_vectors(image[start : start + height], raster.pixel_size, constant) @ axes
        velocities.append(drift_velocity(lattice_correction(seen, known, at_once * np.sign(at_once @ axes[0])), raster))
    times = (starts + height / 2) * raster.line_period
    return times, np.array(velocities)


def drifted_to(time, times, velocities):
    """How far the tip has drifted, from a history of velocities.

    Parameters
    ----------
    time : array
        Since the start of the frame [s].
    times, velocities : ndarray, (B,) and (B, 2)
        From `drift_history`. Between the times the velocity is a straight line, beyond them it goes on as one.

    Returns
    -------
    ndarray, (..., 2)
        Displacement [Å], 0 at t = 0: an atom seen at u is at u + displacement.
    """
    time, times, velocities = np.asarray(time, float), np.asarray(times, float), np.asarray(velocities, float)
    if times.size == 1:
        return time[..., None] * velocities[0]
    slopes = np.diff(velocities, axis=0) / np.diff(times)[:, None]
    piece = np.clip(np.searchsorted(times, time) - 1, 0, times.size - 2)

    def integral(t, k):
        since = (t - times[k])[..., None]
        return since * velocities[k] + since**2 / 2 * slopes[k]

    steps = np.diff(times)[:, None] * (velocities[1:] + velocities[:-1]) / 2
    passed = np.vstack([np.zeros(2), np.cumsum(steps, axis=0)])
    return passed[piece] + integral(time, piece) - integral(np.zeros(()), np.zeros((), int))


def undrift_points(points, raster, times, velocities):
    """Move points of a trace to where they are on the sample, by a history of the drift.

    Parameters
    ----------
    points : (..., 2) array
        x and y as the raster has them, in sample axes [Å].
    raster : Raster
        Of the trace.
    times, velocities : ndarray, (B,) and (B, 2)
        From `drift_history`.

    Returns
    -------
    ndarray, (..., 2)
        Relative to the drift at the start of the frame [Å].
    """
    points = np.asarray(points, dtype=float)
    row, column = raster.pixel(points[..., 0], points[..., 1])
    time = row * raster.line_period + (raster.turn + column + 0.5) * raster.dwell
    return points + drifted_to(time, times, velocities)


def undrift_image(image, raster, times, velocities, rounds=20):
    """Resample a trace on the nominal raster as if nothing had drifted since the frame began.

    Parameters
    ----------
    image : ndarray, (L, P)
        A trace in the order of acquisition.
    raster : Raster
        Its frame.
    times, velocities : ndarray, (B,) and (B, 2)
        From `drift_history`.
    rounds : int
        Iterations that find where each place was seen; each gains a factor of scan speed over drift.

    Returns
    -------
    ndarray, (L, P)
        Linear interpolation, NaN where the image shows nothing.
    """
    place = np.stack(raster.xy, axis=-1)
    seen = place
    for _ in range(rounds):
        seen = seen - (undrift_points(seen, raster, times, velocities) - place)
    return map_coordinates(np.asarray(image, float), raster.pixel(seen[..., 0], seen[..., 1]), order=1, cval=np.nan)
