"""The tunnelling current of a tip above a sample, atom by atom."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import logsumexp

from .kernels import current

DECAY = 0.512316722  # sqrt(2 m 1 eV) / hbar [1/Å]


def kappa(work_function, bias=0.0):
    r"""Decay constant of the wave function in the barrier [1/Å].

    .. math:: \kappa = \sqrt{2 m \phi} / \hbar = 0.5123\,\sqrt{\phi / \mathrm{eV}} \;\mathrm{Å^{-1}}

    A bias tilts the top of the barrier; its mean height is then :math:`\phi - |eV|/2`.

    Parameters
    ----------
    work_function : float or array
        Mean barrier height phi without bias [eV].
    bias : float or array
        Sample voltage V that lowers it [V]; none by default.

    Raises
    ------
    ValueError
        If no barrier is left.
    """
    height = np.asarray(work_function, float) - np.abs(bias) / 2
    if not np.all(height > 0):
        raise ValueError(f"work function = {work_function} eV at bias = {bias} V leaves no barrier; lower the bias")
    return (DECAY * np.sqrt(height))[()]


def log_current(position, sample, tip, weights, kappa):
    r"""Logarithm of the current, every pair of atoms written out.

    .. math:: \ln I(r) = \ln \sum_{ij} w_{ij}\, e^{-2 \kappa\, |r + t_j - s_i|}

    summed as a log-sum-exp, because the exponentials underflow further away (5 nm in single precision).

    Parameters
    ----------
    position : (..., 3) array
        Where the tip's origin is [Å].
    sample, tip : (N, 3) and (M, 3) arrays
        Atoms s of the sample, and t of the tip relative to its origin [Å].
    weights : (N, M) array
        Pair weights, of any unit; see `stmlab.tightbinding.weights`.
    kappa : float
        Decay constant [1/Å].

    Returns
    -------
    ndarray, (...)
        ln I, up to a constant; a difference of two of them is the logarithm of a ratio of currents.
    """
    position = np.asarray(position, float)
    offset = position[..., None, None, :] + tip - np.asarray(sample)[:, None, :]
    return logsumexp(-2 * kappa * np.linalg.norm(offset, axis=-1), axis=(-2, -1), b=weights)


@dataclass(frozen=True)
class Junction:
    r"""A sample, a tip, and the weight of every pair of their atoms.

    Parameters
    ----------
    sample : (N, 3) array
        Atoms of the sample [Å].
    tip : (M, 3) array
        Atoms of the tip relative to its origin [Å]; the lowest at z = 0.
    weights : (N, M) array
        Weight of each pair, at least 0.
    kappa : float
        Decay constant [1/Å].
    slack : float
        Pairs longer than the shortest by more than this carry no current [Å].

    Raises
    ------
    ValueError
        If shapes do not fit, a number is not finite, a weight is negative, or all weights are 0.
    """

    sample: np.ndarray
    tip: np.ndarray
    weights: np.ndarray
    kappa: float
    slack: float = 5.5

    def __post_init__(self):
        for name in ("sample", "tip", "weights"):
            value = np.ascontiguousarray(getattr(self, name), dtype=float)
            if not np.isfinite(value).all():
                raise ValueError(f"junction {name} must be finite; check the positions and densities of states")
            object.__setattr__(self, name, value)
        n, m = len(self.sample), len(self.tip)
        if self.sample.shape != (n, 3) or self.tip.shape != (m, 3) or self.weights.shape != (n, m):
            raise ValueError(
                f"junction needs sample (N, 3), tip (M, 3) and weights (N, M), not {self.sample.shape}, "
                f"{self.tip.shape} and {self.weights.shape}"
            )
        if self.weights.min(initial=0) < 0 or not self.weights.any():
            raise ValueError("junction weights must be at least 0, and one of them greater; widen the bias window")
        if not (np.isfinite(self.kappa) and self.kappa > 0):
            raise ValueError(f"kappa = {self.kappa} 1/Å must be greater than 0 1/Å")

    @property
    def floor(self) -> float:
        """Lowest height of the tip's origin that counts as above the sample [Å], 1 Å from plane to plane."""
        return float(self.sample[:, 2].max() - self.tip[:, 2].min() + 1.0)

    @cached_property
    def pairs(self) -> np.ndarray:
        """Lateral and vertical offsets [Å] and weight of every pair with a weight, (4, n)."""
        i, j = np.nonzero(self.weights)
        return np.vstack([(self.tip[j] - self.sample[i]).T, self.weights[i, j]])

    def log_current(self, x, y, z):
        """ln I at tip positions x, y, z [Å], arrays that broadcast."""
        return self.log_current_and_slope(x, y, z)[0]

    def log_current_and_slope(self, x, y, z):
        """ln I and d ln I/dz [1/Å] at tip positions x, y, z [Å], arrays that broadcast."""
        points = np.broadcast_arrays(x, y, z)
        value, slope = np.empty(points[0].size), np.empty(points[0].size)
        flat = (np.array(v, float).ravel() for v in points)
        current.log_current(*flat, self.pairs, 2 * self.kappa, self.slack, value, slope)
        return value.reshape(points[0].shape)[()], slope.reshape(points[0].shape)[()]
