import numpy as np
import pytest
from numba import njit
from scipy.integrate import solve_ivp

from stmlab.kernels import EXACT
from stmlab.kernels import hysteresis as kernels
from stmlab.piezo.hysteresis import (
    BoucWen,
    displaced,
    drive,
    follow,
    limit,
    loop,
    loop_width,
    of_width,
    ramp,
    rate,
    rk4,
    stroke,
)

SLIDE = BoucWen(0.8, 0.6, 0.6)
MODELS = [SLIDE, BoucWen(0.5, 0.8, 0.1), BoucWen(0.9, 0.9, -0.5), BoucWen(1.0, 0.1, 1.0), BoucWen(0.3, 0.0, 0.7)]


def independent(path, model, n=1, h=0.0):
    """State at the corners of a piecewise straight drive, by an integrator that knows nothing of exact ramps."""
    states = [h]
    for dv in np.diff(path):
        done = solve_ivp(lambda t, y, dv=dv: rate(y, dv, model, n), (0, 1), states[-1:], rtol=1e-11, atol=1e-13)
        states.append(done.y[0, -1])
    return np.array(states)


@pytest.fixture(scope="module")
def zigzag():
    """A drive with long and short pieces, reversals, and zeros of h in the middle of a piece."""
    return np.r_[0.0, np.random.default_rng(3).uniform(-0.5, 0.5, 12), 0.2, 0.21, 0.2, 0.19, -0.4]


# ---- the exact ramp ------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_exact_ramps_agree_with_an_independent_integrator(model, zigzag):
    exact = follow(zigzag, model)
    assert np.any(exact[1:] * exact[:-1] < 0)
    np.testing.assert_allclose(exact, independent(zigzag, model), atol=1e-8)


@pytest.mark.parametrize("model", MODELS)
def test_the_readable_ramp_is_the_compiled_one(model, zigzag):
    h = np.zeros(len(zigzag))
    for i, dv in enumerate(np.diff(zigzag)):
        h[i + 1] = ramp(h[i], dv, model)
    np.testing.assert_allclose(follow(zigzag, model), h, atol=1e-14)


def test_one_long_ramp_is_many_short_ones():
    """Only an exact solution does not mind how it is cut up."""
    for model in MODELS:
        h = ramp(-0.2, 0.9, model)
        np.testing.assert_allclose(follow(np.linspace(0, 0.9, 1001), model, -0.2)[-1], h, atol=1e-13)


def test_ramp_works_on_arrays():
    h, dv = np.linspace(-0.3, 0.3, 7)[:, None], np.linspace(-0.5, 0.5, 5)
    whole = ramp(h, dv, SLIDE)
    assert whole.shape == (7, 5)
    assert whole[2, 3] == ramp(h[2, 0], dv[3], SLIDE)


def test_drive_at_rest_leaves_the_state():
    h = np.linspace(-0.6, 0.6, 13)
    for model in [*MODELS, BoucWen(0.0, 0.5, 0.5)]:
        assert np.array_equal(ramp(h, 0.0, model), h)
        assert all(np.array_equal(follow([0.1, 0.1, 0.1], model, x), [x, x, x]) for x in h)
        assert np.all(rate(h, 0.0, model) == 0)


def test_coefficients_that_cancel_leave_a_straight_line():
    """With beta = gamma unloading has no curvature at all: h falls by A dv."""
    assert ramp(0.3, -0.1, BoucWen(0.7, 0.4, 0.4)) == pytest.approx(0.3 - 0.07, abs=1e-15)
    assert ramp(0.3, 0.1, BoucWen(0.7, 0.4, -0.4)) == pytest.approx(0.3 + 0.07, abs=1e-15)
    near = BoucWen(0.7, 0.4, 0.4 * (1 + 1e-12))
    assert ramp(0.3, -0.1, near) == pytest.approx(0.3 - 0.07, abs=1e-12)


def test_state_saturates_where_its_rate_vanishes():
    assert ramp(0.0, 1e3, SLIDE) == pytest.approx(0.8 / 1.2, abs=1e-15)
    assert follow([0.0, 1e3], SLIDE)[1] == pytest.approx(0.8 / 1.2, abs=1e-15)


