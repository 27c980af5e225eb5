"""The controller against closed forms: what each term leaves of an error, and where the loop begins to swing."""

import numpy as np
import pytest

from stmlab import feedback
from stmlab.feedback import Controller

KAPPA, DT = 1.1, 1e-3
SLOPE = -2 * KAPPA
UNIT = 1 / (2 * KAPPA)  # Å that change ln I by 1; as K_p it makes a loop gain of 1


def controller(g=0.0, kp=0.0, kd=0.0, **settings):
    """A controller with a loop gain; kp and kd in units of 1 / 2 kappa and dt / 2 kappa."""
    return Controller(kp * UNIT, feedback.integral_gain(g, KAPPA, DT), kd * UNIT * DT, DT, **settings)


def closed(c, steps, surface=0.0, start=0.0):
    """Errors and heights of the loop around ln I = -2 kappa (z - surface)."""
    state, errors, heights = feedback.init(start, c), [], []
    for wall in np.broadcast_to(surface, steps):
        errors.append(SLOPE * (state.actual - wall))
        z, state = feedback.step(state, errors[-1], c)
        heights.append(z)
    return np.array(errors), np.array(heights)


def answers(c, readings, start=0.0):
    """Heights with which a controller answers given readings."""
    state, heights = feedback.init(start, c), []
    for reading in readings:
        z, state = feedback.step(state, reading, c)
        heights.append(z)
    return np.array(heights)


# ---- the terms ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("g", [0.1, 0.5, 1.0, 1.6, 1.99])
@pytest.mark.parametrize("form", ["position", "increment"])
def test_pure_integral_leaves_one_minus_g_of_the_error(g, form):
    errors, _ = closed(controller(g, form=form), 8, start=UNIT)
    np.testing.assert_allclose(errors, -((1 - g) ** np.arange(8)), atol=1e-12)


@pytest.mark.parametrize("g", [0.1, 0.5, 1.0, 1.6, 1.99])
def test_proportional_gain_of_the_slides_integrates(g):
    """In the form "increment" K_p alone leaves (1 - g)^n with g = 2 kappa K_p."""
    errors, _ = closed(controller(kp=g, form="increment"), 8, start=UNIT)
    np.testing.assert_allclose(errors, -((1 - g) ** np.arange(8)), atol=1e-12)


def test_proportional_alone_leaves_an_offset():
    """z = K_p e + z0 settles at e = e0 / (1 + 2 kappa K_p)."""
    errors, _ = closed(controller(kp=0.22), 200, start=UNIT)
    assert errors[-1] == pytest.approx(-1 / 1.22, rel=1e-9)


def test_derivative_answers_a_ramp_with_a_constant():
    ramp = 3.0 * 0.01 * np.arange(5)
    heights = answers(Controller(0.0, 0.0, 0.2, 0.01), ramp)
    np.testing.assert_allclose(heights, [0, 0.6, 0.6, 0.6, 0.6])


def test_derivative_of_an_increment_is_proportional():
    """Moves that follow the change of the error add up to the error itself."""
    rng = np.random.default_rng(1)
    readings = np.cumsum(rng.standard_normal(50))
    heights = answers(Controller(0.0, 0.0, 0.2, 0.01, form="increment"), readings)
    np.testing.assert_allclose(heights, 0.2 * (readings - readings[0]) / 0.01, atol=1e-12)


def test_integral_does_not_depend_on_the_step():
    for dt in (1e-3, 1e-4):
        z = answers(Controller(0.0, 7.0, 0.0, dt), np.full(round(0.1 / dt), 0.5), start=2.0)[-1]
        assert z == pytest.approx(2 + 7 * 0.5 * 0.1)


def test_window_sums_the_last_errors():
    rng = np.random.default_rng(2)
    readings = rng.standard_normal(30)
    moves = np.diff(answers(Controller(0.0, 3.0, 0.0, 0.1, form="increment", window=4), readings), prepend=0.0)
    expected = [0.3 * readings[max(0, n - 3) : n + 1].sum() for n in range(30)]
    np.testing.assert_allclose(moves, expected, atol=1e-12)


