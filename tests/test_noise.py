import itertools

import numpy as np
import pytest
from scipy.signal import welch
from scipy.stats import kstest

import stmlab as stm
from stmlab import noise

DT = 1e-3  # s
TIME = np.arange(2**17) * DT


def rng(seed=0):
    return np.random.default_rng(seed)


def slope(frequency, power, low, high):
    """Exponent of the power between two frequencies, from a straight line through octaves."""
    edges = np.geomspace(low, high, 1 + int(np.log2(high / low)))
    bins = [(frequency >= a) & (frequency < b) for a, b in itertools.pairwise(edges)]
    middle = [np.log(frequency[b]).mean() for b in bins]
    return np.polyfit(middle, [np.log(power[b].mean()) for b in bins], 1)[0]


# ---- physical parameters --------------------------------------------------------------------------------


@pytest.mark.parametrize(("resistance", "expected"), [(1e9, 4.07e-15), (1e8, 12.87e-15)])
def test_johnson_noise_of_common_resistors_at_300_kelvin(resistance, expected):
    assert noise.johnson(resistance, 300) == pytest.approx(expected, rel=1e-3)


def test_shot_noise_of_common_currents():
    current = np.array([10, 50, -100, 1000]) * 1e-12
    np.testing.assert_allclose(noise.shot(current) * 1e15, [1.79, 4.00, 5.66, 17.9], rtol=3e-3)


def test_shot_noise_is_that_of_counted_electrons():
    """Electrons that arrive as a Poisson process: the current in slots of dt has the variance S / 2 dt."""
    charge, current, slot = 1.602176634e-19, 1e-10, 1e-6
    counts = rng().poisson(current * slot / charge, 200_000)
    density = np.sqrt(2 * slot * np.var(counts * charge / slot))
    assert noise.shot(current) == pytest.approx(density, rel=0.01)


def test_both_sources_add_as_powers_and_grow_with_the_root_of_the_bandwidth():
    rms = noise.relative_rms(1e-10, 1e9, 300, 1000.0)
    assert rms == pytest.approx(np.sqrt((4.07e-15**2 + 5.66e-15**2) * 1000) / 1e-10, rel=1e-3)
    assert noise.relative_rms(1e-10, 1e9, 300, 4000.0) == pytest.approx(2 * rms, rel=1e-12)
    assert noise.relative_rms(-1e-10, np.inf, 300, 1000.0) == pytest.approx(noise.shot(1e-10) * 1000**0.5 / 1e-10)


# ---- white and flicker ----------------------------------------------------------------------------------


def test_white_noise_has_its_amplitude_and_no_memory():
    x = noise.white(rng(), 200_000, 0.3)
    assert abs(x.std() - 0.3) < 0.005
    assert abs(np.corrcoef(x[1:], x[:-1])[0, 1]) < 0.01
    assert abs(slope(*welch(x, 1 / DT, nperseg=4096), 2, 400)) < 0.1


@pytest.mark.parametrize("exponent", [0.0, 0.7, 1.0, 1.5, 2.0])
def test_power_of_flicker_noise_falls_with_its_exponent(exponent):
    x = noise.flicker(rng(), TIME.size, DT, 0.05, exponent)
    power = np.abs(np.fft.rfft(x)) ** 2
    assert slope(np.fft.rfftfreq(x.size, DT), power, 0.1, 400) == pytest.approx(-exponent, abs=0.1)


@pytest.mark.parametrize("exponent", [0.0, 1.0, 1.5])
@pytest.mark.parametrize("count", [5, 997, 4096])
def test_flicker_noise_has_its_rms(exponent, count):
    records = np.array([noise.flicker(rng(seed), count, DT, 0.2, exponent) for seed in range(3000)])
    assert records.shape == (3000, count)
    assert np.sqrt(np.mean(records**2)) == pytest.approx(0.2, rel=0.02)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_shortest_records_exist(count):
    assert np.isfinite(noise.flicker(rng(), count, DT, 0.2, 1.0)).all()


def test_flicker_noise_is_gaussian_from_record_to_record():
    values = [noise.flicker(rng(seed), 64, DT, 0.2, 1.0)[20] for seed in range(2000)]
    assert kstest(np.array(values) / 0.2, "norm").pvalue > 0.01


# ---- hum ------------------------------------------------------------------------------------------------


def test_frequency_and_harmonics_of_hum_stand_in_its_spectrum():
    time = np.arange(10_000) * DT  # 10 s: lines of 0.1 Hz
    lines = 2 * np.abs(np.fft.rfft(noise.hum(time, 0.03, 50.2, 0.7, 0.4))) / time.size
    found = np.flatnonzero(lines > 1e-6)
    np.testing.assert_allclose(found / 10, [50.2, 100.4, 150.6], rtol=1e-12)
    np.testing.assert_allclose(lines[found], [0.03, 0.03 * 0.4, 0.03 * 0.16], rtol=1e-9)


