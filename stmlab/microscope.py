"""The whole microscope: from parameters and a seed to a recorded scan."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from . import instrument, labels
from .assembly import Surface, build_junction, build_junctions, wse2_sheet
from .junction import kappa
from .modes import at_height, expansion, solve
from .parameters import Parameters
from .relief import Relief
from .scan import Raster, Scan
from .trajectory import Path, frame, pixels, trajectory

SURVEY = 32  # lines and pixels of the first look at a frame


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


class Scene(NamedTuple):
    """What lies under the tip, and the current that flows there."""

    surface: Surface
    kappa: float  # 1/Å
    contrast: float  # standard deviation of ln I at one height
    terms: np.ndarray  # (5, L, 2, K), ln I by height along the path: see `modes.expansion`
    heights: np.ndarray  # (L, 2, K) Å, where the setpoint flows
    floor: float  # Å, the lowest that the tip may sink
    topograph: Callable[[], np.ndarray]  # what a perfect instrument would record (L, P) Å
    prominence: np.ndarray | None = None  # (D,) Å, of each defect: see `relief.Relief.prominences`


class Stage(NamedTuple):
    """All that is known of a scan before the controller is switched on."""

    parameters: Parameters
    seed: int
    index: int
    raster: Raster
    path: Path  # where the tip will be, and when
    scene: Scene
    changes: np.ndarray  # times at which the tip changes [s]
    ideal: np.ndarray | None  # (L, P) Å
    run: instrument.Run  # what the controller will meet


def prepare(p, seed, index, sample=None, tip=None, ideal=True):
    """Build sample, tip and path, and work out the current along the path; arguments as in `simulate`."""
    raster = frame(p)
    path = trajectory(raster, p, seed, index)
    changes = instrument.tip_changes(path, p, seed, index)
    shapes = Relief(p, path.bounds, seed, index)
    if sample is None and p.sample.surface == "painted":
        scene = painted(p, raster, path, changes, shapes)
    else:
        scene = of_atoms(p, raster, path, changes, shapes, seed, index, sample, tip)
    lift = instrument.lift(path, raster, p, seed, index, changed(path.time, changes) if changes.size else None)
    hiss = instrument.hiss(path, p, scene.contrast, seed, index)
    run = instrument.run(p, scene.kappa, path.step, scene.heights, scene.floor, scene.terms, lift, hiss)
    return Stage(p, seed, index, raster, path, scene, changes, scene.topograph() if ideal else None, run)


def of_atoms(p, raster, path, changes, shapes, seed, index, sample=None, tip=None):
    """Scan a sheet of atoms, with shapes below it; arguments as in `simulate`."""
    sheet, method = (wse2_sheet(p, path, seed, index), "tmatrix") if sample is None else (sample, None)
    tips = [p.tip.apex if tip is None else tip] + [p.tip.other_apex] * bool(changes.size)
    (junction, *other), surface = build_junctions(p, sheet, tips, path, method)
    look = survey(junction, raster, p.junction.height)
    terms, heights = along(junction, raster, path, look)
    if other:
        terms = np.where(changed(path.node_time, changes), along(other[0], raster, path, look)[0], terms)
    surface = surface._replace(defects=tuple(map(_joined, surface.defects, shapes.listed())))
    ground = plane(p, path.x, path.y) + shapes.height(path.x, path.y)
    terms[0] += ground
    heights += ground
    return Scene(
        surface, junction.kappa, look.contrast, terms, heights, junction.floor + ground.min(),
        lambda: topograph_of(junction, raster, look) + plane(p, *raster.xy) + shapes.height(*raster.xy),
    )  # fmt: skip


def painted(p, raster, path, changes, shapes):
    r"""Scan shapes alone, over which ln I falls off as above a plane, :math:`\ln I / I^* = -2 \kappa\, (z - h(x, y))`.

    No atoms and no states: what the instrument does to an image does not depend on where its heights come from, and
    a frame of shapes costs a quarter of one with a band model.
    """
    j = p.junction
    decay = kappa(j.work_function, j.bias if j.barrier == "tilted" else 0.0)
    contrast = np.ones(1)
    if changes.size:
        contrast = np.where(changed(path.node_time, changes), p.relief.other_contrast, 1.0)
    heights = j.height + plane(p, path.x, path.y) + contrast * shapes.height(path.x, path.y)
    terms = np.zeros((5, *heights.shape))
    terms[0], terms[2] = heights, -2 * decay
    surface = Surface(shapes.sites(*path.bounds), shapes.listed(), p.sample.lattice_constant)
    rows = np.clip(raster.pixel(*surface.defects[2].T)[0], 0, raster.lines - 1).astype(int)
    prominence = shapes.prominences() * np.broadcast_to(contrast, heights.shape)[rows, 0].mean(axis=-1)
    ideal = lambda: j.height + plane(p, *raster.xy) + shapes.height(*raster.xy)  # noqa: E731
    return Scene(surface, decay, 2 * decay * heights.std(), terms, heights, -np.inf, ideal, prominence)


def _joined(first, second):
    return np.concatenate([first, second]) if len(second) else first


def develop(stage, record):
    """Make a `Scan` of what the controller recorded, with the truth beside it."""
    p, raster, path, scene = stage.parameters, stage.raster, stage.path, stage.scene
    height, error, true = (pixels(v.reshape(path.x.shape), path) for v in record)
    x, y = pixels(path.x, path), pixels(path.y, path)
    return Scan(
        raster, height, true_height=true, current=error, drive=height / p.piezo.sensitivity, x=x, y=y,
        ideal=stage.ideal, defects=labels.locate(*scene.surface.defects, x[0], y[0]), lattice=scene.surface.lattice,
        parameters=p, seed=stage.seed, events=labels.events(raster, tip_change=stage.changes),
        meta={"bias": p.junction.bias, "lattice_constant": scene.surface.a, "index": stage.index,
              **({} if scene.prominence is None else {"prominence": scene.prominence})},
    )  # fmt: skip


def simulate_many(parameters, seed, indices, ideal=True):
    """Simulate several samples of a set; the loop takes sixteen of them at a time.

    Parameters
    ----------
    parameters : sequence of Parameters
        Of each sample.
    seed : int
        Of the set.
    indices : sequence of int
        Which samples they are.
    ideal : bool
        Whether to work out what a perfect instrument would have recorded, too.

    Returns
    -------
    list of Scan or ValueError
        The same scans, bit for bit, as `simulate` makes one by one; for a sample that makes no image, the error.
    """
    stages = []
    for p, index in zip(parameters, indices, strict=True):
        try:
            stages.append(prepare(p, seed, index, ideal=ideal))
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
        look = survey(junction, raster, p.junction.height)
        images.append(topograph_of(junction, raster, look) + plane(p, *raster.xy))
    return np.stack(images)


class Survey(NamedTuple):
    """What a first look at the frame shows, on a coarse raster (l, p)."""

    step: tuple  # lines and pixels of the frame from one place to the next
    height: np.ndarray  # (l, p) Å, where the setpoint flows
    setpoint: float  # ln I, its median at the height from which the tip starts
    contrast: float  # standard deviation of ln I there

    def near(self, raster, x, y):
        """Height [Å] at the place of the survey that is nearest to each of the places x, y [Å]."""
        parts = zip(raster.pixel(x, y), self.step, self.height.shape, strict=True)
        return self.height[tuple(np.clip(np.rint(v / n), 0, m - 1).astype(int) for v, n, m in parts)]


def survey(junction, raster, height):
    """Look at every n-th pixel of every m-th line, few enough that there are at most `SURVEY` each way.

    Before a scan, an operator finds the setpoint and the range of the surface in the same way.
    """
    step = tuple(-(-n // SURVEY) for n in raster.shape)
    x, y = (v[:: step[0], :: step[1]] for v in raster.xy)
    terms = at_height(junction, x, y, height)
    setpoint, contrast = np.median(terms[1]), terms[1].std()
    return Survey(step, solve(junction, x, y, terms, setpoint), setpoint, contrast)


def topograph_of(junction, raster, look):
    """Topograph (L, P) [Å] that a perfect instrument records at the setpoint of a survey."""
    return expansion(junction, *raster.xy, look.setpoint, look.near(raster, *raster.xy))[1]


def along(junction, raster, path, look):
    """Expand ln I along a path, (5, L, 2, K), near the heights of constant current, (L, 2, K) [Å].

    The retrace has places of its own, unless nothing displaces the tip.
    """
    legs = []
    for leg, way in enumerate((slice(None), slice(None, None, -1))[: path.x.shape[1]]):  # as the trace runs
        x, y = path.x[:, leg, way], path.y[:, leg, way]
        same = leg and np.array_equal(x, path.x[:, 0]) and np.array_equal(y, path.y[:, 0])
        found = legs[0] if same else expansion(junction, x, y, look.setpoint, look.near(raster, x, y))
        legs.append([v[..., way] for v in found])
    return [np.stack(v, axis=-2) for v in zip(*legs, strict=True)]


def plane(parameters, x, y):
    """Height of the tilted surface [Å] under points x, y [Å]."""
    s = parameters.sample
    return np.tan(np.deg2rad(s.tilt_x)) * x + np.tan(np.deg2rad(s.tilt_y)) * y


def changed(time, changes):
    """Whether the tip has its other apex at a time, after changes there and back."""
    return np.searchsorted(changes, time, side="right") % 2 == 1
