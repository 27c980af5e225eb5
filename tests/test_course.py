"""The course kit: every student's own data, answers that follow from the salt alone, and hostile submissions."""

import csv
import io
import json
import os
import stat
import struct
import tomllib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter, maximum_filter

from stmlab import cli, course
from stmlab.analysis import blobs, defect_density, drift_velocity, lattice_correction, lattice_vectors, level
from stmlab.course import grading, handout, truth
from stmlab.course.handout import hand_out, notebook
from stmlab.junction import kappa
from stmlab.spectra import apparent_barrier

SALT = bytes(range(32))
NAMES = ["calibrate", "feedback", "defects", "barrier", "project"]


def run(*argv):
    """Run the command in this process and return its exit status."""
    with pytest.raises(SystemExit) as left:
        cli.main([str(word) for word in argv])
    return left.value.code


@pytest.fixture(autouse=True)
def once(monkeypatch):
    """Simulate nobody's frame twice, unless a test says `fresh`."""
    for module in (grading, handout):
        monkeypatch.setattr(module, "case", kept)


def kept(assignment, number, cases={}):  # noqa: B006, that is the point
    where = assignment.name, number
    if where not in cases:
        cases[where] = course.case(assignment, number)
    return cases[where]


# ---- what good students do: they have the file and the library, and no truth ----------------------------


def calibrate(folder):
    scan = course.data(folder)
    vectors = lattice_vectors(scan.height[0], scan.raster.pixel_size, guess=3.3)
    scale = lattice_correction(vectors, 3.32)[0, 0]
    true = replace(scan.raster, width=scan.raster.width * scale, height=scan.raster.height * scale)
    drift = drift_velocity(lattice_correction(vectors * scale, 3.32), true)
    x, y = (v + u * true.time[0] for v, u in zip(true.xy, drift, strict=True))
    plane = np.linalg.lstsq(np.c_[x.ravel(), y.ravel(), np.ones(x.size)], scan.height[0].ravel(), rcond=None)[0]
    tilt = np.degrees(np.arctan(plane))
    return {"scale": scale, "drift_x": drift[0], "drift_y": drift[1], "tilt_x": tilt[0], "tilt_y": tilt[1]}


def feedback(folder, without_lag=True):
    scan, k = course.data(folder), 2 * kappa(4.5)
    moved, error = np.diff(scan.height[0], axis=1), scan.current[0][:, :-1]
    gain = k * np.polyfit(error.ravel(), moved.ravel(), 1)[0]
    trace, retrace = scan.height + (scan.current / k if without_lag else 0)
    trace, retrace = (v - v.mean(axis=1, keepdims=True) for v in (trace, retrace))
    column, pixel = np.arange(scan.raster.pixels), scan.raster.pixel_size[0]
    bow = 1 - (2 * (column + 0.5) / column.size - 1) ** 2  # greatest in the middle, nothing at the ends

    def cost(shift):
        at = column + shift * bow / pixel
        there = (at >= 0) & (at <= column[-1])
        return ((trace - [np.interp(at, column, row) for row in retrace])[:, there] ** 2).mean()

    trial = np.linspace(-1.66, 1.66, 167)
    best = trial[np.argmin([cost(shift) for shift in trial])]
    return {"loop_gain": gain, "shift": 100 * abs(best) / scan.raster.width}


def defects(folder):
    scan, counts = course.data(folder), []
    smooth = gaussian_filter(level(scan.height[0], "line"), 2)  # the lattice is gone
    for side in (-smooth, smooth):
        peak = (side == maximum_filter(side, 7)) & (side > 0.4 * np.percentile(side, 99.97))
        counts.append(int(peak[1:-1, 1:-1].sum()))
    density = defect_density(sum(counts), np.prod(scan.raster.extent) / 100)
    limits = {"density": density.value, "density_low": density.low, "density_high": density.high}
    return {"dark": counts[0], "bright": counts[1]} | limits


def barrier(folder):
    curve = course.data(folder)
    offset, used = np.median(curve.current[curve.z > 4.5]), curve.z <= 2
    slope = np.polyfit(curve.z[used], np.log(curve.current[used] - offset), 1)[0]
    return {"offset": offset, "decay": np.exp(-slope), "barrier": apparent_barrier(slope)}


