"""The dashboard without a browser: its form, its files, its pictures, and what it says of a mistake."""

import dataclasses
import re
from xml.etree import ElementTree

import ipywidgets
import numpy as np
import pytest

from stmlab.interactive import dashboard, dashboard_draw, dashboard_files, dashboard_panels, dashboard_render
from stmlab.interactive.dashboard import Leaflet
from stmlab.interactive.dashboard_form import Form
from stmlab.interactive.dashboard_knobs import APEXES
from stmlab.io import picture
from stmlab.parameters import (
    Choice,
    LogUniform,
    ParameterError,
    Parameters,
    RootUniform,
    SameAs,
    Study,
    Uniform,
    leaves,
)

LEAVES = leaves(Parameters())
SMALL = {"raster.pixels": 8, "raster.lines": 6, "raster.width": 12.0, "raster.height": 9.0}
VARIED = Study(
    Parameters().set({"junction.bias": -1.25, "tip.apex": "001-1-OXOX", "defects.w_vacancy": 0.0123456789, **SMALL}),
    {
        "piezo.drift_x": Uniform(0.1, 0.7, either_sign=True),
        "junction.height": Uniform(4, 6.5),
        "feedback.loop_gain": LogUniform(0.01, 1.5),
        "junction.work_function": RootUniform(3, 5.5),
        "raster.angle": SameAs("tip.rotation"),
        "raster.lines": SameAs("raster.pixels"),
        "feedback.steps_per_pixel": Uniform(2, 9),
        "raster.direction": Choice(["down", "up"]),
        "tip.apex": Choice(["111-2-O", "111-0-O"]),
        "sample.model": Choice(["mine.toml", "single-orbital"]),
        "noise.current": Choice([0.0, 0.25, 1]),
        "raster.fast_axis": Choice(["y", "x", "y"]),
    },
    "a name", 'words, "quoted" and <tagged>',
)  # fmt: skip


@pytest.fixture
def window():
    return dashboard(Parameters().set(SMALL))


@pytest.fixture(scope="module")
def shot():
    p = Parameters().set({**SMALL, "piezo.hysteresis_z": 10.0, "raster.angle": 30.0, "defects.w_vacancy": 0.02})
    return dashboard_render.shoot(p, seed=3, index=1)


# ---- the form -----------------------------------------------------------------------------------------


def test_every_parameter_has_a_row_in_its_section():
    form = Form(Study())
    assert list(form.knobs) == list(LEAVES)
    seen = []
    for section in form.section.options[:-1]:
        form.section.value = section
        assert form.visible()
        assert all(path.startswith(f"{section}.") for path in form.visible())
        assert [form.knobs[path].row for path in form.visible()] == list(form.rows.children)
        seen += form.visible()
    assert seen == list(LEAVES)


@pytest.mark.parametrize("path", LEAVES)
def test_a_row_says_what_the_parameter_is(path):
    leaf, knob = LEAVES[path], Form(Study()).knobs[path]
    assert path.split(".")[1].replace("_", " ") in knob.constant.description
    assert f"[{leaf.unit}]" in knob.constant.description if leaf.unit else "[" not in knob.constant.description
    assert leaf.meaning in knob.constant.tooltip
    assert leaf.limits in knob.constant.tooltip
    if leaf.choices and not any("*" in choice for choice in leaf.choices):
        assert knob.constant.options == leaf.choices
    knob.explain(True)
    assert isinstance(knob.row.children[-1], ipywidgets.HTML)
    knob.explain(False)
    assert knob.row.children == (knob.constant, knob.vary)


def test_a_fresh_form_is_the_default_study():
    assert Form(Study()).study == Study()


@pytest.mark.parametrize("path", LEAVES)
def test_constant_to_range_and_back_is_the_same_study(path):
    form = Form(VARIED)
    other = "vary" if path not in VARIED.vary else "constant"
    form.knobs[path].vary.value = other == "vary"
    changed = form.study
    assert (path in changed.vary) == (other == "vary")
    assert changed.base == VARIED.base
    form.knobs[path].vary.value = other == "constant"
    assert form.study == VARIED


