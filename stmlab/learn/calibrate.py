"""What a network's answers are worth: scores and a threshold, fixed on simulated images that it has not seen."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.optimize import isotonic_regression
from tqdm import tqdm

from ..parameters import stream
from .data import extent_of
from .detect import DEFECTS, candidates
from .images import published
from .peaks import peaks
from .scoring import RADIUS, match, score

# Kind of mask -> closest two defects [Å], and how far from the truth a detection may lie [Å].
REACH = {"thesis": (2.0, RADIUS), "visible": (7.0, 9.0)}
PLATEAU = 0.01  # what counts as equally good in F1
STEPS = 32  # of the table of scores, at most
TRUTH_DTYPE = np.dtype([("kind", "U24"), ("row", "f8"), ("col", "f8"), ("inside", "?")])


def calibrate(model, dataset, count=None, *, fewest=0, flips=True, progress=False):
    r"""Learn from simulated images what the summits of a network's mask are worth.

    Every summit is compared with the truth. The share of those that are right, as a function of their height that
    nowhere falls (isotonic regression), becomes the score. F1 against the threshold has a flat top; the threshold is
    the middle of where it is within 0.01 of the highest: where a small error in height matters least.

    Parameters
    ----------
    model : UNet
        See `load_model`.
    dataset : Dataset
        That it has not been trained on.
    count : int, optional
        How many samples, from the first on; all if left out.
    fewest : int
        Least number of pixels across an image; see `candidates`.
    flips : bool
        As in `detect`.
    progress : bool
        Whether to show how far it is.

    Returns
    -------
    dict
        Plain values for ``model.card["detection"]``: pixel_size and apart [Å], fewest, threshold, summit and right
        (the table of heights and scores), f1, and what it was found on.

    Raises
    ------
    ValueError
        If there is no summit, right or wrong.
    """
    apart, radius = REACH[dataset.plan.masks]
    heights, right, total = [], [], 0
    for found, true, pixel in judged(model, dataset, count, fewest=fewest, flips=flips, progress=progress):
        truth = np.column_stack([true["col"], true["row"]])
        pairs = match(np.column_stack([found["x"], found["y"]]) * pixel, truth * pixel, radius)
        heights.append(found["score"])
        right.append(np.isin(np.arange(len(found)), pairs[:, 0]))
        total += len(true)
    heights, right = np.concatenate(heights), np.concatenate(right)
    if not right.any() or right.all():
        raise ValueError(f"{len(heights)} summits in {len(dataset)} images: all wrong or all right; take more images")
    summit, share = _table(heights, right)
    least, f1 = _threshold(heights, right, total)
    return {
        "pixel_size": _scale(model) or _usual(dataset), "apart": apart, "fewest": fewest,
        "threshold": round(float(np.interp(least, summit, share)), 4), "summit": summit, "right": share,
        "f1": round(f1, 4), "study": dataset.study.name, "seed": dataset.seed,
        "images": len(dataset) if count is None else min(count, len(dataset)),
    }  # fmt: skip


def detections(model, dataset, count=None, progress=False):
    """Score the detections in a labelled dataset at the model's own threshold; see `stmlab.learn.score`."""
    said, (_, radius) = model.card["detection"], REACH[dataset.plan.masks]
    founds, truths, pixels = [], [], []
    for found, true, pixel in judged(model, dataset, count, fewest=said["fewest"], progress=progress):
        worth = np.interp(found["score"], said["summit"], said["right"])
        founds.append(found[worth >= said["threshold"]])
        truths.append(true)
        pixels.append(pixel)
    return score(founds, truths, radius, pixels)


def judged(model, dataset, count=None, *, fewest=0, flips=True, progress=False):
    """Yield the candidates, the truth (kind, row, col, inside) and the side of a pixel [Å] of each image.

    The truth is every defect in the frame, or, where the masks show what is visible, every summit of the mask with
    the kind of the nearest defect. Images are seen as the network learned to see them: on its own pixels, and as
    published pictures if it was trained on such.
    """
    apart, _ = REACH[dataset.plan.masks]
    count = len(dataset) if count is None else min(count, len(dataset))
    grey, visible = _grey(model), dataset.plan.masks == "visible"
    for k in tqdm(range(count), disable=not progress):
        image, masks = dataset[k]
        pixel = np.array(extent_of(dataset.parameters(k))) / image.shape[-2:]
        side = float(np.sqrt(pixel.prod()))
        image = image[: model.passes] if model.passes > 1 else image[0]
        image = published(image, stream(dataset.seed, k, "published")) if grey else image
        found = candidates(model, image, pixel[::-1], _scale(model), apart, fewest, flips)
        inside = _inside(dataset.defects(k))
        yield found, (_seen(masks[DEFECTS], inside, apart / side) if visible else inside), side


def _inside(table):
    table = table[table["inside"]]
    out = np.zeros(len(table), TRUTH_DTYPE)
    for name in TRUTH_DTYPE.names:
        out[name] = table[name]
    return out


def _seen(mask, defects, apart):
    """Return the summits of a mask as a table of defects."""
    found = peaks(mask, 0.5, apart)
    out = np.zeros(len(found), TRUTH_DTYPE)
    out["row"], out["col"], out["inside"], out["kind"] = found["y"], found["x"], True, "other"
    for one in out if len(defects) else ():
        distance = np.hypot(defects["row"] - one["row"], defects["col"] - one["col"])
        if distance.min() <= apart:
            one["kind"] = defects["kind"][distance.argmin()]
    return out


def _scale(model):
    """Return the pixel that the network was trained on [Å], 0 if it has seen all sorts."""
    return model.card.get("training", {}).get("pixel_size", 0.0)


def _grey(model):
    data = model.card.get("training", {}).get("data", {})
    return any(source.get("grey") for source in data.get("mixed", [data]))


def _usual(dataset):
    """Return the median pixel of a dataset [Å]."""
    sides = [np.array(extent_of(dataset.parameters(k))) / dataset.sizes[k] for k in range(min(len(dataset), 256))]
    return round(float(np.median(sides)), 3)


def _table(heights, right):
    """Return heights of summits and the share that is right, both rising: the middles of the steps of the fit."""
    order = np.argsort(heights, kind="stable")
    fit = isotonic_regression(right[order].astype(float))
    edges = fit.blocks
    middles = np.array([heights[order][a:b].mean() for a, b in pairwise(edges)])
    shares = fit.x[edges[:-1]]
    kept = np.unique(np.linspace(0, len(middles) - 1, STEPS).round().astype(int))
    return middles[kept].round(4).tolist(), shares[kept].round(4).tolist()


def _threshold(heights, right, total):
    """Return the middle of the thresholds of good F1, and the highest F1."""
    order = np.argsort(-heights, kind="stable")
    f1 = 2 * np.cumsum(right[order]) / (np.arange(1, len(order) + 1) + total)
    good = heights[order][f1 >= f1.max() - PLATEAU]
    return (good.max() + good.min()) / 2, float(f1.max())
