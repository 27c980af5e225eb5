from dataclasses import replace

import numpy as np
import pytest
from numba import njit

from stmlab import modes
from stmlab.junction import Junction, kappa, log_current
from stmlab.kernels.constant_current import cubic_step, expand, next_height
from stmlab.modes import constant_current, constant_height, newton
from stmlab.scan import Raster
from stmlab.structures import images, tip, turned, wse2


@pytest.fixture(scope="module")
def sheet():
    """A sheet with one top atom missing, under a tip of two atoms."""
    cell = wse2()
    _, atoms = images(cell.positions, cell.cell, cell.pbc, [-25, -25], [25, 25])
    weight = np.ones((len(atoms), 2)) * [1.0, 0.4]
    weight[np.argmin(np.hypot(*(atoms[:, :2] - [1.66, 0.96]).T) + np.abs(atoms[:, 2]))] = 0
    return Junction(atoms, [[0, 0, 0], [1.3, 0.7, 0.9]], weight, 1.09, slack=12.0)


def test_one_atom_topograph_is_a_sphere():
    """I depends on the distance d alone, so z = sqrt(d^2 - x^2)."""
    junction, raster = Junction([[0, 0, 0]], [[0, 0, 0]], [[1.0]], 1.1), Raster(6, 6, 32, 32)
    x, y = raster.xy
    z = constant_current(junction, raster, -2.2 * 5.0, tolerance=1e-9)
    np.testing.assert_allclose(z, np.sqrt(25 - x**2 - y**2), atol=1e-9)


@pytest.mark.parametrize("height", [3.0, 5.0, 9.0])
def test_topograph_is_an_iso_surface(sheet, height):
    raster = Raster(20, 20, 24, 24)
    setpoint = np.median(constant_height(sheet, raster, height))
    for tolerance, error in ((1e-4, 1e-4), (1e-9, 1e-8)):
        z = constant_current(sheet, raster, setpoint, tolerance=tolerance)
        np.testing.assert_allclose(sheet.log_current(*raster.xy, z), setpoint, atol=error)


def test_small_corrugation_follows_from_the_slope(sheet):
    """dz = d ln I / (2 kappa) to first order."""
    raster = Raster(5, 5, 16, 16, center=(-8, -8))
    flat = constant_height(sheet, raster, 9.0)
    z = constant_current(sheet, raster, np.median(flat))
    slope = sheet.log_current_and_slope(*raster.xy, 9.0)[1]
    np.testing.assert_allclose(z - 9.0, (np.median(flat) - flat) / slope, atol=0.02 * np.ptp(z))


def test_scaling_the_density_of_states_does_not_move_the_tip(sheet):
    raster = Raster(10, 10, 8, 8)
    scaled = replace(sheet, weights=1e6 * sheet.weights)
    z = constant_current(sheet, raster, -8.0, tolerance=1e-9)
    np.testing.assert_allclose(constant_current(scaled, raster, -8.0 + np.log(1e6), tolerance=1e-9), z, atol=1e-9)


def test_newton_converges_quadratically(sheet):
    """Errors of successive steps: e_{n+1} / e_n^2 stays bounded; the order fitted to them is 2."""
    target = sheet.log_current(1.0, 1.0, 5.0)
    z, errors = 3.2, []
    for _ in range(5):
        value, slope = sheet.log_current_and_slope(1.0, 1.0, z)
        z += (target - value) / slope
        errors.append(abs(z - 5.0))
    errors = [e for e in errors if e > 1e-12]
    orders = np.diff(np.log(errors))[1:] / np.diff(np.log(errors))[:-1]
    assert orders[-1] == pytest.approx(2, abs=0.25)


@pytest.mark.parametrize("start", [2.5, 3.0, 20.0, 60.0, 5000.0])
def test_any_start_leads_to_the_same_surface(sheet, start):
    raster = Raster(8, 8, 6, 6)
    both = [constant_current(sheet, raster, -8.0, start=s, tolerance=1e-9) for s in (start, 6.0)]
    np.testing.assert_allclose(*both, atol=1e-9)


def test_what_cannot_be_is_refused(sheet):
    raster = Raster(8, 8, 6, 6)
    with pytest.raises(ValueError, match="raise the tip to at least"):
        constant_height(sheet, raster, 0.5)
    with pytest.raises(ValueError, match="lower the setpoint"):
        constant_current(sheet, raster, 50.0)
    with pytest.raises(ValueError, match="must be finite"):
        constant_current(sheet, raster, np.nan)
    with pytest.raises(ValueError, match="tolerance = 0 Å must be greater"):
        constant_current(sheet, raster, -8.0, tolerance=0)


