"""Scans to and from files, in physical units and oriented as Gwyddion shows them.

In memory rows are in the order of acquisition and the retrace lies on the trace's columns; `picture` puts the
rows into space. Nothing read here is executed, and no length that a file states is trusted.
"""

from pathlib import Path

from ._files import FileError, MissingPackage, aside, blamed, readable
from .gwy import encode_gwy, read_gwy
from .images import draw, encode_png, load_image, picture
from .netcdf import encode_netcdf, read_netcdf, to_xarray
from .real import LabelledImage, fetch_real, labelled_images, real_data
from .sxm import read_sxm

__all__ = [
    "FileError", "LabelledImage", "MissingPackage", "draw", "fetch_real", "labelled_images", "load_image",
    "load_scan", "picture", "real_data", "save_scan", "to_xarray",
]  # fmt: skip

READERS = {".sxm": read_sxm, ".gwy": read_gwy, ".nc": read_netcdf}
WRITERS = {".gwy": encode_gwy, ".nc": encode_netcdf, ".png": encode_png}


def load_scan(path, channel="Z"):
    """Read a scan from a file.

    Parameters
    ----------
    path : path-like
        Nanonis ``.sxm``, Gwyddion ``.gwy``, or ``.nc`` as `save_scan` writes it.
    channel : str
        Recorded signal that becomes `Scan.height`.

    Returns
    -------
    Scan
        Lengths in Å; ``meta`` holds ``bias`` [V], ``setpoint`` [A], ``temperature`` [K], ``date``, ``source``
        and ``channels`` as far as the file knows them.

    Raises
    ------
    ValueError
        If the file is empty, truncated, damaged or of an unknown kind, or has no such channel. The message is
        one line that names the file and says what to do.
    OSError
        If there is no such file or it may not be read.

    Examples
    --------
    >>> scan = load_scan("Si_7x7_051.sxm")              # doctest: +SKIP
    >>> scan.meta["bias"], scan.raster.width            # doctest: +SKIP
    (-2.0, 200.0)
    """
    path = readable(path)
    reader = _by_suffix(READERS, path, "read")
    with blamed(path):
        return reader(path, channel)


def save_scan(scan, path):
    """Write a scan to a file; a failure leaves what was there before.

    Parameters
    ----------
    scan : Scan
        Simulated or measured.
    path : path-like
        ``.gwy``: height, current error and masks for Gwyddion. ``.nc``: every array, for programs. ``.png``:
        a rendered picture of the trace. All hold version, seed and parameters.

    Raises
    ------
    ValueError
        If the kind of file is unknown, the folder does not exist, or an optional package is missing.
    OSError
        If the file cannot be written there.
    """
    path = Path(path)
    encode = _by_suffix(WRITERS, path, "written")
    with aside(path) as file:
        file.write(encode(scan))


def _by_suffix(table, path, done):
    try:
        return table[path.suffix.lower()]
    except KeyError:
        kind = path.suffix or "a name without an ending"
        raise FileError(f"{path}: {kind} is not known; {', '.join(table)} can be {done}") from None
