"""One student's experiment: the truth, and the record of it that the student gets."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..junction import Junction, kappa
from ..microscope import simulate
from ..parameters import Parameters, stream
from ..scan import Scan
from ..structures import wse2
from ..structures.tips import tip_named

STEPS = np.linspace(0.0, 6.0, 241)  # Å, retraction of a current-distance curve


@dataclass(frozen=True)
class Curve:
    """Current against the retraction of the tip.

    Parameters
    ----------
    z : ndarray, (K,)
        Retraction [Å].
    current : ndarray, (K,)
        As the amplifier shows it [pA].
    """

    z: np.ndarray
    current: np.ndarray


@dataclass(frozen=True)
class Case:
    """What a student gets, and what the instructor knows.

    Parameters
    ----------
    parameters : Parameters
        Drawn for this student.
    record : Scan or Curve
        What an instrument would have stored; all of it, and no more, goes to the student.
    scan : Scan, optional
        The simulation with its truth.
    log_current : ndarray, (K,), optional
        Without offset and noise, of a curve.
    offset : float
        Of the amplifier [pA].
    """

    parameters: Parameters
    record: Scan | Curve
    scan: Scan | None = None
    log_current: np.ndarray | None = None
    offset: float = 0.0


def case(assignment, seed):
    """Work a student's experiment out: a pure function of assignment and seed.

    Parameters
    ----------
    assignment : Assignment
        What is to be done.
    seed : int
        Of the student; see `stmlab.course.seed`.

    Returns
    -------
    Case
    """
    p = assignment.study.draw(seed)
    if assignment.kind == "curve":
        return _curve(p, seed)
    scan = simulate(p, seed=seed)
    return Case(p, recorded(scan, assignment.nominal), scan)


def recorded(scan, nominal):
    """Return of a simulated scan what an instrument stores: frame, both passes and bias.

    Parameters
    ----------
    scan : Scan
        With its truth.
    nominal : dict
        What the instrument believes of its raster.

    Returns
    -------
    Scan
        New; nothing that is not named here gets into it.
    """
    meta = {"bias": scan.meta["bias"]}
    return Scan(replace(scan.raster, **nominal), scan.height.copy(), current=scan.current.copy(), meta=meta)


def _curve(p, seed):
    r"""Current-distance curve above an atom: :math:`I = I_0\, e^{\ln I(z) - \ln I(0)} (1 + n) + o + w`."""
    rng = stream(seed, 0, "current-distance")
    sheet, apex = wse2((13, 13)).positions, tip_named(p.tip.apex).positions
    junction = Junction(sheet, apex, np.ones((len(sheet), len(apex))), kappa(p.junction.work_function))
    top = sheet[sheet[:, 2] > -0.1]
    x, y = top[np.argmin(np.linalg.norm(top[:, :2] - top[:, :2].mean(axis=0), axis=1)), :2]
    log = junction.log_current(x, y, p.junction.height + STEPS)
    offset = rng.uniform(1.0, 4.0) * rng.choice([-1, 1])
    noise = 1 + p.noise.current * rng.standard_normal(STEPS.size)
    white = 0.05 * rng.standard_normal(STEPS.size)  # pA
    current = p.junction.current * np.exp(log - log[0]) * noise + offset + white
    return Case(p, Curve(STEPS, current), log_current=log, offset=offset)