def test_hum_is_the_sum_of_three_sines():
    time, phase = TIME[:500], 0.7
    sines = [0.4 ** (n - 1) * np.sin(2 * np.pi * n * 50.2 * time + n * phase) for n in (1, 2, 3)]
    np.testing.assert_allclose(noise.hum(time, 0.03, 50.2, phase, 0.4), 0.03 * sum(sines), atol=1e-14)
    shaped = noise.hum(time.reshape(5, 2, 50), 0.03, 50.2, phase, 0.0)
    np.testing.assert_allclose(shaped.ravel(), 0.03 * sines[0], atol=1e-14)


@pytest.mark.parametrize(
    ("frequency", "raster"),
    [(50.037, {}), (60.02, {"line_time": 0.2, "overscan": 0.1}), (49.91, {"fast_axis": "y", "direction": "down"})],
)
def test_frequency_of_hum_is_recovered_from_an_image(frequency, raster):
    """A sine fitted to the pixels at their times: the image is a record in time."""
    changes = {"noise.hum": 0.05, "noise.hum_frequency": frequency, "noise.current": 0.02}
    p = stm.Parameters().set(changes | {f"raster.{name}": value for name, value in raster.items()})
    scan = stm.simulate(p, seed=4)
    z, when = (v.ravel() for v in (stm.analysis.level(scan.height[0]), scan.time[0]))
    tried = frequency + np.arange(-1.2, 1.2, 0.2 / scan.raster.duration)
    power = [abs(np.sum(z * np.exp(-2j * np.pi * f * when))) for f in tried]
    assert tried[np.argmax(power)] == pytest.approx(frequency, abs=0.25 / scan.raster.duration)


# ---- lines, telegraph, spikes ---------------------------------------------------------------------------


def test_line_offsets_are_independent():
    steps = noise.line_offsets(rng(), 50_000, 0.02)
    assert steps.std() == pytest.approx(0.02, rel=0.02)
    assert abs(np.corrcoef(steps[1:], steps[:-1])[0, 1]) < 0.02


def test_telegraph_noise_has_two_levels_and_starts_low():
    x = noise.telegraph(rng(), TIME, 0.3, 5.0)
    assert x[0] == 0
    assert set(np.unique(x)) == {0.0, 0.3}
    assert x.mean() == pytest.approx(0.15, abs=0.02)
    assert np.array_equal(noise.telegraph(rng(), TIME.reshape(2, 4, -1), 0.3, 5.0).ravel(), x)


def test_telegraph_dwell_times_are_exponential():
    rate, fine = 5.0, np.arange(1_000_000) * 2e-4
    switches = np.flatnonzero(np.diff(noise.telegraph(rng(), fine, 1.0, rate))) * 2e-4
    assert kstest(np.diff(switches) * rate, "expon").pvalue > 0.01
    assert switches.size == pytest.approx(rate * fine[-1], abs=3 * np.sqrt(rate * fine[-1]))


def test_telegraph_spectrum_has_a_plateau_a_corner_and_a_square_law():
    rate, amplitude = 10.0, 0.3
    frequency, power = welch(noise.telegraph(rng(), np.arange(2**20) * DT, amplitude, rate), 1 / DT, nperseg=8192)
    law = amplitude**2 / (2 * rate) / (1 + (np.pi * frequency / rate) ** 2)
    for low, high in ((0.3, 0.8), (2.5, 4.0), (20.0, 60.0)):
        band = (frequency > low) & (frequency < high)
        assert power[band].mean() == pytest.approx(law[band].mean(), rel=0.1)
    assert slope(frequency, power, 20, 120) == pytest.approx(-2, abs=0.1)
    assert slope(frequency, power, 0.25, 1.0) == pytest.approx(0, abs=0.15)
    half = frequency[np.flatnonzero(power > law[1] / 2)[-1]]
    assert half == pytest.approx(rate / np.pi, rel=0.2)


def test_arrivals_are_poisson():
    times = noise.arrivals(rng(), 1000.0, 3.0)
    assert times.min() > 0
    assert times.max() < 1000
    assert (np.diff(times) > 0).all()
    assert kstest(np.diff(times) * 3, "expon").pvalue > 0.01
    counts = [noise.arrivals(rng(seed), 2.0, 3.0).size for seed in range(2000)]
    assert np.mean(counts) == pytest.approx(6, rel=0.03)
    assert np.var(counts) == pytest.approx(6, rel=0.1)
    assert noise.arrivals(rng(), 100.0, 0.0).size == 0


