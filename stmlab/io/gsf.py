"""Gwyddion Simple Field ``.gsf``: one image, a text header and 32-bit floats; row 0 is the top of the picture."""

import numpy as np

from ..scan import Raster, Scan
from ._files import FileError, read_bounded
from ._frames import ANGSTROM, choose, finite, number, si

MAGIC = b"Gwyddion Simple Field 1.0\n"
HEADER_LIMIT = 2**20  # bytes


def read_gsf(path, channel="Z"):
    """Read a simple field.

    Parameters
    ----------
    path : Path
        An existing file.
    channel : str
        ``Z`` for an image in metres; otherwise the title.

    Returns
    -------
    Scan
        The image is the trace, its top row the one that was scanned first; the retrace is NaN.

    Raises
    ------
    FileError
        If the file is damaged, or holds something other than the channel.

    References
    ----------
    Gwyddion user guide, "Simple Field Files", https://gwyddion.net/documentation/user-guide-en/gsf.html.
    """
    data = read_bounded(path)
    end = data.find(b"\0", len(MAGIC), HEADER_LIMIT)
    if not data.startswith(MAGIC) or end < 0:
        raise FileError("is not a Gwyddion simple field: it lacks the first line or the end of the header")
    lines = [line.partition("=") for line in data[len(MAGIC) : end].decode("utf-8", "replace").splitlines()]
    head = {key.strip(): value.strip() for key, _, value in lines}
    raster = _raster(head)
    start, wanted = end + 4 - end % 4, 4 * raster.lines * raster.pixels
    if len(data) - start != wanted:
        raise FileError(f"needs {wanted} bytes of data and holds {max(0, len(data) - start)}; copy it again")
    factor, unit = si(head.get("ZUnits", ""))
    name = "Z" if unit == "m" else head.get("Title", "") or "untitled"
    choose([name], channel)
    image = finite(np.frombuffer(data, "<f4", offset=start).reshape(raster.shape), factor)
    image = image * (ANGSTROM if unit == "m" else 1.0)
    meta = {"bias": None, "setpoint": None, "temperature": None, "source": path.name, "channels": [name],
            "channel": name, "unit": unit, "title": head.get("Title", "")}  # fmt: skip
    return Scan(raster, np.stack([image, np.full_like(image, np.nan)]), meta=meta)


def _raster(head):
    pixels, lines = head.get("XRes", ""), head.get("YRes", "")
    if not all(word.isdecimal() and len(word) < 7 for word in (pixels, lines)):
        raise FileError(f"has no valid counts XRes = {pixels!r} and YRes = {lines!r}, so it is damaged")
    factor, unit = si(head.get("XYUnits", ""))
    width, height = (number(head.get(key, "")) for key in ("XReal", "YReal"))
    if width is None or height is None or unit != "m":
        raise FileError("does not give its size in metres (XReal, YReal, XYUnits); add it with a text editor")
    left, top = (number(head.get(key, "")) or 0.0 for key in ("XOffset", "YOffset"))
    width, height, x, y = (
        round(length * factor * ANGSTROM, 6) for length in (width, height, left + width / 2, -(top + height / 2))
    )
    return Raster(width, height, int(pixels), int(lines), center=(x, y), direction="down")
