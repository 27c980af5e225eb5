import numpy as np
import pytest
from scipy.integrate import trapezoid

import stmlab as stm
from stmlab.junction import Junction, kappa
from stmlab.spectra import apparent_barrier, lock_in, spectroscopy
from stmlab.tightbinding import bias_window, fermi_level, ldos, weights
from stmlab.tightbinding.broadening import gaussian
from stmlab.tightbinding.weights import BOLTZMANN

ABOVE = [[0.0, 0.0, 5.0]]
ONE = np.zeros((1, 3))


def flat(height=1.0, atoms=1):
    return lambda energies: np.full((atoms, len(energies)), height)


def level(center, width=0.005):
    """One atom with one level."""
    return lambda energies: gaussian(energies - center, width)[None]


def levels(seed, atoms, width=0.05, count=6):
    """Atoms with levels anywhere."""
    centers = np.random.default_rng(seed).uniform(-2, 2, (atoms, count))
    return lambda energies: gaussian(energies - centers[..., None], width).sum(axis=1)


def above_one_atom(density, tip_density, bias, **how):
    """Spectrum of a one-atom tip above one atom: current and conductance (V,)."""
    seen = spectroscopy(ONE, density, ONE, tip_density, ABOVE, bias, 1.09, **how)
    return seen.current[0], seen.conductance[0]


def width_at_half_maximum(x, y):
    """Where straight lines through (x, y) cross half of the largest y."""
    high, top = y.max() / 2, y.argmax()
    return np.interp(high, y[: top - 1 : -1], x[: top - 1 : -1]) - np.interp(high, y[: top + 1], x[: top + 1])


def junction_atoms(seed, atoms=60, tips=3):
    rng = np.random.default_rng(seed)
    sample, tip = rng.uniform([-9, -9, -3], [9, 9, 0], (atoms, 3)), rng.uniform([-3, -3, 0], [3, 3, 2], (tips, 3))
    sample[0, 2], tip[0] = 0, 0
    return sample, tip, rng.uniform([-5, -5, 5], [5, 5, 8], (7, 3))


# ---- closed forms -------------------------------------------------------------------------------------


@pytest.mark.parametrize("temperature", [0.0, 4.2, 300.0])
def test_flat_densities_obey_ohm(temperature):
    """I = V / |V_set|, whatever the temperature."""
    bias = np.linspace(-1.2, 0.9, 43)
    current, conductance = above_one_atom(flat(2.5), flat(0.3), bias, temperature=temperature, setpoint_bias=0.7)
    np.testing.assert_allclose(current, bias / 0.7, rtol=0, atol=1e-10)
    np.testing.assert_allclose(conductance, 1 / 0.7, rtol=1e-10)


def test_no_bias_no_current():
    current, _ = above_one_atom(flat(), level(0.1, 0.05), [-0.5, 0.0, 0.5], temperature=77.0)
    assert current[1] == 0
    assert current[0] == -1


def test_an_empty_state_of_the_sample_shows_at_positive_bias():
    """V > 0 counts empty states of the sample, and of the tip filled ones."""
    bias = np.linspace(-0.5, 0.5, 201)
    densities = lambda energies: 1 + level(0.3)(energies) / 50  # noqa: E731
    for of_sample, of_tip, place in ((densities, flat(), 0.3), (flat(), densities, -0.3)):
        current, conductance = above_one_atom(of_sample, of_tip, bias, step=0.002)
        assert bias[conductance.argmax()] == pytest.approx(place, abs=1e-12)
        quiet = bias * place < 0
        np.testing.assert_allclose(conductance[quiet], conductance[quiet][0], rtol=1e-6)
        assert conductance.max() > 2 * conductance[quiet][0]
        assert (np.sign(current) == np.sign(np.round(bias, 6))).all()


def test_current_starts_where_the_level_is():
    """A lone level at +0.3 eV carries all of the current above +0.3 V, and none below."""
    current, _ = above_one_atom(level(0.3), flat(), [-0.4, 0.25, 0.3, 0.35, 0.4], setpoint_bias=0.4, step=0.002)
    np.testing.assert_allclose(current, [0, 0, 0.5, 1, 1], rtol=0, atol=1e-6)


def test_thermal_broadening_of_a_level():
    """dI/dV = -f'(E0 - eV) / kT: 3.53 kT wide, and 1/(4 kT) high for one state."""
    kt, bias = BOLTZMANN * 300, np.linspace(0.36, 0.64, 57)
    current, conductance = above_one_atom(level(0.5, 0.002), flat(), bias, temperature=300, setpoint_bias=1, step=1e-3)
    wide = 2 * np.log(3 + np.sqrt(8)) * kt
    assert wide == pytest.approx(3.53 * kt, rel=2e-3)
    assert width_at_half_maximum(bias, conductance) == pytest.approx(wide, rel=5e-3)
    assert conductance.max() == pytest.approx(1 / (4 * kt), rel=5e-3)
    assert current[-1] == pytest.approx(1 / (1 + np.exp(-0.14 / kt)), rel=1e-3)