def test_the_whole_law_of_both_forms():
    rng = np.random.default_rng(3)
    e = rng.standard_normal(40)
    change = np.diff(e, prepend=e[0]) / 0.1
    position = 5 + 0.7 * 0.1 * np.cumsum(e) + 0.3 * e + 0.02 * change
    np.testing.assert_allclose(answers(Controller(0.3, 0.7, 0.02, 0.1), e, 5.0), position, rtol=1e-12)
    moves = 0.3 * e + 0.7 * 0.1 * (e + np.append(0, e[:-1])) + 0.02 * change
    increment = Controller(0.3, 0.7, 0.02, 0.1, form="increment", window=2)
    np.testing.assert_allclose(answers(increment, e, 5.0), 5 + np.cumsum(moves), rtol=1e-12)


# ---- filters, delay, limits ---------------------------------------------------------------------------


def test_low_pass_answers_a_step_with_an_exponential():
    alpha = feedback.low_pass(100.0, DT)
    assert alpha == pytest.approx(1 - np.exp(-2 * np.pi * 0.1), rel=1e-14)
    assert feedback.low_pass(0.0, DT) == 1.0
    step = np.append(0.0, np.ones(20))
    heights = answers(Controller(1.0, 0.0, 0.0, DT, preamp=alpha), step)
    np.testing.assert_allclose(heights, 1 - (1 - alpha) ** np.arange(21), atol=1e-14)
    np.testing.assert_allclose(heights, 1 - np.exp(-2 * np.pi * 100.0 * DT * np.arange(21)), atol=1e-14)


def test_output_filter_trails_the_drive():
    c, state, actual = Controller(1.0, 0.0, 0.0, DT, output=0.3), None, []
    state = feedback.init(0.0, c)
    for _ in range(10):
        drive, state = feedback.step(state, 1.0, c)
        assert drive == state.height == 1.0
        actual.append(state.actual)
    np.testing.assert_allclose(actual, 1 - 0.7 ** np.arange(1, 11), atol=1e-14)


def test_first_reading_starts_the_filter_and_the_delay():
    """Otherwise every scan would begin with a step from 0."""
    c = Controller(1.0, 0.0, 0.5, DT, preamp=0.1, delay=3)
    np.testing.assert_allclose(answers(c, np.full(8, 0.7)), 0.7)


def test_delay_answers_later():
    rng = np.random.default_rng(4)
    e = rng.standard_normal(20)
    heights = answers(Controller(1.0, 0.0, 0.0, DT, delay=3), e)
    np.testing.assert_allclose(heights, np.append(np.full(3, e[0]), e[:-3]), atol=1e-14)


@pytest.mark.parametrize("form", ["position", "increment"])
def test_delay_shifts_all_three_terms(form):
    """What follows on a quiet start is the same, three readings later."""
    e = np.append(np.zeros(4), np.random.default_rng(6).standard_normal(30))
    prompt = Controller(0.3, 0.7, 0.02, 0.1, form=form, window=3)
    late = answers(prompt._replace(delay=3), e)
    np.testing.assert_allclose(late[3:], answers(prompt, e)[:-3], atol=1e-12)
    assert not late[:7].any()


def test_limits_hold_the_height_but_not_the_integral():
    c = Controller(0.0, 1.0, 0.0, 1.0, lowest=-2.0, highest=3.0)
    heights = answers(c, [1.0] * 5 + [-1.0] * 9)
    np.testing.assert_array_equal(heights, [1, 2, 3, 3, 3, 3, 3, 2, 1, 0, -1, -2, -2, -2])  # 2 to work off first
    heights = answers(c._replace(form="increment"), [1.0] * 5 + [-1.0] * 3)
    np.testing.assert_array_equal(heights, [1, 2, 3, 3, 3, 2, 1, 0])


def test_slew_limits_each_move():
    heights = answers(Controller(0.0, 1.0, 0.0, 1.0, longest=0.25), [1.0, 0.0, 0.0, 0.0, 0.0, -2.0])
    np.testing.assert_array_equal(heights, [0.25, 0.5, 0.75, 1.0, 1.0, 0.75])


