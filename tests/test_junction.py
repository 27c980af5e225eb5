import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stmlab.junction import Junction, kappa, log_current


def random_junction(seed, atoms=40, tips=3, slack=1e3):
    rng = np.random.default_rng(seed)
    sample = rng.uniform([-15, -15, -3], [15, 15, 0], (atoms, 3))
    sample[0, 2] = 0
    tip = rng.uniform([-3, -3, 0], [3, 3, 2], (tips, 3))
    tip[0] = 0
    return Junction(sample, tip, rng.uniform(0, 2, (atoms, tips)), 1.09, slack)


def test_decay_constant():
    """0.512317 sqrt(phi) per Å: sqrt(2 m phi) / hbar from CODATA."""
    from scipy.constants import e, hbar, m_e

    for phi in (1.0, 4.5, 5.5):
        assert kappa(phi) == pytest.approx(np.sqrt(2 * m_e * phi * e) / hbar * 1e-10, rel=1e-8)


def test_compiled_and_readable_agree():
    junction = random_junction(0)
    r = np.random.default_rng(1).uniform([-9, -9, 3], [9, 9, 9], (50, 3))
    readable = log_current(r, junction.sample, junction.tip, junction.weights, junction.kappa)
    np.testing.assert_allclose(junction.log_current(*r.T), readable, rtol=0, atol=1e-12)


def test_neglected_pairs_are_worth_less_than_a_hundredth_of_a_picometre():
    junction = random_junction(2, atoms=2000)
    r = np.random.default_rng(3).uniform([-5, -5, 3], [5, 5, 7], (60, 3))
    cut = Junction(junction.sample, junction.tip, junction.weights, junction.kappa)
    error = cut.log_current(*r.T) - junction.log_current(*r.T)
    assert 0 < np.abs(error).max() < 2 * junction.kappa * 1e-4


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.floats(3, 12))
def test_slope_is_the_derivative(seed, z):
    junction, h = random_junction(seed, atoms=15), 1e-4
    x, y = np.random.default_rng(seed).uniform(-5, 5, 2)
    f = [log_current(np.array([x, y, z + d]), junction.sample, junction.tip, junction.weights, junction.kappa)
         for d in (-2 * h, -h, h, 2 * h)]  # fmt: skip
    numeric = (f[0] - 8 * f[1] + 8 * f[2] - f[3]) / (12 * h)
    assert junction.log_current_and_slope(x, y, z)[1] == pytest.approx(numeric, abs=1e-8)


def test_one_pair_decays_as_two_kappa_on_axis():
    """d ln I/dz = -2 kappa z/D for one pair, and -2 kappa right above it."""
    junction = Junction([[0, 0, 0]], [[0, 0, 0]], [[0.7]], 1.1)
    value, slope = junction.log_current_and_slope(0, 0, 5.0)
    assert slope == pytest.approx(-2.2, abs=1e-13)
    assert value == pytest.approx(np.log(0.7) - 2.2 * 5, abs=1e-13)
    assert junction.log_current_and_slope(3.0, 0, 4.0)[1] == pytest.approx(-2.2 * 4 / 5, abs=1e-13)


def test_apparent_barrier_recovers_the_work_function():
    """phi = (hbar^2 / 8m) (d ln I/dz)^2 on the axis of one pair."""
    junction = Junction([[0, 0, 0]], [[0, 0, 0]], [[1.0]], kappa(4.5))
    slope = junction.log_current_and_slope(0, 0, 6.0)[1]
    assert (slope / (2 * kappa(1.0))) ** 2 == pytest.approx(4.5, rel=1e-12)


def test_far_away_nothing_underflows():
    junction = Junction([[0, 0, 0]], [[0, 0, 0]], [[1.0]], 1.1)
    assert junction.log_current(0, 0, 2000.0) == pytest.approx(-4400)
    assert log_current([0, 0, 2000.0], [[0, 0, 0]], [[0, 0, 0]], [[1.0]], 1.1) == pytest.approx(-4400)


def test_turning_tip_and_sample_together_changes_nothing():
    junction, angle = random_junction(5), 0.7
    turn = np.array([[np.cos(angle), np.sin(angle), 0], [-np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    turned = Junction(junction.sample @ turn, junction.tip @ turn, junction.weights, junction.kappa, junction.slack)
    r = np.array([2.0, -1.0, 5.0])
    assert turned.log_current(*(r @ turn)) == pytest.approx(junction.log_current(*r), abs=1e-12)


def test_corrugation_decays_as_the_first_fourier_component_of_the_pair_sum():
    """ln I of a lattice flattens as exp[-(sqrt(4 kappa^2 + G^2) - 2 kappa) z], up to an algebraic prefactor."""
    from stmlab.structures import images, wse2

    sheet, k = wse2(), 1.05
    top = sheet.positions[[1]]
    _, atoms = images(top, sheet.cell, sheet.pbc, [-40, -40], [40, 40])
    junction = Junction(atoms, [[0, 0, 0]], np.ones((len(atoms), 1)), k, slack=12)
    z = np.array([6.0, 7.0, 8.0])
    hollow = top[0, :2] + [0, 2 * 3.32 / np.sqrt(3)]
    contrast = junction.log_current(*top[0, :2], z) - junction.log_current(*hollow, z)
    g = 4 * np.pi / (np.sqrt(3) * 3.32)
    np.testing.assert_allclose(-np.diff(np.log(contrast)), np.sqrt(4 * k**2 + g**2) - 2 * k, rtol=0.06)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": [[-1.0]]}, "at least 0"),
        ({"weights": [[0.0]]}, "at least 0"),
        ({"weights": [[np.nan]]}, "must be finite"),
        ({"sample": [[0, 0, np.inf]]}, "must be finite"),
        ({"weights": [[1.0, 1.0]]}, "weights \\(N, M\\)"),
        ({"kappa": 0.0}, "kappa = 0.0 1/Å"),
    ],
)
def test_impossible_junctions_are_refused(change, message):
    good = {"sample": [[0, 0, 0]], "tip": [[0, 0, 0]], "weights": [[1.0]], "kappa": 1.0}
    with pytest.raises(ValueError, match=message):
        Junction(**(good | change))


def test_a_tip_below_the_sample_sees_its_mirror_image():
    """The formula knows nothing of the surface; nothing on the way may divide by 0 there."""
    junction = Junction([[0, 0, 0], [3, 0, 0]], [[0, 0, 0]], [[1.0], [0.5]], 1.1, slack=12)
    above, below = (junction.log_current_and_slope(0.0, 0.0, z) for z in (1.2, -1.2))
    assert below[0] == pytest.approx(above[0], abs=1e-12)
    assert below[1] == pytest.approx(-above[1], abs=1e-12)
