"""Labelled arrays: a scan as an `xarray.Dataset`, and as NetCDF that any program reads.

NetCDF 3 needs nothing beyond SciPy. Lengths are in Å and carry the unit "angstrom", the spelling of UDUNITS.
"""

import io

import numpy as np

from ..scan import DEFECT_DTYPE, EVENT_DTYPE, Scan
from ._files import FileError, need, read_bounded
from .provenance import describe, quantity, restore

STACKS = {
    "height": "angstrom",
    "true_height": "angstrom",
    "current": "1",
    "drive": "V",
    "x": "angstrom",
    "y": "angstrom",
}
MEANING = {
    "height": "recorded height: drive voltage times nominal calibration",
    "true_height": "where the tip was above the sample's z = 0",
    "current": "ln(I / I_set)",
    "drive": "voltage on the z piezo",
    "x": "where the tip was along x",
    "y": "where the tip was along y",
    "ideal": "topograph of a perfect instrument",
    "lattice": "top selenium atoms",
}
FRAME, IMAGE = ("sweep", "line", "pixel"), ("line", "pixel")
COLUMN_UNITS = {"x": "angstrom", "y": "angstrom", "row": "1", "col": "1", "time": "s"}
TABLES = {"defect": DEFECT_DTYPE, "event": EVENT_DTYPE}  # structured arrays, in the singular


def to_xarray(scan):
    """Return a scan as labelled arrays.

    Parameters
    ----------
    scan : Scan
        Simulated or measured.

    Returns
    -------
    xarray.Dataset
        Every array of the scan with ``units`` and ``long_name``; dimensions ``sweep`` (trace, retrace),
        ``line`` and ``pixel``, in the order of acquisition, with ``time`` and the place ``u``, ``v`` in the
        frame; version, seed and parameters as attributes.

    Raises
    ------
    MissingPackage
        If xarray is not installed.
    """
    xarray = need("xarray")
    variables = {name: (dims, values, _attributes(name, unit)) for name, dims, values, unit in _arrays(scan)}
    return xarray.Dataset(variables, _coordinates(scan), attrs=describe(scan))


def _coordinates(scan):
    """Return the passes, the time, and the place in the frame from its centre: u along its x axis, v along its y."""
    raster, (du, dv) = scan.raster, scan.raster.pixel_size
    forward = 1 if raster.fast_direction == "forward" else -1
    upward = 1 if raster.direction == "up" else -1
    fast = "pixel", ((np.arange(raster.pixels) + 0.5) * du - raster.width / 2) * forward, {"units": "angstrom"}
    slow = "line", ((np.arange(raster.lines) + 0.5) * dv - raster.height / 2) * upward, {"units": "angstrom"}
    u, v = (fast, slow) if raster.fast_axis == "x" else (slow, fast)
    return {"sweep": ["trace", "retrace"], "time": (FRAME, scan.time, {"units": "s"}), "u": u, "v": v}


def _arrays(scan):
    """Yield name, dimensions, values and unit of every array that the scan holds."""
    unit = quantity(scan)[1]
    own = {"height": unit} if unit != "m" else {}  # a channel of another kind, such as a current
    for key, its_unit in (STACKS | own).items():
        if getattr(scan, key) is not None:
            yield key, FRAME, getattr(scan, key), its_unit
    if scan.ideal is not None:
        yield "ideal", IMAGE, scan.ideal, "angstrom"
    if scan.lattice is not None:
        yield "lattice", ("atom", "axis"), scan.lattice, "angstrom"
    if scan.lattice is not None and scan.defects is not None:
        for mask, image in zip(("lattice", "defects"), scan.masks(), strict=True):
            yield f"mask_{mask}", IMAGE, image, "1"
    for table in TABLES:
        rows = getattr(scan, f"{table}s")
        for column in rows.dtype.names if rows is not None else ():
            yield f"{table}_{column}", (table,), _storable(rows[column]), COLUMN_UNITS.get(column, "")


def _storable(values):
    """NetCDF 3 has neither 64-bit integers nor booleans."""
    return values.astype(np.int32) if values.dtype.kind in "ib" else values


def _attributes(name, unit):
    return {"units": unit, "long_name": MEANING.get(name, name.replace("_", " "))}


def encode_netcdf(scan):
    """Return the bytes of a NetCDF 3 file (64-bit offsets)."""
    return bytes(to_xarray(scan).to_netcdf(engine="scipy", format="NETCDF3_64BIT"))


def read_netcdf(path, channel="Z"):
    """Read a scan that `save_scan` wrote as NetCDF; `channel` must be the one that was saved.

    Raises
    ------
    FileError
        If the file is damaged, is not one of stmlab's, or holds another channel.
    """
    from scipy.io import netcdf_file

    data = read_bounded(path)
    if data[:3] != b"CDF":
        raise FileError("is not NetCDF 3: it does not begin with CDF; save it with format NETCDF3_64BIT")
    with netcdf_file(io.BytesIO(data), "r", mmap=False) as file:  # so no length is trusted
        texts = {key: _text(value) for key, value in file._attributes.items()}
        arrays = {key: variable[...].copy() for key, variable in file.variables.items()}
    if "raster" not in texts or "height" not in arrays:
        raise FileError("was not written by stmlab: it holds no raster and height; read it with xarray")
    raster, known = restore(texts)
    tables = {f"{name}s": _table(arrays, name) for name in TABLES}
    scan = Scan(raster, **tables, **_stacks(arrays), **known)
    if quantity(scan)[0] != channel:
        raise FileError(f"has no channel {channel!r}; choose one of: {quantity(scan)[0]}")
    return scan


def _stacks(arrays):
    there = [key for key in (*STACKS, "ideal", "lattice") if key in arrays]
    return {key: np.asarray(arrays[key], dtype=float) for key in there}


def _table(arrays, name):
    """Return the structured array of defects or events, or None."""
    if f"{name}_kind" not in arrays:
        return None
    table = np.zeros(len(arrays[f"{name}_kind"]), TABLES[name])
    for column in table.dtype.names:
        values = arrays[f"{name}_{column}"]
        table[column] = [_text(row.tobytes()) for row in values] if column == "kind" else values
    return table


def _text(value):
    return value.rstrip(b"\0").decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)
