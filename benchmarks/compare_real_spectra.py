"""Simulated images beside measured ones: do they have the same spectra?"""

import csv
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

import stmlab as stm
from stmlab.analysis import level
from stmlab.io.images import load_image
from stmlab.io.real import real_data

HERE = Path(__file__).parent


class Frame(NamedTuple):
    """A measured image, and the simulation set beside it."""

    file: str
    width: float  # nm
    box: int  # pixels of the file averaged into one, along both axes
    seed: int
    changes: dict


FRAMES = {
    "5 nm": Frame("WSe2-SL445_211118_-1.4V_5x5_Z_022.jpg", 5.0, 4, 1, {}),
    "20 nm": Frame("WSe2-SL445_211118_-1.4V_20x20_Z_014.jpg", 20.0, 4, 1, {}),
    "50 nm": Frame("WSe2-SL445_211119_-1.4V_50x50_Z_040.jpg", 50.0, 4, 1, {}),
}


# ---- spectra ------------------------------------------------------------------------------------------


def boxed(image, box):
    """Average squares of `box` x `box` pixels."""
    lines, pixels = (n // box for n in image.shape)
    return image[: lines * box, : pixels * box].reshape(lines, box, pixels, box).mean((1, 3))


def flat(image):
    """Level line by line and divide by the standard deviation: grey levels have no scale, so only shapes compare."""
    levelled = level(image, "line")
    return levelled / levelled.std()


def along(z, width):
    """Power along the lines, mean over the lines: wave numbers [1/nm] and density (its integral is the variance)."""
    window = np.hanning(z.shape[1])
    power = (np.abs(np.fft.rfft(z * window, axis=1)) ** 2).mean(0)
    return np.fft.rfftfreq(z.shape[1], width / z.shape[1])[1:], 2 * power[1:] * width / z.shape[1] / np.sum(window**2)


def across(z, width):
    """The same for the columns: from line to line."""
    return along(z.T, width)


def radial(z, width):
    """Power in rings of the plane of wave vectors, [1/nm] and [nm^2]."""
    window = np.outer(*map(np.hanning, z.shape))
    power = np.abs(np.fft.fft2(z * window)) ** 2 * (width**2 / z.size) / np.sum(window**2)
    q = np.hypot(*np.meshgrid(*(np.fft.fftfreq(n, width / n) for n in z.shape), indexing="ij"))
    ring = np.rint(q * width).astype(int).ravel()
    count = np.bincount(ring)
    keep = slice(1, min(z.shape) // 2)
    return np.arange(count.size)[keep] / width, (np.bincount(ring, power.ravel()) / count)[keep]


def correlation(z, lags):
    """Correlation coefficient of rows, mean over all pairs that lie so many rows apart."""
    rows = z - z.mean(1, keepdims=True)
    rows /= np.sqrt((rows**2).sum(1, keepdims=True))
    return np.array([np.mean(np.sum(rows[lag:] * rows[: len(rows) - lag], axis=1)) for lag in lags])


def exponent(wave, power, low, high):
    """The alpha of power ~ 1 / k^alpha between two wave numbers."""
    use = (wave >= low) & (wave <= high)
    return -np.polyfit(np.log(wave[use]), np.log(power[use]), 1)[0]
