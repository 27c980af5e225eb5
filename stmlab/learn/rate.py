"""How fast to learn: the learning rate over a training run, and the test that finds a good one."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, field

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d

from .data import ahead
from .step import optimizer_of, train_step

WARM, START, END = 0.25, 1 / 25, 1e-3  # share of the cycle that rises; first and last rate over the highest
DIVERGED = 2.0  # times the lowest smoothed loss


def one_cycle(step, steps, peak):
    r"""Return the learning rate of a step: up along half a cosine, then down along another.

    .. math:: \eta = a + (b - a)\, \tfrac{1}{2} (1 - \cos \pi s)

    with s the share of the phase that is over, from :math:`\eta_\mathrm{peak} / 25` to the peak within the first
    quarter of the steps, and from there to :math:`\eta_\mathrm{peak} / 1000`.

    Parameters
    ----------
    step, steps : int
        Number of the step, from 0, and how many there are.
    peak : float
        Highest rate.

    Returns
    -------
    float

    References
    ----------
    L. N. Smith and N. Topin, Proc. SPIE 11006, 1100612 (2019), doi:10.1117/12.2520589.
    """
    rise = WARM * steps
    if step < rise:
        return _between(peak * START, peak, step / rise)
    return _between(peak, peak * END, (step - rise) / (steps - rise))


def cosine(step, steps, peak):
    r"""Return the learning rate of a step: :math:`\eta_\mathrm{peak}\, \tfrac{1}{2} (1 + \cos \pi s)`.

    Here s = step / steps, and `peak` is the highest rate. During the first fiftieth of the steps it rises
    linearly, while the optimizer gets to know the gradients.
    """
    rise = steps / 50
    return peak * min((step + 1) / max(rise, 1), 1) * 0.5 * (1 + math.cos(math.pi * step / steps))


def _between(a, b, share):
    return a + (b - a) * 0.5 * (1 - math.cos(math.pi * share))


SCHEDULES = {"one-cycle": one_cycle, "cosine": cosine}


@dataclass(frozen=True, eq=False)
class RangeTest:
    """What a learning rate range test found; drawn by `stmlab.plot.range_test`.

    Parameters
    ----------
    rates : ndarray, (K,)
        Learning rate of each step.
    losses, smooth : ndarray, (K,)
        Loss of each step before it was taken, and the same smoothed.
    suggestion : float
        Rate at which the smoothed loss falls most steeply over the logarithm of the rate.
    """

    rates: np.ndarray = field(repr=False)
    losses: np.ndarray = field(repr=False)
    smooth: np.ndarray = field(repr=False)
    suggestion: float


def lr_range_test(model, source, low=1e-5, high=1.0, steps=100, loss="bce"):
    r"""Learn with a rate that rises at every step, and watch where the loss falls and where it breaks away.

    .. math:: \eta_k = \eta_\mathrm{low} \left(\eta_\mathrm{high} / \eta_\mathrm{low}\right)^{k / (K - 1)}

    The suggestion is the rate at which the smoothed loss falls most steeply over the logarithm of the rate. (Another
    rule, a fraction of the rate of the lowest loss, jumps about, for the valley of such networks is flat.) Ends when
    the loss is twice its lowest. The model stays as it is.

    Parameters
    ----------
    model : UNet
        Untrained.
    source : Stored or Streaming
        Batches; one is used for each step.
    low, high : float
        First and last rate.
    steps : int
        How many rates K, at least 10.
    loss : {"bce", "rare", "mse", "smooth-l1"}
        See `train_step`.

    Returns
    -------
    RangeTest

    Raises
    ------
    ValueError
        If the rates do not rise, or there are too few steps.

    References
    ----------
    L. N. Smith, WACV 2017, doi:10.1109/WACV.2017.58.
    """
    if not 0 < low < high <= 100 or steps < 10:
        raise ValueError(f"a range test from {low} to {high} in {steps} steps: rates must rise, 0 < low < high <= 100, "
                         "in 10 steps at least")  # fmt: skip
    model = copy.deepcopy(model).train()
    where, optimizer = next(model.parameters()).device, optimizer_of(model)
    rates, losses = np.geomspace(low, high, steps), []
    for rate, batch in zip(rates, ahead(source, 0, steps), strict=True):
        images, masks = (torch.from_numpy(part).to(where) for part in batch)
        losses.append(float(train_step(model, optimizer, images, masks, rate, loss)))
        if not math.isfinite(losses[-1]):
            losses.pop()
            break
        if losses[-1] > DIVERGED * _smooth(losses, steps).min() and rate > 10 * low:
            break
    return _result(rates[: len(losses)], np.array(losses), steps)


def _result(rates, losses, steps):
    smooth = _smooth(losses, steps)
    return RangeTest(rates, losses, smooth, float(rates[np.gradient(smooth).argmin()]))


def _smooth(losses, steps):
    """Smooth over a thirtieth of the test to either side."""
    return gaussian_filter1d(np.asarray(losses, float), max(steps / 30, 1), mode="nearest")
