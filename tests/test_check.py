import numpy as np
import pytest

from stmlab.check import EXERCISES, answer


@pytest.mark.parametrize("number", sorted(EXERCISES))
def test_every_exercise_accepts_its_solution_and_nothing_near_it(number):
    truth = EXERCISES[number].solve()
    assert answer(number, truth)
    assert not answer(number, truth * (1 + 3 * EXERCISES[number].tolerance))
    assert not answer(number, np.nan)


def test_answers_by_hand():
    assert answer("1.1", 6)
    assert answer("1.2", 64 * 2 * 0.25)
    assert answer("2.1", np.sqrt(3.32**2 / 3 + 1.68**2))
    assert answer("2.2", 3.165 * np.sqrt(2))
    assert answer("5.1", -2 * 0.5123 * np.sqrt(4.5))
    assert answer("5.2", 4.0)
    assert answer("6.1", 200.0 / (3.0 * 0.5123 * np.sqrt(4.5)))
    assert answer("6.2", 2 * np.sin(np.pi / 10))
    assert answer("7.1", 787)
    assert answer("7.2", 0.027)
    assert answer("8.1", 0.4 / 2 * np.tanh(2 * 0.5))
    assert answer("8.2", 20.0)
    assert answer("9.1", 13.3)
    assert answer("9.2", 49.9)
    assert answer("10.1", 0.2614)
    assert answer("10.2", 7 * 0.7)
    assert answer("11.1", 0.2346)
    assert answer("11.2", 122_026)
    assert answer("12.1", 0.586)
    assert answer("12.2", 2.5)
    assert answer("12.6", 2 * 20 / (30 + 25))
    assert answer("13.1", 57.0)
    assert answer("13.2", 3.81 * (4 * np.pi / 3 / 3.1824) ** 2)
    assert answer("13.4", 0.38)


@pytest.mark.parametrize(("factor", "word"), [(-1, "sign"), (0.5, "factor of 2"), (10, "nm"), (0.001, "1000")])
def test_common_slips_are_named(factor, word):
    verdict = answer("5.1", factor * EXERCISES["5.1"].solve())
    assert not verdict
    assert word in repr(verdict)


def test_what_is_no_answer():
    assert "one number" in repr(answer("5.1", [1, 2]))
    with pytest.raises(ValueError, match="no exercise '99'"):
        answer("99", 1)
