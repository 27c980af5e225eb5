"""How the corrugation of any junction decays with the height."""

from __future__ import annotations

import numpy as np


def corrugation(junction, cell, heights, points=16):
    r"""Mean current over a cell, and the first Fourier component of its corrugation, against height.

    .. math:: I_G = \frac{1}{A} \int I(r)\, e^{-i G \cdot r}\, d^2 r

    Parameters
    ----------
    junction : TersoffHamann or Junction
        Anything with ``log_current``.
    cell : (2, 2) or (3, 3) array
        Cell vectors in rows [Å].
    heights : (H,) array
        Of the tip's origin [Å].
    points : int
        Along each cell vector.

    Returns
    -------
    log_mean : ndarray, (H,)
        ln I_0.
    relative : ndarray, (H,)
        :math:`|I_G| / I_0` of the first reciprocal vector; on a lattice with threefold symmetry, of all six.
    """
    u, v = np.meshgrid(*[np.arange(points) / points] * 2, indexing="ij")
    xy = np.stack([u, v], -1) @ np.asarray(cell, float)[:2, :2]
    value = junction.log_current(xy[..., 0, None], xy[..., 1, None], np.asarray(heights, float))
    largest = value.max(axis=(0, 1))
    part = np.fft.fft2(np.exp(value - largest), axes=(0, 1)) / points**2
    return largest + np.log(part[0, 0].real), np.abs(part[1, 0]) / part[0, 0].real
