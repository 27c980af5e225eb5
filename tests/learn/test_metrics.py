"""Pixel figures against closed forms."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from stmlab.learn import Sums, bootstrap, metrics, mse, pixel_sums, r2, smooth_l1, variance  # noqa: E402

RNG = np.random.default_rng(4)
TARGET = RNG.random((7, 2, 5, 6)) * np.array([1.0, 0.1])[:, None, None] + np.array([0.0, 3.0])[:, None, None]
GUESS = TARGET + RNG.normal(size=TARGET.shape)


def test_figures_are_those_of_numpy_and_torch():
    sums = pixel_sums(GUESS, TARGET)
    error = (GUESS - TARGET).transpose(1, 0, 2, 3).reshape(2, -1)
    flat = TARGET.transpose(1, 0, 2, 3).reshape(2, -1)
    np.testing.assert_allclose(mse(sums), (error**2).mean(axis=1))
    np.testing.assert_allclose(variance(sums), flat.var(axis=1))
    np.testing.assert_allclose(r2(sums), 1 - (error**2).mean(axis=1) / flat.var(axis=1))
    theirs = [float(torch.nn.functional.smooth_l1_loss(*map(torch.from_numpy, (GUESS[:, c], TARGET[:, c]))))
              for c in (0, 1)]  # fmt: skip
    np.testing.assert_allclose(smooth_l1(sums), theirs)


def test_between_0_and_1_smooth_l1_is_half_the_mse():
    a, b = RNG.random((2, 3, 2, 4, 4))
    sums = pixel_sums(a, b)
    np.testing.assert_allclose(smooth_l1(sums), mse(sums) / 2)


def test_batches_may_be_summed_apart():
    whole, parts = pixel_sums(GUESS, TARGET), [pixel_sums(GUESS[a:b], TARGET[a:b]) for a, b in ((0, 3), (3, 7))]
    for one, other in zip(whole, metrics.joined(parts), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_constant_target_has_no_r2():
    assert np.isnan(r2(pixel_sums(np.zeros((1, 1, 3, 3)), np.ones((1, 1, 3, 3))))).all()


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r"must both be \(S, C, L, P\)"):
        pixel_sums(GUESS, TARGET[:, :1])


def test_the_bootstrap_of_a_mean_is_as_wide_as_theory_says():
    values = np.random.default_rng(0).normal(size=400)
    low, high = bootstrap(lambda rows: rows[0].mean(), (values,), seed=1, rounds=4000)
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.06)
    assert low < values.mean() < high
    assert bootstrap(lambda rows: rows[0].mean(), (values,), seed=1, rounds=4000) == (low, high)
    assert bootstrap(lambda rows: rows[0].mean(), (values,), seed=2, rounds=4000) != (low, high)


def test_the_bootstrap_draws_whole_images():
    sums = pixel_sums(GUESS, TARGET)
    low, high = bootstrap(mse, sums, rounds=200)
    assert low.shape == high.shape == (2,)
    assert (low < mse(sums)).all()
    assert (mse(sums) < high).all()
    same = Sums(*(np.repeat(part[:1], 5, axis=0) for part in sums))
    np.testing.assert_allclose(*bootstrap(mse, same, rounds=20))
