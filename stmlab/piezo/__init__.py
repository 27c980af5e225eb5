"""What the scanner does besides what it is told: drift, creep, jitter and hysteresis."""

from .creep import bend, creep, creep_factor, creep_sum, drift, drifted_lattice, jitter, relaxation, settle
from .hysteresis import BoucWen, displaced, drive, follow, limit, loop, loop_width, of_width, ramp, rate, rk4, stroke

__all__ = ["bend", "creep", "creep_factor", "creep_sum", "drift", "drifted_lattice", "jitter", "relaxation", "settle"]
__all__ += ["BoucWen", "displaced", "drive", "follow", "limit", "loop", "loop_width", "of_width", "ramp", "rate"]
__all__ += ["rk4", "stroke"]
