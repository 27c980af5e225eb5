"""Sliders: their grids, texts, and what they say about a wrong grid."""

import numpy as np
import pytest

from stmlab.interactive import Slider


def test_tuple_is_a_linear_grid_and_contains_its_default():
    slider = Slider((0, 1, 11), 0.3, "gap", "Å")
    assert slider.grid == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    assert (slider.index, slider.continuous) == (3, True)


def test_list_is_the_grid_itself():
    slider = Slider([1, 2, 8], 8, "layers")
    assert (slider.grid, slider.index, slider.continuous) == ([1, 2, 8], 2, False)
    assert Slider(np.array([1.0, 2.0]), 1, "x").grid == [1.0, 2.0]
    assert Slider(["W", "Se"], "Se", "atom").index == 1
    assert Slider([1, 2], 1, "x", step=0.1).continuous


def test_default_off_the_grid_is_an_error_that_shows_the_grid():
    with pytest.raises(ValueError, match=r"'gap': the default 0\.25 is not on its grid \[0\.0, 0\.5, 1\.0\]"):
        Slider((0, 1, 3), 0.25, "gap", "Å")


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        ((1, 2), {}, "a tuple means"),
        ([1], {}, "two or more"),
        ([1, "a"], {}, "of one kind"),
        ([1, 3, 2], {}, "increase"),
        ([1, np.inf], {}, "finite"),
        (["a", "a"], {}, "repeats"),
        ([1, 1.001], {}, "alike"),
        ([1, 2], {"step": -1}, "positive"),
        (["a", "b"], {"step": 1}, "step"),
    ],
)
def test_wrong_grids_are_named(values, options, message):
    first = values[0]
    with pytest.raises(ValueError, match=f"'knob'.*{message}"):
        Slider(values, first, "knob", **options)


def test_text_has_unit_and_a_true_minus():
    assert Slider((-1, 1, 5), 0.5, "bias", "V", fmt=".2f").text(-0.5) == "−0.50 V"
    assert Slider([1, 2000], 1, "n").text(2000) == "2000"
    assert Slider(["Se-top", "W"], "W", "atom").text("Se-top") == "Se-top"


@pytest.mark.parametrize("n", [2, 7, 31, 201, 400])
def test_live_slider_meets_every_grid_value(n):
    slider = Slider((-1.5, 1.5, n), 1.5, "bias", "V", fmt=".5f")
    steps = (np.array(slider.grid) - slider.grid[0]) / slider.live_step
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-8)
    assert 200 <= steps[-1] + 1e-9 < 200 + n


@pytest.mark.parametrize("play", [0, -1, 31])
def test_a_slider_plays_at_a_rate_that_can_be_watched(play):
    with pytest.raises(ValueError, match="0 to 30 values per second"):
        Slider([1, 2], 1, "n", play=play)
