"""The live picture: raw bytes to the browser, where explore.js draws them."""

from __future__ import annotations

from importlib.resources import files

import anywidget
import traitlets

from stmlab.interactive.static import player


class Canvas(anywidget.AnyWidget):
    """Panels drawn by explore.js: `looks` once, then `meta` and `data` for each frame."""

    _esm = player()
    _css = files("stmlab.interactive").joinpath("explore.css").read_text("utf-8")
    looks = traitlets.List().tag(sync=True)
    meta = traitlets.Dict().tag(sync=True)
    data = traitlets.Bytes().tag(sync=True)


class CanvasView:
    """Panels on one `Canvas`."""

    def __init__(self, panels, settings):
        self.widget = Canvas(looks=[p.look() for p in panels], **message(panels, settings))

    def show(self, panels, settings):
        """Send `panels`; `settings` says in words where the sliders are."""
        with self.widget.hold_sync():  # one message: a picture never meets another frame's scale
            for key, value in message(panels, settings).items():
                self.widget.set_trait(key, value)


def message(panels, settings):
    """Return one frame as the two traits that carry it.

    Images are bytes (L, P), curves are float32: the abscissa, then the C curves.
    """
    meta = {"frames": [p.frame() for p in panels], "settings": settings}
    return {"meta": meta, "data": b"".join(payload(p) for p in panels)}


def payload(panel):
    """Return a panel's picture as bytes."""
    if panel.look()["kind"] == "image":
        return panel.levels().tobytes()
    return panel.x.astype("<f4").tobytes() + panel.ys.astype("<f4").tobytes()