def project(folder):
    scan = course.data(folder)
    found = blobs(gaussian_filter(level(scan.height[0], "line"), 1), scan.raster.pixel_size, 3, scales=(2.8, 4.0),
                  apart=6.0)  # fmt: skip
    score = found["score"]
    return found[: 5 + np.argmax(score[4:-1] / score[5:])]  # defects end where the score falls most


@pytest.fixture(scope="module")
def handed(tmp_path_factory):
    """Copies of every assignment for two students."""
    folder = tmp_path_factory.mktemp("course")
    for name in NAMES:
        for student in ("ada", "bob"):
            assert hand_out(course.load(name), student, SALT, folder / student / name)
    return folder


def marks(name, student, folder, salt=SALT):
    return course.grade(course.load(name), student, salt, folder)


# ---- a right and a wrong solution -----------------------------------------------------------------------


@pytest.mark.parametrize("solve", [calibrate, feedback, defects, barrier])
@pytest.mark.parametrize("student", ["ada", "bob"])
def test_what_a_student_measures_is_right(solve, student, tmp_path):
    name = solve.__name__
    hand_out(course.load(name), student, SALT, tmp_path / "copy")
    course.answer(tmp_path / "copy", **solve(tmp_path / "copy"))
    got = marks(name, student, tmp_path / "copy")
    assert all(mark.points == mark.out_of > 0 and not mark.note for mark in got), got


@pytest.mark.parametrize("student", ["ada", "bob"])
def test_places_that_a_student_finds_earn_points(handed, student):
    folder = handed / student / "project"
    found = project(folder)
    course.places("found", found["x"], found["y"], folder)
    (mark,) = marks("project", student, folder)
    assert mark.points == mark.out_of == 10
    course.places("found", found["x"] + 30, found["y"], folder)  # 23 Å off
    (mark,) = marks("project", student, folder)
    assert mark.points < 6
    course.places("found", [], [], folder)
    assert marks("project", student, folder)[0].points == 0


def test_the_typical_mistakes_are_wrong(tmp_path):
    hand_out(course.load("feedback"), "ada", SALT, tmp_path / "f")
    course.answer(tmp_path / "f", **feedback(tmp_path / "f", without_lag=False))  # of the loop counts as hysteresis
    gain, shift = marks("feedback", "ada", tmp_path / "f")
    assert gain.points == 2
    assert shift.points == 0
    hand_out(course.load("barrier"), "ada", SALT, tmp_path / "b")
    curve = course.data(tmp_path / "b")
    used = (curve.z <= 2) & (curve.current > 0)
    slope = np.polyfit(curve.z[used], np.log(curve.current[used]), 1)[0]  # the offset forgotten
    course.answer(tmp_path / "b", decay=np.exp(-slope), barrier=apparent_barrier(slope))
    assert [mark.points for mark in marks("barrier", "ada", tmp_path / "b")] == [0, 0, 0]
    hand_out(course.load("calibrate"), "ada", SALT, tmp_path / "c")
    own = calibrate(tmp_path / "c")
    course.answer(tmp_path / "c", scale=1 / own["scale"], drift_x=-own["drift_x"], drift_y=-own["drift_y"])
    got = {mark.question: mark.points for mark in marks("calibrate", "ada", tmp_path / "c")}
    assert got["scale"] == 0
    assert min(got["drift_x"], got["drift_y"]) == 0  # one of them may be too small to matter


@pytest.mark.parametrize("name", NAMES)
def test_the_key_is_right_and_a_neighbours_key_is_not(name, handed):
    task = course.load(name)
    keys = {who: course.key(task, who, SALT) for who in ("ada", "bob")}
    for who in keys:
        folder = handed / "ada" / name
        numbers = {q.name: keys[who][q.name] for q in task.questions if not q.is_table}
        if numbers:
            course.answer(folder, **numbers)
        for q in task.questions:
            if q.is_table:
                course.places(q.name, *keys[who][q.name].T, folder)
        got = marks(name, "ada", folder)
        if who == "ada":
            assert all(mark.points == mark.out_of for mark in got)
        else:
            assert sum(mark.points for mark in got) < 0.7 * sum(mark.out_of for mark in got)


