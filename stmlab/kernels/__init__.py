"""The loops that must be fast, compiled with numba. Each has a NumPy twin elsewhere that teaches the equation."""

OPTIONS = {"fastmath": True, "error_model": "numpy", "nogil": True, "cache": True}
