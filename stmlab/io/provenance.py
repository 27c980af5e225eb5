"""What a saved scan says about itself, as texts that every format can hold."""

import dataclasses
import json

import numpy as np

from ..scan import Raster
from ._files import FileError

ANGSTROM = 1e-10  # m per Å


def quantity(scan):
    """Return name, unit and the factor from memory to that unit, of what `scan.height` holds."""
    name, unit = scan.meta.get("channel") or "Z", scan.meta.get("unit") or "m"
    return name, unit, ANGSTROM if unit == "m" else 1.0


def describe(scan):
    """Return version, seed, parameters (TOML), raster and meta (JSON) of a scan as texts."""
    from .. import __version__

    texts = {"version": __version__, "raster": json.dumps(dataclasses.asdict(scan.raster), default=_plain)}
    texts["meta"] = json.dumps(scan.meta, default=_plain)
    if scan.seed is not None:
        texts["seed"] = str(int(scan.seed))
    if scan.parameters is not None:
        dumps = getattr(scan.parameters, "dumps", None)
        texts["parameters"] = dumps() if dumps else str(scan.parameters)
    return texts


def restore(texts):
    """Return what `describe` wrote: a `Raster`, and seed, parameters and meta as keywords of `Scan`."""
    shape, meta = json.loads(texts["raster"]), json.loads(texts.get("meta", "{}"))
    if not (isinstance(shape, dict) and isinstance(meta, dict)):
        raise FileError("holds a description of its raster that is no table, so it is damaged")
    if not (isinstance(shape.get("pixels"), int) and isinstance(shape.get("lines"), int)):
        raise FileError("gives no whole number of pixels and lines, so it is damaged")
    x, y = map(float, shape.pop("center", (0.0, 0.0)))
    seed = int(texts["seed"]) if "seed" in texts else None
    parameters = _parameters(texts.get("parameters"))
    if parameters is None and "parameters" in texts:
        meta["parameters"] = texts["parameters"]
    return Raster(**shape, center=(x, y)), {"seed": seed, "parameters": parameters, "meta": meta}


def _parameters(toml):
    """Return the `Parameters` that a text holds, or None: those of another version may no longer be legal."""
    if toml is None:
        return None
    from ..parameters import Parameters

    try:
        return Parameters.loads(toml)
    except ValueError:
        return None


def _plain(value):
    """Return what JSON can hold of a value of NumPy's or of any other kind."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else str(value)