def test_thermal_broadening_of_a_step():
    """The slope of dI/dV at a band edge is 3.53 kT wide."""
    kt, bias = BOLTZMANN * 300, np.linspace(0.36, 0.64, 57)
    edge = lambda energies: 0.5 + 0.5 * np.tanh((energies[None] - 0.5) / 0.004)  # noqa: E731
    _, conductance = above_one_atom(edge, flat(), bias, temperature=300, setpoint_bias=1, step=1e-3)
    slope = np.gradient(conductance, bias)
    assert width_at_half_maximum(bias, slope) == pytest.approx(3.53 * kt, rel=0.01)


@pytest.mark.parametrize("temperature", [0.0, 20.0])
def test_conductance_is_the_derivative_of_the_current(temperature):
    """Five-point differences of I(V), with structure on both sides."""
    h, middle = 0.002, np.linspace(-1.1, 1.1, 12)
    bias = (middle[:, None] + h * np.arange(-2, 3)).ravel()
    current, conductance = above_one_atom(levels(1, 1), levels(2, 1), bias, temperature=temperature)
    f = current.reshape(-1, 5)
    numeric = (f[:, 0] - 8 * f[:, 1] + 8 * f[:, 3] - f[:, 4]) / (12 * h)
    np.testing.assert_allclose(conductance[2::5], numeric, rtol=0, atol=1e-5 * np.abs(conductance).max())


# ---- lock-in ------------------------------------------------------------------------------------------


def semi_ellipse(offset, peak):
    return 2 / (np.pi * peak**2) * np.sqrt(np.clip(peak**2 - offset**2, 0, None))


def test_lock_in_turns_a_peak_into_a_half_ellipse():
    """A current that jumps by 1 between 0.3 V and the next bias, 0.1 mV further."""
    bias, peak, jump = np.linspace(0.2, 0.4, 2001), 0.02, 0.30005
    seen = lock_in(bias, (bias > jump).astype(float), peak)
    assert np.isnan(seen).sum() == 2 * 200
    kept = ~np.isnan(seen)
    seen, bias = seen[kept], bias[kept]
    np.testing.assert_allclose(seen, semi_ellipse(bias - jump, peak), rtol=0, atol=0.04 * seen.max())
    inner = np.abs(bias - jump) < 0.9 * peak
    np.testing.assert_allclose(seen[inner], semi_ellipse(bias - jump, peak)[inner], rtol=1e-3)
    assert width_at_half_maximum(bias, seen) == pytest.approx(np.sqrt(3) * peak, rel=1e-3)
    assert trapezoid(seen, bias) == pytest.approx(1, abs=1e-9)


def test_lock_in_is_the_first_harmonic():
    """The circle integral of a cubic current: 3 V^2 + 3/4 V_p^2; falling biases and rows of spectra too."""
    bias = np.linspace(1, -1, 2001)
    rows = np.stack([bias**3, 2 * bias])
    expected = np.stack([3 * bias**2 + 0.75 * 0.1**2, np.full(2001, 2.0)])
    seen = lock_in(bias, rows, 0.1)
    np.testing.assert_allclose(seen[:, 100:-100], expected[:, 100:-100], atol=2e-6)
    assert np.isnan(seen[:, :100]).all()
    np.testing.assert_allclose(lock_in(bias, rows, 0.0), np.stack([3 * bias**2, expected[1]]), atol=4e-6)


def test_modulation_broadens_a_level():
    """One half ellipse; the current stays as it is."""
    bias, peak = np.linspace(0.01, 0.09, 81), 0.03
    how = {"setpoint_bias": 0.12, "step": 1e-3}
    plain, seen = (above_one_atom(level(0.05, 0.0015), flat(), bias, modulation=m, **how) for m in (0.0, peak))
    np.testing.assert_allclose(plain[0], seen[0], rtol=0, atol=1e-12)
    assert width_at_half_maximum(bias, seen[1]) == pytest.approx(np.sqrt(3) * peak, rel=0.01)
    assert trapezoid(seen[1], bias) == pytest.approx(1, abs=1e-6)
    u = np.linspace(-0.01, 0.01, 20001)
    exact = trapezoid(semi_ellipse(bias[:, None] - 0.05 - u, peak) * gaussian(u, 0.0015), u, axis=1)
    np.testing.assert_allclose(seen[1], exact, rtol=0, atol=1e-4 * exact.max())


