"""The panels of an interactive figure: data and texts, not drawings."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

MARKERS = 3  # circle, cross, square: what draw.js and stills.py can draw


def _numbers(name, panel, data, ndim):
    """Return `data` as a finite float array of `ndim` dimensions, or say what is wrong with it."""
    array = np.asarray(data, dtype=float)
    if array.ndim != ndim or array.size == 0:
        raise ValueError(f"{panel}: {name} has shape {array.shape}; a non-empty {ndim}-D array is needed")
    if not np.isfinite(array).all():
        bad = int((~np.isfinite(array)).sum())
        raise ValueError(f"{panel}: {name} has {bad} value(s) that are not finite; replace or mask them first")
    return array


def _limits(name, panel, pair):
    """Return (lo, hi) as floats with lo < hi."""
    lo, hi = (float(v) for v in pair)
    if not (np.isfinite([lo, hi]).all() and lo < hi):
        raise ValueError(f"{panel}: {name} runs from {lo} to {hi}; it must increase")
    return lo, hi


def _padded(lo, hi):
    """Widen an empty interval: constant data still needs a scale."""
    if hi > lo:
        return lo, hi
    pad = 0.01 * abs(lo) or 1.0
    return lo - pad, hi + pad


def _require_alt(panel, alt):
    if not (isinstance(alt, str) and alt.strip()):
        raise ValueError(f"{panel}: alt is missing; say in a sentence what is seen, for those who cannot see it")


@lru_cache
def _colours(cmap):
    """Return the 256 colours of a matplotlib map as base64 of (256, 3) bytes."""
    from matplotlib import colormaps

    rgb = colormaps[cmap](np.arange(256))[:, :3]
    return base64.b64encode(np.rint(255 * rgb).astype("u1").tobytes()).decode()


@dataclass(frozen=True, eq=False)
class Image:
    """An image panel.

    Parameters
    ----------
    z : array (L, P)
        Values; row 0 is drawn at the bottom (y up).
    extent : (x0, x1, y0, y1)
        Edges of the image. One unit is equally long along x and y.
    cmap : str
        A matplotlib colour map.
    vmin, vmax : float, optional
        Ends of the colour scale: both, or neither for a scale set by each frame's own range.
    title, xlabel, ylabel, clabel : str
        Texts; `clabel` names the colour bar and its unit. The title may change between frames.
    alt : str
        What is seen, in a sentence (required). It may change between frames.
    points : array (D, 2), or mapping of str to array (D, 2)
        Positions marked on the image [units of extent]. The groups of a mapping (at most three)
        are drawn as circles, crosses and squares, with a legend.
    """

    z: np.ndarray
    extent: tuple[float, float, float, float]
    cmap: str = "afmhot"
    vmin: float | None = None
    vmax: float | None = None
    title: str = ""
    xlabel: str = ""
    ylabel: str = ""
    clabel: str = ""
    alt: str = ""
    points: Mapping | Sequence | None = None

    def __post_init__(self):
        name = f"Image {self.title!r}"
        _require_alt(name, self.alt)
        x0, x1, y0, y1 = self.extent
        extent = _limits("extent along x", name, (x0, x1)) + _limits("extent along y", name, (y0, y1))
        if (self.vmin is None) != (self.vmax is None):
            raise ValueError(f"{name}: give both vmin and vmax, or neither")
        if self.vmin is not None:
            _limits("the colour scale", name, (self.vmin, self.vmax))
        object.__setattr__(self, "z", _numbers("z", name, self.z, 2))
        object.__setattr__(self, "extent", extent)
        object.__setattr__(self, "points", _groups(name, self.points))

    @property
    def scale(self):
        """Ends of the colour scale (lo, hi)."""
        if self.vmin is not None:
            return float(self.vmin), float(self.vmax)
        return _padded(float(self.z.min()), float(self.z.max()))

    def levels(self):
        """Return the image as bytes 0-255, the top row first, as a screen wants it."""
        lo, hi = self.scale
        return np.clip(np.rint((self.z[::-1] - lo) / (hi - lo) * 255), 0, 255).astype("u1")

    def look(self):
        """Return what all frames share."""
        return {
            "kind": "image",
            "shape": list(self.z.shape),
            "extent": list(self.extent),
            "colours": _colours(self.cmap),
            "fixed": self.vmin is not None,
            "labels": list(self.points),
            **{k: getattr(self, k) for k in ("xlabel", "ylabel", "clabel")},
        }

    def frame(self):
        """Return what belongs to this frame, less the picture itself."""
        points = [[[_short(x), _short(y)] for x, y in group] for group in self.points.values()]
        scale = [_short(v) for v in self.scale]
        return {"title": self.title, "alt": self.alt, "scale": scale, "points": points}


def _groups(name, points):
    """Return marked points as {label: array (D, 2)}; the label of a single group is empty."""
    if points is None:
        return {}
    groups = points if isinstance(points, Mapping) else {"": points}
    if len(groups) > MARKERS:
        raise ValueError(f"{name}: points has {len(groups)} groups; at most {MARKERS} can be told apart")
    arrays = {str(k): np.asarray(v, dtype=float).reshape(-1, 2) for k, v in groups.items()}
    return {k: _numbers("points", name, a, 2) if a.size else a for k, a in arrays.items()}


@dataclass(frozen=True, eq=False)
class Lines:
    """A panel of curves over one abscissa.

    Parameters
    ----------
    x : array (P,)
        Abscissa. It may change between frames (loops, trajectories).
    ys : sequence of C arrays (P,)
        Curves.
    labels : sequence of C str, optional
        Legend; needed as soon as there are two curves.
    title, xlabel, ylabel : str
        Texts. The title may change between frames.
    ylim, xlim : (lo, hi), optional
        Axes. Left out, they hold every frame in the book and the present one in a live kernel.
    alt : str
        What is seen, in a sentence (required). It may change between frames.
    """

    x: np.ndarray
    ys: Sequence
    labels: Sequence[str] | None = None
    title: str = ""
    xlabel: str = ""
    ylabel: str = ""
    ylim: tuple[float, float] | None = None
    xlim: tuple[float, float] | None = None
    alt: str = ""

    def __post_init__(self):
        name = f"Lines {self.title!r}"
        _require_alt(name, self.alt)
        x, ys = _numbers("x", name, self.x, 1), _numbers("ys", name, self.ys, 2)
        if ys.shape[1] != len(x):
            raise ValueError(f"{name}: x has {len(x)} values but the curves have {ys.shape[1]}")
        labels = list(self.labels or ([""] if len(ys) == 1 else []))
        if len(labels) != len(ys):
            raise ValueError(f"{name}: {len(ys)} curve(s) but {len(labels)} label(s)")
        for limits in ("xlim", "ylim"):
            if getattr(self, limits) is not None:
                object.__setattr__(self, limits, _limits(limits, name, getattr(self, limits)))
        for key, value in (("x", x), ("ys", ys), ("labels", labels)):
            object.__setattr__(self, key, value)

    def look(self):
        """Return what all frames share."""
        shared = {k: getattr(self, k) for k in ("labels", "xlabel", "ylabel")}
        return {"kind": "lines", "shape": list(self.ys.shape), **shared}

    def frame(self):
        """Return what belongs to this frame, less the curves themselves."""
        xlim, ylim = axis_limits(self.xlim, self.x), axis_limits(self.ylim, self.ys, margin=0.04)
        return {"title": self.title, "alt": self.alt, "xlim": xlim, "ylim": ylim}


def axis_limits(given, data, margin=0.0):
    """Return the limits of an axis: those given, or the range of the data and a margin."""
    if given is not None:
        return [_short(v) for v in given]
    lo, hi = _padded(float(np.min(data)), float(np.max(data)))
    return [_short(lo - margin * (hi - lo)), _short(hi + margin * (hi - lo))]


def _short(value):
    """Return `value` to seven digits: enough for a picture, half the bytes of a float."""
    return float(f"{value:.7g}")
