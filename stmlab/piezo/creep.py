"""Drift, creep and jitter of the scanner, as functions of time."""

from __future__ import annotations

import numpy as np

from ..kernels import creep as kernel

SPACING = 1.3  # between the logarithms of relaxation times; the trapezoidal rule errs by 5e-4 of a decade
FIRST = -2.74  # the first of these; from here the errors at both ends of the logarithm do not add up
SLOWEST = 3.0  # times the duration: what relaxes more slowly is one relaxation with the same start and curvature
QUICKEST = 0.1  # times the time step: what relaxes more quickly has done so within the step
LEAST = 1e-4  # shares below this are left out


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
        Anything with ``at(row, col)`` [Å], and with the `dwell` on a pixel and the `line_period` [s].

    Returns
    -------
    ndarray, (..., 2)
        Lattice vectors in the image, in sample axes [Å].
    """
    rows, columns = np.array([0, 0, 1]), np.array([0, 1, 0])
    x, y = raster.at(rows, columns)
    steps = np.array([[x[1] - x[0], y[1] - y[0]], [x[2] - x[0], y[2] - y[0]]])  # Å, to the next pixel, the next line
    gradient = np.linalg.solve(steps, [raster.dwell, raster.line_period])
    return np.asarray(vectors) @ np.linalg.inv(np.eye(2) + np.outer(velocity, gradient)).T


def creep_factor(time, gamma, t0):
    r"""Length after a step that was 1 at once: :math:`L(t)/L_0 = 1 + \gamma \log_{10}(1 + t/t_0)`.

    The makers' law has :math:`\log_{10}(t/t_0)` and holds from t0 on; the 1 makes it hold from the step itself.

    Parameters
    ----------
    time : array
        Since the step, not negative [s].
    gamma : float
        Share of the step gained in each decade of time.
    t0 : float
        Time from which the decades count [s].

    Returns
    -------
    ndarray

    Raises
    ------
    ValueError
        If t0 is not greater than 0.
    """
    if not t0 > 0:
        raise ValueError(f"creep time t0 = {t0} s must be greater than 0 s")
    return 1.0 + gamma * np.log1p(np.asarray(time, float) / t0) / np.log(10)


def relaxation(t0, shortest, longest):
    r"""Relaxation times and their shares whose sum is the logarithm of creep.

    With :math:`s = e^{-w}`, Frullani's integral :math:`\ln(1+\tau) = \int_0^\infty (1-e^{-\tau s})\,e^{-s}\,ds/s` is

    .. math:: \ln(1 + \tau) = \int_{-\infty}^{\infty} \bigl(1 - e^{-\tau e^{-w}}\bigr)\, e^{-e^{-w}}\, dw

    so that each relaxation time :math:`t_0 e^w` well above t0 has the same share. The trapezoidal rule in w makes
    a sum of it. Times beyond `longest` are merged into one that keeps their speed and curvature.

    Parameters
    ----------
    t0 : float
        Time from which the decades count [s].
    shortest, longest : float
        Between which times the sum is needed [s]: the time step, and the whole duration.

    Returns
    -------
    times, shares : ndarray, (K,)
        Times [s] and shares, with :math:`\sum_k s_k (1 - e^{-t/t_k}) = \log_{10}(1 + t/t_0)` to 7e-4, for t = 0
        and from `shortest` to `longest`. K is 2 for each decade from t0 to `longest`, and 3 more.

    Raises
    ------
    ValueError
        Unless 0 < t0 and 0 < shortest <= longest.
    """
    if not (t0 > 0 and 0 < shortest <= longest):
        raise ValueError(
            f"creep needs a time t0 = {t0} s > 0 s and a range {shortest} s to {longest} s that is positive and rises"
        )
    w = np.arange(FIRST, np.log(max(longest / t0, 1.0)) + 12.0, SPACING)
    times, shares = t0 * np.exp(w), SPACING * np.exp(-np.exp(-w)) / np.log(10)
    slow, quick = times > SLOWEST * longest, times < QUICKEST * shortest
    speed, curvature = (shares[slow] / times[slow]).sum(), (shares[slow] / times[slow] ** 2).sum()
    kept = ~slow & ~quick & (shares > LEAST)
    times = np.concatenate([[QUICKEST * shortest / 2], times[kept], [speed / curvature]])
    shares = np.concatenate([[shares[quick].sum()], shares[kept], [speed**2 / curvature]])
    return times[shares > LEAST], shares[shares > LEAST]


def creep(drive, dt, gamma, t0):
    r"""Displacement beyond the drive: every move goes on growing with the logarithm of the time since.

    .. math:: c_n = \gamma \sum_{j \le n} (d_j - d_{j-1}) \log_{10}\bigl(1 + (t_n - t_j)/t_0\bigr)

    The sum over all earlier moves takes N steps for each of N samples. With the logarithm as a sum of relaxations
    (`relaxation`) it takes K: each remembers how far it lags behind the drive, and that fades by
    :math:`e^{-\Delta t/t_k}` in a step.

    Parameters
    ----------
    drive : (N,) array
        Where the piezo is told to be [Å], held from one sample to the next; it stood at drive[0] for ever.
    dt : float
        Time between samples [s].
    gamma : float
        Share of a move gained in each decade of time.
    t0 : float
        Time from which the decades count [s].

    Returns
    -------
    ndarray, (N,)
        Displacement on top of the drive [Å]; exactly zero where gamma is.

    References
    ----------
    L. Libioulle et al., J. Vac. Sci. Technol. B 9, 655 (1991), doi:10.1116/1.585480: creep of an STM's scanner.
    """
    drive = np.ascontiguousarray(drive, float)
    if gamma == 0 or drive.size < 2:
        return np.zeros(drive.shape)
    times, shares = relaxation(t0, dt, dt * drive.size)
    out = np.empty(drive.size)
    kernel.creep(drive, np.exp(-dt / times), shares, out)
    return gamma * out


def creep_sum(drive, dt, gamma, t0):
    """Sum the law of `creep` over every earlier move, N^2 terms; what `creep` is tested against."""
    move = np.diff(np.asarray(drive, float), prepend=drive[0])
    answer = creep_factor(dt * np.arange(move.size), gamma, t0) - 1.0
    return np.convolve(move, answer)[: move.size]


def settle(time, offset, gamma, t0, wait):
    r"""Creep after the move that brought the tip to the frame, counted from the start of the frame.

    .. math:: \Delta(t) = \gamma\,\Delta_0\,\log_{10}\frac{t_0 + t_w + t}{t_0 + t_w}

    Waiting works as a larger t0: the speed at the start is :math:`\gamma\Delta_0/\ln 10\,(t_0 + t_w)`.

    Parameters
    ----------
    time : array
        Since the start of the frame [s].
    offset : float
        The move :math:`\Delta_0` [Å].
    gamma : float
        Share of a move gained in each decade of time.
    t0 : float
        Time from which the decades count [s].
    wait : float
        Between the move and the frame, :math:`t_w` [s].

    Returns
    -------
    ndarray
        Displacement [Å], 0 at t = 0.
    """
    return offset * (creep_factor(time, gamma, t0 + wait) - 1.0)


def bend(time, duration, gamma, magnitude):
    r"""Creep as a bend of given size: :math:`\gamma\,\ln\bigl(1 + (m - 1)\,t/T\bigr)`.

    The form :math:`y_0 + \gamma \ln(t'/t_0)`, with t' running from T/m to T while the frame is taken. It starts
    at 0, with m - 1 times the mean speed of a frame that moved by gamma, and ends at gamma ln m.

    Parameters
    ----------
    time : array
        Since the start of the frame [s].
    duration : float
        Of the frame, T [s].
    gamma : float
        Size of the bend [Å].
    magnitude : float
        How much the logarithm's argument grows, m > 0; 1 is no bend, and below 1 the bend is at the end.

    Returns
    -------
    ndarray
        Displacement [Å].

    Raises
    ------
    ValueError
        If the magnitude or the duration is not greater than 0.
    """
    if not (magnitude > 0 and duration > 0):
        raise ValueError(f"bend magnitude = {magnitude} and duration = {duration} s must be greater than 0")
    return gamma * np.log1p((magnitude - 1.0) * np.asarray(time, float) / duration)


def jitter(rng, lines, rms):
    """Offsets of whole lines, Gaussian and independent (lines,), in the unit of their rms."""
    return rms * rng.standard_normal(lines)