def test_linear_error_is_the_relative_current():
    assert feedback.linear_error(np.log(1.5)) == pytest.approx(0.5)
    assert feedback.linear_error(1e-9) == pytest.approx(1e-9, rel=1e-8)
    assert feedback.linear_error(-50.0) == pytest.approx(-1.0)


@pytest.mark.parametrize("form", ["position", "increment"])
def test_arrays_are_scalars_lane_by_lane(form):
    rng = np.random.default_rng(5)
    readings, starts = rng.standard_normal((60, 3)), np.array([0.0, 0.1, -0.2])
    gains = [(0.1, 5.0, 1e-4), (0.3, 9.0, 0.0), (0.0, 0.0, 2e-4)]
    limits = {"lowest": -0.5, "highest": 0.6, "longest": 0.3}
    settings = {"dt": DT, "form": form, "window": 3, "delay": 2, "preamp": 0.4, "output": 0.7, **limits}
    lanes = Controller(*np.array(gains).T, **settings)
    together = answers(lanes, readings, starts)
    alone = [answers(Controller(*g, **settings), r, s) for g, r, s in zip(gains, readings.T, starts, strict=True)]
    np.testing.assert_array_equal(together, np.transpose(alone))
    assert np.ptp(together, axis=0).min() > 0.1


def test_a_state_is_never_changed():
    c = controller(0.5, kp=0.2, delay=2, window=3, preamp=0.5)
    _, first = feedback.step(feedback.init(0.0, c), 1.0, c)
    again = [feedback.step(first, 0.3, c)[0] for _ in range(2)]
    assert again[0] == again[1]


@pytest.mark.parametrize(
    ("change", "message"),
    [({"form": "velocity"}, "form"), ({"window": 0}, "window"), ({"delay": -1}, "delay"), ({"preamp": 0.0}, "preamp"),
     ({"output": 1.5}, "output"), ({"preamp": np.nan}, "preamp")],
)  # fmt: skip
def test_a_controller_that_makes_no_sense_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        feedback.init(0.0, controller(0.5)._replace(**change))
    with pytest.raises(ValueError, match=message):
        feedback.transition(controller(0.5)._replace(**change), SLOPE)


# ---- scanning -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, {"delay": 2}, {"preamp": 0.3}, {"form": "increment"}])
def test_on_a_slope_the_loop_lags_by_v_tau(settings):
    """Of a slope v an integrator leaves e = v dt / (g/2 kappa), whatever the delay: the height is late by tau - dt."""
    g, velocity = 0.2, 3.0  # Å/s
    surface = velocity * DT * np.arange(2000)
    errors, heights = closed(controller(g, **settings), 2000, surface)
    tau = DT / g
    assert errors[-1] == pytest.approx(2 * KAPPA * velocity * tau, rel=1e-9)
    assert surface[-1] - heights[-1] == pytest.approx(velocity * (tau - DT), rel=1e-9)


# ---- stability ----------------------------------------------------------------------------------------


def radius(c):
    return np.abs(np.linalg.eigvals(feedback.transition(c, SLOPE))).max()


SETTINGS = [
    controller(0.3), controller(0.3, kp=0.2, kd=0.1), controller(0.3, kp=0.1, delay=2, preamp=0.4, output=0.6),
    controller(0.1, kp=0.3, kd=0.1, form="increment", window=4, delay=1, preamp=0.5),
]  # fmt: skip


@pytest.mark.parametrize("c", SETTINGS)
def test_transition_is_the_loop(c):
    """Powers of the matrix give what the loop does, reading after reading."""
    state = feedback.init(0.0, c)
    for reading in (1.0, -0.4, 0.3, 0.2):  # anything but rest
        _, state = feedback.step(state, reading, c)
    vector = [state.height, state.actual, state.integral, state.filtered, state.last, *state.waiting, *state.recent]
    matrix = feedback.transition(c, SLOPE)
    for _ in range(30):
        vector = matrix @ vector
        z, state = feedback.step(state, SLOPE * state.actual, c)
        np.testing.assert_allclose(vector[:3], [z, state.actual, state.integral], atol=1e-12)


