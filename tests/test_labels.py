import numpy as np
import pytest

from stmlab.labels import image_coordinates, lattice_shows, locate, masks, visible
from stmlab.scan import Raster, Scan


def drifted(raster, velocity):
    return tuple(v + d * raster.time[0] for v, d in zip(raster.xy, velocity, strict=True))


def test_coordinates_come_back_through_drift_and_rotation():
    raster = Raster(30, 20, 48, 32, angle=25, line_time=0.5)
    x, y = drifted(raster, (0.1, -0.05))
    pixels = np.array([[3, 5], [31, 47], [0, 0], [17, 22]])
    points = np.column_stack([x[tuple(pixels.T)], y[tuple(pixels.T)]])
    np.testing.assert_allclose(image_coordinates(x, y, points), pixels, atol=1e-9)
    halfway = (points[0] + points[3]) / 2
    np.testing.assert_allclose(image_coordinates(x, y, halfway)[0], (pixels[0] + pixels[3]) / 2, atol=1e-9)


def test_inside_ends_half_a_pixel_beyond_the_last_centre():
    raster = Raster(10, 10, 10, 10)
    points = np.array([[4.9, 0.0], [5.1, 0.0], [0.0, -4.9], [0.0, -5.1]])
    out = locate(["dopant-top"] * 4, range(4), points, *raster.xy)
    assert out["inside"].tolist() == [True, False, True, False]
    assert out["col"][0] == pytest.approx(9.4)


def scan_with(lattice, points):
    raster = Raster(16, 16, 64, 64)
    x, y = (np.stack([v, v]) for v in raster.xy)
    found = locate(["se-vacancy-top"] * len(points), range(len(points)), np.reshape(points, (-1, 2)), x[0], y[0])
    return Scan(raster, np.zeros((2, 64, 64)), x=x, y=y, defects=found, lattice=np.array(lattice),
                meta={"lattice_constant": 3.32})  # fmt: skip


def test_discs_have_the_thesis_s_profile():
    scan = scan_with([[0.125, 0.125]], [[-4.0, 4.0]])
    lattice, defect = masks(scan)
    x, y = scan.raster.xy
    np.testing.assert_allclose(lattice, np.clip(1.1 - np.hypot(x - 0.125, y - 0.125) / 1.66, 0, 1))
    assert lattice[32, 32] == 1
    assert np.unravel_index(defect.argmax(), defect.shape) == (47, 15)


def test_peaks_of_the_mask_are_the_labels():
    points = np.array([[-5.0, -5.0], [3.0, 1.0], [-2.0, 6.0]])
    scan = scan_with([[50.0, 50.0]], points)
    peaks = masks(scan)[1] == masks(scan)[1].max()
    for row, col in zip(scan.defects["row"], scan.defects["col"], strict=True):
        near = np.argwhere(peaks) - [row, col]
        assert np.hypot(*near.T).min() < 1.5


def test_no_defects_no_mask():
    scan = scan_with([[0.0, 0.0]], [])
    assert not masks(scan)[1].any()


def test_measured_scans_have_no_truth():
    with pytest.raises(ValueError, match="no ground truth"):
        masks(Scan(Raster(1, 1, 2, 2), np.zeros((2, 2, 2))))
    with pytest.raises(ValueError, match="mask kind"):
        masks(scan_with([[0.0, 0.0]], []), "other")


def pits(points, depths, noise=0.0, width=2.0, tilt=0.0):
    """A frame of 160 x 160 Å whose topograph has Gaussian pits, and noise in what was recorded."""
    raster = Raster(160, 160, 128, 128)
    x, y = raster.xy
    ideal = 0.01 * tilt * x
    for (a, b), depth in zip(points, depths, strict=True):
        ideal = ideal - depth * np.exp(-((x - a) ** 2 + (y - b) ** 2) / (2 * width**2))
    height = ideal + noise * np.random.default_rng(0).standard_normal((2, *raster.shape))
    found = locate(["charged-dopant"] * len(points), range(len(points)), np.array(points, float), x, y)
    return Scan(raster, height, x=np.stack([x, x]), y=np.stack([y, y]), ideal=ideal, defects=found,
                lattice=np.array([[0.0, 0.0]]), meta={"lattice_constant": 3.32})  # fmt: skip


def test_only_what_stands_out_is_visible():
    places = [(-50, 0), (0, 40), (45, -30)]
    scan = pits(places, [1.0, 0.1, 0.001], noise=0.05, width=5.0, tilt=3.0)
    assert visible(scan)["site"].tolist() == [0, 1]  # the clearest first
    assert set(visible(pits(places, [1.0, 0.1, 0.001], noise=0.3, width=5.0))["site"]) == {0}
    assert len(visible(pits(places, [0.0, 0.0, 0.0], noise=0.3))) == 0


def test_dark_and_bright_are_seen_alike():
    for sign in (1, -1):
        assert len(visible(pits([(0, 0)], [sign], noise=0.1, width=5.0))) == 1


def test_neighbours_are_seen_as_one_and_far_ones_apart():
    close, far = pits([(0, 0), (6, 0)], [1.0, 0.5], noise=0.02), pits([(0, 0), (40, 0)], [1.0, 0.5], noise=0.02)
    assert visible(close)["site"].tolist() == [0]
    assert visible(far)["site"].tolist() == [0, 1]


def test_a_flank_inside_the_frame_counts_and_what_is_far_outside_does_not():
    assert len(visible(pits([(-83, 0)], [1.0], noise=0.01, width=8.0))) == 1
    assert len(visible(pits([(-110, 0)], [1.0], noise=0.01, width=8.0))) == 0


def test_masks_of_the_visible_peak_on_their_list_and_hide_a_lattice_too_fine():
    scan = pits([(-50, 0), (0, 40), (45, -30)], [1.0, 0.1, 0.001], noise=0.05, width=5.0)
    lattice, defect = scan.masks("visible")
    assert not lattice.any()  # 1.25 Å per pixel
    x, y = scan.raster.xy
    d = np.min([np.hypot(x - v["x"], y - v["y"]) for v in visible(scan)], axis=0)
    np.testing.assert_allclose(defect, np.clip(1.1 - d / 4.5, 0, 1))


@pytest.mark.parametrize(("noise", "shows"), [(0.01, True), (1.0, False)])
def test_the_lattice_is_labelled_where_it_shows(noise, shows):
    raster = Raster(24, 24, 64, 64)
    x, y = raster.xy
    ideal = 0.05 * (np.cos(2 * np.pi * x / 3.32) + np.cos(2 * np.pi * y / 3.32))
    height = ideal + noise * np.random.default_rng(0).standard_normal((2, *raster.shape))
    scan = Scan(raster, height, x=np.stack([x, x]), y=np.stack([y, y]), ideal=ideal, defects=locate([], [], [], x, y),
                lattice=np.array([[0.0, 0.0]]), meta={"lattice_constant": 3.32})  # fmt: skip
    assert lattice_shows(scan) is shows
    assert scan.masks("visible")[0].any() == shows