def test_tolerances():
    question = course.Question("q", "", tolerance=0.1, relative=0.01)
    assert grading.is_right(question, 1.1, 1.0)
    assert not grading.is_right(question, 1.11, 1.0)
    assert grading.is_right(question, -99.0, -100.0)
    assert not grading.is_right(question, -98.9, -100.0)
    assert not grading.is_right(question, float("inf"), 1.0)


def test_f1_pairs_each_place_once():
    true = np.array([[0.0, 0.0], [10.0, 0.0], [20.0, 0.0]])
    assert truth.f1(true, true, (1.0, 1.0), 2.0) == 1
    assert truth.f1(true[:1].repeat(3, axis=0), true, (1.0, 1.0), 2.0) == pytest.approx(1 / 3)
    assert truth.f1(true[:0], true, (1.0, 1.0), 2.0) == 0
    assert truth.f1(true[:0], true[:0], (1.0, 1.0), 2.0) == 1
    assert truth.f1(true + [0, 2.5], true, (1.0, 1.0), 2.0) == 0
    assert truth.f1(true + [0, 2.5], true, (1.0, 0.5), 2.0) == 1
    crowd = np.array([[0.0, 0.0], [1.5, 0.0]])  # the greedy pair (1.5, 1) would leave the other alone
    assert truth.f1(crowd, np.array([[1.0, 0.0], [3.0, 0.0]]), (1.0, 1.0), 1.6) == 1


# ---- the student's copy ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_two_students_differ_and_the_same_salt_gives_the_same_bits(name, handed, tmp_path, monkeypatch):
    task = course.load(name)
    if name not in ("defects", "project"):  # which take long, and do the same
        monkeypatch.setattr(handout, "case", course.case)
    hand_out(task, "ada", SALT, tmp_path / "again")
    hand_out(task, "ada", bytes(32), tmp_path / "other")
    for path in (handed / "ada" / name).iterdir():
        if path.name in ("answers.toml", "found.csv"):
            continue
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()
        same = path.read_bytes() == (handed / "bob" / name / path.name).read_bytes()
        assert same == (path.suffix == ".ipynb")
        assert (path.read_bytes() == (tmp_path / "other" / path.name).read_bytes()) == same
    keys = [course.key(task, who, SALT) for who in ("ada", "bob")]
    assert all(not np.array_equal(keys[0][q], keys[1][q]) for q in keys[0] if q not in ("dark", "bright"))


def spelled(number):
    """Every way in which a number could stand in a file: digits, and the bytes of floats."""
    texts = {f"{number:.{digits}g}" for digits in (6, 8, 12, 17)} | {repr(float(number))}
    forms = {text.encode() for text in texts if len(text.strip("-0.")) > 3}
    return forms | {struct.pack(order + "d", number) for order in "<>" if number}


@pytest.mark.parametrize("name", NAMES)
def test_no_answer_and_no_secret_is_in_the_copy(name, tmp_path):
    task, folder = course.load(name), tmp_path / "copy"
    hand_out(task, "ada", SALT, folder)
    number = course.seed(SALT, name, "ada")
    one, bytes_ = kept(task, number), {path: path.read_bytes() for path in folder.iterdir()}
    secrets = {SALT, SALT.hex().encode(), str(number).encode(), number.to_bytes(8, "little"), number.to_bytes(8, "big")}
    for question, value in course.key(task, "ada", SALT).items():
        numbers = np.ravel(value) if question == "found" else [value] if abs(value) != round(abs(value)) else []
        secrets |= set().union(*map(spelled, numbers)) if len(numbers) else set()
    if one.scan is not None:
        for row in one.scan.defects:
            secrets |= spelled(row["x"]) | spelled(row["y"]) | spelled(row["row"]) | spelled(row["col"])
        for path in task.study.vary:
            value = one.parameters[path]
            secrets |= spelled(value) if isinstance(value, float) and path != "raster.angle" else set()
    for path, content in bytes_.items():
        assert not [word for word in secrets if word in content], path
        assert b"vacancy-top" not in content
        assert b"loop_gain = 0" not in content
    record = "curve.csv" if name == "barrier" else "scan.gwy"
    assert {path.name for path in bytes_} == {"task.toml", f"{name}.ipynb", record}