def test_a_state_too_far_down_never_comes_back_when_unloading_pushes_it_away():
    """For gamma > beta and |h| > A / (gamma - beta) the state runs away; all that is closer returns."""
    model = BoucWen(0.3, 0.1, 1.0)
    for h, ends in ((-0.32, True), (-0.35, False)):
        for state in (ramp(h, 20.0, model), follow([0.0, 20.0], model, h)[1]):
            assert (state > 0) == ends


def test_mirrored_drive_gives_mirrored_states(zigzag):
    for model in MODELS:
        assert np.array_equal(follow(-zigzag, model, -0.1), -follow(zigzag, model, 0.1))


def test_time_does_not_matter():
    """The same path in unequal steps gives the same states where both have a sample."""
    path = np.concatenate([np.linspace(0, 0.5, 51), np.linspace(0.5, -0.3, 81)[1:], np.linspace(-0.3, 0.1, 41)[1:]])
    hurried = np.r_[path[:51:10], path[51:131], path[131:]]
    for model in MODELS:
        h, quick = follow(path, model), follow(hurried, model)
        np.testing.assert_allclose(quick[-120:], h[-120:], atol=1e-14)
        slow, fast = rk4(path, model, 2.0, substeps=4), rk4(hurried, model, 2.0, substeps=8)
        np.testing.assert_allclose(fast[-120:], slow[-120:], atol=1e-7)


def test_a_dot_on_the_last_term_brings_time_back():
    """With |dh/dt| in place of |h|, as it is sometimes misprinted, the loop depends on the speed."""

    def top(speed):
        h, dv = 0.0, 0.001
        for _ in range(500):
            v_rate = speed
            slope = (SLIDE.a * v_rate - SLIDE.beta * v_rate * h) / (1 + SLIDE.gamma * v_rate)
            h += slope * dv / speed
        return h

    assert abs(top(1.0) - top(0.1)) > 0.05


# ---- Runge and Kutta ------------------------------------------------------------------------------------


def order(errors):
    """Power of the step that the error goes with, when each step is half the one before."""
    return np.log2(np.array(errors[:-1]) / errors[1:])


def test_runge_kutta_has_order_four_on_a_smooth_branch():
    exact = ramp(0.0, 1.0, BoucWen(0.8, 2.0, 1.0))
    errors = [abs(rk4(np.linspace(0, 1, n + 1), BoucWen(0.8, 2.0, 1.0))[-1] - exact) for n in (16, 32, 64, 128)]
    assert np.all(np.abs(order(errors) - 4) < 0.15)


def test_substeps_are_steps():
    fine, coarse = np.linspace(0, 0.6, 13), np.linspace(0, 0.6, 4)
    np.testing.assert_allclose(rk4(fine, SLIDE, 1.5)[::4], rk4(coarse, SLIDE, 1.5, substeps=4), atol=1e-15)


def test_order_is_lost_at_a_reversal_without_a_node_and_kept_with_one():
    """Sampled beside its top, a triangle loses its corner, and the error goes with the step itself."""
    model = BoucWen(0.8, 2.0, 1.0)
    exact = ramp(ramp(0.0, 1.0, model), -0.25, model)
    at, beside = [], []
    for n in (16, 32, 64, 128):
        t = np.linspace(0, 1.25, 5 * n + 1)
        at.append(abs(rk4(1 - np.abs(1 - t), model)[-1] - exact))
        t = np.linspace(0, 1.25, 5 * n)
        beside.append(abs(rk4(1 - np.abs(1 - t), model)[-1] - exact))
    assert np.all(np.abs(order(at) - 4) < 0.4)
    assert 0.7 < order(beside).mean() < 1.3
    assert beside[-1] > 1e4 * at[-1]


@pytest.mark.parametrize("n", [1, 1.5, 2, 3])
def test_runge_kutta_agrees_with_an_independent_integrator(n, zigzag):
    for model in (SLIDE, BoucWen(0.5, 0.8, 0.1)):
        np.testing.assert_allclose(rk4(zigzag, model, n, substeps=300), independent(zigzag, model, n), atol=1e-6)


