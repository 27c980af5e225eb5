import numpy as np
import pytest

from stmlab.labels import image_coordinates, locate, masks
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
