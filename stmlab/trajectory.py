"""Where the scanner takes the tip, moment by moment: raster, turn-arounds, creep, hysteresis, drift and jitter."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from . import piezo
from .parameters import stream
from .scan import Raster

NODE_SPACING = 0.5  # Å; ln I is expanded at places along the path that are no further apart


class Path(NamedTuple):
    """The way of the tip in order of time: lines, trace and retrace, and along each of them nodes, or finer steps.

    Where the retrace is skipped there is only one leg instead of two.
    """

    node_time: np.ndarray  # (L, 2, K) s
    x: np.ndarray  # (L, 2, K) Å, where the tip is at each node
    y: np.ndarray  # (L, 2, K) Å
    time: np.ndarray  # (L, 2, K * steps per node) s, of each reading of the controller
    margin: int  # nodes at either end of a line that belong to the turn-around
    per_pixel: int  # nodes
    bounds: np.ndarray  # (2, 2) Å, lower left and upper right corner of all that is visited or was meant to be
    radius: float  # Å, of the circle around x = y = 0 that holds all of it

    @property
    def step(self) -> float:
        """Time between two readings [s]."""
        return self.time[0, 0, 1] - self.time[0, 0, 0]


def frame(parameters):
    """Read the raster off the parameters."""
    r = parameters.raster
    line_time = r.width / r.tip_speed if r.tip_speed else r.line_time
    return Raster(
        r.width, r.height, r.pixels, r.lines, r.angle, line_time=line_time, direction=r.direction,
        fast_axis=r.fast_axis, fast_direction=r.fast_direction, overscan=r.overscan,
    )  # fmt: skip


def steps_per_pixel(parameters, raster):
    """Number of updates of the controller on each pixel, 1 to 64."""
    f = parameters.feedback
    return int(np.clip(round(f.sampling_rate * raster.dwell), 1, 64)) if f.sampling_rate else f.steps_per_pixel


def nodes_per_pixel(raster, steps):
    """Least divisor of the steps for which nodes lie close enough, or one node for each step."""
    divisors = [n for n in range(1, steps + 1) if steps % n == 0]
    return next((n for n in divisors if raster.pixel_size[0] <= NODE_SPACING * n), steps)


def moments(raster, per_pixel, legs=2):
    """Times [s] in order, (L, legs, K), and of each how many pixel times have passed since its leg began (K,)."""
    slots = raster.pixels + 2 * raster.turn
    along = (np.arange(slots * per_pixel) + 0.5) / per_pixel
    start = np.arange(2 * raster.lines).reshape(-1, 2, 1)[:, :legs] * slots
    return (start + along) * raster.dwell, along


def command(raster, along, legs=2):
    r"""Sample positions x, y that the scanner is told to go to, (L, legs, K) each [Å].

    The tip runs at constant speed through the frame. Beyond its edge it brakes evenly, so that after s of the m
    pixel times of half a turn-around it is :math:`s - s^2/2m` pixels outside; the slow axis moves on meanwhile.

    Parameters
    ----------
    raster : Raster
        The frame.
    along : (K,) array
        Pixel times since the beginning of the leg.
    legs : int
        2, or 1 for the trace alone.
    """
    m, forward = raster.turn, along - raster.turn
    rows = np.arange(raster.lines)[:, None, None]
    if m:
        early, late = np.maximum(-forward, 0), np.maximum(forward - raster.pixels, 0)
        forward = np.clip(forward, 0, raster.pixels) + late - late**2 / (2 * m) - early + early**2 / (2 * m)
        rows = rows + np.stack([-early, late])[:legs] / (2 * m)
    return raster.at(rows, np.stack([forward, raster.pixels - forward])[:legs] - 0.5)


def trajectory(raster, parameters, seed=0, index=0, per_pixel=None):
    """Follow the tip along the raster in time: there and back on each line, with all that displaces it.

    Parameters
    ----------
    raster : Raster
        The frame.
    parameters : Parameters
        Of which those of the piezo and of the feedback count.
    seed, index : int
        Of the random streams.
    per_pixel : int, optional
        Nodes on each pixel; as many as the current needs by default.

    Returns
    -------
    Path
        Where the tip is. With every parameter of the piezo at 0 that is the raster, exactly.
    """
    p, steps = parameters.piezo, steps_per_pixel(parameters, raster)
    per_pixel = per_pixel or nodes_per_pixel(raster, steps)
    legs = 2 if parameters.raster.retrace == "recorded" else 1
    time, along = moments(raster, per_pixel, legs)
    jitter = [
        piezo.jitter(stream(seed, index, f"piezo.jitter.{axis}"), raster.lines, rms)[:, None, None] if rms else 0.0
        for axis, rms in (("fast", p.jitter_fast), ("slow", p.jitter_slow))
    ]
    du, dv = raster.pixel_size
    corners = raster.at(np.array([0, 0, 1]), np.array([0, 1, 0]))  # the first pixel, the next one, the next line
    jumps = [(v[1] - v[0]) / du * jitter[0] + (v[2] - v[0]) / dv * jitter[1] for v in corners]
    told = command(raster, along, legs)
    where = [v + _beyond(v, time, raster, p, axis) + jump for axis, v, jump in zip("xy", told, jumps, strict=True)]
    ends = [(min(a.min(), b.min()), max(a.max(), b.max())) for a, b in zip(told, where, strict=True)]
    readings = time if steps == per_pixel else moments(raster, steps, legs)[0]
    radius = np.sqrt(max((x * x + y * y).max() for x, y in (told, where)))
    return Path(time, *where, readings, raster.turn * per_pixel, per_pixel, np.transpose(ends), radius)


def _beyond(told, time, raster, p, axis):
    """Displacement of one lateral axis beyond the command, the shape of the time [Å]."""
    drift, offset, bend, width = (getattr(p, f"{name}_{axis}") for name in ("drift", "offset", "bend", "hysteresis"))
    beyond = piezo.drift(time, drift)
    if bend:
        beyond += piezo.bend(time, raster.duration, bend, p.bend_magnitude)
    if p.creep:
        beyond += piezo.settle(time, offset, p.creep, p.creep_time, p.wait)
        beyond += piezo.creep(told.ravel(), time[0, 0, 1] - time[0, 0, 0], p.creep, p.creep_time).reshape(told.shape)
    if width:
        model = piezo.of_width(width / 100, p.hysteresis_beta, p.hysteresis_gamma)
        swept = told.ravel() - (told.min() + told.max()) / 2
        beyond += (piezo.displaced(swept, np.ptp(swept), model) - swept).reshape(told.shape)
    return beyond


def pixels(values, path):
    """Average the nodes of each pixel, (L, 2, K) -> (2, L, P), and lay the retrace on the trace's columns.

    A retrace that was skipped is NaN.
    """
    inside = values[:, :, path.margin : values.shape[2] - path.margin]
    if path.per_pixel > 1:
        inside = sum(inside[..., k :: path.per_pixel] for k in range(path.per_pixel)) / path.per_pixel
    out = np.empty((2, len(inside), inside.shape[2]))
    out[0] = inside[:, 0]
    out[1] = inside[:, 1, ::-1] if inside.shape[1] > 1 else np.nan
    return out
