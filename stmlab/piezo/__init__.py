"""What the scanner does besides what it is told: drift, creep and hysteresis."""

from .creep import drift, drifted_lattice

__all__ = ["drift", "drifted_lattice"]
