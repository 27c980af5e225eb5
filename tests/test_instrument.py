"""The loop in lanes against the loop written out, and each disturbance on its own."""

import numpy as np
import pytest

import stmlab as stm
from stmlab import feedback, piezo
from stmlab.instrument import Run, follow, hiss, lift, step_by_step
from stmlab.junction import Junction
from stmlab.kernels.loop import LANES
from stmlab.modes import expansion
from stmlab.trajectory import frame, trajectory

SMALL = {
    "raster.width": 12, "raster.height": 6, "raster.pixels": 24, "raster.lines": 6, "raster.line_time": 0.1,
    "noise.current": 0.0,
}  # fmt: skip
OFF = piezo.BoucWen(0.0, 0.6, 0.4)
FORMS = {
    "plain": {},
    "PID": {"kp": 0.05, "kd": 2e-6},
    "increment": {"form": "increment", "kp": 0.1, "ki": 20.0, "kd": 1e-6, "window": 5},
    "delay": {"delay": 3, "ki": 60.0},
    "filters": {"preamp": 0.4, "output": 0.3, "ki": 100.0},
    "limits": {"lowest": 4.95, "highest": 5.1, "longest": 0.004},
}
BENDS = {"straight": OFF, "bent": piezo.BoucWen(0.3, 0.6, 0.4), "inadmissible": piezo.BoucWen(0.5, 0.2, 0.9)}


def rough_surface(seed=0):
    """A junction over random atoms, and a path over it with a node for each reading."""
    rng = np.random.default_rng(seed)
    sample = rng.uniform([-15, -15, -1.5], [15, 15, 0], (120, 3))
    junction = Junction(sample, [[0, 0, 0], [1, 2, 0.4]], np.ones((120, 2)), 1.0, slack=9.0)
    t = np.arange(600)
    x, y = 3 * np.sin(t / 90), 0.01 * t - 3
    return junction, x, y, rng


def run_over(junction, x, y, rng, per=1, **change):
    """A run with noise; `change` may name fields of the run or of its controller."""
    target = float(junction.log_current(x[0], y[0], 5.0))
    terms, _ = expansion(junction, x[None], y[None], target, 5.0, tolerance=1e-6)
    ours = {key: change.pop(key) for key in list(change) if key in Run._fields}
    settings = {"kp": 0.0, "ki": 150.0, "kd": 0.0, "dt": 1e-3} | change
    count = per * x.size
    disturbed = {"lift": 0.02 * np.sin(np.arange(count) / 40), "hiss": 0.02 * rng.standard_normal(count)}
    plain = {"start": float(terms[0, 0, 0]), "linear": False, "bend": OFF, "origin": 5.0, "span": 0.5, "creep": 0.0,
             "creep_time": 0.1, "floor": 1.5}  # fmt: skip
    run = Run(terms=terms[:, 0], controller=feedback.Controller(**settings), **plain | disturbed | ours)
    return run, lambda n, z: float(junction.log_current(x[n], y[n], z)) - target


@pytest.mark.parametrize("bend", BENDS)
@pytest.mark.parametrize("form", FORMS)
def test_lanes_agree_with_the_loop_written_out(form, bend):
    run, ratio = run_over(*rough_surface(), bend=BENDS[bend], **FORMS[form])
    fast, slow = follow([run])[0], step_by_step(run, ratio)
    assert np.ptp(slow.height) > 0.1
    for one, other in zip(fast, slow, strict=True):
        np.testing.assert_allclose(one, other, atol=3e-4)


@pytest.mark.parametrize("change", [{"linear": True, "ki": 60.0}, {"creep": 0.05, "creep_time": 0.01}])
def test_linear_error_and_creep_agree_too(change):
    run, ratio = run_over(*rough_surface(), **change)
    plain, _ = run_over(*rough_surface(), **{"ki": change.get("ki", 150.0)})
    fast, slow = follow([run])[0], step_by_step(run, ratio)
    assert np.abs(fast.height - follow([plain])[0].height).max() > 6e-4
    for one, other in zip(fast, slow, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-4)


