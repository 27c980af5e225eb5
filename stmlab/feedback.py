"""The controller that holds a signal at its setpoint, one reading at a time; it knows nothing of microscopes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class Controller(NamedTuple):
    """The settings of a feedback loop, as `step` uses them.

    Everything but `form`, `window` and `delay` may also be an array, a controller for each lane.

    Parameters
    ----------
    kp, ki, kd : float
        Proportional [Å], integral [Å/s] and derivative [Å s] gain, each per unit of error.
    dt : float
        Time between two readings [s].
    form : str
        "position": the three terms add up to a height; "increment": they add up to a move.
    window : int
        Readings that the integral term of the form "increment" looks back on, the present one included.
    delay : int
        Readings that pass before an error is answered.
    preamp, output : float
        Coefficients of the low-pass filters before and behind the controller, from `low_pass`; 1 filters nothing.
    lowest, highest : float
        Ends of the range of heights [Å].
    longest : float
        Farthest move in one step [Å].
    """

    kp: float
    ki: float
    kd: float
    dt: float
    form: str = "position"
    window: int = 1
    delay: int = 0
    preamp: float = 1.0
    output: float = 1.0
    lowest: float = -np.inf
    highest: float = np.inf
    longest: float = np.inf


class State(NamedTuple):
    """What a controller remembers between two readings; `None` is what has not been yet."""

    height: Any  # Å, the drive: what the controller asked for
    actual: Any  # Å, where the output filter is on its way to it
    integral: Any  # Å, what the errors have piled up to; in the form "increment" this is the height itself
    filtered: Any = None  # error behind the preamp
    waiting: tuple = ()  # errors on their way through the delay, the oldest first
    recent: tuple = ()  # errors in the window, the oldest first
    last: Any = None  # error answered last


def low_pass(bandwidth, dt):
    r"""Coefficient of a first-order low-pass filter that is read every dt.

    .. math:: y_n = y_{n-1} + \alpha\,(x_n - y_{n-1}), \qquad \alpha = 1 - e^{-2\pi f\,\Delta t}

    This is exact for a signal that stays the same between two readings.

    Parameters
    ----------
    bandwidth : float
        Frequency f at which the filter halves the power [Hz]; 0 means no filter.
    dt : float
        Time between two readings [s].

    Returns
    -------
    float
        alpha; 1 for no filter.
    """
    return -np.expm1(-2 * np.pi * bandwidth * dt) if bandwidth else 1.0


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


def linear_error(log_ratio):
    """Error I/I_set - 1 of an amplifier that is not logarithmic, from ln(I/I_set)."""
    return np.expm1(log_ratio)


def init(height, controller):
    """Start at a height, at rest, with nothing in memory.

    Parameters
    ----------
    height : float or array
        Of the tip [Å].
    controller : Controller
        Its settings.

    Returns
    -------
    State
        To hand to the first `step`.

    Raises
    ------
    ValueError
        If the controller makes no sense; the message says what to change.
    """
    c = controller
    if c.form not in ("position", "increment"):
        raise ValueError(f'form = {c.form!r} must be "position" or "increment"')
    if c.window < 1 or c.delay < 0:
        raise ValueError(f"window = {c.window} must be at least 1 step, and delay = {c.delay} at least 0")
    for name in ("preamp", "output"):
        share = np.asarray(getattr(c, name))
        if not np.all((share > 0) & (share <= 1)):
            raise ValueError(f"{name} = {share} must be greater than 0 and at most 1; take it from low_pass")
    return State(height, height, height, recent=(0.0,) * c.window)


def step(state, reading, controller):
    r"""Answer one reading of the error with a height.

    The reading passes the preamp's low-pass and a delay; what comes out is the error e. The form "position"
    is the textbook's controller,

    .. math:: z_n = K_i \sum_{m \le n} e_m\,\Delta t + K_p\, e_n + K_d\, \frac{e_n - e_{n-1}}{\Delta t}

    P answers the error of now, I the errors that have piled up, D the way it is heading. In the form "increment"
    the same three terms make a move instead, with a sum over the last w errors only,

    .. math:: z_n = z_{n-1} + K_p\, e_n + K_i \sum_{m = n-w+1}^{n} e_m\,\Delta t + K_d\, \frac{e_n - e_{n-1}}{\Delta t}

    so that moves pile up and K_p integrates. With e = ln(I / I_set) a current too high gives e > 0 and so a tip
    that retracts. The first error counts as having been there before, so that D and the delay start at rest.

    Neither form winds its integral back: held at a limit, the integral of the form "position" goes on growing
    and has to be worked off before the tip comes free.

    Parameters
    ----------
    state : State
        From `init` or the last step.
    reading : float or array
        Error before the preamp: reading less setpoint.
    controller : Controller
        Its settings.

    Returns
    -------
    height : float or array
        What the controller asks for and records [Å]; ``state.actual`` is how far the output filter has come.
    state : State
        To hand to the next step.
    """
    c, started = controller, state.filtered is not None
    filtered = state.filtered + c.preamp * (reading - state.filtered) if started else reading
    e, *waiting = (*(state.waiting if started else (filtered,) * c.delay), filtered)
    recent = (*state.recent[1:], e)
    change = e - (state.last if started else e)

    if c.form == "position":
        integral = state.integral + c.ki * c.dt * e
        wanted = integral + c.kp * e + c.kd * change / c.dt
    else:
        wanted = state.height + c.kp * e + c.ki * c.dt * sum(recent) + c.kd * change / c.dt

    move = clip(wanted - state.height, -c.longest, c.longest)
    height = clip(state.height + move, c.lowest, c.highest)
    actual = state.actual + c.output * (height - state.actual)
    if c.form == "increment":
        integral = height
    return height, State(height, actual, integral, filtered, tuple(waiting), recent, e)


def clip(value, low, high):
    """Keep a number, or an array of them, between two others."""
    return np.minimum(np.maximum(value, low), high)


def transition(controller, slope):
    r"""Matrix that takes the loop from one reading to the next, :math:`s_{n+1} = M s_n`.

    Near the setpoint the reading is a straight line, slope x actual height, and limits are not met. Then `step`
    is linear in the state, and its answers to the unit vectors are the columns of M. An error grows if one
    eigenvalue of M is larger than 1 in modulus; the largest modulus is the factor of growth at each step.

    Parameters
    ----------
    controller : Controller
        Its settings, of a single lane.
    slope : float
        Change of the reading with the height [1/Å], -2 kappa.

    Returns
    -------
    ndarray, (n, n)
        M for the height, the actual height, the integral, the filtered and the last error [first five], then the
        errors in the delay and in the window; n = 5 + delay + window.
    """
    free = controller._replace(lowest=-np.inf, highest=np.inf, longest=np.inf)
    init(0.0, free)  # says what is wrong with it
    height, actual, integral, filtered, last, *memory = np.eye(5 + free.delay + free.window)
    waiting, recent = tuple(memory[: free.delay]), tuple(memory[free.delay :])
    unit = State(height, actual, integral, filtered, waiting, recent, last)
    _, s = step(unit, slope * actual, free)
    return np.stack([s.height, s.actual, s.integral, s.filtered, s.last, *s.waiting, *s.recent])


def stability_limit(controller, slope, gain="all"):
    r"""Factor by which gains may be multiplied until an error no longer dies away.

    The matrix of `transition` is affine in the gains, :math:`M(f) = M(0) + f\,[M(1) - M(0)]`. The limit is the
    first f at which its spectral radius passes 1. For a pure integrator without filters, of which
    :math:`e_{n+1} = e_n - f g\, e_{n-d}`, this is :math:`f g = 2 \sin\frac{\pi}{2 (2 d + 1)}`: 2 without a delay.

    Parameters
    ----------
    controller : Controller
        Its settings, of a single lane.
    slope : float
        Change of the reading with the height [1/Å], -2 kappa.
    gain : str
        "all", or which one of "kp", "ki" and "kd" is multiplied while the others stay.

    Returns
    -------
    float
        The factor: 0 if the loop is unstable even without the gain, infinite if it is stable with any.

    Raises
    ------
    ValueError
        If there is no such gain.
    """
    names = ("kp", "ki", "kd") if gain == "all" else (gain,)
    if not set(names) <= {"kp", "ki", "kd"}:
        raise ValueError(f'gain = {gain!r} must be "all", "kp", "ki" or "kd"')
    none = transition(controller._replace(**dict.fromkeys(names, 0.0)), slope)
    each = transition(controller, slope) - none

    def unstable(factor):  # a part that no gain reaches stays as it is, at exactly 1, and does no harm
        return np.abs(np.linalg.eigvals(none + np.multiply.outer(factor, each))).max(-1) > 1 + 1e-9

    factors = np.geomspace(1e-6, 1e9, 512) / (np.abs(each).max() or 1.0)
    growing = unstable(factors)
    if not growing.any():
        return np.inf
    first = int(np.argmax(growing))
    if first == 0:
        return 0.0
    low, high = factors[first - 1], factors[first]
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if unstable(middle) else (middle, high)
    return float(low)