@pytest.mark.parametrize("c", SETTINGS)
def test_errors_grow_as_the_spectral_radius_says(c):
    limit = feedback.stability_limit(c, SLOPE)
    for share in (0.9, 1.1):
        scaled = c._replace(kp=share * limit * c.kp, ki=share * limit * c.ki, kd=share * limit * c.kd)
        errors = np.abs(closed(scaled, 1200, start=1e-9)[0])
        early, late = errors[400:600].max(), errors[1000:1200].max()
        assert np.log(late / early) / 600 == pytest.approx(np.log(radius(scaled)), abs=5e-4)
        assert (late < early) == (share < 1)


def test_limits_do_not_enter_the_linear_loop():
    c = controller(0.3, kp=0.1)
    held = c._replace(lowest=0.0, highest=0.0, longest=0.0)
    np.testing.assert_array_equal(feedback.transition(held, SLOPE), feedback.transition(c, SLOPE))


@pytest.mark.parametrize("form", ["position", "increment"])
def test_stability_limit_of_an_integrator_is_two(form):
    assert 0.5 * feedback.stability_limit(controller(0.5, form=form), SLOPE) == pytest.approx(2, rel=1e-8)


@pytest.mark.parametrize("delay", [0, 1, 2, 5, 12])
def test_stability_limit_with_delay(delay):
    limit = 0.1 * feedback.stability_limit(controller(0.1, delay=delay), SLOPE)
    assert limit == pytest.approx(2 * np.sin(np.pi / (2 * (2 * delay + 1))), rel=1e-7)


@pytest.mark.parametrize("alpha", [1.0, 0.6, 0.2, 0.01])
@pytest.mark.parametrize("where", ["preamp", "output"])
def test_stability_limit_with_one_filter(alpha, where):
    """(z - 1)(z - 1 + alpha) + g alpha z = 0 has the root -1 at g = 4/alpha - 2."""
    limit = 0.1 * feedback.stability_limit(controller(0.1, **{where: alpha}), SLOPE)
    assert limit == pytest.approx(4 / alpha - 2, rel=1e-7)


@pytest.mark.parametrize(("g", "p", "d"), [(0.5, 0.3, 0.0), (0.5, 0.0, 0.2), (0.4, 0.3, 0.1), (0.0, 0.4, 0.0)])
def test_stability_limit_of_the_textbook_form(g, p, d):
    """All three terms alternate together: f (g + 2 p + 4 d) = 2."""
    limit = feedback.stability_limit(controller(g, p, d), SLOPE)
    assert limit == pytest.approx(2 / (g + 2 * p + 4 * d), rel=1e-8)


@pytest.mark.parametrize(("g", "p", "d"), [(0.0, 0.5, 0.0), (0.3, 0.3, 0.0), (0.1, 0.3, 0.2), (0.0, 0.0, 0.4)])
def test_stability_limit_of_increments(g, p, d):
    """In this form f (g + p + 2 d) = 2 with a window of one: K_p and K_i do the same."""
    limit = feedback.stability_limit(controller(g, p, d, form="increment"), SLOPE)
    assert limit == pytest.approx(2 / (g + p + 2 * d), rel=1e-8)


def test_stability_limit_of_a_window_of_two():
    """(z - 1) z + g (z + 1) = 0: the product of the roots is g, so the circle is reached at g = 1."""
    limit = 0.1 * feedback.stability_limit(controller(0.1, form="increment", window=2), SLOPE)
    assert limit == pytest.approx(1, rel=1e-8)


def test_one_gain_at_a_time():
    """The textbook's form is stable while g + 2 p < 2 and p < 1."""
    c = controller(0.5, kp=0.25)
    assert 0.5 * feedback.stability_limit(c, SLOPE, "ki") == pytest.approx(1.5, rel=1e-8)
    assert 0.25 * feedback.stability_limit(c, SLOPE, "kp") == pytest.approx(0.75, rel=1e-8)
    assert feedback.stability_limit(controller(0.5, kp=1.2), SLOPE, "ki") == 0
    assert feedback.stability_limit(controller(0.5), SLOPE, "kp") == np.inf
    assert feedback.stability_limit(controller(0.5), -SLOPE) == 0  # positive feedback
    with pytest.raises(ValueError, match="gain"):
        feedback.stability_limit(c, SLOPE, "kq")
