import numpy as np
import pytest
from numba import njit, vectorize

from stmlab.kernels import exponential as kernels
from stmlab.kernels.exponential import exp64


@njit
def apply(x):
    out = np.empty_like(x)
    for i in range(x.size):
        out[i] = exp64(x[i])
    return out


def compiled(name):
    """The branch-free function as a NumPy one, for single and double precision."""
    function = getattr(kernels, name)
    return vectorize(["float32(float32)", "float64(float64)"])(lambda x: function(x))


def relative_error(name, x, kind):
    """Of a function at x rounded to `kind`, against NumPy in double precision or better."""
    x = x.astype(kind)
    exact = getattr(np, {"logarithm": "log"}.get(name, name))(x.astype(np.longdouble))
    got = compiled(name)(x)
    assert got.dtype == kind
    return np.abs(np.where(exact == 0, got, (got - exact) / np.where(exact == 0, 1, exact))).astype(float)


def test_agrees_with_numpy():
    """To a unit in the last place, and the rounding of x itself, which grows with |x|."""
    x = np.linspace(-700, 5, 200_001)
    assert np.all(np.abs(apply(x) / np.exp(x) - 1) < 1e-15 + 2.3e-16 * np.abs(x))


def test_underflows_to_nothing_rather_than_to_nonsense():
    assert np.all(apply(np.array([-710.0, -1e3, -1e6])) <= 3e-308)


BOTH = pytest.mark.parametrize(("kind", "allowed"), [(np.float32, 3e-7), (np.float64, 2e-15)])


@BOTH
def test_logarithm(kind, allowed):
    """The relative error stays small where ln x itself goes through zero."""
    x = np.concatenate([np.geomspace(1e-37, 1e38, 100_001), 1 + np.linspace(-0.6, 1, 100_001), [0.5**0.5, 2**0.5, 1.0]])
    assert relative_error("logarithm", x, kind).max() < allowed


@BOTH
def test_logarithm_of_nearly_one(kind, allowed):
    small = np.geomspace(1e-37, 1e30, 100_001)
    x = np.concatenate([small, -small[small < 0.99], np.linspace(-0.99, 1, 100_001), [0.0]])
    assert relative_error("log1p", x, kind).max() < allowed


@BOTH
def test_exponential_less_one(kind, allowed):
    """Where x is large its own rounding, multiplied by log2 e, counts |x| times."""
    small = np.geomspace(1e-37, 80, 100_001)
    x = np.concatenate([small, -small, np.linspace(-3, 3, 100_001), [0.0]])
    above = np.abs(x) * (x > 0) * np.finfo(kind).eps
    assert np.all(relative_error("expm1", x, kind) < allowed + above)


def test_far_ends_are_limits_and_no_nonsense():
    less = compiled("expm1")
    for kind in (np.float32, np.float64):
        assert np.all(less(np.array([-100, -1e3, -1e30], kind)) == -1)
        assert np.all(less(np.array([100, 1e3, 1e30], kind)) > 1e38)