@pytest.mark.parametrize("path", LEAVES)
def test_a_range_starts_at_the_constant(path):
    form = Form(Study())
    form.knobs[path].vary.value = True
    assert form.study.draw(seed=1) == Parameters()


@pytest.mark.parametrize("path", [path for path, leaf in LEAVES.items() if leaf.kind is not str])
def test_the_bounds_are_legal_and_what_lies_beyond_is_not(path):
    leaf, form = LEAVES[path], Form(Study())
    knob = form.knobs[path]
    for end, beyond in ((leaf.low, leaf.low - 1), (leaf.high, leaf.high + 1)):
        knob.constant.value = end
        assert form.study.base[path] == end
        knob.constant.value = beyond
        with pytest.raises(ParameterError, match=rf"^{re.escape(path)} = "):
            _ = form.study
    knob.constant.value, knob.vary.value = leaf.value, True
    knob.spread.high.value = leaf.high + 1
    with pytest.raises(ParameterError, match=rf"^vary {re.escape(path)} = "):
        _ = form.study


@pytest.mark.parametrize("path", [path for path, leaf in LEAVES.items() if leaf.kind is not str])
def test_either_sign_is_offered_where_the_bounds_allow_it(path):
    knob = Form(Study()).knobs[path]
    knob.vary.value = True
    spread = knob.spread
    assert (spread.sign in spread.box.children) == (LEAVES[path].low < 0 < LEAVES[path].high)
    spread.form.value = "by factor"
    assert spread.sign not in spread.box.children


def test_a_form_shows_any_study():
    form = Form(Study())
    form.show(VARIED)
    assert form.study == VARIED
    assert form.study.draw(5, 7) == VARIED.draw(5, 7)
    form.show(Study())
    assert form.study == Study()


@pytest.mark.parametrize("name", ["thesis-main", "thesis-control", "realistic", "large-frame"])
def test_bundled_studies_come_back(name):
    assert Form(Study.load(name)).study == Study.load(name)


def test_a_bundled_study_comes_back_byte_for_byte():
    study = Study.load("first-light")
    assert Form(study).study.dumps() == study.dumps()


def test_find_looks_in_names_and_meanings():
    form = Form(Study())
    form.find.value = "Drift"
    assert {"piezo.drift_x", "piezo.drift_y", "piezo.drift_z"} <= set(form.visible())
    form.find.value = LEAVES["junction.work_function"].meaning[5:]
    assert form.visible() == ["junction.work_function"]
    form.find.value = ""
    assert form.visible()[0].startswith("sample.")


def test_changed_lists_what_differs():
    form = Form(VARIED)
    form.section.value = "changed"
    p = Parameters()
    wanted = {path for path in LEAVES if VARIED.base[path] != p[path]} | set(VARIED.vary)
    assert set(form.visible()) == wanted


def test_every_apex_on_offer_exists():
    assert len(APEXES) == len(set(APEXES)) == 1 + 7 + 1 + 63 + 1 + 15
    for apex in APEXES:
        Parameters().set({"tip.apex": apex})


@pytest.mark.parametrize("text", ["0.1 0.2", "1, oops", "]", "1] \n x = [2"])
def test_a_list_that_is_none_is_refused(text):
    form = Form(Study())
    knob = form.knobs["noise.current"]
    knob.vary.value = True
    knob.spread.form.value = "from a list"
    knob.spread.list.field.value = text
    with pytest.raises(ParameterError, match=r"^vary noise\.current: .* is no list"):
        _ = form.study


# ---- files --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("study", [VARIED, Study(), Study(VARIED.base), Study.load("first-light")])
def test_what_is_saved_loads_again(window, tmp_path, study):
    path = tmp_path / "mine.toml"
    window.show(study)
    window.save(str(path))
    assert Study.load(path) == study
    window.show(Study())
    window.load(str(path))
    assert window.alert.value == ""
    assert window.form.study == study
    window.show(Study())
    window._uploaded({"new": ({"name": "mine.toml", "content": memoryview(path.read_bytes())},)})
    assert window.form.study == study


