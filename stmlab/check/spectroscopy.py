"""Exercises of chapter 13, worked out with the library."""

import numpy as np

from .registry import exercise


@exercise("13.1", unit="K")
def _temperature_of_a_swing():
    """Temperature that blurs as much as a modulation of 10 mV (peak)."""
    from ..tightbinding.weights import BOLTZMANN

    return np.sqrt(3) * 0.010 / (4 * np.log(1 + np.sqrt(2)) * BOLTZMANN)


@exercise("13.2", unit="eV")
def _surplus_at_the_corner():
    """How much more barrier a state at K of MoS2 seems to have than one at Gamma."""
    from ..junction import kappa
    from ..spectra import apparent_barrier
    from ..tightbinding import model_named

    corner = 4 * np.pi / (3 * model_named("mos2-fang-2015").lattice["a"])
    return apparent_barrier(2 * np.hypot(kappa(4.5), corner)) - apparent_barrier(2 * kappa(4.5))


@exercise("13.4", unit="electron masses")
def _mass_from_crests():
    """Mass of electrons 0.44 eV above the bottom of their band, whose standing waves have crests 15 Å apart."""
    from ..junction import DECAY

    return (np.pi / 15 / DECAY) ** 2 / 0.44
