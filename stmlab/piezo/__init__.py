"""What the scanner does besides what it is told: drift, creep, jitter and, along the same lines, hysteresis."""

from .creep import bend, creep, creep_factor, creep_sum, drift, drifted_lattice, jitter, relaxation, settle

__all__ = ["bend", "creep", "creep_factor", "creep_sum", "drift", "drifted_lattice", "jitter", "relaxation", "settle"]
