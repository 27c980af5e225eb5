# %% [markdown]
# # Calibrate your microscope
# Your file believes that the frame is 60 Å wide. WSe₂ has a lattice constant of 3.32 Å. Find the true scale, the drift of the tip and the tilt of the sample.
#
# Background: chapters 7 (drift) and 12 (lattice and levelling) of the book. Put numbers where `...` stands. Everything that you answer is kept in `answers.toml`; hand in this whole folder.

# %%
import numpy as np

from stmlab import course
from stmlab.analysis import drift_velocity, lattice_correction, lattice_vectors, level

scan = course.data()
print(course.questions())
print(scan.raster)

# %%
import matplotlib.pyplot as plt

image = scan.height[0]  # the trace, (lines, pixels) [Å]; row 0 was scanned first and lies at the bottom
flat = level(image, "robust")
low, high = np.percentile(flat, (1, 99))  # so that one deep defect does not hide the lattice
plt.imshow(flat, origin="lower", cmap="afmhot", vmin=low, vmax=high, extent=(0, scan.raster.width, 0, scan.raster.height))
plt.xlabel("x in the file [Å]")
plt.ylabel("y in the file [Å]")
plt.colorbar(label="height [Å]");

# %% [markdown]
# ## 1. The scale
# Along a line hardly any time passes, so that drift does not stretch the fast axis. `lattice_vectors` measures the lattice of the image, `lattice_correction` finds the map M that makes it the known one. What does the first column of M say?

# %%
vectors = lattice_vectors(image, scan.raster.pixel_size, guess=3.3)
print(vectors, np.linalg.norm(vectors, axis=1))

scale = ...

# %% [markdown]
# ## 2. The drift
# What is left of M once the scale is taken out is drift: `drift_velocity(correction, raster)`. Which raster does it need, that of the file or the true one?

# %%
drift_x = ...
drift_y = ...

# %% [markdown]
# ## 3. The tilt
# Fit a plane to the heights. A slope along y is not only tilt: while the tip moves up one line, the drift carries it along x and y as well.

# %%
tilt_x = ...
tilt_y = ...

# %%
print(course.answer(scale=scale, drift_x=drift_x, drift_y=drift_y, tilt_x=tilt_x, tilt_y=tilt_y))
