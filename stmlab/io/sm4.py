"""RHK ``.SM4``: pages of images or of spectra, found through lists of objects (kind, position, size).

A page's scales have a sign: along x the data run left to right where it is positive, along y bottom to top.
"""

import struct
from typing import NamedTuple

import numpy as np

from ..scan import Raster, Scan
from ._files import FileError, read_bounded
from ._frames import ANGSTROM, choose, finite, log_ratio, si
from .measured import MeasuredSpectra

SIGNATURE = "STiMage".encode("utf-16-le")
INDEX_HEADER, INDEX, HEADER, DATA, DRIFT, STRINGS = 1, 2, 3, 4, 8, 10  # kinds of objects
IMAGE, LINE = 0, 1  # kinds of pages
TOPOGRAPHY, CURRENT, IV_SPECTRUM, LEFT = 1, 2, 7, 1
MAX_PAGES = 4096
HEAD = struct.Struct("<2x H 13I 11f 4I 64x")
FIELDS = ("strings", "page_type", "source", "line_type", "x_corner", "y_corner", "x_size", "y_size", "image_type",
          "scan_type", "group", "data_size", "low", "high", "x_scale", "y_scale", "z_scale", "xy_scale", "x_offset",
          "y_offset", "z_offset", "period", "bias", "current", "angle", "colors", "grid_x", "grid_y",
          "objects")  # fmt: skip
TEXTS = ("label", "system", "session", "user", "file", "date", "time", "x_unit", "y_unit", "z_unit")


class Page(NamedTuple):
    """One image or set of spectra: its header, its texts, where its objects are, and its integers."""

    kind: int
    head: dict
    texts: dict
    objects: dict
    raw: np.ndarray  # (y_size, x_size)


def read_sm4(path, channel="Z"):
    """Read an image from an .SM4 file.

    Parameters
    ----------
    path : Path
        An existing file.
    channel : str
        ``Z`` for the topography, otherwise the label of the pages.

    Returns
    -------
    Scan
        The page that was scanned to the right is the trace, the one to the left the retrace.

    Raises
    ------
    FileError
        If the file is damaged or holds no such image.
    """
    pages = [page for page in _pages(read_bounded(path)) if page.kind == IMAGE]
    if not pages:
        raise FileError("holds no images; if it holds spectra, read it with load_spectra")
    names = sorted({_name(page) for page in pages})
    choose(names, channel)
    chosen = [page for page in pages if _name(page) == channel]
    first = chosen[0]
    raster = _raster(first.head)
    unit = si(first.texts["z_unit"])[1]
    height = _passes(chosen, raster) * (ANGSTROM if unit == "m" else 1.0)
    currents = [page for page in pages if page.head["page_type"] == CURRENT and page.raw.shape == raster.shape]
    setpoint = float(first.head["current"])
    current = _passes(currents, raster) if currents else None
    meta = _meta(first, path) | {"channels": names, "channel": channel, "unit": unit}
    return Scan(raster, height, current=log_ratio(current, setpoint), meta=meta)


def read_sm4_spectra(path):
    """Read the I(V) spectra of an .SM4 file.

    Parameters
    ----------
    path : Path
        An existing file.

    Returns
    -------
    MeasuredSpectra
        One signal per page, (N, K): N spectra of K points.

    Raises
    ------
    FileError
        If the file is damaged or holds no spectra.
    """
    data = read_bounded(path)
    pages = [page for page in _pages(data) if page.kind == LINE and page.head["line_type"] == IV_SPECTRUM]
    if not pages:
        raise FileError("holds no I(V) spectra; if it holds images, read it with load_scan")
    first = pages[0]
    bias = finite(np.arange(first.raw.shape[1]), *_scaled(first, "x"))
    same = [page for page in pages if page.raw.shape == first.raw.shape and _scaled(page, "x") == _scaled(first, "x")]
    signals, units = {}, {}
    for page in same:
        name = page.texts["label"] or f"page {len(signals) + 1}"
        signals[name], units[name] = _values(page), si(page.texts["z_unit"])[1]
    return MeasuredSpectra(bias, signals, units, _positions(data, first), _meta(first, path))


# ---- pages --------------------------------------------------------------------------------------------


def _pages(data):
    """Return the pages of images and spectra."""
    if data[2 : 2 + len(SIGNATURE)] != SIGNATURE:
        raise FileError("is not an RHK SM4 file: it does not begin with STiMage")
    (count,) = struct.unpack_from("<I", data, 42)
    at = _need(_objects(data, 58, count), INDEX_HEADER)
    page_count, count = struct.unpack_from("<2I", data, at)
    at = _need(_objects(data, at + 16, count), INDEX)
    if page_count > MAX_PAGES:
        raise FileError(f"promises {page_count} pages; at most {MAX_PAGES} are read, so it is damaged")
    pages = []
    for _ in range(page_count):
        kind, _, count, _ = struct.unpack_from("<4I", data, at + 16)
        objects = _objects(data, at + 32, count)
        at += 32 + 12 * count
        if kind in (IMAGE, LINE):
            pages.append(_page(data, kind, objects))
    if 4 * sum(page.raw.size for page in pages) > len(data):
        raise FileError("holds pages that overlap, so it is damaged; copy it again from the instrument")
    return pages


