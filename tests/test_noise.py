import numpy as np

from stmlab.noise import white


def test_white_noise_has_its_amplitude_and_no_memory():
    x = white(np.random.default_rng(0), 200_000, 0.3)
    assert abs(x.std() - 0.3) < 0.005
    assert abs(np.corrcoef(x[1:], x[:-1])[0, 1]) < 0.01


def test_spectrum_is_flat():
    power = np.abs(np.fft.rfft(white(np.random.default_rng(1), 2**16, 1.0))) ** 2
    low, high = power[1:8000].mean(), power[-8000:].mean()
    assert abs(low / high - 1) < 0.05
