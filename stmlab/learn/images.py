"""What is done to an image before a network sees it: resampled, brought to one level and scale, cut to size."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d, median_filter

from ..labels import APART

LEVELS = {"surface": 1, "line": 1, "noise": 2}  # how images may be levelled, and how many channels come of each
SPREAD = 1.4826  # standard deviation of a Gaussian over its median absolute deviation
DEGREE = 3  # of the polynomial that follows drift and creep from line to line
CALM = 0.3  # least noise of a line, in parts of that of the median line
LINES = 4.0  # standard deviation of the Gaussian that smooths the noise of the lines [lines]


def normalise(images, level="surface"):
    r"""Level images and bring them to one scale, the same way for training and for use.

    .. math:: x = \operatorname{arsinh} \frac{z - b}{\sigma}, \qquad \sigma = 1.4826\, \mathrm{median} |z - b|

    The background b is a straight line along the lines (tilt), plus what the medians of the lines do: with
    "surface" their polynomial of third degree (tilt, drift and creep of z), with "line" the medians themselves,
    which takes out jumps from line to line, too, but also the part of a lattice that lies along the lines. The
    medians are blind to a few tall or deep pixels, and arsinh leaves such pixels finite: it is x near 0, and
    only the logarithm far away.

    "noise" levels as "line" does and makes two channels of every image, one scaled by the spread of the frame, and one
    by that of each line and its neighbours, so that bands of restless lines stand out no more than calm ones:

    .. math:: x_1 = \operatorname{arsinh} \frac{z - b}{2 \sigma}, \qquad
        x_2 = \operatorname{arsinh} \frac{z - b}{2 \sigma_\mathrm{line}}

    Parameters
    ----------
    images : array_like, (..., L, P)
        Heights in any unit, of any size; what is not finite counts as the median of its line.
    level : {"surface", "line", "noise"}
        What to subtract, and what to divide by.

    Returns
    -------
    ndarray, (..., L, P), or (..., 2, L, P) with "noise"
        float32; 0 where all is constant or unknown.

    Raises
    ------
    ValueError
        If the level is unknown, or there is no pixel at all.
    """
    images = np.array(images, dtype=float)
    if level not in LEVELS:
        raise ValueError(f"level = {level!r} must be one of {', '.join(LEVELS)}")
    if images.ndim < 2 or 0 in images.shape[-2:]:
        raise ValueError(f"images have shape {images.shape}; give at least one line of one pixel, (..., L, P)")
    known = np.isfinite(images)
    if not known.all():
        _fill(*(values.reshape(-1, *images.shape[-2:]) for values in (images, known)))
    with np.errstate(over="ignore", invalid="ignore"):
        rounding = 1e-12 * np.abs(images).max(axis=(-2, -1), keepdims=True)
        rows = np.median(images, axis=-1)
        images -= (_polynomial(rows, DEGREE) if level == "surface" else rows)[..., :, None]
        images -= _polynomial(np.median(images, axis=-2), 1)[..., None, :]
        images *= np.abs(images).max(axis=(-2, -1), keepdims=True) > rounding
        images /= _spread(images, rounding[..., 0, 0])[..., None, None]
    if level == "noise":
        images, known = np.stack([images / 2, images / (2 * _restlessness(images))], axis=-3), known[..., None, :, :]
    return np.where(known & np.isfinite(images), np.arcsinh(images), 0.0).astype("f4")


def _restlessness(images):
    """Return the robust spread of each line and its neighbours (..., L, 1), of images of spread 1."""
    own = SPREAD * np.median(np.abs(images), axis=-1)
    one = [1] * (own.ndim - 1)
    near = median_filter(own, (*one, 3), mode="nearest")  # a single wild line does not spread to its neighbours
    least = CALM * np.median(own, axis=-1, keepdims=True)
    spread = np.maximum(np.maximum(gaussian_filter1d(near, LINES, mode="nearest"), near), least)
    return np.where(spread > 0, spread, 1.0)[..., None]


def filled(image):
    """Return an image (..., L, P) as floats, with the median of its line wherever it is not finite."""
    image = np.array(image, dtype=float)
    known = np.isfinite(image)
    if not known.all():
        _fill(*(values.reshape(-1, *image.shape[-2:]) for values in (image, known)))
    return image


def _fill(images, known):
    """Put the median of its line, or of its image, wherever a pixel is not known."""
    for image, there in zip(images, known, strict=True):
        middle = np.median(image[there]) if there.any() else 0.0
        for row, kept in zip(image, there, strict=True):
            row[~kept] = np.median(row[kept]) if kept.any() else middle


def _polynomial(values, degree):
    """Return the polynomial of least squares through values (..., n) at equal distances."""
    n = values.shape[-1]
    powers = np.polynomial.legendre.legvander(np.linspace(-1, 1, n), min(degree, n - 1))
    basis = np.linalg.qr(powers)[0]
    return (values @ basis) @ basis.T


def _spread(images, rounding):
    """Return the robust spread (...,); the ordinary one where half the pixels are equal, 1 where all are."""
    flat = images.reshape(*images.shape[:-2], images.shape[-2] * images.shape[-1])
    robust, plain = SPREAD * np.median(np.abs(flat), axis=-1), flat.std(axis=-1)
    spread = np.where(robust > rounding, robust, plain)
    return np.where(spread > 0, spread, 1.0)


# ---- another size -------------------------------------------------------------------------------------


def resample(images, shape):
    r"""Bring images to another number of lines and pixels.

    Both axes in turn, :math:`y = W x`: a coarser pixel is the mean over what it covers of finer ones, so that noise
    averages out and nothing is aliased; a finer one is interpolated linearly.

    Parameters
    ----------
    images : ndarray, (..., L, P)
        Any values.
    shape : (int, int)
        Lines and pixels wanted, at least 1 each.

    Returns
    -------
    ndarray, (..., L', P')
    """
    rows, columns = (_weights(had, wanted) for had, wanted in zip(np.shape(images)[-2:], shape, strict=True))
    return rows @ np.asarray(images, float) @ columns.T


def _weights(had, wanted):
    """Return the matrix (wanted, had) that takes means, or interpolates."""
    if wanted < had:
        edges = np.arange(wanted + 1) * (had / wanted)
        covered = np.clip(edges[:, None] - np.arange(had), 0, 1)  # of each pixel, up to each edge
        return np.diff(covered, axis=0) * (wanted / had)
    place = np.clip((np.arange(wanted) + 0.5) * (had / wanted) - 0.5, 0, had - 1)
    return np.clip(1 - np.abs(place[:, None] - np.arange(had)), 0, None)


def patch(images, size, rng):
    """Cut the same square out of images, wherever chance will; what is smaller is padded with 0.

    A place up to half a square beyond an edge counts as one at that edge: otherwise edges, where scanners misbehave,
    would hardly ever be seen.

    Parameters
    ----------
    images : ndarray, (C, L, P)
        Normalised images and masks.
    size : int
        Side of the square [pixels].
    rng : numpy.random.Generator
        Chooses the place.

    Returns
    -------
    ndarray, (C, size, size)
    """
    first = [int(np.clip(rng.integers(-(size // 2), n - size // 2 + 1), 0, max(n - size, 0)))
             for n in images.shape[-2:]]  # fmt: skip
    cut = images[..., first[0] : first[0] + size, first[1] : first[1] + size]
    return np.pad(cut, [(0, 0)] * (cut.ndim - 2) + [(0, size - n) for n in cut.shape[-2:]])


def published(image, rng):
    """Treat a frame as one is treated before it is published as a picture: levelled line by line, and 256 greys.

    By chance, each line loses its mean (as often as not), the straight line through it, or nothing. The brightest
    and the darkest pixels, up to half a per cent each, are clipped in some frames, and the rest is rounded to whole
    greys of a range that need not be full. Before all that, the beginning of the lines is bent in half of the frames,
    by `bent`.

    Parameters
    ----------
    image : ndarray, (..., L, P)
        Heights in any unit.
    rng : numpy.random.Generator
        Chooses.

    Returns
    -------
    ndarray, (..., L, P)
        Whole numbers from 0 to 255.
    """
    how, clip, dark, bright = rng.random(), rng.uniform(0, 0.5, 2) * (rng.random() < 0.6), *rng.uniform(0, 1, 2)
    often, strength, length = rng.random() < 0.5, rng.normal(0, 3), np.exp(rng.uniform(*np.log([0.005, 0.05])))
    image = bent(image, often * strength * rng.normal(1, 0.3, image.shape[-2]), length)
    image = image - image.mean(axis=-1, keepdims=True) if how < 0.75 else image
    if how < 0.25:
        along = np.linspace(-1, 1, image.shape[-1])
        image = image - (image @ along / (along @ along))[..., None] * along
    low, high = np.percentile(image, [clip[0], 100 - clip[1]])
    black, white = 60 * dark, 180 + 75 * bright
    return np.rint(np.clip(black + (image - low) * ((white - black) / max(high - low, 1e-12)), black, white))


def bent(image, strength, length):
    r"""Bend the beginning of the lines, as the turn-around of a scanner does; seen in pictures, not derived.

    .. math:: z \to z + a_l\, \sigma\, e^{-x / \ell}

    Parameters
    ----------
    image : ndarray, (..., L, P)
        Heights in any unit; sigma is their robust spread about the medians of the lines and one slope for all of them.
    strength : (L,) array
        a of each line.
    length : float
        How soon it is over, as a share of the line.
    """
    rough = image - np.median(image, axis=-1, keepdims=True)
    rough = rough - _polynomial(np.median(rough, axis=-2), 1)[..., None, :]  # or a tilt would make it large
    spread = SPREAD * np.median(np.abs(rough), axis=(-2, -1), keepdims=True)
    x = (np.arange(image.shape[-1]) + 0.5) / image.shape[-1]
    return image + spread * strength[:, None] * np.exp(-x / length)


def softened(mask, width, pixel):
    """Widen the labels of visible defects: a faint halo has no sharp middle, and a larger label is learned sooner.

    Parameters
    ----------
    mask : ndarray, (L, P)
        Discs of the radius of `stmlab.labels.masks("visible")`.
    width : float
        Standard deviation of the Gaussian that blurs them [Å].
    pixel : float
        Side of a pixel [Å].

    Returns
    -------
    ndarray, (L, P)
        The middle of a disc that stands alone is as high as before.
    """
    reach = np.arange(-(n := int(np.ceil(6 * width / pixel))), n + 1) * pixel
    alone = np.clip(1.1 - np.hypot(reach, reach[:, None]) / (APART / 2), 0, 1)
    middle = gaussian_filter(alone, width / pixel)[n, n]
    return np.clip(gaussian_filter(mask, width / pixel) / middle, 0, 1)
