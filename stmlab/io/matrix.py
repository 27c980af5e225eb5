"""Omicron MATRIX: one ``.Z_mtrx`` per channel and frame, and the session's ``.mtrx`` that says what it means.

Both are nested blocks: a tag of four letters, the number of bytes, for most a time stamp, then the contents. The
session's file is a diary: parameters are listed once, each change is noted as it happens, and the name of an
image is noted when it is finished. Lines lie as they were recorded: forward, backward, forward, ...; where the
frame is scanned up and down, all lines upwards come first.
"""

import re
import struct
from pathlib import Path

import numpy as np

from ..scan import Raster, Scan
from ._files import FileError, read_bounded
from ._frames import ANGSTROM, check_frame, choose, finite, log_ratio, si

MAGIC = b"ONTMATRX0101"
PLAIN = (b"REFX", b"NACS", b"TCID", b"SCHC", b"TSNI", b"SXNC", b"LNEG", b"CSED", b"ATAD")  # without a time stamp
ELEMENTS = ("XYScanner", "GapVoltageControl", "Regulator")  # whose parameters are kept
NAME = re.compile(r"(?P<session>.*)--(?P<cycle>\d+_\d+)\.(?P<channel>.*)_mtrx", re.IGNORECASE | re.DOTALL)
DIARY_BYTES, DIARY_FILES = 2**26, 100  # of one session; real ones are a few MiB


def read_parameter_file(path, channel="Z"):
    """Say that a session's diary is not an image."""
    raise FileError("holds a session's parameters, not an image; give the .Z_mtrx file beside it")


def read_mtrx(path, channel="Z"):
    """Read one MATRIX image with the session's parameters that lie beside it.

    Parameters
    ----------
    path : Path
        Such as ``20201111--4_1.Z_mtrx``; ``20201111_0001.mtrx`` must lie in the same folder.
    channel : str
        Which channel of this frame becomes `Scan.height`: ``Z`` is in ``.Z_mtrx``, ``I`` in ``.I_mtrx`` and so on.
        ``Z down`` is the second half of a frame that was scanned up and down.

    Returns
    -------
    Scan
        Lines that were not recorded are NaN. `current` is read from ``.I_mtrx`` if that is there.

    Raises
    ------
    FileError
        If a file is damaged, the parameters are missing, or there is no such channel.
    """
    parts = NAME.fullmatch(path.name)
    if parts is None:
        raise FileError("is not named SESSION--RUN_CYCLE.CHANNEL_mtrx, so its parameters cannot be found; rename it")
    files = _siblings(path, parts)
    name, _, direction = channel.partition(" ")
    choose(sorted(files), name)
    diary = _read_diary(path, parts["session"], f"{parts['session']}--{parts['cycle']}.")
    raster, passes, half = _raster(diary, direction or "up")
    height, unit = _image(files[name], diary, name, raster, passes, half)
    meta = _meta(diary, path, sorted(files)) | {"channel": channel, "unit": unit}
    current = _image(files["I"], diary, "I", raster, passes, half)[0] if "I" in files else None
    return Scan(raster, height, current=log_ratio(current, meta["setpoint"]), meta=meta)


def _siblings(path, parts):
    """Return channel -> path of every image of the same frame."""
    files = {parts["channel"]: path}
    for other in path.parent.iterdir():
        found = NAME.fullmatch(other.name)
        if found and (found["session"], found["cycle"]) == (parts["session"], parts["cycle"]):
            files.setdefault(found["channel"], other)
    return files


# ---- the diary ----------------------------------------------------------------------------------------


