"""Scans to and from files, in physical units and oriented as Gwyddion shows them.

In memory rows are in the order of acquisition and the retrace lies on the trace's columns; `picture` puts the
rows into space. Nothing read here is executed, and no length that a file states is trusted.
"""

from pathlib import Path

from ._files import FileError, MissingPackage, aside, blamed, readable
from .anfatec import read_anfatec
from .gsf import read_gsf
from .gwy import encode_gwy, read_gwy
from .images import draw, encode_png, load_array, load_image, picture
from .matrix import read_mtrx, read_parameter_file
from .measured import MeasuredSpectra
from .nanonis import read_3ds, read_dat
from .netcdf import encode_netcdf, read_netcdf, to_xarray
from .real import LabelledImage, fetch_real, labelled_images, real_data
from .sm4 import read_sm4, read_sm4_spectra
from .sxm import read_sxm

__all__ = [
    "FileError", "LabelledImage", "MeasuredSpectra", "MissingPackage", "draw", "fetch_real", "labelled_images",
    "load_array", "load_image", "load_scan", "load_spectra", "picture", "real_data", "save_scan", "to_xarray",
]  # fmt: skip

# By how a name ends: MATRIX writes .Z_mtrx, .I_mtrx, ... and .mtrx for the parameters.
READERS = {
    ".sxm": read_sxm, "_mtrx": read_mtrx, ".sm4": read_sm4, ".int": read_anfatec, ".txt": read_anfatec,
    ".gwy": read_gwy, ".gsf": read_gsf, ".nc": read_netcdf, ".mtrx": read_parameter_file,
}  # fmt: skip
SPECTRA = {".3ds": read_3ds, ".dat": read_dat, ".sm4": read_sm4_spectra}
WRITERS = {".gwy": encode_gwy, ".nc": encode_netcdf, ".png": encode_png}


def load_scan(path, channel="Z"):
    """Read a scan from a file.

    Parameters
    ----------
    path : path-like
        Nanonis ``.sxm``; Omicron MATRIX ``.Z_mtrx`` with the session's ``.mtrx`` beside it; RHK ``.sm4``; Anfatec
        ``.txt`` with its ``.int`` files beside it, or one of these; Gwyddion ``.gwy`` and ``.gsf``; ``.nc`` as
        `save_scan` writes it. Capital letters do not matter.
    channel : str
        Recorded signal that becomes `Scan.height`; "Z" is the topography.

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


def load_spectra(path):
    """Read measured spectra from a file.

    Parameters
    ----------
    path : path-like
        Nanonis grid ``.3ds`` or point spectrum ``.dat``, or RHK ``.sm4``.

    Returns
    -------
    MeasuredSpectra
        Bias [V], signals in SI units, positions [Å].

    Raises
    ------
    ValueError
        If the file is empty, truncated, damaged or of an unknown kind, or sweeps anything but the bias.
    OSError
        If there is no such file or it may not be read.

    Examples
    --------
    >>> grid = load_spectra("NanonisReader_STS_grid_lockin.3ds")    # doctest: +SKIP
    >>> grid.current.shape                                          # doctest: +SKIP
    (30, 30, 200)
    """
    path = readable(path)
    reader = _by_suffix(SPECTRA, path, "read")
    with blamed(path):
        return reader(path)


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
    for ending, function in table.items():
        if path.name.lower().endswith(ending):
            return function
    kind = path.suffix or "a name without an ending"
    raise FileError(f"{path}: {kind} is not known; {', '.join(table)} can be {done}")
