"""One call that makes an interactive figure for a notebook, the rendered book, and print."""

from __future__ import annotations

import difflib
import inspect
import itertools
import math
import os
from dataclasses import dataclass
from functools import cached_property

from stmlab.interactive.panels import Image, Lines
from stmlab.interactive.sliders import Slider

MAX_SLIDERS = 3  # the book holds every combination: more knobs are more figures
MAX_FRAMES = 400
MAX_KB = 1500  # one figure's share of a page that is to stay below 2 MB


def explore(fn, /, **sliders):
    """Return an interactive figure of `fn`, with one slider for each argument named.

    In a notebook the sliders call `fn` as they move. In the book every combination of the sliders'
    grids is computed while the book is built, and the page needs no kernel.

    Parameters
    ----------
    fn : callable
        ``fn(**values)`` returns a panel (`Image`, `Lines`) or a list of panels. What it returns may
        differ between calls only in data, title, alt text and marked points.
    **sliders : Slider
        One to three, named like the arguments of `fn`; at most 400 combinations in all.

    Returns
    -------
    Explore
        A figure that displays itself.

    Raises
    ------
    TypeError
        If the sliders do not fit the arguments of `fn`, or are not `Slider`.
    ValueError
        If there are too many sliders or combinations.

    Examples
    --------
    >>> def decay(kappa):
    ...     z = np.linspace(0, 5, 100)
    ...     return Lines(z, [np.exp(-2 * kappa * z)], alt=f"The current falls by e in {0.5 / kappa:.2f} Å.")
    >>> explore(decay, kappa=Slider((0.5, 1.5, 11), 1.0, "decay constant", "1/Å"))
    """
    name = getattr(fn, "__name__", repr(fn))
    for key, slider in sliders.items():
        if not isinstance(slider, Slider):
            raise TypeError(f"explore({name}): {key} is {slider!r}; a Slider is needed")
    if not 1 <= len(sliders) <= MAX_SLIDERS:
        raise ValueError(
            f"explore({name}): {len(sliders)} sliders; one to {MAX_SLIDERS} are possible. "
            "Make several figures, or fix the others with functools.partial"
        )
    _check_arguments(name, fn, sliders)
    if sum(s.play is not None for s in sliders.values()) > 1:
        raise ValueError(f"explore({name}): one slider at most can play")
    frames = math.prod(len(s.grid) for s in sliders.values())
    if frames > MAX_FRAMES:
        raise ValueError(f"explore({name}): {frames} frames; at most {MAX_FRAMES}. Make the grids coarser")
    return Explore(fn, name, sliders)


def _check_arguments(name, fn, sliders):
    """Raise TypeError unless `fn` can be called with exactly these arguments."""
    parameters = inspect.signature(fn).parameters
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return
    for key in sliders:
        if key not in parameters:
            near = difflib.get_close_matches(key, parameters, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise TypeError(f"explore({name}): no argument {key!r}{hint} It takes: {', '.join(parameters)}")
    required = {k for k, p in parameters.items() if p.default is p.empty and p.kind is not p.VAR_POSITIONAL}
    if missing := sorted(required - set(sliders)):
        raise TypeError(f"explore({name}): no slider for {', '.join(missing)}; add one, or a default value")


def as_panels(name, result):
    """Return what `fn` returned as a list of panels."""
    panels = list(result) if isinstance(result, (list, tuple)) else [result]
    strangers = [type(p).__name__ for p in panels if not isinstance(p, (Image, Lines))]
    if strangers or not panels:
        got = ", ".join(strangers) or "nothing"
        raise TypeError(f"explore({name}): fn returned {got}; return Image and Lines panels (data, not figures)")
    return panels


def check_same_look(name, first, panels, where):
    """Raise ValueError if a frame differs from the first in more than its data."""
    if len(panels) != len(first):
        raise ValueError(f"explore({name}): {len(panels)} panels at {where}, but {len(first)} in the first frame")
    for k, (a, b) in enumerate(zip(first, panels, strict=True)):
        old, new = a.look(), b.look()
        if changed := [key for key in old | new if old.get(key) != new.get(key)]:
            key = changed[0]
            raise ValueError(
                f"explore({name}): panel {k} changes its {key} between frames: {old.get(key)!r} in the first, "
                f"{new.get(key)!r} at {where}. Only data, title, alt and points may change"
            )


def in_book():
    """Whether a book is being built (STMLAB_BOOK=1), so that figures must be precomputed."""
    return os.environ.get("STMLAB_BOOK") == "1"


@dataclass(frozen=True)
class Explore:
    """An interactive figure; made by `explore`."""

    fn: object
    name: str
    sliders: dict

    def panels(self, values):
        """Return the panels at `values`, a sequence in the order of the sliders."""
        result = self.fn(**dict(zip(self.sliders, values, strict=True)))
        return as_panels(self.name, result)

    def settings(self, values):
        """Return `values` in words: "gap 5 Å, bias 1 V"."""
        return ", ".join(f"{s.label} {s.text(v)}" for s, v in zip(self.sliders.values(), values, strict=True))

    @property
    def default(self):
        """Values at which the sliders start."""
        return [s.grid[s.index] for s in self.sliders.values()]

    @property
    def points(self):
        """Every combination of the sliders' values; the last slider varies fastest."""
        return list(itertools.product(*(s.grid for s in self.sliders.values())))

    @cached_property
    def frames(self):
        """Panels at every grid point, checked against each other."""
        frames = [self.panels(values) for values in self.points]
        for values, panels in zip(self.points, frames, strict=True):
            check_same_look(self.name, frames[0], panels, self.settings(values))
        return frames

    def live(self):
        """Return the figure as an ipywidgets box, for a running kernel."""
        try:
            from stmlab.interactive.live import LiveFigure
        except ImportError as error:
            raise ImportError('live sliders need ipywidgets: pip install "stmlab[book]"') from error
        return LiveFigure(self)

    def html(self):
        """Return the figure as HTML with every frame precomputed, for a page without a kernel."""
        from stmlab.interactive.static import figure_html

        return figure_html(self)

    def png(self):
        """Return the default frame as PNG, for print."""
        from stmlab.interactive.stills import still

        return still(self.panels(self.default))

    def _repr_mimebundle_(self, include=None, exclude=None):
        if not in_book():
            return self.live().box._repr_mimebundle_(include=include, exclude=exclude)
        from base64 import b64encode

        alts = " ".join(p.alt for p in self.panels(self.default))
        plain = f"Interactive figure at {self.settings(self.default)}. {alts}"
        return {"text/html": self.html(), "image/png": b64encode(self.png()).decode(), "text/plain": plain}
