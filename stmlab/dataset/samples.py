"""One chunk of samples, as a pure function of the study, the seed and the numbers of its samples."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from .. import __version__
from ..labels import masks as label
from ..microscope import simulate, simulate_many
from ..parameters import Study
from ..tightbinding.threads import one_thread
from .plan import DEFECT_COLUMNS, DatasetError, Plan

ATTEMPTS = 20
LATER = 2**48  # how much further along a sample that failed is drawn again
TOGETHER = 16  # frames that the loop takes at a time, fewer where they are large
FRAME_PIXELS = 2**18


class Chunk(NamedTuple):
    """What a worker returns; n samples."""

    arrays: dict  # name -> (n, ...)
    defects: np.ndarray  # (D, 7), all defects of all samples, kinds as their place in `kinds`
    kinds: list
    failures: list  # (sample, attempt, reason)


def index_of(sample, attempt=0):
    r"""Index of the random streams of a sample.

    A sample that cannot be made is drawn again with another index, so that no other sample moves:

    .. math:: i = k + r\, 2^{48}

    Parameters
    ----------
    sample : int
        Its number k in the set.
    attempt : int
        How many times r it has failed.

    Returns
    -------
    int
    """
    return sample + attempt * LATER


def make_chunk(study, seed, first, last, masks="thesis", ideal=False, drive=False, version=__version__):
    """Make the samples from `first` up to, not including, `last`.

    Parameters
    ----------
    study : str
        The study as TOML.
    seed : int
        Of the set.
    first, last : int
        Numbers of the samples.
    masks : {"thesis", "visible"}
        Kind of the labels; see `stmlab.labels.masks`.
    ideal, drive : bool
        Whether to return these images, too.
    version : str
        Version of stmlab that is asked for.

    Returns
    -------
    Chunk

    Raises
    ------
    DatasetError
        If a sample fails `ATTEMPTS` times, or this is another version of stmlab.
    """
    if version != __version__:
        raise DatasetError(f"a worker has stmlab {__version__}, not {version}; install the same version everywhere")
    plan = _plan(study, last - first, seed, masks, ideal, drive)
    arrays = blank(plan, last - first)
    waiting, failures, defects = [(k, 0) for k in range(first, last)], [], {}
    together = int(np.clip(FRAME_PIXELS // np.prod(plan.frame), 1, TOGETHER))
    with _one_thread_each():
        while waiting:
            batch, waiting = waiting[:together], waiting[together:]
            for (k, attempt), done in zip(batch, _attempts(_study(study), seed, batch, plan), strict=True):
                if isinstance(done, ValueError):
                    failures.append((k, attempt, _one_line(done)))
                    waiting.append(_again(k, attempt, failures))
                else:
                    defects[k] = fill(arrays, plan, k - first, attempt, *done)
    flat = np.concatenate([defects[k] for k in sorted(defects)])
    return Chunk(arrays, *_coded(flat), sorted(failures))


def blank(plan, count):
    """Return arrays for `count` samples, padded: NaN for what is measured, 0 for what is counted."""
    return {name: np.full((count, *shape), np.nan if dtype == "f4" else 0, dtype)
            for name, (shape, dtype) in plan.layout().items()}  # fmt: skip


def fill(arrays, plan, row, attempt, scan, masks):
    """Put one scan and its masks into a row of the arrays, in the corner; return its defects."""
    lines, pixels = scan.raster.shape
    corner = np.s_[..., :lines, :pixels]
    arrays["images"][row][corner] = scan.height[: plan.passes]
    arrays["masks"][row][corner] = np.rint(255 * masks)
    if plan.drive:
        arrays["drive"][row][corner] = scan.drive[: plan.passes]
    if plan.ideal:
        arrays["ideal"][row][corner] = scan.ideal
    arrays["samples"][row] = attempt, lines, pixels, len(scan.defects)
    for column, said in enumerate(plan.columns):
        value = scan.parameters[said["path"]]
        arrays["parameters"][row, column] = said["values"].index(value) if "values" in said else value
    return scan.defects


def _attempts(study, seed, batch, plan):
    """Return (scan, masks), or the error, of each (sample, attempt)."""
    indices = [index_of(*which) for which in batch]
    drawn = [_or_error(study.draw, seed, index) for index in indices]
    able = [(p, index) for p, index in zip(drawn, indices, strict=True) if not isinstance(p, ValueError)]
    ideal = plan.ideal or plan.masks == "visible"  # which looks at it
    scans = _or_error(simulate_many, [p for p, _ in able], seed, [index for _, index in able], ideal)
    if isinstance(scans, ValueError):  # one of them spoils the lot: find out which
        scans = [_or_error(simulate, p, seed, index) for p, index in able]
    scans = iter(scans)
    tried = [p if isinstance(p, ValueError) else next(scans) for p in drawn]
    return [scan if isinstance(scan, ValueError) else _or_error(_labelled, scan, plan.masks) for scan in tried]


def _labelled(scan, masks):
    used = 1 if scan.parameters["raster.retrace"] == "skipped" else 2
    if not np.isfinite(scan.height[:used]).all():
        raise ValueError("the recorded height is not finite")
    return scan, label(scan, masks)


def _or_error(function, *arguments):
    try:
        return function(*arguments)
    except ValueError as error:
        return error


def _again(sample, attempt, failures):
    """Return the next attempt at a sample, or give it up."""
    if attempt + 1 < ATTEMPTS:
        return sample, attempt + 1
    reasons = dict.fromkeys(reason for k, _, reason in failures if k == sample)
    raise DatasetError(f"sample {sample} failed {ATTEMPTS} times; change the study: {'; '.join(list(reasons)[:3])}")


def _one_line(error):
    return " ".join(str(error).split())[:300] or type(error).__name__


def _coded(defects):
    """Return a table of defects as plain numbers (D, 7), and the kinds that its first column counts."""
    kinds, codes = np.unique(defects["kind"], return_inverse=True)
    rest = [defects[name] for name in DEFECT_COLUMNS[1:]]
    return np.column_stack([codes.reshape(-1), *rest]).astype(float), kinds.tolist()


@lru_cache(maxsize=4)
def _study(text):
    return Study.loads(text)


@lru_cache(maxsize=4)
def _plan(text, count, *options):
    seed, masks, ideal, drive = options
    return Plan.of(_study(text), count, seed, masks=masks, ideal=ideal, drive=drive)


_GUARD, _INSIDE = threading.Lock(), []


@contextmanager
def _one_thread_each():
    """Hold the linear algebra to one thread while any thread of this process is inside."""
    with _GUARD:
        if not _INSIDE:
            _INSIDE.append(one_thread())
            _INSIDE[0].__enter__()
        _INSIDE.append(None)
    try:
        yield
    finally:
        with _GUARD:
            _INSIDE.pop()
            if len(_INSIDE) == 1:
                _INSIDE.pop().__exit__(None, None, None)
