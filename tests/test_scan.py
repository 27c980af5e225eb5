import numpy as np
import pytest

from stmlab.junction import Junction
from stmlab.scan import Raster, Scan, constant_current, constant_height
from stmlab.structures import images, wse2


@pytest.fixture(scope="module")
def sheet():
    """A sheet with one top atom missing, under a tip of two atoms."""
    cell = wse2()
    _, atoms = images(cell.positions, cell.cell, cell.pbc, [-25, -25], [25, 25])
    weight = np.ones((len(atoms), 2)) * [1.0, 0.4]
    weight[np.argmin(np.hypot(*(atoms[:, :2] - [1.66, 0.96]).T) + np.abs(atoms[:, 2]))] = 0
    return Junction(atoms, [[0, 0, 0], [1.3, 0.7, 0.9]], weight, 1.09)


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
    "change", [{"width": 0}, {"height": -1}, {"pixels": 0}, {"line_time": np.nan}, {"direction": "left"}]
)
def test_impossible_rasters_are_refused(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        Raster(**({"width": 1, "height": 1, "pixels": 2, "lines": 2} | change))


def test_scan_refuses_arrays_that_do_not_fit():
    with pytest.raises(ValueError, match="height has shape"):
        Scan(Raster(1, 1, 4, 3), np.zeros((2, 4, 3)))


def test_one_atom_topograph_is_a_sphere():
    """I depends on the distance d alone, so z = sqrt(d^2 - x^2)."""
    junction, raster = Junction([[0, 0, 0]], [[0, 0, 0]], [[1.0]], 1.1), Raster(6, 6, 32, 32)
    x, y = raster.xy
    z = constant_current(junction, raster, -2.2 * 5.0)
    np.testing.assert_allclose(z, np.sqrt(25 - x**2 - y**2), atol=1e-9)


@pytest.mark.parametrize("height", [3.0, 5.0, 9.0])
def test_topograph_is_an_iso_surface(sheet, height):
    raster = Raster(20, 20, 24, 24)
    setpoint = np.median(constant_height(sheet, raster, height))
    z, info = constant_current(sheet, raster, setpoint, full_output=True)
    np.testing.assert_allclose(sheet.log_current(*raster.xy, z), setpoint, atol=1e-7)
    assert info["evaluations"].mean() < 5


def test_small_corrugation_follows_from_the_slope(sheet):
    """dz = d ln I / (2 kappa) to first order."""
    raster = Raster(5, 5, 16, 16, center=(-8, -8))
    flat = constant_height(sheet, raster, 9.0)
    z = constant_current(sheet, raster, np.median(flat))
    slope = sheet.log_current_and_slope(*raster.xy, 9.0)[1]
    np.testing.assert_allclose(z - 9.0, (np.median(flat) - flat) / slope, atol=0.02 * np.ptp(z))


def test_scaling_the_density_of_states_does_not_move_the_tip(sheet):
    raster = Raster(10, 10, 8, 8)
    scaled = Junction(sheet.sample, sheet.tip, 1e6 * sheet.weights, sheet.kappa)
    z = constant_current(sheet, raster, -8.0)
    np.testing.assert_allclose(constant_current(scaled, raster, -8.0 + np.log(1e6)), z, atol=1e-9)


def test_newton_converges_quadratically(sheet):
    """Errors of successive steps: e_{n+1} / e_n^2 stays bounded; the order fitted to them is 2."""
    target = sheet.log_current(1.0, 1.0, 5.0)
    z, errors = 3.2, []
    for _ in range(5):
        value, slope = sheet.log_current_and_slope(1.0, 1.0, z)
        z += (target - value) / slope
        errors.append(abs(z - 5.0))
    errors = [e for e in errors if e > 1e-12]
    orders = np.diff(np.log(errors))[1:] / np.diff(np.log(errors))[:-1]
    assert orders[-1] == pytest.approx(2, abs=0.25)


@pytest.mark.parametrize("start", [2.5, 3.0, 20.0, 60.0, 5000.0])
def test_any_start_leads_to_the_same_surface(sheet, start):
    raster = Raster(8, 8, 6, 6)
    np.testing.assert_allclose(
        constant_current(sheet, raster, -8.0, start=start), constant_current(sheet, raster, -8.0), atol=1e-9
    )


def test_what_cannot_be_is_refused(sheet):
    raster = Raster(8, 8, 6, 6)
    with pytest.raises(ValueError, match="raise the tip to at least"):
        constant_height(sheet, raster, 0.5)
    with pytest.raises(ValueError, match="lower the setpoint"):
        constant_current(sheet, raster, 50.0)
    with pytest.raises(ValueError, match="must be finite"):
        constant_current(sheet, raster, np.nan)
