"""The loop between current and scanner along a path, with all that disturbs it."""

from __future__ import annotations

from itertools import groupby
from typing import NamedTuple

import numpy as np

from . import feedback, noise, piezo
from .kernels import loop as kernel
from .parameters import stream

BLOCK = 8192  # nodes that are worked on in one go, so that memory does not grow with the frame


class Run(NamedTuple):
    """One sample on its way through the loop; N nodes in order of time, K readings."""

    terms: np.ndarray  # (5, N), what the current is along the path: see `modes.expansion`
    lift: np.ndarray  # (K,) Å, what is added to the height of the piezo
    hiss: np.ndarray  # (K,) what is added to ln I
    start: float  # Å, height of the piezo before the first reading
    controller: feedback.Controller
    linear: bool  # whether the controller sees I / I_set - 1 instead of ln(I / I_set)
    bend: piezo.BoucWen  # hysteresis of the z piezo ...
    origin: float  # ... about this height [Å] ...
    span: float  # ... and over this range [Å]
    creep: float  # share of a move per decade of time
    creep_time: float  # s
    floor: float  # Å, the tip never sinks lower

    @property
    def drive(self) -> float:
        """What the drive must ask for to have the piezo at the start [Å]."""
        return self.origin + piezo.stroke(self.bend) * (self.start - self.origin) if self.bend.a else self.start


class Record(NamedTuple):
    """What the loop recorded, a mean for each node (N,)."""

    height: np.ndarray  # Å, as asked for
    error: np.ndarray
    true: np.ndarray  # Å, where the tip was


def lift(path, raster, parameters, seed, index, other=None):
    """What moves tip and sample apart that the controller did not ask for, reading by reading (L, 2, K) [Å].

    ``other`` says at which readings the tip has its other apex.
    """
    p, n, t = parameters.piezo, parameters.noise, path.time
    draw = lambda name: stream(seed, index, f"noise.{name}")  # noqa: E731
    out = piezo.drift(t, p.drift_z)
    if p.bend_z:
        out += piezo.bend(t, raster.duration, p.bend_z, p.bend_magnitude)
    if p.creep:
        out += piezo.settle(t, p.offset_z, p.creep, p.creep_time, p.wait)
    if n.flicker:
        nodes = path.node_time.ravel()
        slow = noise.flicker(draw("flicker"), nodes.size, nodes[1] - nodes[0], n.flicker, n.flicker_exponent)
        out += strength(path, n, draw) * np.interp(t.ravel(), nodes, slow).reshape(t.shape)
    if n.hum:
        phase = draw("hum").uniform(0, 2 * np.pi)
        out += strength(path, n, draw) * noise.hum(t, n.hum, n.hum_frequency, phase, n.hum_harmonics)
    if n.line_offset:
        out += noise.line_offsets(draw("line_offset"), raster.lines, n.line_offset)[:, None, None]
    if n.telegraph:
        out += noise.telegraph(draw("telegraph"), t, n.telegraph, n.telegraph_rate)
    if other is not None and parameters.tip.change_length:
        out -= parameters.tip.change_length * other
    return out


def strength(path, noises, draw):
    """How strong flicker and hum are, reading by reading: they come in spells, and are wild on some lines."""
    out = np.ones((len(path.time), 1, 1))
    if noises.spells:
        restless = noise.spells(draw("spells"), path.time, noises.spells, noises.spell_share)
        out = np.where(restless, 1.0, noises.calm)
    if noises.wild_lines:
        wild = draw("wild_lines").random(len(path.time)) < noises.wild_lines
        out = out * np.where(wild, noises.wild_strength, 1.0)[:, None, None]
    return out


def hiss(path, parameters, contrast, seed, index):
    """What the electronics adds to ln I, reading by reading (L, 2, K); `contrast` is that of ln I in the frame."""
    n, j, t = parameters.noise, parameters.junction, path.time
    draw = lambda name: stream(seed, index, f"noise.{name}")  # noqa: E731
    out = np.zeros(t.shape)
    electronics = 0.0
    if n.preamp:
        bandwidth = 1 / (2 * path.step)  # all that the readings can show; the preamplifier's filter comes later
        electronics = noise.relative_rms(j.current * 1e-12, n.preamp * 1e9, n.preamp_temperature, bandwidth)
    for name, rms in (("current", n.current), ("contrast", n.contrast * contrast), ("preamp", electronics)):
        if rms:
            out += noise.white(draw(name), t.shape, rms)
    if n.spikes:
        burst = noise.arrivals(draw("spikes"), t[-1, -1, -1], n.spikes)
        out += noise.spikes(t, burst, n.spike_height, n.spike_time)
    return out


