"""Measured spectra, from any instrument."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, eq=False)
class MeasuredSpectra:
    """Spectra as an instrument recorded them, at one place, at several, or on a grid.

    Parameters
    ----------
    bias : ndarray, (K,)
        Sample voltage [V], as the instrument states it.
    signals : dict of str to ndarray, (..., K)
        What was recorded; the leading axes are () for one spectrum, (N,) for several, (rows, columns) for a grid.
    units : dict of str to str
        SI unit of each signal: a lock-in's output is often in V.
    positions : ndarray, (..., 2)
        Where each spectrum was taken, x and y [Å]; NaN where the file does not say.
    meta : dict
        What else the file knows: ``source``, ``date``, ...
    """

    bias: np.ndarray
    signals: dict
    units: dict
    positions: np.ndarray
    meta: dict = field(default_factory=dict)

    def __post_init__(self):
        for name, values in self.signals.items():
            wanted = (*self.positions.shape[:-1], *self.bias.shape)
            if np.shape(values) != wanted:
                raise ValueError(f"signal {name!r} has shape {np.shape(values)}, bias and positions need {wanted}")

    @property
    def current(self):
        """First signal in ampere [A], (..., K), or None."""
        return next((values for name, values in self.signals.items() if self.units[name] == "A"), None)

    @property
    def conductance(self):
        """First signal whose name is that of dI/dV or of a lock-in's X, (..., K), in its own unit, or None."""
        marks = ("di/dv", "didv", "conductance", "lockin", "lock-in", "li ", "li_", "lix")
        names = [name for name in self.signals if name.lower().startswith(marks)]
        in_phase = [name for name in names if "x" in name.lower().split()[-1]]
        return self.signals[(in_phase or names)[0]] if names else None
