"""Shapes of the surface that no band model gives: undulation, clusters of adsorbates, halos with a spotted core.

They are phenomenological: profiles that look like what is seen in published images of WSe2, put below the sheet as
heights. What the clusters consist of, and why halos are spotted, they do not say.
"""

from __future__ import annotations

import numpy as np

from .parameters import stream

WAVES = 16  # of which the undulation is made
EDGE = 10.0  # Å; features this far outside the frame are drawn, too
REACH = 5.0  # standard deviations after which a profile is cut off
CORE = 0.55  # width of a spotted core in parts of that of its halo
DARK = -2.0, 0.7  # height and width of a dark halo in parts of those of a bright one


def waves(rng, length):
    """Draw wave vectors (W, 2) [1/Å], normal about 0, and phases (W,) of an undulation of correlation length [Å]."""
    return rng.standard_normal((WAVES, 2)) / length, rng.uniform(0, 2 * np.pi, WAVES)


def undulation(x, y, rms, vectors, phases):
    r"""Smooth random heights, with the correlation of a Gaussian.

    .. math:: z = \mathrm{rms} \sqrt{2 / W} \sum_w \cos(\mathbf{k}_w \cdot \mathbf{r} + \phi_w),
        \qquad \langle z(0)\, z(r) \rangle = \mathrm{rms}^2\, e^{-r^2 / 2 \ell^2}

    Parameters
    ----------
    x, y : arrays
        Places [Å].
    rms : float
        Standard deviation [Å].
    vectors, phases : (W, 2) array [1/Å], (W,) array
        From `waves`.
    """
    total = np.zeros(np.shape(x))
    for (kx, ky), phase in zip(vectors, phases, strict=True):
        total += np.cos(kx * x + ky * y + phase)
    return rms * np.sqrt(2 / len(phases)) * total


def hill(square, height, width, rim):
    r"""A hill with a rim that is lower than the surface.

    .. math:: z(r) = h \left[ (1 + q)\, e^{-r^2 / 2 s^2} - q\, e^{-r^2 / 4.5 s^2} \right]

    Parameters
    ----------
    square : array
        r^2 [Å²].
    height, width, rim : float
        h [Å], s [Å] and q.
    """
    return height * ((1 + rim) * np.exp(-square / (2 * width**2)) - rim * np.exp(-square / (4.5 * width**2)))


def spots(x, y, spacing, angle):
    r"""Rows of spots in a triangular pattern, between 0 and 1 at the spots.

    .. math:: t = \frac{1}{9} \left( 3 + 2 \sum_{m=0}^{2} \cos \mathbf{k}_m \cdot \mathbf{r} \right),
        \qquad |\mathbf{k}_m| = \frac{4 \pi}{\sqrt{3}\, b}

    Parameters
    ----------
    x, y : arrays
        Places [Å].
    spacing : float
        Distance b of neighbouring spots [Å].
    angle : float
        Of the first wave vector [rad]; the others are turned by 60 degrees each.
    """
    k, total = 4 * np.pi / (np.sqrt(3) * spacing), np.full(np.shape(x), 3.0)
    for m in range(3):
        turned = angle + m * np.pi / 3
        total += 2 * np.cos(k * (np.cos(turned) * x + np.sin(turned) * y))
    return total / 9


class Relief:
    """The shapes in one frame.

    Parameters
    ----------
    parameters : Parameters
        Their group ``relief`` says how many there are, and how large.
    bounds : (2, 2) array
        Lower left and upper right corner of the frame [Å].
    seed, index : int
        Of the named streams.

    Attributes
    ----------
    features : list of (str, float, float, float, float)
        Kind, x, y [Å], and factors of height and width, of each cluster and halo.
    """

    def __init__(self, parameters, bounds, seed, index):
        self.p, self.lattice = parameters.relief, parameters.sample.lattice_constant
        self._draw = lambda name: stream(seed, index, f"relief.{name}")
        self._waves = waves(self._draw("undulation"), self.p.undulation_length)
        low, high = np.asarray(bounds[0]) - EDGE, np.asarray(bounds[1]) + EDGE
        self.features = [*self._clusters(low, high), *self._halos(low, high)]

    def _clusters(self, low, high):
        rng, p = self._draw("clusters"), self.p
        for place in rng.uniform(low, high, (rng.poisson(p.clusters * np.prod(high - low)), 2)):
            for near in range(1 + rng.poisson(p.cluster_members)):
                at = place + (rng.normal(0, 2.5 * p.cluster_width, 2) if near else 0.0)
                yield "cluster", *at, *np.exp(rng.normal(0, [0.5, 0.25]))

    def _halos(self, low, high):
        rng, dark, p = self._draw("halos"), self._draw("dark"), self.p
        for place in rng.uniform(low, high, (rng.poisson(p.halos * np.prod(high - low)), 2)):
            change = np.array(DARK if dark.random() < p.halo_dark else (1.0, 1.0))
            yield "halo", *place, *(change * np.exp(rng.normal(0, [0.3, 0.2])))

    def listed(self):
        """Return kinds (D,), site numbers (D,), -1 for they have none, and positions (D, 2) [Å]."""
        places = np.reshape([feature[1:3] for feature in self.features], (-1, 2))
        return np.array([feature[0] for feature in self.features], "U24"), np.full(len(places), -1), places

    def height(self, x, y):
        """Return the height of the surface [Å] under points x, y [Å]."""
        p = self.p
        z = undulation(x, y, p.undulation, *self._waves) if p.undulation else np.zeros(np.shape(x))
        angle = self._draw("spots").uniform(0, np.pi)
        for kind, x0, y0, taller, wider in self.features:
            width = wider * (p.cluster_width if kind == "cluster" else p.halo_width)
            square = (x - x0) ** 2 + (y - y0) ** 2
            near = square < (REACH * width) ** 2
            if not near.any():
                continue
            square = square[near]
            if kind == "cluster":
                z[near] += hill(square, taller * p.cluster_height, width, p.cluster_rim)
            else:
                core = spots(x[near], y[near], p.halo_spacing, angle) * np.exp(-square / (2 * (CORE * width) ** 2))
                z[near] += taller * (p.halo_height * np.exp(-square / (2 * width**2)) - p.halo_core * core)
        return z