def tip_changes(path, parameters, seed, index):
    """Times at which the tip changes to its other apex and back [s]."""
    if not parameters.tip.changes:
        return np.zeros(0)
    end = path.time[-1, -1, -1]
    return noise.arrivals(stream(seed, index, "tip.changes"), end, parameters.tip.changes / end)


def controller(parameters, decay, dt, span):
    """Make the controller of the parameters; ``decay`` is kappa [1/Å], ``span`` the range of the topograph [Å]."""
    f = parameters.feedback
    if not f.lowest < f.highest:
        raise ValueError(f"feedback.lowest = {f.lowest} Å must be less than feedback.highest = {f.highest} Å")
    longest = min([np.inf] + [v for v in (f.slew * dt, f.step_limit * span) if v])
    whole = f.form == "increment"
    return feedback.Controller(
        kp=f.loop_gain / (2 * decay) if whole else f.kp,
        ki=f.ki if whole else feedback.integral_gain(f.loop_gain, decay, dt),
        kd=f.kd, dt=dt, form=f.form, window=max(1, round(f.window / dt)), delay=f.delay,
        preamp=feedback.low_pass(f.preamp_bandwidth, dt), output=feedback.low_pass(f.output_bandwidth, dt),
        lowest=f.lowest, highest=f.highest, longest=longest,
    )  # fmt: skip


def hysteresis(parameters):
    """Hysteresis of the z piezo: as given by A, or by the width of its loop."""
    p = parameters.piezo
    if p.hysteresis_a:
        return piezo.BoucWen(p.hysteresis_a, p.hysteresis_beta, p.hysteresis_gamma)
    return piezo.of_width(p.hysteresis_z / 100, p.hysteresis_beta, p.hysteresis_gamma)


def run(parameters, decay, dt, relief, floor, terms, lift, hiss):
    """Set a sample up for the loop: kappa [1/Å], time between readings [s], heights on its way and lowest [Å]."""
    p, low, span = parameters, relief.min(), max(np.ptp(relief), 1e-3)
    lift, hiss, terms = lift.ravel(), hiss.ravel(), terms.reshape(5, -1)
    return Run(
        terms, lift, hiss, start=terms[0, 0] - lift[0], controller=controller(p, decay, dt, span),
        linear=p.feedback.signal == "linear", bend=hysteresis(p), origin=low + span / 2,
        span=p.piezo.hysteresis_range or span, creep=p.piezo.creep, creep_time=p.piezo.creep_time,
        floor=floor,
    )  # fmt: skip


def step_by_step(run, log_ratio):
    """Take one sample through the loop reading by reading: what `follow` does, to read and to test it against.

    Parameters
    ----------
    run : Run
        The sample; its ``terms`` only tell how many readings a node has.
    log_ratio : callable
        From the number of a reading and the height of the tip [Å] to ln(I / I_set).

    Returns
    -------
    Record
        One entry for each reading.
    """
    c, per = run.controller, run.lift.size // run.terms.shape[1]
    state, lag, record = feedback.init(run.drive, c), 0.0, np.empty((3, run.lift.size))
    stroke = piezo.stroke(run.bend) if run.bend.a else 1.0
    shares, paces = relaxations(run.creep_time if run.creep else None, c.dt * per, run.terms.shape[1])
    memory = np.zeros(len(shares))
    for n in range(run.lift.size):
        if n % per == 0:
            memory += paces * (state.actual - run.drive - memory)
        bent = run.origin + (state.actual - run.origin - run.span * lag) / stroke
        true = max(bent + run.creep * shares @ memory + run.lift[n], run.floor)
        reading = log_ratio(n, true) + run.hiss[n]
        reading = feedback.linear_error(reading) if run.linear else reading
        asked, before = state.height, state.actual
        _, state = feedback.step(state, reading, c)
        lag = piezo.ramp(lag, (state.actual - before) / run.span, run.bend) if run.bend.a else 0.0
        record[:, n] = asked, state.filtered, true
    return Record(*record)