def random_junction(rng, atoms_of_tip, slack=6.5):
    """A sheet with vacancies and shifted weights, turned at random, under a tip of a few atoms, as in the thesis."""
    cell = wse2()
    _, atoms = images(cell.positions, cell.cell, cell.pbc, [-30, -30], [30, 30])
    top = atoms[:, 2] > -0.1
    weight = np.where(top, rng.uniform(0.8, 1.2, len(atoms)), rng.uniform(0.0, 0.3, len(atoms)))
    weight[top & (rng.random(len(atoms)) < 0.05)] *= 0.03
    atoms = turned(atoms, rng.uniform(0, 360), rng.uniform(0, 0.6), rng.uniform(0, 360))
    tip = np.column_stack([rng.uniform(-3, 3, (atoms_of_tip, 2)), rng.uniform(0, 0.3, atoms_of_tip)])
    tip[0] = 0
    weight = weight[:, None] * rng.uniform(0.5, 1.5, atoms_of_tip)
    return Junction(atoms, tip, weight, rng.uniform(0.9, 1.1), slack)


@pytest.mark.parametrize("seed", range(20))
def test_twenty_samples_against_all_pairs(seed):
    """Frames of 1 to 4 nm from 3 to 6 Å: within 0.1 pm and 1.05 evaluations for a pixel; currents within 5e-4."""
    rng = np.random.default_rng(seed)
    raster = Raster(*[rng.uniform(10, 40)] * 2, 64, 64, angle=rng.uniform(0, 360))
    height, count = rng.uniform(3.5, 6), (1, 4, 6)[seed % 3]
    junction = random_junction(rng, count)
    flat = constant_height(junction, raster, height)
    some = rng.integers(0, 64, (2, 40))
    x, y = (v[tuple(some)] for v in raster.xy)
    points = np.column_stack([x, y, np.full(40, height)])
    plain = log_current(points, junction.sample, junction.tip, junction.weights, junction.kappa)
    np.testing.assert_allclose(flat[tuple(some)], plain, atol=5e-4)

    target = np.median(flat)
    z, info = constant_current(junction, raster, target, start=height, full_output=True)
    exact = AllPairs(junction)
    np.testing.assert_allclose(z[tuple(some)], newton(exact, x, y, target, height, 1e-13)[0], atol=1e-3)
    assert info["evaluations"].mean() <= 1.05
    assert info["fallbacks"].sum() == 0


class AllPairs:
    """ln I and its slope with nothing left out, in plain NumPy."""

    def __init__(self, junction):
        self.junction, self.floor = junction, junction.floor

    def log_current_and_slope(self, x, y, z):
        j = self.junction
        d = np.stack([x, y, z], -1)[:, None, None] + j.tip - j.sample[:, None]
        r = np.linalg.norm(d, axis=-1)
        e = j.weights * np.exp(-2 * j.kappa * (r - r.min()))
        slope = -2 * j.kappa * (e * d[..., 2] / r).sum((1, 2)) / e.sum((1, 2))
        return np.log(e.sum((1, 2))) - 2 * j.kappa * r.min(), slope


@pytest.mark.parametrize("case", ["vacancy under the tip", "3 Å", "blunt tip", "tilted sample", "rough sample"])
def test_hard_cases_converge(case):
    """Same surface as a bracketed Newton search at every pixel, from a bad start; fallbacks are counted."""
    cell = wse2()
    _, atoms = images(cell.positions, cell.cell, cell.pbc, [-22, -22], [22, 22])
    weight, height, apex = np.ones(len(atoms)), 6.0, np.zeros((1, 3))
    if case == "vacancy under the tip":
        weight[np.hypot(*atoms[:, :2].T) < 3] = 1e-6
    elif case == "3 Å":
        height = 3.0
    elif case == "blunt tip":
        apex = tip("111", 3).positions
        apex = apex[apex[:, 2] < 1.0]
    elif case == "tilted sample":
        atoms = turned(atoms, tilt=3)
    else:
        atoms = atoms + [0, 0, 2] * (np.abs(atoms[:, :1]) < 5)
    junction = Junction(atoms, apex, weight[:, None] * np.ones(len(apex)), 1.0, slack=9.0)
    raster = Raster(24, 24, 33, 21, angle=20)
    target = junction.log_current(9.0, 9.0, float(atoms[np.argmin(np.hypot(*(atoms[:, :2] - 9).T)), 2] + height))
    x, y = raster.xy
    z, info = constant_current(junction, raster, target, start=12.0, full_output=True)
    plain, counts = newton(junction, x, y, target, 12.0)
    np.testing.assert_allclose(z, plain, atol=1e-3)
    assert info["evaluations"].mean() < 2.5 < counts["evaluations"].mean()
    assert info["evaluations"].min() >= 1


