"""The whole microscope: from parameters and a seed to a recorded scan."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from . import feedback, labels, noise, piezo
from .junction import Junction, kappa
from .kernels import current
from .modes import constant_current, constant_height
from .parameters import Parameters, stream
from .scan import Raster, Scan
from .structures import DEFECTS, add_defects, defects, draw_defects, images, tip_named, turned, wse2
from .tightbinding import best_method, bias_window, broaden, fermi_level, ldos, model_named, spectrum, weights
from .tightbinding.threads import one_thread


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
    path = trajectory(raster, p)
    sheet, method = (wse2_sheet(p, raster, seed, index), "tmatrix") if sample is None else (sample, None)
    junction, surface = build_junction(p, sheet, p.tip.apex if tip is None else tip, path, method)

    ideal, setpoint = ideal_topograph(junction, raster, p.junction.height)

    dt = raster.dwell / p.feedback.steps_per_pixel
    gains = feedback.Gains(
        kp=p.feedback.kp, ki=feedback.integral_gain(p.feedback.loop_gain, junction.kappa, dt), kd=p.feedback.kd
    )
    hiss = noise.white(stream(seed, index, "noise.current"), path.time.shape, p.noise.current)
    height, error = follow(junction, path, hiss, setpoint, gains, dt, start=ideal[0, 0])

    height, error, x, y, lift = (pixels(v, raster.pixels) for v in (height, error, path.x, path.y, path.lift))
    return Scan(
        raster, height, true_height=height + lift, current=error, drive=height / p.piezo.sensitivity, x=x, y=y,
        ideal=ideal, defects=labels.locate(*surface.defects, x[0], y[0]), lattice=surface.lattice, parameters=p,
        seed=seed, meta={"bias": p.junction.bias, "lattice_constant": surface.a, "index": index},
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
    raster, path, images = frame(parameters), trajectory(frame(parameters), parameters), []
    sheet = wse2_sheet(parameters, raster, seed, index) if sample is None else sample
    for bias in biases:
        p = parameters.set({"junction.bias": float(bias)})
        junction, _ = build_junction(p, sheet, p.tip.apex if tip is None else tip, path)
        images.append(ideal_topograph(junction, raster, p.junction.height)[0])
    return np.stack(images)


def ideal_topograph(junction, raster, height):
    """Topograph (L, P) [Å] and the ln I it holds: the median one at a height [Å]."""
    setpoint = np.median(constant_height(junction, raster, height))
    return constant_current(junction, raster, setpoint, start=height), setpoint


def frame(parameters):
    """Read the raster off the parameters."""
    r = parameters.raster
    return Raster(r.width, r.height, r.pixels, r.lines, r.angle, line_time=r.line_time, direction=r.direction)


class Path(NamedTuple):
    """Where the tip is at each controller step, each (L, 2, steps): lines, trace and retrace, in order of time."""

    time: np.ndarray  # s
    x: np.ndarray  # Å
    y: np.ndarray  # Å
    lift: np.ndarray  # Å, what drift adds to the height


def trajectory(raster, parameters):
    """Follow the tip along the raster in time: there and back on each line, drifting all the while.

    Returns
    -------
    Path
        One entry for each reading of the controller.
    """
    steps = raster.pixels * parameters.feedback.steps_per_pixel
    along = (np.arange(steps) + 0.5) / steps
    leg = np.stack([along, 1 - along])  # fraction of the line, trace and retrace
    start = np.arange(2 * raster.lines).reshape(-1, 2, 1) * raster.line_time
    time = start + along * raster.line_time
    x, y = raster.at(np.arange(raster.lines)[:, None, None], leg * raster.pixels - 0.5)
    p = parameters.piezo
    return Path(time, x + piezo.drift(time, p.drift_x), y + piezo.drift(time, p.drift_y), piezo.drift(time, p.drift_z))


def pixels(values, count):
    """Average the steps of each pixel, (L, 2, steps) -> (2, L, P), and lay the retrace on the trace's columns."""
    trace, retrace = values.reshape(*values.shape[:2], count, -1).mean(-1).transpose(1, 0, 2)
    return np.stack([trace, retrace[:, ::-1]])


