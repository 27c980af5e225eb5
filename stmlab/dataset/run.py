"""Making a dataset: chunks go out to workers, and one writer puts them into the store."""

from __future__ import annotations

import os
import queue
import signal
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

from tqdm import tqdm

from ..parameters import Study
from .cluster import connected
from .lock import only_writer
from .plan import DatasetError, Plan, whole
from .reader import open_dataset
from .samples import make_chunk
from .store import create, read_plan, repair, zarr


def generate(
    study, count, seed=0, out=None, workers=None, executor=None, progress=True, *,
    processes=False, scheduler=None, chunk=None, masks=None, ideal=False, drive=False,
):  # fmt: skip
    r"""Make a dataset of labelled images, or go on with one.

    Sample k is a pure function of the study, the seed and k, whoever makes it. A run that was stopped, at any
    moment, goes on when it is called again with the same arguments, and ends with the same bytes; chunks that are
    damaged are then made again. A sample that cannot be made, such as one whose junction has no height that
    carries the setpoint, is listed with the reason and drawn again with index
    :math:`k + r\,2^{48}` after its r-th failure: the set then lacks what fails, and says how much that is.

    Parameters
    ----------
    study : Study or str
        What to draw from; or the name of a bundled study, or a file.
    count : int
        Number of samples.
    seed : int
        Of every random number.
    out : path, optional
        Folder of the Zarr store; the name of the study with ``.zarr`` if left out.
    workers : int, optional
        Number of threads or processes; as many as there are cores if left out. With an executor: how many it has.
    executor : optional
        Who makes the chunks instead of threads: anything with ``.submit``, such as a
        `concurrent.futures.ProcessPoolExecutor` or ``Client.get_executor()`` of Dask.
    progress : bool
        Whether to show samples per second, the time left and the number of failures.
    processes : bool
        Whether the workers are processes instead of threads. They take some seconds to start and memory of their own,
        and are then nearly as many times quicker as there are cores; in a script they need the usual
        ``if __name__ == "__main__":``.
    scheduler : str, optional
        Address of a Dask scheduler whose workers make the chunks, such as ``tcp://host:8786``.
    chunk : int, optional
        Samples in a chunk, which is worked on and written in one go; 256 for small frames.
    masks : {"thesis", "visible"}, optional
        Kind of the labels; "visible" for the studies ``large-frame`` and ``painted-frame``, else "thesis".
    ideal, drive : bool
        Whether to store the ideal image [Å] and the voltage on the z piezo [V], too.

    Returns
    -------
    Dataset

    Raises
    ------
    DatasetError
        If the count is not positive, the folder holds another dataset or something else, someone is writing to it,
        a package is missing, the scheduler does not answer, or a sample fails 20 times.
    OSError
        If the folder cannot be written to; what was written before is intact.
    """
    study = study if isinstance(study, Study) else Study.load(study)
    out = Path(out if out is not None else f"{study.name or 'dataset'}.zarr")
    count = whole("count", count, 1, 2**48)
    workers = whole("workers", workers, 1, 2**16) if workers is not None else None
    if masks not in (None, "thesis", "visible"):
        raise DatasetError(f"masks = {masks!r} must be 'thesis' or 'visible'")
    if (executor is not None) + (scheduler is not None) + bool(processes) > 1:
        raise DatasetError("give one of an executor, a scheduler and processes")
    zarr()
    with _writing(out), only_writer(out):
        plan = Plan.of(study, count, seed, chunk or _chunk_of(out), masks, ideal, drive)
        with _workers(workers, executor, scheduler, processes) as (submit, depth):  # first: without workers, no store
            store = _store(out, plan)
            _make(store, [i for i in range(plan.chunks) if store.damage(i)], submit, depth, progress)
        store.finish()
    return open_dataset(out)


