"""Where bundled files lie, and how a file is written so that it is never half there."""

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def data_path(*parts):
    """Return a path inside the data folder: the wheel carries it as stmlab/data, a checkout beside the package."""
    inside = _PACKAGE / "data"
    return (inside if inside.is_dir() else _PACKAGE.parent / "data").joinpath(*parts)


def write_text(path, text):
    """Write `text` aside and rename it to `path`, so that a failure leaves what was there before."""
    path = Path(path)
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        aside.write_text(text, encoding="utf-8", newline="\n")
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
