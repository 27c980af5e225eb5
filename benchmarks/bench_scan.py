"""A 64x64 constant-current image: the compiled kernel against the readable all-pairs sum, on the same work."""

import time

import numpy as np

import stmlab as stm
from stmlab.junction import kappa, log_current
from stmlab.structures import images


def junction(tips=1):
    """A pristine 2.5 nm sheet with 12 Å around it, under a tip of one atom or more."""
    sheet = stm.wse2()
    _, atoms = images(sheet.positions, sheet.cell, sheet.pbc, [-25, -25], [25, 25])
    needle = np.array([[0, 0, 0], [2.0, 1.0, 0.5], [-1.5, 2.0, 0.8]])[:tips]
    return stm.Junction(atoms, needle, np.ones((len(atoms), tips)), kappa(4.5))


def best(run, repeats=5):
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = run()
        times.append(time.perf_counter() - start)
    return min(times), result


def readable_newton(j, raster, setpoint, start=5.0, steps=5):
    """The same equation in NumPy: every pair, a few Newton steps for all pixels of a line at once."""
    z = np.full(raster.shape, start)
    for row in range(raster.lines):
        x, y = raster.xy[0][row], raster.xy[1][row]
        for _ in range(steps):
            value, above = (
                log_current(np.stack([x, y, z[row] + d], -1), j.sample, j.tip, j.weights, j.kappa) for d in (0, 1e-4)
            )
            z[row] += (setpoint - value) / ((above - value) / 1e-4)
    return z


def main():
    raster = stm.Raster(25, 25, 64, 64)
    for tips in (1, 3):
        j = junction(tips)
        setpoint = np.median(stm.constant_height(j, raster, 5.0))
        fast, (z, info) = best(lambda j=j, s=setpoint: stm.constant_current(j, raster, s, 5.0, full_output=True))
        start = time.perf_counter()
        slow_z = readable_newton(j, raster, setpoint)
        slow = time.perf_counter() - start
        print(
            f"{tips} tip atom(s), {len(j.sample)} sample atoms: kernel {1e3 * fast:.1f} ms, all pairs in NumPy "
            f"{slow:.1f} s, ratio {slow / fast:.0f}; {info['evaluations'].mean():.2f} evaluations per pixel, "
            f"{info['fallbacks'].sum()} fallbacks; largest difference {100 * np.abs(z - slow_z).max():.4f} pm"
        )


if __name__ == "__main__":
    main()