# ---- the closed loop ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "amplitude", "top"),
    [(SLIDE, 0.5, 0.334854), (BoucWen(0.5, 0.8, 0.1), 0.5, 0.231501), (SLIDE, 2.0, 0.652076)],
)
def test_limit_cycle_in_closed_form(model, amplitude, top):
    assert limit(model, amplitude) == pytest.approx(top, abs=1e-6)
    sweeps = np.tile([amplitude, -amplitude], 60)
    assert follow(sweeps, model)[-2] == pytest.approx(limit(model, amplitude), abs=1e-12)
    assert rk4(sweeps[:24], model, substeps=200)[-2] == pytest.approx(top, abs=2e-6)


def test_limit_cycle_in_the_easy_cases():
    """With gamma = 0 the loop is 2V = 2 artanh(beta H/A) / beta wide; without an amplitude there is none."""
    assert limit(BoucWen(0.8, 0.7, 0.0), 0.5) == pytest.approx(0.8 / 0.7 * np.tanh(0.7 * 0.5), abs=1e-14)
    assert limit(BoucWen(0.0, 0.7, 0.2)) == 0
    assert limit(SLIDE, 0.0) == 0
    assert limit(SLIDE, 1e4) == pytest.approx(0.8 / 1.2)


@pytest.mark.parametrize(("beta", "gamma"), [(0.0, 0.5), (-0.1, 0.5), (-0.1, 0.05)])
def test_without_an_attracting_loop_there_is_an_error(beta, gamma):
    with pytest.raises(ValueError, match="only if beta > 0"):
        limit(BoucWen(0.5, beta, gamma))


def test_loops_attract_at_the_rate_that_the_slopes_say():
    """From sweep to sweep a distance shrinks by (A - s H) / (A + d H), slopes before and after the turn."""
    for model in MODELS[:4]:
        top = limit(model)
        slopes = (model.a - (model.beta + model.gamma) * top) / (model.a + (model.beta - model.gamma) * top)
        shifted = ramp(-(top + 1e-6), 1.0, model) - top
        assert shifted == pytest.approx(-1e-6 * slopes, rel=1e-4)
        assert slopes < 1


def test_a_state_without_a_bound_has_a_closed_loop_all_the_same():
    for model in (BoucWen(0.3, 0.3, -0.3), BoucWen(0.2, 0.2, -0.5)):
        assert follow(np.tile([0.5, -0.5], 200), model)[-2] == pytest.approx(limit(model), abs=1e-12)
        with pytest.raises(ValueError, match="no inverse"):
            drive([0.0, 0.1], model)


def test_gamma_beyond_beta_is_drawn_all_the_same():
    """Not admissible, since unloading then gives out more than was stored; yet bounded, and closing slowly."""
    model = BoucWen(1.0, 0.1, 1.0)
    tops = follow(np.tile([0.5, -0.5], 400), model)[::2]
    assert limit(model) == pytest.approx(0.3931, abs=1e-4)
    assert abs(tops[11] - limit(model)) > 0.01
    assert tops[-1] == pytest.approx(limit(model), abs=1e-9)


def test_loop_is_closed_and_mirror_symmetric():
    for model in MODELS[:4]:
        v, rising, falling = loop(model, 0.5, 201)
        np.testing.assert_allclose([rising[0], falling[0]], -limit(model), atol=1e-15)
        np.testing.assert_allclose([rising[-1], falling[-1]], limit(model), atol=1e-14)
        assert np.all(rising[1:-1] > falling[1:-1])
        np.testing.assert_allclose(rising, -falling[::-1], atol=0)
        turning = np.r_[v, v[::-1]]
        np.testing.assert_allclose(follow(turning, model, -limit(model)), np.r_[rising, falling[::-1]], atol=1e-13)