def test_one_experiment_is_saved_as_a_parameter_file(window, tmp_path):
    window.save(str(tmp_path / "mine.toml"))
    assert Parameters.from_toml(tmp_path / "mine.toml") == Parameters().set(SMALL)


def test_the_download_is_the_file(window, tmp_path):
    from urllib.parse import unquote

    window.show(VARIED)
    window.save(str(tmp_path / "mine.toml"))
    name, address = re.search(r'download="(.*?)" href="data:.*?,(.*?)"', window.link.value).groups()
    assert name == "mine.toml"
    assert unquote(address) == (tmp_path / "mine.toml").read_text("utf-8")


BAD = [
    (b"[junction]\nbias = 7\n", "bad.toml: junction.bias = 7 V is outside [-3, 3] V"),
    (b"[junction]\nbais = 1\n", "did you mean"),
    (b"[junction\n", "not valid TOML"),
    (bytes(range(256)), "is not a text file"),
    (b'[vary]\n"junction.bias" = {uniform = [-1, 1]}\n', "drives no current"),
]


@pytest.mark.parametrize(("content", "said"), BAD)
def test_a_bad_file_is_rejected_and_nothing_is_lost(window, tmp_path, content, said):
    window.show(VARIED)
    (tmp_path / "bad.toml").write_bytes(content)
    uploads = [lambda: window._uploaded({"new": ({"name": "bad.toml", "content": memoryview(content)},)})]
    for read in [*uploads, lambda: window.load(str(tmp_path / "bad.toml"))]:
        window.alert.value = ""
        read()
        text = ElementTree.fromstring(window.alert.value)
        assert text.get("role") == "alert"
        assert said in text.text
        assert "\n" not in text.text
        assert window.form.study == VARIED


def test_a_missing_file_or_study_is_named(window):
    window.load("missing.toml")
    assert "missing.toml does not exist" in window.alert.value
    window.load("first-ligth")
    assert "first-light" in window.alert.value


