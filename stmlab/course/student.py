"""What a student's notebook uses: load the data, show the questions, keep the answers."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path

import numpy as np
import tomlkit

from .._resources import write_text
from ..io import load_scan
from .case import Curve
from .handout import CURVE, SCAN, TASK

ANSWERS, PLACES = "answers.toml", "{}.csv"


def data(folder="."):
    """Return what your instrument recorded: a `stmlab.Scan`, or a `Curve`.

    Parameters
    ----------
    folder : path-like
        Of the assignment; the notebook's own by default.

    Raises
    ------
    OSError
        If the folder holds neither.
    """
    folder = Path(folder)
    if (folder / CURVE).exists():
        return Curve(*np.loadtxt(folder / CURVE, delimiter=",", skiprows=1, unpack=True))
    return load_scan(folder / SCAN)


def questions(folder="."):
    """Return what is asked, as text, with what you have answered so far."""
    given = _answers(Path(folder))
    lines = []
    for row in _task(folder)["questions"]:
        unit = f" [{row['unit']}]" if row["unit"] else ""
        have = "file written" if row["table"] and (Path(folder) / PLACES.format(row["name"])).exists() else None
        have = f"{given[row['name']]:.6g}" if row["name"] in given else have
        lines.append(f"{row['name']}{unit}, {row['points']:g} points, {row['right']}: {have or 'no answer yet'}\n"
                     f"    {row['text']}")  # fmt: skip
    return "\n".join(lines)


def answer(folder=".", **values):
    """Keep answers in ``answers.toml``; what is still ``...`` is left out, what was there is replaced.

    Parameters
    ----------
    folder : path-like
        Of the assignment.
    **values : float
        Name of the question -> answer in its unit.

    Returns
    -------
    str
        What has been answered so far; nobody is told here what is right.

    Raises
    ------
    ValueError
        If there is no such question, or the answer is not one finite number.
    """
    folder = Path(folder)
    task = _task(folder)
    names = [row["name"] for row in task["questions"] if not row["table"]]
    for name in values:
        if name not in names:
            raise ValueError(f"no question {name!r} takes a number; known: {', '.join(names) or 'none'}")
    new = {name: _number(name, value) for name, value in values.items() if value is not ...}
    text = tomlkit.dumps(_head(task) | {"answers": _answers(folder) | new})
    write_text(folder / ANSWERS, text)
    return f"{folder / ANSWERS}: {', '.join(_answers(folder)) or 'nothing'}"


def places(name, columns, rows, folder="."):
    """Write places that you found to ``NAME.csv``.

    Parameters
    ----------
    name : str
        Of the question.
    columns, rows : (D,) arrays
        Where they are in the trace [pixels], as `stmlab.analysis.blobs` and `stmlab.learn.detect` say it (x, y).
    folder : path-like
        Of the assignment.

    Returns
    -------
    str
        How many they are, and where they went.

    Raises
    ------
    ValueError
        If there is no such question, or the columns and rows do not fit each other.
    """
    folder, task = Path(folder), _task(folder)
    names = [row["name"] for row in task["questions"] if row["table"]]
    if name not in names:
        raise ValueError(f"no question {name!r} takes places; known: {', '.join(names) or 'none'}")
    columns, rows = np.atleast_1d(np.asarray(columns, float)), np.atleast_1d(np.asarray(rows, float))
    if columns.ndim != 1 or columns.shape != rows.shape or not np.isfinite([columns, rows]).all():
        raise ValueError(f"columns {columns.shape} and rows {rows.shape} must be two lists of finite numbers [pixels]")
    lines = "".join(f"{x:.2f},{y:.2f}\n" for x, y in zip(columns, rows, strict=True))
    write_text(folder / PLACES.format(name), "x_px,y_px\n" + lines)
    answer(folder)
    return f"{folder / PLACES.format(name)}: {len(columns)} places"


def _head(task):
    return {key: task[key] for key in ("assignment", "student", "salt")}


def _task(folder):
    path = Path(folder) / TASK
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise ValueError(f"{path} is missing; start the notebook in the folder that you were given") from None


def _answers(folder):
    try:
        return tomllib.loads((folder / ANSWERS).read_text(encoding="utf-8")).get("answers", {})
    except FileNotFoundError:
        return {}


def _number(name, value):
    try:
        value = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} = {value!r} must be one number") from None
    if not math.isfinite(value):
        raise ValueError(f"{name} = {value} must be finite")
    return value