def wse2_sheet(parameters, raster, seed, index):
    """Build a sheet with random defects, so large that the frame sees each of them once, whatever its size."""
    s, d, p = parameters.sample, parameters.defects, parameters.piezo
    extent = np.hypot(raster.width, raster.height) + 2 * raster.duration * np.hypot(p.drift_x, p.drift_y)
    cells = int(np.ceil(2 / np.sqrt(3) * extent / s.lattice_constant)) + 1  # a rhombus around the circle
    elements = model_named(s.model).elements  # the metal first
    sheet = wse2((cells, cells), s.lattice_constant, s.thickness, *elements)
    densities = {kind: getattr(d, kind.replace("-", "_")) for kind in DEFECTS}
    sites = draw_defects(sheet, densities, lambda kind: stream(seed, index, f"defects.{kind}"))
    return add_defects(
        sheet, sites, dopant_potential=d.dopant_potential, oxygen_potential=d.oxygen_potential,
        oxygen_depth=d.oxygen_depth, substitution_potential=d.substitution_potential,
        charge_potential=d.charge_potential, charge_radius=d.charge_radius,
    )  # fmt: skip


class Surface(NamedTuple):
    """The truth about the sample inside and around the frame."""

    lattice: np.ndarray  # (K, 2) Å, top atoms
    defects: tuple  # kinds (D,), sites (D,), positions (D, 2) Å
    a: float  # Å


def build_junction(parameters, sample, tip, path, method=None):
    """Weigh every pair of atoms that can carry current anywhere along the path.

    ``sample`` and ``tip`` are atoms, or arrays (positions, weights), or the name of an apex; ``method`` is that of
    `ldos` for the sample; the fastest exact one by default.

    Returns
    -------
    junction : Junction
        Sample atoms under and around the frame, and the atoms at the end of the tip.
    surface : Surface
        Where the top atoms and the defects are.
    """
    j, s, t = parameters.junction, parameters.sample, parameters.tip
    nodes = max(16, int(np.ceil(abs(j.bias) / s.broadening)))  # enough for the narrowest feature there can be
    energy, factor = bias_window(j.bias, j.temperature, nodes)
    with one_thread():  # sums in another order would change the last bits
        needle = electrode(tip, t.model, s.broadening)
        end = turned(needle.positions, t.rotation, t.tilt, t.azimuth)
        end[:, 2] -= end[:, 2].min()
        near = np.flatnonzero(end[:, 2] <= t.depth)

        sheet = electrode(sample, s.model, s.broadening, s.fermi, s.fermi_offset, method)
        top = sheet.positions[:, 2].max()
        low, high = surroundings(path, j.height, np.abs(end[near, :2]).max())
        cell, pbc = (sample.cell, sample.pbc) if hasattr(sample, "cell") else (np.eye(3), (False, False, False))
        index, positions = images(sheet.positions, cell, pbc, low, high)
        if not len(index):
            raise ValueError("no atom of the sample lies under the frame; move the sample so that it covers x = y = 0")
        used, which = np.unique(index, return_inverse=True)
        pairs = weights(sheet.density(energy, used), needle.density(energy - j.bias, near), factor)[which]
    decay = kappa(j.work_function, j.bias if j.barrier == "tilted" else 0.0)
    junction = Junction(positions - [0, 0, top], end[near], pairs, decay)
    return junction, Surface(*truth(sample, positions, top, low, high), lattice_constant(sample, s.lattice_constant))


def truth(sample, positions, top, low, high):
    """Where the top atoms are (K, 2) [Å], and kinds, sites and positions of the defects, inside a rectangle."""
    lattice = positions[positions[:, 2] > top - 0.5, :2]
    if not hasattr(sample, "info"):
        return lattice, defects(wse2())
    kinds, sites, points = defects(sample)
    which, points = images(points, sample.cell, sample.pbc, low, high)
    return lattice, (kinds[which], sites[which], points[:, :2])


def lattice_constant(sample, default):
    """Lattice constant [Å] that a sample says it has."""
    return sample.info.get("lattice_constant", default) if hasattr(sample, "info") else default


