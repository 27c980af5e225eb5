"""How good a network is, defect by defect."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from .metrics import bootstrap

RADIUS = 1.66  # Å, half the lattice constant of WSe2: as far as the labels of the thesis reach


def match(points, truth, radius):
    """Pair points with true points, one to one: as many pairs as there can be, and of those the closest.

    Parameters
    ----------
    points : array_like, (n, 2)
        Found.
    truth : array_like, (m, 2)
        In the same unit.
    radius : float
        How far the members of a pair may lie apart, in that unit.

    Returns
    -------
    ndarray of int, (k, 2)
        Number of the point and of the true one, of each pair.
    """
    points, truth = _columns(points, 2), _columns(truth, 2)
    distance = np.linalg.norm(points[:, None] - truth, axis=-1)
    return _paired(distance, distance <= radius)


def match_boxes(points, boxes):
    """Pair points with the boxes that they lie in, one to one: as many pairs as there can be.

    Parameters
    ----------
    points : array_like, (n, 2)
        x and y.
    boxes : array_like, (m, 4)
        x and y of the corner with the lowest values, width, height; the edge belongs to the box.

    Returns
    -------
    ndarray of int, (k, 2)
        Number of the point and of the box, of each pair.
    """
    points, boxes = _columns(points, 2), _columns(boxes, 4)
    offset = points[:, None] - boxes[:, :2]
    inside = np.all((offset >= 0) & (offset <= boxes[:, 2:]), axis=-1)
    return _paired(np.zeros(inside.shape), inside)


def _paired(cost, allowed):
    if not allowed.any():
        return np.zeros((0, 2), int)
    never = 1 + 2 * min(cost.shape) * cost[allowed].max(initial=0)  # dearer than all other pairs together
    pairs = np.column_stack(linear_sum_assignment(np.where(allowed, cost, never)))
    return pairs[allowed[tuple(pairs.T)]]


def _columns(values, count):
    values = np.asarray(values, float)
    if values.size and (values.ndim != 2 or values.shape[1] != count):
        raise ValueError(f"positions have shape {values.shape}; give (n, {count}) arrays, many images in a list")
    return values.reshape(-1, count)


@dataclass(frozen=True, eq=False)
class Score:
    """How well defects were found, over one image or many.

    Parameters
    ----------
    found, true, matched : ndarray of int, (S,)
        Numbers of detections, of defects, and of pairs, in each image.
    distances : ndarray, (K,)
        Between the members of all pairs [Å]; empty against boxes.
    kinds : dict
        Kind of defect -> how many there are, and how many were found.
    """

    found: np.ndarray
    true: np.ndarray
    matched: np.ndarray
    distances: np.ndarray = field(repr=False)
    kinds: dict = field(default_factory=dict)

    @property
    def precision(self):
        """Share of the detections that are right; NaN where there is none."""
        return _ratio(self.matched.sum(), self.found.sum())

    @property
    def recall(self):
        """Share of the defects that were found; NaN where there is none."""
        return _ratio(self.matched.sum(), self.true.sum())

    @property
    def recall_by_kind(self):
        """Kind of defect -> share that was found."""
        return {kind: found / true for kind, (true, found) in self.kinds.items()}

    @property
    def f1(self):
        """Harmonic mean of precision and recall, all images taken together."""
        return _f1((self.found, self.true, self.matched))

    @property
    def f1_image(self):
        """Mean of the F1 of the images, of those with a defect or a detection."""
        total = self.found + self.true
        return float(np.mean(2 * self.matched[total > 0] / total[total > 0])) if total.any() else np.nan

    @property
    def rmse(self):
        """Root mean square distance between the members of a pair [Å]; NaN against boxes."""
        return float(np.sqrt(np.mean(self.distances**2))) if self.distances.size else np.nan

    def interval(self, seed=0, rounds=1000, level=0.95):
        """Return the bootstrap interval of `f1`, (low, high), over images."""
        return tuple(map(float, bootstrap(_f1, (self.found, self.true, self.matched), seed, rounds, level)))


def _f1(counts):
    found, true, matched = counts
    return _ratio(2 * matched.sum(), found.sum() + true.sum())


def _ratio(part, whole):
    return float(part / whole) if whole else np.nan


def score(found, truth, radius=RADIUS, pixel_size=1.0):
    """Compare detections with the truth, image by image.

    Parameters
    ----------
    found : (n, 2) array of x and y [pixels], or structured array with ``x`` and ``y``
        Detections of one image; a list, of such arrays, is taken for many images.
    truth : structured array, (m, 2) array, or (m, 4) array
        ``Scan.defects`` (those that lie inside count), points x and y, or boxes as in `match_boxes` [pixels]; for
        many images a list as long as `found`.
    radius : float
        How far from the truth a detection may lie [Å]; boxes need none.
    pixel_size : float or (S,) array
        Side of a pixel [Å], of each image.

    Returns
    -------
    Score

    Raises
    ------
    ValueError
        If there are not as many truths as images, or an array is of another shape.
    """
    many = isinstance(found, list | tuple)
    founds, truths = (found, truth) if many else ([found], [truth])
    sizes = np.broadcast_to(np.asarray(pixel_size, float), len(founds))
    if len(founds) != len(truths):
        raise ValueError(f"there are {len(founds)} images with detections and {len(truths)} with the truth")
    counts, distances, kinds = [], [np.zeros(0)], {}
    for points, true, size in zip(map(_points, founds), truths, sizes, strict=True):
        pairs, apart, named = _compared(points, true, radius, size)
        counts.append((len(points), len(named), len(pairs)))
        distances.append(apart)
        for row, kind in enumerate(named):
            total, hit = kinds.get(kind, (0, 0))
            kinds[kind] = total + 1, hit + int(row in pairs[:, 1])
    columns = np.array(counts, int).reshape(-1, 3).T
    return Score(*columns, np.concatenate(distances), {kind: kinds[kind] for kind in sorted(kinds)})


def _compared(points, true, radius, size):
    """Return pairs, their distances [Å], and the kind of everything that is true."""
    true = np.asarray(true)
    named = ["defect"] * len(true)
    if true.dtype.names:
        true = true[true["inside"]]
        named, true = true["kind"].tolist(), np.column_stack([true["col"], true["row"]])
    elif true.ndim == 2 and true.shape[1] == 4:
        return match_boxes(points, true), np.zeros(0), named
    pairs, true = match(points * size, _columns(true, 2) * size, radius), _columns(true, 2)
    return pairs, np.linalg.norm(points[pairs[:, 0]] - true[pairs[:, 1]], axis=-1) * size, named


def _points(found):
    found = np.asarray(found)
    return np.column_stack([found["x"], found["y"]]) if found.dtype.names else _columns(found, 2)
