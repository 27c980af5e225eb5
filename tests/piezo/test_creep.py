from time import perf_counter

import numpy as np
import pytest

from stmlab import analysis
from stmlab.piezo import bend, creep, creep_factor, creep_sum, drift, drifted_lattice, jitter, relaxation, settle
from stmlab.scan import Raster

GAMMA, T0 = 0.02, 0.1

# ---- drift --------------------------------------------------------------------------------------------


def test_drift_is_linear_in_time():
    np.testing.assert_allclose(drift([0.0, 1.0, 4.0], -0.3), [0, -0.3, -1.2])


def test_no_drift_no_shear():
    raster = Raster(50, 40, 32, 16, angle=20)
    np.testing.assert_allclose(drifted_lattice([[1.0, 2.0]], (0, 0), raster), [[1, 2]])


def test_drift_along_the_slow_axis_stretches_it():
    """Moving with the scan at a tenth of its speed covers 1.1 Å of sample for each Å of image."""
    raster = Raster(50, 40, 32, 16, line_time=1.0)
    speed = 40 / raster.duration
    image = drifted_lattice([[0.0, 1.1]], (0, 0.1 * speed), raster)
    np.testing.assert_allclose(image, [[0, 1.0]], atol=1e-12)
    down = drifted_lattice([[0.0, 0.9]], (0, 0.1 * speed), Raster(50, 40, 32, 16, line_time=1.0, direction="down"))
    np.testing.assert_allclose(down, [[0, 1.0]], atol=1e-12)


@pytest.mark.parametrize("fast_axis", ["x", "y"])
@pytest.mark.parametrize("fast_direction", ["forward", "backward"])
@pytest.mark.parametrize("direction", ["up", "down"])
def test_prediction_is_the_inverse_of_the_true_map(fast_axis, fast_direction, direction):
    words = {"fast_axis": fast_axis, "fast_direction": fast_direction, "direction": direction}
    raster = Raster(60, 50, 64, 48, angle=33, line_time=0.7, overscan=0.1, **words)
    velocity = np.array([0.05, -0.03])
    x, y = raster.xy
    true = np.stack([x + velocity[0] * raster.time[0], y + velocity[1] * raster.time[0]], -1)
    nominal = np.stack([x, y], -1)
    step = true[30, 20] - true[5, 3]
    np.testing.assert_allclose(drifted_lattice(step, velocity, raster), nominal[30, 20] - nominal[5, 3], atol=1e-12)


@pytest.mark.parametrize("velocity", [(0.03, 0.0), (0.0, -0.04), (-0.02, 0.03)])
def test_shear_is_measured_in_the_image(velocity):
    """A known shear is recovered from the Fourier peaks of the lattice within 0.5 %."""
    raster = Raster(60, 60, 128, 128, line_time=0.5)
    a = 3.32 * np.array([[1, 0], [0.5, np.sqrt(3) / 2]])
    b = np.linalg.inv(a)  # columns: reciprocal vectors
    x, y = (u + drift(raster.time[0], v) for u, v in zip(raster.xy, velocity, strict=True))
    waves = [*b.T, b[:, 0] + b[:, 1]]
    image = sum(np.cos(2 * np.pi * (x * q[0] + y * q[1])) for q in waves)
    seen = analysis.lattice_vectors(image, raster.pixel_size, guess=3.32)
    expected = drifted_lattice(a, velocity, raster)
    assert np.abs(expected - a).max() > 0.05  # there is something to find
    np.testing.assert_allclose(seen, expected, atol=0.005 * 3.32)


def test_the_time_of_a_line_counts_its_turn_arounds():
    raster = Raster(50, 40, 32, 16, line_time=1.0, overscan=0.25)
    assert raster.line_period == 4.0
    gained = 0.1 * 40 / (16 * 4.0)  # Å/s: a tenth of the scan's speed
    np.testing.assert_allclose(drifted_lattice([[0.0, 1.1]], (0, gained), raster), [[0, 1.0]], atol=1e-12)


