"""The whole microscope: from parameters and a seed to a recorded scan."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from . import instrument, labels
from .assembly import Surface, build_junction, build_junctions, wse2_sheet
from .modes import constant_current, constant_height, expansion
from .parameters import Parameters
from .scan import Raster, Scan
from .trajectory import Path, frame, pixels, trajectory


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
    stage = prepare(Parameters() if parameters is None else parameters, seed, index, sample, tip)
    return develop(stage, instrument.follow([stage.run])[0])


class Stage(NamedTuple):
    """All that is known of a scan before the controller is switched on."""

    parameters: Parameters
    seed: int
    index: int
    raster: Raster
    path: Path  # where the tip will be, and when
    surface: Surface  # the truth about the sample
    changes: np.ndarray  # times at which the tip changes [s]
    ideal: np.ndarray  # (L, P) Å
    run: instrument.Run  # what the controller will meet


def prepare(p, seed, index, sample=None, tip=None):
    """Build sample, tip and path, and work out the current along the path; arguments as in `simulate`."""
    raster = frame(p)
    path = trajectory(raster, p, seed, index)
    sheet, method = (wse2_sheet(p, path, seed, index), "tmatrix") if sample is None else (sample, None)
    changes = instrument.tip_changes(path, p, seed, index)
    tips = [p.tip.apex if tip is None else tip] + [p.tip.other_apex] * bool(changes.size)
    (junction, *other), surface = build_junctions(p, sheet, tips, path, method)

    flat, setpoint, contrast = ideal_topograph(junction, raster, p.junction.height)
    terms = along(junction, path, setpoint, start=flat[0, 0])
    if other:
        terms = np.where(changed(path.node_time, changes), along(other[0], path, setpoint, start=flat[0, 0]), terms)
    ground = plane(p, path.x, path.y)
    terms[0] += ground

    ideal = flat + plane(p, *raster.xy)
    lift = instrument.lift(path, raster, p, seed, index, changed(path.time, changes))
    hiss = instrument.hiss(path, p, contrast, seed, index)
    run = instrument.run(p, junction.kappa, path.step, ideal, junction.floor + ground.min(), terms, lift, hiss)
    return Stage(p, seed, index, raster, path, surface, changes, ideal, run)


def develop(stage, record):
    """Make a `Scan` of what the controller recorded, with the truth beside it."""
    p, raster, path, surface = stage.parameters, stage.raster, stage.path, stage.surface
    height, error, true = (pixels(v.reshape(path.x.shape), path) for v in record)
    x, y = pixels(path.x, path), pixels(path.y, path)
    return Scan(
        raster, height, true_height=true, current=error, drive=height / p.piezo.sensitivity, x=x, y=y,
        ideal=stage.ideal, defects=labels.locate(*surface.defects, x[0], y[0]), lattice=surface.lattice,
        parameters=p, seed=stage.seed, events=labels.events(raster, tip_change=stage.changes),
        meta={"bias": p.junction.bias, "lattice_constant": surface.a, "index": stage.index},
    )  # fmt: skip


def simulate_many(parameters, seed, indices):
    """Simulate several samples of a set; the loop takes sixteen of them at a time.

    Parameters
    ----------
    parameters : sequence of Parameters
        Of each sample.
    seed : int
        Of the set.
    indices : sequence of int
        Which samples they are.

    Returns
    -------
    list of Scan or ValueError
        The same scans, bit for bit, as `simulate` makes one by one; for a sample that makes no image, the error.
    """
    stages = []
    for p, index in zip(parameters, indices, strict=True):
        try:
            stages.append(prepare(p, seed, index))
        except ValueError as error:
            stages.append(error)
    able = [stage for stage in stages if isinstance(stage, Stage)]
    records = iter(instrument.follow([stage.run for stage in able]))
    return [develop(stage, next(records)) if isinstance(stage, Stage) else stage for stage in stages]


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
    legs = []
    for leg, way in enumerate((slice(None), slice(None, None, -1))[: path.x.shape[1]]):  # as the trace runs
        x, y = path.x[:, leg, way], path.y[:, leg, way]
        same = leg and np.array_equal(x, path.x[:, 0]) and np.array_equal(y, path.y[:, 0])
        legs.append((legs[0] if same else expansion(junction, x, y, setpoint, start)[0])[..., way])
    return np.stack(legs, axis=2)


def plane(parameters, x, y):
    """Height of the tilted surface [Å] under points x, y [Å]."""
    s = parameters.sample
    return np.tan(np.deg2rad(s.tilt_x)) * x + np.tan(np.deg2rad(s.tilt_y)) * y


def changed(time, changes):
    """Whether the tip has its other apex at a time, after changes there and back."""
    return np.searchsorted(changes, time, side="right") % 2 == 1