def hold(run):
    r"""Keep the current at its setpoint all the time, as no loop can: the height of constant current plus noise.

    .. math:: z = z_0 + d, \quad l_0 + l_1 d + \tfrac12 l_2 d^2 + \tfrac16 l_3 d^3 = 0, \qquad
              h = z - \mathrm{lift} + \frac{\mathrm{hiss}}{|\partial \ln I / \partial z|}

    A share of noise in the current moves the recorded height, not the tip. Limits, filters, hysteresis and creep of
    the z piezo do not count.

    Parameters
    ----------
    run : Run
        The sample.

    Returns
    -------
    Record
        A mean for each node; the error is 0.
    """
    z0, l0, l1, l2, l3 = run.terms
    lift, hiss = (v.reshape(len(z0), -1).mean(1) for v in (run.lift, run.hiss))
    d = -l0 / l1
    for _ in range(3):  # Newton: the node lies so near that the second step is exact
        slope = l1 + d * (l2 + d * l3 / 2)
        d -= (l0 + d * (l1 + d * (l2 / 2 + d * l3 / 6))) / slope
    return Record(z0 + d - lift - hiss / slope, np.zeros_like(d), z0 + d)


def relaxations(creep_time, step, count):
    """Shares of the relaxations of the z piezo, and what of each the time of a node completes; none without creep."""
    if not creep_time:
        return np.zeros(0, np.float32), np.zeros(0, np.float32)
    times, shares = piezo.relaxation(creep_time, step, step * count)
    return shares.astype(np.float32), (-np.expm1(-step / times)).astype(np.float32)


def follow(runs):
    """Let the controllers hold their currents along their paths, up to sixteen samples at a time.

    Parameters
    ----------
    runs : sequence of Run
        Samples; those that follow each other with frames and loops of the same kind share the work.

    Returns
    -------
    list of Record
        One for each run, the same whatever its company.
    """
    records = []
    for kind, alike in groupby(runs, key=_kind):
        alike = list(alike)
        if alike[0].controller.form == "perfect":
            records += map(hold, alike)
            continue
        for k in range(0, len(alike), kernel.LANES):
            records += _batch(alike[k : k + kernel.LANES], *kind)
    return records


def _kind(run):
    """What all samples of a batch must have in common."""
    c = run.controller
    relax = (run.creep_time, c.dt) if run.creep else None
    return run.terms.shape, run.lift.shape, c.form, run.linear, c.delay, c.window, relax


def _batch(runs, shape, readings, form, linear, delay, window, relax):
    """Run up to sixteen samples, block by block."""
    count, per = shape[1], readings[0] // shape[1]
    shares, paces = relaxations(relax[0], relax[1] * per, count) if relax else relaxations(None, 0, 0)
    knobs = _lanes([_knobs(run) for run in runs])
    out = np.zeros((3, count, kernel.LANES), np.float32)
    state = kernel.begin(knobs, shares.size, delay, window)
    for a in range(0, count, BLOCK):
        b = min(a + BLOCK, count)
        around = np.clip(np.arange(a - 1, b + 1), 0, count - 1)  # a node more at either end, to look at
        nodes = _lanes([run.terms[:, around].T for run in runs])
        steps = [_lanes([getattr(run, name)[a * per : b * per] for run in runs]) for name in ("lift", "hiss")]
        means = (v[a:b].ravel() for v in out)
        kernel.loop(nodes, *steps, *state, shares, paces, form == "position", linear, a * per, *means)
    return [Record(*out[:, :, k].astype(float)) for k in range(len(runs))]


def _lanes(values):
    """Lay arrays of one shape beside each other, the last one repeated until all lanes have one; flat, in single."""
    if len(values) == 1:
        return np.repeat(np.asarray(values[0], np.float32).ravel(), kernel.LANES)
    rows = np.empty((kernel.LANES, np.size(values[0])), np.float32)
    for k in range(kernel.LANES):
        rows[k] = np.ravel(values[min(k, len(values) - 1)])
    return rows.T.ravel()


def _knobs(run):
    """What is fixed for a lane, in the order of `kernels.loop.KNOBS`."""
    c = run.controller
    stroke = piezo.stroke(run.bend) if run.bend.a else 1.0
    named = {
        "start": run.drive, "kp": c.kp, "ki": c.ki * c.dt, "kd": c.kd / c.dt, "longest": min(c.longest, 1e30),
        "lowest": max(c.lowest, -1e30), "highest": min(c.highest, 1e30), "preamp": c.preamp, "amplifier": c.output,
        "origin": run.origin, "gain": 1 / stroke - 1, "span": run.span / stroke, "pace": 1 / run.span,
        "a": run.bend.a, "beta": run.bend.beta, "gamma": run.bend.gamma, "share": run.creep, "floor": run.floor,
    }  # fmt: skip
    return [named[name] for name in kernel.KNOBS]
