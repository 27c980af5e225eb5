"""Nanonis ``.sxm``: a text header of ``:KEY:`` lines, then big-endian floats, one frame after the other.

The frames lie in the order of acquisition and the backward one in its own order of time; Nanonis counts the
angle of the frame clockwise, in degrees, and the offset is the frame's centre.
"""

from typing import NamedTuple

import numpy as np

from ..scan import Raster, Scan
from ._files import FileError

HEADER_LIMIT = 2**20  # real headers are 1 to 20 kB
ANGSTROM = 1e10  # Å per m
DTYPES = {("FLOAT", "MSBFIRST"): ">f4", ("FLOAT", "LSBFIRST"): "<f4"}
PASSES = {"both": (0, 1), "forward": (0,), "backward": (1,)}


class Channel(NamedTuple):
    """One line of the header's table of recorded signals."""

    name: str
    unit: str
    passes: tuple  # 0: trace, 1: retrace


def read_sxm(path, channel="Z"):
    """Read one Nanonis scan.

    Parameters
    ----------
    path : Path
        An existing file.
    channel : str
        Signal to return as `Scan.height`. Metres become Å; other units stay as they are, and
        ``meta["unit"]`` tells which.

    Returns
    -------
    Scan
        With `current` = ln(\\|I\\| / I_set), NaN where I is 0 or was not recorded.

    Raises
    ------
    FileError
        If the header is not one of Nanonis, the data do not fit it, or the channel is not in it.
    """
    with open(path, "rb") as file:
        header, start = read_header(file)
        raster, channels = _raster(header), _channels(header)
        chosen = _choose(channels, channel)
        _check_size(file.seek(0, 2) - start, raster, channels)
        height = _frames(file, start, header, raster, channels, chosen)
        meta = _meta(header, channels, chosen) | {"source": path.name}
        current = _log_current(file, start, header, raster, channels, meta["setpoint"])
    return Scan(raster, height * (ANGSTROM if chosen.unit == "m" else 1.0), current=current, meta=meta)


def read_header(file):
    """Return the header, key -> its lines, and the position of the first data byte."""
    head = file.read(HEADER_LIMIT)
    if not head.startswith(b":NANONIS_VERSION:"):
        raise FileError("is not a Nanonis .sxm file: it does not begin with :NANONIS_VERSION:")
    end = head.find(b":SCANIT_END:")
    start = head.find(b"\x1a\x04", end, end + 64) + 2
    if end < 0 or start < 2:
        raise FileError("has a header without an end, so it is truncated; copy it again from the instrument")
    header, lines = {}, []
    for line in head[:end].decode("latin-1").splitlines():
        if len(line) > 2 and line[0] == ":" and line.rstrip()[-1] == ":":
            lines = header.setdefault(line.strip().strip(":"), [])
        else:
            lines.append(line)
    return header, start


def _first(header, *keys):
    """Return the first line that is not blank under the first key that has one, else an empty string."""
    lines = (line.strip() for key in keys for line in header.get(key, ()) if line.strip())
    return next(lines, "")


def _numbers(header, key, kind=float):
    try:
        first, second = map(kind, _first(header, key).split())
    except ValueError:
        raise FileError(f"has no two numbers under :{key}: in its header, so it is damaged") from None
    return first, second


def _number(words):
    """Return the first of `words` as a finite float, or None."""
    try:
        value = float(words.split()[0])
    except (ValueError, IndexError):
        return None
    return value if np.isfinite(value) else None


def _raster(header):
    pixels, lines = _numbers(header, "SCAN_PIXELS", int)
    width, height = _numbers(header, "SCAN_RANGE")
    center = _numbers(header, "SCAN_OFFSET") if "SCAN_OFFSET" in header else (0.0, 0.0)
    if not np.isfinite([width, height, *center]).all():
        raise FileError("has a frame that is not finite (:SCAN_RANGE:, :SCAN_OFFSET:), so it is damaged")
    time = _number(_first(header, "SCAN_TIME"))
    timing = {"line_time": time} if time else {}  # without it, the default of `Raster`
    width, height, x, y = (round(length * ANGSTROM, 6) for length in (width, height, *center))
    return Raster(
        width, height, pixels, lines,
        angle=0.0 - (_number(_first(header, "SCAN_ANGLE")) or 0.0),
        center=(x, y),
        direction=_first(header, "SCAN_DIR").lower(), **timing,
    )  # fmt: skip


