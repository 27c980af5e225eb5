"""Levelling and the lattice, against closed forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stmlab.analysis import lattice_vectors, level

RNG = np.random.default_rng(0)
Y, X = np.mgrid[:64, :96]
PLANE = 3.0 + 0.02 * X - 0.05 * Y


# ---- levelling ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["plane", "robust", "line-fit"])
def test_a_plane_becomes_zero(method):
    assert np.abs(level(PLANE, method)).max() < 1e-10


def test_line_subtracts_the_median_of_each_row():
    image = RNG.normal(size=(5, 7))
    assert np.allclose(level(image, "line"), image - np.median(image, axis=1, keepdims=True))


def test_plane_is_the_plane_of_least_squares():
    image = PLANE + RNG.normal(size=PLANE.shape)
    basis = np.stack([np.ones(X.size), X.ravel(), Y.ravel()], axis=1)
    fit = basis @ np.linalg.lstsq(basis, image.ravel(), rcond=None)[0]
    assert np.allclose(level(image), image - fit.reshape(X.shape))


def test_tall_defects_do_not_pull_the_robust_plane():
    noise = 0.01 * RNG.normal(size=PLANE.shape)
    tall = np.where(np.hypot(X - 70, Y - 20) < 15, 3.0, 0.0)  # 11 % of the frame, 300 times the noise
    assert np.abs(level(PLANE + noise + tall, "robust") - noise - tall).max() < 0.002
    assert np.abs(level(PLANE + noise + tall, "plane") - noise - tall).max() > 0.5


@pytest.mark.parametrize("method", ["plane", "robust", "line", "line-fit"])
def test_nan_and_masked_pixels_are_left_out(method):
    image = PLANE.copy()
    image[10:20] = np.nan
    mask = np.zeros(X.shape, bool)
    mask[40:45, 30:40] = True
    image[mask] += 100.0
    flat = level(image, method, mask)
    assert np.isnan(flat[10:20]).all()
    rest = ~mask & np.isfinite(image)
    expected = 0.02 * (X - np.median(np.where(mask, np.nan, X)[0])) if method == "line" else 0 * X
    clean = rest & ~mask.any(axis=1, keepdims=True)
    assert np.abs((flat - expected)[clean]).max() < 1e-9
    assert flat[mask].min() > 90


@pytest.mark.parametrize("method", ["plane", "robust", "line", "line-fit"])
def test_an_image_of_nan_stays_one(method):
    assert np.isnan(level(np.full((2, 4, 5), np.nan), method)).all()


@given(shift=st.floats(-1e3, 1e3), scale=st.floats(1e-3, 1e3))
@settings(max_examples=20, deadline=None)
@pytest.mark.parametrize("method", ["plane", "robust", "line", "line-fit"])
def test_levelling_commutes_with_offset_and_scale(method, shift, scale):
    image = np.random.default_rng(3).normal(size=(12, 14))
    assert np.allclose(
        level(scale * image + shift, method), scale * level(image, method), atol=1e-6 * scale + 1e-9
    )


def test_wrong_arguments_say_so():
    with pytest.raises(ValueError, match="plane, robust, line, line-fit"):
        level(PLANE, "cubic")
    with pytest.raises(ValueError, match="mask has shape"):
        level(PLANE, mask=np.zeros((2, 2), bool))


# ---- lattice ------------------------------------------------------------------------------------------


def waves(vectors, noise=0.0, pixels=256, size=100.0):
    """Return an image of the three shortest plane waves of a lattice, and its pixel size [Å]."""
    q1, q2 = np.linalg.inv(vectors).T
    x = (np.arange(pixels) + 0.5) * size / pixels
    phases = [2 * np.pi * (q[0] * x + q[1] * x[:, None]) for q in (q1, q2, q1 + q2)]
    image = sum(np.cos(phase + k) for k, phase in enumerate(phases))
    return image + noise * np.random.default_rng(5).normal(size=image.shape), size / pixels


def hexagonal(a, degrees, shear=((0, 0), (0, 0))):
    angles = np.deg2rad([degrees, degrees + 60])
    return a * np.column_stack([np.cos(angles), np.sin(angles)]) @ (np.eye(2) + shear).T


@pytest.mark.parametrize("guess", [None, 3.32])
@pytest.mark.parametrize("degrees", [0.0, 11.0, 25.0, -29.0])
@pytest.mark.parametrize(("noise", "within"), [(0.0, 2e-4), (1.0, 1e-3)])
def test_hexagonal_lattice_to_a_tenth_of_a_percent(degrees, noise, within, guess):
    vectors = hexagonal(3.32, degrees)
    image, step = waves(vectors, noise)
    assert np.abs(lattice_vectors(image, step, guess) - vectors).max() < within * 3.32


@pytest.mark.parametrize(
    "shear", [((0.05, 0), (0, -0.03)), ((0, 0.06), (0.02, 0)), ((-0.04, -0.05), (0.03, 0.02))]
)
def test_sheared_lattice(shear):
    vectors = hexagonal(3.32, 5.0, shear)
    image, step = waves(vectors, noise=0.5)
    assert np.abs(lattice_vectors(image, step, 3.32) - vectors).max() < 1e-3 * 3.32


def test_rectangular_pixels_and_lattice():
    vectors = np.array([[4.0, 0.3], [-0.2, 5.0]])
    image, step = waves(vectors)
    assert np.abs(lattice_vectors(image[::2], (step, 2 * step)) - vectors).max() < 0.01


def test_missing_lines_and_tall_defects_do_not_matter():
    vectors = hexagonal(3.32, 12.0)
    image, step = waves(vectors, noise=0.3)
    x = np.arange(256) * step
    image += 8 * np.exp(-((x - 40) ** 2 + (x[:, None] - 55) ** 2) / 50)
    image[200:203] = np.nan
    assert np.abs(lattice_vectors(image, step, 3.32) - vectors).max() < 2e-3 * 3.32


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((64, 64)),
        np.zeros((4, 4)),
        np.full((32, 32), np.nan),
        np.cos(np.arange(64.0) * np.ones((64, 1))),
    ],
)
def test_no_lattice_says_so(image):
    with pytest.raises(ValueError, match="no lattice"):
        lattice_vectors(image, 1.0)


def test_wrong_pixel_size_says_so():
    with pytest.raises(ValueError, match="pixel_size"):
        lattice_vectors(np.zeros((32, 32)), 0.0)
