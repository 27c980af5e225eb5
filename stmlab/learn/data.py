"""What a network is shown: batches that depend on nothing but their number."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..dataset import Dataset, index_of, make_chunk
from ..labels import fine_enough
from ..parameters import Study, stream
from .images import normalise, patch, published, resample, softened


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
    level : {"surface", "line", "noise"}
        See `normalise`; C is twice as many with "noise".
    flip : bool
        Whether to turn every other image upside down, by chance: the same sheet scanned downwards. The fast axis must
        never be turned, for along it cause comes before effect.
    patch : int
        Side of the square that is cut out of each frame, anywhere, and padded with 0 where it sticks out [pixels];
        0: whole frames, which must then be of one size.
    pixel_size : float
        Side of a pixel to which frames are resampled first [Å]; 0: as they are.
    scatter : float
        By how much that pixel may be larger or smaller, by chance, as a share of it.
    crops : int
        Patches that are cut from each frame; a batch holds so many times fewer frames.
    grey : bool
        Whether frames are first made pictures, as by `published`.
    soft : float
        Standard deviation of the Gaussian that widens labels of defects, by `softened` [Å]; 0: as they are.
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
    patch: int = 0
    pixel_size: float = 0.0
    scatter: float = 0.0
    crops: int = 1
    grey: bool = False
    soft: float = 0.0
    share: tuple[int, int] = (0, 1)

    def __post_init__(self):
        _check_share(self)
        if self.count < self.frames:
            raise ValueError(f"{self.count} samples do not fill a batch of {self.frames}; make more, or choose fewer")
        if (self.dataset.plan.varies or self.pixel_size) and not self.patch:
            raise ValueError(f"{self.dataset.path}: its frames differ in size; cut them with patch")
        if self.passes > self.dataset.plan.passes:
            raise ValueError(f"{self.dataset.path} holds the trace alone; choose passes = 1")

    @property
    def count(self):
        """Samples that take part."""
        return (len(self.dataset) if self.last is None else self.last) - self.first

    @property
    def epoch(self):
        """Batches in an epoch; what does not fill one is left for the next order."""
        return self.count // self.frames

    @property
    def frames(self):
        """Frames in a batch."""
        return self.size // self.crops

    def numbers(self, k):
        """Return the numbers of the samples in this share of batch `k`."""
        epoch, row = divmod(k, self.epoch)
        order = stream(self.seed, epoch, "order").permutation(self.count)
        return self.first + _own(order[row * self.frames : (row + 1) * self.frames], self.share)

    def batch(self, k):
        """Return images (n, C, L, P) and masks (n, 2, L, P), float32."""
        numbers = self.numbers(k).tolist()
        known = self.dataset.parameters if self.pixel_size or self.soft else lambda number: None
        return _ready(self, k, [(*self.dataset[n], known(n) and extent_of(known(n))) for n in numbers])


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
    passes, level, flip, patch, pixel_size, scatter, crops, grey, soft, share
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
    patch: int = 0
    pixel_size: float = 0.0
    scatter: float = 0.0
    crops: int = 1
    grey: bool = False
    soft: float = 0.0
    share: tuple[int, int] = (0, 1)

    def __post_init__(self):
        _check_share(self)
        if ({"raster.lines", "raster.pixels"} & set(self.study.vary) or self.pixel_size) and not self.patch:
            raise ValueError(f"study {self.study.name!r}: its frames differ in size; cut them with patch")

    @cached_property
    def _toml(self):
        return self.study.dumps()

    def numbers(self, k):
        """Return the numbers of the samples in this share of batch `k`."""
        frames = self.size // self.crops
        return _own(self.first + k * frames + np.arange(frames), self.share)

    def batch(self, k):
        """Return images (n, C, L, P) and masks (n, 2, L, P), float32."""
        numbers = self.numbers(k).tolist()
        made, frames = make_chunk(self._toml, self.seed, numbers[0], numbers[-1] + 1, self.masks).arrays, []
        for row, number in enumerate(numbers):
            attempt, lines, pixels, _ = made["samples"][row].tolist()
            image, masks = (made[name][row, :, :lines, :pixels] for name in ("images", "masks"))
            scaled = self.pixel_size or self.soft
            drawn = self.study.draw(self.seed, index_of(number, attempt)) if scaled else None
            frames.append((image, masks / np.float32(255), drawn and extent_of(drawn)))
        return _ready(self, k, frames)


@dataclass(frozen=True)
class Mixed:
    """Batches of several sources, each with its own part of every batch.

    Parameters
    ----------
    sources : tuple of Stored or Streaming
        Whose batches are put below each other; patches of one size.
    """

    sources: tuple

    @property
    def size(self):
        """Samples in a batch."""
        return sum(source.size for source in self.sources)

    def batch(self, k):
        """Return images (n, C, L, P) and masks (n, 2, L, P), float32."""
        return tuple(map(np.concatenate, zip(*(source.batch(k) for source in self.sources), strict=True)))


def shared(source, part, parts):
    """Return the same batches, of which each of `parts` processes gets its own part."""
    if isinstance(source, Mixed):
        return Mixed(tuple(shared(one, part, parts) for one in source.sources))
    return replace(source, share=(part, parts))


def ahead(source, first, last, threads=2):
    """Yield the batches `first` to `last` - 1 in order, made in background threads, a few ahead of their use.

    Parameters
    ----------
    source : Stored, Streaming or Mixed
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
    if source.crops < 1 or (source.crops > 1 and not source.patch):
        raise ValueError(f"crops = {source.crops}: cut at least 1 from each frame, and more only with patch")
    if not 0 <= source.scatter < 1:
        raise ValueError(f"scatter = {source.scatter} is not a share of the pixel in [0, 1)")
    each = parts * source.crops
    if source.size < 1 or source.size % each or not 0 <= part < parts:
        raise ValueError(f"a batch of {source.size} cannot be shared evenly by {each}; choose a multiple of {each}")


