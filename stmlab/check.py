"""Self-checks for the exercises of the book: an answer goes in, a verdict and a nudge come out.

No answer is written down here. Each exercise is a function that works it out with the library.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

SLIPS = (
    (-1.0, "the sign"),
    (2.0, "a factor of 2"),
    (0.5, "a factor of 2"),
    (10.0, "the unit: Å against nm"),
    (0.1, "the unit: Å against nm"),
    (1000.0, "the unit: a factor of 1000"),
    (0.001, "the unit: a factor of 1000"),
    (np.pi / 180, "degrees against radians"),
    (180 / np.pi, "degrees against radians"),
)


@dataclass(frozen=True)
class Exercise:
    """One numerical question.

    Parameters
    ----------
    solve : callable
        Works the answer out.
    unit : str
        Of the answer.
    tolerance : float
        Relative error that still counts as right.
    """

    solve: Callable[[], float]
    unit: str
    tolerance: float


@dataclass(frozen=True)
class Verdict:
    """Whether an answer is right, and what to look at if it is not; true when right."""

    right: bool
    message: str

    def __bool__(self):
        return self.right

    def __repr__(self):
        return self.message


EXERCISES: dict[str, Exercise] = {}


def exercise(number, unit="", tolerance=0.01):
    """Register the function that solves exercise ``number``."""

    def register(solve):
        EXERCISES[number] = Exercise(solve, unit, tolerance)
        return solve

    return register


def answer(number, value):
    """Check an answer to an exercise of the book.

    Parameters
    ----------
    number : str
        Of the exercise, such as ``"5.1"``.
    value : float
        Your answer, in the unit that the exercise asks for.

    Returns
    -------
    Verdict
        True when right; it prints as a sentence.

    Raises
    ------
    ValueError
        If there is no such exercise.
    """
    if number not in EXERCISES:
        raise ValueError(f"no exercise {number!r} is checked here; known: {', '.join(sorted(EXERCISES))}")
    task = EXERCISES[number]
    try:
        value = float(value)
    except (TypeError, ValueError):
        return Verdict(False, f"An answer to {number} is one number, not {type(value).__name__}.")
    truth = float(task.solve())
    if _close(value, truth, task.tolerance):
        return Verdict(True, f"Right: {value:.4g} {task.unit}".rstrip() + ".")
    slips = [what for factor, what in SLIPS if _close(value, truth * factor, task.tolerance)]
    return Verdict(False, f"Not yet: {value:.4g} {task.unit}".rstrip() + (f". Check {slips[0]}." if slips else "."))


def _close(value, truth, tolerance):
    return abs(value - truth) <= tolerance * abs(truth)


@exercise("1.1", unit="vacancies")
def _vacancies_in_a_frame():
    """How many missing top atoms a frame of 50 Å x 40 Å holds on average at the default density."""
    from .parameters import Parameters

    return Parameters().defects.se_vacancy_top * 50 * 40


@exercise("1.2", unit="s")
def _time_of_a_frame():
    """How long the default frame takes."""
    from .microscope import frame
    from .parameters import Parameters

    return frame(Parameters()).duration


@exercise("2.1", unit="Å")
def _bond_length():
    """Length of the W-Se bond of the default sheet."""
    from .structures import wse2

    return wse2().get_distance(0, 1)


@exercise("2.2", unit="Å")
def _side_of_the_triangle():
    """Distance between two atoms of the exposed plane of a (111) tip with one plane removed."""
    from .structures import tip

    return tip("111", 1).get_distance(0, 1)


@exercise("3.1", unit="decades per Å")
def _decades_per_angstrom():
    """How fast the current between two atoms falls at a work function of 5.5 eV."""
    from .junction import kappa

    return 2 * kappa(5.5) / np.log(10)


@exercise("3.2", unit="eV")
def _barrier_of_an_eighth():
    """Apparent barrier when the current falls to an eighth in 1 Å."""
    from .spectra import apparent_barrier

    return float(apparent_barrier(-np.log(8)))


@exercise("4.1", unit="moments", tolerance=0.025)
def _moments_for_a_width():
    """Moments that give Jackson's kernel a width of 0.1 eV in the middle of the single-orbital band."""
    from .tightbinding import bloch_hamiltonian

    half_width = np.linalg.eigvalsh(bloch_hamiltonian("single-orbital", np.zeros(3)))[-1]
    return np.pi * half_width / 0.1


@exercise("4.2", unit="eV")
def _state_bound_to_an_impurity():
    """Level above the band of a chain with hopping -1 eV, one of whose atoms has 1.5 eV."""
    hop = np.diag(np.full(200, -1.0), 1)
    return np.linalg.eigvalsh(hop + hop.T + np.diag(1.5 * (np.arange(201) == 100)))[-1]


@exercise("5.1", unit="1/Å")
def _slope_on_axis():
    """d ln I/dz right above a single atom at a work function of 4.5 eV."""
    from .junction import Junction, kappa

    return Junction([[0, 0, 0]], [[0, 0, 0]], [[1.0]], kappa(4.5)).log_current_and_slope(0, 0, 5.0)[1]


