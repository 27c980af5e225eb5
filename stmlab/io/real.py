"""Measurements that other people published: where they are, how to get them, and what experts labelled.

Only `fetch_real` ever downloads. Everything is checked against the SHA-256 of ``data/real.toml``.
"""

import csv
import io
import os
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from tqdm import tqdm

from .._resources import cache_path, data_path
from ._files import FileError, blamed, need, read_bounded, readable

VARIABLE = "STMLAB_REAL_DATA"
LABELS_LIMIT = 2**23  # bytes; the authors' whole file is 250 kB
NAME = re.compile(r"_(?P<bias>[+-]?\d+(?:\.\d+)?)V_(?P<width>\d+(?:\.\d+)?)[xX]\d+(?:\.\d+)?_", re.ASCII)
AUTHORS = ("label", "x", "y", "width", "height", "filename", "resX", "resY")  # columns, in their order


@dataclass(frozen=True, eq=False)
class LabelledImage:
    """One image and what experts saw in it.

    Parameters
    ----------
    path : Path
        The image file; see `stmlab.io.load_image`.
    width_nm : float
        Width of the frame [nm].
    bias : float
        Sample bias [V].
    boxes : ndarray, (n, 4)
        x and y of the top left corner, width and height [pixels from the top left of the image].
    labels : tuple of str
        Contrast class of each box: S or L (small or large), B or D (bright or dim), P or T (peak or trough).
    size : tuple of int
        Width and height of the image in pixels on which the boxes were drawn.
    """

    path: Path
    width_nm: float
    bias: float
    boxes: np.ndarray
    labels: tuple
    size: tuple


# ---- where they are, and how to get them --------------------------------------------------------------


def registry():
    """Return the bundled list of files, a dict each: file, url, sha256 (absent for one), licence, source."""
    return tomllib.loads(data_path("real.toml").read_text(encoding="utf-8"))["file"]


def real_data():
    """Return the folder of real measurements, or None where there is none.

    The environment variable STMLAB_REAL_DATA names it; otherwise it is the user's cache, once `fetch_real`
    has filled it. Inside are ``formats`` (instrument files) and ``ml-stm-dev`` (labelled images).

    Raises
    ------
    FileError
        If STMLAB_REAL_DATA is set but names no directory.
    """
    if named := os.environ.get(VARIABLE):
        if not Path(named).is_dir():
            raise FileError(f"{VARIABLE} = {named} is not a directory; correct it or unset it")
        return Path(named)
    folder = _cache()
    return folder if all((folder / entry["file"]).is_file() for entry in registry()) else None


def fetch_real(progress=True, folder=None, entries=None):
    """Download the public measurements; those that are there and intact are not fetched again.

    Parameters
    ----------
    progress : bool
        Show a bar.
    folder : path-like, optional
        Where to put them; the user's cache by default.
    entries : list of dict, optional
        What to fetch; `registry` by default.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    OSError
        If some could not be had: no network, or contents other than those that were registered. What was
        fetched stays, and the next call goes on from there; a file that failed its check is deleted.
    """
    folder = Path(folder) if folder is not None else _cache()
    entries = registry() if entries is None else entries
    failed = []
    for entry in tqdm(entries, desc="fetch real", unit="file", disable=not progress):
        try:
            _fetch(entry, folder)
        except (OSError, ValueError) as error:
            failed.append(f"{entry['file']} ({' '.join(str(error).split())[:200]})")
    if failed:
        more = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
        raise OSError(f"{len(failed)} of {len(entries)} files could not be fetched: {failed[0]}{more}; "
                      "the others are kept, so run it again")  # fmt: skip
    return folder


def _cache():
    return cache_path("real")


def _fetch(entry, folder):
    """Fetch one file into place; pooch writes aside, checks, and only then renames."""
    pooch = need("pooch")
    inside = PurePosixPath(entry["file"])
    if inside.is_absolute() or ".." in inside.parts:
        raise FileError(f"the registry names {inside}, which is outside its folder")
    target = folder / inside
    logger = pooch.get_logger()
    before = logger.level
    logger.setLevel("WARNING")  # its progress is ours to show
    try:
        pooch.retrieve(entry["url"], known_hash=entry.get("sha256"), fname=target.name, path=target.parent,
                       downloader=pooch.HTTPDownloader(timeout=30))  # fmt: skip
        _check_unhashed(entry, target)
    except ValueError as error:
        target.unlink(missing_ok=True)
        raise FileError(f"it failed its check and was deleted: {error}") from error
    finally:
        logger.setLevel(before)


