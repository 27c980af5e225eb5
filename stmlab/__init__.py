"""Simulate what a scanning tunnelling microscope records, from atoms to labelled images.

Names resolve on first use, so that ``import stmlab`` stays quick.
"""

from importlib import import_module

__version__ = "0.1.0"

_HOME = {
    "Parameters": "parameters",
    "Study": "parameters",
    "Uniform": "parameters",
    "LogUniform": "parameters",
    "RootUniform": "parameters",
    "SameAs": "parameters",
    "Choice": "parameters",
    "stream": "parameters",
    "wse2": "structures",
    "add_defects": "structures",
    "tip": "structures",
    "hamiltonian": "tightbinding",
    "ldos": "tightbinding",
    "weights": "tightbinding",
    "Junction": "junction",
    "TersoffHamann": "tersoff_hamann",
    "spectroscopy": "spectra",
    "Raster": "scan",
    "Scan": "scan",
    "constant_height": "modes",
    "constant_current": "modes",
    "simulate": "microscope",
    "topographs": "microscope",
    "generate": "dataset",
    "open_dataset": "dataset",
    "load_scan": "io",
    "save_scan": "io",
}
_MODULES = (
    "analysis", "check", "dataset", "feedback", "interactive", "io", "junction", "labels", "learn", "microscope",
    "modes", "noise", "parameters", "piezo", "plot", "scan", "spectra", "structures", "tersoff_hamann", "tightbinding",
)  # fmt: skip

__all__ = ["__version__", *_HOME]


def __getattr__(name):
    if name in _HOME:
        return getattr(import_module(f"stmlab.{_HOME[name]}"), name)
    if name in _MODULES:
        return import_module(f"stmlab.{name}")
    raise AttributeError(f"module 'stmlab' has no attribute {name!r}")


def __dir__():
    return sorted([*__all__, *_MODULES])