class _Walk:
    """A position in bytes that never passes the end of its block."""

    def __init__(self, data, start, end):
        self.data, self.at, self.end = data, start, end

    def take(self, size):
        """Return where the next `size` bytes start, and step over them."""
        if size > self.end - self.at:
            raise FileError("is truncated inside a block; copy it again from the instrument")
        self.at += size
        return self.at - size

    def unpack(self, kind):
        return struct.unpack_from(kind, self.data, self.take(struct.calcsize(kind)))[0]

    def text(self):
        size = 2 * self.unpack("<I")
        start = self.take(size)
        return self.data[start : start + size].decode("utf-16-le")

    def value(self):
        """Return a value with a tag: a truth, an integer, a real number or a text."""
        start = self.take(4)
        tag = self.data[start : start + 4]
        if tag == b"GRTS":
            return self.text()
        kinds = {b"LOOB": "<I", b"GNOL": "<i", b"BUOD": "<d"}
        if tag not in kinds:
            raise FileError(f"holds a value of an unknown kind {tag!r}; it is damaged")
        return bool(self.unpack("<I")) if tag == b"LOOB" else self.unpack(kinds[tag])

    def blocks(self):
        """Yield tag and contents of every block up to the end."""
        while self.at < self.end:
            start = self.take(4)
            tag, size = self.data[start : start + 4], self.unpack("<I")
            self.take(0 if tag in PLAIN else 8)
            inside = self.take(size)
            yield tag, _Walk(self.data, inside, inside + size)


def _read_diary(path, session, frame):
    """Return what held when a frame was finished: parameters, names and units of channels, transfer functions."""
    diary, left = {"parameters": {}, "names": {}, "transfer": {}}, DIARY_BYTES
    for k in range(1, DIARY_FILES + 1):
        part = path.with_name(f"{session}_{k:04d}.mtrx")
        if not part.is_file():
            break
        data = read_bounded(part, left)
        left -= len(data)
        if data[: len(MAGIC)] != MAGIC:
            raise FileError(f"belongs to {part.name}, which is not a MATRIX file; copy that one again")
        for tag, block in _Walk(data, len(MAGIC), len(data)).blocks():
            if tag == b"FERB" and _image_name(block).startswith(frame):
                return diary
            ENTRIES.get(tag, lambda *_: None)(block, diary)
    else:
        k += 1
    missing = "is missing" if k == 1 else "does not mention it"
    raise FileError(f"needs the parameters of its session, but {session}_0001.mtrx {missing}; "
                    "copy the session's .mtrx files into the same folder")  # fmt: skip


def _image_name(block):
    block.take(4)
    return block.text()


def _elements(block, diary):
    """Note the parameters of every element, as they were when the session began."""
    block.take(4)
    for _ in range(block.unpack("<I")):
        element = block.text()
        for _ in range(block.unpack("<I")):
            _parameter(block, diary, element)


def _change(block, diary):
    """Note the change of one parameter."""
    block.take(4)
    _parameter(block, diary, block.text())


def _parameter(block, diary, element):
    name, unit = block.text(), block.text()
    block.take(4)
    value = block.value()
    if element in ELEMENTS:
        diary["parameters"][f"{element}.{name}"] = (value, unit)


def _system(block, diary):
    block.take(4)
    for tag, inner in block.blocks():
        if tag in (b"TCID", b"REFX"):
            ENTRIES[tag](inner, diary)


def _dictionary(block, diary):
    """Note number -> name and unit of the channels."""
    block.take(8)
    for _ in range(block.unpack("<I")):
        block.take(16)
        block.text(), block.text()
    for _ in range(block.unpack("<I")):
        block.take(4)
        key = block.unpack("<I")
        block.take(8)
        diary["names"][key] = (block.text(), block.text())


def _transfer(block, diary):
    """Note number -> kind and constants of the channels' transfer functions."""
    while block.at < block.end:
        block.take(4)
        key, kind, _ = block.unpack("<I"), block.text(), block.text()
        diary["transfer"][key] = (kind, {block.text(): block.value() for _ in range(block.unpack("<I"))})


ENTRIES = {b"APEE": _elements, b"DOMP": _change, b"YSCC": _system, b"TCID": _dictionary, b"REFX": _transfer}


# ---- the image ----------------------------------------------------------------------------------------


def _value(diary, name, default=None):
    """Return a parameter in SI units."""
    value, unit = diary["parameters"].get(name, (default, ""))
    if value is None:
        raise FileError(f"belongs to a session that does not state {name}; the .mtrx file is damaged")
    return value * si(unit)[0] if isinstance(value, float) else value


