"""The feedback loop along a whole frame, for several samples at once.

Samples are the lanes of the SIMD unit: what is done for one is done for sixteen at the price of little more. A
batch has always ``LANES`` of them, some idle, so that the bits of a sample do not depend on its company. All arrays
are flat; entry k of lane a of something is at ``k * LANES + a``.

The current comes from nodes along the path, `NODE` numbers each: the height at which ln I was expanded, ln I there
less the setpoint, and three derivatives by the height. Between nodes every term is interpolated quadratically in time.
"""

import numpy as np
from numba import njit

from . import INLINED, OPTIONS
from .exponential import exponential
from .hysteresis import change32

LANES = 16
NODE = 5
TRUST = np.float32(1.5)  # furthest from its node that the cubic is believed [Å]; a straight line goes on from there
ZERO, HALF, THIRD, ONE = (np.float32(v) for v in (0, 0.5, 1 / 3, 1))  # doubles would make doubles of all

# Everything that a lane holds is in one array, so that the compiler sees that nothing overlaps. First what is fixed:
# gains are per step, `longest` is the longest move of a step, `preamp` and `amplifier` are low-pass coefficients,
# and the piezo is at origin + gain (output - origin) - span lag.
KNOBS = (
    "start", "kp", "ki", "kd", "longest", "lowest", "highest", "preamp", "amplifier",
    "origin", "gain", "span", "pace", "a", "beta", "gamma", "share", "floor",
)  # fmt: skip
START, KP, KI, KD, LONGEST, LOWEST, HIGHEST, PREAMP, AMPLIFIER = (k * LANES for k in range(9))
ORIGIN, GAIN, SPAN, PACE, A, BETA, GAMMA, SHARE, FLOOR = (k * LANES for k in range(9, len(KNOBS)))
# Then what is remembered from step to step: the drive, what its amplifier makes of it, and where the piezo is [Å], the
# hysteretic part of the normalised displacement, what creep adds [Å], the filtered reading, the last error, their
# integral [Å]. Then the node, how its terms change in time, the error, and the sum of those of late.
DRIVE, OUTPUT, PLACE, LAG, CREEP, READING, LAST, INTEGRAL, NEAR = (k * LANES for k in range(18, 27))
RATE, BEND, SLOPE_RATE, SLOPE_BEND, ERROR, SUM = (NEAR + k * LANES for k in range(NODE, NODE + 6))
SIZE = SUM + LANES


@njit(**INLINED)
def clip(value, low, high):
    """Keep a number within limits, without a branch."""
    return min(max(value, low), high)


@njit(**INLINED)
def taylor(d, value, a, b, c):
    """Cubic value + a d + b d^2/2 + c d^3/6 up to ``TRUST``, and a falling straight line beyond."""
    near = clip(d, -TRUST, TRUST)
    slope = a + near * (b + HALF * near * c)
    slope = slope if slope < HALF * a else HALF * a
    return value + near * (a + HALF * near * (b + THIRD * near * c)) + (d - near) * slope


@njit(**INLINED)
def look(nodes, node, k, z):
    """Value and slope by the height of a node's ln I at a height z."""
    d = clip(z - nodes[node + k], -TRUST, TRUST)
    a, b, c = nodes[node + 2 * LANES + k], nodes[node + 3 * LANES + k], nodes[node + 4 * LANES + k]
    return nodes[node + LANES + k] + d * (a + HALF * d * (b + THIRD * d * c)), a + d * (b + HALF * d * c)


@njit(**INLINED)
def interpolate(nodes, n, lane):
    """Copy node n, and fit a parabola in time through value and slope of its neighbours, seen from its height."""
    size = NODE * LANES
    for k in range(size):
        lane[NEAR + k] = nodes[n * size + k]
    for k in range(LANES):
        left, left_slope = look(nodes, (n - 1) * size, k, lane[NEAR + k])
        right, right_slope = look(nodes, (n + 1) * size, k, lane[NEAR + k])
        lane[RATE + k] = HALF * (right - left)
        lane[BEND + k] = HALF * (right + left) - lane[NEAR + LANES + k]
        lane[SLOPE_RATE + k] = HALF * (right_slope - left_slope)
        lane[SLOPE_BEND + k] = HALF * (right_slope + left_slope) - lane[NEAR + 2 * LANES + k]


