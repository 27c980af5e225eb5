"""What a student gets: a folder with data as an instrument stores them, the questions and a notebook."""

from __future__ import annotations

import json
import shutil
import tempfile
import tomllib
from pathlib import Path

import tomlkit

from ..io import save_scan
from .case import case
from .salt import fingerprint, seed

SCAN, CURVE, TASK = "scan.gwy", "curve.csv", "task.toml"


def hand_out(assignment, student, salt, folder):
    """Write a student's copy to a new folder: all of it, or nothing.

    Parameters
    ----------
    assignment : Assignment
        What is to be done.
    student : str
        Whose copy it is.
    salt : bytes
        Of the course.
    folder : Path
        To make. One that is there already is left as it is: the student may have worked in it.

    Returns
    -------
    bool
        Whether it was made.

    Raises
    ------
    ValueError
        If the folder is there and belongs to another salt.
    """
    folder = Path(folder)
    number = seed(salt, assignment.name, student)
    if folder.exists():
        _check_kept(folder, salt)
        return False
    record = case(assignment, number).record
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".part-") as aside:
        made = Path(aside) / "copy"
        made.mkdir()
        _write_record(record, made)
        _write_task(assignment, student, salt, made / TASK)
        text = json.dumps(notebook(assignment.notebook), indent=1, ensure_ascii=False) + "\n"
        (made / f"{assignment.name}.ipynb").write_text(text, encoding="utf-8", newline="\n")
        shutil.move(made, folder)
    return True


def _check_kept(folder, salt):
    try:
        owner = tomllib.loads((folder / TASK).read_text(encoding="utf-8")).get("salt")
    except (OSError, ValueError):
        raise ValueError(f"{folder} exists and holds no {TASK}; move it away") from None
    if owner != fingerprint(salt):
        raise ValueError(f"{folder} was made with another salt; give the salt of that course, or another --out")


def _write_record(record, folder):
    if hasattr(record, "raster"):
        save_scan(record, folder / SCAN)
        return
    rows = "".join(f"{z:.4f},{current:.6g}\n" for z, current in zip(record.z, record.current, strict=True))
    (folder / CURVE).write_text("z_angstrom,current_pa\n" + rows, encoding="utf-8", newline="\n")


def _write_task(assignment, student, salt, path):
    """Write what the student is asked; the fingerprint says which salt the data belong to."""
    rows = [{"name": q.name, "text": q.text, "unit": q.unit, "points": q.points, "right": _rule(q),
             "table": q.is_table} for q in assignment.questions]  # fmt: skip
    task = {"assignment": assignment.name, "student": student, "salt": fingerprint(salt), "title": assignment.title}
    path.write_text(tomlkit.dumps(task | {"questions": rows}), encoding="utf-8", newline="\n")


def _rule(question):
    """Say when an answer is right."""
    if question.is_table:
        return f"all points for F1 of {question.full:g}, pairs within {question.reach:g} Å"
    parts = [f"{question.tolerance:g} {question.unit}".rstrip()] if question.tolerance else []
    parts += [f"{100 * question.relative:g} %"] if question.relative else []
    return "within " + " or ".join(parts) if parts else "exactly"


def notebook(template):
    """Turn Python with ``# %%`` and ``# %% [markdown]`` between cells into a notebook, as nbformat 4.5 has it."""
    cells = []
    for number, block in enumerate(("\n" + template).split("\n# %%")[1:]):
        head, _, body = block.partition("\n")
        lines = body.strip("\n").split("\n")
        cell = {"id": f"cell-{number}", "metadata": {}}
        if "[markdown]" in head:
            lines = [line.removeprefix("#").removeprefix(" ") for line in lines]
            cell |= {"cell_type": "markdown"}
        else:
            cell |= {"cell_type": "code", "execution_count": None, "outputs": []}
        cells.append(cell | {"source": "\n".join(lines).splitlines(keepends=True)})
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
