"""What the electronics adds to the signal, as functions of time."""

from __future__ import annotations


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