# ---- the law ------------------------------------------------------------------------------------------


def test_a_decade_of_waiting_adds_gamma():
    """The makers' law: from 10 s to 100 s after the step, a length grows by gamma of itself."""
    early, late = creep_factor([10.0, 100.0], GAMMA, T0)
    assert late - early == pytest.approx(GAMMA, rel=0.005)
    assert creep_factor(0.0, GAMMA, T0) == 1.0


def test_long_after_the_step_it_is_the_makers_law():
    time = np.array([10.0, 100.0, 1e4])
    np.testing.assert_allclose(creep_factor(time, GAMMA, T0), 1 + GAMMA * np.log10(time / T0), atol=0.005 * GAMMA)


@pytest.mark.parametrize("t0", [0.0, -1.0, np.nan])
def test_creep_needs_a_time(t0):
    with pytest.raises(ValueError, match="greater than 0 s"):
        creep_factor(1.0, GAMMA, t0)
    with pytest.raises(ValueError, match="> 0 s"):
        relaxation(t0, 1.0, 2.0)


@pytest.mark.parametrize(("shortest", "longest"), [(0.0, 1.0), (2.0, 1.0), (-1.0, 1.0), (np.nan, 1.0)])
def test_relaxation_needs_a_range_of_times(shortest, longest):
    with pytest.raises(ValueError, match="rises"):
        relaxation(T0, shortest, longest)


# ---- the logarithm as a sum of relaxations ------------------------------------------------------------


@pytest.mark.parametrize("t0", [1e-3, 0.1, 1.0])
@pytest.mark.parametrize("dt", [1e-4, 1e-2, 1.0])
@pytest.mark.parametrize("steps", [1, 30, 1_000, 100_000])
def test_relaxations_add_up_to_the_logarithm(t0, dt, steps):
    """To better than 1e-3 (7e-4 at worst), whatever the three times are to each other."""
    times, shares = relaxation(t0, dt, steps * dt)
    time = np.concatenate([[0.0], np.geomspace(dt, steps * dt, 500)])
    total = shares @ (1 - np.exp(-time / times[:, None]))
    np.testing.assert_allclose(total, np.log10(1 + time / t0), atol=8e-4)
    assert total[0] == 0
    assert (shares > 0).all()
    assert (np.diff(times) > 0).all()


def test_few_relaxations_are_enough():
    assert [len(relaxation(T0, 1e-3, T)[0]) for T in (10.0, 100.0, 1000.0)] == [7, 9, 11]


def test_each_decade_of_relaxation_times_has_the_same_share():
    """Well above t0 the distribution is flat: gamma for each decade is what the law says."""
    times, shares = relaxation(T0, 1e-3, 1e5)
    middle = (times > 10 * T0) & (times < 1e5)
    np.testing.assert_allclose(shares[middle] / np.diff(np.log10(times[:2])), 1.0, atol=0.1)


# ---- creep along a path -------------------------------------------------------------------------------


def step(n=4000, at=1, size=10.0):
    return np.where(np.arange(n) < at, 0.0, size)


@pytest.mark.parametrize("dt", [1e-3, 0.01, 0.3])
def test_a_step_is_answered_with_the_law(dt):
    drive, time = step(), dt * (np.arange(4000) - 1)
    law = 10.0 * (creep_factor(np.maximum(time, 0), GAMMA, T0) - 1)
    np.testing.assert_allclose(creep(drive, dt, GAMMA, T0), law, atol=8e-4 * GAMMA * 10.0)
    np.testing.assert_allclose(creep_sum(drive, dt, GAMMA, T0), law, atol=1e-12)


def test_the_compiled_recursion_is_the_sum_over_all_moves():
    drive = np.cumsum(np.random.default_rng(1).normal(size=3000))
    apart = np.abs(creep(drive, 0.01, GAMMA, T0) - creep_sum(drive, 0.01, GAMMA, T0)).max()
    assert 0 < apart < 1e-3 * GAMMA * np.ptp(drive)


