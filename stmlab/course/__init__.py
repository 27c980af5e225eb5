"""Assignments with each student's own data, and marks: all follows from a salt that the instructor holds."""

from .assignment import Assignment, Question, bundled, load
from .case import Case, Curve, case
from .grading import Mark, grade, key, read_submission
from .handout import hand_out
from .salt import create_salt, fingerprint, read_salt, seed
from .student import answer, data, places, questions

__all__ = [
    "Assignment", "Case", "Curve", "Mark", "Question", "answer", "bundled", "case", "create_salt", "data",
    "fingerprint", "grade", "hand_out", "key", "load", "places", "questions", "read_salt", "read_submission", "seed",
]  # fmt: skip
