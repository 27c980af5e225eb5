# %% [markdown]
# # Find the defects in your own scan
# The final project. Find every defect that can be seen in your frame, and nothing else: with a blob finder, a network that comes with stmlab, one that you trained yourself, or by eye. You are marked by F1 = 2 n / (found + there), with n the finds that lie near a defect.
#
# Hand in this whole folder, with one page that says what you tried, what failed and how you know how good you are. You do not have the truth of your frame. But you have the microscope: simulate frames like it, whose truth you know, and choose your method there.
#
# Background: chapters 9 to 12 of the book.

# %%
import numpy as np

import stmlab
from stmlab import course
from stmlab.analysis import blobs, level

scan = course.data()
print(course.questions())
image = level(level(scan.height[0], "robust"), "line")  # the tilt, then the offset of every line

# %%
import matplotlib.pyplot as plt

plt.figure(figsize=(8, 8))
plt.imshow(image, origin="lower", cmap="gray")
plt.xlabel("column")
plt.ylabel("row");

# %% [markdown]
# ## 1. A first try
# Blobs, with a threshold out of the air. How many are missed, how many are noise? With the extra `learn` installed, `stmlab.learn.detect(stmlab.learn.load_model("main"), image, pixel_size)` asks a network.

# %%
threshold = ...
found = None if threshold is ... else blobs(image, scan.raster.pixel_size, threshold, scales=(2.0, 2.8, 4.0))

# %% [markdown]
# ## 2. A frame whose truth you know
# Make it like yours: same frame and bias, similar noise. `stmlab.labels.visible(known)` lists its defects that can be seen.

# %%
p = stmlab.Parameters().set({
    "raster.width": 200.0, "raster.height": 200.0, "raster.pixels": 256, "raster.lines": 256,
    "defects.se_vacancy_top": 3e-4, "defects.se_vacancy_bottom": 0.0, "defects.dopant_top": 2e-4,
})
# known = stmlab.simulate(p, seed=1)

# %% [markdown]
# ## 3. Your answer
# Draw it over the image before you hand it in.

# %%
if found is not None:
    plt.figure(figsize=(8, 8))
    plt.imshow(image, origin="lower", cmap="gray")
    plt.plot(found["x"], found["y"], "o", mfc="none", mec="tab:orange")
    print(course.places("found", found["x"], found["y"]))
