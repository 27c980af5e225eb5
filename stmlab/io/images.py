"""Images as people see them: rows in space, a rendered picture, and images from elsewhere."""

import io
import warnings

import numpy as np

from ..analysis import level
from ._files import FileError, blamed, need, readable
from .provenance import describe, quantity

MAX_PIXELS = 2**26  # of an image from outside: 8192 x 8192
GREY = "1", "L", "I;16", "I"  # kinds of pixels that are levels already


def picture(image, raster):
    """Turn an image, (..., L, P) in the order of acquisition, into space: rows along y, upwards, columns along x."""
    image = image if raster.direction == "up" else image[..., ::-1, :]
    image = image if raster.fast_direction == "forward" else image[..., ::-1]
    return image if raster.fast_axis == "x" else np.swapaxes(image, -1, -2)


def recorded(image, raster):
    """Turn a picture back into the order of acquisition: the inverse of `picture`."""
    image = image if raster.fast_axis == "x" else np.swapaxes(image, -1, -2)
    image = image if raster.fast_direction == "forward" else image[..., ::-1]
    return image if raster.direction == "up" else image[..., ::-1, :]


def load_image(path):
    """Read an image of grey levels.

    Parameters
    ----------
    path : path-like
        A JPEG or PNG file. Colours become grey, and what is transparent counts as if it were not.

    Returns
    -------
    ndarray, (L, P)
        Grey levels as floats, from 0 to 255, or to 65535 where the file has 16 bits; row 0 is the top.

    Raises
    ------
    FileError
        If the file is no such image or has more than 64 million pixels.
    """
    image_module = need("PIL.Image")
    path = readable(path)
    try:
        with warnings.catch_warnings(), blamed(path):
            warnings.simplefilter("error", image_module.DecompressionBombWarning)
            with image_module.open(path, formats=("JPEG", "PNG")) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise FileError(f"has {image.width * image.height} pixels; at most {MAX_PIXELS} are read")
                return np.asarray(image if image.mode in GREY else image.convert("RGB").convert("L"), dtype=float)
    except (OSError, SyntaxError, image_module.DecompressionBombError, Warning) as error:
        reason = " ".join(str(error).split())
        raise FileError(f"{path}: is no JPEG or PNG image that can be read ({reason})") from error


def load_array(path):
    """Read an image from a NumPy file.

    Parameters
    ----------
    path : path-like
        A ``.npy`` file; nothing in it is executed.

    Returns
    -------
    ndarray, (L, P)
        As floats.

    Raises
    ------
    FileError
        If the file is damaged, holds something else than (L, P) numbers, or more than 64 million of them.
    """
    path = readable(path)
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError, SyntaxError, OverflowError) as error:
        raise FileError(f"{path}: is no .npy file that can be read ({' '.join(str(error).split())[:120]})") from error
    shape, kind = getattr(values, "shape", ()), getattr(values, "dtype", None)
    if len(shape) != 2 or 0 in shape or kind.kind not in "biuf" or values.size > MAX_PIXELS:
        raise FileError(f"{path}: holds {shape} of {kind}; give (lines, pixels) real numbers, at most {MAX_PIXELS}")
    return np.array(values, float)


def draw(scan):
    """Return a matplotlib figure of the trace, levelled by a plane, with axes in nm and a colour bar."""
    from matplotlib.figure import Figure

    from ..plot import image

    if not np.isfinite(scan.height[0]).any():
        raise FileError("this scan cannot be drawn: no pixel of its trace holds a number")
    name, unit, _ = quantity(scan)
    shown, label = _scaled(level(scan.height[0]), name, unit)
    figure = Figure(figsize=(5.2, 4.2), layout="constrained")  # without pyplot: no window, no global state
    axes = image(picture(shown, scan.raster), figure.add_subplot(), scan.raster, label)
    axes.set_title(_title(scan))
    return figure


def _scaled(image, name, unit):
    """Return an image in the unit in which its range is easiest to read, and the label that says so."""
    if unit != "m":
        return image, f"{name} [{unit}]"
    low, high = np.nanpercentile(image, (0.5, 99.5))
    return (image / 10, f"{name} [nm]") if high - low > 10 else (image * 100, f"{name} [pm]")


def _title(scan):
    bias, setpoint = scan.meta.get("bias"), scan.meta.get("setpoint")
    parts = [f"{bias:.3g} V" if bias is not None else "", f"{setpoint * 1e12:.4g} pA" if setpoint else ""]
    return ", ".join([part for part in parts if part] + ["plane subtracted"])


def encode_png(scan):
    """Return the rendered picture as PNG; version, seed and parameters are in its text chunks."""
    texts = describe(scan)
    kept = {key: texts[key] for key in ("seed", "parameters") if key in texts}
    buffer = io.BytesIO()
    kept["Software"] = f"stmlab {texts['version']}"
    draw(scan).savefig(buffer, format="png", dpi=150, metadata=kept)
    return buffer.getvalue()
