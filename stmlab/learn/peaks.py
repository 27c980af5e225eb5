"""From a mask to places: its summits, between the pixels too."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import center_of_mass, label, map_coordinates, maximum, maximum_filter
from scipy.spatial import cKDTree

DETECTION_DTYPE = np.dtype([("x", "f8"), ("y", "f8"), ("score", "f8")])
ROUNDS = 8  # of moving to the centroid; the last step is below 0.01 pixels


def peaks(mask, least=0.5, apart=3.0):
    r"""Find the summits of a mask.

    A plateau counts as one summit, in its middle, and of two that are too close the higher one stays. Each is then
    moved to the centroid of the mask around it, again and again with the window moving along,

    .. math:: p \leftarrow \frac{\sum_q w_q\, q}{\sum_q w_q}, \qquad w_q = m_q - \min m, \quad |q - p| \le a / 2

    until it stands still: in the middle of a disc, however its pixels lie. A disc that the edge of the mask cuts is
    found too far in or out, by up to 0.7 pixels where its middle is within two pixels of the edge.

    Parameters
    ----------
    mask : array_like, (L, P)
        Any values.
    least : float
        Lowest summit.
    apart : float
        Closest two summits [pixels].

    Returns
    -------
    structured ndarray, (D,)
        x and y [pixels: column and row, between them too], and score, the height of the summit; the highest first.

    Raises
    ------
    ValueError
        If the mask has not two axes, or `apart` is not positive.
    """
    mask = np.asarray(mask)
    if mask.ndim != 2 or not apart > 0:
        raise ValueError(f"mask has shape {mask.shape}, apart = {apart} pixels; give (L, P) and more than 0")
    if not mask.size:
        return np.zeros(0, DETECTION_DTYPE)
    places, heights = _summits(mask, least)
    if not len(places):
        return np.zeros(0, DETECTION_DTYPE)
    order = np.argsort(-heights, kind="stable")
    order = order[_standing(places[order], apart)]
    centred = _centred(mask, places[order], max(apart / 2, 1.0))
    stands = _standing(centred, apart)  # two shoulders of one summit have moved to the same place
    found = np.zeros(stands.sum(), DETECTION_DTYPE)
    found["y"], found["x"] = centred[stands].T
    found["score"] = heights[order][stands]
    return found


def _summits(mask, least):
    """Return the middles (n, 2) of all plateaus that nothing higher touches, and their heights (n,)."""
    highest = mask == maximum_filter(mask, 3, mode="nearest")
    named, count = label(highest & (mask >= least), np.ones((3, 3)))
    numbers = np.arange(1, count + 1)
    heights = maximum(mask, named, numbers)
    # a plateau that touches something higher has a pixel that is as high as these and not among the highest around it
    beside = maximum_filter(np.where(highest, -np.inf, mask), 3, mode="nearest")
    alone = maximum(beside, named, numbers) < heights if count else np.zeros(0, bool)
    places = np.array(center_of_mass(named > 0, named, numbers)).reshape(-1, 2)
    return places[alone], np.asarray(heights)[alone]


def _standing(places, apart):
    """Return which places (n, 2), the best first, have no better one that stands within `apart`."""
    stands = np.ones(len(places), bool)
    for better, worse in sorted(map(sorted, cKDTree(places).query_pairs(apart))):
        stands[worse] &= not stands[better]
    return stands


def _centred(mask, places, reach):
    """Move places (n, 2) to the centroid of the mask around them; none leaves the frame or its surroundings."""
    steps = np.arange(-np.floor(2 * reach), np.floor(2 * reach) + 1) / 2
    around = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2)
    around = around[(around**2).sum(axis=1) <= reach**2]
    moved = places.copy()
    for _ in range(ROUNDS):
        at = moved[:, None] + around
        weight = map_coordinates(mask, at.reshape(-1, 2).T, order=1, mode="nearest", output=float).reshape(at.shape[:2])
        weight -= weight.min(axis=1, keepdims=True)
        total = weight.sum(axis=1, keepdims=True)
        moved += np.divide(weight @ around, total, out=np.zeros_like(moved), where=total > 0)
        moved = np.clip(moved, places - reach, places + reach)
    return np.clip(moved, -0.5, np.array(mask.shape) - 0.5)
