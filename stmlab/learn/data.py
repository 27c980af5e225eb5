"""What a network is shown: images brought to one scale, in batches that depend on nothing but their number."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..dataset import Dataset, make_chunk
from ..parameters import Study, stream

SPREAD = 1.4826  # standard deviation of a Gaussian over its median absolute deviation
DEGREE = 3  # of the polynomial that follows drift and creep from line to line


# ---- one image ----------------------------------------------------------------------------------------


def normalise(images, level="surface"):
    r"""Level images and bring them to one scale, the same way for training and for use.

    .. math:: x = \operatorname{arsinh} \frac{z - b}{\sigma}, \qquad \sigma = 1.4826\, \mathrm{median} |z - b|

    The background b is a straight line along the lines (tilt), plus what the medians of the lines do: with
    "surface" their polynomial of third degree (tilt, drift and creep of z), with "line" the medians themselves,
    which takes out jumps from line to line, too, but also the part of a lattice that lies along the lines. The
    medians are blind to a few tall or deep pixels, and arsinh leaves such pixels finite: it is x near 0, and
    only the logarithm far away.

    Parameters
    ----------
    images : array_like, (..., L, P)
        Heights in any unit, of any size; what is not finite counts as the median of its line.
    level : {"surface", "line"}
        What to subtract.

    Returns
    -------
    ndarray, (..., L, P)
        float32; 0 where all is constant or unknown.

    Raises
    ------
    ValueError
        If the level is unknown, or there is no pixel at all.
    """
    images = np.array(images, dtype=float)
    if level not in ("surface", "line"):
        raise ValueError(f"level = {level!r} must be 'surface' or 'line'")
    if images.ndim < 2 or 0 in images.shape[-2:]:
        raise ValueError(f"images have shape {images.shape}; give at least one line of one pixel, (..., L, P)")
    known = np.isfinite(images)
    if not known.all():
        _fill(*(values.reshape(-1, *images.shape[-2:]) for values in (images, known)))
    with np.errstate(over="ignore", invalid="ignore"):
        rounding = 1e-12 * np.abs(images).max(axis=(-2, -1), keepdims=True)
        rows = np.median(images, axis=-1)
        images -= (rows if level == "line" else _polynomial(rows, DEGREE))[..., :, None]
        images -= _polynomial(np.median(images, axis=-2), 1)[..., None, :]
        images *= np.abs(images).max(axis=(-2, -1), keepdims=True) > rounding
        images /= _spread(images, rounding[..., 0, 0])[..., None, None]
    return np.where(known & np.isfinite(images), np.arcsinh(images), 0.0).astype("f4")


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


# ---- batches ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stored:
    """Batches of a stored dataset, in a new order every epoch.

    ``batch(k)`` is a pure function of the fields and k, whatever was asked for before.

    Parameters
    ----------
    dataset : Dataset
        From `stmlab.open_dataset`.
    size : int
        Samples in a batch.
    seed : int
        Of the order.
    first, last : int
        Which samples take part; all if left out.
    passes : {1, 2}
        Whether images hold the trace, or trace and retrace.
    level : {"surface", "line"}
        See `normalise`.
    flip : bool
        Whether to turn every other image upside down, by chance: the same sheet scanned downwards. The fast axis must
        never be turned, for along it cause comes before effect.
    share : (int, int)
        Which part of each batch to return, and of how many: one for each of several processes.

    Raises
    ------
    ValueError
        If there are fewer samples than in a batch, frames differ in size, or the batch cannot be shared evenly.
    """

    dataset: Dataset
    size: int = 64
    seed: int = 0
    first: int = 0
    last: int | None = None
    passes: int = 1
    level: str = "surface"
    flip: bool = False
    share: tuple[int, int] = (0, 1)

    def __post_init__(self):
        _check_share(self)
        if self.count < self.size:
            raise ValueError(f"{self.count} samples do not fill a batch of {self.size}; make more, or choose fewer")
        if self.dataset.plan.varies:
            raise ValueError(f"{self.dataset.path}: its frames differ in size; a batch needs frames of one size")
        if self.passes > self.dataset.plan.passes:
            raise ValueError(f"{self.dataset.path} holds the trace alone; choose passes = 1")

    @property
    def count(self):
        """Samples that take part."""
        return (len(self.dataset) if self.last is None else self.last) - self.first

    @property
    def epoch(self):
        """Batches in an epoch; what does not fill one is left for the next order."""
        return self.count // self.size

    def numbers(self, k):
        """Return the numbers of the samples in this share of batch `k`."""
        epoch, row = divmod(k, self.epoch)
        order = stream(self.seed, epoch, "order").permutation(self.count)
        return self.first + _own(order[row * self.size : (row + 1) * self.size], self.share)

    def batch(self, k):
        """Return images (n, passes, L, P) and masks (n, 2, L, P), float32."""
        pairs = [self.dataset[int(number)] for number in self.numbers(k)]
        images, masks = (np.stack(part) for part in zip(*pairs, strict=True))
        return _ready(self, k, images, masks)


@dataclass(frozen=True)
class Streaming:
    """Batches of samples that are made when they are asked for; none is ever seen twice.

    ``batch(k)`` holds the samples k b to k b + b - 1 of the study and the seed, those of `stmlab.generate`.

    Parameters
    ----------
    study : Study
        What to draw from; all frames of one size.
    size : int
        Samples b in a batch.
    seed : int
        Of every sample.
    first : int
        Number of the first sample.
    masks : {"thesis", "visible"}
        Kind of the labels.
    passes, level, flip, share
        As in `Stored`.

    Raises
    ------
    ValueError
        If the study has frames of different sizes, or the batch cannot be shared evenly.
    """

    study: Study
    size: int = 64
    seed: int = 0
    first: int = 0
    masks: str = "thesis"
    passes: int = 1
    level: str = "surface"
    flip: bool = False
    share: tuple[int, int] = (0, 1)

    def __post_init__(self):
        _check_share(self)
        if {"raster.lines", "raster.pixels"} & set(self.study.vary):
            raise ValueError(f"study {self.study.name!r}: its frames differ in size; a batch needs frames of one size")

    @cached_property
    def _toml(self):
        return self.study.dumps()

    def numbers(self, k):
        """Return the numbers of the samples in this share of batch `k`."""
        return _own(self.first + k * self.size + np.arange(self.size), self.share)

    def batch(self, k):
        """Return images (n, passes, L, P) and masks (n, 2, L, P), float32."""
        numbers = self.numbers(k)
        made = make_chunk(self._toml, self.seed, int(numbers[0]), int(numbers[-1]) + 1, self.masks).arrays
        return _ready(self, k, made["images"], made["masks"] / np.float32(255))


def shared(source, part, parts):
    """Return the same batches, of which each of `parts` processes gets its own part."""
    return replace(source, share=(part, parts))


def ahead(source, first, last, threads=2):
    """Yield the batches `first` to `last` - 1 in order, made in background threads, a few ahead of their use.

    Parameters
    ----------
    source : Stored or Streaming
        Where they come from.
    first, last : int
        Numbers of batches.
    threads : int
        How many make batches; which batch holds what does not depend on it.
    """
    pool = ThreadPoolExecutor(threads, thread_name_prefix="stmlab-batches")
    waiting, numbers = deque(), iter(range(first, last))
    try:
        while True:
            while len(waiting) <= threads and (k := next(numbers, None)) is not None:
                waiting.append(pool.submit(source.batch, k))
            if not waiting:
                return
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _own(numbers, share):
    part, parts = share
    return numbers[part * len(numbers) // parts : (part + 1) * len(numbers) // parts]


def _check_share(source):
    part, parts = source.share
    if source.size < 1 or source.size % parts or not 0 <= part < parts:
        raise ValueError(f"a batch of {source.size} cannot be shared evenly by {parts}; choose a multiple of {parts}")


def _ready(source, k, images, masks):
    images = normalise(images[:, : source.passes], source.level)
    if source.flip:
        turned = _own(stream(source.seed, k, "flip").random(source.size) < 0.5, source.share)
        images[turned], masks[turned] = images[turned, :, ::-1], masks[turned, :, ::-1]
    return images, masks
