"""Draw the picture of the README: python book/first_image.py, from the root of the repository."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

import stmlab as stm
from stmlab import plot

SETTINGS = {
    "raster.width": 50.0, "raster.height": 50.0, "raster.pixels": 128, "raster.lines": 128,
    "junction.height": 4.0, "feedback.loop_gain": 0.15, "noise.current": 0.05, "piezo.drift_x": 0.08,
}  # fmt: skip
OUT = Path(__file__).parent / "_static" / "first-image.png"


def main():
    scan = stm.simulate(stm.Parameters().set(SETTINGS), seed=3)
    fig, axes = plt.subplots(1, 3, figsize=(10.5, 3.1), layout="constrained")
    for ax, height in zip(axes, (scan.ideal, scan.height[0]), strict=False):
        plot.image(100 * (height - np.median(height)), ax, scan.raster, "height [pm]", limits=(-25, 15))
    plot.image(scan.masks()[1], axes[2], scan.raster, "mask", "viridis", percentile=(0, 100))
    for ax, title in zip(axes, ("a perfect instrument", "what is recorded", "where the defects are"), strict=True):
        ax.set_title(title)
    fig.savefig(OUT, dpi=110, metadata={"Software": None})


if __name__ == "__main__":
    main()