@exercise("5.2", unit="Å")
def _one_atom_topograph():
    """Height 3 Å beside a single atom, when the tip is 5 Å high right above it."""
    from .junction import Junction
    from .modes import constant_current
    from .scan import Raster

    single, raster = Junction([[0, 0, 0]], [[0, 0, 0]], [[1.0]], 1.0), Raster(1, 1, 1, 1, center=(3.0, 0.0))
    return constant_current(single, raster, -10.0)[0, 0]


@exercise("6.1", unit="Å/s", tolerance=0.02)
def _gain_from_trace_and_retrace():
    """Integral gain that shifts trace and retrace by 3 Å at a tip speed of 200 Å/s and a work function of 4.5 eV."""
    from .junction import kappa

    lag = 3.0 / (2 * 200.0)
    return 1 / (2 * kappa(4.5) * lag)


@exercise("6.2", unit="")
def _largest_loop_gain_with_delay():
    """Loop gain at which an integrator with a delay of two readings begins to swing."""
    from .feedback import Controller, integral_gain, stability_limit

    return stability_limit(Controller(0.0, integral_gain(1.0, 1.0, 1e-4), 0.0, 1e-4, delay=2), -2.0)


@exercise("7.1", unit="s")
def _wait_after_a_move():
    """How long to wait after a move of 1000 Å so that creep of 2 % per decade moves the tip 1 Å in a frame of 96 s."""
    from scipy.optimize import brentq

    from .piezo import settle

    return brentq(lambda wait: settle(96.0, 1000.0, 0.02, 0.1, wait) - 1.0, 0.0, 1e5)


@exercise("7.2", unit="Å/s")
def _drift_of_squeezed_rows():
    """Drift upwards that brings rows of a lattice of 3.32 Å to 2.70 Å in a frame of 40 Å that takes 96 s."""
    return (3.32 * np.sqrt(3) / 2 / 2.70 - 1) * 40 / 96


@exercise("8.1", unit="ranges")
def _loop_without_gamma():
    """State at the end of the closed loop for A = 0.4, beta = 2, gamma = 0 and a full sweep."""
    from .piezo import BoucWen, limit

    return limit(BoucWen(0.4, 2.0, 0.0))


@exercise("8.2", unit="Å", tolerance=0.02)
def _trace_against_retrace():
    """Distance of trace and retrace in the middle of a line of 50 nm, for a loop that is 4 % wide."""
    from .piezo import displaced, of_width

    line = np.linspace(-250.0, 250.0, 501)
    trace, retrace = displaced(np.r_[line, line[-2::-1]], 500.0, of_width(0.04, 0.6, 0.4))[[250, 750]]
    return retrace - trace


@exercise("9.1", unit="pA")
def _johnson_equals_shot():
    """Current at which a resistor of 1 GOhm at 77 K is as noisy as the current through it."""
    from .noise import johnson, shot

    return 1e12 * (johnson(1e9, 77.0) / shot(1.0)) ** 2


@exercise("9.2", unit="Hz", tolerance=5e-4)
def _mains_from_stripes():
    """Mains whose phase stays a 25th of a period behind 20 whole ones in lines of 0.4 s."""
    return (20 - 1 / 25) / 0.4


@exercise("10.1")
def _share_of_fast_loops():
    """Share of the loop gains above 0.3 when they are drawn log-uniformly from 0.01 to 1."""
    return np.log(1.0 / 0.3) / np.log(1.0 / 0.01)


@exercise("10.2", unit="defects", tolerance=0.02)
def _defects_of_the_thesis():
    """Mean number of defects in a frame of the study thesis-main: mean density times the mean of the square width."""
    from .parameters import Study

    vary = Study.load("thesis-main").vary
    density = sum((law.low + law.high) / 2 for path, law in vary.items()
                  if path.startswith("defects.") and path != "defects.dopant_potential")  # fmt: skip
    width = vary["raster.width"]
    return density * (width.high**3 - width.low**3) / (3 * (width.high - width.low))


@exercise("11.1")
def _smoothing_twice():
    """Standard deviation of white noise after the mean of 3 x 3 pixels was taken twice."""
    return np.sum(np.convolve(np.ones(3) / 3, np.ones(3) / 3) ** 2)


@exercise("11.2", unit="parameters", tolerance=1e-4)
def _parameters_of_a_small_network():
    """Parameters of a U-Net of four channels and five levels, for one image and two labels."""
    return 206 + sum(89 * n**2 + 13 * n for n in (4, 8, 16, 32))


@exercise("12.1", unit="Å", tolerance=0.02)
def _pixel_of_a_measurement():
    """Pixel size of a frame 30 nm wide with 512 pixels."""
    from .scan import Raster

    return Raster(300.0, 300.0, 512, 512).pixel_size[0]


@exercise("12.2", unit="")
def _defects_per_frame():
    """Defects expected in a frame of 50 nm x 50 nm at 1e11 per cm2."""
    return 1e11 * 1e-16 * 500**2


@exercise("12.6")
def _f1_of_counts():
    """F1 of 30 detections, 20 of them right, where there are 25 defects."""
    return 2 * 20 / (30 + 25)
