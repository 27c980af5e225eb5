"""Levelling, lines, lattice, drift and counts, against closed forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import poisson

import stmlab as stm
from stmlab.analysis import (
    correct_image,
    correct_points,
    defect_density,
    drift_history,
    drift_velocity,
    drifted_to,
    lattice_correction,
    lattice_vectors,
    level,
    line_noise,
    remove_scars,
    scars,
    undrift_image,
    undrift_points,
)  # fmt: skip
from stmlab.piezo import drifted_lattice, settle
from stmlab.scan import Raster

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


# ---- scars and line noise -----------------------------------------------------------------------------


def smooth_image(noise=0.01, seed=1):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:128, :160]
    return np.sin(x / 9) * np.cos(y / 11) + noise * rng.normal(size=x.shape)


def test_scars_are_marked_and_taken_away():
    clean = smooth_image()
    scarred, truth = clean.copy(), np.zeros(clean.shape, bool)
    for row, start, stop, rise, thick in ((20, 10, 60, 0.5, 1), (70, 100, 160, -0.4, 2), (100, 30, 55, 0.6, 3)):
        scarred[row : row + thick, start:stop] += rise
        truth[row : row + thick, start:stop] = True
    found = scars(scarred)
    assert np.array_equal(found, truth)
    repaired = remove_scars(scarred)
    assert np.array_equal(repaired[~truth], clean[~truth])
    assert np.abs(repaired - clean)[truth].max() < 0.08  # noise of three rows, and the bend of the image
    assert np.abs(scarred - clean)[truth].min() > 0.39
    assert np.array_equal(scars(np.stack([scarred, clean])), np.stack([truth, np.zeros_like(truth)]))


def test_objects_and_noise_are_no_scars():
    image = smooth_image(0.05)
    y, x = np.mgrid[:128, :160]
    image += 2.0 * np.exp(-((x - 60) ** 2 + (y - 60) ** 2) / 50)
    image[90:98, 20:80] += 1.0  # a terrace eight lines high
    image[5] = np.nan
    assert not scars(image).any()
    assert not scars(np.zeros((2, 30))).any()
    assert np.array_equal(remove_scars(image), image, equal_nan=True)


@pytest.mark.parametrize(("white", "offset"), [(0.02, 0.1), (0.1, 0.02), (0.05, 0.0)])
def test_line_noise_of_known_size(white, offset):
    rng = np.random.default_rng(4)
    image = 0.001 * np.arange(400)[:, None] + white * rng.normal(size=(400, 300)) + offset * rng.normal(size=(400, 1))
    image[7] = np.nan
    found = line_noise(image)
    assert found.white == pytest.approx(white, rel=0.02)
    assert found.offset == pytest.approx(offset, rel=0.12, abs=0.002)


def test_wrong_lines_say_so():
    with pytest.raises(ValueError, match="too few known pixels"):
        line_noise(np.full((5, 5), np.nan))
    with pytest.raises(ValueError, match="greater than 0"):
        scars(PLANE, threshold=0)
    with pytest.raises(ValueError, match="mask has shape"):
        remove_scars(PLANE, np.zeros((2, 2), bool))


# ---- calibration --------------------------------------------------------------------------------------

A = hexagonal(3.32, 7.0)


def seen_under(raster, displacement, a=A):
    """Return the trace of a lattice whose atoms the tip meets at u + displacement(t)."""
    where = np.stack(raster.xy, axis=-1) + displacement(raster.time[0])
    q = np.linalg.inv(a)
    return sum(np.cos(2 * np.pi * where @ wave + k) for k, wave in enumerate((q[:, 0], q[:, 1], q[:, 0] + q[:, 1])))


def vectors_of(image, raster):
    """Return the lattice vectors of a trace, in sample axes."""
    x, y = raster.at(np.array([0, 0, 1]), np.array([0, 1, 0]))
    steps = np.array([[x[1] - x[0], y[1] - y[0]], [x[2] - x[0], y[2] - y[0]]])
    return lattice_vectors(image, raster.pixel_size, 3.32) @ (steps / np.linalg.norm(steps, axis=1, keepdims=True))


def misfit(found, a=A):
    """Return how far the found vectors lie from the nearest short ones of the lattice, over its constant."""
    star = np.array([s * v for v in (a[0], a[1], a[1] - a[0]) for s in (1, -1)])
    return max(np.linalg.norm(star - vector, axis=1).min() for vector in found) / 3.32


@pytest.mark.parametrize("known", ["constant", "vectors"])
@pytest.mark.parametrize("words", [{}, {"direction": "down"}, {"fast_axis": "y", "fast_direction": "backward"}])
@pytest.mark.parametrize("angle", [0.0, 25.0])
def test_drift_is_measured_and_undone(words, angle, known):
    """Against the closed form: lattice vectors within 0.5 % of the truth after the correction, velocity within 2 %."""
    raster = Raster(90, 90, 192, 192, angle=angle, line_time=0.4, **words)
    velocity = np.array([0.02, -0.035])
    image = seen_under(raster, lambda t: t[..., None] * velocity)
    known = 3.32 if known == "constant" else A
    measured = vectors_of(image, raster)
    assert misfit(measured, drifted_lattice(A, velocity, raster)) < 0.002
    assert misfit(measured) > 0.02
    times, velocities = drift_history(image, raster, known, bands=1)
    assert velocities[0] == pytest.approx(velocity, rel=0.03, abs=5e-4)
    assert times[0] == pytest.approx(raster.duration / 2)
    straight = undrift_image(image, raster, times, velocities)
    assert misfit(vectors_of(straight, raster)) < 0.005
    atoms = np.stack(raster.xy, axis=-1)[::40, ::40]
    truth = atoms + raster.time[0][::40, ::40, None] * velocity
    assert np.abs(undrift_points(atoms, raster, times, velocities) - truth).max() < 0.2


def test_one_map_straightens_points_and_picture():
    raster = Raster(90, 90, 192, 192, line_time=0.4)
    velocity = np.array([0.03, -0.04])
    image = seen_under(raster, lambda t: t[..., None] * velocity)
    correction = lattice_correction(lattice_vectors(image, raster.pixel_size, 3.32), 3.32)
    assert drift_velocity(correction, raster) == pytest.approx(velocity, rel=0.03)
    exact = lattice_correction(drifted_lattice(A, velocity, raster), A)
    assert drift_velocity(exact, raster) == pytest.approx(velocity, rel=1e-9)
    straight = correct_image(image, raster.pixel_size, correction)
    assert misfit(lattice_vectors(straight, raster.pixel_size, 3.32)) < 0.005
    assert correct_points([[1.0, 2.0]], exact, (1.0, 2.0)).tolist() == [[1.0, 2.0]]
    pair = correct_points(drifted_lattice(A, velocity, raster), exact)
    assert pair == pytest.approx(A)


def test_creep_is_followed_from_band_to_band():
    """A drift that dies away: one velocity leaves an error that the history does not."""
    raster = Raster(120, 120, 256, 256, line_time=0.25)
    creeping = lambda t: np.stack([settle(t, 150.0, 0.02, 5.0, 20.0), settle(t, -400.0, 0.02, 5.0, 20.0)], axis=-1)  # noqa: E731
    image = seen_under(raster, creeping)
    spots = np.stack(raster.xy, axis=-1)
    truth = spots + creeping(raster.time[0])
    errors = {}
    for bands in (1, 5):
        moved = undrift_points(spots, raster, *drift_history(image, raster, A, bands)) - truth
        errors[bands] = np.abs(moved - moved.mean(axis=(0, 1))).max()
    assert errors[5] < 0.2 < 1.0 < errors[1]
    thirds = [undrift_image(image, raster, *drift_history(image, raster, A, 5))[k : k + 80] for k in (10, 90, 170)]
    assert max(misfit(lattice_vectors(third, raster.pixel_size, 3.32)) for third in thirds) < 0.005
    assert misfit(lattice_vectors(image[10:90], raster.pixel_size, 3.32)) > 0.01


def test_drift_path_is_the_integral_of_the_velocity():
    times, velocities = np.array([1.0, 3.0, 4.0]), np.array([[1.0, 0.0], [3.0, 2.0], [1.0, 2.0]])
    t = np.linspace(0, 6, 601)
    lines = np.array([np.interp(t, times, v) for v in velocities.T]).T
    lines[t < 1] = velocities[0] + (t[t < 1, None] - 1) * [1.0, 1.0]
    lines[t > 4] = velocities[2] + (t[t > 4, None] - 4) * [-2.0, 0.0]
    path = np.vstack([np.zeros(2), np.cumsum((lines[1:] + lines[:-1]) / 2 * 0.01, axis=0)])
    assert np.allclose(drifted_to(t, times, velocities), path, atol=1e-9)
    assert np.allclose(drifted_to(t, [2.0], [[1.0, 2.0]]), t[:, None] * [1.0, 2.0])


@pytest.mark.parametrize(
    ("measured", "known", "says"),
    [
        (A * 2, 3.32, "another lattice"),
        (A[[0, 0]], 3.32, "span a lattice"),
        (A, -1.0, "greater than 0"),
        (A, [[1, 0], [1, 0]], "span a lattice"),
        (A, [[9.0, 0], [0, 9.0]], "not near|another"),
    ],
)
def test_wrong_lattices_say_so(measured, known, says):
    with pytest.raises(ValueError, match=says):
        lattice_correction(measured, known)


def test_wrong_corrections_say_so():
    with pytest.raises(ValueError, match="inverted"):
        correct_image(PLANE, 1.0, np.zeros((2, 2)))
    with pytest.raises(ValueError, match="16 lines"):
        drift_history(PLANE, Raster(96, 64, 96, 64), 3.32, bands=9)


# ---- counting -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 3, 16, 400])
@pytest.mark.parametrize("confidence", [0.68, 0.95])
def test_limits_of_a_count_are_exact(count, confidence):
    """At the lower limit so many or more, at the upper so many or fewer, are seen with half of what is left."""
    density = defect_density(count, 100.0, confidence)
    tail = (1 - confidence) / 2
    assert density.value == pytest.approx(count / 100)
    assert poisson.sf(count - 1, density.low * 100) == pytest.approx(tail)
    assert poisson.cdf(count, density.high * 100) == pytest.approx(tail)
    assert density.per_cm2.value == pytest.approx(count * 1e12)


def test_no_count_at_all_has_an_upper_limit():
    density = defect_density(0, 10.0, 0.9)
    assert (density.value, density.low) == (0.0, 0.0)
    assert density.high == pytest.approx(-np.log(0.05) / 10)


def test_many_counts_have_the_error_of_their_root():
    density = defect_density(10_000, 1.0)
    assert (density.high - density.low) / 2 == pytest.approx(100, rel=0.01)


@pytest.mark.parametrize(("count", "area", "confidence"), [(-1, 1, 0.5), (1.5, 1, 0.5), (1, 0, 0.5), (1, 1, 1.0)])
def test_wrong_counts_say_so(count, area, confidence):
    with pytest.raises(ValueError, match="must"):
        defect_density(count, area, confidence)


def test_drift_of_a_simulated_scan_is_measured_and_undone():
    """The whole instrument between sample and image, and still the lattice within 0.5 % afterwards."""
    velocity = (0.04, -0.06)
    p = stm.Parameters().set({
        "raster.width": 45, "raster.height": 45, "raster.pixels": 96, "raster.lines": 96, "junction.height": 4.0,
        "feedback.steps_per_pixel": 2, "feedback.loop_gain": 0.9, "noise.current": 0.0,
        "piezo.drift_x": velocity[0], "piezo.drift_y": velocity[1],
    })  # fmt: skip
    scan = stm.simulate(p, sample=stm.wse2((6, 6)), seed=1)
    true = 3.32 * np.array([[1, 0], [0.5, np.sqrt(3) / 2]])
    assert misfit(vectors_of(scan.height[0], scan.raster), true) > 0.03
    times, velocities = drift_history(scan.height[0], scan.raster, 3.32, bands=1)
    assert velocities[0] == pytest.approx(velocity, rel=0.05)
    straight = undrift_image(scan.height[0], scan.raster, times, velocities)
    assert misfit(vectors_of(straight, scan.raster), true) < 0.005
