"""What disturbs the measurement besides the scanner, as functions of time.

Every random function takes its own generator and draws the same numbers for every amplitude: to turn one
disturbance up, or off, leaves the shape of all of them as it was.
"""

from __future__ import annotations

import numpy as np
from scipy.constants import Boltzmann, elementary_charge
from scipy.fft import irfft, next_fast_len, rfftfreq

# ---- how large: noise currents from physical parameters ------------------------------------------------


def johnson(resistance, temperature):
    r"""Noise current of a resistor: Johnson measured it, Nyquist derived it.

    .. math:: i_\mathrm{n} = \sqrt{4 k_\mathrm{B} T / R}

    Parameters
    ----------
    resistance : float or array
        R of the feedback resistor of the preamplifier [Ohm]; infinite for none.
    temperature : float or array
        T of that resistor, which need not be that of the tip [K].

    Returns
    -------
    float or ndarray
        Amplitude density, one-sided and the same at all frequencies [A/sqrt(Hz)].

    References
    ----------
    H. Nyquist, Phys. Rev. 32, 110 (1928), doi:10.1103/PhysRev.32.110.
    """
    return np.sqrt(4 * Boltzmann * temperature / resistance)


def shot(current):
    r"""Noise of a current whose electrons arrive one by one, independently of each other.

    .. math:: i_\mathrm{n} = \sqrt{2 e |I|}

    Parameters
    ----------
    current : float or array
        Mean current I [A].

    Returns
    -------
    float or ndarray
        Amplitude density, one-sided and the same at all frequencies [A/sqrt(Hz)].
    """
    return np.sqrt(2 * elementary_charge * np.abs(current))


def relative_rms(current, resistance, temperature, bandwidth):
    r"""Electronic noise as a share of the current, which is its rms in units of ln I.

    .. math:: \delta \ln I = \frac{\delta I}{I} = \frac{1}{|I|} \sqrt{(4 k_\mathrm{B} T / R + 2 e |I|)\, B}

    Parameters
    ----------
    current : float or array
        Mean current I, not 0 [A].
    resistance, temperature : float or array
        Of the preamplifier's feedback resistor; see `johnson` [Ohm, K].
    bandwidth : float or array
        B of an amplifier that cuts sharply; a first-order low-pass of corner f passes the noise of
        :math:`B = \pi f / 2` [Hz].
    """
    density = np.hypot(johnson(resistance, temperature), shot(current))
    return density * np.sqrt(bandwidth) / np.abs(current)


# ---- what it looks like in time -------------------------------------------------------------------------


def white(rng, size, rms):
    """Gaussian noise without memory.

    Parameters
    ----------
    rng : numpy.random.Generator
        Its own stream.
    size : int or tuple
        Readings.
    rms : float
        Standard deviation, in the units of the signal.
    """
    return rms * rng.standard_normal(size)


