"""The knobs of an interactive figure, each with the grid on which the book precomputes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Slider:
    """One knob of an interactive figure, with the grid on which the book precomputes it.

    Parameters
    ----------
    values : tuple (lo, hi, n), or sequence
        A tuple is always ``(lo, hi, n)``: n equally spaced floats. A list, range or array is the
        grid itself: increasing numbers, or distinct strings.
    value : float, int or str
        Where the slider starts. It must be one of the grid's values.
    label, unit : str
        Shown, and read aloud, beside the slider.
    fmt : str
        Format specification of a number, e.g. ``".2f"``.
    step : float, optional
        Step of the live slider [unit]. Left out, a ``(lo, hi, n)`` slider moves in about 200 steps and a
        listed grid moves over its own values only.
    play : float, optional
        Values per second [1/s]. The slider gets a button that plays its values in order; in the book it plays once by
        itself when the figure is first seen, unless the reader's system asks for less motion.

    Raises
    ------
    ValueError
        If the grid is not one, or does not contain `value`, or if two of its values look alike
        when formatted.
    """

    values: Sequence | tuple[float, float, int]
    value: float | int | str
    label: str
    unit: str = ""
    fmt: str = ".3g"
    step: float | None = None
    play: float | None = None
    grid: list = field(init=False, repr=False)
    index: int = field(init=False, repr=False)

    def __post_init__(self):
        grid = _grid(self.values, self.label)
        found = [k for k, v in enumerate(grid) if _same(v, self.value)]
        shown = ", ".join(map(str, grid))
        if not found:
            raise ValueError(
                f"Slider {self.label!r}: the default {self.value!r} is not on its grid [{shown}]; "
                "choose one of these values, or a grid that contains the default"
            )
        object.__setattr__(self, "grid", grid)
        object.__setattr__(self, "index", found[0])
        if self.step is not None and not (self.continuous and self.step > 0):
            raise ValueError(f"Slider {self.label!r}: step is {self.step!r}; a positive number is needed")
        if self.play is not None and not 0 < self.play <= 30:
            raise ValueError(f"Slider {self.label!r}: play is {self.play!r}; choose 0 to 30 values per second")
        if len({self.text(v) for v in grid}) < len(grid):
            raise ValueError(f"Slider {self.label!r}: fmt {self.fmt!r} shows different values of [{shown}] alike")

    @property
    def live_step(self):
        """Step of the live slider; left to itself, some 200 steps that meet every grid value."""
        spacing = self.grid[1] - self.grid[0]
        return self.step or spacing / -(-200 // (len(self.grid) - 1))

    @property
    def continuous(self):
        """Whether the live slider moves between grid values."""
        numbers = not isinstance(self.grid[0], str)
        return numbers and (isinstance(self.values, tuple) or self.step is not None)

    def text(self, value):
        """Return `value` with its unit, as shown beside the slider."""
        plain = isinstance(value, str) or (isinstance(value, int) and self.fmt == ".3g")
        number = str(value) if plain else format(value, self.fmt)
        return f"{number if isinstance(value, str) else number.replace('-', '−')} {self.unit}".strip()


def _same(a, b):
    if isinstance(a, str) or isinstance(b, str):
        return a == b
    return bool(np.isclose(a, b, rtol=1e-9, atol=1e-12))


def _grid(values, label):
    """Return the grid as a list of Python numbers or strings."""
    if isinstance(values, tuple):
        if len(values) != 3 or int(values[2]) != values[2]:
            raise ValueError(f"Slider {label!r}: a tuple means (lo, hi, n), not {values!r}; give a grid as a list")
        # 12 digits: 0.1 * 3 is to be 0.3, for the reader and for the comparison with the default
        grid = [float(f"{v:.12g}") for v in np.linspace(*map(float, values[:2]), int(values[2]))]
    else:
        grid = [v.item() if isinstance(v, np.generic) else v for v in values]
    words = [isinstance(v, str) for v in grid]
    if len(grid) < 2 or any(words) != all(words):
        raise ValueError(f"Slider {label!r}: a grid needs two or more values of one kind, not {grid!r}")
    if all(words):
        if len(set(grid)) < len(grid):
            raise ValueError(f"Slider {label!r}: the grid {grid!r} repeats a value")
    elif not (np.isfinite(grid).all() and (np.diff(grid) > 0).all()):
        raise ValueError(f"Slider {label!r}: the grid {grid!r} must be finite and increase")
    return grid
