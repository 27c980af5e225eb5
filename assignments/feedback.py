# %% [markdown]
# # The loop and the scanner
# Height and current error together tell what the loop did at every update; trace and retrace tell what the scanner did.
#
# Background: chapters 6 (feedback) and 8 (hysteresis) of the book. Put numbers where `...` stands; hand in this whole folder.

# %%
import numpy as np

from stmlab import course
from stmlab.junction import kappa

scan = course.data()
print(course.questions())
trace, retrace = scan.height  # each (lines, pixels) [Å]; the retrace lies on the trace's columns
error = scan.current[0]  # ln(I / I_set) of the trace
k = 2 * kappa(4.5)  # an error of e is a height that is wrong by e / k [Å]

# %%
import matplotlib.pyplot as plt

x = (np.arange(scan.raster.pixels) + 0.5) * scan.raster.pixel_size[0]
line = scan.raster.lines // 2
plt.plot(x, trace[line], label="trace")
plt.plot(x, retrace[line], label="retrace")
plt.xlabel("x [Å]")
plt.ylabel("height [Å]")
plt.legend();

# %% [markdown]
# ## 1. The loop gain
# From one pixel to the next the controller moves the tip by its gain times the height error. Plot one against the other.

# %%
loop_gain = ...

# %% [markdown]
# ## 2. The shift
# The loop lags behind, and that shifts trace and retrace as well. But the error says by how much each height is wrong: add it, and the lag is gone. Then find the shift of a piece of the line in the middle, where hysteresis is greatest. Look for it within half a lattice constant: beyond, the lattice repeats itself.

# %%
shift = ...

# %%
print(course.answer(loop_gain=loop_gain, shift=shift))
