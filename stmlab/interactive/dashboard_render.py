"""What the dashboard shows: samples of a study, simulated side by side, each with the junction it was made of."""

from __future__ import annotations

import time
import warnings
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import NamedTuple

import numpy as np

from ..assembly import build_junction, wse2_sheet
from ..junction import Junction
from ..microscope import simulate
from ..scan import Scan
from ..structures import tip_named, turned
from ..tightbinding.threads import one_thread
from ..trajectory import trajectory


class Shot(NamedTuple):
    """One simulated sample, and the atoms behind it."""

    scan: Scan
    junction: Junction
    apex: np.ndarray  # (K, 3) Å, atoms of the whole tip relative to its lowest
    seconds: float  # that the simulation took


class Gallery(NamedTuple):
    """Samples of a study, and what was remarked while they were made."""

    shots: list
    remarks: list


def shoot(parameters, seed, index):
    """Simulate one sample and keep its junction."""
    start = time.perf_counter()
    scan = simulate(parameters, seed=seed, index=index)
    took = time.perf_counter() - start
    path = trajectory(scan.raster, parameters, seed, index)
    sheet = wse2_sheet(parameters, path, seed, index)
    junction, _ = build_junction(parameters, sheet, parameters.tip.apex, path, "tmatrix")
    return Shot(scan, junction, apex(parameters.tip), took)


def apex(tip):
    """Atoms (K, 3) [Å] of the lowest 12 Å of the tip, turned as it is, its lowest atom at z = 0."""
    atoms = turned(tip_named(tip.apex).positions, tip.rotation, tip.tilt, tip.azimuth)
    atoms[:, 2] -= atoms[:, 2].min()
    return atoms[atoms[:, 2] < 12.0]


def render(study, seed=0, first=0, samples=1, threads=1, progress=lambda done: None):
    """Simulate samples ``first`` to ``first + samples - 1`` of a study, several at a time.

    Parameters
    ----------
    study : Study
        What is drawn from; every sample is the same whatever the number of threads.
    seed, first, samples, threads : int
        Seed of the study, number of the first sample, how many samples, how many at a time.
    progress : callable
        Told how many samples are done, in the calling thread.

    Returns
    -------
    Gallery

    Raises
    ------
    ValueError
        The first one that a sample raised.
    """
    wanted = [study.draw(seed, first + k) for k in range(samples)]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        shots = _all(wanted, seed, first, threads, progress)
    return Gallery(shots, list(dict.fromkeys(" ".join(str(w.message).split()) for w in caught)))


def _all(wanted, seed, first, threads, progress):
    progress(0)
    # Each simulation sets the number of BLAS threads to one and back again; set here too, "back" is one as well.
    with one_thread(), ThreadPoolExecutor(max_workers=threads) as pool:
        tasks = [pool.submit(shoot, p, seed, first + k) for k, p in enumerate(wanted)]
        try:
            for done, task in enumerate(as_completed(tasks), 1):
                task.result()
                progress(done)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return [task.result() for task in tasks]
