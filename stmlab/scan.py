"""Where the tip goes, and what it records.

Images are ``(L, P)``: L lines by P pixels, in the order of acquisition. Row 0 is scanned first; the
retrace is mirrored onto the columns of the trace, so that one column is one place on the sample.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

DEFECT_DTYPE = np.dtype(
    [("kind", "U24"), ("site", "i8"), ("x", "f8"), ("y", "f8"), ("row", "f8"), ("col", "f8"), ("inside", "?")]
)

EVENT_DTYPE = np.dtype([("kind", "U24"), ("time", "f8"), ("row", "i8"), ("col", "i8"), ("retrace", "?")])

WORDS = {"direction": ("up", "down"), "fast_axis": ("x", "y"), "fast_direction": ("forward", "backward")}


@dataclass(frozen=True)
class Raster:
    """A frame and the order in which the tip visits its pixels.

    Parameters
    ----------
    width, height : float
        Size of the frame along the fast and the slow axis [Å].
    pixels, lines : int
        Number of pixels P along the fast axis and of lines L along the slow axis.
    angle : float
        Counter-clockwise rotation of the frame about its centre [degrees].
    center : tuple of float
        Centre of the frame on the sample (x, y) [Å].
    line_time : float
        Time for one trace [s]; the retrace takes as long again.
    direction : {"up", "down"}
        Whether the slow axis is scanned upwards (with its axis) or downwards.
    fast_axis : {"x", "y"}
        Axis of the frame along which the lines run.
    fast_direction : {"forward", "backward"}
        Whether the trace runs with the fast axis or against it.
    overscan : float
        Share of the width that the tip runs on beyond each end of a line, braking evenly, while it turns around.

    Raises
    ------
    ValueError
        If a size, a count or the line time is not positive, the overscan is negative, or a word is unknown.
    """

    width: float
    height: float
    pixels: int
    lines: int
    angle: float = 0.0
    center: tuple[float, float] = (0.0, 0.0)
    line_time: float = 0.25
    direction: str = "up"
    fast_axis: str = "x"
    fast_direction: str = "forward"
    overscan: float = 0.0

    def __post_init__(self):
        for name, unit in (("width", "Å"), ("height", "Å"), ("pixels", ""), ("lines", ""), ("line_time", "s")):
            value = getattr(self, name)
            if not (np.isfinite(value) and value > 0):
                raise ValueError(f"raster {name} = {value} {unit}".rstrip() + " must be finite and greater than 0")
        if not 0 <= self.overscan < np.inf:
            raise ValueError(f"raster overscan = {self.overscan} must be finite and at least 0")
        for name, words in WORDS.items():
            if getattr(self, name) not in words:
                raise ValueError(f"raster {name} = {getattr(self, name)!r} must be '{words[0]}' or '{words[1]}'")

    @property
    def shape(self) -> tuple[int, int]:
        """Lines and pixels (L, P)."""
        return self.lines, self.pixels

    @property
    def pixel_size(self) -> tuple[float, float]:
        """Distance between neighbouring pixels along the fast and the slow axis [Å]."""
        return self.width / self.pixels, self.height / self.lines

    @property
    def dwell(self) -> float:
        """Time spent on one pixel [s]."""
        return self.line_time / self.pixels

    @property
    def turn(self) -> int:
        """Pixel times that half a turn-around takes, beyond each end of a line."""
        return round(2 * self.overscan * self.pixels)

    @property
    def line_period(self) -> float:
        """Time from the start of one line to that of the next, with trace, retrace and both turn-arounds [s]."""
        return 2 * (self.pixels + 2 * self.turn) * self.dwell

    @property
    def duration(self) -> float:
        """Time for the whole frame, trace and retrace [s]."""
        return self.line_period * self.lines

    @property
    def extent(self) -> tuple[float, float]:
        """Size of the frame along its x and its y axis [Å]."""
        return (self.width, self.height) if self.fast_axis == "x" else (self.height, self.width)

    def to_sample(self, u, v):
        """Turn and shift frame coordinates (u along x, v along y, from the centre) [Å] to sample x, y [Å]."""
        c, s = np.cos(np.deg2rad(self.angle)), np.sin(np.deg2rad(self.angle))
        return self.center[0] + c * u - s * v, self.center[1] + s * u + c * v

    def at(self, row, col):
        """Sample position x, y [Å] of fractional image coordinates: pixel centres are whole numbers."""
        du, dv = self.pixel_size
        fast = (np.asarray(col) + 0.5) * du - self.width / 2
        slow = (np.asarray(row) + 0.5) * dv - self.height / 2
        fast = fast if self.fast_direction == "forward" else -fast
        slow = slow if self.direction == "up" else -slow
        return self.to_sample(*((fast, slow) if self.fast_axis == "x" else (slow, fast)))

    def pixel(self, x, y):
        """Fractional image coordinates row, col of sample positions x, y [Å]: what `at` is the inverse of."""
        c, s = np.cos(np.deg2rad(self.angle)), np.sin(np.deg2rad(self.angle))
        x, y = x - self.center[0], y - self.center[1]
        u, v = c * x + s * y, c * y - s * x
        fast, slow = (u, v) if self.fast_axis == "x" else (v, u)
        fast = fast if self.fast_direction == "forward" else -fast
        slow = slow if self.direction == "up" else -slow
        du, dv = self.pixel_size
        return (slow + self.height / 2) / dv - 0.5, (fast + self.width / 2) / du - 0.5

    @cached_property
    def xy(self) -> tuple[np.ndarray, np.ndarray]:
        """Nominal pixel centres x, y, each (L, P) [Å]."""
        return self.at(np.arange(self.lines)[:, None], np.arange(self.pixels)[None, :])

    @cached_property
    def time(self) -> np.ndarray:
        """Time of each pixel's centre, (2, L, P) [s]; trace, then retrace on the trace's columns."""
        along = (self.turn + np.arange(self.pixels) + 0.5) * self.dwell
        start = self.line_period * np.arange(self.lines)[:, None]
        return np.stack([start + along, start + self.line_period - along])


@dataclass(frozen=True)
class Scan:
    """One recorded frame, simulated or measured.

    Parameters
    ----------
    raster : Raster
        The frame.
    height : ndarray, (2, L, P)
        Recorded height [Å], trace and retrace: the drive voltage times the nominal calibration. NaN where
        a measurement holds no retrace.
    true_height : ndarray, (2, L, P), optional
        Where the tip really was above the sample's z = 0 [Å].
    current : ndarray, (2, L, P), optional
        ln(I / I_set).
    drive : ndarray, (2, L, P), optional
        Voltage on the z piezo [V].
    x, y : ndarray, (2, L, P), optional
        Where the tip really was along the sample [Å].
    ideal : ndarray, (L, P), optional
        Topograph that a perfect instrument would record on the nominal raster [Å].
    defects : structured ndarray, (D,), optional
        kind, site, x, y [Å], image row and column (fractional), inside.
    lattice : ndarray, (K, 2), optional
        Top selenium atoms x, y [Å].
    parameters : Parameters, optional
        What was simulated.
    seed : int, optional
        Seed of every random stream.
    events : structured ndarray, (K,), optional
        What happened on the way, such as changes of the tip: kind, time [s], image row and column, retrace.
    meta : dict
        What else is known: ``bias`` [V], ``setpoint`` [A], ``source``, ...
    """

    raster: Raster
    height: np.ndarray
    true_height: np.ndarray | None = None
    current: np.ndarray | None = None
    drive: np.ndarray | None = None
    x: np.ndarray | None = None
    y: np.ndarray | None = None
    ideal: np.ndarray | None = None
    defects: np.ndarray | None = None
    lattice: np.ndarray | None = None
    parameters: object | None = None
    seed: int | None = None
    events: np.ndarray | None = None
    meta: dict = field(default_factory=dict)

    def __post_init__(self):
        wanted = (2, *self.raster.shape)
        for name in ("height", "true_height", "current", "drive", "x", "y"):
            value = getattr(self, name)
            if value is not None and np.shape(value) != wanted:
                raise ValueError(f"scan {name} has shape {np.shape(value)}, its raster needs {wanted}")

    @property
    def time(self) -> np.ndarray:
        """Time of each pixel, (2, L, P) [s]."""
        return self.raster.time

    def masks(self, kind: str = "thesis") -> np.ndarray:
        """Ground truth in the trace's coordinates; see `stmlab.labels.masks`."""
        from .labels import masks

        return masks(self, kind)

    def to_xarray(self):
        """Return an `xarray.Dataset` with units; needs the ``io`` extra."""
        from .io import to_xarray

        return to_xarray(self)

    def save(self, path):
        """Write .gwy, .nc or .png; see `stmlab.io.save_scan`."""
        from .io import save_scan

        return save_scan(self, path)