def test_the_compiled_recursion_is_that_of_the_relaxations():
    """Written out in NumPy, each relaxation follows the drive of the step before; to rounding."""
    drive, dt = np.cumsum(np.random.default_rng(2).normal(size=500)), 0.01
    times, shares = relaxation(T0, dt, dt * drive.size)
    lag, out = np.full(times.size, drive[0]), [0.0]
    for before in drive[:-1]:
        lag = lag + (1 - np.exp(-dt / times)) * (before - lag)
        out.append(shares @ (lag - drive[0]))
    np.testing.assert_allclose(creep(drive, dt, 1.0, T0), out, atol=1e-11)


def test_creep_superposes():
    rng = np.random.default_rng(3)
    one, two = rng.normal(size=(2, 800))
    both = creep(2 * one - two, 0.02, GAMMA, T0)
    apart = 2 * creep(one, 0.02, GAMMA, T0) - creep(two, 0.02, GAMMA, T0)
    np.testing.assert_allclose(both, apart, atol=1e-13)


def test_only_moves_creep():
    drive = np.full(50, 123.0)
    assert not creep(drive, 0.1, GAMMA, T0).any()
    moved = step(300, at=100)
    np.testing.assert_allclose(creep(moved + 123.0, 0.1, GAMMA, T0), creep(moved, 0.1, GAMMA, T0), atol=1e-12)
    assert not creep(moved, 0.1, GAMMA, T0)[:101].any()  # nothing before the move, nor at once


@pytest.mark.parametrize("function", [creep, creep_sum])
def test_a_ramp_has_a_closed_form(function):
    """The held drive lags half a step behind the ramp, so the error is that of half a step and falls with it."""
    speed, duration, errors = 3.0, 40.0, []
    for steps in (2_000, 4_000):
        dt = duration / steps
        tau = dt * np.arange(steps) / T0
        exact = GAMMA * speed * T0 * ((1 + tau) * np.log(1 + tau) - tau) / np.log(10)
        half_a_step = GAMMA * speed * dt / 2 * np.log10(1 + tau)
        out = function(speed * dt * np.arange(steps), dt, GAMMA, T0)
        errors.append(np.abs(out - exact).max())
        np.testing.assert_allclose(out + half_a_step, exact, atol=8e-4 * GAMMA * speed * duration)
    assert errors[1] < 0.75 * errors[0]


def test_without_gamma_nothing_creeps():
    drive = np.cumsum(np.random.default_rng(4).normal(size=100))
    assert not creep(drive, 0.01, 0.0, T0).any()
    assert not settle(np.arange(9.0), 100.0, 0.0, T0, 5.0).any()
    assert not bend(np.arange(9.0), 8.0, 0.0, 10.0).any()
    assert creep([1.0], 0.01, GAMMA, T0).tolist() == [0.0]


def test_a_loop_of_the_drive_leaves_something_behind_that_fades():
    """After there and back, log10[(t + t0)/(t - T + t0)] is left, which goes to zero with 1/t."""
    drive = step(20_000, 1) - step(20_000, 1001)
    left = creep(drive, 0.01, GAMMA, T0)
    time = 0.01 * (np.arange(20_000) - 1)
    later = time > 10
    law = GAMMA * 10 * np.log10((time + T0) / (time - 10 + T0), where=later, out=np.zeros_like(time))
    np.testing.assert_allclose(left[later], law[later], atol=2e-3 * GAMMA * 10)
    assert 0 < left[-1] < 0.1 * left[1100]


def test_creep_is_quick():
    drive = np.cumsum(np.random.default_rng(5).normal(size=10_000))
    creep(drive, 1e-3, GAMMA, T0)  # compiled
    times = []
    for _ in range(5):
        start = perf_counter()
        creep(drive, 1e-3, GAMMA, T0)
        times.append(perf_counter() - start)
    assert min(times) < 5e-4


