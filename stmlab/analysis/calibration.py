"""Setting an image straight by its own lattice: one linear map for the whole frame."""

import numpy as np
from scipy.ndimage import map_coordinates

WRONG = 1.35  # a lattice longer or shorter than this along any direction is another lattice


def lattice_correction(measured, known, fast=(1.0, 0.0)):
    r"""The linear map from an image's coordinates to the sample's that makes its lattice the known one.

    .. math:: M a'_k = a_k

    for the measured vectors :math:`a'` and the known ones :math:`a`. Of a hexagonal lattice whose constant is
    known and whose orientation is not, M is chosen that keeps the direction of the fast axis: along a line no time
    passes, almost, so that drift does not turn it.

    Parameters
    ----------
    measured : (2, 2) array
        Lattice vectors in the image, rows, as `lattice_vectors` returns them [Å].
    known : float or (2, 2) array
        Constant of a hexagonal lattice, or its vectors on the sample, rows [Å].
    fast : (2,) array
        Direction of the fast axis, used with a constant.

    Returns
    -------
    ndarray, (2, 2)
        M. Both lattices and M are in the same axes.

    Raises
    ------
    ValueError
        If the vectors do not span a lattice, or the measured lattice is no distortion of the known one.
    """
    measured, known = np.asarray(measured, dtype=float), np.asarray(known, dtype=float)
    if measured.shape != (2, 2) or not np.isfinite(measured).all() or abs(np.linalg.det(measured)) < 1e-12:
        raise ValueError(f"measured lattice vectors {measured.tolist()} Å must be two that span a lattice")
    if known.ndim == 0:
        correction = _hexagonal(measured, float(known), np.asarray(fast, dtype=float))
    else:
        correction = _oriented(measured, known)
    stretch = np.linalg.svd(correction, compute_uv=False)
    if not (1 / WRONG < stretch[1] <= stretch[0] < WRONG):
        raise ValueError(f"the image would have to be stretched by {stretch[0]:.3g} and {stretch[1]:.3g}; "
                         f"that is another lattice than the known one: check {known.tolist()} Å")  # fmt: skip
    return correction


def _hexagonal(measured, constant, fast):
    if not (np.isfinite(constant) and constant > 0):
        raise ValueError(f"known lattice constant = {constant} Å must be finite and greater than 0")
    obtuse = measured[0] @ measured[1] < 0
    second = measured[1] + measured[0] if obtuse else measured[1]  # 60 degrees apart, not 120
    handed = np.sign(np.linalg.det(measured))
    ideal = constant * np.array([[1.0, 0.0], [0.5, handed * np.sqrt(0.75)]])
    turned = np.linalg.solve(np.array([measured[0], second]), ideal).T
    wanted, found = fast, turned @ fast
    angle = np.arctan2(wanted[1], wanted[0]) - np.arctan2(found[1], found[0])
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s], [s, c]]) @ turned


def _oriented(measured, known):
    if known.shape != (2, 2) or not np.isfinite(known).all() or abs(np.linalg.det(known)) < 1e-12:
        raise ValueError(f"known lattice vectors {known.tolist()} Å must be two that span a lattice")
    which = np.rint(measured @ np.linalg.inv(known))  # the measured pair need not be the one that was named
    if abs(abs(np.linalg.det(which)) - 1) > 0.5:
        raise ValueError(f"the measured lattice {measured.tolist()} Å is not near the known one {known.tolist()} Å")
    return np.linalg.solve(measured, which @ known).T


def correct_points(points, correction, center=(0.0, 0.0)):
    """Move points of an image to where they are on the sample.

    Parameters
    ----------
    points : (..., 2) array
        x and y in the image [Å].
    correction : (2, 2) array
        M of `lattice_correction`.
    center : (2,) array
        Point that stays in place [Å].

    Returns
    -------
    ndarray, (..., 2)
    """
    center = np.asarray(center, dtype=float)
    return (np.asarray(points, dtype=float) - center) @ np.asarray(correction, dtype=float).T + center


def correct_image(image, pixel_size, correction):
    """Resample an image so that its lattice becomes the known one; the centre stays in place.

    Parameters
    ----------
    image : ndarray, (L, P)
        Row 0 at the bottom (see `stmlab.io.picture`). NaN spoils the pixels next to it.
    pixel_size : float or (float, float)
        Distance between pixels along the columns (x) and the rows (y) [Å].
    correction : (2, 2) array
        M of `lattice_correction`, in the axes of the picture.

    Returns
    -------
    ndarray, (L, P)
        Same pixels, linear interpolation, NaN where the image shows nothing.

    Raises
    ------
    ValueError
        If the map cannot be inverted.
    """
    image, correction = np.asarray(image, dtype=float), np.asarray(correction, dtype=float)
    if correction.shape != (2, 2) or not np.isfinite(correction).all() or abs(np.linalg.det(correction)) < 1e-12:
        raise ValueError(f"correction {correction.tolist()} must be a 2 x 2 map that can be inverted")
    step = np.broadcast_to(np.asarray(pixel_size, dtype=float), 2)
    middle = (np.array(image.shape[::-1]) - 1) / 2
    rows, columns = np.indices(image.shape)
    places = np.stack([columns - middle[0], rows - middle[1]], axis=-1) * step
    column, row = np.moveaxis(places @ np.linalg.inv(correction).T / step + middle, -1, 0)
    return map_coordinates(image, [row, column], order=1, cval=np.nan)
