"""Charts as SVG: a millisecond each, where a plotting library takes fifty, and they follow the page's colours."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from html import escape
from io import BytesIO

import numpy as np

SIDE = 180  # px, the longest side of a chart's box
LEFT, TOP, BELOW, BAR = 52, 30, 40, 68  # px around the box: y axis, title, x axis, colour bar


@dataclass(frozen=True)
class Box:
    """Where a chart's data are drawn: limits in the data's own units, size in px."""

    limits: tuple[float, float, float, float]  # x0, x1, y0, y1
    equal: bool = True  # one unit is as long along x as along y

    @property
    def size(self):
        """Width and height [px]."""
        x0, x1, y0, y1 = self.limits
        if not self.equal:
            return float(SIDE), float(SIDE)
        scale = SIDE / max(x1 - x0, y1 - y0)
        return max(scale * (x1 - x0), 20.0), max(scale * (y1 - y0), 20.0)

    def place(self, x, y):
        """Turn data coordinates into px inside the box, y downwards."""
        x0, x1, y0, y1 = self.limits
        width, height = self.size
        return width * (np.asarray(x) - x0) / (x1 - x0), height * (y1 - np.asarray(y)) / (y1 - y0)


def padded(low, high, share=0.0):
    """Widen an interval by a share of its length on each side; an empty one too."""
    room = share * (high - low) or (0.0 if high > low else abs(low) * 0.01 or 1.0)
    return float(low - room), float(high + room)


def ticks(low, high, count=4):
    """Round numbers, at most about `count`, between two ends."""
    raw = (high - low) / count
    power = 10.0 ** np.floor(np.log10(raw))
    step = power * next(m for m in (1, 2, 5, 10) if m * power >= raw * (1 - 1e-9))
    return step * np.arange(np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9) + 1)


def colours(values, limits, cmap):
    """Colours (..., 3) as bytes of values between two limits."""
    from matplotlib import colormaps

    low, high = limits
    table = np.rint(255 * colormaps[cmap](np.arange(256))[:, :3]).astype("u1")
    return table[np.clip(np.rint((np.asarray(values) - low) / (high - low) * 255), 0, 255).astype(int)]


def png(pixels):
    """Return bytes (rows, columns, 3 or 4), the top row first, as the address of a PNG."""
    from PIL import Image

    out = BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(out, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


def filled(box, pixels):
    """Stretch an image, row 0 at the bottom, over the whole box."""
    width, height = box.size
    shape = f'width="{width:.1f}" height="{height:.1f}" preserveAspectRatio="none"'
    return f'<image {shape} style="image-rendering:pixelated" href="{png(pixels[::-1])}"/>'


def dots(box, x, y, colour, radius=1.5, fine=2):
    """Draw discs (N,) of colours (N, 3) and a radius [px]; the later ones lie on top."""
    width, height = (round(fine * side) for side in box.size)
    column, row = (np.rint(fine * v - 0.5).astype(int) for v in box.place(x, y))
    paper, ink = np.zeros((height, width, 4), "u1"), np.column_stack([colour, np.full(len(colour), 255)])
    reach = int(np.ceil(fine * radius))
    near = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1).T
    near = near[np.hypot(*near.T) <= fine * radius]
    # disc by disc, so that what lies on top hides all of what lies below
    rows, columns = row[:, None] + near[:, 0], column[:, None] + near[:, 1]
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    paper[rows[inside], columns[inside]] = np.repeat(ink, inside.sum(1), axis=0)
    return filled(box, paper[::-1])


def outline(box, x, y):
    """Draw a polygon through points, white with a dark rim: seen on any colour."""
    points = " ".join(f"{u:.1f},{v:.1f}" for u, v in zip(*box.place(x, y), strict=True))
    strokes = 'stroke="#111" stroke-width="4"', 'stroke="#fff" stroke-width="2"'
    return "".join(f'<polygon points="{points}" fill="none" {stroke}/>' for stroke in strokes)


def chart(title, alt, box, content, xlabel, ylabel, bar=None):
    """Return one chart as SVG.

    Parameters
    ----------
    title, alt : str
        What stands above it, and what is seen, in a sentence, for those who cannot see it.
    box : Box
        Limits of the axes.
    content : str
        SVG inside the box, made by `filled`, `dots` and `outline`.
    xlabel, ylabel : str
        Texts of the axes, with units.
    bar : (str, (float, float), str), optional
        Colour bar: label with unit, limits and colour map.
    """
    width, height = box.size
    full = LEFT + max(width + (BAR if bar else 12), 6.8 * len(title)), TOP + height + BELOW
    head = f'<svg class="stmlab-chart" role="img" aria-label="{escape(alt)}" viewBox="0 0 {full[0]:.0f} {full[1]:.0f}"'
    head += f' width="{full[0]:.0f}" height="{full[1]:.0f}" xmlns="http://www.w3.org/2000/svg">'
    clip = f'<svg aria-hidden="true" width="{width:.1f}" height="{height:.1f}" x="{LEFT}" y="{TOP}">{content}</svg>'
    parts = [
        f'<text class="t" x="{LEFT}" y="18">{escape(title)}</text>', clip,
        f'<g transform="translate({LEFT},{TOP})">{_frame(box)}{_labels(box, xlabel, ylabel)}',
        _bar(box, *bar) if bar else "", "</g></svg>",
    ]  # fmt: skip
    return head + "".join(parts)


def _frame(box):
    (width, height), (x0, x1, y0, y1) = box.size, box.limits
    parts = [f'<rect width="{width:.1f}" height="{height:.1f}" fill="none" stroke="currentColor"/>']
    for value, said in _numbers(x0, x1):
        u = box.place(value, y0)[0]
        parts.append(_text(u, height + 16, said, "middle") + _line(u, height, u, height + 4))
    for value, said in _numbers(y0, y1):
        v = box.place(x0, value)[1]
        parts.append(_text(-6, v + 4, said, "end") + _line(-4, v, 0, v))
    return "".join(parts)


def _labels(box, xlabel, ylabel):
    width, height = box.size
    turned = f'transform="translate({8 - LEFT + 4},{height / 2:.1f}) rotate(-90)"'
    below = _text(width / 2, height + 33, xlabel, "middle")
    return f'{below}<text {turned} text-anchor="middle">{escape(ylabel)}</text>'


def _bar(box, label, limits, cmap):
    width, height = box.size
    left, (low, high) = width + 8, limits
    shades = colours(np.linspace(high, low, 64)[:, None], limits, cmap)
    shape = f'x="{left:.1f}" width="10" height="{height:.1f}"'
    parts = [f'<image aria-hidden="true" {shape} preserveAspectRatio="none" href="{png(shades)}"/>']
    parts.append(f'<rect {shape} fill="none" stroke="currentColor"/>')
    for value, said in _numbers(low, high):
        v = height * (high - value) / (high - low)
        parts.append(_text(left + 14, v + 4, said, "start"))
    turned = f'transform="translate({width + BAR - 4:.1f},{height / 2:.1f}) rotate(-90)"'
    parts.append(f'<text {turned} text-anchor="middle">{escape(label)}</text>')
    return "".join(parts)


def _numbers(low, high):
    """Ticks and how they are written, all with the same number of decimals."""
    at = ticks(low, high)
    if not len(at):
        return []
    step = at[1] - at[0] if len(at) > 1 else abs(at[0]) or 1.0
    if not 1e-3 <= step < 1e5:
        return [(value, f"{value:.3g}".replace("-", "−")) for value in at]
    decimals = max(0, -int(np.floor(np.log10(step) + 1e-9)))
    return [(value, f"{value + 0.0:.{decimals}f}".replace("-", "−")) for value in at]


def _text(x, y, said, anchor):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(said)}</text>'


def _line(x0, y0, x1, y1):
    return f'<path d="M{x0:.1f} {y0:.1f}L{x1:.1f} {y1:.1f}" stroke="currentColor"/>'
