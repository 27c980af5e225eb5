"""The commands of ``stmlab course``: hand assignments out, print the key, mark what comes back."""

import csv
import io
import sys
from pathlib import Path
from typing import Annotated

import typer

from ._resources import write_text
from .cli import Mistake, app

MOST = 5000  # students
course = typer.Typer(help="Hand out assignments with each student's own data, and mark them.")
app.add_typer(course, name="course")

NAME = Annotated[str, typer.Argument(help="An assignment, or the .toml file of your own.")]
SALT = Annotated[Path, typer.Option(readable=False, help="The instructor's salt.")]
ROSTER = Annotated[Path | None, typer.Option(readable=False, help="Text file, one student per line.")]


@course.command(name="list")
def listed():
    """List the assignments that come with stmlab."""
    from .course import bundled, load

    for task in map(load, bundled()):
        points = sum(question.points for question in task.questions)
        print(f"{task.name:12}{task.minutes:4} min {points:3g} points  {task.title}")


@course.command()
def new(
    name: NAME,
    out: Annotated[Path, typer.Option(readable=False, help="Folder of the course; made if it is not there.")] = ...,
    students: ROSTER = None,
    count: Annotated[int | None, typer.Option(min=1, max=MOST, help="Or so many numbered students.")] = None,
    salt: Annotated[Path | None, typer.Option(readable=False, help="Of the course; OUT/instructor/salt.txt.")] = None,
):
    """Make every student's copy of an assignment, in OUT/students; the salt stays in OUT/instructor."""
    if (students is None) == (count is None):
        raise Mistake("give --students FILE or --count N, one of them")
    names = roster(students) if students else [f"student-{number:0{len(str(count))}}" for number in range(1, count + 1)]
    from .course import hand_out, load

    task, secret = load(name), _own_salt(out, salt)
    made = 0
    for student in names:
        made += hand_out(task, student, secret, out / "students" / student / task.name)
    kept = f", {len(names) - made} kept as they were" if made < len(names) else ""
    print(f"{out / 'students'}: {task.name} for {made} students{kept}")


def _own_salt(out, path):
    """Return the salt of the course, new where there is none."""
    from .course import create_salt, read_salt

    path = path or out / "instructor" / "salt.txt"
    students = (out / "students").resolve()
    if students in path.resolve().parents:
        raise Mistake(f"{path} would be handed to students; keep the salt outside {out / 'students'}")
    if path.exists():
        return read_salt(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    print(f"{path}: new salt; keep it, nothing can be marked without it", file=sys.stderr)
    return create_salt(path)


def roster(path):
    """Return the students that a file lists, one per line; ``#`` begins a comment.

    Raises
    ------
    Mistake
        If it cannot be read, lists nobody, someone twice, or a name that no folder can have.
    """
    from .course.salt import STUDENT

    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise Mistake(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}") from None
    names = [word for line in lines if (word := line.partition("#")[0].strip())]
    for name in names:
        if not STUDENT.fullmatch(name):
            raise Mistake(f"{path}: {name[:80]!r} is no name: 1 to 64 letters, digits or . _ @ + -, a letter first")
    if not 0 < len(names) <= MOST:
        raise Mistake(f"{path} lists {len(names)} students; it may be 1 to {MOST}")
    if len({name.lower() for name in names}) < len(names):
        raise Mistake(f"{path} lists a student twice (capital letters do not count)")
    return names


@course.command()
def key(
    name: NAME,
    salt: SALT = ...,
    students: ROSTER = None,
    student: Annotated[list[str] | None, typer.Option(help="One student; may be repeated.")] = None,
):
    """Print the answers that every student should find."""
    from .course import key, load, read_salt

    task, secret = load(name), read_salt(salt)
    names = [*(student or []), *(roster(students) if students else [])]
    if not names:
        raise Mistake("say whose: --student NAME, or --students FILE")
    for who in names:
        for question, value in key(task, who, secret).items():
            text = " ".join(f"({x:.1f},{y:.1f})" for x, y in value) if hasattr(value, "shape") else f"{value:.6g}"
            print(f"{who}  {question}  {text}")


@course.command()
def grade(
    name: NAME,
    answers: Annotated[Path, typer.Option(readable=False, help="Folder with one folder per student.")] = ...,
    salt: SALT = ...,
    students: ROSTER = None,
    out: Annotated[Path | None, typer.Option(readable=False, help="Table to write, such as marks.csv.")] = None,
):
    """Mark what came back. With --students, those who handed in nothing are listed, too."""
    from .course import load, read_salt

    task, secret = load(name), read_salt(salt)
    if not answers.is_dir():
        raise Mistake(f"{answers} is no folder; name the one with a folder per student")
    if out and (out.is_dir() or not out.absolute().parent.is_dir()):
        raise Mistake(f"{out} cannot be written: it must be a file in an existing folder")
    marks = _marks(task, secret, answers, roster(students) if students else [])
    if marks and all("another salt" in mark.note for mark in marks):
        raise Mistake(f"{salt} is not the salt of these data; take the file that `course new` made")
    if out:
        write_text(out, _csv(marks))
    print(_table(task, marks), end="")


def _marks(task, secret, answers, listed):
    from .course.grading import grade, handed_in

    found, strange = handed_in(answers, task.name)
    for name in strange:
        print(f"stmlab: warning: {name} is no student's folder, left out", file=sys.stderr)
    found |= {name: None for name in listed if name not in found}
    if not found:
        raise Mistake(f"{answers} holds no student's folder")
    return [mark for who in sorted(found) for mark in grade(task, who, secret, found[who])]


def _csv(marks):
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(type(marks[0])._fields)
    writer.writerows(marks)
    return text.getvalue()


def _table(task, marks):
    """Lay the marks out: a line per student, then a line for each thing that was wrong with a submission."""
    names = [question.name for question in task.questions]
    rows, notes = [("student", *names, "sum")], []
    for who in dict.fromkeys(mark.student for mark in marks):
        own = [mark for mark in marks if mark.student == who]
        rows.append((who, *(f"{mark.points:g}" for mark in own), f"{sum(m.points for m in own):g}"))
        notes += [f"{who}: {note}" for note in dict.fromkeys(_remark(mark) for mark in own) if note]
    rows.append(("of", *(f"{q.points:g}" for q in task.questions), f"{sum(q.points for q in task.questions):g}"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([*lines, *notes]) + "\n"


def _remark(mark):
    """Return a note once for a whole submission, and with the name of the question if it is about one."""
    whole = mark.note.startswith(("answers.toml", "no answers.toml", "nothing"))
    return mark.note if whole or not mark.note else f"{mark.question}: {mark.note}"