@njit(**INLINED)
def read(lane, t, lift, noise, row):
    """Read ln I at a time t of -1/2 to 1/2 within a node."""
    for k in range(LANES):
        gap = lane[PLACE + k] + lift[row + k]
        gap = lane[FLOOR + k] if gap < lane[FLOOR + k] else gap
        value = lane[NEAR + LANES + k] + t * (lane[RATE + k] + t * lane[BEND + k])
        slope = lane[NEAR + 2 * LANES + k] + t * (lane[SLOPE_RATE + k] + t * lane[SLOPE_BEND + k])
        b, c = lane[NEAR + 3 * LANES + k], lane[NEAR + 4 * LANES + k]
        lane[ERROR + k] = taylor(gap - lane[NEAR + k], value, slope, b, c) + noise[row + k]


@njit(**INLINED)
def amplify(lane, linear, filtered, first):
    """Take ln I through the preamplifier: from its logarithm to itself, and through a low-pass filter."""
    if linear:
        for k in range(LANES):
            lane[ERROR + k] = exponential(lane[ERROR + k]) - ONE
    if first:
        for k in range(LANES):
            lane[READING + k] = lane[ERROR + k]
            lane[LAST + k] = lane[ERROR + k]
    if filtered:
        for k in range(LANES):
            lane[READING + k] += lane[PREAMP + k] * (lane[ERROR + k] - lane[READING + k])
            lane[ERROR + k] = lane[READING + k]


@njit(**INLINED)
def record(lane, n, row, lift, share, drive, error, true):
    """Add a share of what is seen in a step to the means of its node."""
    for k in range(LANES):
        drive[n * LANES + k] += share * lane[DRIVE + k]
        error[n * LANES + k] += share * lane[ERROR + k]
        true[n * LANES + k] += share * (lane[PLACE + k] + lift[row + k])


@njit(**INLINED)
def late(lane, i, delay, past):
    """Exchange the errors of step i for those of ``delay`` steps before; before the start they were the first."""
    if i == 0:
        for j in range(past.size):
            past[j] = lane[ERROR + j % LANES]
    now, then = (i % (delay + 1)) * LANES, ((i + 1) % (delay + 1)) * LANES
    for k in range(LANES):
        past[now + k] = lane[ERROR + k]
    for k in range(LANES):
        lane[ERROR + k] = past[then + k]


@njit(**INLINED)
def total(lane, i, window, recent):
    """Add up the last ``window`` errors, that of step i included."""
    for k in range(LANES):
        recent[(i % window) * LANES + k] = lane[ERROR + k]
        lane[SUM + k] = ZERO
    for j in range(window):
        for k in range(LANES):
            lane[SUM + k] += recent[j * LANES + k]


@njit(**INLINED)
def control(lane):
    """Answer the error with a move of the drive, in the form position."""
    for k in range(LANES):
        lane[INTEGRAL + k] += lane[KI + k] * lane[ERROR + k]
        swift = lane[KP + k] * lane[ERROR + k] + lane[KD + k] * (lane[ERROR + k] - lane[LAST + k])
        lane[LAST + k] = lane[ERROR + k]
        step = clip(lane[INTEGRAL + k] - lane[DRIVE + k] + swift, -lane[LONGEST + k], lane[LONGEST + k])
        drive = clip(lane[DRIVE + k] + step, lane[LOWEST + k], lane[HIGHEST + k])
        lane[DRIVE + k] = drive
        lane[PLACE + k] = drive


@njit(**INLINED)
def increment(lane):
    """Answer the error with a move of the drive, in the form increment."""
    for k in range(LANES):
        swift = lane[KP + k] * lane[ERROR + k] + lane[KD + k] * (lane[ERROR + k] - lane[LAST + k])
        lane[LAST + k] = lane[ERROR + k]
        step = clip(lane[KI + k] * lane[SUM + k] + swift, -lane[LONGEST + k], lane[LONGEST + k])
        drive = clip(lane[DRIVE + k] + step, lane[LOWEST + k], lane[HIGHEST + k])
        lane[DRIVE + k] = drive
        lane[PLACE + k] = drive