def test_modulation_agrees_with_the_lock_in_on_a_sampled_current():
    bias = np.linspace(-0.2, 0.2, 161)
    current, seen = above_one_atom(levels(3, 1), levels(4, 1), bias, temperature=4.2, modulation=0.03)
    sampled = lock_in(bias, current, 0.03)
    kept = ~np.isnan(sampled)
    assert kept.sum() == 161 - 2 * 12
    np.testing.assert_allclose(sampled[kept], seen[kept], rtol=0, atol=2e-4 * np.abs(seen).max())


# ---- barrier ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phi", [3.5, 4.5, 5.5])
def test_apparent_barrier_above_one_atom(phi):
    """The work function on the axis; cos^2 of the angle of it beside the axis."""
    junction = Junction(ONE, ONE, [[1.0]], kappa(phi))
    assert apparent_barrier(junction.log_current_and_slope(0, 0, 6.0)[1]) == pytest.approx(phi, rel=1e-8)
    assert apparent_barrier(junction.log_current_and_slope(3.0, 0, 4.0)[1]) == pytest.approx(phi * 16 / 25, rel=1e-8)


def test_apparent_barrier_constant():
    """hbar^2 / 8m = 0.952 eV Å^2 from CODATA."""
    from scipy.constants import e, hbar, m_e

    assert apparent_barrier(-1.0) == pytest.approx(hbar**2 / (8 * m_e) / e * 1e20, rel=1e-7)
    assert apparent_barrier(1.0) == pytest.approx(0.952, abs=5e-4)
    assert apparent_barrier(np.ones((2, 3))).shape == (2, 3)


# ---- many atoms ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("temperature", "bias"), [(0.0, -1.3), (77.0, 0.8)])
def test_one_bias_agrees_with_the_junction(temperature, bias):
    sample, tip, points = junction_atoms(5)
    rho, needle = levels(6, len(sample)), levels(7, len(tip))
    energy, factor = bias_window(bias, temperature, nodes=200)
    junction = Junction(sample, tip, weights(rho(energy), needle(energy - bias), factor), 1.09, slack=1e3)
    seen = spectroscopy(sample, rho, tip, needle, points, [bias, 0.1], 1.09, temperature)
    np.testing.assert_allclose(seen.log_setpoint, junction.log_current(*points.T), rtol=0, atol=1e-6)
    np.testing.assert_array_equal(seen.current[:, 0], np.sign(bias))


def test_any_set_point_and_any_order_tell_the_same():
    sample, tip, points = junction_atoms(8)
    bias, rest = np.linspace(-1, 1, 9), (levels(9, len(sample)), tip, levels(10, len(tip)))
    up = spectroscopy(sample, *rest, points, bias, 1.09)
    down = spectroscopy(sample, *rest, points[:6].reshape(2, 3, 3), bias[::-1], 1.09, setpoint_bias=0.5)
    assert (up.setpoint_bias, down.setpoint_bias) == (-1.0, 0.5)
    assert down.current.shape == down.conductance.shape == (2, 3, 9)
    assert down.log_setpoint.shape == (2, 3)
    for name in ("current", "conductance"):
        one = getattr(up, name)[:6] * np.exp(up.log_setpoint[:6])[:, None]
        other = getattr(down, name).reshape(6, 9)[:, ::-1] * np.exp(down.log_setpoint).reshape(6, 1)
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9 * np.abs(one).max())


def test_nothing_underflows_far_away():
    """At 1 µm the current is e^-21800 of that at contact; spectra do not know."""
    rest = (level(0.3, 0.05), ONE, flat(), [[0, 0, 5.0], [0, 0, 10000.0]], [-0.5, 0.2, 0.5], 1.09)
    seen = spectroscopy(ONE, *rest, setpoint_bias=0.5)
    np.testing.assert_allclose(seen.current[0], seen.current[1], rtol=1e-12, atol=1e-15)
    assert seen.log_setpoint[0] - seen.log_setpoint[1] == pytest.approx(2 * 1.09 * 9995, rel=1e-12)


def test_points_are_summed_in_parts(monkeypatch):
    sample, tip, points = junction_atoms(11)
    rest = (sample, levels(12, len(sample)), tip, levels(13, len(tip)), points, [-0.7, 0.6], 1.09)
    whole = spectroscopy(*rest)
    monkeypatch.setattr("stmlab.spectra.CHUNK", 1)
    np.testing.assert_allclose(spectroscopy(*rest).conductance, whole.conductance, rtol=1e-12)


# ---- tungsten diselenide ------------------------------------------------------------------------------

SIGMA = 0.05


