"""The dashboard's widgets, and what happens when one is used."""

from __future__ import annotations

import os
import time
from html import escape

import ipywidgets

from ..parameters import ParameterError, Study
from . import dashboard_files as files
from .dashboard_form import Form
from .dashboard_panels import RECORDED, TITLES, panels
from .dashboard_render import render
from .dashboard_style import STYLE

MOST = 256  # samples at a time


class Dashboard:
    """Knobs on the left, pictures on the right; made by `dashboard`.

    Attributes
    ----------
    box : ipywidgets.Box
        What is displayed.
    form : Form
        The parameters.
    gallery : list of Shot
        What was rendered last.
    """

    def __init__(self, study):
        self.gallery, self._drawn, self._quiet = [], {}, False
        self.form = Form(study, self._changed)
        self._make_controls()
        self._make_files()
        self.alert = ipywidgets.HTML()
        self.note = ipywidgets.HTML()
        self.charts = {name: ipywidgets.HTML() for name in TITLES}
        shown = ipywidgets.Box(list(self.charts.values()))
        shown.add_class("stmlab-panels")
        left = ipywidgets.VBox([*self._file_rows, self.form.box])
        right = ipywidgets.VBox([*self._control_rows, self.alert, self.progress, self.note, shown])
        left.add_class("stmlab-left")
        right.add_class("stmlab-right")
        wrap = ipywidgets.Layout(flex_flow="row wrap", align_items="flex-start", width="100%")
        self.box = ipywidgets.VBox([ipywidgets.HTML(STYLE), ipywidgets.Box([left, right], layout=wrap)])

    def _repr_mimebundle_(self, include=None, exclude=None):
        return self.box._repr_mimebundle_(include=include, exclude=exclude)

    # ---- widgets --------------------------------------------------------------------------------------

    def _make_controls(self):
        short = {"layout": ipywidgets.Layout(width="9.5rem"), "style": {"description_width": "initial"}}
        self.render_button = ipywidgets.Button(
            description="Render", button_style="primary", tooltip="simulate what the fields say, and draw it")
        self.on_change = ipywidgets.Checkbox(False, description="render on change", indent=False)
        self.retrace = ipywidgets.Checkbox(False, description="show the retrace", indent=False)
        self.seed = ipywidgets.BoundedIntText(0, 0, 2**53, description="seed", tooltip="seed of everything", **short)
        self.index = ipywidgets.BoundedIntText(
            0, 0, 2**53, description="index", tooltip="which sample of the study comes first", **short)
        self.samples = ipywidgets.BoundedIntText(
            1, 1, MOST, description="samples", tooltip="how many samples are rendered, from that one on", **short)
        self.threads = ipywidgets.BoundedIntText(
            min(4, os.cpu_count() or 1), 1, 64, description="threads", tooltip="how many samples at a time", **short)
        self.browse = ipywidgets.IntSlider(
            0, 0, 0, description="show sample", style={"description_width": "initial"}, tooltip="look through them")
        self.browse.layout.display = "none"
        self.progress = ipywidgets.IntProgress(0, 0, 1, layout={"width": "100%", "visibility": "hidden"})
        wrap = ipywidgets.Layout(flex_flow="row wrap", align_items="center")
        top = [self.render_button, self.on_change, self.retrace]
        numbers = [self.seed, self.index, self.samples, self.threads, self.browse]
        self._control_rows = [ipywidgets.Box(top, layout=wrap), ipywidgets.Box(numbers, layout=wrap)]
        self.render_button.on_click(lambda _button: self.render())
        self.retrace.observe(lambda _change: self._draw(RECORDED), "value")
        self.browse.observe(lambda _change: self._draw(), "value")
        for widget in (self.seed, self.index, self.samples):
            widget.observe(lambda _change: self._changed(), "value")

    def _make_files(self):
        wide = {"layout": ipywidgets.Layout(flex="1 1 10rem", width="auto"), "style": {"description_width": "initial"}}
        small = ipywidgets.Layout(width="5rem", flex="none")
        self.upload = ipywidgets.FileUpload(
            accept=".toml", multiple=False, description="Open a file of yours", icon="", layout={"width": "auto"},
            tooltip="a study or parameter file (.toml)")
        self.load_path = ipywidgets.Combobox(
            options=bundled(), placeholder="a study's name or a path", description="load", **wide)
        self.save_path = ipywidgets.Text(
            "stmlab.toml", description="save", tooltip=".toml, or .gwy, .nc, .png for the scan shown", **wide)
        load = ipywidgets.Button(description="Load", layout=small, tooltip="read it into the fields")
        save = ipywidgets.Button(description="Save", layout=small, tooltip="write what the fields say, and offer it")
        self.link = ipywidgets.HTML()
        row = ipywidgets.Layout(width="100%")
        self._file_rows = [
            ipywidgets.HBox([self.upload, self.link], layout=row), ipywidgets.HBox([self.load_path, load], layout=row),
            ipywidgets.HBox([self.save_path, save], layout=row),
        ]  # fmt: skip
        self.load_button, self.save_button = load, save
        self.upload.observe(self._uploaded, "value")
        load.on_click(lambda _button: self.load(self.load_path.value))
        save.on_click(lambda _button: self.save(self.save_path.value))

    # ---- what is said ---------------------------------------------------------------------------------

    def complain(self, error):
        """Show what is wrong, on one line."""
        said = " ".join(str(error).split()) or type(error).__name__
        if not isinstance(error, ValueError | OSError | ImportError):
            said = f"{type(error).__name__}: {said}"  # a bug of ours; its kind helps whoever reports it
        self.alert.value = f'<div class="stmlab-alert" role="alert">{escape(said)}</div>'
        self.form.mark(said)

    def say(self, *lines):
        """Show what was done, and that nothing is wrong."""
        self.alert.value = ""
        self.form.mark("")
        self.note.value = f'<div class="stmlab-note" role="status">{"<br>".join(map(escape, lines))}</div>'

    # ---- what is done ---------------------------------------------------------------------------------

    def _changed(self):
        if self._quiet:
            return
        try:
            _ = self.form.study
        except ParameterError as error:
            self.complain(error)
            return
        self.alert.value = ""
        self.form.mark("")
        if self.on_change.value:
            self.render()

    def show(self, study):
        """Put a study into the fields."""
        self._quiet = True
        try:
            self.form.show(study)
        finally:
            self._quiet = False
        self._changed()

    def load(self, name_or_path):
        """Read a bundled study, or a study or parameter file; the fields stay as they are if it is bad."""
        try:
            study = Study.load(os.path.expanduser(name_or_path.strip()))
        except (ValueError, OSError) as error:
            self.complain(error)
            return
        self.say(f"Loaded {name_or_path}.")
        self.show(study)

    def _uploaded(self, change):
        if not change["new"]:
            return
        file = change["new"][0]
        try:
            study = files.uploaded(file["name"], file["content"])
        except ValueError as error:
            self.complain(error)
        else:
            self.say(f"Loaded {file['name']}.")
            self.show(study)
        self.upload.value = ()  # or the same file could not be opened twice

    def save(self, path):
        """Write the study, or the scan that is shown, and offer the study as a download."""
        try:
            study = self.form.study
            where = files.write(path.strip(), study, self.gallery[self.browse.value].scan if self.gallery else None)
        except (ValueError, OSError, ImportError) as error:
            self.complain(error)
            return
        self.say(f"Saved {where}.")
        self.link.value = files.link(study, f"{where.stem}.toml")

    def render(self):
        """Simulate what the fields describe and draw it; what was drawn before stays if that fails."""
        start = time.perf_counter()
        self.render_button.disabled = True
        self.progress.max, self.progress.layout.visibility = self.samples.value, "visible"
        try:
            done = render(
                self.form.study, self.seed.value, self.index.value, self.samples.value, self.threads.value, self._count)
            simulated = time.perf_counter() - start
            self._take(done.shots)
        except Exception as error:  # a traceback would go to a log that nobody reads
            self.complain(error)
            return
        finally:
            self.render_button.disabled = False
            self.progress.layout.visibility = "hidden"
        drawn = time.perf_counter() - start - simulated
        what = "1 sample" if len(done.shots) == 1 else f"{len(done.shots)} samples"
        self.say(f"{what}: simulated in {simulated:.2f} s, drawn in {drawn:.2f} s.", *done.remarks)

    def _count(self, done):
        self.progress.value = done

    def _take(self, shots):
        """Show new samples, from the first."""
        drawn = {(0, int(self.retrace.value)): panels(shots[0], int(self.retrace.value))}
        self.gallery, self._drawn = shots, drawn
        self._quiet = True
        self.browse.value, self.browse.max = 0, len(shots) - 1
        self._quiet = False
        self.browse.layout.display = "" if len(shots) > 1 else "none"
        self._draw()

    def _draw(self, wanted=tuple(TITLES)):
        """Send the charts of the sample and leg that are looked at; each is drawn once."""
        if self._quiet or not self.gallery:
            return
        key = k, leg = self.browse.value, int(self.retrace.value)
        try:
            if key not in self._drawn:
                self._drawn[key] = panels(self.gallery[k], leg)
        except Exception as error:
            self.complain(error)
            return
        for name in wanted:
            self.charts[name].value = self._drawn[key][name]


def bundled():
    """Names of the bundled studies."""
    from .._resources import data_path

    return sorted(path.stem for path in data_path("studies").glob("*.toml"))