@pytest.mark.parametrize("width", [0.0, 0.001, 0.01, 0.05, 0.15, 0.376])
@pytest.mark.parametrize(("beta", "gamma"), [(0.6, 0.6), (1.0, 0.0), (0.8, 0.1), (0.1, 1.0), (0.9, -0.5), (5.0, 4.0)])
def test_width_asked_for_is_width_got(width, beta, gamma):
    """Measured on a loop that was gone round often enough, not with the formulae."""
    model = of_width(width, beta, gamma)
    v = np.concatenate([np.linspace(-0.5, 0.5, 1001)[:-1], np.linspace(0.5, -0.5, 1001)[:-1]])
    x = (np.tile(v, 80) - follow(np.tile(v, 80), model))[-2000:]
    up, down = x[:1001], np.r_[x[1000:], x[0]][::-1]
    assert (down - up).max() / (up[-1] - up[0]) == pytest.approx(width, abs=1e-6)
    assert loop_width(model) == pytest.approx(width, abs=1e-14)
    assert stroke(model) == pytest.approx(up[-1] - up[0], abs=1e-6)
    assert model[1:] == (beta, gamma)


def test_numbers_of_the_reference_make_a_wide_loop():
    assert loop_width(SLIDE) == pytest.approx(0.376, abs=5e-4)


def test_impossible_loops_are_refused():
    with pytest.raises(ValueError, match="at least 0"):
        of_width(-0.1, 0.6, 0.6)
    with pytest.raises(ValueError, match="would not move"):
        stroke(BoucWen(3.0, 0.6, 0.6))


# ---- displacements --------------------------------------------------------------------------------------


def there_and_back(points=301, extent=40.0):
    line = np.linspace(-extent / 2, extent / 2, points)
    return np.r_[line, line[::-1]]


def test_ends_of_the_range_stay_in_place():
    command = np.tile(there_and_back(), 5)
    for width in (0.01, 0.1, 0.3):
        x = displaced(command, 40.0, of_width(width, 0.6, 0.4))
        ends = np.abs(command) == 20.0
        np.testing.assert_allclose(x[ends], command[ends], atol=1e-12)
        trace, retrace = x[:301], x[301:602][::-1]
        assert (retrace - trace).max() / 40.0 == pytest.approx(width, abs=1e-5)
        np.testing.assert_allclose(x[:602], x[-602:], atol=1e-12)


def test_no_hysteresis_changes_no_bit():
    command = np.random.default_rng(1).uniform(-33.3, 33.3, 500)
    assert np.array_equal(displaced(command, 66.6, BoucWen(0.0, 0.6, 0.4)), command)
    assert np.array_equal(displaced(command, 66.6, of_width(0.0, 0.6, 0.4)), command)
    assert np.all(follow(command, BoucWen(0.0, 0.6, 0.4)) == 0)


def test_mirrored_command_gives_mirrored_displacement():
    model = of_width(0.1, 0.6, 0.4)
    for command in (there_and_back(), there_and_back()[77:500], np.random.default_rng(2).uniform(-20, 20, 99)):
        assert np.array_equal(displaced(-command, 40.0, model), -displaced(command, 40.0, model))


def test_a_first_position_inside_the_range_lies_on_the_loop():
    """The piezo does not begin with a turn: a line that starts in the middle is a part of the whole line."""
    model, whole = of_width(0.1, 0.6, 0.4), there_and_back()
    for first in (100, 200, 400, 550):
        np.testing.assert_allclose(displaced(whole[first:], 40, model), displaced(whole, 40, model)[first:], atol=1e-12)
    assert displaced([3.0], 40.0, model) == pytest.approx(displaced([3.0, 3.0, 3.0], 40.0, model)[2])


def test_displacement_of_a_large_frame_is_a_larger_one():
    command, model = there_and_back(), of_width(0.1, 0.6, 0.4)
    np.testing.assert_allclose(displaced(10 * command, 400.0, model), 10 * displaced(command, 40.0, model), atol=1e-11)


def test_drive_is_the_inverse():
    v = np.r_[0.0, np.cumsum(np.random.default_rng(5).normal(size=3000)) * 0.02]
    for model in (of_width(0.05, 0.6, 0.4), of_width(0.3, 0.6, 0.6), BoucWen(0.7, 0.4, 0.9), BoucWen(0.0, 0.5, 0.2)):
        x = v - follow(v, model, 0.05)
        np.testing.assert_allclose(drive(x, model, 0.05), v, atol=1e-13)
    assert np.array_equal(drive(np.full(4, 0.2), SLIDE, 0.1), np.full(4, 0.2 + 0.1))