def test_a_sample_has_the_same_bits_in_any_company():
    bends = [BENDS["bent" if seed % 3 else "straight"] for seed in range(LANES + 3)]
    runs = [run_over(*rough_surface(seed), bend=bend)[0] for seed, bend in enumerate(bends)]
    together = follow(runs)
    for run, record in zip(runs, together, strict=True):
        for alone, in_company in zip(follow([run])[0], record, strict=True):
            np.testing.assert_array_equal(alone, in_company)


def test_different_kinds_of_loops_keep_their_order():
    forms = ["plain", "increment", "plain", "delay"]
    runs = [run_over(*rough_surface(), **FORMS[form])[0] for form in forms]
    for run, record in zip(runs, follow(runs), strict=True):
        np.testing.assert_array_equal(record.height, follow([run])[0].height)


def test_blocks_do_not_show(monkeypatch):
    run, _ = run_over(*rough_surface(), **FORMS["increment"], delay=2, creep=0.05)
    whole = follow([run])[0]
    monkeypatch.setattr("stmlab.instrument.BLOCK", 64)
    for one, other in zip(follow([run])[0], whole, strict=True):
        np.testing.assert_array_equal(one, other)


def test_between_nodes_the_current_is_interpolated_well():
    """0.5 Å apart: to 0.2 pm, but at the ends of a line, where the path has a corner or jumps to the next line."""
    p = stm.Parameters().set(SMALL | {"feedback.steps_per_pixel": 8, "feedback.loop_gain": 0.5})
    raster = frame(p)
    coarse, fine = (trajectory(raster, p, per_pixel=n) for n in (1, 8))
    junction = rough_surface()[0]
    heights = []
    for path in (coarse, fine):
        shape = path.x.reshape(6 * 2, -1)
        terms, z = expansion(junction, shape, path.y.reshape(6 * 2, -1), -6.0, 5.0, tolerance=1e-6)
        still = np.zeros(path.time.size)
        controller = feedback.Controller(0.0, 0.5 / 2 / path.step, 0.0, path.step)
        run = Run(terms.reshape(5, -1), still, still, z[0, 0], controller, False, OFF, 5.0, 1.0, 0.0, 0.1, 1.0)
        heights.append(follow([run])[0].height.reshape(-1, path.per_pixel).mean(1))
    assert np.ptp(heights[1]) > 0.5
    error = np.abs(heights[0] - heights[1]).reshape(12, 24)
    assert error[:, 4:-1].max() < 0.002
    assert error.max() < 0.05


DISTURBANCES = {
    "piezo.drift_z": 0.1, "piezo.bend_z": 1.0, "noise.flicker": 0.05, "noise.hum": 0.03, "noise.line_offset": 0.04,
    "noise.telegraph": 0.05,
}  # fmt: skip


@pytest.mark.parametrize("name", DISTURBANCES)
def test_each_vertical_disturbance_adds_to_the_others_and_is_nothing_when_off(name):
    def lifted(*names):
        p = stm.Parameters().set(SMALL | {"noise.telegraph_rate": 20.0} | {n: DISTURBANCES[n] for n in names})
        return lift(trajectory(frame(p), p), frame(p), p, 3, 1)

    assert not lifted().any()
    others = [n for n in DISTURBANCES if n != name]
    alone = lifted(name)
    assert alone.any()
    np.testing.assert_allclose(lifted(*DISTURBANCES) - lifted(*others), alone, atol=1e-15)


HISSES = {"noise.current": 0.1, "noise.contrast": 0.5, "noise.preamp": 1.0, "noise.spikes": 20.0}


@pytest.mark.parametrize("name", HISSES)
def test_each_noise_of_the_current_adds_to_the_others(name):
    def heard(*names):
        p = stm.Parameters().set(SMALL | {"junction.current": 1.0} | {n: HISSES[n] for n in names})
        return hiss(trajectory(frame(p), p), p, 0.2, 3, 1)

    assert not heard().any()
    others = [n for n in HISSES if n != name]
    alone = heard(name)
    np.testing.assert_allclose(heard(*HISSES) - heard(*others), alone, atol=1e-14)
    if name == "noise.contrast":
        assert alone.std() == pytest.approx(0.5 * 0.2, rel=0.1)


def test_impossible_limits_are_refused():
    with pytest.raises(ValueError, match="must be less than"):
        stm.simulate(stm.Parameters().set(SMALL | {"feedback.lowest": 9.0, "feedback.highest": 5.0}))
