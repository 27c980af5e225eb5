"""The call itself: what fits a function, and what is displayed where."""

import subprocess
import sys

import pytest
from helpers import figure, scene

from stmlab.interactive import Image, Lines, Slider, explore

S = Slider((0, 1, 3), 0.5, "x")
LONG = Slider(range(21), 3, "x")


def line(gap, bias=1.0):
    return Lines([0, 1], [[gap, bias]], alt="A line.")


def test_import_loads_neither_widgets_nor_matplotlib():
    code = "import sys; from stmlab.interactive import explore, Slider, Image, Lines; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {"ipywidgets", "anywidget", "matplotlib", "IPython"} & set(loaded) == set()


def test_name_stays_the_function_after_its_module_is_imported():
    import stmlab.interactive.live  # noqa: F401
    from stmlab.interactive import explore as again

    assert again is explore
    assert callable(again)


def test_unknown_slider_names_the_nearest_argument():
    with pytest.raises(TypeError, match=r"explore\(line\): no argument 'gpa'; did you mean 'gap'\?.*gap, bias"):
        explore(line, gpa=S)


def test_missing_slider_is_named():
    with pytest.raises(TypeError, match="no slider for gap"):
        explore(line, bias=S)


def test_any_keyword_will_do_for_a_function_that_takes_any():
    assert explore(lambda **values: line(**values), gap=S).default == [0.5]


@pytest.mark.parametrize(
    ("sliders", "error", "message"),
    [
        ({}, ValueError, "0 sliders"),
        ({"a": S, "b": S, "c": S, "d": S}, ValueError, "4 sliders"),
        ({"a": LONG, "b": LONG}, ValueError, r"441 frames; at most 400"),
        ({"a": 3.0}, TypeError, "a is 3.0; a Slider is needed"),
    ],
)
def test_wrong_sliders_are_named(sliders, error, message):
    with pytest.raises(error, match=message):
        explore(lambda a=0, b=0, c=0, d=0: None, **sliders)


@pytest.mark.parametrize("result", [None, [], [1.0]])
def test_fn_must_return_panels(result):
    with pytest.raises(TypeError, match="return Image and Lines panels"):
        explore(lambda gap: result, gap=S).frames  # noqa: B018


@pytest.mark.parametrize(
    ("fn", "key"),
    [
        (lambda gap: Image([[1.0] * (2 + int(gap))], (0, 1, 0, 1), alt="x"), "shape"),
        (lambda gap: Lines([0, 1], [[0, 1]], labels=[f"{gap}"], alt="x"), "labels"),
        (lambda gap: Lines([0, 1], [[0, 1]], xlabel=f"{gap}", alt="x"), "xlabel"),
        (lambda gap: Image([[1.0]], (0, 1 + gap, 0, 1), alt="x"), "extent"),
    ],
)
def test_frames_must_look_alike(fn, key):
    with pytest.raises(ValueError, match=f"panel 0 changes its {key} between frames.*at gap"):
        explore(fn, gap=Slider([0, 1], 0, "gap")).frames  # noqa: B018


def test_number_of_panels_must_not_change():
    with pytest.raises(ValueError, match="2 panels at gap 1, but 1 in the first"):
        explore(lambda gap: [line(gap)] * (1 + gap), gap=Slider([0, 1], 0, "gap")).frames  # noqa: B018


def test_title_alt_and_points_may_change():
    assert len(figure().frames) == 6


def test_last_slider_varies_fastest():
    assert figure().points[:3] == [(0.5, -1.0), (0.5, 1.0), (1, -1.0)]


def test_book_gets_html_and_a_picture_but_no_widget(monkeypatch):
    monkeypatch.setenv("STMLAB_BOOK", "1")
    bundle = figure()._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain", "image/png"}
    assert bundle["text/plain"].startswith("Interactive figure at gap 1 Å, bias 1 V. A ramp at 1.")


def test_notebook_gets_a_widget(monkeypatch):
    monkeypatch.delenv("STMLAB_BOOK", raising=False)
    bundle = figure()._repr_mimebundle_()
    bundle = bundle[0] if isinstance(bundle, tuple) else bundle
    assert "application/vnd.jupyter.widget-view+json" in bundle


def test_missing_ipywidgets_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "stmlab.interactive.live", None)
    with pytest.raises(ImportError, match=r'pip install "stmlab\[book\]"'):
        explore(scene, gap=S, bias=S).live()


def test_one_slider_at_most_plays():
    playing = Slider((0, 1, 3), 0.5, "x", play=2)
    assert explore(line, gap=playing, bias=S).default == [0.5, 0.5]
    with pytest.raises(ValueError, match=r"explore\(line\): one slider at most can play"):
        explore(line, gap=playing, bias=playing)