def test_the_scan_holds_what_an_instrument_stores(handed):
    scan = course.data(handed / "ada" / "defects")
    for field in ("true_height", "drive", "x", "y", "ideal", "defects", "lattice", "parameters", "seed", "events"):
        assert getattr(scan, field) is None, field
    assert set(scan.meta) == {"bias", "source"}
    with pytest.raises(ValueError, match="no ground truth"):
        scan.masks()


def test_the_check_would_see_a_leak(tmp_path):
    task = course.load("defects")
    one = kept(task, course.seed(SALT, "defects", "ada"))
    one.scan.save(tmp_path / "leak.gwy")
    content = (tmp_path / "leak.gwy").read_bytes()
    assert str(course.seed(SALT, "defects", "ada")).encode() in content
    assert any(word in content for word in spelled(one.parameters["defects.se_vacancy_top"]))


def test_the_notebook_runs_as_it_is_handed_out(handed, monkeypatch, tmp_path):
    monkeypatch.setenv("MPLBACKEND", "agg")
    import matplotlib.pyplot as plt

    plt.switch_backend("agg")
    for name in NAMES:
        hand_out(course.load(name), "ada", SALT, tmp_path / name)
        monkeypatch.chdir(tmp_path / name)
        book = json.loads((tmp_path / name / f"{name}.ipynb").read_text(encoding="utf-8"))
        space = {}
        for cell in book["cells"]:
            if cell["cell_type"] == "code":
                exec("".join(cell["source"]), space)  # our own template
        plt.close("all")
        assert (tmp_path / name / "answers.toml").exists() == (name != "project")
        assert all(mark.points == 0 for mark in marks(name, "ada", tmp_path / name))


def test_a_notebook_is_made_of_cells():
    book = notebook("# %% [markdown]\n# # Title\n#\n# text\n\n# %%\nx = 1\n\ny = 2\n")
    assert [cell["cell_type"] for cell in book["cells"]] == ["markdown", "code"]
    assert "".join(book["cells"][0]["source"]) == "# Title\n\ntext"
    assert "".join(book["cells"][1]["source"]) == "x = 1\n\ny = 2"
    nbformat = pytest.importorskip("nbformat")
    nbformat.validate(nbformat.from_dict(book))


def test_what_a_student_may_answer(handed, tmp_path):
    folder = tmp_path / "c"
    hand_out(course.load("barrier"), "ada", SALT, folder)
    assert "nothing" in course.answer(folder, offset=...)
    assert "no answer yet" in course.questions(folder)
    course.answer(folder, offset=np.float64(1.5))
    course.answer(folder, decay=9)
    assert tomllib.loads((folder / "answers.toml").read_text())["answers"] == {"offset": 1.5, "decay": 9.0}
    for wrong in ("x", None, [1, 2], float("nan")):
        with pytest.raises(ValueError, match="offset"):
            course.answer(folder, offset=wrong)
    with pytest.raises(ValueError, match="known: offset, decay, barrier"):
        course.answer(folder, gain=1)
    with pytest.raises(ValueError, match=r"task\.toml is missing"):
        course.answer(tmp_path, offset=1)
    with pytest.raises(ValueError, match="finite numbers"):
        course.places("found", [1, 2], [1], handed / "bob" / "project")


# ---- the salt -------------------------------------------------------------------------------------------


def test_the_salt_is_made_once_for_its_owner(tmp_path):
    salt = course.create_salt(tmp_path / "salt.txt")
    assert len(salt) == 32
    assert course.read_salt(tmp_path / "salt.txt") == salt
    assert stat.S_IMODE(os.stat(tmp_path / "salt.txt").st_mode) == 0o600
    assert course.create_salt(tmp_path / "b.txt") != salt
    with pytest.raises(ValueError, match="exists"):
        course.create_salt(tmp_path / "salt.txt")
    assert course.fingerprint(salt) not in salt.hex()