def surroundings(path, height, width):
    """Corners (2,) of the rectangle [Å] that holds every atom within reach of the tip on its path."""
    extra = Junction.slack + 2.0  # pairs this much longer than the height; 2 Å for the relief
    margin = np.sqrt(extra * (extra + 2 * height)) + width
    return [path.x.min() - margin, path.y.min() - margin], [path.x.max() + margin, path.y.max() + margin]


class Electrode(NamedTuple):
    """Atoms, and the density of states of some of them at energies from the Fermi level."""

    positions: np.ndarray  # (N, 3) Å
    density: Callable  # (energies (K,) [eV], only (m,)) -> (m, K) 1/eV


def electrode(atoms, model, broadening, fermi="neutral", offset=0.0, method=None):
    """Make an `Electrode` of atoms, of arrays (positions, weights) or of the name of an apex."""
    if not isinstance(atoms, str) and not hasattr(atoms, "get_chemical_symbols"):
        return fixed_electrode(*atoms)
    zero = fermi_level(model, fermi if model_named(model).electrons else "zero", offset)
    if isinstance(atoms, str):
        positions, levels, shares = apex_spectrum(atoms, model)
        return Electrode(positions, lambda energy, only: broaden(levels, shares[only], energy + zero, broadening))
    method = method or best_method(atoms, model)
    how = {"model": model, "method": method, "broadening": broadening, "precision": "single"}
    return Electrode(atoms.positions, lambda energy, only: ldos(atoms, energy + zero, only=only, **how))


def fixed_electrode(positions, weights):
    """Make an `Electrode` of points (N, 3) [Å] with the same density of states (N,) at all energies."""
    positions, weights = np.asarray(positions, float), np.asarray(weights, float)
    if positions.ndim != 2 or positions.shape[1] != 3 or weights.shape != positions.shape[:1]:
        raise ValueError(f"positions {positions.shape} and weights {weights.shape} must be (N, 3) and (N,)")
    return Electrode(positions, lambda energy, only: np.repeat(weights[only, None], len(energy), axis=1))


APEX_SIZE = {"tungsten-spd": 4}  # cells; nine orbitals to an atom make a larger one too slow to diagonalise


@lru_cache(maxsize=16)
def apex_spectrum(name, model):
    """Positions (M, 3) [Å], levels [eV] and shares of a named apex; the same for every image, so kept."""
    atoms = tip_named(name, APEX_SIZE.get(model, 6))
    return atoms.positions, *spectrum(atoms, model)


def follow(junction, path, hiss, setpoint, gains, dt, start, compiled=True):
    """Let the controller hold the current along a path.

    Parameters
    ----------
    junction : Junction
        Sample and tip.
    path : Path
        Where the tip is, reading by reading.
    hiss : ndarray
        Noise on each reading of ln I.
    setpoint : float
        ln I to hold.
    gains : feedback.Gains
        Of the controller.
    dt : float
        Time between readings [s].
    start : float
        Height before the first reading [Å].
    compiled : bool
        Run the compiled loop, or the readable one that it must agree with.

    Returns
    -------
    height, error : ndarray, the shape of the path
        Height asked for at each reading [Å], and the ln(I / I_set) then read.
    """
    x, y, lift, noise = (np.ascontiguousarray(v).ravel() for v in (path.x, path.y, path.lift, hiss))
    height, error = np.empty(x.size), np.empty(x.size)
    if compiled:
        per_step = gains.kp, gains.ki * dt, gains.kd / dt
        pairs = junction.pairs, 2 * junction.kappa, junction.slack
        current.feedback(x, y, lift, noise, start, setpoint, junction.floor, *per_step, *pairs, height, error)
    else:
        z, state = start, feedback.init(start)
        for n in range(x.size):
            true = max(z + lift[n], junction.floor)
            height[n], error[n] = z, junction.log_current(x[n], y[n], true) - setpoint + noise[n]
            z, state = feedback.step(state, error[n], gains, dt)
    return height.reshape(path.x.shape), error.reshape(path.x.shape)
