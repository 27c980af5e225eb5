import numpy as np
import pytest

import stmlab as stm
from stmlab.trajectory import command, frame, moments, nodes_per_pixel, pixels, steps_per_pixel, trajectory

SMALL = {"raster.width": 16, "raster.height": 12, "raster.pixels": 24, "raster.lines": 18}
WAYS = [(axis, fast, slow) for axis in "xy" for fast in ("forward", "backward") for slow in ("up", "down")]


def parameters(**change):
    return stm.Parameters().set(SMALL | {key.replace("__", "."): value for key, value in change.items()})


@pytest.mark.parametrize(("axis", "fast", "slow"), WAYS)
@pytest.mark.parametrize("overscan", [0.0, 0.1])
def test_the_path_runs_there_and_back_in_time(axis, fast, slow, overscan):
    p = parameters(raster__angle=30.0, raster__fast_axis=axis, raster__fast_direction=fast, raster__direction=slow,
                   raster__overscan=overscan)  # fmt: skip
    raster = frame(p)
    path = trajectory(raster, p)
    assert np.all(np.diff(path.time.ravel()) > 0)
    assert path.time[-1, -1, -1] < raster.duration < path.time[-1, -1, -1] + path.step
    np.testing.assert_allclose(pixels(path.x, path), [raster.xy[0]] * 2, atol=1e-9)
    np.testing.assert_allclose(pixels(path.y, path), [raster.xy[1]] * 2, atol=1e-9)
    np.testing.assert_allclose(pixels(path.node_time, path), raster.time, atol=1e-9)


def test_turn_arounds_are_smooth_and_as_long_as_they_say():
    raster = stm.Raster(20, 10, 40, 5, overscan=0.1)
    x, y = (v.ravel() for v in command(raster, moments(raster, 16)[1]))
    speed = 20 / 40 / 16  # Å per node
    assert np.abs(np.diff(x)).max() == pytest.approx(speed)
    assert np.abs(np.diff(x, 2)).max() < 0.01 * speed  # nowhere a jerk
    assert (x.min(), x.max()) == pytest.approx((-12, 12), abs=0.01)
    assert np.diff(y).min() >= 0
    assert np.diff(y).max() < 2 / (2 * raster.turn * 16) * 1.01
    plain = stm.Raster(20, 10, 40, 5)
    assert raster.line_period == pytest.approx(plain.line_period * (1 + 2 * raster.turn / 40))


def test_speed_and_sampling_rate_set_times():
    p = parameters(raster__tip_speed=40.0, feedback__sampling_rate=600.0)
    raster = frame(p)
    assert raster.line_time == pytest.approx(0.4)
    assert steps_per_pixel(p, raster) == 10
    assert trajectory(raster, p).step == pytest.approx(0.4 / 24 / 10)


@pytest.mark.parametrize(("width", "steps", "nodes"), [(10, 8, 1), (24, 8, 2), (36, 9, 3), (200, 4, 4), (200, 1, 1)])
def test_nodes_are_no_further_apart_than_needed(width, steps, nodes):
    assert nodes_per_pixel(stm.Raster(width, 10, 24, 4), steps) == nodes


@pytest.mark.parametrize(
    "change",
    [
        {"piezo.drift_x": 0.1}, {"piezo.drift_y": -0.2}, {"piezo.bend_x": 2.0}, {"piezo.jitter_fast": 0.1},
        {"piezo.jitter_slow": 0.1}, {"piezo.creep": 0.02}, {"piezo.creep": 0.02, "piezo.offset_y": 500.0},
        {"piezo.hysteresis_x": 5.0}, {"piezo.hysteresis_y": 5.0},
    ],
)  # fmt: skip
def test_each_displacement_is_its_own(change):
    """One of two displaces as much as it does alone, to rounding; off, it does exactly nothing."""
    base = parameters(piezo__bend_y=3.0, piezo__jitter_slow=0.2)
    for axis in "xy":
        alone, none = (getattr(trajectory(frame(p), p, 5), axis) for p in (parameters().set(change), parameters()))
        if "piezo.jitter_slow" in change:
            continue
        both, one = (getattr(trajectory(frame(p), p, 5), axis) for p in (base.set(change), base))
        np.testing.assert_allclose(both - one, alone - none, atol=1e-12)
    p = parameters()
    path, where = trajectory(frame(p), p, 5), command(frame(p), moments(frame(p), 2)[1])
    np.testing.assert_array_equal(path.x, where[0])
    np.testing.assert_array_equal(path.y, where[1])
    moved = trajectory(frame(p), p.set(change), 5)
    assert not (np.array_equal(moved.x, path.x) and np.array_equal(moved.y, path.y))


def test_all_displacements_begin_at_zero():
    p = parameters(piezo__drift_x=0.3, piezo__bend_x=4.0, piezo__creep=0.03, piezo__offset_x=800.0)
    told, at = (trajectory(frame(q), q, 5).x[0, 0] for q in (parameters(), p))
    assert abs(at[0] - told[0]) < 0.02 < abs(at[-1] - told[-1])


def test_drift_bends_lines_too():
    p = parameters(piezo__drift_y=0.5)
    path = trajectory(frame(p), p)
    np.testing.assert_allclose(np.diff(path.y[3, 0]), 0.5 * np.diff(path.node_time[3, 0]), atol=1e-12)


def test_jitter_moves_whole_lines_along_the_axes_of_the_frame():
    p = parameters(piezo__jitter_fast=0.2, raster__angle=90.0)
    dx, dy = (getattr(trajectory(frame(p), p, 2), v) - getattr(trajectory(frame(p), parameters(raster__angle=90.0)), v)
              for v in "xy")  # fmt: skip
    assert np.abs(dx).max() < 1e-12  # the fast axis is along y
    assert np.ptp(dy, axis=(1, 2)).max() < 1e-12
    assert 0.1 < dy[:, 0, 0].std() < 0.35


def test_hysteresis_keeps_the_corners_of_a_straight_frame_in_place():
    p = parameters(piezo__hysteresis_x=10.0, piezo__hysteresis_y=10.0)
    path, told = trajectory(frame(p), p), trajectory(frame(p), parameters())
    for at, meant in ((path.x, told.x), (path.y, told.y)):
        assert np.abs((at - meant)[[0, -1], :, 0]).max() < 0.05 * np.ptp(meant)
        assert abs(at[0, 0, 0] - meant[0, 0, 0]) < 1e-6
        assert np.abs(at - meant).max() > 0.02 * np.ptp(meant)