def test_seeds_depend_on_all_three():
    seeds = {course.seed(s, a, n) for s in (SALT, bytes(32)) for a in ("x", "xy") for n in ("a", "ya", "b")}
    assert len(seeds) == 12
    assert course.seed(SALT, "calibrate", "ada") == 8406615445088631351  # for ever: marks depend on it
    for name in ("", "../x", "a/b", ".a", "a" * 65, "a\n"):
        with pytest.raises(ValueError, match="letter first"):
            course.seed(SALT, "x", name)


# ---- hostile submissions --------------------------------------------------------------------------------

HOSTILE = {
    "empty": (b"", "no answer"),
    "binary": (bytes(range(256)), "is no text"),
    "broken": (b"answers = [[[", "cannot be read"),
    "nested": (b"x = " + b"[" * 100_000, "cannot be read"),
    "huge": (b"#" * 300_000, "more than"),
    "no table": (b"answers = 3", "no answer"),
    "bool": (b"[answers]\noffset = true", "is bool"),
    "text": (b"[answers]\noffset = '1e3'", "is str"),
    "nan": (b"[answers]\noffset = nan", "not finite"),
    "inf": (b"[answers]\noffset = -inf", "not finite"),
    "long": (b"[answers]\noffset = 1" + b"0" * 400, "too large"),
    "longer": (b"[answers]\noffset = 1" + b"0" * 5000, "cannot be read"),
    "date": (b"[answers]\noffset = 2020-01-01", "is date"),
    "other": (b"student = 'eve'\n[answers]\noffset = 1.0", "another student"),
    "salt": (b"salt = '0'\n[answers]\noffset = 1.0", "another salt"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_submission_gets_a_note(kind, tmp_path):
    content, note = HOSTILE[kind]
    (tmp_path / "answers.toml").write_bytes(content)
    got = marks("barrier", "ada", tmp_path)
    assert len(got) == 3
    assert all(mark.points == 0 for mark in got)
    assert note in got[0].note


def test_links_pipes_and_folders_are_not_read(tmp_path):
    (tmp_path / "secret").write_text("[answers]\noffset = 1.0\n")
    for make in (lambda p: p.symlink_to(tmp_path / "secret"), os.mkfifo, os.mkdir):
        folder = tmp_path / f"f{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        make(folder / "answers.toml")
        assert "no plain file" in marks("barrier", "ada", folder)[0].note


CSVS = ["", "a,b\n1,2\n", "x_px,y_px\n1\n", "x_px,y_px\nnan,1\n", "x_px,y_px\n1e999,1\n", "x_px,y_px\n=1+1,2\n",
        "x_px,y_px\n" + "1,1\n" * 6000, 'x_px,y_px\n"' + "a" * 200_000, "x_px,y_px\n1,\0\n"]  # fmt: skip


@pytest.mark.parametrize("number", range(len(CSVS)))
def test_hostile_places_get_a_note(number, tmp_path, monkeypatch):
    (tmp_path / "answers.toml").write_text("")
    (tmp_path / "found.csv").write_text(CSVS[number])
    handed = grading.read_submission(course.load("project"), "ada", SALT, tmp_path)
    assert "found" not in handed.tables
    assert "found.csv" in handed.notes["found"]


def test_the_table_of_the_detect_command_can_be_handed_in(tmp_path):
    (tmp_path / "answers.toml").write_text("")
    (tmp_path / "found.csv").write_text("file,x_px,y_px,x_nm,y_nm,score\nscan.gwy,1.5,2.5,0.1,0.2,0.9\n")
    handed = grading.read_submission(course.load("project"), "ada", SALT, tmp_path)
    assert handed.tables["found"].tolist() == [[1.5, 2.5]]


scalars = st.one_of(st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.integers()), st.dates())


TASKS = {name: course.load(name) for name in ("barrier", "project")}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(
    st.binary(max_size=300),
    st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.dictionaries(st.sampled_from(["offset", "decay", "barrier", "salt", "x"]), scalars).map(
        lambda table: b"[answers]\n" + "\n".join(f"{k} = {v!r}" for k, v in table.items()).encode("utf-8", "replace")),
))  # fmt: skip
def test_reading_never_raises(tmp_path, content):
    (tmp_path / "answers.toml").write_bytes(content)
    (tmp_path / "found.csv").write_bytes(content)
    for task in TASKS.values():
        handed = grading.read_submission(task, "ada", SALT, tmp_path)
        assert all(np.isfinite(value) for value in handed.numbers.values())
        assert all(len(note) < 200 and note.isascii() and "\n" not in note for note in handed.notes.values())


