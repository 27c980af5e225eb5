"""What one does to a measured image: level it, find bad lines and blobs, measure lattice and drift, count."""

from .blobs import blobs
from .calibration import correct_image, correct_points, lattice_correction
from .counting import Density, defect_density
from .drift import drift_history, drift_velocity, drifted_to, undrift_image, undrift_points
from .lattice import lattice_vectors
from .levelling import level
from .lines import LineNoise, line_noise, remove_scars, scars

__all__ = [
    "Density", "LineNoise", "blobs", "correct_image", "correct_points", "defect_density", "drift_history",
    "drift_velocity", "drifted_to", "lattice_correction", "lattice_vectors", "level", "line_noise", "remove_scars",
    "scars", "undrift_image", "undrift_points",
]  # fmt: skip