def test_a_step_that_leaves_the_bracket_halves_it():
    """With too flat a slope the step would end above a height known to be too high."""
    bounds = np.array([4.0, 5.5, 1.0])  # too low, too high, floor
    z, done, bisected = next_height.py_func(5.0, 1.0, 0.0, -0.1, 0.0, 0.0, bounds, 1e-4)
    assert (z, done, bisected) == (5.25, False, 1)
    assert bounds.tolist() == [5.0, 5.5, 1.0]
    z, done, bisected = next_height.py_func(5.0, 0.02, 0.0, -2.0, 0.0, 0.0, bounds, 1e-4)
    assert (z, done, bisected) == (5.01, True, 0)


def test_a_setpoint_out_of_reach_ends_in_bisections_and_an_error():
    """Below the floor there is nothing: the bracket closes on it, pixel by pixel, and the message counts them."""
    junction, raster = Junction([[0, 0, 0]], [[0, 0, 0]], [[1.0]], 1.2), Raster(6, 6, 16, 16)
    outside = np.hypot(*raster.xy) > np.sqrt(3.0**2 - 1)  # I = I* at a distance of 3 Å, and 1 Å is the floor
    with pytest.raises(ValueError, match=f"at {outside.sum()} of 256 pixels"):
        constant_current(junction, raster, -2.4 * 3.0)
    with pytest.raises(ValueError, match=f"at {outside.sum()} of 256 pixels"):
        newton(junction, *raster.xy, -2.4 * 3.0)


def test_rasters_of_any_shape(sheet):
    """Sizes that are no multiple of tiles and blocks give what single pixels give."""
    for pixels, lines in ((1, 1), (1, 7), (5, 1), (17, 33), (19, 4)):
        raster = Raster(9, 7, pixels, lines)
        x, y = raster.xy
        z = constant_current(sheet, raster, -8.0, tolerance=1e-9)
        np.testing.assert_allclose(z, newton(sheet, x, y, -8.0, tolerance=1e-10)[0], atol=1e-8)


def test_the_expansion_is_that_of_finite_differences():
    """ln I and three derivatives by z against a seventh-order interpolation, in both precisions."""
    rng = np.random.default_rng(3)
    pairs = np.vstack([rng.uniform(-6, 6, (2, 48)), rng.uniform(0, 3, 48), rng.random(48)])
    h = np.arange(-3, 4) * 0.05

    def at(z, dtype):
        return np.array(expanded(0.3, -0.2, z, pairs.astype(dtype), 48, 4.0, 2.1))

    values = [at(4 + d, float)[0] for d in h]
    fit = np.polynomial.Polynomial.fit(h, values, 6).convert().coef[:4] * [1, 1, 2, 6]
    np.testing.assert_allclose(at(4.0, float), fit, rtol=1e-5)
    np.testing.assert_allclose(at(4.0, np.float32), at(4.0, float), rtol=1e-4, atol=1e-5)


@njit
def expanded(x, y, z, pairs, n, nearest, decay):
    return expand(x, y, z, pairs, n, nearest, decay)


@pytest.mark.parametrize("factors", [(1.0, -2.0, 0.3, -0.1), (-0.5, -2.1, 0.2, 0.4)])
def test_the_cubic_is_solved(factors):
    v, a, b, c = factors
    d, doubt = cubic_step.py_func(v, a, b, c)
    assert abs(v + a * d + b * d**2 / 2 + c * d**3 / 6) < 1e-9
    assert doubt == pytest.approx(abs(d**3) * (abs(c / 6 / a) + 1e-3))


def test_kappa_falls_when_a_bias_tilts_the_barrier():
    assert kappa(4.5, -1.0) == pytest.approx(kappa(4.0))
    with pytest.raises(ValueError, match="leaves no barrier"):
        kappa(4.5, 9.0)


def test_patches_of_a_frame_with_many_pairs_change_nothing(sheet, monkeypatch):
    """What is left out in a patch would have been left out in its tiles as well."""
    raster = Raster(30, 30, 150, 100, angle=20)
    start = 5 + 0.3 * np.sin(raster.xy[0])
    whole = modes.expansion(sheet, *raster.xy, -8.0, start)
    monkeypatch.setattr(modes, "MANY", 10)
    sizes = [part.pairs.shape[1] for _, part in modes._parts(sheet, *raster.xy, start)]
    assert len(sizes) == 6
    assert min(sizes) < sheet.pairs.shape[1]
    for one, other in zip(whole, modes.expansion(sheet, *raster.xy, -8.0, start), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=2e-5)
