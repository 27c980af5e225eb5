"""Constant-current images: the compiled kernel against Newton's method on all pairs in NumPy, on the same work."""

import time

import numpy as np

import stmlab as stm
from stmlab.junction import kappa
from stmlab.modes import newton
from stmlab.structures import images


def junction(tips=1, width=25):
    """A pristine sheet with 12 Å around the frame, under a tip of one atom or more."""
    sheet = stm.wse2()
    _, atoms = images(sheet.positions, sheet.cell, sheet.pbc, [-width / 2 - 12] * 2, [width / 2 + 12] * 2)
    needle = np.array([[0, 0, 0], [2.0, 1.0, 0.5], [-1.5, 2.0, 0.8]])[:tips]
    return stm.Junction(atoms, needle, np.ones((len(atoms), tips)), kappa(4.5))


def best(run, repeats=20):
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = run()
        times.append(time.perf_counter() - start)
    return min(times), result


class AllPairs:
    """ln I of a junction and its slope, every pair written out in NumPy."""

    def __init__(self, junction):
        self.junction, self.floor = junction, junction.floor

    def log_current_and_slope(self, x, y, z):
        j = self.junction
        d = np.stack([x, y, z], -1)[..., None, None, :] + j.tip - j.sample[:, None]
        r = np.linalg.norm(d, axis=-1)
        e = j.weights * np.exp(-2 * j.kappa * (r - r.min()))
        total = e.sum((-1, -2))
        return np.log(total) - 2 * j.kappa * r.min(), -2 * j.kappa * (e * d[..., 2] / r).sum((-1, -2)) / total


def naive(junction, raster, setpoint):
    """The same heights by Newton's method on all pairs, line by line."""
    return np.stack([newton(AllPairs(junction), x, y, setpoint, 5.0, 1e-8)[0] for x, y in zip(*raster.xy, strict=True)])


def pairs_of(junction, raster, z):
    """Pairs within the slack of the shortest, for a pixel on average: what one evaluation has to add up."""
    x, y = (v.ravel()[::37] for v in raster.xy)
    d = np.stack([x, y, z.ravel()[::37]], -1)[:, None, None] + junction.tip - junction.sample[:, None]
    r = np.linalg.norm(d, axis=-1)
    return (r < r.min((1, 2), keepdims=True) + junction.slack).sum((1, 2)).mean()


def main():
    for tips, width, pixels in ((1, 25, 64), (3, 25, 64), (1, 100, 256)):
        raster, j = stm.Raster(width, width, pixels, pixels), junction(tips, width)
        setpoint = np.median(stm.constant_height(j, raster, 5.0))
        fast, (z, info) = best(lambda r=raster, j=j, s=setpoint: stm.constant_current(j, r, s, 5.0, full_output=True))
        said = (
            f"{width / 10:.1f} nm, {pixels} x {pixels}, {tips} tip atom(s), {len(j.sample)} sample atoms: "
            f"{1e3 * fast:.2f} ms, {info['evaluations'].mean():.3f} evaluations per pixel, "
            f"{info['fallbacks'].sum()} fallbacks, {1e9 * fast / z.size / pairs_of(j, raster, z):.2f} ns per pair"
        )
        if width == 25:
            start = time.perf_counter()
            slow_z = naive(j, raster, setpoint)
            slow = time.perf_counter() - start
            said += f"; all pairs in NumPy {slow:.1f} s, {slow / fast:.0f} x"
            said += f"; {100 * np.abs(z - slow_z).max():.4f} pm apart"
        print(said)


if __name__ == "__main__":
    main()
