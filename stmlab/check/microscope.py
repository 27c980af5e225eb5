"""Exercises of chapters 1 to 9, worked out with the library."""

import numpy as np

from .registry import exercise


@exercise("1.1", unit="vacancies")
def _vacancies_in_a_frame():
    """How many missing top atoms a frame of 50 Å x 40 Å holds on average at the default density."""
    from ..parameters import Parameters

    return Parameters().defects.se_vacancy_top * 50 * 40


@exercise("1.2", unit="s")
def _time_of_a_frame():
    """How long the default frame takes."""
    from ..microscope import frame
    from ..parameters import Parameters

    return frame(Parameters()).duration


@exercise("2.1", unit="Å")
def _bond_length():
    """Length of the W-Se bond of the default sheet."""
    from ..structures import wse2

    return wse2().get_distance(0, 1)


@exercise("2.2", unit="Å")
def _side_of_the_triangle():
    """Distance between two atoms of the exposed plane of a (111) tip with one plane removed."""
    from ..structures import tip

    return tip("111", 1).get_distance(0, 1)


@exercise("3.1", unit="decades per Å")
def _decades_per_angstrom():
    """How fast the current between two atoms falls at a work function of 5.5 eV."""
    from ..junction import kappa

    return 2 * kappa(5.5) / np.log(10)


@exercise("3.2", unit="eV")
def _barrier_of_an_eighth():
    """Apparent barrier when the current falls to an eighth in 1 Å."""
    from ..spectra import apparent_barrier

    return float(apparent_barrier(-np.log(8)))


@exercise("4.1", unit="moments", tolerance=0.025)
def _moments_for_a_width():
    """Moments that give Jackson's kernel a width of 0.1 eV in the middle of the single-orbital band."""
    from ..tightbinding import bloch_hamiltonian

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
    from ..junction import Junction, kappa

    return Junction([[0, 0, 0]], [[0, 0, 0]], [[1.0]], kappa(4.5)).log_current_and_slope(0, 0, 5.0)[1]


@exercise("5.2", unit="Å")
def _one_atom_topograph():
    """Height 3 Å beside a single atom, when the tip is 5 Å high right above it."""
    from ..junction import Junction
    from ..modes import constant_current
    from ..scan import Raster

    single, raster = Junction([[0, 0, 0]], [[0, 0, 0]], [[1.0]], 1.0), Raster(1, 1, 1, 1, center=(3.0, 0.0))
    return constant_current(single, raster, -10.0)[0, 0]


@exercise("6.1", unit="Å/s", tolerance=0.02)
def _gain_from_trace_and_retrace():
    """Integral gain that shifts trace and retrace by 3 Å at a tip speed of 200 Å/s and a work function of 4.5 eV."""
    from ..junction import kappa

    lag = 3.0 / (2 * 200.0)
    return 1 / (2 * kappa(4.5) * lag)


@exercise("6.2", unit="")
def _largest_loop_gain_with_delay():
    """Loop gain at which an integrator with a delay of two readings begins to swing."""
    from ..feedback import Controller, integral_gain, stability_limit

    return stability_limit(Controller(0.0, integral_gain(1.0, 1.0, 1e-4), 0.0, 1e-4, delay=2), -2.0)


@exercise("7.1", unit="s")
def _wait_after_a_move():
    """How long to wait after a move of 1000 Å so that creep of 2 % per decade moves the tip 1 Å in a frame of 96 s."""
    from scipy.optimize import brentq

    from ..piezo import settle

    return brentq(lambda wait: settle(96.0, 1000.0, 0.02, 0.1, wait) - 1.0, 0.0, 1e5)


@exercise("7.2", unit="Å/s")
def _drift_of_squeezed_rows():
    """Drift upwards that brings rows of a lattice of 3.32 Å to 2.70 Å in a frame of 40 Å that takes 96 s."""
    return (3.32 * np.sqrt(3) / 2 / 2.70 - 1) * 40 / 96


@exercise("8.1", unit="ranges")
def _loop_without_gamma():
    """State at the end of the closed loop for A = 0.4, beta = 2, gamma = 0 and a full sweep."""
    from ..piezo import BoucWen, limit

    return limit(BoucWen(0.4, 2.0, 0.0))


@exercise("8.2", unit="Å", tolerance=0.02)
def _trace_against_retrace():
    """Distance of trace and retrace in the middle of a line of 50 nm, for a loop that is 4 % wide."""
    from ..piezo import displaced, of_width

    line = np.linspace(-250.0, 250.0, 501)
    trace, retrace = displaced(np.r_[line, line[-2::-1]], 500.0, of_width(0.04, 0.6, 0.4))[[250, 750]]
    return retrace - trace


@exercise("9.1", unit="pA")
def _johnson_equals_shot():
    """Current at which a resistor of 1 GOhm at 77 K is as noisy as the current through it."""
    from ..noise import johnson, shot

    return 1e12 * (johnson(1e9, 77.0) / shot(1.0)) ** 2


@exercise("9.2", unit="Hz", tolerance=5e-4)
def _mains_from_stripes():
    """Mains whose phase stays a 25th of a period behind 20 whole ones in lines of 0.4 s."""
    return (20 - 1 / 25) / 0.4
