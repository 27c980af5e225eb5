"""What goes wrong from line to line: scars, and offsets of whole lines."""

from typing import NamedTuple

import numpy as np
from scipy.ndimage import binary_opening

MAD = 1.4826  # standard deviation of a normal distribution over its median absolute deviation


class LineNoise(NamedTuple):
    """Standard deviations of what is random in an image, in its own unit."""

    white: float  # from pixel to pixel
    offset: float  # from line to line, of whole lines


def line_noise(image):
    r"""Estimate the noise from pixel to pixel and the random offsets of whole lines.

    With :math:`m` the median over a line of the difference to the next one,

    .. math::
        \sigma_w = 1.4826\,\mathrm{med}\,|z_{j-1} - 2 z_j + z_{j+1}| / \sqrt 6, \qquad
        \sigma_o^2 = \tfrac12 \mathrm{var}(m) - \frac{\pi \sigma_w^2}{2 P}

    the last term being what the noise of P pixels leaves in a median.

    Parameters
    ----------
    image : ndarray, (L, P)
        Heights in any unit, rows along the fast axis; NaN is left out.

    Returns
    -------
    LineNoise
        In the unit of the image. Structure finer than about 8 pixels counts as noise from pixel to pixel.

    Raises
    ------
    ValueError
        If there are fewer than three known lines, or three pixels in a row.
    """
    image = np.asarray(image, dtype=float)
    known = image[np.isfinite(image).any(axis=-1)] if image.ndim == 2 else np.empty((0, 0))
    bends = np.diff(known, 2, axis=1) if known.size else known
    bends = bends[np.isfinite(bends)]
    steps = [row[np.isfinite(row)] for row in np.diff(known, axis=0)] if known.size else []
    medians = np.array([np.median(row) for row in steps if row.size])
    if bends.size == 0 or medians.size < 2:
        raise ValueError(f"an image of shape {image.shape} has too few known pixels; give 3 x 3 or more")
    white = MAD * np.median(np.abs(bends)) / np.sqrt(6)
    pixels = np.mean([row.size for row in steps if row.size])
    square = np.var(medians, ddof=1) / 2 - np.pi * white**2 / (2 * pixels)
    return LineNoise(float(white), float(np.sqrt(max(square, 0.0))))


def scars(image, threshold=4.0, length=16, width=3):
    r"""Mark scars: streaks along the fast axis, where the tip was off for a part of a line.

    A run of pixels in 1 to `width` lines is one if all of it lies above both lines beside it, or below both, by
    more than :math:`t \sigma`, for at least `length` pixels. Here :math:`\sigma` is the standard deviation of a
    line from the mean of its neighbours, from the median absolute deviation. Real objects are as wide across the
    lines as along them and stay unmarked as long as they are wider than `width` lines.

    Parameters
    ----------
    image : ndarray, (..., L, P)
        Heights in any unit, rows along the fast axis. NaN is never marked.
    threshold : float
        How far a scar stands out, t.
    length : int
        Shortest run [pixels].
    width : int
        Most lines that one scar takes.

    Returns
    -------
    ndarray of bool, (..., L, P)
        True on scars; the first and the last line have one neighbour and are never marked.

    Raises
    ------
    ValueError
        If the threshold is not positive, or a length or width not at least 1.
    """
    image = np.asarray(image, dtype=float)
    if not threshold > 0 or length < 1 or width < 1:
        raise ValueError(f"scars threshold = {threshold}, length = {length}, width = {width} must be greater than 0")
    if image.ndim > 2:
        return np.stack([scars(one, threshold, length, width) for one in image])
    marked = np.zeros(image.shape, bool)
    if image.shape[0] < 3:
        return marked
    bend = image[1:-1] - (image[:-2] + image[2:]) / 2
    bend = np.abs(bend[np.isfinite(bend)])
    limit = threshold * MAD * np.median(bend) if bend.size else np.inf
    for lines in range(1, min(width, image.shape[0] - 2) + 1):  # thin ones first: they make steps of the slopes beside
        _mark(remove_scars(image, marked), lines, limit, length, marked)
    return marked


def _mark(image, lines, limit, length, marked):
    """Mark every scar of exactly so many lines."""
    blocks = np.lib.stride_tricks.sliding_window_view(image[1:-1], lines, axis=0)  # (L - 1 - lines, P, lines)
    beside = image[: -lines - 1], image[lines + 1 :]
    above = blocks.min(axis=-1) - np.maximum(*beside) > limit
    below = np.minimum(*beside) - blocks.max(axis=-1) > limit
    for side in (above, below):
        runs = binary_opening(side, np.ones((1, length), bool))
        for k in range(lines):
            marked[1 + k : 1 + k + len(runs)] |= runs


def remove_scars(image, mask=None):
    """Replace marked pixels by the straight line between the nearest unmarked ones above and below them.

    Parameters
    ----------
    image : ndarray, (..., L, P)
        Heights in any unit.
    mask : ndarray of bool, (..., L, P), optional
        What to replace; `scars` by default.

    Returns
    -------
    ndarray, (..., L, P)
        A column without a single sound pixel stays as it is.

    Raises
    ------
    ValueError
        If the mask does not fit the image.
    """
    image = np.asarray(image, dtype=float)
    mask = scars(image) if mask is None else np.asarray(mask, dtype=bool)
    if mask.shape != image.shape:
        raise ValueError(f"scars mask has shape {mask.shape}, the image needs {image.shape}")
    if image.ndim > 2:
        return np.stack([remove_scars(*pair) for pair in zip(image, mask, strict=True)])
    repaired = image.copy()
    rows = np.arange(image.shape[0])
    for column in np.flatnonzero(mask.any(axis=0)):
        bad = mask[:, column]
        sound = ~bad & np.isfinite(image[:, column])
        if sound.any():
            repaired[bad, column] = np.interp(rows[bad], rows[sound], image[sound, column])
    return repaired
