"""How good a network is, pixel by pixel."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..parameters import stream


class Sums(NamedTuple):
    """What the figures are made of, (S, C) each: sums over the pixels of every image and channel."""

    pixels: np.ndarray
    square: np.ndarray  # of the error squared
    smooth: np.ndarray  # of the smooth L1 loss
    target: np.ndarray
    target_square: np.ndarray


def pixel_sums(predicted, target):
    """Sum over the pixels of every image.

    Parameters
    ----------
    predicted, target : array_like, (S, C, L, P)
        Between 0 and 1.

    Returns
    -------
    Sums

    Raises
    ------
    ValueError
        If the shapes differ, or are not of this kind.
    """
    predicted, target = np.asarray(predicted, float), np.asarray(target, float)
    if predicted.shape != target.shape or predicted.ndim != 4:
        raise ValueError(f"predicted {predicted.shape} and target {target.shape} must both be (S, C, L, P)")
    error = np.abs(predicted - target)
    smooth = np.where(error < 1, error**2 / 2, error - 0.5)
    pixels = np.full(target.shape[:2], float(target.shape[2] * target.shape[3]))
    return Sums(pixels, *(values.sum(axis=(2, 3)) for values in (error**2, smooth, target, target**2)))


def joined(many):
    """Put the sums of several batches below each other."""
    return Sums(*map(np.concatenate, zip(*many, strict=True)))


def mse(sums):
    r"""Return the mean squared error of each channel (C,), :math:`\langle (p - t)^2 \rangle`."""
    return sums.square.sum(axis=0) / sums.pixels.sum(axis=0)


def smooth_l1(sums):
    r"""Return the smooth L1 loss of each channel (C,).

    .. math:: \ell(e) = e^2 / 2 \text{ for } |e| < 1, \quad |e| - 1/2 \text{ beyond}

    Between 0 and 1 it is half of the mean squared error, neither more nor less.
    """
    return sums.smooth.sum(axis=0) / sums.pixels.sum(axis=0)


def variance(sums):
    """Return the variance of the target of each channel (C,) about its own mean."""
    count = sums.pixels.sum(axis=0)
    return sums.target_square.sum(axis=0) / count - (sums.target.sum(axis=0) / count) ** 2


def r2(sums):
    r"""Return the coefficient of determination of each channel (C,).

    .. math:: R^2 = 1 - \frac{\sum (p - t)^2}{\sum (t - \bar t)^2}

    with the mean over all pixels of the channel. (One R2 over both channels would count the difference between their
    means as something that was explained.) NaN where the target is constant.
    """
    spread = variance(sums)
    return 1 - np.divide(mse(sums), spread, out=np.full_like(spread, np.nan), where=spread > 1e-12)


def bootstrap(figure, rows, seed=0, rounds=1000, level=0.95):
    r"""Bracket a figure of many images by drawing as many of them again, with replacement.

    Parameters
    ----------
    figure : callable
        What maps rows, chosen by an index array, to a number or an array.
    rows : Sums or tuple of arrays
        Whose first axis counts images.
    seed : int
        Of the draws.
    rounds : int
        How many times.
    level : float
        Share of the draws within the interval.

    Returns
    -------
    low, high : ndarray
        Ends of the interval, of the shape of the figure.

    References
    ----------
    B. Efron, Annals of Statistics 7, 1 (1979), doi:10.1214/aos/1176344552.
    """
    rng, kind = stream(seed, 0, "bootstrap"), type(rows)
    make = kind._make if hasattr(kind, "_make") else kind
    count = len(rows[0])
    drawn = [figure(make([part[chosen] for part in rows]))
             for chosen in rng.integers(0, count, (rounds, count))]  # fmt: skip
    return tuple(np.nanquantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0))