# ---- creep from before the frame ----------------------------------------------------------------------


def test_settling_is_what_is_left_of_a_move_before_the_frame():
    """The step happens, `wait` later the frame starts, and from there on displacements count."""
    dt, wait, size = 0.01, 3.0, 50.0
    out = creep(step(2000, 1, size), dt, GAMMA, T0)
    begin = 1 + round(wait / dt)
    time = dt * np.arange(2000 - begin)
    np.testing.assert_allclose(settle(time, size, GAMMA, T0, wait), out[begin:] - out[begin], atol=2e-3 * GAMMA * size)
    assert settle(0.0, size, GAMMA, T0, wait) == 0.0


def test_waiting_ten_times_longer_slows_the_start_tenfold():
    speed = [settle(1e-6, 100.0, GAMMA, T0, wait) / 1e-6 for wait in (10 - T0, 100 - T0)]
    assert speed[0] / speed[1] == pytest.approx(10, rel=1e-3)
    assert speed[0] == pytest.approx(GAMMA * 100 / np.log(10) / 10, rel=1e-3)


def test_settling_without_a_wait_is_the_law():
    time = np.array([0.0, 1.0, 60.0])
    np.testing.assert_allclose(settle(time, 20.0, GAMMA, T0, 0.0), 20 * (creep_factor(time, GAMMA, T0) - 1))


# ---- the bend -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("magnitude", [0.1, 1.0, 5.0, 10.0])
def test_a_bend_is_a_piece_of_the_logarithm_from_its_first_value(magnitude):
    form = 0.7 * np.log(np.linspace(1 / magnitude, 1, 101))
    np.testing.assert_allclose(bend(np.linspace(0, 64, 101), 64.0, 0.7, magnitude), form - form[0], atol=1e-12)


def test_a_bend_bends_where_its_logarithm_is_steep():
    first, last = np.diff(bend([0.0, 1.0, 63.0, 64.0], 64.0, 0.7, 10.0))[[0, 2]]
    assert first > 5 * last
    first, last = np.diff(bend([0.0, 1.0, 63.0, 64.0], 64.0, 0.7, 0.1))[[0, 2]]
    assert last < 5 * first < 0


def test_settling_is_a_bend():
    """gamma/ln 10 times the move is the size, and 1 + T/(t0 + wait) the magnitude."""
    time, duration = np.linspace(0, 64, 9), 64.0
    same = bend(time, duration, GAMMA * 30 / np.log(10), 1 + duration / (T0 + 2.0))
    np.testing.assert_allclose(settle(time, 30.0, GAMMA, T0, 2.0), same, atol=1e-13)


@pytest.mark.parametrize(("duration", "magnitude"), [(1.0, 0.0), (1.0, -1.0), (0.0, 2.0), (1.0, np.nan)])
def test_a_bend_needs_a_magnitude_and_a_duration(duration, magnitude):
    with pytest.raises(ValueError, match="greater than 0"):
        bend(0.0, duration, 1.0, magnitude)


# ---- jitter -------------------------------------------------------------------------------------------


def test_jitter_is_gaussian_and_has_no_memory():
    offsets = jitter(np.random.default_rng(6), 40_000, 0.3)
    assert offsets.shape == (40_000,)
    assert abs(offsets.mean()) < 5 * 0.3 / 200
    assert offsets.std() == pytest.approx(0.3, rel=0.02)
    assert np.mean(np.abs(offsets) < 0.3) == pytest.approx(0.6827, abs=0.012)
    assert abs(np.corrcoef(offsets[1:], offsets[:-1])[0, 1]) < 5 / 200


def test_no_jitter_is_exactly_none_and_draws_as_much():
    """Switching it off leaves whatever else comes from the same stream unchanged."""
    on, off = np.random.default_rng(7), np.random.default_rng(7)
    assert not jitter(off, 10, 0.0).any()
    jitter(on, 10, 1.0)
    assert on.random() == off.random()