def _check_unhashed(entry, target):
    """Check by its contents what has no known hash: only the authors' table of boxes."""
    if "sha256" not in entry:
        with blamed(target):
            _annotations(target)


# ---- what experts labelled ----------------------------------------------------------------------------


def labelled_images(folder, table=None):
    """Read the experts' boxes of the images in a folder.

    Parameters
    ----------
    folder : path-like
        Holds the images and ``boxes.csv`` (ours) or ``annotations.csv`` (the authors'), itself or in its
        ``ml-stm-dev``.
    table : path-like, optional
        Another table of the authors' form, such as the one of their first pass.

    Returns
    -------
    list of LabelledImage
        Those images that are both there and labelled, by name.

    Raises
    ------
    FileError
        If the folder holds no table of boxes, or one that is damaged.
    """
    folder = Path(folder)
    folder = folder / "ml-stm-dev" if (folder / "ml-stm-dev").is_dir() else folder
    if table is not None:
        with blamed(table):
            return _records(folder, _annotations(Path(table)))
    for name, read in (("boxes.csv", _boxes), ("annotations.csv", _annotations)):
        if (folder / name).is_file():
            with blamed(folder / name):
                return _records(folder, read(folder / name))
    raise FileError(f"{folder} holds neither boxes.csv nor annotations.csv; get them with: stmlab fetch real")


def _records(folder, table):
    """Return one record per labelled image that is there; names alone are trusted, never paths."""
    records = []
    for name in sorted(table):
        if Path(name).name == name and (folder / name).is_file():
            bias, width = _conditions(name)
            entries, size = table[name]
            boxes = np.array([box for box, _ in entries], dtype=float).reshape(-1, 4)
            labels = tuple(label for _, label in entries)
            records.append(LabelledImage(folder / name, width, bias, boxes, labels, size))
    return records


def _conditions(name):
    """Return bias [V] and width [nm] from a name such as WSe2-SL445_211118_-1.4V_30x30_Z_010.jpg."""
    found = NAME.search(name)
    if found is None:
        raise FileError(f"names the image {name!r}, whose bias and width cannot be read off its name")
    return float(found["bias"]), float(found["width"])


def _boxes(path):
    """Return our table: image name -> ([(box, label)], size)."""
    columns = ("box_x", "box_y", "box_width", "box_height")
    table = {}
    for row in _rows(path, ("file", "width_px", "height_px", *columns, "label")):
        entries, _ = table.setdefault(row["file"], ([], _size(row, "width_px", "height_px")))
        entries.append((_box(row, columns), row["label"]))
    return table


def _annotations(path):
    """Return the authors' table: image name -> ([(box, initials of the label)], size).

    Boxes of the lattice are left out, and so is what has no width or no height: clicks by accident.
    """
    columns, table = AUTHORS[1:5], {}
    for row in _rows(path, AUTHORS):
        entries, _ = table.setdefault(row["filename"], ([], _size(row, "resX", "resY")))
        clicked = any(row[side].strip() == "0" for side in ("width", "height"))
        if "Atoms" not in row["label"] and not clicked:
            entries.append((_box(row, columns), "".join(word[0] for word in row["label"].split())))
    return table


def _size(row, *columns):
    size = tuple(int(row[column]) for column in columns)
    if min(size) < 1:
        raise FileError(f"has an image of {size[0]} x {size[1]} pixels, so it is damaged")
    return size


def _rows(path, columns):
    """Return the rows of a CSV file that has these columns, each complete."""
    text = read_bounded(readable(path), LABELS_LIMIT).decode("utf-8-sig")
    first = next(csv.reader(io.StringIO(text, newline="")), [])
    # The authors' annotation tool leaves the names of the columns out, if one lets it.
    bare = len(first) == len(columns) and columns == AUTHORS and all(word.isdecimal() for word in first[6:])
    reader = csv.DictReader(io.StringIO(text, newline=""), AUTHORS if bare else None)
    if not set(columns) <= set(reader.fieldnames or ()):
        raise FileError(f"is no table of boxes: its first line must name {', '.join(columns)}")
    rows = list(reader)
    if any(row[column] is None for row in rows for column in columns):
        raise FileError("has a line that is too short, so it is truncated")
    return rows


def _box(row, columns):
    box = tuple(float(row[column]) for column in columns)
    if not (np.isfinite(box).all() and min(box[2:]) > 0):
        raise FileError(f"has a box {box} without a size, so it is damaged")
    return box