@pytest.mark.parametrize("path", ["x.tiff", "", "missing/x.toml", "scan.png"])
def test_what_cannot_be_saved_is_said(window, tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    window.save(path)
    assert 'role="alert"' in window.alert.value
    assert list(tmp_path.iterdir()) == []


def test_the_scan_that_is_shown_can_be_saved(window, tmp_path):
    from stmlab.io import load_scan

    window.samples.value = 2
    window.render()
    window.browse.value = 1
    window.save(str(tmp_path / "scan.nc"))
    assert window.alert.value == ""
    np.testing.assert_array_equal(load_scan(tmp_path / "scan.nc").height, window.gallery[1].scan.height)


def test_names_are_escaped():
    assert "<b>" not in dashboard_files.link(Study(), "<b>.toml")


# ---- rendering ----------------------------------------------------------------------------------------


def test_render_shows_every_picture(window):
    window.render()
    assert window.alert.value == ""
    assert 'role="status"' in window.note.value
    wanted = dashboard_panels.panels(dashboard_render.shoot(Parameters().set(SMALL), 0, 0))
    assert {name: chart.value for name, chart in window.charts.items()} == wanted


def test_a_bad_value_is_named_marked_and_not_rendered(window):
    window.render()
    before = [chart.value for chart in window.charts.values()]
    knob = window.form.knobs["junction.bias"]
    knob.constant.value = 7
    assert "junction.bias = 7 V is outside [-3, 3] V" in window.alert.value
    assert "stmlab-wrong" in knob.row._dom_classes
    window.render()
    assert "junction.bias = 7 V" in window.alert.value
    assert [chart.value for chart in window.charts.values()] == before
    assert not window.render_button.disabled
    assert knob.constant.value == 7, "what was typed stays, to be mended"
    knob.constant.value = 0.7
    assert window.alert.value == ""
    assert "stmlab-wrong" not in knob.row._dom_classes


@pytest.mark.parametrize(("error", "said"), [(ValueError("two\nlines <b>"), "two lines &lt;b&gt;"),
                                             (ZeroDivisionError("bug"), "ZeroDivisionError: bug")])  # fmt: skip
def test_an_error_is_one_line(window, monkeypatch, error, said):
    def fail(*args):
        raise error

    monkeypatch.setattr("stmlab.interactive.dashboard_window.render", fail)
    window.render()
    assert ElementTree.fromstring(window.alert.value).text is not None
    assert said in window.alert.value
    assert "Traceback" not in window.alert.value


def test_render_on_change(window):
    window.form.knobs["junction.height"].constant.value = 5.5
    assert window.gallery == []
    window.on_change.value = True
    window.form.knobs["junction.height"].constant.value = 6.0
    assert window.gallery[0].scan.parameters.junction.height == 6.0
    window.seed.value = 4
    assert window.gallery[0].scan.seed == 4
    first = window.gallery
    window.load("first-light")
    assert window.gallery is not first, "a loaded file is a change too"


def test_the_retrace_replaces_what_was_recorded_and_nothing_else(window):
    window.form.knobs["feedback.loop_gain"].constant.value = 0.05
    window.render()
    trace = {name: chart.value for name, chart in window.charts.items()}
    window.retrace.value = True
    retrace = {name: chart.value for name, chart in window.charts.items()}
    assert {name for name in trace if trace[name] != retrace[name]} == set(dashboard_panels.RECORDED)
    window.retrace.value = False
    assert {name: chart.value for name, chart in window.charts.items()} == trace


def test_a_gallery_is_the_samples_of_the_study(window):
    study = Study(Parameters().set(SMALL), {"junction.bias": Uniform(0.5, 1.5)})
    window.show(study)
    window.seed.value, window.index.value, window.samples.value, window.threads.value = 2, 3, 3, 2
    counts = []
    window.progress.observe(lambda change: counts.append(change["new"]), "value")
    window.render()
    assert (counts, window.progress.max, window.browse.max) == ([1, 2, 3], 3, 2)
    for k, shot in enumerate(window.gallery):
        assert shot.scan.parameters == study.draw(2, 3 + k)
        window.browse.value = k
        assert window.charts["height"].value == dashboard_panels.panels(shot)["height"]


def test_threads_change_nothing():
    study = Study(Parameters().set(SMALL), {"junction.bias": Uniform(0.5, 1.5)})
    one, four = (dashboard_render.render(study, seed=1, samples=6, threads=n).shots for n in (1, 4))
    for a, b in zip(one, four, strict=True):
        np.testing.assert_array_equal(a.scan.height, b.scan.height)


def test_a_sample_that_fails_fails_the_gallery():
    study = Study(Parameters().set({**SMALL, "junction.height": 12.0, "sample.model": "missing.toml"}))
    with pytest.raises(ValueError, match=r"missing\.toml"):
        dashboard_render.render(study, samples=3, threads=2)


# ---- pictures -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", dashboard_panels.TITLES)
def test_a_picture_is_svg_with_units_and_a_description(shot, name):
    svg = ElementTree.fromstring(dashboard_panels.panels(shot, wanted=(name,))[name])
    assert svg.get("role") == "img"
    assert len(svg.get("aria-label").split()) > 5
    texts = [element.text for element in svg.iter() if element.tag.endswith("text")]
    assert sum("[" in text for text in texts) == (2 if name == "truth" else 3), "axes and colour bar have units"


def pixels(svg):
    """The first picture inside a chart, row 0 at the bottom."""
    from base64 import b64decode
    from io import BytesIO

    from PIL import Image

    data = re.search(r'href="data:image/png;base64,(.*?)"', svg)[1]
    return np.asarray(Image.open(BytesIO(b64decode(data))))[::-1]


@pytest.mark.parametrize("words", [("x", "forward", "up"), ("x", "backward", "down"), ("y", "backward", "up")])
def test_an_image_shows_the_scan_as_it_lies_in_space(words):
    names = ("raster.fast_axis", "raster.fast_direction", "raster.direction")
    shot = dashboard_render.shoot(Parameters().set({**SMALL, **dict(zip(names, words, strict=True))}), 1, 0)
    values = picture(shot.scan.height[0], shot.scan.raster)
    drawn = pixels(dashboard_panels.panels(shot)["height"])
    assert drawn.shape[:2] == values.shape
    light = drawn.astype(int).sum(-1)
    assert light.flat[values.argmax()] == light.max()
    assert light.flat[values.argmin()] == light.min()


def test_the_truth_is_orange_where_a_defect_is(shot):
    seen = pixels(dashboard_panels.panels(shot)["truth"]).astype(int)
    defects = picture(shot.scan.masks()[1], shot.scan.raster)
    assert defects.max() > 0.5
    assert ((seen[..., 0] > seen[..., 2])[defects > 0.6]).all()
    assert ((seen[..., 0] < seen[..., 2])[defects == 0]).all()


def test_the_footprint_of_one_atom_is_round():
    shot = dashboard_render.shoot(Parameters().set({**SMALL, "tip.apex": "111-0-O", "tip.depth": 0.0}), 0, 0)
    assert len(shot.junction.tip) == 1
    seen = pixels(dashboard_panels.panels(shot)["footprint"])
    np.testing.assert_array_equal(seen, seen[::-1])
    np.testing.assert_array_equal(seen, seen.transpose(1, 0, 2))


def test_a_flat_image_is_drawn_too(shot):
    flat = dataclasses.replace(shot.scan, current=np.zeros_like(shot.scan.current))
    ElementTree.fromstring(dashboard_panels.panels(shot._replace(scan=flat), wanted=("current",))["current"])


@pytest.mark.parametrize("ends", [(0, 1), (-1.1, 0.7), (0, 3e-5), (-4e6, 2e6), (99.98, 100.02)])
def test_ticks_are_round_few_and_inside(ends):
    at = dashboard_draw.ticks(*ends)
    assert 2 <= len(at) <= 6
    assert at[0] >= ends[0] - 1e-9 * abs(ends[0])
    assert at[-1] <= ends[1] + 1e-9 * abs(ends[1])
    step = (at[1] - at[0]) / 10 ** np.floor(np.log10(at[1] - at[0]) + 1e-9)
    assert min(abs(step - m) for m in (1, 2, 5)) < 1e-6


def test_places_in_a_box():
    box = dashboard_draw.Box((0, 2, 0, 1))
    np.testing.assert_allclose(np.array(box.place([0, 2], [0, 1])), [[0, box.size[0]], [box.size[1], 0]])
    assert box.size[0] == 2 * box.size[1] == dashboard_draw.SIDE


def test_the_last_disc_lies_on_top():
    box = dashboard_draw.Box((0, 1, 0, 1))
    seen = pixels(dashboard_draw.dots(box, [0.5, 0.5], [0.25, 0.25], np.array([[255, 0, 0], [0, 255, 0]]), 4))
    inked = seen[seen[..., 3] > 0]
    assert (inked[:, :3] == [0, 255, 0]).all()
    assert len(inked) == pytest.approx(np.pi * 8**2, rel=0.1), "radius in px, drawn twice as fine"


# ---- where it starts, and where nothing turns ---------------------------------------------------------


def test_a_dashboard_starts_with_what_it_is_given(tmp_path):
    assert dashboard().form.study == Study()
    assert dashboard("first-light").form.study == Study.load("first-light")
    assert dashboard(VARIED).form.study == VARIED
    VARIED.to_toml(tmp_path / "mine.toml")
    assert dashboard(tmp_path / "mine.toml").form.study == VARIED
    with pytest.raises(ParameterError, match="first-light"):
        dashboard("first-ligth")


def test_it_displays_itself(window):
    assert "application/vnd.jupyter.widget-view+json" in window._repr_mimebundle_()


def test_the_book_gets_pictures(monkeypatch):
    monkeypatch.setenv("STMLAB_BOOK", "1")
    page = dashboard(Parameters().set(SMALL))
    assert isinstance(page, Leaflet)
    shown = page._repr_mimebundle_()
    assert shown["text/html"].count('role="img"') == len(dashboard_panels.TITLES)
    assert not re.search(r'(?:src|href)="http', shown["text/html"])
