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
        Whether line 0 is the bottom or the top of the frame.

    Raises
    ------
    ValueError
        If a size, a count or the line time is not positive, or the direction is unknown.
    """

    width: float
    height: float
    pixels: int
    lines: int
    angle: float = 0.0
    center: tuple[float, float] = (0.0, 0.0)
    line_time: float = 0.25
    direction: str = "up"

    def __post_init__(self):
        for name, unit in (("width", "Å"), ("height", "Å"), ("pixels", ""), ("lines", ""), ("line_time", "s")):
            value = getattr(self, name)
            if not (np.isfinite(value) and value > 0):
                raise ValueError(f"raster {name} = {value} {unit}".rstrip() + " must be finite and greater than 0")
        if self.direction not in ("up", "down"):
            raise ValueError(f"raster direction = {self.direction!r} must be 'up' or 'down'")

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
    def duration(self) -> float:
        """Time for the whole frame, trace and retrace [s]."""
        return 2 * self.line_time * self.lines

    def to_sample(self, u, v):
        """Rotate and shift frame coordinates (u fast, v slow, from the centre) [Å] to sample x, y [Å]."""
        c, s = np.cos(np.deg2rad(self.angle)), np.sin(np.deg2rad(self.angle))
        return self.center[0] + c * u - s * v, self.center[1] + s * u + c * v

    def at(self, row, col):
        """Sample position x, y [Å] of fractional image coordinates: pixel centres are whole numbers."""
        du, dv = self.pixel_size
        u = (np.asarray(col) + 0.5) * du - self.width / 2
        v = (np.asarray(row) + 0.5) * dv - self.height / 2
        return self.to_sample(u, v if self.direction == "up" else -v)

    @cached_property
    def xy(self) -> tuple[np.ndarray, np.ndarray]:
        """Nominal pixel centres x, y, each (L, P) [Å]."""
        return self.at(np.arange(self.lines)[:, None], np.arange(self.pixels)[None, :])

    @cached_property
    def time(self) -> np.ndarray:
        """Time of each pixel's centre, (2, L, P) [s]: trace, then retrace on the trace's columns."""
        along = (np.arange(self.pixels) + 0.5) * self.dwell
        start = 2 * self.line_time * np.arange(self.lines)[:, None]
        return np.stack([start + along, start + 2 * self.line_time - along])


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
