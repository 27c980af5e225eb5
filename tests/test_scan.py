import numpy as np
import pytest

from stmlab.scan import Raster, Scan


def test_time_runs_there_and_back():
    raster = Raster(10, 10, 4, 3, line_time=2.0)
    np.testing.assert_allclose(raster.time[0, 1], [4.25, 4.75, 5.25, 5.75])
    np.testing.assert_allclose(raster.time[1, 1], [7.75, 7.25, 6.75, 6.25])
    assert raster.duration == 12


@pytest.mark.parametrize("direction", ["up", "down"])
def test_first_line_is_where_the_direction_says(direction):
    x, y = Raster(8, 4, 4, 2, direction=direction).xy
    np.testing.assert_allclose(x[0], [-3, -1, 1, 3])
    np.testing.assert_allclose(y[:, 0], [-1, 1] if direction == "up" else [1, -1])


def test_angle_turns_counter_clockwise_about_the_centre():
    x, y = Raster(8, 4, 4, 2, angle=90, center=(10, 20)).xy
    np.testing.assert_allclose([x[0, 0], y[0, 0]], [11, 17])


@pytest.mark.parametrize(
    "change", [{"width": 0}, {"height": -1}, {"pixels": 0}, {"line_time": np.nan}, {"direction": "left"},
     {"fast_axis": "z"}, {"fast_direction": "up"}, {"overscan": -0.1}]
)
def test_impossible_rasters_are_refused(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        Raster(**({"width": 1, "height": 1, "pixels": 2, "lines": 2} | change))


def test_scan_refuses_arrays_that_do_not_fit():
    with pytest.raises(ValueError, match="height has shape"):
        Scan(Raster(1, 1, 4, 3), np.zeros((2, 4, 3)))


@pytest.mark.parametrize("direction", ["up", "down"])
@pytest.mark.parametrize("fast_axis", ["x", "y"])
@pytest.mark.parametrize("fast_direction", ["forward", "backward"])
def test_places_and_pixels_are_inverse(direction, fast_axis, fast_direction):
    raster = Raster(
        30, 12, 20, 7, angle=33, center=(2, -5), direction=direction, fast_axis=fast_axis, fast_direction=fast_direction
    )
    row, col = np.random.default_rng(0).uniform(-30, 30, (2, 50))
    np.testing.assert_allclose(raster.pixel(*raster.at(row, col)), [row, col], atol=1e-12)
