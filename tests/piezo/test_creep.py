import numpy as np

from stmlab.piezo import drift, drifted_lattice
from stmlab.scan import Raster


def test_drift_is_linear_in_time():
    np.testing.assert_allclose(drift([0.0, 1.0, 4.0], -0.3), [0, -0.3, -1.2])


def test_no_drift_no_shear():
    raster = Raster(50, 40, 32, 16, angle=20)
    np.testing.assert_allclose(drifted_lattice([[1.0, 2.0]], (0, 0), raster), [[1, 2]])


def test_drift_along_the_slow_axis_stretches_it():
    """Moving with the scan at a tenth of its speed covers 1.1 Å of sample for each Å of image."""
    raster = Raster(50, 40, 32, 16, line_time=1.0)
    speed = 40 / raster.duration
    image = drifted_lattice([[0.0, 1.1]], (0, 0.1 * speed), raster)
    np.testing.assert_allclose(image, [[0, 1.0]], atol=1e-12)
    down = drifted_lattice([[0.0, 0.9]], (0, 0.1 * speed), Raster(50, 40, 32, 16, line_time=1.0, direction="down"))
    np.testing.assert_allclose(down, [[0, 1.0]], atol=1e-12)


def test_prediction_is_the_inverse_of_the_true_map():
    raster = Raster(60, 50, 64, 48, angle=33, line_time=0.7)
    velocity = np.array([0.05, -0.03])
    x, y = raster.xy
    true = np.stack([x + velocity[0] * raster.time[0], y + velocity[1] * raster.time[0]], -1)
    nominal = np.stack([x, y], -1)
    step = true[30, 20] - true[5, 3]
    np.testing.assert_allclose(drifted_lattice(step, velocity, raster), nominal[30, 20] - nominal[5, 3], atol=1e-12)
