"""The live figure, driven without a browser: moving a slider changes the bytes that are sent."""

import sys

import ipywidgets
import numpy as np
import pytest
from helpers import figure, scene

from stmlab.interactive import Lines, Slider, explore
from stmlab.interactive.live import LiveFigure, PngView, slider_widget


def sent(live):
    """What the browser would draw: image bytes, image bytes, curves, loop."""
    data = live.view.widget.data
    n, c = 9 * 12, 12
    floats = np.frombuffer(data[2 * n :], "<f4")
    return np.frombuffer(data[: 2 * n], "u1").reshape(2, 9, 12), floats[: 3 * c], floats[3 * c :]


def test_picture_is_the_direct_call_at_the_default():
    images, cuts, loop = sent(figure().live())
    direct = scene(1, 1.0)
    np.testing.assert_array_equal(images[0], direct[0].levels())
    np.testing.assert_allclose(cuts, np.concatenate([direct[2].x, *direct[2].ys]), rtol=1e-6)
    np.testing.assert_allclose(loop, np.concatenate([direct[3].x, *direct[3].ys]), rtol=1e-6, atol=1e-7)


def test_moving_a_slider_sends_the_direct_call_there():
    live = figure().live()
    before = live.view.widget.data
    live.sliders["bias"].value = 0.37  # between the grid points of the book
    assert live.view.widget.data != before
    images, cuts, _ = sent(live)
    direct = scene(1, 0.37)
    np.testing.assert_array_equal(images[1], direct[1].levels())
    np.testing.assert_allclose(cuts[12:24], direct[2].ys[0], rtol=1e-6)
    meta = live.view.widget.meta
    assert meta["settings"] == "gap 1 Å, bias 0.37 V"
    assert meta["frames"][0] == direct[0].frame()


def test_one_message_carries_picture_and_scale(monkeypatch):
    live = figure().live()
    messages = []
    monkeypatch.setattr(type(live.view.widget), "send_state", lambda self, key=None: messages.append(set(key)))
    live.sliders["gap"].value = 2
    assert messages == [{"meta", "data"}]


def test_kinds_of_slider():
    assert isinstance(slider_widget(Slider((0, 1, 3), 0.5, "x", "V")), ipywidgets.FloatSlider)
    chosen = slider_widget(Slider(["W", "Se"], "Se", "atom"))
    assert isinstance(chosen, ipywidgets.SelectionSlider)
    assert chosen.value == "Se"
    stepped = slider_widget(Slider([1, 2, 4], 2, "x", "V", step=0.5))
    assert (stepped.step, stepped.min, stepped.max, stepped.description) == (0.5, 1, 4, "x (V)")


def test_integers_stay_integers():
    seen = []

    def count(n):
        seen.append(type(n))
        return Lines([0, 1], [[0, n]], alt="A line.")

    live = explore(count, n=Slider(range(1, 4), 2, "n")).live()
    live.sliders["n"].value = 3
    assert seen == [int, int]


def test_slow_functions_wait_for_the_slider_to_be_let_go(monkeypatch):
    assert figure().live().sliders["bias"].continuous_update
    monkeypatch.setattr("stmlab.interactive.live.SLOW", 0.0)
    assert not figure().live().sliders["bias"].continuous_update


def test_error_is_shown_and_goes_away():
    def picky(x):
        if x > 1:
            raise ValueError("x > 1 is <not> physical")
        return Lines([0, 1], [[0, x]], alt="A line.")

    live = explore(picky, x=Slider((0, 2, 3), 1.0, "x")).live()
    before = live.view.widget.data
    live.sliders["x"].value = 1.5
    assert "ValueError at x 1.5: x &gt; 1 is &lt;not&gt; physical" in live.message.value
    assert live.view.widget.data == before
    live.sliders["x"].value = 0.5
    assert live.message.value == ""


def test_without_anywidget_a_png_follows_the_slider(monkeypatch):
    monkeypatch.setitem(sys.modules, "stmlab.interactive.canvas", None)
    live = LiveFigure(figure())
    assert isinstance(live.view, PngView)
    before = live.view.widget.value
    assert bytes(before).startswith(b"\x89PNG")
    live.sliders["gap"].value = 2
    assert live.view.widget.value != before
    assert "A ramp at 2." in live.view.widget.alt


@pytest.mark.parametrize("trait", ["_esm", "_css"])
def test_player_and_style_travel_with_the_widget(trait):
    text = str(getattr(figure().live().view.widget, trait))
    assert {"_esm": "export default", "_css": ".stmx-canvas"}[trait] in text


def test_play_runs_through_the_grid():
    live = explore(lambda n: Lines([0, 1], [[0, n]], alt="A line."), n=Slider([2, 5, 9], 2, "n", play=4)).live()
    (buttons,) = [w for w in live.box.children if isinstance(w, ipywidgets.Play)]
    assert (buttons.min, buttons.max, buttons.interval) == (0, 2, 250)
    for k, value in [(1, 5), (2, 9), (0, 2)]:
        before = live.view.widget.data
        buttons.value = k
        assert live.sliders["n"].value == value
        assert live.view.widget.data != before
