"""Gwyddion's native ``.gwy``: nested objects of named, typed components.

Written with gwyfile. Read by the walk below, which never reads past the end of an object: gwyfile 0.3 loops
for ever on some damaged files. Row 0 of a Gwyddion field is the top of the picture.
"""

import io
import re
import struct

import numpy as np

from ..scan import Raster, Scan
from ._files import FileError, need, read_bounded
from .images import picture, recorded
from .provenance import describe, quantity, restore

PASSES = ("trace", "retrace")
CURRENT = "ln(I/I_set)"
SCALARS = {"b": "<B", "c": "<B", "i": "<i", "q": "<q", "d": "<d"}
ARRAYS = {"C": "u1", "I": "<i4", "Q": "<i8", "D": "<f8"}
DEPTH = 16  # Gwyddion nests three deep


# ---- writing ------------------------------------------------------------------------------------------


def encode_gwy(scan):
    """Return the bytes of a .gwy file: height and current error of both passes, masks, metadata."""
    gwyfile = need("gwyfile")
    container = gwyfile.objects.GwyContainer()
    meta = _metadata(gwyfile, scan)
    for k, (title, image, unit) in enumerate(_channels(scan)):
        container[f"/{k}/data"] = _field(gwyfile, scan.raster, image, unit)
        container[f"/{k}/data/title"], container.typecodes[f"/{k}/data/title"] = title, "s"
        container[f"/{k}/data/visible"] = k == 0
        container[f"/{k}/meta"] = meta
        if not np.isfinite(image).all():  # shown by Gwyddion as a mask, and how the reader finds them again
            container[f"/{k}/mask"] = _field(gwyfile, scan.raster, 1.0 - np.isfinite(image), "")
    buffer = io.BytesIO()
    container.tofile(buffer)
    return buffer.getvalue()


def _channels(scan):
    """Yield title, image (L, P) in the order of acquisition, and unit of whatever the scan holds."""
    name, unit, scale = quantity(scan)
    stacks = [(name, scan.height * scale, unit)]
    if scan.current is not None:
        stacks.append((CURRENT, scan.current, ""))
    for title, stack, its_unit in stacks:
        for k, image in zip(PASSES, stack, strict=True):
            if np.isfinite(image).any():
                yield f"{title} {k}", image, its_unit
    if scan.lattice is not None and scan.defects is not None:
        for title, mask in zip(("mask lattice", "mask defects"), scan.masks(), strict=True):
            yield title, mask, ""


def _field(gwyfile, raster, image, unit):
    """Return a data field as Gwyddion shows it; what is not finite gets the mean, which Gwyddion can draw."""
    finite = np.isfinite(image)
    shown = picture(np.where(finite, image, image[finite].mean()), raster)[::-1]
    width, height = raster.extent
    return gwyfile.objects.GwyDataField(
        np.ascontiguousarray(shown, dtype=float), xreal=width * 1e-10, yreal=height * 1e-10,
        si_unit_xy=_unit(gwyfile, "m"), si_unit_z=_unit(gwyfile, unit),
    )  # fmt: skip


def _unit(gwyfile, name):
    return gwyfile.objects.GwySIUnit(unitstr=name)


def _metadata(gwyfile, scan):
    """Return what Gwyddion's metadata browser lists."""
    texts = describe(scan) | {"name": quantity(scan)[0]}
    for key, unit in (("bias", "V"), ("setpoint", "A"), ("temperature", "K")):
        if scan.meta.get(key) is not None:
            texts[key] = f"{scan.meta[key]:.6g} {unit}"
    texts = {key: text.replace("\0", " ") for key, text in texts.items()}
    # Without a type code gwyfile writes a text of one letter as a character, which Gwyddion refuses here.
    return gwyfile.objects.GwyObject("GwyContainer", texts, typecodes=dict.fromkeys(texts, "s"))


# ---- reading ------------------------------------------------------------------------------------------


def read_gwy(path, channel="Z"):
    """Read a .gwy file.

    Parameters
    ----------
    path : Path
        An existing file.
    channel : str
        Of a file that stmlab wrote: the name before "trace" and "retrace". Of any other: the title of the
        channel; "Z" takes the first one in metres.

    Returns
    -------
    Scan
        A field of another program's file becomes the trace, its top row the one that was scanned first;
        its retrace is NaN and its line time is the default of `Raster`, since neither is in the file.

    Raises
    ------
    FileError
        If the file is damaged or holds no such channel.
    """
    data = read_bounded(path)
    if data[:4] != b"GWYP":
        raise FileError("is not a Gwyddion file: it does not begin with GWYP")
    (_, container), _ = _object(data, 4, len(data), 0)
    fields = dict(_fields(container))
    meta = _our_metadata(container)
    scan = _ours(fields, meta, channel) if meta else _foreign(fields, channel)
    return Scan(**scan | {"meta": {**scan["meta"], "source": path.name}})


