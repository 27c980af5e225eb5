"""Marks: each student's answers beside what follows from the salt. Whatever was handed in, it is only read."""

from __future__ import annotations

import csv
import io
import math
import stat
import tomllib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from . import truth
from .case import case
from .handout import TASK
from .salt import STUDENT, fingerprint, seed
from .student import ANSWERS, PLACES

LIMIT = 2**18  # bytes of a file that was handed in
MOST = 5000  # places
PLACE = ("x_px", "y_px")


class Mark(NamedTuple):
    """One question of one student; the columns of marks.csv."""

    student: str
    question: str
    answer: str
    right: str
    points: float
    out_of: float
    note: str


class Submission(NamedTuple):
    """What could be read of what a student handed in."""

    numbers: dict  # question -> finite float
    tables: dict  # question -> (N, 2) array of columns and rows [pixels]
    notes: dict  # question, or "" for all of it -> what is wrong


def key(assignment, student, salt):
    """Answers that a student should find.

    Parameters
    ----------
    assignment : Assignment
        What was to be done.
    student : str
        Who.
    salt : bytes
        Of the course.

    Returns
    -------
    dict
        Question -> number, or (D, 2) array of columns and rows [pixels].
    """
    one = case(assignment, seed(salt, assignment.name, student))
    return {q.name: truth.places(one) if q.is_table else float(truth.ANSWERS[q.name](one))
            for q in assignment.questions}  # fmt: skip


def grade(assignment, student, salt, folder):
    """Mark what a student handed in.

    Parameters
    ----------
    assignment, student, salt
        As in `key`.
    folder : Path or None
        Where the answers lie; None if nothing came.

    Returns
    -------
    list of Mark
        One for every question. Nothing that lies in the folder raises.
    """
    handed = read_submission(assignment, student, salt, folder)
    one = case(assignment, seed(salt, assignment.name, student))
    return [_mark(question, student, one, handed) for question in assignment.questions]


def _mark(question, student, one, handed):
    note = handed.notes.get("") or handed.notes.get(question.name, "")
    if question.is_table:
        true, found = truth.places(one), handed.tables.get(question.name)
        right, given, share = f"{len(true)} places", "", 0.0
        if found is not None:
            score = truth.f1(found, true, one.record.raster.pixel_size, question.reach)
            given, share = f"{len(found)} places, F1 {score:.3f}", min(1.0, score / question.full)
    else:
        true, value = float(truth.ANSWERS[question.name](one)), handed.numbers.get(question.name)
        right, given, share = f"{true:.6g}", "", 0.0
        if value is not None:
            given, share = f"{value:.6g}", float(is_right(question, value, true))
    note = note or ("" if given else "no answer")
    points = 0.0 if handed.notes.get("") else round(share * question.points, 3)
    return Mark(student, question.name, given, right, points, question.points, note)


def is_right(question, value, true):
    r"""Whether :math:`|a - t| \le \max(\mathrm{tolerance}, \mathrm{relative}\,|t|)`, for an answer and the truth."""
    return abs(value - true) <= max(question.tolerance, question.relative * abs(true)) * (1 + 1e-9)


# ---- reading what was handed in -----------------------------------------------------------------------


def read_submission(assignment, student, salt, folder):
    """Read answers that anyone may have written: of bounded size, numbers only, nothing executed.

    Parameters
    ----------
    assignment, student, salt, folder
        As in `grade`.

    Returns
    -------
    Submission
        With a note for whatever is missing or unusable.
    """
    numbers, tables, notes = {}, {}, {}
    if folder is None:
        return Submission(numbers, tables, {"": "nothing handed in"})
    folder = Path(folder)
    table, notes[""] = _read(folder / ANSWERS, tomllib.loads)
    table = {} if table is None else table
    if not notes[""]:
        notes[""] = _whose(table, assignment, student, salt)
    given = table.get("answers", {})
    given = given if isinstance(given, dict) else {}
    for question in assignment.questions:
        name = question.name
        if question.is_table:
            found, notes[name] = _read(folder / PLACES.format(name), _places)
            if found is not None:
                tables[name] = found
        elif name in given:
            number, notes[name] = _number(given[name])
            if number is not None:
                numbers[name] = number
    return Submission(numbers, tables, notes)


def _whose(table, assignment, student, salt):
    """Say what is wrong with the head of the answers, or nothing."""
    task = TASK.removesuffix(".toml")
    wanted = {"assignment": assignment.name, "student": student, "salt": fingerprint(salt)}
    told = {"assignment": f"belongs to another {task}", "student": "belongs to another student",
            "salt": "belongs to another salt"}  # fmt: skip
    wrong = [told[name] for name, value in wanted.items() if table.get(name, value) != value]
    return f"{ANSWERS} {wrong[0]}" if wrong else ""


def _number(value):
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None, f"is {type(value).__name__}, not a number"
    try:
        number = float(value)
    except OverflowError:
        return None, "is too large"
    return (number, "") if math.isfinite(number) else (None, "is not finite")


def _places(text):
    """Read the columns x_px and y_px of a CSV, whatever else it has."""
    rows = csv.DictReader(io.StringIO(text, newline=""))
    if not set(PLACE) <= set(rows.fieldnames or ()):
        raise ValueError(f"lacks the columns {' and '.join(PLACE)}")
    found = []
    for row in rows:
        found.append([float(row[name] or "") for name in PLACE])
        if len(found) > MOST:
            raise ValueError(f"has more than {MOST} places")
    found = np.array(found, float).reshape(-1, 2)
    if not (np.abs(found) < 1e6).all():  # of NaN, too
        raise ValueError("has a place that is not finite")
    return found


def _read(path, parse):
    """Return what `parse` makes of a text file, or None, and what is wrong with it."""
    try:
        state = path.lstat()
        if not stat.S_ISREG(state.st_mode):  # a link could lead anywhere, a pipe would wait for ever
            return None, f"{path.name} is no plain file"
        if state.st_size > LIMIT:
            return None, f"{path.name} has more than {LIMIT} bytes"
        return parse(path.read_bytes().decode("utf-8-sig")), ""
    except FileNotFoundError:
        return None, f"no {path.name}"
    except UnicodeDecodeError:
        return None, f"{path.name} is no text"
    except (ValueError, TypeError, csv.Error, RecursionError, OSError) as error:
        words = " ".join(ascii(str(error)).strip("'\"").split())
        return None, f"{path.name} cannot be read: {words[:100]}"


# ---- a whole course -----------------------------------------------------------------------------------


def handed_in(folder, name):
    """Map each student to the folder with the answers to an assignment, and list what is no student's.

    Parameters
    ----------
    folder : Path
        One folder per student, in it the answers or a folder of the assignment's name with them.
    name : str
        Of the assignment.

    Returns
    -------
    dict, list
        Student -> folder, and names of folders that no student can have.
    """
    found, strange = {}, []
    for path in sorted(Path(folder).iterdir()):
        if path.name.startswith(".") or not path.is_dir() or path.is_symlink():
            continue
        if STUDENT.fullmatch(path.name):
            inner = path / name
            found[path.name] = inner if inner.is_dir() and not inner.is_symlink() else path
        else:
            strange.append(ascii(path.name)[:80])
    return found, strange