@njit(**INLINED)
def actuate(lane, slow, bent, creeping):
    """Move the piezo, which is where the drive says, as its amplifier, hysteresis and creep let it."""
    if slow:
        for k in range(LANES):
            late = lane[OUTPUT + k] + lane[AMPLIFIER + k] * (lane[PLACE + k] - lane[OUTPUT + k])
            lane[PLACE + k] = lane[PLACE + k] if lane[AMPLIFIER + k] >= ONE else late
    if bent:
        for k in range(LANES):
            by = lane[PACE + k] * (lane[PLACE + k] - lane[OUTPUT + k])
            more = change32(lane[LAG + k], by, lane[A + k], lane[BETA + k], lane[GAMMA + k])
            lane[LAG + k] += more if lane[A + k] > ZERO else ZERO
    for k in range(LANES):
        lane[OUTPUT + k] = lane[PLACE + k]
    if bent:
        for k in range(LANES):
            longer = lane[GAIN + k] * (lane[OUTPUT + k] - lane[ORIGIN + k])
            lane[PLACE + k] = lane[PLACE + k] + (longer - lane[SPAN + k] * lane[LAG + k])
    if creeping:
        for k in range(LANES):
            lane[PLACE + k] += lane[CREEP + k]


@njit(**INLINED)
def creep(lane, shares, paces, memory):
    """Let every relaxation of the z piezo go on for the time of a node, and add up how far they have come."""
    for k in range(LANES):
        lane[CREEP + k] = ZERO
    for j in range(shares.size):
        for k in range(LANES):
            memory[j * LANES + k] += paces[j] * (lane[OUTPUT + k] - lane[START + k] - memory[j * LANES + k])
        for k in range(LANES):
            lane[CREEP + k] += lane[SHARE + k] * shares[j] * memory[j * LANES + k]


def begin(knobs, relaxations, delay, window):
    """State of the lanes before the first step: all that `loop` remembers from one call to the next."""
    lane = np.zeros(SIZE, np.float32)
    lane[: knobs.size] = knobs
    for start in (DRIVE, OUTPUT, PLACE, INTEGRAL):
        lane[start : start + LANES] = knobs[START : START + LANES]
    return lane, *(np.zeros(n * LANES, np.float32) for n in (relaxations, delay + 1, window))


@njit(**OPTIONS)
def loop(nodes, lift, noise, lane, memory, past, recent, shares, paces, position, linear, done, drive, error, true):
    """Run the loop along nodes, with several steps for each; record the mean of each node.

    Parameters
    ----------
    nodes : ((N + 2) * NODE * LANES,) array
        What the current is along the path, with one node before and one behind it.
    lift, noise : (N * steps * LANES,) arrays
        What is added to the height of the piezo [Å], and to ln I.
    lane, memory, past, recent : arrays
        From `begin`; changed. Their sizes say by how many steps readings come late, and how many are added up.
    shares, paces : (K,) arrays
        Of each relaxation of the z piezo: its share, and the part of it that the time of a node completes. Empty: none.
    position, linear : bool
        Form of the controller and kind of its error.
    done : int
        Steps done before.
    drive, error, true : (N * LANES,) arrays
        Added to: the recorded height [Å], the error as the controller saw it, and the height of the tip [Å].
    """
    filtered, slow = lane[PREAMP : PREAMP + LANES].min() < 1, lane[AMPLIFIER : AMPLIFIER + LANES].min() < 1
    bent, creeping, steps = lane[A : A + LANES].max() > 0, shares.size > 0, lift.size // drive.size
    delay, window = past.size // LANES - 1, recent.size // LANES
    if done == 0:
        actuate(lane, slow, bent, False)
    for n in range(drive.size // LANES):
        interpolate(nodes, n + 1, lane)
        creep(lane, shares, paces, memory)
        for s in range(steps):
            row, i = n * steps + s, done + n * steps + s
            read(lane, np.float32((s + 0.5) / steps - 0.5), lift, noise, row * LANES)
            amplify(lane, linear, filtered, i == 0)
            record(lane, n, row * LANES, lift, np.float32(1 / steps), drive, error, true)
            if delay:
                late(lane, i, delay, past)
            if position:
                control(lane)
            else:
                total(lane, i, window, recent)
                increment(lane)
            if slow or bent or creeping:
                actuate(lane, slow, bent, creeping)