# ---- the commands ---------------------------------------------------------------------------------------


def test_a_course_from_the_command_line(tmp_path, capsys):
    out, salt = tmp_path / "c", tmp_path / "c" / "instructor" / "salt.txt"
    (tmp_path / "roster.txt").write_text("# group 1\nada  # the first\n\nbob\nzoe\n")
    assert run("course", "new", "barrier", "--students", tmp_path / "roster.txt", "--out", out) == 0
    assert stat.S_IMODE(salt.stat().st_mode) == 0o600
    secret = salt.read_text().strip()
    for path in (out / "students").rglob("*"):
        assert path.is_dir() or secret.encode() not in path.read_bytes()
        assert "salt" not in path.name
    capsys.readouterr()
    assert run("course", "new", "barrier", "--students", tmp_path / "roster.txt", "--out", out) == 0
    assert "0 students, 3 kept" in capsys.readouterr().out
    copy = out / "students" / "ada" / "barrier"
    course.answer(copy, **barrier(copy))
    (out / "students" / "bob" / "barrier" / "answers.toml").write_bytes(b"\xff\xfe")
    (out / "students" / "a b").mkdir()
    (tmp_path / "late.txt").write_text("ada\nbob\nzoe\nyan\n")
    capsys.readouterr()
    assert run("course", "grade", "barrier", "--answers", out / "students", "--salt", salt, "--out",
               tmp_path / "marks.csv", "--students", tmp_path / "late.txt") == 0  # fmt: skip
    shown = capsys.readouterr()
    assert "ada      1       2      2        5" in shown.out
    assert "bob: answers.toml is no text" in shown.out
    assert "yan: nothing handed in" in shown.out
    assert "'a b' is no student's folder" in shown.err
    rows = list(csv.DictReader(io.StringIO((tmp_path / "marks.csv").read_text())))
    assert [row["student"] for row in rows] == sorted(3 * ["ada", "bob", "yan", "zoe"])
    assert {row["points"] for row in rows if row["student"] != "ada"} == {"0.0"}
    assert run("course", "key", "barrier", "--salt", salt, "--student", "ada") == 0
    assert capsys.readouterr().out.count("ada  ") == 3


def one_line(capsys):
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert err.startswith("stmlab: ")
    return err


