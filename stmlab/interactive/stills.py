"""The default frame of an interactive figure, drawn by matplotlib for print."""

from __future__ import annotations

from io import BytesIO

import numpy as np

_STYLE = {"font.size": 9, "axes.titlesize": 10, "axes.linewidth": 0.7, "lines.linewidth": 1.6}
_COLOURS = ("#0072b2", "#c04e00", "#00785a", "#a33f78")  # as in explore.css, on white
_DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))
_MARKERS = ("o", "x", "s")


def still(panels, dpi=140):
    """Return panels side by side, two to a row, as PNG bytes."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(3.1 * columns + 0.4, 3.3 * rows), layout="constrained", facecolor="white")
        canvas = FigureCanvasAgg(figure)  # no pyplot: nothing here may touch the reader's open figures
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for ax, panel in zip(axes, panels, strict=False):
            _draw(ax, panel)
        for ax in axes[len(panels) :]:
            ax.set_axis_off()
        figure.set_dpi(dpi)
        canvas.draw()
    return _small_png(np.asarray(canvas.buffer_rgba()))


def _small_png(rgba):
    """Return pixels as a PNG of 256 colours: a third of the bytes, and every page carries it."""
    from PIL import Image

    out = BytesIO()
    Image.fromarray(rgba).convert("RGB").quantize(256).save(out, "PNG", optimize=True)
    return out.getvalue()


def _draw(ax, panel):
    (_draw_image if panel.look()["kind"] == "image" else _draw_lines)(ax, panel)
    ax.set(title=panel.title, xlabel=panel.xlabel, ylabel=panel.ylabel)


def _draw_image(ax, panel):
    lo, hi = panel.scale
    image = ax.imshow(panel.z, origin="lower", extent=panel.extent, cmap=panel.cmap, vmin=lo, vmax=hi)
    bar = ax.figure.colorbar(image, ax=ax, orientation="horizontal", shrink=0.8, aspect=25)
    bar.set_label(panel.clabel)
    for marker, (label, points) in zip(_MARKERS, panel.points.items(), strict=False):
        face = {} if marker == "x" else {"facecolors": "none"}
        for colour, width in (("black", 2.6), ("white", 1.2)):  # a dark rim: legible on any colour
            style = {"edgecolors": colour, **face} if face else {"color": colour}
            shown = label if colour == "white" else None
            ax.scatter(*points.T, s=50, marker=marker, linewidths=width, label=shown, **style)
    if any(panel.points):
        ax.legend(fontsize=7, facecolor="0.4", labelcolor="white")


def _draw_lines(ax, panel):
    for k, (y, label) in enumerate(zip(panel.ys, panel.labels, strict=True)):
        style = {"color": _COLOURS[k % len(_COLOURS)], "linestyle": _DASHES[k % len(_DASHES)]}
        ax.plot(panel.x, y, label=label, **style)
    frame = panel.frame()
    ax.set(xlim=frame["xlim"], ylim=frame["ylim"])
    if any(panel.labels):
        ax.legend(fontsize=7)
