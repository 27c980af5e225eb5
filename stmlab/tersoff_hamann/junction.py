"""A point above the states of a sample."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..structures import images
from ..tightbinding.slater_koster import ORBITALS
from ..tightbinding.threads import one_thread
from .tails import length, tails

CHANNELS = {"s": (1.0,), "pz": (0.0, 1.0), "dz2": (-1 / 3, 0.0, 1.0)}  # D as a polynomial in (1/kappa) d/dz
TILE = 4.0  # side of the squares whose points share a list of orbitals [Å]
CHUNK = 64  # points at once
RECENT = 16  # squares whose lists are remembered: a feedback loop asks for one point at a time


@dataclass(frozen=True, eq=False)
class TersoffHamann:
    r"""A point above the states of a sample, with the interface of `stmlab.junction.Junction`.

    .. math:: I(r) \propto \sum_n w_n \left| \sum_i c_{in}\, D\, \chi_i(r - r_i) \right|^2

    The sum over i runs over all orbitals and, for a periodic sample, over their images with the phase
    :math:`e^{i k_n \cdot r_i}`. The orbital of the tip makes D: 1 for s, :math:`\kappa^{-1} \partial_z` for p_z and
    :math:`\kappa^{-2} (\partial_z^2 - \kappa^2/3)` for d_z2. These rules belong to waves that obey
    :math:`\nabla^2 \psi = \kappa^2 \psi`; the tails here are the bare exponentials of the pair sum, which do so far
    from the atoms only.

    Parameters
    ----------
    positions : (n, 3) array
        Where each orbital sits [Å].
    states : (n, S) array
        Amplitude c of each orbital in each state, real or complex.
    weights : (S,) array
        Weight of each state, at least 0.
    kappa : float
        Decay constant [1/Å].
    orbitals : (n,) sequence of str, optional
        Their names; s by default.
    cell : (3, 3) array, optional
        Cell vectors in rows [Å]; the first two lie in the plane.
    pbc : sequence of bool
        Along which of the first two the sample repeats.
    k : (S, 2) array, optional
        Bloch vector of each state [1/Å]; the Gamma point by default.
    channel : {"s", "pz", "dz2"}
        Orbital of the tip.
    tip : (3,) array
        Where the point is, relative to the tip's origin [Å].
    reach : float
        Images further than this to the side carry no current [Å]. At Gamma, at a height z, they would add about
        :math:`\frac{1 + \kappa d}{1 + \kappa z} e^{-\kappa (d - z)}` to the amplitude, relative, with
        :math:`d^2 = z^2 + \mathrm{reach}^2`: 5e-7 at 6 Å and 5e-6 at 10 Å for kappa = 1.05 1/Å. States that decay
        faster lose more of what is left of them: at K, on a lattice of 3.32 Å, 1e-6 and 1e-4 of the largest amplitude.

    Raises
    ------
    ValueError
        If shapes do not fit, a number is not finite, a weight is negative, or all weights are 0.

    References
    ----------
    J. Tersoff and D. R. Hamann, 10.1103/PhysRevB.31.805; C. J. Chen, 10.1103/PhysRevB.42.8841
    """

    positions: np.ndarray
    states: np.ndarray
    weights: np.ndarray
    kappa: float
    orbitals: tuple | None = None
    cell: np.ndarray | None = None
    pbc: tuple = (True, True)
    k: np.ndarray | None = None
    channel: str = "s"
    tip: tuple = (0.0, 0.0, 0.0)
    reach: float = 20.0
    _recent: dict = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self):
        for name in ("positions", "states", "weights", "tip"):
            value = np.asarray(getattr(self, name))
            object.__setattr__(self, name, value if name == "states" else value.astype(float))
            if not np.isfinite(value).all():
                raise ValueError(f"{name} of a Tersoff-Hamann junction must be finite")
        n, s = len(self.positions), len(self.weights)
        names = np.array(["s"] * n if self.orbitals is None else self.orbitals, dtype="U8")
        object.__setattr__(self, "orbitals", names)
        fits = self.positions.shape == (n, 3) and self.states.shape == (n, s) and names.shape == (n,)
        if not fits or (self.k is not None and np.shape(self.k) != (s, 2)):
            raise ValueError(
                f"positions {self.positions.shape}, states {self.states.shape}, weights {self.weights.shape}, orbitals "
                f"{names.shape} and k {np.shape(self.k)} must be (n, 3), (n, S), (S,), (n,) and (S, 2)"
            )
        if self.weights.min(initial=0) < 0 or not self.weights.any():
            raise ValueError("weights of states must be at least 0, and one of them greater; widen the bias window")
        for name, known in (("channel", CHANNELS), ("orbitals", ORBITALS)):
            if not set(np.atleast_1d(getattr(self, name)).tolist()) <= set(known):
                raise ValueError(f"{name} = {getattr(self, name)!r} must be of {', '.join(known)}")
        for name in ("kappa", "reach"):
            if not (np.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise ValueError(f"{name} = {getattr(self, name)} must be finite and greater than 0")

    @property
    def floor(self) -> float:
        """Lowest height of the tip's origin that counts as above the sample [Å]."""
        return float(self.positions[:, 2].max() - self.tip[2] + 1.0)

    def log_current(self, x, y, z):
        """ln I at tip positions x, y, z [Å], arrays that broadcast."""
        return self.log_current_and_slope(x, y, z)[0]

    def log_current_and_slope(self, x, y, z):
        """ln I and d ln I/dz [1/Å] at tip positions x, y, z [Å], arrays that broadcast."""
        arrays = np.broadcast_arrays(x, y, z)
        points = np.stack([np.ravel(v) for v in arrays], axis=1) + self.tip
        out = np.empty((2, len(points)))
        with one_thread():  # sums in another order would change the last bits
            for rows, around in self._tiles(points):
                for part in np.array_split(rows, 1 + len(rows) // CHUNK):
                    out[:, part] = self._evaluate(points[part], around)
        return tuple(v.reshape(arrays[0].shape)[()] for v in out)

    def _tiles(self, points):
        """Yield the rows of the points in each square, and the orbitals around them."""
        if self.cell is None or not any(self.pbc[:2]):
            yield np.arange(len(points)), self._remembered(None)
            return
        squares, which = np.unique(np.floor(points[:, :2] / TILE), axis=0, return_inverse=True)
        for n, square in enumerate(squares):
            yield np.flatnonzero(which.ravel() == n), self._remembered(tuple(square * TILE))

    def _remembered(self, corner):
        """What `_around` says, from memory if it was asked lately."""
        if corner not in self._recent:
            while len(self._recent) >= RECENT:
                self._recent.pop(next(iter(self._recent)))
            self._recent[corner] = self._around(corner if corner is None else np.array(corner))
        return self._recent[corner]

    def _around(self, low):
        """Orbitals around a square, kind by kind: name, positions (3, M), real amplitudes (M, S or 2 S)."""
        index, positions = np.arange(len(self.positions)), self.positions
        if low is not None:
            spread = low - self.reach, low + TILE + self.reach
            index, positions = images(positions, self.cell, self.pbc[:2], *spread)
            beyond = positions[:, :2] - np.clip(positions[:, :2], low, low + TILE)
            near = np.hypot(*beyond.T) <= self.reach
            index, positions = index[near], positions[near]
        states = self.states[index]
        if self.k is not None:
            states = states * np.exp(1j * positions[:, :2] @ np.transpose(self.k))
        parts = [states.real, states.imag] if np.iscomplexobj(states) else [states]
        names, columns = self.orbitals[index], np.hstack(parts)
        return [(name, positions[names == name].T, columns[names == name]) for name in sorted(set(names.tolist()))]

    def densities(self, x, y, z):
        """Squared amplitude (..., S) of each state, without its weight, at tip positions x, y, z [Å] that broadcast.

        ``densities @ weights`` is the current itself, exp of `log_current`.
        """
        arrays = np.broadcast_arrays(x, y, z)
        points = np.stack([np.ravel(v) for v in arrays], axis=1) + self.tip
        out = np.empty((len(points), len(self.weights)))
        with one_thread():
            for rows, around in self._tiles(points):
                for part in np.array_split(rows, 1 + len(rows) // CHUNK):
                    (value,), nearest = self._waves(points[part], around, 1)
                    squares = value**2
                    if squares.shape[1] > out.shape[1]:  # imaginary parts stand behind the real ones
                        squares = squares[:, : out.shape[1]] + squares[:, out.shape[1] :]
                    out[part] = squares * np.exp(-2 * self.kappa * nearest)
        return out.reshape(*arrays[0].shape, -1)

    def _evaluate(self, points, kinds):
        """ln I and its slope (P,) from the orbitals in a list."""
        (value, slope), nearest = self._waves(points, kinds, 2)
        weights = np.tile(self.weights, value.shape[1] // len(self.weights))
        total = np.maximum(value**2 @ weights, np.finfo(float).tiny)  # not 0, even on a node
        steep = 2 * self.kappa * ((value * slope) @ weights) / total
        return np.log(total) - 2 * self.kappa * nearest[:, 0], steep

    def _waves(self, points, kinds, count):
        """Amplitudes (P, S or 2 S) without exp(-kappa r_0), for a count of 2 also d/d(kappa z), and r_0 (P, 1) [Å]."""
        offsets = [points.T[:, :, None] - positions[:, None] for _, positions, _ in kinds]
        nearest = np.min([length(offset).min(axis=1, keepdims=True) for offset in offsets], axis=0)
        rule, out = CHANNELS[self.channel], [0.0] * count
        for (name, _, states), offset in zip(kinds, offsets, strict=True):
            chi = tails(name, offset, nearest, self.kappa, max(2, len(rule) - 1 + count))
            for n in range(count):
                out[n] = out[n] + sum(c * f for c, f in zip(rule, chi[n:], strict=False) if c) @ states
        return out, nearest
