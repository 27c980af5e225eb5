"""Shapes of the surface that no band model gives: undulation, clusters of adsorbates, halos with a spotted core.

They are phenomenological: profiles that look like what is seen in published images of WSe2, put below the sheet as
heights. What the clusters consist of, and why halos are spotted, they do not say.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .parameters import stream

WAVES = 16  # of which the undulation is made
EDGE = 10.0  # Å; features this far outside the frame are drawn, too
REACH = 5.0  # standard deviations after which a profile is cut off
RINGED = 0.15  # share of depressions with a ripple around them
SEEN = 200.0  # Å², on which a feature is compared with the noise
WEAKEST = 1 / 8  # of the weak ones, in parts of the depth of others
CORE = 0.55  # width of a spotted core in parts of that of its halo
DARK = -2.0, 0.7  # height and width of a dark halo in parts of those of a bright one


class Feature(NamedTuple):
    """One shape, as it was drawn."""

    kind: str
    x: float  # Å
    y: float  # Å
    taller: float  # factor of the height of its kind
    wider: float  # factor of its width
    texture: float = 0.0  # how much the lattice stands out in it
    ring: float = 0.0  # strength of a ring around it
    flat: bool = False  # whether its floor is flat


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


def hollow(square, depth, width, flat=False, ring=0.0):
    r"""A hollow, round or with a flat floor, and a ripple around it.

    .. math:: z(r) = -h \left[ g(r) - c\, (1 - e^{-r^2 / 2 s^2}) \cos\frac{\pi r}{s}\; e^{-r / 1.5 s} \right], \qquad
        g = e^{-r^2 / 2 s^2} \;\text{or}\; \frac{1}{1 + e^{(r - 1.3 s) / 0.25 s}}

    Parameters
    ----------
    square : array
        r^2 [Å²].
    depth, width : float
        h [Å] and s [Å].
    flat : bool
        Which of the two g.
    ring : float
        Strength c of the ripple.
    """
    r, round_ = np.sqrt(square) / width, np.exp(-square / (2 * width**2))
    floor = 1 / (1 + np.exp(np.minimum((r - 1.3) / 0.25, 50.0))) if flat else round_
    return -depth * (floor - ring * (1 - round_) * np.cos(np.pi * r) * np.exp(-r / 1.5))


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
    features : list of Feature
        Each cluster, halo and depression.
    """

    def __init__(self, parameters, bounds, seed, index):
        self.p, self.lattice = parameters.relief, parameters.sample.lattice_constant
        self._draw = lambda name: stream(seed, index, f"relief.{name}")
        self._waves = waves(self._draw("undulation"), self.p.undulation_length)
        low, high = np.asarray(bounds[0]) - EDGE, np.asarray(bounds[1]) + EDGE
        self.features = [*self._clusters(low, high), *self._halos(low, high), *self._depressions(low, high)]

    def _clusters(self, low, high):
        rng, p = self._draw("clusters"), self.p
        for place in rng.uniform(low, high, (rng.poisson(p.clusters * np.prod(high - low)), 2)):
            for near in range(1 + rng.poisson(p.cluster_members)):
                at = place + (rng.normal(0, 2.5 * p.cluster_width, 2) if near else 0.0)
                yield Feature("cluster", *at, *np.exp(rng.normal(0, [0.5, 0.25])))

    def _halos(self, low, high):
        rng, dark, p = self._draw("halos"), self._draw("dark"), self.p
        for place in rng.uniform(low, high, (rng.poisson(p.halos * np.prod(high - low)), 2)):
            change = np.array(DARK if dark.random() < p.halo_dark else (1.0, 1.0))
            yield Feature("halo", *place, *(change * np.exp(rng.normal(0, [0.3, 0.2]))))

    def _depressions(self, low, high):
        rng, p = self._draw("depressions"), self.p
        for place in rng.uniform(low, high, (rng.poisson(p.depressions * np.prod(high - low)), 2)):
            chance, deeper, wider = rng.random(5), rng.uniform(0.6, 1.4), np.exp(rng.uniform(-0.4, 0.4))
            texture, ring, faint, broad = rng.uniform(0.3, 2.0), rng.normal(0, 0.2), rng.random(), rng.random()
            if chance[0] < p.depression_weak:
                deeper, wider = deeper * WEAKEST**faint, wider * (1 + 0.4 * broad)
            deeper *= -1 if chance[1] < p.depression_bright else 1
            texture, ring = texture * (chance[2] < p.depression_texture), ring * (chance[3] < RINGED)
            yield Feature("depression", *place, deeper, wider, texture, ring, chance[4] < p.depression_flat)

    def listed(self):
        """Return kinds (D,), site numbers (D,), -1 for they have none, and positions (D, 2) [Å]."""
        places = np.reshape([feature[1:3] for feature in self.features], (-1, 2))
        return np.array([feature[0] for feature in self.features], "U24"), np.full(len(places), -1), places

    def height(self, x, y):
        """Return the height of the surface [Å] under points x, y [Å]."""
        p = self.p
        z = undulation(x, y, p.undulation, *self._waves) if p.undulation else np.zeros(np.shape(x))
        angle = self._draw("spots").uniform(0, np.pi)
        if p.corrugation:
            z += p.corrugation * self.atoms(x, y)
        for one in self.features:
            width = one.wider * getattr(p, f"{one.kind}_width")
            square = (x - one.x) ** 2 + (y - one.y) ** 2
            near = square < (REACH * width) ** 2
            if near.any():
                z[near] += getattr(self, f"_{one.kind}")(one, square[near], width, x[near], y[near], angle)
        return z

    def prominences(self):
        r"""Return how much each feature stands out (D,) [Å], as a height that as much would have on 2 nm².

        .. math:: P = \sqrt{\frac{1}{2\,\mathrm{nm}^2} \int h(x, y)^2\, dx\, dy}
        """
        angle, out = self._draw("spots").uniform(0, np.pi), np.zeros(len(self.features))
        for k, one in enumerate(self.features):
            width = one.wider * getattr(self.p, f"{one.kind}_width")
            x, step = np.linspace(-REACH * width, REACH * width, 64, retstep=True)
            x, y = np.meshgrid(x, x)
            shape = getattr(self, f"_{one.kind}")(one, x**2 + y**2, width, x + one.x, y + one.y, angle)
            out[k] = step * np.sqrt((shape**2).sum() / SEEN)
        return out

    def atoms(self, x, y):
        """Return the lattice under points x, y [Å]: 1 on its spots, -1/2 in the hollows between."""
        angle, (x0, y0) = self._origin()
        return (3 * spots(x - x0, y - y0, self.lattice, angle) - 1) / 2

    def sites(self, low, high):
        """Return the spots of the lattice (K, 2) in a rectangle [Å]."""
        angle, origin = self._origin()
        towards = angle + np.pi / 6 + np.array([0, np.pi / 3])
        vectors = self.lattice * np.column_stack([np.cos(towards), np.sin(towards)])
        corners = np.array([[x, y] for x in (low[0], high[0]) for y in (low[1], high[1])]) - origin
        cells = corners @ np.linalg.inv(vectors)
        counts = [np.arange(np.floor(few), np.ceil(many) + 1)
                  for few, many in zip(cells.min(0), cells.max(0), strict=True)]  # fmt: skip
        points = np.stack(np.meshgrid(*counts, indexing="ij"), -1).reshape(-1, 2) @ vectors + origin
        return points[((points >= low) & (points <= high)).all(axis=1)]

    def _origin(self):
        rng = self._draw("lattice")
        return rng.uniform(0, np.pi), rng.uniform(0, self.lattice, 2)

    def _cluster(self, one, square, width, x, y, angle):
        return hill(square, one.taller * self.p.cluster_height, width, self.p.cluster_rim)

    def _halo(self, one, square, width, x, y, angle):
        p, core = self.p, np.exp(-square / (2 * (CORE * width) ** 2))
        core *= spots(x, y, p.halo_spacing, angle)
        return one.taller * (p.halo_height * np.exp(-square / (2 * width**2)) - p.halo_core * core)

    def _depression(self, one, square, width, x, y, angle):
        z = hollow(square, one.taller * self.p.depression_depth, width, one.flat, one.ring)
        return z * (1 + one.texture * self.atoms(x, y)) if one.texture else z
