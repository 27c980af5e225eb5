"""How an answer is compared with what the library finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

SLIPS = (
    (-1.0, "the sign"),
    (2.0, "a factor of 2"),
    (0.5, "a factor of 2"),
    (10.0, "the unit: Å against nm"),
    (0.1, "the unit: Å against nm"),
    (1000.0, "the unit: a factor of 1000"),
    (0.001, "the unit: a factor of 1000"),
    (np.pi / 180, "degrees against radians"),
    (180 / np.pi, "degrees against radians"),
)


@dataclass(frozen=True)
class Exercise:
    """One numerical question.

    Parameters
    ----------
    solve : callable
        Works the answer out.
    unit : str
        Of the answer.
    tolerance : float
        Relative error that still counts as right.
    """

    solve: Callable[[], float]
    unit: str
    tolerance: float


@dataclass(frozen=True)
class Verdict:
    """Whether an answer is right, and what to look at if it is not; true when right."""

    right: bool
    message: str

    def __bool__(self):
        return self.right

    def __repr__(self):
        return self.message


EXERCISES: dict[str, Exercise] = {}


def exercise(number, unit="", tolerance=0.01):
    """Register the function that solves exercise ``number``."""

    def register(solve):
        EXERCISES[number] = Exercise(solve, unit, tolerance)
        return solve

    return register


def answer(number, value):
    """Check an answer to an exercise of the book.

    Parameters
    ----------
    number : str
        Of the exercise, such as ``"5.1"``.
    value : float
        Your answer, in the unit that the exercise asks for.

    Returns
    -------
    Verdict
        True when right; it prints as a sentence.

    Raises
    ------
    ValueError
        If there is no such exercise.
    """
    if number not in EXERCISES:
        raise ValueError(f"no exercise {number!r} is checked here; known: {', '.join(sorted(EXERCISES))}")
    task = EXERCISES[number]
    try:
        value = float(value)
    except (TypeError, ValueError):
        return Verdict(False, f"An answer to {number} is one number, not {type(value).__name__}.")
    truth = float(task.solve())
    if _close(value, truth, task.tolerance):
        return Verdict(True, f"Right: {value:.4g} {task.unit}".rstrip() + ".")
    slips = [what for factor, what in SLIPS if _close(value, truth * factor, task.tolerance)]
    return Verdict(False, f"Not yet: {value:.4g} {task.unit}".rstrip() + (f". Check {slips[0]}." if slips else "."))


def _close(value, truth, tolerance):
    return abs(value - truth) <= tolerance * abs(truth)