def test_without_the_salt_nothing_is_marked(tmp_path, capsys):
    out, salt = tmp_path / "c", tmp_path / "c" / "instructor" / "salt.txt"
    assert run("course", "new", "barrier", "--count", 2, "--out", out) == 0
    copy = out / "students" / "student-1" / "barrier"
    course.answer(copy, **barrier(copy))
    (out / "students" / "student-2" / "barrier" / "answers.toml").write_bytes((copy / "answers.toml").read_bytes())
    capsys.readouterr()
    graded = ["course", "grade", "barrier", "--answers", out / "students", "--out", tmp_path / "m.csv"]
    assert run(*graded) == 2
    assert "--salt" in one_line(capsys)
    assert run(*graded, "--salt", tmp_path / "no") == 2
    assert "no salt" in one_line(capsys)
    (tmp_path / "bad").write_text("hello")
    assert run(*graded, "--salt", tmp_path / "bad") == 2
    assert "holds no salt" in one_line(capsys)
    (copy.parent.parent / "student-2" / "barrier" / "answers.toml").unlink()
    course.create_salt(tmp_path / "other")
    assert run("course", "grade", "barrier", "--answers", copy.parent.parent, "--salt", tmp_path / "other") == 0
    assert "another salt" in capsys.readouterr().out
    alone = tmp_path / "alone"
    (alone / "student-1").mkdir(parents=True)
    (alone / "student-1" / "answers.toml").write_bytes((copy / "answers.toml").read_bytes())
    assert run("course", "grade", "barrier", "--answers", alone, "--salt", tmp_path / "other") == 2
    assert "not the salt of these data" in one_line(capsys)
    assert not (tmp_path / "m.csv").exists()
    assert run("course", "grade", "barrier", "--answers", alone, "--salt", salt) == 0
    assert run("course", "new", "barrier", "--count", 2, "--out", out, "--salt", tmp_path / "other") == 2


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["new", "nothing", "--count", "1", "--out", "c"], "unknown assignment 'nothing'"),
        (["new", "barrier", "--out", "c"], "one of them"),
        (["new", "barrier", "--count", "0", "--out", "c"], "greater than or equal to 1"),
        (["new", "barrier", "--count", "1", "--out", "c", "--salt", "c/students/s"], "handed to students"),
        (["new", "barrier", "--students", "none.txt", "--out", "c"], "cannot be read"),
        (["new", "barrier", "--students", "bad.txt", "--out", "c"], "is no name"),
        (["new", "barrier", "--students", "twice.txt", "--out", "c"], "twice"),
        (["new", "barrier", "--students", "empty.txt", "--out", "c"], "0 students"),
        (["grade", "barrier", "--answers", "none", "--salt", "salt"], "is no folder"),
        (["grade", "barrier", "--answers", "folder", "--salt", "salt"], "no student's folder"),
        (["grade", "barrier", "--answers", "folder", "--salt", "salt", "--out", "no/m.csv"], "cannot be written"),
        (["key", "barrier", "--salt", "salt"], "say whose"),
    ],
)
def test_mistakes_are_one_line(argv, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.txt").write_text("../evil\n")
    (tmp_path / "twice.txt").write_text("Ada\nada\n")
    (tmp_path / "empty.txt").write_text("# nobody\n")
    (tmp_path / "folder").mkdir()
    course.create_salt(tmp_path / "salt")
    assert run("course", *argv) == 2
    assert message in one_line(capsys)
    assert not (tmp_path / "c").exists()


def test_a_copy_is_whole_or_not_there(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("stmlab.course.handout._write_task", fail)
    with pytest.raises(OSError, match="disk full"):
        hand_out(course.load("barrier"), "ada", SALT, tmp_path / "ada" / "barrier")
    assert list((tmp_path / "ada").iterdir()) == []


# ---- the assignments ------------------------------------------------------------------------------------


def test_the_bundled_assignments():
    assert course.bundled() == NAMES
    for name in NAMES:
        task = course.load(name)
        assert task.minutes > 0
        assert len({q.name for q in task.questions}) == len(task.questions)
        assert all(q.tolerance or q.relative or q.is_table for q in task.questions)


def test_an_assignment_of_ones_own(tmp_path):
    source = course.assignment.assignments_path("barrier.toml").read_text(encoding="utf-8")
    (tmp_path / "own.toml").write_text(source.replace("uniform = [3.0, 6.0]", "uniform = [4.0, 4.1]"), encoding="utf-8")
    with pytest.raises(ValueError, match=r"own\.py"):
        course.load(tmp_path / "own.toml")
    (tmp_path / "own.py").write_text("# %%\n")
    task = course.load(tmp_path / "own.toml")
    assert 4.0 <= course.case(task, 1).parameters.junction.work_function <= 4.1
    for old, new, message in (
        ('name = "decay"', 'name = "magic"', "nobody can answer 'magic'"),
        ('kind = "curve"', 'kind = "film"', "film"),
        ("points = 2", "prize = 2", "no prize"),
        ("minutes = 45", "", "lacks 'minutes'"),
        ("[study.junction]", "[study.junctions]", "junctions"),
        ("title =", "title", "is no assignment"),
    ):
        (tmp_path / "own.toml").write_text(source.replace(old, new), encoding="utf-8")
        with pytest.raises(ValueError, match=message):
            course.load(tmp_path / "own.toml")