def _objects(data, at, count):
    """Return kind -> (position, size) of the first object of each kind."""
    if at + 12 * count > len(data):
        raise FileError(f"promises {count} objects that it cannot hold; copy it again from the instrument")
    found = {}
    for kind, start, size in struct.iter_unpack("<3I", data[at : at + 12 * count]):
        if start and size and start + size <= len(data):
            found.setdefault(kind, (start, size))
    return found


def _need(objects, kind):
    if kind not in objects:
        raise FileError("lacks a part that every SM4 file has; it is truncated: copy it again from the instrument")
    return objects[kind][0]


def _page(data, kind, objects):
    at = _need(objects, HEADER)
    head = dict(zip(FIELDS, HEAD.unpack_from(data, at), strict=True))
    inner = _objects(data, at + HEAD.size, head["objects"])
    start, size = _need(objects, DATA), objects[DATA][1]
    rows, columns = head["y_size"], head["x_size"]
    if not 0 < rows * columns <= size // 4:
        raise FileError(f"promises {rows} x {columns} values on a page of {size} bytes; it is damaged")
    raw = np.frombuffer(data, "<i4", rows * columns, start).reshape(rows, columns)
    return Page(kind, head, _texts(data, inner, head["strings"]), inner, raw)


def _texts(data, objects, count):
    """Return the first texts of a page by name; those that are missing are empty."""
    at, end = objects.get(STRINGS, (0, 0))
    end += at
    texts = dict.fromkeys(TEXTS, "")
    for name in TEXTS[:count]:
        if at + 2 > end:
            break
        size = 2 * struct.unpack_from("<H", data, at)[0]
        texts[name] = data[at + 2 : min(at + 2 + size, end)].decode("utf-16-le", "replace").replace("\0", " ").strip()
        at += 2 + size
    return texts


def _name(page):
    return "Z" if page.head["page_type"] == TOPOGRAPHY else page.texts["label"] or f"type {page.head['page_type']}"


def _scaled(page, axis):
    """Return step and start along an axis, or scale and offset of the values, in SI units."""
    factor = si(page.texts[f"{axis}_unit"])[0]
    return page.head[f"{axis}_scale"] * factor, page.head[f"{axis}_offset"] * factor


def _values(page):
    return finite(page.raw, *_scaled(page, "z"))


# ---- images and spectra -------------------------------------------------------------------------------


def _raster(head):
    lengths = [head["x_scale"] * head["x_size"], head["y_scale"] * head["y_size"], head["x_offset"], head["y_offset"]]
    if not np.isfinite([*lengths, head["angle"]]).all():
        raise FileError("has a frame that is not finite, so it is damaged")
    width, height, x, y = (round(length * ANGSTROM, 3) for length in lengths)
    time = head["period"] * head["x_size"]
    timing = {"line_time": time} if 0 < time < np.inf else {}  # without it, the default of `Raster`
    return Raster(
        abs(width), abs(height), head["x_size"], head["y_size"], angle=head["angle"], center=(x, y),
        direction="up" if height > 0 else "down", **timing,
    )  # fmt: skip


def _passes(pages, raster):
    """Return trace and retrace (2, L, P), both left to right, in SI units."""
    stack = np.full((2, *raster.shape), np.nan)
    for page in reversed(pages):  # of several with the same label the first one counts
        if page.raw.shape == raster.shape:
            values = _values(page)
            stack[int(page.head["scan_type"] == LEFT)] = values if page.head["x_scale"] > 0 else values[:, ::-1]
    return stack


def _positions(data, page):
    """Return where each spectrum was taken (N, 2) [Å], NaN where the file does not say."""
    count = page.raw.shape[0]
    start, size = page.objects.get(DRIFT, (0, 0))
    if size < 28 * count:
        return np.full((count, 2), np.nan)
    table = np.frombuffer(data, "<f4", 7 * count, start).reshape(count, 7)
    return finite(table[:, 1:3], ANGSTROM)


def _meta(page, path):
    value = {key: float(page.head[key]) for key in ("bias", "current")}
    return {
        "bias": value["bias"] if np.isfinite(value["bias"]) else None,
        "setpoint": value["current"] if np.isfinite(value["current"]) else None,
        "temperature": None,
        "date": f"{page.texts['date']} {page.texts['time']}".strip(),
        "comment": page.texts["user"],
        "instrument": "RHK",
        "source": path.name,
    }