def _ours(fields, meta, channel):
    raster, known = restore(meta)
    height = _passes(fields, channel, raster)
    if height is None:
        names = sorted({title.rsplit(" ", 1)[0] for title in fields if title.endswith(PASSES)})
        raise FileError(f"has no channel {channel!r}; choose one of: {', '.join(names)}")
    in_metres = any(unit == "m" for title, (_, unit, _) in fields.items() if title.startswith(f"{channel} "))
    height = _scaled(height, "m" if in_metres else "")
    return {"raster": raster, "height": height, "current": _passes(fields, CURRENT, raster), **known}


def _passes(fields, name, raster):
    """Return both passes of a channel, (2, L, P) in the order of acquisition, or None where it has none."""
    there = [fields.get(f"{name} {which}") for which in PASSES]
    if there == [None, None]:
        return None
    images = np.full((2, *raster.shape), np.nan)
    for k, found in enumerate(there):
        if found is not None:
            images[k] = recorded(found[0][::-1], raster)
    return images


def _scaled(image, unit):
    """Return lengths in Å and all else as it is; what is then not a number is missing."""
    with np.errstate(over="ignore"):
        image = image * (1e10 if unit == "m" else 1.0)
    return np.where(np.isfinite(image), image, np.nan)


def _foreign(fields, channel):
    named = [title for title in fields if title == channel]
    metres = [title for title, (_, unit, _) in fields.items() if unit == "m" and channel == "Z"]
    if not named + metres:
        there = ", ".join(fields) or "none"
        raise FileError(f"has no channel {channel!r}; choose one of: {there}")
    title = (named + metres)[0]
    image, unit, size = fields[title]
    raster = Raster(size[0] * 1e10, size[1] * 1e10, image.shape[1], image.shape[0], direction="down")
    trace = _scaled(image, unit)
    meta = {"channel": title, "unit": unit, "channels": list(fields)}
    return {"raster": raster, "height": np.stack([trace, np.full_like(trace, np.nan)]), "meta": meta}


def _our_metadata(container):
    """Return the texts that `describe` wrote, or an empty dict for another program's file."""
    metas = (value for key, value in container.items() if key.endswith("/meta") and isinstance(value, tuple))
    return next((texts for _, texts in metas if "raster" in texts), {})


def _fields(container):
    """Yield title -> (image with NaN under our mask of missing values, unit, (width, height) in metres)."""
    ours = bool(_our_metadata(container))
    for key in container:
        if match := re.fullmatch(r"/(\d{1,9})/data", key):
            image, unit, size = _image(container[key])
            mask = container.get(f"/{match[1]}/mask")
            if ours and mask is not None:
                image = np.where(_image(mask)[0] > 0.5, np.nan, image)
            yield str(container.get(f"{key}/title", f"channel {match[1]}")), (image, unit, size)


def _image(value):
    """Return array (L, P), unit and size of a data field."""
    kind, field = value
    if kind != "GwyDataField" or min(field["xres"], field["yres"]) < 1:
        raise FileError("holds a data field without pixels, so it is damaged")
    unit = field.get("si_unit_z", ("", {}))[1].get("unitstr", "")
    size = field.get("xreal", 1.0), field.get("yreal", 1.0)
    return field["data"].reshape(field["yres"], field["xres"]), unit, size


def _object(data, at, stop, depth):
    """Return (type, components) of the object at `at`, and where it ends."""
    if depth > DEPTH:
        raise FileError(f"nests objects more than {DEPTH} deep, so it is damaged")
    kind, at = _text(data, at, stop)
    (size,), at = _unpack("<I", data, at, stop)
    end = _within(at + size, stop)
    components = {}
    while at < end:
        name, at = _text(data, at, end)
        code = data[at : at + 1].decode("latin-1")
        components[name], at = _value(code, data, _within(at + 1, end), end, depth)
    return (kind, components), end


def _value(code, data, at, stop, depth):
    """Return the value of one component and where it ends."""
    if code in SCALARS:
        (value,), at = _unpack(SCALARS[code], data, at, stop)
        return value, at
    if code == "s":
        return _text(data, at, stop)
    if code == "o":
        return _object(data, at, stop, depth + 1)
    (count,), at = _unpack("<I", data, at, stop)
    if code in ARRAYS:
        end = _within(at + count * np.dtype(ARRAYS[code]).itemsize, stop)
        return np.frombuffer(data[at:end], ARRAYS[code]), end
    if code not in ("S", "O"):
        raise FileError(f"holds a component of unknown type {code!r}, so it is damaged")
    values = []
    for _ in range(count):  # each takes at least one byte, so a wrong count soon meets the end
        value, at = _text(data, at, stop) if code == "S" else _object(data, at, stop, depth + 1)
        values.append(value)
    return values, at


def _text(data, at, stop):
    end = data.find(b"\0", at, stop)
    if end < 0:
        raise FileError("holds a text without an end, so it is truncated")
    return data[at:end].decode("utf-8", errors="replace"), end + 1


def _unpack(form, data, at, stop):
    end = _within(at + struct.calcsize(form), stop)
    return struct.unpack(form, data[at:end]), end


def _within(end, stop):
    if end > stop:
        raise FileError("is truncated: an object is longer than the file; copy it again from where it came")
    return end
