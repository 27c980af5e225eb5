"""What one does to a measured image: take the tilt away, and read the lattice off its Fourier transform."""

import numpy as np
from scipy.ndimage import maximum_filter
from scipy.optimize import minimize

METHODS = ("plane", "robust", "line", "line-fit")
CANDIDATES = 12  # strongest peaks, and their opposites, among which a lattice is sought


# ---- levelling ----------------------------------------------------------------------------------------


def level(image, method="plane", mask=None):
    r"""Subtract the background of an image.

    ``plane`` subtracts the :math:`a + b x + c y` of least squares; ``robust`` the plane that minimises
    Tukey's biweight of the residuals, which tall defects do not pull; ``line`` the median of each row;
    ``line-fit`` the straight line of least squares of each row.

    Parameters
    ----------
    image : ndarray, (..., L, P)
        Heights, in any unit. NaN stays NaN and is left out of every fit.
    method : {"plane", "robust", "line", "line-fit"}
        What to subtract.
    mask : ndarray of bool, (L, P), optional
        Pixels to leave out of the fit, such as known defects; they are levelled with the others.

    Returns
    -------
    ndarray, (..., L, P)
        The levelled image; a row or image without a single usable pixel comes back unchanged.

    Raises
    ------
    ValueError
        If the method is unknown or the mask does not fit the image.

    References
    ----------
    A. E. Beaton and J. W. Tukey, Technometrics 16, 147 (1974), doi:10.1080/00401706.1974.10489171.
    """
    image = np.asarray(image, dtype=float)
    if method not in METHODS:
        raise ValueError(f"level method = {method!r} must be one of {', '.join(METHODS)}")
    if mask is not None and np.shape(mask) != image.shape[-2:]:
        raise ValueError(f"level mask has shape {np.shape(mask)}, the image needs {image.shape[-2:]}")
    if image.ndim > 2:
        return np.stack([level(one, method, mask) for one in image])
    known = np.isfinite(image) & (True if mask is None else ~np.asarray(mask, dtype=bool))
    fit = {"plane": _plane, "robust": _robust_plane, "line": _row_medians, "line-fit": _row_lines}[method]
    return image - fit(image, known)


def _plane(image, known):
    """Return the plane of least squares through the known pixels, (L, P)."""
    return _fitted(image, known.astype(float))


def _fitted(image, weight):
    """Return the plane that minimises sum w (z - a - b x - c y)^2, (L, P)."""
    y, x = (np.linspace(-1, 1, n) for n in image.shape)
    basis = np.stack(np.broadcast_arrays(1.0, x, y[:, None]), axis=-1)
    z = np.where(weight > 0, image, 0.0)
    normal = np.einsum("ijk,ijl,ij->kl", basis, basis, weight)
    return basis @ (np.linalg.pinv(normal, hermitian=True) @ np.einsum("ijk,ij,ij->k", basis, weight, z))


def _robust_plane(image, known, cut=4.685, rounds=50):
    """Return Tukey's plane by reweighting: w = (1 - (r / cut sigma)^2)^2, sigma = 1.48 median |r|."""
    plane = _fitted(image, known.astype(float))
    for _ in range(rounds if known.any() else 0):
        residual = np.where(known, image - plane, np.inf)
        sigma = 1.4826 * np.median(np.abs(residual[known]))
        if sigma <= 1e-12 * np.ptp(image[known]):  # half the pixels lie on the plane
            break
        weight = np.clip(1 - (residual / (cut * sigma)) ** 2, 0, None) ** 2
        before, plane = plane, _fitted(image, weight)
        if np.abs(plane - before).max() < 1e-6 * sigma:
            break
    return plane


def _row_medians(image, known):
    rows = [np.median(row[there]) if there.any() else 0.0 for row, there in zip(image, known, strict=True)]
    return np.array(rows)[:, None]


def _row_lines(image, known):
    x = np.linspace(-1, 1, image.shape[1])
    rows = np.zeros(image.shape)
    for row, there, out in zip(image, known, rows, strict=True):
        if there.any():
            degree = min(1, there.sum() - 1)
            out[:] = np.polynomial.Polynomial.fit(x[there], row[there], degree, domain=[-1, 1])(x)
    return rows


# ---- lattice ------------------------------------------------------------------------------------------


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
