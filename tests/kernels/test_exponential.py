import numpy as np
from numba import njit

from stmlab.kernels.exponential import exp64


@njit
def apply(x):
    out = np.empty_like(x)
    for i in range(x.size):
        out[i] = exp64(x[i])
    return out


def test_agrees_with_numpy():
    """To a unit in the last place, and the rounding of x itself, which grows with |x|."""
    x = np.linspace(-700, 5, 200_001)
    assert np.all(np.abs(apply(x) / np.exp(x) - 1) < 1e-15 + 2.3e-16 * np.abs(x))


def test_underflows_to_nothing_rather_than_to_nonsense():
    assert np.all(apply(np.array([-710.0, -1e3, -1e6])) <= 3e-308)
