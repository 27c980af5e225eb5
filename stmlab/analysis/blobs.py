"""Defects as blobs: the classical way to find them, without a network."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_laplace, maximum_filter

from .levelling import level

BLOB_DTYPE = np.dtype([("x", "f8"), ("y", "f8"), ("score", "f8")])  # as of stmlab.learn.detect
SCALES = (5.6, 8.0, 11.2)  # Å, standard deviations of dark and bright spots 1.3 to 2.6 nm wide


def blobs(image, pixel_size, threshold=5.0, *, scales=SCALES, sign=0, apart=10.0):
    r"""Find blobs by the Laplacian of a Gaussian.

    .. math:: R_s = -s^2\, \nabla^2 G_s * z

    with G_s a normal distribution of standard deviation s. Where a Gaussian blob of height h and width w is, this
    is :math:`2 h\, s^2 w^2 / (w^2 + s^2)^2`, greatest at s = w, where it is h/2. The lines of the image are levelled
    by their medians, and each R_s is divided by its robust spread, 1.48 times its median size, over the image.
    A blob is where the greatest of them over the scales is greater than anywhere nearby.

    Parameters
    ----------
    image : ndarray, (L, P)
        Heights in any unit; NaN counts as the level of its line.
    pixel_size : float or (float, float)
        Side of a pixel [Å], along the fast and the slow axis.
    threshold : float
        Least score.
    scales : sequence of float
        s [Å].
    sign : {-1, 0, 1}
        -1: dark blobs; 1: bright ones; 0: both.
    apart : float
        Within this distance of a blob there is no other one with a lower score [Å].

    Returns
    -------
    structured ndarray, (D,)
        x, y [pixels: column and row, between them too] and score, which is R_s over its spread; highest score first.

    Raises
    ------
    ValueError
        If the image has not two axes, or a size, a scale or the sign is impossible.

    References
    ----------
    T. Lindeberg, Int. J. Comput. Vis. 30, 79 (1998).
    """
    image, pixel = np.asarray(image, float), np.broadcast_to(np.asarray(pixel_size, float), 2)[::-1]
    if image.ndim != 2 or 0 in image.shape:
        raise ValueError(f"image has shape {image.shape}; blobs takes one image, (L, P)")
    for name, values, unit in (("pixel_size", pixel, " Å"), ("scales", scales, " Å"), ("apart", [apart], " Å")):
        if not (np.size(values) and np.isfinite(values).all() and np.min(values) > 0):
            raise ValueError(f"{name} = {values}{unit} must be finite and greater than 0")
    if sign not in (-1, 0, 1):
        raise ValueError(f"sign = {sign} must be -1 (dark), 1 (bright) or 0 (both)")
    flat = np.nan_to_num(level(image, "line"), posinf=0.0, neginf=0.0)
    answer = np.max([_answer(flat, s / pixel, sign) for s in scales], axis=0)
    rows, columns = np.nonzero((answer == maximum_filter(answer, 3, mode="nearest")) & (answer > threshold))
    alone = [_highest(answer, *place, apart / pixel) for place in zip(rows, columns, strict=True)]
    rows, columns = (v[np.array(alone, bool)] for v in (rows, columns))
    found = np.zeros(len(rows), BLOB_DTYPE)
    found["y"], found["x"] = (between(answer, rows, columns, axis) for axis in (0, 1))
    found["score"] = answer[rows, columns]
    return found[np.argsort(-found["score"], kind="stable")]


def _highest(answer, row, column, reach):
    """Whether nothing is higher than a place within an ellipse of these half axes [pixels].

    One window at a time: a filter with so large a footprint would need its square in memory.
    """
    lines, pixels = np.ogrid[: answer.shape[0], : answer.shape[1]]
    window = tuple(slice(max(int(at - r), 0), int(at + r) + 1) for at, r in zip((row, column), reach, strict=True))
    inside = ((lines[window[0]] - row) / reach[0]) ** 2 + ((pixels[:, window[1]] - column) / reach[1]) ** 2 <= 1
    return not (answer[window][inside] > answer[row, column]).any()


def _answer(image, widths, sign):
    """Return R_s of the sign asked for, in units of its spread; its units [pixel^-2] cancel."""
    laplace = -gaussian_laplace(image, widths, mode="nearest")
    spread = 1.4826 * np.median(np.abs(laplace))
    spread = spread if spread > 1e-9 * np.abs(laplace).max(initial=0.0) else laplace.std()
    return (np.abs(laplace) if sign == 0 else sign * laplace) / (spread or 1.0)


def between(values, rows, columns, axis):
    """Return where a parabola through each peak and its two neighbours along an axis is highest [pixels]."""
    at, last = (rows, columns)[axis], values.shape[axis] - 1
    neighbours = [[rows, columns] for _ in range(2)]
    for side, step in zip(neighbours, (-1, 1), strict=True):
        side[axis] = np.clip(at + step, 0, last)
    low, high = (values[tuple(side)] for side in neighbours)
    bend = low + high - 2 * values[rows, columns]
    inside = (at > 0) & (at < last) & (bend < 0)
    return at + np.where(inside, np.clip((low - high) / (2 * np.where(inside, bend, 1.0)), -0.5, 0.5), 0.0)
