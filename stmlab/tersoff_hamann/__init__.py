"""The tunnelling current of a point above a sample, state by state: the amplitudes of all orbitals interfere.

`stmlab.junction` adds the currents of pairs of atoms. Here amplitudes add up first, so every state has its own
decay, its own nodes and its own contrast.
"""

from .junction import CHANNELS, TersoffHamann
from .states import tersoff_hamann
from .surface import constant_current, corrugation

__all__ = ["CHANNELS", "TersoffHamann", "constant_current", "corrugation", "tersoff_hamann"]
