"""The feedback loop over a whole frame: trace and retrace of 64 x 64 pixels, 16 readings on each.

Prints milliseconds for one sample alone and for each of a batch, of the compiled loop only (its input is ready) and
of all that prepares it, beside the loop written out in Python, in one run.
"""

import time

import numpy as np

import stmlab as stm
from stmlab import instrument, microscope
from stmlab.kernels import loop as kernel
from stmlab.trajectory import frame, trajectory

BASE = {"feedback.steps_per_pixel": 16, "raster.width": 30.0, "raster.height": 30.0}
LOOPS = {
    "integral": {},
    "filters, delay": {"feedback.preamp_bandwidth": 2e3, "feedback.output_bandwidth": 2e3, "feedback.delay": 1},
    "hysteresis": {"piezo.hysteresis_z": 5.0},
    "creep": {"piezo.creep": 0.02},
    "linear amplifier": {"feedback.signal": "linear"},
    "slides' form": {"feedback.form": "increment", "feedback.window": 0.001},
}


def best(function, repeats=5):
    """Shortest of several times [ms]."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return 1e3 * min(times)


def runs(change, count):
    """Runs as `simulate` sets them up."""
    caught, follow = [], instrument.follow
    instrument.follow = lambda these: caught.extend(these) or follow(these)
    try:
        for seed in range(count):
            stm.simulate(stm.Parameters().set(BASE | change), seed=seed)
    finally:
        instrument.follow = follow
    return caught


def loop_alone(some):
    """Milliseconds that the compiled loop takes of `follow`."""
    spent, loop = [], kernel.loop

    def timed(*arguments):
        start = time.perf_counter()
        loop(*arguments)
        spent.append(time.perf_counter() - start)

    kernel.loop = timed
    try:
        instrument.follow(some)
        times = []
        for _ in range(5):
            spent.clear()
            instrument.follow(some)
            times.append(sum(spent))
    finally:
        kernel.loop = loop
    return 1e3 * min(times)


def main():
    """Print the table."""
    print(f"{'':20s}{'one alone':>22s}{'each of 32':>22s}   [ms: loop, with preparation]")
    for name, change in LOOPS.items():
        some = runs(change, 32)
        for few in (some[:1], some):
            whole = best(lambda few=few: instrument.follow(few)) / len(few)
            name += f"{loop_alone(few) / len(few):{30 - len(name) if few is not some else 10}.2f}{whole:12.2f}"
        print(name)
    run = runs({}, 1)[0]
    few = run._replace(terms=run.terms[:, :128], lift=run.lift[:2048], hiss=run.hiss[:2048])
    slow = best(lambda: instrument.step_by_step(few, lambda n, z: -2.1 * (z - 5.0)), 2) * run.lift.size / 2048
    print(f"written out in Python, a straight ln I: {slow:.0f} ms, {slow / loop_alone([run]):.0f} times as long")
    p = stm.Parameters().set(BASE)
    path = trajectory(frame(p), p)
    sheet = stm.assembly.wse2_sheet(p, path, 0, 0)
    junction, _ = stm.assembly.build_junction(p, sheet, p.tip.apex, path, "tmatrix")
    look = microscope.survey(junction, frame(p), p.junction.height)
    shifted = path._replace(x=path.x + np.array([0.0, 0.1])[:, None])
    times = [best(lambda way=way: microscope.along(junction, frame(p), way, look)) for way in (path, shifted)]
    print(f"expansions of ln I: {times[0]:.2f} ms, {times[1]:.2f} ms if the retrace has its own places")


if __name__ == "__main__":
    main()
