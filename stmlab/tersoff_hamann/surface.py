"""What to do with any junction: find the surface of a current, measure how its corrugation decays."""

from __future__ import annotations

import numpy as np

STEPS = 100  # of the search for a height


def constant_current(junction, x, y, log_setpoint, start=6.0, tolerance=1e-9):
    """Find the heights at which ln I has its setpoint, by Newton steps inside a bracket that only shrinks.

    Parameters
    ----------
    junction : TersoffHamann or Junction
        Anything with ``log_current_and_slope``, ``kappa`` and ``floor``.
    x, y : arrays that broadcast
        Where [Å].
    log_setpoint : float
        ln I to hold.
    start : float
        Height to start from [Å]. Over the nodes of a state ln I need not fall with z all the way; starting
        further out then leads to the outer of several surfaces.
    tolerance : float
        Last step [Å].

    Returns
    -------
    ndarray
        Heights [Å].

    Raises
    ------
    ValueError
        If somewhere no height above the floor has that current.
    """
    x, y = np.broadcast_arrays(x, y)
    z = np.full(x.shape, float(max(start, junction.floor)))
    low, high = np.full(x.shape, junction.floor), np.full(x.shape, np.inf)
    for _ in range(STEPS):
        value, slope = junction.log_current_and_slope(x, y, z)
        low, high = np.where(value > log_setpoint, z, low), np.where(value > log_setpoint, high, z)
        step = (log_setpoint - value) / np.minimum(slope, -junction.kappa / 4)
        new = z + np.clip(step, -1.0, 1.0)
        new = np.where((new < low) | (new > high), (low + np.minimum(high, z + 1.0)) / 2, new)
        if np.all(np.abs(new - z) < tolerance):
            break
        z = new
    if np.any(np.abs(new - z) >= tolerance) or np.any(new < junction.floor + 2 * tolerance):
        raise ValueError(f"no height above {junction.floor:.2f} Å holds ln I = {log_setpoint:.3g}; lower the setpoint")
    return new


def corrugation(junction, cell, heights, points=16):
    r"""Mean current over a cell, and the first Fourier component of its corrugation, against height.

    .. math:: I_G = \frac{1}{A} \int I(r)\, e^{-i G \cdot r}\, d^2 r

    Parameters
    ----------
    junction : TersoffHamann or Junction
        Anything with ``log_current``.
    cell : (2, 2) or (3, 3) array
        Cell vectors in rows [Å].
    heights : (H,) array
        Of the tip's origin [Å].
    points : int
        Along each cell vector.

    Returns
    -------
    log_mean : ndarray, (H,)
        ln I_0.
    relative : ndarray, (H,)
        |I_G| / I_0 of the first reciprocal vector; on a lattice with threefold symmetry, of all six.
    """
    u, v = np.meshgrid(*[np.arange(points) / points] * 2, indexing="ij")
    xy = np.stack([u, v], -1) @ np.asarray(cell, float)[:2, :2]
    value = junction.log_current(xy[..., 0, None], xy[..., 1, None], np.asarray(heights, float))
    largest = value.max(axis=(0, 1))
    part = np.fft.fft2(np.exp(value - largest), axes=(0, 1)) / points**2
    return largest + np.log(part[0, 0].real), np.abs(part[1, 0]) / part[0, 0].real
