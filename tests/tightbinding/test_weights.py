import numpy as np
import pytest

from stmlab.tightbinding import bias_window, weights
from stmlab.tightbinding.broadening import gaussian
from stmlab.tightbinding.weights import BOLTZMANN


def current_at(bias, sample_level=None, tip_level=None, width=0.01, temperature=0.0, nodes=200):
    """Current through one sample and one tip atom, each flat or with one peak."""
    energy, factor = bias_window(bias, temperature, nodes=nodes)
    flat = np.ones((1, energy.size))
    sample = flat if sample_level is None else gaussian(energy - sample_level, width)[None]
    tip = flat if tip_level is None else gaussian(energy - bias - tip_level, width)[None]
    return weights(sample, tip, factor)[0, 0]


@pytest.mark.parametrize(("level", "sign"), [(0.3, 1), (-0.3, -1)])
def test_a_sample_peak_appears_only_beyond_its_bias(level, sign):
    """Empty states (E > 0) show at positive sample bias, filled ones at negative."""
    assert current_at(sign * 0.25, sample_level=level) < 1e-5
    assert current_at(sign * 0.35, sample_level=level) == pytest.approx(1, abs=1e-5)
    assert current_at(-sign * 0.9, sample_level=level) < 1e-9


@pytest.mark.parametrize(("level", "sign"), [(0.3, -1), (-0.3, 1)])
def test_a_tip_peak_appears_at_the_other_polarity(level, sign):
    """Electrons leave the tip's filled states (E < 0) at positive sample bias."""
    assert current_at(sign * 0.25, tip_level=level) < 1e-5
    assert current_at(sign * 0.35, tip_level=level) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("bias", [-1.3, -0.2, 0.001, 0.4])
@pytest.mark.parametrize("temperature", [0.0, 4.2, 300.0, 1000.0])
def test_flat_electrodes_obey_ohm_at_any_temperature(bias, temperature):
    """The integral of |f(E - eV) - f(E)| is |eV|, whatever the temperature."""
    assert current_at(bias, temperature=temperature) == pytest.approx(abs(bias), rel=1e-6)


def test_derivative_of_a_step_has_the_thermal_width():
    """dI/dV across a sharp onset has a full width at half maximum of 3.53 kT (Fermi edge of the tip alone)."""
    temperature, step = 300.0, 0.002
    bias = np.arange(0.3, 0.7, step)
    current = [current_at(v, 0.5, width=5e-3, temperature=temperature) for v in bias]
    slope = np.gradient(current, step)
    above = bias[slope > slope.max() / 2]
    assert np.ptp(above) + step == pytest.approx(3.5255 * BOLTZMANN * temperature, rel=0.04)


@pytest.mark.parametrize("bias", [0.0, np.nan, np.inf])
def test_no_bias_no_window(bias):
    with pytest.raises(ValueError, match="bias"):
        bias_window(bias)


def test_negative_temperature_is_refused():
    with pytest.raises(ValueError, match="temperature = -1 K"):
        bias_window(0.5, -1)
