"""The whole microscope: from parameters and a seed to a recorded scan."""

from __future__ import annotations

import numpy as np

from . import instrument, labels
from .assembly import build_junction, wse2_sheet
from .modes import constant_current, constant_height, expansion
from .parameters import Parameters
from .scan import Scan
from .trajectory import frame, pixels, trajectory


def simulate(parameters=None, seed=0, index=0, sample=None, tip=None):
    """Simulate one scan.

    Parameters
    ----------
    parameters : Parameters, optional
        Every knob; the defaults if left out.
    seed, index : int
        Of the named random streams: sample ``index`` of a set is the same alone and in bulk.
    sample : ase.Atoms or (positions, weights), optional
        Your own sample instead of WSe2: atoms that the tight-binding model knows, or positions (N, 3) [Å] and a
        density of states (N,) for each. Its highest atom is moved to z = 0.
    tip : ase.Atoms or (positions, weights), optional
        Your own tip; its lowest atom is moved to z = 0.

    Returns
    -------
    Scan
        Trace and retrace, the truth behind them, and what a perfect instrument would have recorded.

    Raises
    ------
    ValueError
        If the frame, the junction or the setpoint make no image; the message says what to change.
    """
    p = Parameters() if parameters is None else parameters
    raster = frame(p)
    path = trajectory(raster, p, seed, index)
    sheet, method = (wse2_sheet(p, path, seed, index), "tmatrix") if sample is None else (sample, None)
    junction, surface = build_junction(p, sheet, p.tip.apex if tip is None else tip, path, method)

    flat, setpoint, contrast = ideal_topograph(junction, raster, p.junction.height)
    changes = instrument.tip_changes(path, p, seed, index)
    terms = along(junction, path, setpoint, start=flat[0, 0])
    if changes.size:
        other, _ = build_junction(p, sheet, p.tip.other_apex, path, method)
        terms = np.where(changed(path.node_time, changes), along(other, path, setpoint, start=flat[0, 0]), terms)
    ground = plane(p, path.x, path.y)
    terms[0] += ground

    ideal = flat + plane(p, *raster.xy)
    lift = instrument.lift(path, raster, p, seed, index, changed(path.time, changes))
    hiss = instrument.hiss(path, p, contrast, seed, index)
    run = instrument.run(p, junction.kappa, path.step, ideal, junction.floor + ground.min(), terms, lift, hiss)
    height, error, true = (pixels(v.reshape(path.x.shape), path) for v in instrument.follow([run])[0])

    x, y = pixels(path.x, path), pixels(path.y, path)
    return Scan(
        raster, height, true_height=true, current=error, drive=height / p.piezo.sensitivity, x=x, y=y, ideal=ideal,
        defects=labels.locate(*surface.defects, x[0], y[0]), lattice=surface.lattice, parameters=p, seed=seed,
        events=labels.events(raster, tip_change=changes),
        meta={"bias": p.junction.bias, "lattice_constant": surface.a, "index": index},
    )  # fmt: skip


def topographs(parameters, biases, seed=0, index=0, sample=None, tip=None):
    """Record what a perfect instrument would, of one place at several biases.

    Parameters
    ----------
    parameters : Parameters
        Of everything but the bias.
    biases : sequence of float
        Sample voltages [V], B of them; none of them 0.
    seed, index, sample, tip
        As in `simulate`.

    Returns
    -------
    ndarray, (B, L, P)
        Heights at which the median current of each bias at ``junction.height`` flows [Å].
    """
    raster, images = frame(parameters), []
    path = trajectory(raster, parameters, seed, index)
    sheet = wse2_sheet(parameters, path, seed, index) if sample is None else sample
    for bias in biases:
        p = parameters.set({"junction.bias": float(bias)})
        junction, _ = build_junction(p, sheet, p.tip.apex if tip is None else tip, path)
        images.append(ideal_topograph(junction, raster, p.junction.height)[0] + plane(p, *raster.xy))
    return np.stack(images)


def ideal_topograph(junction, raster, height):
    """Topograph (L, P) [Å], the ln I it holds, the median one at a height [Å], and the contrast of ln I there."""
    log_current = constant_height(junction, raster, height)
    setpoint = np.median(log_current)
    return constant_current(junction, raster, setpoint, start=height), setpoint, log_current.std()


def along(junction, path, setpoint, start):
    """Expand ln I along a path, (5, L, 2, K); the retrace has places of its own, unless nothing displaces the tip."""
    (x, back_x), (y, back_y) = ((v[:, 0], v[:, 1, ::-1]) for v in (path.x, path.y))
    trace, _ = expansion(junction, x, y, setpoint, start)
    same = np.array_equal(x, back_x) and np.array_equal(y, back_y)
    retrace = trace if same else expansion(junction, back_x, back_y, setpoint, start)[0]
    return np.stack([trace, retrace[..., ::-1]], axis=2)


def plane(parameters, x, y):
    """Height of the tilted surface [Å] under points x, y [Å]."""
    s = parameters.sample
    return np.tan(np.deg2rad(s.tilt_x)) * x + np.tan(np.deg2rad(s.tilt_y)) * y


def changed(time, changes):
    """Whether the tip has its other apex at a time, after changes there and back."""
    return np.searchsorted(changes, time, side="right") % 2 == 1
