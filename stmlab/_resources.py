"""Where bundled files and the user's cache lie, and how a file is written so that it is never half there."""

import os
import threading
from contextlib import contextmanager
from pathlib import Path

import platformdirs

_PACKAGE = Path(__file__).resolve().parent
CACHE = "STMLAB_CACHE"


def data_path(*parts):
    """Return a path inside the data folder: the wheel carries it as stmlab/data, a checkout beside the package."""
    return _bundled("data").joinpath(*parts)


def assignments_path(*parts):
    """Return a path inside the folder of assignments, which lies where the data folder does."""
    return _bundled("assignments").joinpath(*parts)


def _bundled(folder):
    inside = _PACKAGE / folder
    return inside if inside.is_dir() else _PACKAGE.parent / folder


def cache_path(*parts):
    """Return a path inside the user's cache, or inside the folder that the variable STMLAB_CACHE names."""
    return Path(os.environ.get(CACHE) or platformdirs.user_cache_dir("stmlab", appauthor=False)).joinpath(*parts)


@contextmanager
def replacing(path):
    """Yield a path beside `path` to write to; on success the file is renamed to `path`, on failure it is gone."""
    path = Path(path)
    aside = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.part")
    try:
        yield aside
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def write_text(path, text):
    """Write `text` aside and rename it to `path`, so that a failure leaves what was there before."""
    with replacing(path) as aside:
        aside.write_text(text, encoding="utf-8", newline="\n")
