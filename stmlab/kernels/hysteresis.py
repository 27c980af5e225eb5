"""The state of a Bouc-Wen element along a drive, by the exact solution for each straight piece of it.

`ramp` has no branches and belongs into a loop over lanes. What it adds to the state keeps its digits however short
the piece is: e^-rx is never formed next to 1, where it would lose them. In single precision that `change` is good to
1e-6 of itself. Adding it up rounds h: by 1e-5 of the range at worst in 100 000 steps, all of them alike, and by less
than 1e-7 if what each sum has lost is subtracted from the next `change`.
"""

import numpy as np
from numba import njit, types
from numba.extending import overload

from . import EXACT
from .exponential import expm1, log1p

_INLINED = {"error_model": "numpy", "inline": "always"}


def _compiled(real):
    """The exact ramp with all its constants in one precision, lest single becomes double."""
    zero, one, nearly = real(0), real(1), np.finfo(real).eps - real(1)
    tiny = real(1e-20) if real is np.float64 else real(1e-9)  # its square is still a normal number, or all would crawl

    @njit(**_INLINED)
    def apart(x):
        """Keep a number away from zero by which something will be divided."""
        return x if abs(x) > tiny else tiny

    @njit(error_model="numpy", fastmath=False)  # said aloud: left open, it would follow whoever calls it first
    def change(h, dv, a, beta, gamma):
        sign = one if dv >= zero else -one
        u, way, above, below = sign * h, sign * dv, apart(beta + gamma), apart(beta - gamma)
        # the way to u = 0 from below; of |h| rather than u, for then it need not wait for dv
        z = below * abs(h) * (one / max(a, tiny))
        reach = log1p(max(z, nearly)) * (one / below)
        under = (u < zero) & ((way <= reach) | (z <= -one))
        crosses = (u < zero) & (way > reach) & (z > -one)
        start, left = (zero, way - reach) if crosses else (u, way)
        r, inverse = (below, one / below) if under else (above, one / above)
        return sign * (start - u - (a - r * start) * expm1(-r * left) * inverse)

    return change


change32, change64 = _compiled(np.float32), _compiled(np.float64)


def change(h, dv, a, beta, gamma):
    """What a straight piece of drive adds to the state, in the precision of h; all five are of one type."""
    return change64.py_func(h, dv, a, beta, gamma)


@overload(change, inline="always")
def _change(h, dv, a, beta, gamma):
    if h == types.float32:
        return lambda h, dv, a, beta, gamma: change32(h, dv, a, beta, gamma)
    return lambda h, dv, a, beta, gamma: change64(h, dv, a, beta, gamma)


@njit(**_INLINED)
def ramp(h, dv, a, beta, gamma):
    """State after a straight piece dv of the drive."""
    return h + change(h, dv, a, beta, gamma)


@njit(**EXACT)
def follow(drive, h, a, beta, gamma, states):
    """Fill ``states`` (N,) along the ``drive`` (N,), from h at its first point."""
    states[0] = h
    for i in range(1, len(drive)):
        states[i] = ramp(states[i - 1], drive[i] - drive[i - 1], a, beta, gamma)


@njit(**EXACT)
def drive(displacement, h, a, beta, gamma, slope, drives):
    """Fill ``drives`` (N,) with v such that v - h is the ``displacement`` (N,).

    v - h rises with v, at least with ``slope``. From one sample to the next, Newton's method finds dv within a
    bracket that only shrinks.
    """
    drives[0] = displacement[0] + h
    for i in range(1, len(displacement)):
        x = displacement[i] - displacement[i - 1]
        near, far = (0.0, x / slope) if x > 0 else (x / slope, 0.0)
        dv, more = x, 0.0
        for _ in range(60):
            more = change(h, dv, a, beta, gamma)
            miss = dv - more - x
            if miss > 0:
                far = dv
            else:
                near = dv
            u = h + more if dv > 0 else -(h + more)
            r = beta + gamma if u > 0 else beta - gamma
            new = dv - miss / (1.0 - a + r * u)
            if not near <= new <= far:
                new = (near + far) / 2
            if abs(new - dv) <= 4e-16 * abs(x):
                break
            dv = new
        h += more
        drives[i] = displacement[i] + h