def extent_of(parameters):
    """Height and width of a frame [Å]: what its lines and pixels are spread over."""
    return parameters["raster.height"], parameters["raster.width"]


def _ready(source, k, frames):
    """Return a batch of frames: (image (C, L, P) [Å], masks (2, L, P), extent [Å]) each."""
    out = [[], []]
    rows = _own(np.arange(source.size // source.crops), source.share).tolist()
    for row, (image, masks, extent) in zip(rows, frames, strict=True):
        rng = stream(source.seed, k * source.size + row * source.crops, "shown")
        for shown in _shown(source, image[: source.passes], masks, extent, rng):
            for part, cut in zip(out, shown, strict=True):
                part.append(cut)
    return tuple(np.stack(part).astype("f4", copy=False) for part in out)


def _shown(source, image, masks, extent, rng):
    """Resample and normalise one frame, cut and turn it, as the source says; once for each crop."""
    if source.grey:
        image = published(image, rng)
    if source.pixel_size:
        size = source.pixel_size * (1 + source.scatter * rng.uniform(-1, 1) if source.scatter else 1)
        shape = [max(round(length / size), 1) for length in extent]
        image, masks = resample(image, shape), resample(masks, shape)
        masks[0] *= fine_enough(size)  # no network can mark atoms between its pixels
    if source.soft:
        masks = np.stack([masks[0], softened(masks[1], source.soft, extent[1] / masks.shape[-1])])
    image = normalise(image, source.level)
    image = image.reshape(-1, *image.shape[-2:])
    for _ in range(source.crops):
        both = image, masks
        if source.patch:
            cut = patch(np.concatenate(both), source.patch, rng)
            both = cut[: len(image)], cut[len(image) :]
        yield (part[:, ::-1] for part in both) if source.flip and rng.random() < 0.5 else both
