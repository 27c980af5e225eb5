"""The equation of Bouc and Wen, by Runge and Kutta for any exponent n, and exactly for n = 1.

The drive v and the displacement v - h are shares of a stated range. The state h follows the drive, not the time.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq

from ..kernels import hysteresis as kernels


class BoucWen(NamedTuple):
    """Share of the drive that the state swallows (a), and its shape: beta + gamma loading, beta - gamma unloading."""

    a: float
    beta: float
    gamma: float


def rate(h, v_rate, model, n=1):
    r"""Rate of the state: :math:`\dot h = A\dot v - \beta|\dot v||h|^{n-1}h - \gamma\dot v|h|^n`.

    Every term has one factor :math:`\dot v`, so that time drops out: h depends on the path of v alone.

    Parameters
    ----------
    h : array
        State [ranges].
    v_rate : array
        Rate of the drive [ranges per any unit]; for `rk4` the change within a step.
    model : BoucWen
        Its three numbers.
    n : float
        Exponent, at least 1; the larger, the sharper the bend into saturation.

    References
    ----------
    M. Ismail, F. Ikhouane, J. Rodellar, Arch. Comput. Methods Eng. 16, 161 (2009), doi:10.1007/s11831-009-9031-8;
    of a piezo: T. S. Low, W. Guo, J. Microelectromech. Syst. 4, 230 (1995), doi:10.1109/84.475550
    """
    size = np.abs(h)
    return model.a * v_rate - model.beta * np.abs(v_rate) * size ** (n - 1) * h - model.gamma * v_rate * size**n


def rk4(drive, model, n=1, h=0.0, substeps=1):
    r"""State along a drive by the Runge-Kutta method of fourth order, for any exponent n.

    Between two samples the drive is a straight line, so a reversal lies at a sample. Since time drops out, a step of
    Runge and Kutta is one in v:

    .. math:: h_{i+1} = h_i + \tfrac16(k_1 + 2k_2 + 2k_3 + k_4)

    Parameters
    ----------
    drive : (N, ...) array
        Drive [ranges].
    model : BoucWen
        Its three numbers.
    n : float
        Exponent of `rate`.
    h : float or array
        State at the first sample [ranges].
    substeps : int
        Steps between two samples.

    Returns
    -------
    (N, ...) ndarray
        State [ranges].
    """
    drive = np.asarray(drive, float)
    states = np.empty_like(drive)
    states[0] = h
    for i, dv in enumerate(np.diff(drive, axis=0) / substeps):
        h = states[i]
        for _ in range(substeps):
            k1 = rate(h, dv, model, n)
            k2 = rate(h + k1 / 2, dv, model, n)
            k3 = rate(h + k2 / 2, dv, model, n)
            k4 = rate(h + k3, dv, model, n)
            h = h + (k1 + 2 * k2 + 2 * k3 + k4) / 6
        states[i + 1] = h
    return states


def _climb(x, r):
    """u after a way x from u = 0, where du/dx = 1 - r u: (1 - e^(-r x)) / r, or x itself for r = 0."""
    q = np.where(np.abs(r * x) < 1e-300, 1e-300, r * x)
    return x * -np.expm1(-q) / q


def _reach(u, r):
    """Way to u from u = 0, the inverse of `_climb`: -ln(1 - r u) / r; endless where u = 1/r is not surpassed."""
    q = np.where(np.abs(r * u) < 1e-300, 1e-300, r * u)
    with np.errstate(divide="ignore"):
        return np.where(q < 1, -np.log1p(-np.minimum(q, 1.0)) / q * u, np.inf)


def _way(u, r):
    """`_reach` of one number, fifty times quicker."""
    if abs(r * u) < 1e-300:
        return u
    return -math.log1p(-r * u) / r if r * u < 1 else math.inf


def ramp(h, dv, model):
    r"""State after a straight piece of drive, exactly (n = 1).

    With :math:`u = h\,\mathrm{sign}(dv)` and the way :math:`x = |dv|`, u climbs towards :math:`A/(\beta+\gamma)`:

    .. math:: \frac{du}{dx} = A - r u, \quad r = \beta \pm \gamma\ (u \gtrless 0)
        \quad\Longrightarrow\quad u(x) = u(0) + (A - r\,u(0))\,\frac{1 - e^{-rx}}{r}

    Where u < 0 reaches zero on the way, the rest of the way starts from there with the other r.

    Parameters
    ----------
    h, dv : array
        State before, and change of the drive [ranges]; elementwise.
    model : BoucWen
        Its three numbers.

    Returns
    -------
    ndarray
        State after it; h itself where dv = 0.
    """
    a, beta, gamma = model
    if a == 0:  # nothing feeds the state, and u = 0 is never reached
        a = 1e-300
    sign = np.where(np.asarray(dv) < 0, -1.0, 1.0)
    u, way = sign * h, np.abs(dv)
    to_zero = np.where(u < 0, _reach(-u / a, -(beta - gamma)), 0.0)
    crosses = (u < 0) & (way > to_zero)
    r = np.where((u < 0) & ~crosses, beta - gamma, beta + gamma)
    start, left = np.where(crosses, 0.0, u), way - np.where(crosses, to_zero, 0.0)
    return sign * (start + (a - r * start) * _climb(left, r))


def follow(drive, model, h=0.0):
    """State along a drive (n = 1), exactly if the drive is straight between its samples.

    Parameters
    ----------
    drive : (N,) array
        Drive [ranges].
    model : BoucWen
        Its three numbers.
    h : float
        State at the first sample [ranges].

    Returns
    -------
    (N,) ndarray
        State [ranges].
    """
    drive = np.ascontiguousarray(drive, float)
    states = np.empty_like(drive)
    if len(drive):
        kernels.follow(drive, float(h), *map(float, model), states)
    return states


@lru_cache(maxsize=256)
def limit(model, amplitude=0.5):
    r"""State at the top of the closed loop that repeated sweeps between ±amplitude end in (n = 1).

    Half a sweep leads from :math:`-H_0` through zero to :math:`H_0`. With s, d = beta ± gamma the ways add up to

    .. math:: \frac{1}{d}\ln\Bigl(1 + \frac{d H_0}{A}\Bigr) - \frac{1}{s}\ln\Bigl(1 - \frac{s H_0}{A}\Bigr)
        = 2 \times \text{amplitude}

    Parameters
    ----------
    model : BoucWen
        Its three numbers.
    amplitude : float
        Of the drive [ranges].

    Returns
    -------
    float
        H0 [ranges].

    Raises
    ------
    ValueError
        If beta is not positive: then no closed loop attracts what is near it.
    """
    a, beta, gamma = model
    if beta <= 0:
        raise ValueError(f"beta = {beta:g}: a drive that goes to and fro ends in a closed loop only if beta > 0")
    highest = float(_climb(2 * amplitude, beta + gamma))  # of H0 / A: had the sweep begun at h = 0
    if highest == 0:
        return 0.0
    beyond = lambda h: _way(h, gamma - beta) + _way(h, beta + gamma) - 2 * amplitude  # noqa: E731
    return a * brentq(beyond, 0.0, highest, xtol=1e-16)


def drive(displacement, model, h=0.0):
    r"""Drive that gives a wanted displacement, the inverse of `follow` (n = 1).

    Sample by sample, :math:`v - h(v) = x` is solved for the ramp that leads there.

    Parameters
    ----------
    displacement : (N,) array
        Wanted v - h [ranges].
    model : BoucWen
        Its three numbers.
    h : float
        State at the first sample [ranges].

    Returns
    -------
    (N,) ndarray
        Drive v [ranges].

    Raises
    ------
    ValueError
        If after some turn the piezo might first move the wrong way: then one displacement belongs to several drives.
        This is judged for any drive; a model may be refused that has an inverse over a short range.
    """
    a, beta, gamma = model
    highest = a / (beta + gamma) if beta + gamma > 0 else np.inf
    steepest = a + (max(beta - gamma, 0.0) * max(highest, abs(h)) if a or h else 0.0)
    if steepest >= 1:
        raise ValueError(f"{model}: the state may outrun the drive (by {steepest:.3g}); the model has no inverse")
    displacement = np.ascontiguousarray(displacement, float)
    drives = np.empty_like(displacement)
    if len(drives):
        kernels.drive(displacement, float(h), *map(float, model), 1 - steepest, drives)
    return drives