def flicker(rng, count, dt, rms, exponent):
    r"""Gaussian noise whose power grows towards low frequencies, the 1/f noise.

    .. math:: S(f) = C f^{-\alpha}, \qquad \int_{1/T}^{1/2\,\mathrm{d}t} S\, \mathrm{d}f = \mathrm{rms}^2

    Each Fourier component of a record of length T gets a random phase and, on average, this power. There is none
    at f = 0: what is slower than the record is drift, and belongs to the scanner.

    Parameters
    ----------
    rng : numpy.random.Generator
        Its own stream.
    count : int
        Readings N.
    dt : float
        Time between them [s]. It says where on the axis of frequencies the noise lies; since the rms is given,
        the values themselves do not depend on it.
    rms : float
        Standard deviation on average over many records, in the units of the signal.
    exponent : float
        alpha; 0 is white, 1 the classic 1/f, 2 a random walk.

    Returns
    -------
    ndarray, (N,)
        The record; within a few readings it closes on itself.
    """
    length = next_fast_len(count + 2, real=True)  # two more, so that at least one frequency is left
    inside = slice(1, (length + 1) // 2)  # without 0 and without Nyquist's
    frequency = rfftfreq(length, dt)
    amplitude = np.zeros(frequency.size, np.float32)  # single precision: half the time, an error of 1e-7 rms
    amplitude[inside] = (frequency[inside] / frequency[1]) ** (-exponent / 2)
    spectrum = rng.standard_normal(2 * frequency.size, np.float32).view(np.complex64)
    spectrum *= amplitude * (length / 2 / np.sqrt(np.sum(amplitude**2)))
    return rms * irfft(spectrum, length, overwrite_x=True)[:count].astype(float)


def hum(time, amplitude, frequency, phase, harmonics):
    r"""Mains hum with two harmonics. Its phase runs on from line to line.

    .. math:: h(t) = A \sum_{n=1}^{3} q^{n-1} \sin(n \psi), \qquad \psi = 2 \pi f t + \phi

    Parameters
    ----------
    time : array
        Since the start of the frame [s].
    amplitude : float
        A of the fundamental, in the units of the signal.
    frequency : float
        f of the fundamental [Hz].
    phase : float
        phi at t = 0 [rad].
    harmonics : float
        q, the size of each harmonic as a share of the one before it.

    Returns
    -------
    ndarray, the shape of the time
    """
    psi = 2 * np.pi * frequency * np.asarray(time, float) + phase
    s, c = np.sin(psi), np.cos(psi)
    # sin 2 psi = 2 s c and sin 3 psi = s (4 c^2 - 1): a third of the time that three sines take
    return amplitude * s * (1 - harmonics**2 + c * (2 * harmonics + 4 * harmonics**2 * c))


def line_offsets(rng, lines, rms):
    """Steps of the height from line to line: Gaussian, one number for each line and independent of the last.

    Parameters
    ----------
    rng : numpy.random.Generator
        Its own stream.
    lines : int
        Lines L.
    rms : float
        Standard deviation, in the units of the signal.

    Returns
    -------
    ndarray, (L,)
    """
    return white(rng, lines, rms)


def telegraph(rng, time, amplitude, rate):
    r"""Random telegraph noise: a signal that jumps between two levels, like an atom that sits here or there.

    It starts at 0 and switches at random times, on average `rate` of them in a second. Its spectrum is flat up to
    a corner at :math:`\lambda / \pi` and falls as :math:`1/f^2` above it:

    .. math:: S(f) = \frac{A^2}{2 \lambda} \frac{1}{1 + (\pi f / \lambda)^2}

    Parameters
    ----------
    rng : numpy.random.Generator
        Its own stream.
    time : array
        Since the start of the frame [s].
    amplitude : float
        A, the distance of the levels, in the units of the signal.
    rate : float
        lambda, switches per second, the same up and down [1/s].

    Returns
    -------
    ndarray, the shape of the time
        0 or A.

    References
    ----------
    S. Machlup, J. Appl. Phys. 25, 341 (1954), doi:10.1063/1.1721637.
    """
    switches = arrivals(rng, np.max(time), rate)
    return amplitude * (np.searchsorted(switches, time, side="right") % 2)


def spells(rng, time, number, share):
    r"""Whether it is restless: spells of unrest come and go, as in a laboratory with a lift or a street outside.

    Spells and the calm between them last an exponentially distributed while, on average
    :math:`s T / n` and :math:`(1 - s) T / n`; the first may have begun before the frame.

    Parameters
    ----------
    rng : numpy.random.Generator
        Its own stream.
    time : array
        Since the start of the frame [s]; T is the last of them.
    number : float
        n, mean number of spells that begin during the frame.
    share : float
        s, share of the time that is restless, in (0, 1].

    Returns
    -------
    ndarray of bool, the shape of the time
    """
    end, restless = np.max(time), rng.random() < share
    if share == 1:
        return np.ones(np.shape(time), bool)
    lasting, switches = (share * end / number, (1 - share) * end / number), [0.0]
    while switches[-1] < end:
        switches.append(switches[-1] + rng.exponential(lasting[(len(switches) % 2 == 1) != restless]))
    past = np.searchsorted(switches[1:], time, side="right")
    return (past % 2 == 0) == restless


def arrivals(rng, duration, rate):
    """Times of events that know nothing of each other: a Poisson process.

    Parameters
    ----------
    rng : numpy.random.Generator
        Its own stream.
    duration : float
        Events fall between 0 and this [s].
    rate : float
        Their mean number per second [1/s].

    Returns
    -------
    ndarray, (n,)
        Times in rising order [s]; n is drawn first.
    """
    return np.sort(rng.uniform(0.0, duration, rng.poisson(rate * duration)))


def spikes(time, arrivals, height, decay):
    r"""Sudden jumps that die away, such as molecules that cross the junction.

    .. math:: s(t) = h \sum_{T_k \le t} e^{-(t - T_k) / \tau}

    Parameters
    ----------
    time : array
        Since the start of the frame [s].
    arrivals : (n,) array
        T, in rising order [s]; see `arrivals`.
    height : float
        h of each, in the units of the signal.
    decay : float
        tau, greater than 0 [s]. A spike shorter than the time between readings may fall between two of them.

    Returns
    -------
    ndarray, the shape of the time
    """
    # ln sum exp(T_k / tau) over the spikes so far, as a running sum of logarithms: the terms alone would overflow
    so_far = np.logaddexp.accumulate(np.append(-np.inf, np.asarray(arrivals, float) / decay))
    return height * np.exp(so_far[np.searchsorted(arrivals, time, side="right")] - np.asarray(time, float) / decay)
