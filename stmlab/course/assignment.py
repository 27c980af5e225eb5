"""What an assignment is: a study from which each student's data are drawn, questions, and a notebook."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path

import tomlkit

from .._resources import assignments_path
from ..parameters import Study

KINDS = ("scan", "curve")


@dataclass(frozen=True)
class Question:
    """One thing to find out.

    Parameters
    ----------
    name : str
        What the answer is called.
    text, unit : str
        What is asked, and in which unit.
    points : float
        For the right answer.
    tolerance, relative : float
        An answer a to a true value t is right if \\|a - t\\| is at most the greater of ``tolerance`` and
        ``relative`` \\|t\\|.
    reach : float
        Greater than 0: the answer is a table of places, which count if they are this near to a defect [Å].
    full : float
        F1 that earns all points; less earns its share.
    """

    name: str
    text: str
    unit: str = ""
    points: float = 1.0
    tolerance: float = 0.0
    relative: float = 0.0
    reach: float = 0.0
    full: float = 0.8

    @property
    def is_table(self):
        """Whether places are asked for, not a number."""
        return self.reach > 0


@dataclass(frozen=True)
class Assignment:
    """A piece of work for every student of a course.

    Parameters
    ----------
    name, title, text : str
        What it is called and about.
    minutes : int
        Time that it takes.
    study : Study
        From which each student's experiment is drawn.
    questions : tuple of Question
        What is asked.
    notebook : str
        The template that the student fills in: Python with ``# %%`` between cells.
    kind : {"scan", "curve"}
        What the student gets: a frame, or a current-distance curve.
    nominal : dict
        What the student's file says of the raster instead of the truth, such as a width that is not calibrated.
    """

    name: str
    title: str
    text: str
    minutes: int
    study: Study
    questions: tuple[Question, ...]
    notebook: str
    kind: str = "scan"
    nominal: dict = field(default_factory=dict)


def bundled():
    """Names of the assignments that come with stmlab, in their order."""
    names = [path.stem for path in assignments_path().glob("*.toml")]
    return sorted(names, key=lambda name: (_table(assignments_path(f"{name}.toml")).get("order", 99), name))


def load(name_or_path):
    """Read a bundled assignment by its name, or any by the path of its .toml; its .py lies beside it.

    Raises
    ------
    ValueError
        If there is none, or it is not complete.
    """
    path = Path(name_or_path)
    if path.suffix != ".toml":
        if str(name_or_path) not in (known := bundled()):
            raise ValueError(f"unknown assignment {str(name_or_path)!r}; known: {', '.join(known)}, or a .toml file")
        path = assignments_path(f"{name_or_path}.toml")
    table, notebook = _table(path), path.with_suffix(".py")
    try:
        return _assignment(path.stem, table, notebook.read_text(encoding="utf-8"))
    except KeyError as error:
        raise ValueError(f"{path} lacks {error}") from None
    except (TypeError, OSError) as error:
        raise ValueError(f"{path}: {error}") from None


def _assignment(name, table, notebook):
    from .truth import ANSWERS

    known = {item.name for item in fields(Question)}
    questions = tuple(Question(**row) for row in table["questions"] if known.issuperset(row) or _unknown(row, known))
    for question in questions:
        if not question.is_table and question.name not in ANSWERS:
            raise ValueError(f"{name}: nobody can answer {question.name!r}; known: {', '.join(sorted(ANSWERS))}")
    if table.get("kind", "scan") not in KINDS:
        raise ValueError(f"{name}: kind = {table['kind']!r} must be one of {', '.join(KINDS)}")
    return Assignment(
        name, table["title"], table["text"], table["minutes"], Study.loads(tomlkit.dumps(table["study"])), questions,
        notebook, table.get("kind", "scan"), table.get("nominal", {}),
    )  # fmt: skip


def _unknown(row, known):
    raise ValueError(f"a question has no {', '.join(sorted(set(row) - known))}; known: {', '.join(sorted(known))}")


def _table(path):
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} is no assignment: {error}") from None
