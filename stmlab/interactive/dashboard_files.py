"""What the dashboard reads and writes: studies, parameter files and scans."""

from __future__ import annotations

from html import escape
from pathlib import Path
from urllib.parse import quote

from ..parameters import ParameterError, Study

SCANS = (".gwy", ".nc", ".png")


def uploaded(name, content):
    """Read a study or parameter file that came as bytes.

    Raises
    ------
    ParameterError
        If it is no such file; one line, with the file's name in front.
    """
    try:
        return Study.loads(bytes(content).decode("utf-8"))
    except UnicodeDecodeError:
        raise ParameterError(f"{name} is not a text file (UTF-8)") from None
    except ParameterError as error:
        raise ParameterError(f"{name}: {error}") from None


def text(study):
    """TOML of a study, or of a parameter file where nothing varies."""
    return study.base.dumps() if is_plain(study) else study.dumps()


def is_plain(study):
    """Whether a study is one experiment without a name."""
    return not (study.vary or study.name or study.description)


def write(path, study, scan=None):
    """Write a study or parameter file (.toml), or a scan (.gwy, .nc, .png); return its full path.

    Raises
    ------
    ValueError or OSError
        If the name ends in nothing known, there is no scan yet, or the file cannot be written.
    """
    path = Path(path).expanduser()
    if path.suffix == ".toml":
        (study.base if is_plain(study) else study).to_toml(path)
    elif path.suffix not in SCANS:
        raise ValueError(f"{path}: the name must end in .toml, or {', '.join(SCANS)} for the scan that is shown")
    elif scan is None:
        raise ValueError(f"{path}: there is no scan yet; render one first")
    else:
        scan.save(path)
    return path.resolve()


def link(study, name="stmlab.toml"):
    """HTML of a link that downloads a study without any server."""
    address = "data:application/toml;charset=utf-8," + quote(text(study))
    return f'<a class="stmlab-link" download="{escape(name, quote=True)}" href="{address}">Download {escape(name)}</a>'
