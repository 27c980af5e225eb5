"""The blob finder: Gaussian blobs have closed forms."""

import numpy as np
import pytest

from stmlab.analysis import blobs

NOISE = np.random.default_rng(1).normal(0, 0.003, (120, 140))  # makes the spread of an answer finite


def spot(x0, y0, width, height=1.0, shape=(120, 140), pixel=(1.0, 1.0)):
    y, x = np.mgrid[: shape[0], : shape[1]]
    square = ((x - x0) * pixel[0]) ** 2 + ((y - y0) * pixel[1]) ** 2
    return height * np.exp(-square / (2 * width**2))


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_blob_is_found_between_the_pixels(sign):
    image = spot(60.3, 51.8, 5.0, sign) + NOISE
    (found,) = blobs(image, 1.0, threshold=100, sign=sign)
    assert np.allclose([found["x"], found["y"]], [60.3, 51.8], atol=0.1)
    assert len(blobs(image, 1.0, threshold=1e9)) == 0


def test_a_blob_answers_most_at_its_own_width():
    """R_s = 2 h s^2 w^2 / (w^2 + s^2)^2 at its place."""
    from scipy.ndimage import gaussian_laplace

    for width in (3.0, 6.0):
        image, scales = spot(70, 60, width, 2.0), np.array([0.5, 0.8, 1.0, 1.25, 2.0]) * width
        answer = np.array([-(s**2) * gaussian_laplace(image, s)[60, 70] for s in scales])
        closed = 4.0 * scales**2 * width**2 / (width**2 + scales**2) ** 2
        assert np.allclose(answer, closed, rtol=0.02)
        assert scales[answer.argmax()] == width


def test_the_right_scale_gives_the_best_score():
    noise = np.random.default_rng(0).normal(0, 0.1, (160, 160))
    image = spot(80, 80, 6.0, shape=(160, 160)) + noise
    score = {s: blobs(image, 1.0, scales=[s])["score"][0] for s in (2.0, 6.0)}
    assert score[6.0] > 2 * score[2.0]
    best = blobs(image, 1.0)
    assert np.hypot(best["x"][0] - 80, best["y"][0] - 80) < 1
    assert (np.diff(best["score"]) <= 0).all()


def test_pixels_of_another_size_and_shape():
    image = spot(60, 40, 6.0, pixel=(0.5, 2.0)) + NOISE
    (found,) = blobs(image, (0.5, 2.0), threshold=50, sign=1)
    assert np.allclose([found["x"], found["y"]], [60, 40], atol=0.2)


def test_neighbours_only_count_where_they_are_far_enough():
    image = spot(40, 60, 4.0) + 0.8 * spot(56, 60, 4.0) + NOISE
    assert len(blobs(image, 1.0, threshold=50, scales=[4.0], sign=1, apart=8.0)) == 2
    assert len(blobs(image, 1.0, threshold=50, scales=[4.0], sign=1, apart=20.0)) == 1


def test_nothing_is_found_where_nothing_is():
    assert len(blobs(np.zeros((20, 20)), 1.0)) == 0
    assert len(blobs(np.full((20, 20), np.nan), 1.0)) == 0
    assert blobs(np.zeros((1, 5)), 1.0).dtype.names == ("x", "y", "score")


@pytest.mark.parametrize(
    ("image", "how", "complaint"),
    [
        (np.zeros(5), {}, "shape"),
        (np.zeros((0, 5)), {}, "shape"),
        (np.zeros((5, 5)), {"pixel_size": 0.0}, "pixel_size"),
        (np.zeros((5, 5)), {"scales": []}, "scales"),
        (np.zeros((5, 5)), {"apart": np.nan}, "apart"),
        (np.zeros((5, 5)), {"sign": 2}, "sign = 2"),
    ],
)
def test_impossible_arguments_are_refused(image, how, complaint):
    with pytest.raises(ValueError, match=complaint):
        blobs(image, **({"pixel_size": 1.0} | how))


def test_fine_pixels_take_memory_for_the_image_alone():
    """A disc of 10 Å holds three million pixels of 0.01 Å, which must not be gone through at each place."""
    image = spot(200, 190, 0.8, shape=(400, 400), pixel=(0.01, 0.01))
    (found,) = blobs(image, 0.01, threshold=2, sign=1, scales=[0.5])
    assert np.allclose([found["x"], found["y"]], [200, 190], atol=2)
