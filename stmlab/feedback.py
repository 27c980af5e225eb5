"""The controller that holds a signal at its setpoint; it knows nothing of microscopes."""

from __future__ import annotations

from typing import NamedTuple


class Gains(NamedTuple):
    """Proportional [Å], integral [Å/s] and derivative [Å s] gain, each per unit of error."""

    kp: float
    ki: float
    kd: float


class State(NamedTuple):
    """What the controller remembers: its integral [Å] and the last error."""

    integral: float
    error: float | None


def init(height):
    """Start the controller at a height [Å], with no error in its memory."""
    return State(height, None)


def step(state, error, gains, dt):
    r"""Answer one reading of the error e with a height.

    .. math:: z = K_i \int e\, dt + K_p\, e + K_d\, \frac{de}{dt}

    P answers the error of now, I the errors that have piled up, D the way it is heading. With
    e = ln(I / I_set) a current too high gives e > 0 and so a tip that retracts.

    Parameters
    ----------
    state : State
        From `init` or the last step.
    error : float
        Reading less setpoint.
    gains : Gains
        Of the three terms.
    dt : float
        Time since the last reading [s].

    Returns
    -------
    height : float
        What to move to [Å].
    state : State
        To hand to the next step.
    """
    change = 0.0 if state.error is None else error - state.error
    integral = state.integral + gains.ki * dt * error
    return integral + gains.kp * error + gains.kd * change / dt, State(integral, error)


def integral_gain(loop_gain, kappa, dt):
    r"""Integral gain that gives a loop gain :math:`g = 2\kappa K_i\,\Delta t` [Å/s].

    Near the setpoint ln I falls by 2 kappa for each Å, so a pure integrator leaves of an error
    :math:`e_{n+1} = (1 - g)\, e_n`: dead-beat at g = 1, unstable from g = 2.

    Parameters
    ----------
    loop_gain : float
        Dimensionless g.
    kappa : float
        Decay constant [1/Å].
    dt : float
        Time between two readings [s].
    """
    return loop_gain / (2 * kappa * dt)