def spectrum_above(sheet, place):
    """Biases from mid-gap and dI/dV of a flat tip 5 Å above a place on the sheet."""
    near = np.flatnonzero(np.hypot(*(sheet.positions - place)[:, :2].T) < 8)
    zero, bias = fermi_level("fang-2015"), np.linspace(-1.6, 1.6, 161)
    seen = spectroscopy(
        sheet.positions[near] - place,
        lambda energies: ldos(sheet, energies + zero, "fang-2015", "tmatrix", SIGMA, only=near),
        ONE, flat(), [[0, 0, 5.0]], bias, 1.09,
    )  # fmt: skip
    return bias, seen.conductance[0]


@pytest.fixture(scope="module")
def clean_and_hurt():
    sheet, row = stm.wse2((12, 12)), 1 + 3 * 78
    place = sheet.positions[row].copy()
    assert sheet.symbols[row] == "Se"
    return [spectrum_above(s, place) for s in (sheet, stm.add_defects(sheet, {"se-vacancy-top": [row]}))]


def test_the_gap_shows(clean_and_hurt):
    """1.667 eV wide; 5 sigma inside its edges less than 1e-3 of what is 5 sigma outside."""
    bias, conductance = clean_and_hurt[0]
    inside, outside = (np.abs(bias) < 1.667 / 2 - 5 * SIGMA), (np.abs(bias) > 1.667 / 2 + 5 * SIGMA)
    assert inside.sum() > 50
    assert np.abs(conductance[inside]).max() < 1e-3 * conductance[outside].min()


def test_the_vacancy_has_a_state_in_the_gap(clean_and_hurt):
    """The doublet of Fang's model lies 0.50 eV above mid-gap."""
    (bias, clean), (_, hurt) = clean_and_hurt
    inside = np.abs(bias) < 0.65
    assert 0.475 < bias[inside][hurt[inside].argmax()] < 0.505
    assert hurt[inside].max() > 0.3 * hurt.max()
    assert clean[inside].max() < 1e-2 * clean.max()


# ---- what callers get wrong ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bias": []}, "row of finite voltages"),
        ({"bias": [0.1, np.nan]}, "row of finite voltages"),
        ({"bias": [0.1, 0.3, 0.2]}, r"bias from 0.1 V to 0.2 V must rise or fall all the way; sort it"),
        ({"bias": [0.1, 0.1]}, "rise or fall"),
        ({"setpoint_bias": np.inf}, "setpoint_bias = inf V must be finite"),
        ({"setpoint_bias": 0.0}, "no current flows at setpoint_bias = 0.0 V at 1 of 1 points"),
        ({"bias": [0.0, 0.3]}, "no current flows at setpoint_bias = 0.0 V"),
        ({"temperature": -1.0}, "temperature = -1.0 K must be finite and at least 0 K"),
        ({"modulation": -0.01}, "modulation = -0.01 V must be finite and at least 0 V"),
        ({"step": 0.0}, "step = 0.0 eV must be finite and greater than 0 eV"),
        ({"kappa": 0.0}, "kappa = 0.0 1/Å must be greater than 0"),
        ({"points": [[0, 0, 0.9]]}, "at z = 0.90 Å, less than 1 Å above the sample; raise them to 1.00 Å"),
        ({"points": [[0, 5.0]]}, r"shape \(..., 3\) in Å, not \(1, 2\)"),
        ({"positions": np.zeros((2, 2))}, "junction needs sample"),
        ({"density": flat(1.0, 2)}, r"density must give finite numbers \(1, "),
        ({"tip_density": flat(np.nan)}, "tip_density must give finite numbers"),
    ],
)
def test_wrong_input(change, message):
    good = {
        "positions": ONE, "density": flat(), "tip": ONE, "tip_density": flat(), "points": ABOVE, "bias": [-0.5, 0.5],
        "kappa": 1.09,
    }  # fmt: skip
    spectroscopy(**good)
    with pytest.raises(ValueError, match=message):
        spectroscopy(**good | change)


def test_a_set_point_in_the_gap_is_refused():
    with pytest.raises(ValueError, match="choose a setpoint_bias outside the gap"):
        above_one_atom(level(0.5), flat(), [-0.5, 0.2, 1.0], setpoint_bias=0.2, step=0.002)


def test_a_coarse_step_warns():
    with pytest.warns(UserWarning, match="density changes faster than step = 0.0"):
        above_one_atom(level(0.3, 0.01), flat(), [0.5, 1.0], step=0.02)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0.1, 0.2], [1, 2], 0.01), "3 or more"),
        (([0.1, 0.2, 0.3], [1, 2], 0.01), r"not \(2,\) at 3"),
        (([0.1, 0.3, 0.2], [1, 2, 3], 0.01), "rise or fall"),
        (([0.1, 0.2, 0.3], [1, 2, 3], -0.01), "modulation = -0.01 V"),
    ],
)
def test_wrong_input_of_the_lock_in(arguments, message):
    with pytest.raises(ValueError, match=message):
        lock_in(*arguments)
