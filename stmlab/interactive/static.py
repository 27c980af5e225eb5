"""An interactive figure as HTML: every frame precomputed, played by explore.js without a kernel."""

from __future__ import annotations

import base64
import json
import math
import zlib
from html import escape
from importlib.resources import files

import numpy as np

from stmlab.interactive.explore import MAX_KB
from stmlab.interactive.panels import axis_limits
from stmlab.interactive.stills import still

_FIGURE = """\
<div class="stmx" role="group" aria-label="{label}">
<div class="stmx-controls">{controls}</div>
<div class="stmx-panels"></div>
<img class="stmx-still" alt="{alt}" src="data:image/png;base64,{png}">
<p class="stmx-at">Shown at {settings}.</p>
<p class="stmx-problem" hidden></p>
<noscript><p class="stmx-problem">The sliders need JavaScript, which is off here.</p></noscript>
<p class="stmx-note">{note}</p>
<p class="stmx-spoken" aria-live="polite"></p>
<script type="application/json">{spec}</script>
</div>"""

# The input sits inside its label, so that no ids are needed: they would clash when one figure is
# pasted twice. <output> would announce what aria-valuetext already says, hence aria-live="off".
_CONTROL = (
    '<label><span>{label}</span><input type="range" min="0" max="{top}" step="1" value="{index}" '
    'autocomplete="off" aria-valuetext="{text}"></label><output aria-live="off">{text}</output>'
)
_PLAY = '<button type="button" class="stmx-play">Play</button>'


def player():
    """Return the JavaScript that draws and plays figures, as one ES module."""
    folder = files("stmlab.interactive")
    return "".join(folder.joinpath(name).read_text("utf-8") for name in ("draw.js", "explore.js"))


def figure_html(figure):
    """Return the HTML of an `Explore` figure.

    Raises
    ------
    ValueError
        If the frames compress to more than a page can carry, or differ in more than data.
    """
    spec = json.dumps(figure_spec(figure), separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")
    if (size := len(spec) / 1000) > MAX_KB:
        raise ValueError(
            f"explore({figure.name}): {size:.0f} KB of frames; at most {MAX_KB}. Use fewer frames or pixels, "
            "and keep noise the same in all frames, so that it cancels in the difference"
        )
    panels = figure.panels(figure.default)
    titles = ", ".join(p.title for p in panels if p.title) or figure.name
    return _FIGURE.format(
        label=escape(f"Interactive figure: {titles}"),
        controls="".join(_control(s) for s in figure.sliders.values()),
        alt=escape(" ".join(p.alt for p in panels)),
        png=base64.b64encode(still(panels)).decode(),
        settings=escape(figure.settings(figure.default)),
        note=escape(_note(figure)),
        spec=spec,
    )


def _control(slider):
    text = escape(slider.text(slider.grid[slider.index]))
    control = _CONTROL.format(label=escape(slider.label), top=len(slider.grid) - 1, index=slider.index, text=text)
    return control + (_PLAY if slider.play else "")


def _note(figure):
    sizes = [len(s.grid) for s in figure.sliders.values()]
    steps = f"{' × '.join(map(str, sizes))} grid" if len(sizes) > 1 else "grid"
    between = " and set any value in between" if any(s.continuous for s in figure.sliders.values()) else ""
    return (
        f"Precomputed on a {steps} of {len(figure.points)} settings. "
        f"Open this chapter in Jupyter to run the code live{between}."
    )


def figure_spec(figure):
    """Return all that explore.js needs to play the figure, as a dictionary of JSON types."""
    frames = figure.frames
    sizes = [len(s.grid) for s in figure.sliders.values()]
    panels = [encode_panel([frame[k] for frame in frames], sizes) for k in range(len(frames[0]))]
    sliders = [
        {"label": s.label, "text": [s.text(v) for v in s.grid], "index": s.index, "play": s.play}
        for s in figure.sliders.values()
    ]
    return {"sliders": sliders, "panels": panels}


def encode_panel(column, sizes):
    """Encode one panel's frames: a list of panels of one look, on a grid of these sizes."""
    look = column[0].look()
    return look | (_encode_images if look["kind"] == "image" else _encode_lines)(column, sizes)


def _encode_images(column, sizes):
    levels = np.stack([p.levels() for p in column])
    frames = [p.frame() for p in column]
    varying = {key: _collapse([f[key] for f in frames]) for key in frames[0]}
    return varying | {"levels": _pack(levels, sizes)}


def _encode_lines(column, sizes):
    x, y = np.stack([p.x for p in column]), np.stack([p.ys for p in column])
    xlim = [axis_limits(p.xlim, x) for p in column]
    ylim = [axis_limits(p.ylim, y, margin=0.04) for p in column]
    moving = bool((x != x[0]).any())
    return {
        "title": _collapse([p.title for p in column]),
        "alt": _collapse([p.alt for p in column]),
        "xlim": _collapse(xlim),
        "ylim": _collapse(ylim),
        "x": _encode_curves(*((x[:, None], sizes) if moving else (x[:1, None], [1]))),
        "y": _encode_curves(y, sizes),
    }


def _encode_curves(curves, sizes):
    """Encode (frames, curves, points) as 16-bit integers: value = level * step + zero."""
    zero, top = float(curves.min()), float(curves.max())
    step = (top - zero) / 65535 or 1.0
    levels = np.rint((curves - zero) / step).astype("<u2")
    return {"zero": zero, "step": step} | _pack(levels, sizes)


def _pack(levels, sizes):
    """Compress unsigned integers (frames, ...): as differences along the slider that changes them least.

    Frame k is stored as its difference (modulo 2^bits) from frame k - stride, except at the start
    of that slider; explore.js adds them up again.
    """
    best = None
    for axis, count in enumerate(sizes):
        stride = math.prod(sizes[axis + 1 :])
        data = _deflate(_differences(levels, stride, count))
        if best is None or len(data) < len(best["data"]):
            best = {"stride": stride, "count": count, "data": data}
    return best


def _differences(frames, stride, count):
    blocks = frames.reshape(-1, count, stride, *frames.shape[1:])
    out = blocks.copy()
    out[:, 1:] -= blocks[:, :-1]
    return out


def _deflate(levels):
    """Return base64 of the deflated bytes, low bytes first and high bytes after them.

    The high bytes hardly change, and apart from the low ones they compress to nearly nothing.
    """
    planes = np.ascontiguousarray(levels).view("u1").reshape(-1, levels.itemsize).T
    return base64.b64encode(zlib.compress(planes.tobytes(), 9)).decode()


def _collapse(values):
    """Return one value for all frames where they are equal."""
    return values[:1] if all(v == values[0] for v in values) else values
