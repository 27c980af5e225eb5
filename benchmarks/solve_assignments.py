"""Solve the assignments as good students would, and count the right answers: python solve_assignments.py [STUDENTS].

The solvers are those of tests/test_course.py; they see a student's copy and nothing else. Counting defects by machine
is the hardest, because two of them may touch.
"""

import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from stmlab import course
from stmlab.analysis import blobs, defect_density, level

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
import test_course as students

SALT = bytes(range(32))


def defects(folder):
    """Count blobs down to the greatest gap of their scores, those at the edge left out."""
    scan = course.data(folder)
    image = gaussian_filter(level(scan.height[0], "line"), 1)
    found = blobs(image, scan.raster.pixel_size, 3, scales=(2.8, 4.0), apart=4.0)
    last = scan.raster.pixels - 1
    found = found[np.min([found["x"], found["y"], last - found["x"], last - found["y"]], axis=0) > 0]
    found = found[: 5 + np.argmax(found["score"][4:-1] / found["score"][5:])]
    bright = (image[np.rint(found["y"]).astype(int), np.rint(found["x"]).astype(int)] > 0).sum()
    density = defect_density(len(found), np.prod(scan.raster.extent) / 100)
    return {"dark": len(found) - bright, "bright": bright, "density": density.value, "density_low": density.low,
            "density_high": density.high}  # fmt: skip


def solved(name, student, folder):
    """Return the marks of one student who does an assignment well."""
    task = course.load(name)
    course.hand_out(task, student, SALT, folder)
    if name == "project":
        found = students.project(folder)
        course.places("found", found["x"], found["y"], folder)
    else:
        solve = defects if name == "defects" else getattr(students, name)
        course.answer(folder, **solve(folder))
    return course.grade(task, student, SALT, folder)


def main(count):
    """Print for each question how many of `count` students get all its points."""
    for name in course.bundled():
        right = Counter()
        with tempfile.TemporaryDirectory() as room:
            for number in range(count):
                for mark in solved(name, f"student-{number}", Path(room) / str(number)):
                    right[mark.question] += mark.points == mark.out_of
        print(name, ", ".join(f"{question} {right[question]}/{count}" for question in right), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
