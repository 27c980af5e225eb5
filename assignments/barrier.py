# %% [markdown]
# # The apparent barrier
# The tip was retracted by 6 Å above a selenium atom, the loop held open. The file has the current that the amplifier showed.
#
# Background: chapters 3 (tunnelling) and 13 (spectroscopy) of the book. Put numbers where `...` stands; hand in this whole folder.

# %%
import numpy as np

from stmlab import course
from stmlab.spectra import apparent_barrier

curve = course.data()  # curve.z [Å], curve.current [pA]
print(course.questions())

# %%
import matplotlib.pyplot as plt

plt.semilogy(curve.z, np.abs(curve.current), ".")
plt.xlabel("retraction [Å]")
plt.ylabel("|current| [pA]");

# %% [markdown]
# ## 1. The offset
# On a logarithmic axis the curve bends, and may dive. Why? What does the amplifier show when the tip is far away?

# %%
offset = ...

# %% [markdown]
# ## 2. The slope
# Take the offset off and fit a straight line to the logarithm, over the first 2 Å. `apparent_barrier(slope)` turns d ln I/dz into eV.

# %%
decay = ...  # factor per Å, greater than 1
barrier = ...

# %%
print(course.answer(offset=offset, decay=decay, barrier=barrier))

# %% [markdown]
# ## 3. To think about
# The answer is below the work function that went into the simulation. Chapter 3 says why: the tip sees more than one atom.
