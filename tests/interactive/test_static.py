"""The precomputed figure shows what the function returns."""

import base64
import io
import json
import re

import matplotlib.image
import numpy as np
import pytest
from helpers import figure, unpack

from stmlab.interactive import Image, Lines, Slider, explore, static


@pytest.fixture(scope="module")
def shown():
    """The figure, its HTML, and the data that explore.js reads out of it."""
    made = figure()
    html = made.html()
    (spec,) = re.findall(r'<script type="application/json">(.*?)</script>', html, re.DOTALL)
    return made, html, json.loads(spec)


def at(values, k):
    return values[k if len(values) > 1 else 0]


@pytest.mark.parametrize("panel", [0, 1])
def test_stored_images_are_those_of_a_direct_call(shown, panel):
    made, _, spec = shown
    stored = spec["panels"][panel]
    levels = unpack(stored["levels"], stored["shape"], "u1")
    for k, values in enumerate(made.points):
        direct = made.panels(values)[panel]
        lo, hi = at(stored["scale"], k)
        z = lo + (hi - lo) * levels[k, ::-1] / 255.0  # row 0 at the bottom again
        np.testing.assert_allclose(z, np.clip(direct.z, lo, hi), atol=(hi - lo) * 0.5001 / 255)


@pytest.mark.parametrize("panel", [2, 3])
def test_stored_curves_are_those_of_a_direct_call(shown, panel):
    made, _, spec = shown
    stored = spec["panels"][panel]
    x, y = stored["x"], stored["y"]
    xs = x["zero"] + x["step"] * unpack(x, (stored["shape"][1],), "<u2").astype(float)
    ys = y["zero"] + y["step"] * unpack(y, stored["shape"], "<u2").astype(float)
    for k, values in enumerate(made.points):
        direct = made.panels(values)[panel]
        np.testing.assert_allclose(at(xs, k), direct.x, atol=0.5001 * x["step"])
        np.testing.assert_allclose(ys[k], direct.ys, atol=0.5001 * y["step"])


def test_titles_alts_and_points_follow_the_frame(shown):
    made, _, spec = shown
    stored = spec["panels"][0]
    assert [at(stored["alt"], k) for k in range(6)] == [f"A ramp at {gap}." for gap, _ in made.points]
    assert [at(stored["points"], k) for k in range(6)] == [[[[gap, bias]]] for gap, bias in made.points]
    assert stored["title"] == ["Map"]


def test_axes_hold_every_frame(shown):
    made, _, spec = shown
    lo, hi = spec["panels"][2]["ylim"][0]
    assert all(lo < p[2].ys.min() and p[2].ys.max() < hi for p in made.frames)
    assert spec["panels"][3]["ylim"] == [[-2.0, 2.0]]


def test_controls_are_labelled_native_sliders_at_the_default(shown):
    _, html, spec = shown
    inputs = re.findall(r"<label><span>(.*?)</span><input type=\"range\" (.*?)></label><output.*?>(.*?)</output>", html)
    assert [(label, text) for label, _, text in inputs] == [("gap", "1 Å"), ("bias", "1 V")]
    assert 'max="2" step="1" value="1"' in inputs[0][1]
    assert 'aria-valuetext="1 Å"' in inputs[0][1]
    assert [s["text"] for s in spec["sliders"]] == [["0.5 Å", "1 Å", "2 Å"], ["−1 V", "1 V"]]


def test_html_has_no_ids_so_that_a_figure_may_occur_twice(shown):
    assert not re.search(r"\sid=", shown[1])


def test_still_picture_is_described_and_drawn(shown):
    alt, data = re.search(r'<img class="stmx-still" alt="(.*?)" src="data:image/png;base64,(.*?)">', shown[1]).groups()
    assert alt.startswith("A ramp at 1.")
    pixels = matplotlib.image.imread(io.BytesIO(base64.b64decode(data)))
    assert pixels.shape[0] > 300
    assert pixels.std() > 0.05


def test_note_says_how_many_settings_are_stored(shown):
    assert "Precomputed on a 3 × 2 grid of 6 settings" in shown[1]
    assert "Jupyter" in shown[1]


def test_text_cannot_break_out_of_the_html():
    evil = "</script><b>&\"'"
    made = explore(
        lambda x: Lines([0, 1], [[0, x]], title=evil, xlabel=evil, alt=evil), x=Slider([1, 2], 1, evil, evil)
    )
    html = made.html()
    assert html.count("</script>") == 1
    assert "<b>" not in html
    spec = json.loads(html.split('<script type="application/json">')[1].split("</script>")[0])
    assert spec["panels"][0]["title"] == [evil]


def test_too_many_kilobytes_are_refused_by_name(monkeypatch):
    monkeypatch.setattr(static, "MAX_KB", 10)
    noise = np.random.default_rng(0).normal(size=(2, 100, 100))

    def storm(x):
        return Image(noise[x], (0, 1, 0, 1), alt="Noise.")

    with pytest.raises(ValueError, match=r"explore\(storm\): 2\d KB of frames; at most 10"):
        explore(storm, x=Slider([0, 1], 0, "x")).html()


@pytest.mark.parametrize("sizes", [[12], [3, 4], [2, 3, 2]])
def test_packing_is_lossless(sizes):
    levels = np.random.default_rng(1).integers(0, 65536, (12, 2, 5), dtype="<u2")
    for part in (levels, (levels >> 8).astype("u1")):
        np.testing.assert_array_equal(unpack(static._pack(part, sizes), (2, 5), part.dtype), part)


def test_packing_follows_the_slider_that_changes_least():
    noise = np.random.default_rng(2).integers(0, 256, (4, 1, 500), dtype="u1")
    levels = np.tile(noise, (1, 5, 1)).reshape(20, 500)  # the second slider changes nothing
    stored = static._pack(levels, [4, 5])
    assert (stored["stride"], stored["count"]) == (1, 5)
    assert len(stored["data"]) < 1.5 * noise.size


def test_a_slider_that_plays_has_a_button_and_says_how_fast():
    def line(a, b):
        return Lines([0, 1], [[a, b]], alt="A line.")

    html = explore(line, a=Slider([0, 1], 0, "a"), b=Slider([0, 1], 0, "b", play=4)).html()
    assert html.count("<button") == 1
    assert html.index("<button") > html.index("<span>b</span>")
    spec = json.loads(html.split('<script type="application/json">')[1].split("</script>")[0])
    assert [s["play"] for s in spec["sliders"]] == [None, 4]
    assert "<button" not in explore(line, a=Slider([0, 1], 0, "a"), b=Slider([0, 1], 0, "b")).html()
