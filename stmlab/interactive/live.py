"""An interactive figure in a running kernel: ipywidgets sliders that call the function."""

from __future__ import annotations

import time
from html import escape

import ipywidgets

from stmlab.interactive.explore import check_same_look

SLOW = 0.15  # s; a slower function is called when the slider is let go, or calls would queue up


class LiveFigure:
    """Sliders and a picture that follows them.

    Attributes
    ----------
    box : ipywidgets.VBox
        What is displayed.
    sliders : dict of str to ipywidgets.Widget
        One for each argument.
    view : CanvasView or PngView
        The picture.
    """

    def __init__(self, figure):
        self.figure = figure
        start = time.perf_counter()
        self.first = figure.panels(figure.default)
        quick = time.perf_counter() - start < SLOW
        self.sliders = {key: slider_widget(s, quick) for key, s in figure.sliders.items()}
        self.view = make_view(self.first, figure.settings(figure.default))
        self.message = ipywidgets.HTML()
        players = [play_widget(s, self.sliders[key]) for key, s in figure.sliders.items() if s.play]
        self.box = ipywidgets.VBox([*self.sliders.values(), *players, self.view.widget, self.message])
        for widget in self.sliders.values():
            widget.observe(self._update, "value")

    def _update(self, _change):
        values = [w.value for w in self.sliders.values()]
        where = self.figure.settings(values)
        try:
            panels = self.figure.panels(values)
            check_same_look(self.figure.name, self.first, panels, where)
        except Exception as error:  # a widget callback's traceback goes to a log that nobody reads
            self.message.value = f"<pre>{escape(f'{type(error).__name__} at {where}: {error}')}</pre>"
            return
        self.message.value = ""
        self.view.show(panels, where)


def slider_widget(slider, continuous_update=True):
    """Return the ipywidgets slider for a `Slider`."""
    layout = {"width": "95%", "max_width": "34rem"}
    shared = {"continuous_update": continuous_update, "style": {"description_width": "initial"}, "layout": layout}
    value = slider.grid[slider.index]
    if not slider.continuous:
        options = [(slider.text(v), v) for v in slider.grid]
        return ipywidgets.SelectionSlider(options=options, value=value, description=slider.label, **shared)
    return ipywidgets.FloatSlider(
        value=value,
        min=slider.grid[0],
        max=slider.grid[-1],
        step=slider.live_step,
        readout_format=slider.fmt,
        description=f"{slider.label} ({slider.unit})" if slider.unit else slider.label,
        **shared,
    )


def play_widget(slider, widget):
    """Return the buttons that run `widget` through the grid of a `Slider`."""
    buttons = ipywidgets.Play(min=0, max=len(slider.grid) - 1, interval=round(1000 / slider.play))
    buttons.observe(lambda change: setattr(widget, "value", slider.grid[change["new"]]), "value")
    return buttons


def make_view(panels, settings):
    """Return the quick picture, or the plain one where anywidget is not installed."""
    try:
        from stmlab.interactive.canvas import CanvasView
    except ImportError:
        return PngView(panels, settings)
    return CanvasView(panels, settings)


class PngView:
    """Panels as a PNG that matplotlib draws anew at every change: slow, but needs ipywidgets only."""

    def __init__(self, panels, settings):
        self.widget = ipywidgets.Image(format="png")
        self.show(panels, settings)

    def show(self, panels, settings):
        """Draw `panels`; `settings` says in words where the sliders are."""
        from stmlab.interactive.stills import still

        self.widget.value = still(panels)
        self.widget.alt = f"{' '.join(p.alt for p in panels)} At {settings}."