def test_spikes_are_a_sum_of_exponentials():
    times, decay = np.array([0.5, 0.51, 3.0]), 0.02
    late = TIME[:5000, None] - times
    expected = 0.4 * (np.exp(-np.clip(late, 0, None) / decay) * (late >= 0)).sum(1)
    np.testing.assert_allclose(noise.spikes(TIME[:5000], times, 0.4, decay), expected, atol=1e-12)
    assert not noise.spikes(TIME[:500], times, 0.4, decay).any()  # nothing before the first
    assert not noise.spikes(TIME, np.array([]), 0.4, decay).any()


def test_long_records_of_spikes_do_not_overflow():
    times = noise.arrivals(rng(), TIME[-1], 20.0)
    x = noise.spikes(TIME, times, 1.0, 1e-3)  # exp(131 s / 1 ms) is beyond any float
    assert np.isfinite(x).all()
    assert x.mean() == pytest.approx(20 * 1e-3, rel=0.1)  # Campbell: rate x area; sampling every dt widens it


def test_spectrum_of_spikes_is_that_of_one_spike():
    """Campbell: S(f) = 2 rate h^2 tau^2 / (1 + (2 pi f tau)^2): a plateau, then -2."""
    rate, height, decay, fine = 40.0, 0.5, 0.02, np.arange(2**19) * DT
    x = noise.spikes(fine, noise.arrivals(rng(), fine[-1], rate), height, decay)
    frequency, power = welch(x, 1 / DT, nperseg=8192)
    law = 2 * rate * (height * decay) ** 2 / (1 + (2 * np.pi * frequency * decay) ** 2)
    for low, high in ((0.5, 3.0), (7.0, 9.0), (40.0, 80.0)):
        band = (frequency > low) & (frequency < high)
        assert power[band].mean() == pytest.approx(law[band].mean(), rel=0.1)
    assert slope(frequency, power, 30, 120) == pytest.approx(-2, abs=0.1)


# ---- switched off, turned up ----------------------------------------------------------------------------

RANDOM = {
    "white": lambda g, a: noise.white(g, (3, 2, 50), a),
    "flicker": lambda g, a: noise.flicker(g, 300, DT, a, 1.2),
    "line_offsets": lambda g, a: noise.line_offsets(g, 40, a),
    "telegraph": lambda g, a: noise.telegraph(g, TIME, a, 2.0),
    "spikes": lambda g, a: noise.spikes(TIME, noise.arrivals(g, TIME[-1], 2.0), a, 0.01),
    "hum": lambda g, a: noise.hum(TIME, a, 50.0, g.uniform(0, 6.28), 0.3),
}


@pytest.mark.parametrize("name", RANDOM)
def test_amplitude_scales_and_changes_nothing_else(name):
    off, on, double = rng(1), rng(1), rng(1)
    none, once, twice = RANDOM[name](off, 0.0), RANDOM[name](on, 0.25), RANDOM[name](double, 0.5)
    assert not none.any()
    assert once.any()
    assert none.shape == once.shape
    assert np.array_equal(2 * once, twice)
    assert off.random() == on.random() == double.random()  # the streams stand at the same place


@pytest.mark.parametrize("exponent", [0.5, 1.5])
def test_the_exponent_of_flicker_does_not_change_what_is_drawn(exponent):
    one, other = rng(3), rng(3)
    a, b = noise.flicker(one, 1000, DT, 1.0, 1.0), noise.flicker(other, 1000, DT, 1.0, exponent)
    assert one.random() == other.random()
    assert np.corrcoef(a, b)[0, 1] > 0.7


# ---- spells ---------------------------------------------------------------------------------------------


def test_spells_have_their_number_and_share():
    time = np.linspace(0, 1000, 200_000)
    on = np.array([noise.spells(rng(seed), time, 40, 0.3) for seed in range(60)])
    assert on.mean() == pytest.approx(0.3, abs=0.01)
    begins = (np.diff(on.astype(int), axis=1) == 1).sum(1)
    assert begins.mean() == pytest.approx(40, rel=0.05)
    assert on[:, 0].mean() == pytest.approx(0.3, abs=0.2)  # some frames begin within a spell
    lasting = np.diff(np.flatnonzero(np.diff(on[0].astype(int))))
    assert lasting.std() == pytest.approx(lasting.mean(), rel=0.6)  # exponential, two kinds mixed
    assert noise.spells(rng(), time, 5, 1.0).all()
    shaped = noise.spells(rng(1), time.reshape(4, 2, -1), 40, 0.3)
    np.testing.assert_array_equal(shaped.ravel(), on[1])
