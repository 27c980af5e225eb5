"""Reading the lattice off an image's Fourier transform."""

import numpy as np
from scipy.ndimage import maximum_filter
from scipy.optimize import minimize

from .levelling import level

CANDIDATES = 12  # strongest peaks, and their opposites, among which a lattice is sought


def lattice_vectors(image, pixel_size, guess=None):
    r"""Measure the two shortest lattice vectors of an image.

    The first-order Bragg peaks :math:`q_1, q_2` maximise

    .. math:: \left|\sum_{jk} w_{jk}\, z_{jk}\, e^{-2 \pi i\, q \cdot r_{jk}}\right|

    with w a Hann window; this resolves far finer than the grid of the FFT that finds them. The lattice is
    :math:`(a_1, a_2) = ((q_1, q_2)^T)^{-1}`, reduced to its shortest vectors.

    Parameters
    ----------
    image : ndarray, (L, P)
        Heights, row 0 at the bottom (see `stmlab.io.picture`); NaN counts as the mean.
    pixel_size : float or (float, float)
        Distance between pixels along the columns (x) and the rows (y) [Å].
    guess : float, optional
        Expected constant of a hexagonal lattice [Å]: only peaks between 0.75 and 1.35 times
        2 / (sqrt(3) guess) are considered. Without it the strongest peaks win that are not at the centre.

    Returns
    -------
    ndarray, (2, 2)
        Rows a1 and a2 [Å]: a1 nearest to +x, a2 counter-clockwise from it.

    Raises
    ------
    ValueError
        If the image is too small or flat, or shows no two peaks in different directions.
    """
    image = np.asarray(image, dtype=float)
    if image.ndim != 2 or min(image.shape) < 16 or not np.isfinite(image).any():
        raise ValueError(f"an image of shape {image.shape} shows no lattice; give 16 x 16 pixels or more")
    step = np.broadcast_to(np.asarray(pixel_size, dtype=float), 2)
    if not (np.isfinite(step).all() and (step > 0).all()):
        raise ValueError(f"pixel_size = {pixel_size} Å must be finite and greater than 0")
    flat = level(image)
    window = np.outer(*map(np.hanning, image.shape))
    windowed = window * np.where(np.isfinite(flat), flat, 0.0)
    first, second = _two_peaks(windowed, step, guess)
    peaks = np.array([_refine(windowed, step, q) for q in (first, second)])
    return _shortest(np.linalg.inv(peaks).T)


def _two_peaks(windowed, step, guess):
    """Return the best two Bragg peaks in different directions, each (x, y) [1/Å], on the FFT's grid.

    With a guess the lattice is hexagonal: the two lie about 60 degrees apart and their difference counts too.
    """
    lines, pixels = windowed.shape
    size = step * (pixels, lines)
    strength = np.abs(np.fft.fft2(windowed))
    qx, qy = np.meshgrid(np.fft.fftfreq(pixels, step[0]), np.fft.fftfreq(lines, step[1]))
    if guess is None:  # defects and drift fill the centre, where no lattice of more than four periods peaks
        allowed = np.hypot(qx * size[0], qy * size[1]) > 4
    else:
        allowed = np.abs(np.hypot(qx, qy) * guess * np.sqrt(3) / 2 - 1.05) < 0.3
    peak = allowed & (strength == maximum_filter(strength, 5, mode="wrap")) & (strength > 0)
    q = np.column_stack([qx[peak], qy[peak]])[np.argsort(strength[peak])[: -2 * CANDIDATES - 1 : -1]]
    near = maximum_filter(strength, 3, mode="wrap")
    pairs = [(_score(a, b, near, size, guess), a, b) for a in q for b in q if _apart(a, b, guess)]
    if not pairs:
        raise ValueError("the image shows no lattice: its Fourier transform lacks two peaks that span one")
    return max(pairs, key=lambda pair: pair[0])[1:]


def _apart(a, b, guess):
    """Tell whether two peaks can span a lattice: 30 to 150 degrees apart, 45 to 75 with a guess."""
    cosine = a @ b / np.sqrt((a @ a) * (b @ b))
    return 0.259 < cosine < 0.707 if guess else abs(cosine) < 0.866


def _score(a, b, strength, size, guess):
    """Return the sum of the strengths at the peaks: a, b, and a - b with a guess."""
    columns, rows = np.rint(np.array([a, b, a - b] if guess else [a, b]) * size).astype(int).T
    return strength[rows % strength.shape[0], columns % strength.shape[1]].sum()


def _refine(windowed, step, start):
    """Return the q near `start` at which the Fourier sum of the windowed image is largest [1/Å]."""
    x, y = (np.arange(n) * d for n, d in zip(windowed.shape[::-1], step, strict=True))
    bin_ = 1 / np.array([x[-1], y[-1]])
    values = windowed.astype(complex)

    def weakness(offset):
        qx, qy = start + offset * bin_
        lines = np.einsum("ij,j->i", values, np.exp(-2j * np.pi * qx * x))  # not @: its threads cost more
        return -abs(np.sum(lines * np.exp(-2j * np.pi * qy * y)))

    scale = -weakness(np.zeros(2))
    simplex = [[0.0, 0.0], [0.3, 0.0], [0.0, 0.3]]
    found = minimize(lambda p: weakness(p) / scale, [0.0, 0.0], method="Nelder-Mead",
                     options={"xatol": 1e-5, "fatol": 1e-9, "initial_simplex": simplex})  # fmt: skip
    return start + found.x * bin_


def _shortest(vectors):
    """Return Gauss's reduced basis, the first vector nearest to +x and the second counter-clockwise of it."""
    a, b = sorted(vectors, key=np.linalg.norm)
    while np.linalg.norm(c := b - np.rint(a @ b / (a @ a)) * a) < np.linalg.norm(b) * (1 - 1e-9):
        a, b = sorted((a, c), key=np.linalg.norm)
    b = b if a @ b >= 0 else -b
    third = [b - a] if np.linalg.norm(b - a) < 1.3 * np.linalg.norm(a) else []  # hexagonal: six short ones
    star = sorted((s * v for v in (a, b, *third) for s in (1, -1)), key=lambda v: np.arctan2(v[1], v[0]))
    first = min(range(len(star)), key=lambda k: abs(np.arctan2(star[k][1], star[k][0])))
    return np.array([star[first], star[(first + 1) % len(star)]])
