"""Where the defects of an image are, whatever its size and its pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .images import filled, normalise, resample
from .models import ModelError, load_model
from .peaks import DETECTION_DTYPE, peaks
from .segment import segment_normalised

DEFECTS = 1  # channel of the masks
FAINTEST = 0.05  # lowest summit of the mask that may be a defect at all
LARGEST = 2**26  # pixels, after resampling
FINEST, COARSEST = 1e-3, 1e4  # Å, what a pixel can be


def detect(model, image, pixel_size, threshold=None, *, flips=True, progress=False):
    """Find the defects of an image.

    The image is resampled to the pixels that the network knows, levelled and segmented as it is and upside down, and
    the summits of the mean of both masks are the defects. (A frame upside down is the same sheet scanned the other
    way. Mirroring the fast axis, or turning by 180 degrees, would put effects before their causes: the lag of the
    feedback, streaks, shadows.)

    Parameters
    ----------
    model : UNet or str
        A network, or what `load_model` takes. Its card must hold ``detection``; see `calibrate`.
    image : array_like, (L, P), or (2, L, P) for a network that takes trace and retrace
        Heights in any unit, first line first; what is not finite counts as the median of its line.
    pixel_size : float or (float, float)
        Side of a pixel [Å], or along the lines and from line to line.
    threshold : float, optional
        Least score, from 0 to 1; the model's own if left out, which was fixed on simulated images.
    flips : bool
        Whether to look upside down, too.
    progress : bool
        Whether to show a bar where an image is so large that it is looked at in tiles.

    Returns
    -------
    structured ndarray, (D,)
        x and y [pixels of `image`: column and row, between them too; 0 is the middle of the first], and score: the
        share of such detections that is right in the simulated images of the calibration. The highest first.

    Raises
    ------
    ValueError
        If the image, the size of its pixels or the threshold is impossible, or the network has not been calibrated.
    """
    model = load_model(model) if isinstance(model, str | Path) else model
    said = model.card.get("detection")
    if not said:
        raise ModelError('the network has no threshold; set model.card["detection"] = calibrate(model, dataset)')
    threshold = said["threshold"] if threshold is None else threshold
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold = {threshold} is not in [0, 1]: scores are shares of detections that are right")
    found = candidates(model, image, pixel_size, said["pixel_size"], said["apart"], said["fewest"], flips,
                       progress)
    found["score"] = np.interp(found["score"], said["summit"], said["right"])
    return found[found["score"] >= threshold]


def candidates(model, image, pixel_size, scale=0.0, apart=2.0, fewest=0, flips=True, progress=False):
    """Return all that may be a defect, however faint, with the height of the mask's summits as the score.

    Parameters
    ----------
    model, image, pixel_size, flips, progress
        As in `detect`.
    scale : float
        Pixel to which the image is resampled [Å]; 0: none.
    apart : float
        Closest two defects [Å].
    fewest : int
        Least number of pixels across the image: in small frames the pixels are so much finer.

    Returns
    -------
    structured ndarray, (D,)
        As from `detect`.
    """
    image, (fast, slow) = np.asarray(image), _sides(pixel_size)
    wanted = "(L, P)" if model.passes == 1 else "(2, L, P), trace and retrace"
    if image.ndim != model.passes + 1 or 0 in image.shape[-2:] or not np.can_cast(image.dtype, "f8"):
        raise ValueError(f"image has shape {image.shape} and type {image.dtype}; give this network numbers, {wanted}")
    had = image.shape[-2:]
    extent = np.array([had[0] * slow, had[1] * fast])
    shape = _shape(had, extent, scale, fewest)
    image = filled(image)
    if np.ptp(image) == 0:  # nothing to be seen; a network may still imagine something
        return np.zeros(0, DETECTION_DTYPE)
    image = image if shape == had else resample(image, shape)
    found = peaks(_mask(model, image, flips, progress), FAINTEST, apart / np.sqrt(np.prod(extent / shape)))
    for axis, name in enumerate("yx"):
        found[name] = (found[name] + 0.5) * (had[axis] / shape[axis]) - 0.5
    return found


def _sides(pixel_size):
    try:
        sides = np.broadcast_to(np.asarray(pixel_size, float), 2)
    except (TypeError, ValueError):
        sides = np.full(2, np.nan)
    if not ((sides > FINEST) & (sides < COARSEST)).all():
        raise ValueError(f"pixel_size = {pixel_size} Å must be one number or two between {FINEST} and {COARSEST}: the "
                         "width of the frame over its pixels")
    return sides


def _shape(had, extent, scale, fewest):
    """Return the lines and pixels that the network is to see."""
    if not scale:
        return had
    scale = min(scale, extent.min() / fewest) if fewest and min(had) > 1 else scale
    shape = np.maximum(np.rint(extent / scale), 1)
    if np.prod(shape) > LARGEST:
        raise ValueError(f"{extent[1]:.3g} x {extent[0]:.3g} Å hold {np.prod(shape):.2g} pixels of {scale:.2g} Å; "
                         f"at most {LARGEST:.2g} can be looked at: check pixel_size, or cut the image")
    return tuple(int(n) for n in shape)


def _mask(model, image, flips, progress=False):
    """Return the mask of the defects (L, P), the mean over the frame as it is and upside down."""
    image = normalise(image, model.settings["level"])
    mask = segment_normalised(model, image, progress)[DEFECTS]
    return (mask + segment_normalised(model, image[..., ::-1, :], progress)[DEFECTS, ::-1]) / 2 if flips else mask