def _store(out, plan):
    """Make a store, or go on with the one that is there if it is of the same plan."""
    if not out.exists():
        return create(out, plan)
    if out.is_dir() and not (out / "zarr.json").exists():
        if any(out.iterdir()):
            raise DatasetError(f"{out} is a folder with something else in it; name a new one")
        out.rmdir()
        return create(out, plan)
    there, _ = read_plan(out)
    if there != plan:
        other = "; ".join(plan.differences(there)) or "made otherwise"
        raise DatasetError(f"{out} is another dataset: {other}; name a new folder")
    return repair(out, plan)


def _chunk_of(out):
    """The size of chunks in a store that is there."""
    return read_plan(out)[0].chunk if (out / "zarr.json").exists() else None


def _make(store, todo, submit, depth, progress):
    plan, failures = store.plan, store.failures()
    sizes = [last - first for first, last in map(plan.span, range(plan.chunks))]
    done = plan.count - sum(sizes[i] for i in todo)
    options = plan.masks, plan.ideal, plan.drive, plan.stmlab
    jobs = ((i, (plan.study, plan.seed, *plan.span(i), *options)) for i in todo)
    with tqdm(total=plan.count, initial=done, unit=" samples", disable=not progress, smoothing=0.1) as bar:
        bar.set_postfix(failures=failures)
        for i, chunk in _results(jobs, submit, depth):
            store.write(i, chunk)
            failures += len(chunk.failures)
            bar.set_postfix(failures=failures, refresh=False)
            bar.update(sizes[i])


def _results(jobs, submit, depth):
    """Yield the chunks as they are done, with at most `depth` on their way."""
    arrived, on_their_way = queue.SimpleQueue(), {}
    try:
        while True:
            for i, arguments in islice(jobs, depth - len(on_their_way)):
                future = submit(make_chunk, *arguments)
                on_their_way[future] = i
                future.add_done_callback(arrived.put)
            if not on_their_way:
                return
            future = arrived.get()
            yield on_their_way.pop(future), _result(future)
    finally:
        for future in on_their_way:
            future.cancel()


def _result(future):
    try:
        return future.result()
    except Exception as error:
        lost = isinstance(error, BrokenExecutor) or type(error).__name__ in ("KilledWorker", "CancelledError")
        if lost:
            raise DatasetError("the workers were lost; run the same again to go on") from error
        if isinstance(error, OSError):  # nothing that has to do with the store
            raise DatasetError(f"a worker failed: {error}") from error
        raise


@contextmanager
def _workers(workers, executor, scheduler, processes):
    """Yield who takes a job, and how many jobs to hand out ahead: enough to keep all busy while one is written."""
    if executor is not None:
        yield executor.submit, 2 * (workers or getattr(executor, "_max_workers", None) or _cores())
        return
    with nullcontext((None, 0)) if scheduler is None else connected(scheduler) as (remote, threads):
        if remote is not None:
            yield remote.submit, 2 * (workers or threads)
            return
        workers = workers or _cores()
        pool = _processes(workers) if processes else ThreadPoolExecutor(workers, thread_name_prefix="stmlab")
        try:
            yield pool.submit, workers + 1
        finally:
            pool.shutdown(cancel_futures=True)


def _processes(workers):
    """Fresh processes, which leave it to this one to answer Ctrl-C."""
    ignore = signal.signal, (signal.SIGINT, signal.SIG_IGN)
    return ProcessPoolExecutor(workers, get_context("spawn"), *ignore)


def _cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _writing(out):
    """Say in one line what stood in the way of writing, and that nothing is lost."""
    if out.exists() and not out.is_dir():
        raise DatasetError(f"{out} is a file; name a folder, such as {out.stem}.zarr")
    if not out.resolve().parent.is_dir():
        raise DatasetError(f"{out} cannot be written: {out.parent} is not an existing folder")
    try:
        yield
    except OSError as error:
        after = "; what was there before is intact, run the same again to go on" if out.exists() else ""
        raise OSError(f"cannot write {out}: {error.strerror or error}{after}") from error
