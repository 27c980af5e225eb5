"""Taking the background of an image away: planes, and lines one by one."""

import numpy as np

METHODS = ("plane", "robust", "line", "line-fit")


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
