"""Rates at which labelled samples are made, where the time goes, and how much memory it takes.

Every row runs in a fresh process, so that the peak of its memory is its own; all rows are of one run of this script.
Give names of studies to have only those, and ``--count N`` for more samples (100 000 of thesis-main, for example).

The last line compares one topograph with Newton's method in plain NumPy over every pair of atoms of the same junction,
without lists and expansions.
"""

import argparse
import json
import multiprocessing
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from stmlab import Study, assembly, generate, instrument, microscope
from stmlab.dataset import samples

COUNT = {"thesis-main": 2048, "thesis-control": 1024, "realistic": 64, "large-frame": 24}
STAGES = {
    "draw": (samples.Study, "draw"), "sheet": (microscope, "wse2_sheet"), "path": (microscope, "trajectory"),
    "densities of states": (assembly, "ldos"), "rest of the junction": (microscope, "build_junctions"),
    "setpoint": (microscope, "survey"), "current along the path": (microscope, "along"),
    "ideal image": (microscope, "topograph_of"), "noise": (instrument, "hiss"), "lift": (instrument, "lift"),
    "loop": (instrument, "follow"), "labels": (samples, "label"),
}  # fmt: skip


def study(name, retrace):
    made = Study.load(name)
    base = made.base if retrace else made.base.set({"raster.retrace": "skipped"})
    return Study(base, made.vary, made.name, made.description)


def chunks(text, count, size):
    return [(text, 0, first, min(first + size, count)) for first in range(0, count, size)]


def without_saving(text, count, workers, pool=ThreadPoolExecutor):
    """Samples per second of `make_chunk` alone, once every worker is warm."""
    size = max(min(128, count // (2 * workers)), 1)
    with pool(workers) as crew:
        for future in [crew.submit(samples.make_chunk, *job) for job in chunks(text, 2 * workers * 16, 16)]:
            future.result()
        start = time.perf_counter()
        for future in [crew.submit(samples.make_chunk, *job) for job in chunks(text, count, size)]:
            future.result()
        return count / (time.perf_counter() - start)


def Processes(workers):
    """Make a pool of fresh processes, as on any system."""
    return ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"))


def with_saving(made, count, threads):
    """Samples per second of `generate`, from nothing to a finished store; and the bytes of a sample in it."""
    folder = Path(tempfile.mkdtemp(prefix="stmlab-bench-"))
    try:
        start = time.perf_counter()
        generate(made, count, seed=0, out=folder / "set.zarr", workers=threads, progress=False)
        rate = count / (time.perf_counter() - start)
        size = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) / count
    finally:
        shutil.rmtree(folder)
    return rate, size


def split(text, count):
    """Milliseconds that a sample spends in each stage, on one thread."""
    spent, kept = dict.fromkeys(STAGES, 0.0), {}
    for stage, (owner, name) in STAGES.items():
        kept[stage] = getattr(owner, name)

        def timed(*args, _stage=stage, **kwargs):
            start = time.perf_counter()
            try:
                return kept[_stage](*args, **kwargs)
            finally:
                spent[_stage] += time.perf_counter() - start

        setattr(owner, name, timed)
    start = time.perf_counter()
    samples.make_chunk(text, 0, 0, count)
    whole = time.perf_counter() - start
    for stage, (owner, name) in STAGES.items():
        setattr(owner, name, kept[stage])
    spent["rest of the junction"] -= spent["densities of states"]
    spent["all else"] = whole - sum(spent.values())
    return {stage: 1e3 * seconds / count for stage, seconds in spent.items()}


def one(name, retrace, count):
    """Measure one study, in this process."""
    made = study(name, retrace)
    text = made.dumps()
    start = time.perf_counter()
    samples.make_chunk(text, 0, 0, 1)
    first = time.perf_counter() - start
    samples.make_chunk(text, 0, 0, min(count, 48))  # tables and compiled code
    few = max(count // 8, 8)
    stages = split(text, few)
    rates = {str(threads): without_saving(text, count, threads) for threads in (1, 2)}
    rates["processes"] = without_saving(text, count, 2, Processes)
    saved, size = with_saving(made, count, 2)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"first": first, "stages": stages, "rates": rates, "saved": saved, "size": size, "peak": peak}


def naive(count=3):
    """Seconds that one topograph takes in plain NumPy, and what ours takes, on the same junctions."""
    made, ours, plain = study("thesis-main", False), 0.0, 0.0
    for k in range(count):
        p = made.draw(0, k)
        raster = microscope.frame(p)
        path = microscope.trajectory(raster, p, 0, k)
        junction, _ = assembly.build_junction(p, assembly.wse2_sheet(p, path, 0, k), p.tip.apex, path, "tmatrix")
        look = microscope.survey(junction, raster, p.junction.height)
        start = time.perf_counter()
        quick = microscope.topograph_of(junction, raster, look)
        ours += (time.perf_counter() - start) / count
        start = time.perf_counter()
        slow = all_pairs(junction, *raster.xy, p.junction.height, look.setpoint)
        plain += (time.perf_counter() - start) / count
        if np.abs(quick - slow).max() > 1e-3:
            raise SystemExit("the two topographs differ by more than 0.1 pm")
    return plain, ours


def all_pairs(junction, x, y, start, setpoint, steps=10):
    """Newton's method with every pair of atoms, a line of pixels at a time."""
    offset, weight = junction.pairs[:3], junction.pairs[3]
    decay, z = 2 * junction.kappa, np.full(x.shape, start)
    for row in range(len(x)):
        for _ in range(steps):
            d = np.stack([x[row], y[row], z[row]])[:, :, None] + offset[:, None, :]
            length = np.sqrt((d**2).sum(0))
            current = weight * np.exp(-decay * length)
            slope = -decay * (current * d[2] / length).sum(1) / current.sum(1)
            z[row] += (setpoint - np.log(current.sum(1))) / slope
    return z


def show(name, retrace, found):
    passes = "trace and retrace" if retrace else "trace"
    print(f"\n{name}, {passes}: first sample after {found['first']:.2f} s, peak memory {found['peak']:.0f} MB")
    rates = found["rates"]
    print(f"  {rates['1']:8.1f} samples/s on one thread, {rates['2']:8.1f} on two ({rates['2'] / rates['1']:.2f} x)")
    print(f"  {rates['processes']:8.1f} samples/s in two processes")
    print(f"  {found['saved']:8.1f} samples/s on two threads into a store of {found['size'] / 1e3:.0f} kB a sample")
    for stage, milliseconds in sorted(found["stages"].items(), key=lambda item: -item[1]):
        print(f"  {milliseconds:10.3f} ms  {stage}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("studies", nargs="*", metavar="STUDY", help=f"of {', '.join(COUNT)}; all by default")
    parser.add_argument("--count", type=int, help="samples; a number for each study by default")
    parser.add_argument("--one", choices=["trace", "both"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one(options.studies[0], options.one == "both", options.count)))
        return
    for name in options.studies or COUNT:
        for retrace in (False, True):
            count = str(options.count or COUNT[name])
            command = [sys.executable, __file__, name, "--count", count, "--one", "both" if retrace else "trace"]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            show(name, retrace, json.loads(done.stdout))
    plain, ours = naive()
    print(f"\none topograph, every pair in NumPy: {1e3 * plain:.0f} ms; ours {1e3 * ours:.2f} ms, {plain / ours:.0f} x")


if __name__ == "__main__":
    main()
