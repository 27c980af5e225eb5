"""What the scanner does besides what it is told: drift, creep and hysteresis."""

from .creep import drift, drifted_lattice
from .hysteresis import BoucWen, displaced, drive, follow, limit, loop, loop_width, of_width, ramp, rate, rk4, stroke

__all__ = ["drift", "drifted_lattice"]
__all__ += ["BoucWen", "displaced", "drive", "follow", "limit", "loop", "loop_width", "of_width", "ramp", "rate"]
__all__ += ["rk4", "stroke"]
