"""Exercises of chapters 10 to 12, worked out with the library."""

import numpy as np

from .registry import exercise


@exercise("10.1")
def _share_of_fast_loops():
    """Share of the loop gains above 0.3 when they are drawn log-uniformly from 0.01 to 1."""
    return np.log(1.0 / 0.3) / np.log(1.0 / 0.01)


@exercise("10.2", unit="defects", tolerance=0.02)
def _defects_of_the_thesis():
    """Mean number of defects in a frame of the study thesis-main: mean density times the mean of the square width."""
    from ..parameters import Study

    vary = Study.load("thesis-main").vary
    density = sum((law.low + law.high) / 2 for path, law in vary.items()
                  if path.startswith("defects.") and path != "defects.dopant_potential")  # fmt: skip
    width = vary["raster.width"]
    return density * (width.high**3 - width.low**3) / (3 * (width.high - width.low))


@exercise("11.1")
def _smoothing_twice():
    """Standard deviation of white noise after the mean of 3 x 3 pixels was taken twice."""
    return np.sum(np.convolve(np.ones(3) / 3, np.ones(3) / 3) ** 2)


@exercise("11.2", unit="parameters", tolerance=1e-4)
def _parameters_of_a_small_network():
    """Parameters of a U-Net of four channels and five levels, for one image and two labels."""
    return 206 + sum(89 * n**2 + 13 * n for n in (4, 8, 16, 32))


@exercise("12.1", unit="Å", tolerance=0.02)
def _pixel_of_a_measurement():
    """Pixel size of a frame 30 nm wide with 512 pixels."""
    from ..scan import Raster

    return Raster(300.0, 300.0, 512, 512).pixel_size[0]


@exercise("12.2", unit="")
def _defects_per_frame():
    """Defects expected in a frame of 50 nm x 50 nm at 1e11 per cm2."""
    return 1e11 * 1e-16 * 500**2


@exercise("12.6")
def _f1_of_counts():
    """F1 of 30 detections, 20 of them right, where there are 25 defects."""
    return 2 * 20 / (30 + 25)
