"""A network against a labelled dataset, beside what was published."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from .calibrate import detections
from .metrics import Sums, bootstrap, joined, mse, pixel_sums, r2, smooth_l1, variance
from .scoring import Score
from .segment import segment

AT_ONCE = 256
LABELS = ("lattice", "defects")
# V. Luzny's thesis: study -> mean squared error and smooth L1 loss on held-out samples, variance of the masks.
THESIS = {"thesis-main": (0.0173, 0.00864, 0.071), "thesis-control": (0.0137, None, None)}


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Pixel by pixel, how well a network does on a dataset.

    Parameters
    ----------
    sums : Sums
        Of every image.
    study : str
        Name of the study that the dataset was drawn from.
    score : Score, optional
        How well the defects were found, where the network has a threshold.
    """

    sums: Sums
    study: str = ""
    score: Score | None = None

    @property
    def figures(self):
        """Name -> value of each label, then of both thrown together; that of R2 would count what nobody explained."""
        sums, both = self.sums, Sums(*(part.sum(axis=1, keepdims=True) for part in self.sums))
        rows = {"MSE": mse, "smooth L1": smooth_l1, "target variance": variance}
        return {name: [*row(sums), *row(both)] for name, row in rows.items()} | {"R2": [*r2(sums), None]}

    def interval(self, figure=mse, seed=0):
        """Return the 95 % bootstrap interval of a figure of `stmlab.learn.metrics` over images: low, high (2,)."""
        return bootstrap(figure, self.sums, seed)

    def chosen(self, rows):
        """Return the evaluation of some of the images, chosen by numbers or by a mask (S,)."""
        return Evaluation(Sums(*(part[rows] for part in self.sums)), self.study)

    def table(self):
        """Return the figures, and those of the thesis for the same study, as lines of text."""
        known = dict(zip(("MSE", "smooth L1", "target variance"), THESIS.get(self.study, ()), strict=False))
        low, high = self.interval(lambda sums: mse(sums).mean())
        rows = [("", *LABELS, "both", "thesis")]
        rows += [(name, *map(_digits, values), _digits(known.get(name))) for name, values in self.figures.items()]
        widths = [max(len(row[i]) for row in rows) for i in range(5)]
        lines = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in rows]
        count = len(self.sums.pixels)
        lines.append(f"{count} images; MSE of both, 95 % of bootstraps: {low:.4g} to {high:.4g}")
        return "\n".join(lines + (_found(self.score) if self.score else []))


def evaluate(model, dataset, count=None, progress=False):
    """Compare what a network sees with the masks of a stored dataset.

    Parameters
    ----------
    model : UNet
        See `stmlab.learn.load_model`.
    dataset : Dataset
        That the network has not been trained on.
    count : int, optional
        How many samples, from the first on; all if left out.
    progress : bool
        Whether to show how far it is.

    Returns
    -------
    Evaluation
        With the detections scored, too, if the network's card holds a threshold; see `calibrate`.

    Raises
    ------
    ValueError
        If frames differ in size, or the dataset has no retrace and the network needs one.
    """
    if dataset.plan.varies:
        raise ValueError(f"{dataset.path}: its frames differ in size; evaluate needs frames of one size")
    passes = model.passes
    count = len(dataset) if count is None else min(count, len(dataset))
    many = []
    for first in tqdm(range(0, count, AT_ONCE), disable=not progress):
        images, masks = dataset[first : min(first + AT_ONCE, count)]
        chosen = images[:, 0] if passes == 1 else images[:, :passes]
        many.append(pixel_sums(segment(model, chosen), masks))
    found = detections(model, dataset, count, progress) if model.card.get("detection") else None
    return Evaluation(joined(many), dataset.study.name, found)


def _found(score):
    """Return what is to be said of detections, as lines."""
    low, high = score.interval()
    lines = [f"defects: precision {score.precision:.3f}, recall {score.recall:.3f}, F1 {score.f1:.3f} "
             f"({low:.3f} to {high:.3f}), {score.rmse:.2f} Å rms from the truth"]  # fmt: skip
    counts = score.kinds
    return lines + [f"    {kind}: {share:.3f} of {counts[kind][0]}" for kind, share in score.recall_by_kind.items()]


def _digits(value):
    return "" if value is None or not np.isfinite(value) else f"{value:.3g}"
