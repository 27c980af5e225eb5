# %% [markdown]
# # Count the defects
# Count what is dark and what is bright in your frame, and say how well a count knows the density.
#
# Background: chapters 2 (defects) and 12 (counting) of the book. Put numbers where `...` stands; hand in this whole folder.

# %%
from stmlab import course
from stmlab.analysis import blobs, defect_density, level

scan = course.data()
print(course.questions())
image = level(scan.height[0], "line")

# %%
import matplotlib.pyplot as plt

plt.figure(figsize=(8, 8))
plt.imshow(image, origin="lower", cmap="gray")
plt.xlabel("column")
plt.ylabel("row")
plt.colorbar(label="height [Å]");

# %% [markdown]
# ## 1. Count
# By eye; or as the maxima of the smoothed image, and of its negative, above a threshold; or with `blobs(image, scan.raster.pixel_size, threshold, scales=..., apart=...)`. Look at what was found: are rings around defects among it, and are two that touch two?

# %%
dark = ...
bright = ...

# %% [markdown]
# ## 2. Density and its interval
# `defect_density(count, area)`, with the area in nm². Would √n have given the same limits?

# %%
density = ...
density_low = ...
density_high = ...

# %%
print(course.answer(dark=dark, bright=bright, density=density, density_low=density_low, density_high=density_high))
