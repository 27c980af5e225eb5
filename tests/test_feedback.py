import numpy as np
import pytest

from stmlab import feedback
from stmlab.feedback import Gains


def errors_of_a_line(gains, steps, dt=1e-3, kappa=1.1, start=1.0):
    """Loop around ln I = -2 kappa (z - z0), the barrier right above one atom; error in units of ln I."""
    z, out = start / (2 * kappa), []
    state = feedback.init(z)
    for _ in range(steps):
        out.append(-2 * kappa * z)
        z, state = feedback.step(state, out[-1], gains, dt)
    return np.array(out)


@pytest.mark.parametrize("g", [0.1, 0.5, 1.0, 1.6, 1.99])
def test_pure_integral_leaves_one_minus_g_of_the_error(g):
    gains = Gains(0.0, feedback.integral_gain(g, 1.1, 1e-3), 0.0)
    errors = errors_of_a_line(gains, 8)
    np.testing.assert_allclose(errors, -((1 - g) ** np.arange(8)), atol=1e-12)


@pytest.mark.parametrize(("g", "stable"), [(0.02, True), (1.98, True), (2.02, False), (2.5, False)])
def test_stability_limit_is_two(g, stable):
    errors = np.abs(errors_of_a_line(Gains(0.0, feedback.integral_gain(g, 1.1, 1e-3), 0.0), 400))
    assert (errors[-1] < errors[0]) == stable


def test_proportional_alone_leaves_an_offset():
    """z = K_p e + z0 settles at e = e0 / (1 + 2 kappa K_p)."""
    errors = errors_of_a_line(Gains(0.1, 0.0, 0.0), 200)
    assert errors[-1] == pytest.approx(-1 / (1 + 2 * 1.1 * 0.1), rel=1e-9)


def test_derivative_answers_a_ramp_with_a_constant():
    state, dt = feedback.init(0.0), 0.01
    z = []
    for n in range(5):
        height, state = feedback.step(state, 3.0 * n * dt, Gains(0.0, 0.0, 0.2), dt)
        z.append(height)
    np.testing.assert_allclose(z, [0, 0.6, 0.6, 0.6, 0.6])


def test_integral_does_not_depend_on_the_step():
    for dt in (1e-3, 1e-4):
        state = feedback.init(2.0)
        for _ in range(round(0.1 / dt)):
            z, state = feedback.step(state, 0.5, Gains(0.0, 7.0, 0.0), dt)
        assert z == pytest.approx(2 + 7 * 0.5 * 0.1)
