"""Anfatec: a text header ``.txt`` that lists raw ``.int`` files, one per channel and pass, of little-endian int32.

The files lie as Gwyddion shows them: the first row is the top of the picture and x runs from left to right in both
passes. The header does not say whether the frame was scanned upwards or downwards; downwards is assumed.
"""

from typing import NamedTuple

import numpy as np

from ..scan import Raster, Scan
from ._files import FileError, read_bounded
from ._frames import ANGSTROM, choose, finite, log_ratio, number, si

MAGIC = b";ANFATEC Parameterfile"
HEADER_LIMIT = 2**20  # bytes; real headers are a few kB
PASSES = ("Fwd", "Bwd")
HEIGHT = ("topo", "topography", "z")


class Channel(NamedTuple):
    """One ``.int`` file, and what its integers mean."""

    name: str
    which: int  # 0: trace, 1: retrace
    file: str
    scale: float
    unit: str


def read_anfatec(path, channel="Z"):
    """Read one Anfatec scan.

    Parameters
    ----------
    path : Path
        The header, or one of its ``.int`` files.
    channel : str
        ``Z`` for the topography, otherwise the end of the file names without Fwd and Bwd.

    Returns
    -------
    Scan
        Lengths in Å. A pass whose file is missing is NaN.

    Raises
    ------
    FileError
        If the header is missing or damaged, or a file is too short.
    """
    path = path if path.suffix.lower() == ".txt" else _find_header(path)
    head, listed = _header(read_bounded(path, HEADER_LIMIT))
    channels = [_channel(entry, path.stem) for entry in listed]
    names = list(dict.fromkeys(item.name for item in channels))
    choose(names, channel)
    raster = _raster(head)
    height = _passes(path, [item for item in channels if item.name == channel], raster)
    if height is None:
        raise FileError(f"lists files of channel {channel!r}, none of which is there; copy them beside it")
    unit = next(item.unit for item in channels if item.name == channel)
    meta = _meta(head, path) | {"channels": names, "channel": channel, "unit": unit}
    currents = [item for item in channels if item.unit == "A"]
    current = _passes(path, currents, raster) if meta["setpoint"] else None
    return Scan(raster, height * (ANGSTROM if unit == "m" else 1.0),
                current=log_ratio(current, meta["setpoint"]), meta=meta)  # fmt: skip


def _find_header(path):
    """Return the header beside an ``.int`` file that lists it: the longest name with which it begins."""
    stems = {other.stem: other for other in path.parent.iterdir() if other.suffix.lower() == ".txt"}
    for stem in sorted(stems, key=len, reverse=True):
        if path.name.startswith(stem) and MAGIC in _begin(stems[stem]):
            return stems[stem]
    raise FileError("needs its header, a .txt file of Anfatec in the same folder; copy that too")


def _begin(path):
    with open(path, "rb") as file:
        return file.read(256)


def _header(data):
    """Return the parameters, and a dictionary for each listed file."""
    if MAGIC not in data[:256]:
        raise FileError("is not an Anfatec header: its first line must be ;ANFATEC Parameterfile")
    head, listed, inside = {}, [], None
    for line in data.decode("latin-1").splitlines():
        words = line.strip()
        key, colon, value = words.partition(":")
        if words == "FileDescBegin":
            inside = {}
        elif words == "FileDescEnd" and inside is not None:
            listed.append(inside)
            inside = None
        elif colon and not words.startswith(";"):
            (head if inside is None else inside)[key.strip()] = value.strip()
    if not listed:
        raise FileError("lists no complete image between FileDescBegin and FileDescEnd, so it is truncated")
    return head, listed


def _channel(entry, stem):
    """Return what a listed file is; its name ends in the channel and the pass."""
    file = entry.get("FileName", "")
    if not file or any(mark in file for mark in "/\\:\0"):
        raise FileError(f"lists the file {file!r}, which is not a plain name; it is damaged")
    name = file.rsplit(".", 1)[0].removeprefix(stem)
    which = int(name.endswith(PASSES[1]))
    name = name.removesuffix(PASSES[which]) or entry.get("Caption", "") or file
    factor, unit = si(entry.get("PhysUnit", ""))
    scale = number(entry.get("Scale", "1"), ",")
    if not scale:
        raise FileError(f"has no valid Scale for {file}, so it is damaged")
    return Channel("Z" if name.lower() in HEIGHT else name, which, file, scale * factor, unit)


def _raster(head):
    pixels, lines = (head.get(key, "") for key in ("xPixel", "yPixel"))
    if not all(word.isdecimal() and len(word) < 7 for word in (pixels, lines)):
        raise FileError(f"has no valid counts xPixel = {pixels!r} and yPixel = {lines!r}, so it is damaged")
    lengths = []
    for key, unit, default in (("XScanRange", "XPhysUnit", None), ("YScanRange", "YPhysUnit", None),
                               ("xCenter", "XPhysUnit", 0.0), ("yCenter", "YPhysUnit", 0.0)):  # fmt: skip
        value = number(head.get(key, ""), ",")
        value = default if value is None else value
        factor, base = si(head.get(unit, "nm"))
        if value is None or base != "m":
            raise FileError(f"has no length under {key}, so it is damaged")
        lengths.append(round(value * factor * ANGSTROM, 6))
    rate = number(head.get("LineRate", ""), ",")
    timing = {"line_time": 0.5 / rate} if rate and rate > 0 else {}  # without it, the default of `Raster`
    return Raster(abs(lengths[0]), abs(lengths[1]), int(pixels), int(lines), center=tuple(lengths[2:]),
                  angle=number(head.get("Angle", ""), ",") or 0.0, direction="down", **timing)  # fmt: skip


def _passes(path, channels, raster):
    """Return trace and retrace (2, L, P) in SI units, or None where no file is there."""
    stack = None
    for item in channels:
        file = path.with_name(item.file)
        if not file.is_file():
            continue
        data, wanted = read_bounded(file), 4 * raster.lines * raster.pixels
        if len(data) != wanted:
            raise FileError(f"needs {wanted} bytes in {item.file}, which has {len(data)}; copy it again")
        stack = np.full((2, *raster.shape), np.nan) if stack is None else stack
        stack[item.which] = finite(np.frombuffer(data, "<i4").reshape(raster.shape), item.scale)
    return stack


def _meta(head, path):
    values = {}
    for key, base in (("SetPoint", "A"), ("Bias", "V")):
        value, (factor, unit) = number(head.get(key, ""), ","), si(head.get(f"{key}PhysUnit", ""))
        values[key] = value * factor if value is not None and unit == base else None
    return {
        "bias": values["Bias"],
        "setpoint": values["SetPoint"],
        "temperature": None,
        "date": f"{head.get('Date', '')} {head.get('Time', '')}".strip(),
        "instrument": "Anfatec",
        "source": path.name,
    }