def _raster(diary, direction):
    """Return the frame, the number of passes, and which half of the file to take (0 or 1)."""
    get = lambda name, default=None: _value(diary, f"XYScanner.{name}", default)  # noqa: E731
    halves = ("up", "down") if get("Y_Retrace") else ("up",)
    choose(halves, direction)
    pixels, lines, passes = get("Points"), get("Lines"), 2 if get("X_Retrace") else 1
    width, height, x, y = (
        round(get(name, default) * ANGSTROM, 6)
        for name, default in (("Width", None), ("Height", None), ("X_Offset", 0.0), ("Y_Offset", 0.0))
    )
    raster = Raster(width, height, pixels, lines, angle=float(get("Angle", 0.0)), center=(x, y),
                    line_time=pixels * get("Raster_Time"), direction=direction)  # fmt: skip
    return raster, passes, halves.index(direction)


def _image(path, diary, name, raster, passes, half):
    """Return one channel (2, L, P), lengths in Å, and its unit."""
    raw = _raw(path)
    lines, pixels = raster.shape
    check_frame(lines, pixels, raw.size)
    rows = raw[: raw.size // (pixels * passes) * pixels * passes].reshape(-1, passes, pixels)
    rows = rows[half * lines : (half + 1) * lines]
    if not rows.size:
        raise FileError(f"holds no complete line of this frame ({path.name}); it was stopped before one was recorded")
    unit, scale, offset = _calibration(diary, name)
    image = np.full((2, lines, pixels), np.nan)
    image[:passes, : len(rows)] = finite(rows.swapaxes(0, 1), scale, offset)
    image[1] = image[1, :, ::-1].copy()
    return image * (ANGSTROM if unit == "m" else 1.0), unit


def _raw(path):
    """Return the integers of an image file."""
    data = read_bounded(path)
    if data[: len(MAGIC)] != MAGIC:
        raise FileError(f"is not a MATRIX file: {path.name} does not begin with {MAGIC.decode()}")
    tag, block = next(_Walk(data, len(MAGIC), len(data)).blocks(), (b"", None))
    if tag != b"TLKB":
        raise FileError("holds no data block; copy it again from the instrument")
    block.take(4)
    count = 0
    for tag, inner in block.blocks():
        if tag == b"CSED":
            inner.take(24)
            count = inner.unpack("<I")
        elif tag == b"ATAD":
            return np.frombuffer(data, "<i4", count, inner.take(4 * count))
    raise FileError("holds no data block; copy it again from the instrument")


def _calibration(diary, name):
    """Return unit, scale and offset of a channel: value = scale raw + offset."""
    keys = [key for key, (known, _) in diary["names"].items() if known == name and key in diary["transfer"]]
    if not keys:
        raise FileError(f"belongs to a session that does not say how channel {name!r} is calibrated")
    unit, (kind, c) = diary["names"][max(keys)][1], diary["transfer"][max(keys)]
    if kind == "TFF_Linear1D":
        scale = 1 / c["Factor"]
    elif kind == "TFF_MultiLinear1D":
        scale = (c["Raw_1"] - c["PreOffset"]) / (c["NeutralFactor"] * c["PreFactor"])
    else:
        raise FileError(f"has a channel {name!r} with the unknown transfer function {kind}")
    factor, unit = si(unit)
    return unit, scale * factor, -scale * factor * c["Offset"]


def _meta(diary, path, channels):
    parameters = diary["parameters"]
    setpoint, unit = parameters.get("Regulator.Setpoint_1", (None, ""))
    bias = parameters.get("GapVoltageControl.Voltage", (None, ""))[0]
    return {
        "bias": bias,
        "setpoint": setpoint * si(unit)[0] if isinstance(setpoint, float) and si(unit)[1] == "A" else None,
        "temperature": None,
        "instrument": "Omicron MATRIX",
        "channels": channels,
        "source": Path(path).name,
    }
