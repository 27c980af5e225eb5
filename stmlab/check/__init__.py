"""Self-checks for the exercises of the book: an answer goes in, a verdict and a nudge come out.

No answer is written down here. Each exercise is a function that works it out with the library.
"""

from . import data, microscope, spectroscopy
from .registry import EXERCISES, Exercise, Verdict, answer, exercise

__all__ = ["EXERCISES", "Exercise", "Verdict", "answer", "data", "exercise", "microscope", "spectroscopy"]
