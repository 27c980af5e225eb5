"""Nanonis spectra: grids ``.3ds`` (a text header, then big-endian floats) and points ``.dat`` (text).

A grid holds, for every point, its parameters and then each channel's sweep; x runs fastest. Nanonis counts the
angle of the grid clockwise, in degrees.
"""

import io
import re

import numpy as np

from ._files import FileError, read_bounded
from ._frames import ANGSTROM, finite, number, si
from .measured import MeasuredSpectra

HEADER_LIMIT = 2**20  # bytes; real headers are 1 to 20 kB
TEXT_LIMIT = 2**26  # bytes of a .dat file; a spectrum of 1000 points and 25 columns is 0.4 MB
COLUMN = re.compile(r"(?P<name>.*?)\s*\((?P<unit>[^()]*)\)(?P<rest>.*)")


def read_3ds(path):
    """Read a grid of spectra.

    Parameters
    ----------
    path : Path
        An existing file.

    Returns
    -------
    MeasuredSpectra
        Signals (rows, columns, K). Of a grid that was stopped, the rows that are complete; ``meta["grid"]`` is
        the size that was planned, (columns, rows).

    Raises
    ------
    FileError
        If the file is damaged, is no grid over the bias, or holds no complete row.
    """
    data = read_bounded(path)
    header, start = _header(data)
    columns, rows = _counts(header, "Grid dim", " x ")
    (points,) = _counts(header, "Points")
    (parameter_count,) = _counts(header, "# Parameters (4 byte)")
    channels = [name for name in header.get("Channels", "").split(";") if name]
    names = [name for key in ("Fixed parameters", "Experiment parameters") for name in header.get(key, "").split(";")]
    size = parameter_count + len(channels) * points
    there = min((len(data) - start) // (4 * size * columns), rows)
    if not channels or there < 1:
        raise FileError("holds no complete row of its grid, so it is truncated; copy it again from the instrument")
    values = finite(np.frombuffer(data, ">f4", there * columns * size, start).reshape(there, columns, size))
    parameters = dict(zip(names[:parameter_count], np.moveaxis(values, -1, 0), strict=False))
    sweeps = values[..., parameter_count:].reshape(there, columns, len(channels), points)
    signals, units = _signals({name: sweeps[..., k, :] for k, name in enumerate(channels)})
    meta = {"source": path.name, "instrument": "Nanonis", "date": header.get("Date", ""),
            "grid": (columns, rows), "channels": list(signals), "parameters": sorted(parameters)}  # fmt: skip
    bias = _sweep(header, parameters, points)
    return MeasuredSpectra(bias, signals, units, _positions(header, parameters, (there, columns)), meta)


def _header(data):
    """Return the header of a grid, and the position of the first float."""
    end = data.find(b":HEADER_END:", 0, HEADER_LIMIT)
    if not data.startswith(b"Grid dim") or end < 0:
        raise FileError("is not a Nanonis .3ds file: it needs Grid dim at the start and :HEADER_END: before the data")
    lines = [line.partition("=") for line in data[:end].decode("latin-1").splitlines()]
    start = data.find(b"\n", end) + 1
    return {key.strip(): value.strip().strip('"') for key, _, value in lines}, start or len(data)


def _counts(header, key, between=None):
    """Return the counts that stand under a key."""
    words = header.get(key, "").split(between) if between else [header.get(key, "")]
    if len(words) != (2 if between else 1) or not all(word.strip().isdecimal() and len(word) < 10 for word in words):
        raise FileError(f"has no valid count under {key!r} in its header, so it is damaged")
    counts = [int(word) for word in words]
    if min(counts) < 1:
        raise FileError(f"has {header[key]} under {key!r} in its header; every count must be at least 1")
    return counts


def _sweep(header, parameters, points):
    """Return the bias (K,) [V]; it is the same for every point, or the grid cannot be put into one array."""
    if "bias" not in header.get("Sweep Signal", "").lower():
        raise FileError(f"sweeps {header.get('Sweep Signal', 'nothing')!r}; only sweeps of the bias are read")
    ends = [parameters.get(name) for name in ("Sweep Start", "Sweep End")]
    if any(end is None or not np.isfinite(end[0, 0]) for end in ends):
        raise FileError("does not say where its sweeps start and end, so it is damaged")
    if any(np.nanmax(np.abs(end - end[0, 0])) > 1e-6 for end in ends):
        raise FileError("holds sweeps over different ranges of the bias; split it by range first")
    return np.linspace(float(ends[0][0, 0]), float(ends[1][0, 0]), points)


def _positions(header, parameters, shape):
    """Return where the points lie (rows, columns, 2) [Å]: as recorded, else as planned."""
    if {"X (m)", "Y (m)"} <= set(parameters):
        return np.stack([parameters["X (m)"], parameters["Y (m)"]], axis=-1) * ANGSTROM
    settings = [number(word) for word in header.get("Grid settings", "").split(";")]
    if len(settings) < 5 or None in settings[:5]:
        return np.full((*shape, 2), np.nan)
    x, y, width, height, angle = settings[:5]
    columns, rows = _counts(header, "Grid dim", " x ")
    u = (np.arange(columns) / columns - 0.5) * width  # the instrument starts in the corner, not half a step inside
    v = (np.arange(shape[0])[:, None] / rows - 0.5) * height
    c, s = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    return np.stack([x + c * u + s * v, y - s * u + c * v], axis=-1) * ANGSTROM


def read_dat(path):
    """Read a point spectrum.

    Parameters
    ----------
    path : Path
        An existing file.

    Returns
    -------
    MeasuredSpectra
        Signals (K,); the sweep back is a signal of its own, with ``[bwd]`` in its name.

    Raises
    ------
    FileError
        If the file is damaged or sweeps anything but the bias.
    """
    text = read_bounded(path, TEXT_LIMIT).decode("latin-1")
    head, mark, body = text.partition("[DATA]")
    if not text.startswith("Experiment\t") or not mark:
        raise FileError("is not a Nanonis spectrum: it needs Experiment on its first line and [DATA] before its table")
    header = dict(line.split("\t")[:2] for line in head.splitlines() if "\t" in line)
    titles, _, rows = body.lstrip("\r\n").partition("\n")
    names = titles.rstrip("\r\n").split("\t")
    table = _table(rows, len(names))
    if not names[0].lower().startswith("bias"):
        raise FileError(f"sweeps {names[0]!r}; only sweeps of the bias are read")
    signals, units = _signals(dict(zip(names[1:], table[1:], strict=True)))
    place = [number(header.get(key, "")) for key in ("X (m)", "Y (m)")]
    position = np.array([np.nan if value is None else value for value in place]) * ANGSTROM
    meta = {"source": path.name, "instrument": "Nanonis", "date": header.get("Date", "").strip(),
            "experiment": header["Experiment"].strip(), "channels": list(signals)}  # fmt: skip
    return MeasuredSpectra(table[0], signals, units, position, meta)


def _table(rows, columns):
    """Return the columns of a table of numbers (columns, K)."""
    widths = {line.rstrip("\r").count("\t") + 1 for line in rows.split("\n") if line.strip()}
    if widths != {columns}:
        raise FileError(f"has a table of {columns} columns whose rows have {sorted(widths)[:3] or 'nothing'}; "
                        "it is truncated: copy it again from the instrument")  # fmt: skip
    return finite(np.loadtxt(io.StringIO(rows), delimiter="\t", ndmin=2)).T


def _signals(columns):
    """Return name -> values and name -> unit in SI: ``Current [bwd] (nA)`` becomes ``Current [bwd]`` in A."""
    signals, units = {}, {}
    for title, values in columns.items():
        found = COLUMN.fullmatch(title)
        name = (found["name"] + found["rest"]) if found else title
        factor, unit = si(found["unit"]) if found else (1.0, "")
        signals[name], units[name] = values * factor, unit
    return signals, units
