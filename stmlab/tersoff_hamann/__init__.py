"""The tunnelling current of a point above a sample, state by state: the amplitudes of all orbitals interfere.

`stmlab.junction` adds the currents of pairs of atoms. Here amplitudes add up first, so every state has its own
decay, its own nodes and its own contrast.
"""

from .junction import CHANNELS, TersoffHamann
from .lateral import corrugation
from .spectra import LocalStates, local_states
from .states import tersoff_hamann

__all__ = ["CHANNELS", "LocalStates", "TersoffHamann", "corrugation", "local_states", "tersoff_hamann"]