def test_drive_of_a_piezo_that_moves_the_wrong_way_is_refused():
    with pytest.raises(ValueError, match="no inverse"):
        drive([0.0, 0.1], BoucWen(0.9, 1.0, 0.1))


def test_empty_drives():
    assert follow([], SLIDE).shape == drive([], SLIDE).shape == (0,)


# ---- the kernel in lanes --------------------------------------------------------------------------------


@njit(**EXACT)
def in_lanes(dv, h, a, beta, gamma):
    for i in range(dv.shape[0]):
        for k in range(dv.shape[1]):
            h[k] = kernels.ramp(h[k], dv[i, k], a[k], beta[k], gamma[k])


@njit(**EXACT)
def carried(dv, h, rest, a, beta, gamma):
    for i in range(dv.shape[0]):
        for k in range(dv.shape[1]):
            by = kernels.change(h[k], dv[i, k], a[k], beta[k], gamma[k]) - rest[k]
            new = h[k] + by
            rest[k] = (new - h[k]) - by
            h[k] = new


def test_steps_all_alike_are_the_worst_unless_the_rest_is_carried_on():
    """Each sum then rounds the same way; what it has lost can be put into the next."""
    dv = np.full((100_000, 8), np.float32(0.5e-5) * np.linspace(0.5, 1, 8, dtype=np.float32), np.float32)
    a, beta, gamma = (np.full(8, p, np.float32) for p in (0.8, 0.7, 0.4))
    exact = [follow(np.r_[0.0, np.cumsum(dv[:, k], dtype=float)], BoucWen(*map(float, (a[k], beta[k], gamma[k]))))[-1]
             for k in range(8)]  # fmt: skip
    plain, better = np.zeros(8, np.float32), np.zeros(8, np.float32)
    in_lanes(dv, plain, a, beta, gamma)
    carried(dv, better, np.zeros(8, np.float32), a, beta, gamma)
    assert 1e-6 < np.abs(plain - exact).max() < 3e-5
    assert np.abs(better - exact).max() < 1e-7


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_lanes_in_single_precision_stay_close_over_many_small_steps(kind):
    """Random and smooth drives of 100 000 steps; what is lost is the rounding of h, no more."""
    rng = np.random.default_rng(7)
    count, lanes = 100_000, 8
    a, beta, gamma = (rng.uniform(0.1, 1, lanes).astype(np.float32) for _ in range(3))
    walk = np.cumsum(rng.normal(size=(count, lanes)), axis=0)
    smooth = np.sin(np.linspace(0, 9, count))[:, None] * np.linspace(0.1, 0.5, lanes)
    for path in (walk / np.ptp(walk, axis=0), smooth):
        dv = np.diff(path, axis=0).astype(np.float32)
        h = np.zeros(lanes, kind)
        in_lanes(dv.astype(kind), h, a.astype(kind), beta.astype(kind), gamma.astype(kind))
        for k in range(lanes):
            model = BoucWen(*(float(p[k]) for p in (a, beta, gamma)))
            exact = follow(np.r_[0.0, np.cumsum(dv[:, k], dtype=float)], model)[-1]
            assert abs(h[k] - exact) < (1e-5 if kind == np.float32 else 1e-11)


def test_one_step_in_single_precision_is_good_to_its_last_digits():
    """What is added has a relative error of 1e-6 however small the step, except where h crosses zero."""
    rng = np.random.default_rng(11)
    h, dv = rng.uniform(-0.3, 0.3, 4000).astype(np.float32), (10 ** rng.uniform(-9, -1, 4000)).astype(np.float32)

    @njit
    def added(h, dv, a, beta, gamma):
        return kernels.change(h, dv, a, beta, gamma)

    model = tuple(np.float32(p) for p in (0.8, 0.7, 0.4))
    for step in (dv, -dv):
        for one, move in zip(h, step, strict=True):
            exact = added(float(one), float(move), *map(float, model))
            got = added(one, move, *model)
            assert abs(got - exact) < 1e-6 * abs(exact)