def _channels(header):
    """Return the recorded signals in the order of their frames."""
    rows = [line.strip("\t ").split("\t") for line in header.get("DATA_INFO", ()) if line.strip()]
    try:
        name, unit, passes = (rows[0].index(column) for column in ("Name", "Unit", "Direction"))
        return [Channel(row[name], row[unit], PASSES[row[passes]]) for row in rows[1:]]
    except (LookupError, ValueError):
        raise FileError("has no valid table of channels under :DATA_INFO:, so it is damaged") from None


def _choose(channels, name):
    for channel in channels:
        if channel.name == name:
            return channel
    there = ", ".join(channel.name for channel in channels) or "none"
    raise FileError(f"has no channel {name!r}; choose one of: {there}")


def _check_size(there, raster, channels):
    """Compare the bytes of data with what the header promises, before anything is allocated."""
    wanted = 4 * raster.lines * raster.pixels * sum(len(channel.passes) for channel in channels)
    if there < wanted:
        raise FileError(f"is truncated: {there} of {wanted} bytes of data; copy it again from the instrument")
    if there > wanted:
        raise FileError(f"holds {there} bytes of data where its header promises {wanted}; it is damaged")


def _frames(file, start, header, raster, channels, chosen):
    """Return one channel, (2, L, P), the retrace on the trace's columns; NaN where nothing was recorded."""
    dtype = DTYPES.get(tuple(_first(header, "SCANIT_TYPE").split()))
    if dtype is None:
        raise FileError("holds data of an unknown type under :SCANIT_TYPE:; only FLOAT is known")
    before = sum(len(channel.passes) for channel in channels[: channels.index(chosen)])
    size = 4 * raster.lines * raster.pixels
    file.seek(start + before * size)
    data = np.frombuffer(file.read(len(chosen.passes) * size), dtype).reshape(-1, *raster.shape)
    frames = np.full((2, *raster.shape), np.nan)
    with np.errstate(invalid="ignore"):  # a signalling NaN of an aborted scan
        frames[list(chosen.passes)] = data
    frames[1] = frames[1, :, ::-1].copy()
    return np.where(np.isfinite(frames), frames, np.nan)


def _log_current(file, start, header, raster, channels, setpoint):
    """Return ln(|I| / I_set), (2, L, P), or None where the file has no current or no setpoint."""
    chosen = next((channel for channel in channels if channel.name == "Current"), None)
    if chosen is None or not setpoint:
        return None
    current = np.abs(_frames(file, start, header, raster, channels, chosen))
    return np.log(np.where(current > 0, current, np.nan)) - np.log(abs(setpoint))


def _setpoint(header):
    """Return the current the feedback held [A], or None where it held something else."""
    rows = [line.strip("\t ").split("\t") for line in header.get("Z-CONTROLLER", ()) if line.strip()]
    table = dict(zip(rows[0], rows[1], strict=False)) if len(rows) > 1 else {}
    value, _, unit = table.get("Setpoint", "").partition(" ")
    if not value:
        value, unit = _first(header, "Z-Controller>Setpoint"), _first(header, "Z-Controller>Setpoint unit")
    return _number(value) if unit.strip() == "A" else None


def _date(header):
    """Return when the scan was recorded as ISO 8601, or what the header says where that cannot be read."""
    date, time = _first(header, "REC_DATE"), _first(header, "REC_TIME")
    day, month, year = (date.split(".") + ["", "", ""])[:3]
    return f"{year}-{month}-{day}T{time}" if year else f"{date} {time}".strip()


def _meta(header, channels, chosen):
    return {
        "bias": _number(_first(header, "BIAS", "Bias>Bias (V)")),
        "setpoint": _setpoint(header),
        "temperature": _number(_first(header, "REC_TEMP")),
        "date": _date(header),
        "comment": "\n".join(header.get("COMMENT", ())).strip(),
        "instrument": "Nanonis",
        "scan_time": [_number(word) for word in _first(header, "SCAN_TIME").split()],
        "channels": [channel.name for channel in channels],
        "channel": chosen.name,
        "unit": chosen.unit,
    }
