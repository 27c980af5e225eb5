"""Band edges and Fermi levels of the perfect crystal: where zero bias lies on a model's scale of energies."""

from __future__ import annotations

from contextlib import suppress
from functools import cache

import numpy as np
from scipy.optimize import minimize

from .bands import bloch_hamiltonian, mesh_vectors
from .models import model_named

REFERENCES = ("neutral", "valence", "conduction", "zero")


class NoGap(ValueError):
    """A band edge of a metal was asked for."""


def band_edges(model, spin=False):
    """Highest filled and lowest empty energy of a perfect neutral crystal.

    Parameters
    ----------
    model : str or Model
        Tight-binding model.
    spin : bool
        With spin-orbit coupling.

    Returns
    -------
    valence, conduction : float
        On the model's own scale [eV].

    Raises
    ------
    ValueError
        If there is no gap.
    """
    return _edges(model_named(model), spin)


@cache
def _edges(model, spin):
    if not model.electrons:
        raise ValueError(f"model {model.name!r} does not say how many electrons it has; add electrons to its table")
    filled, odd = (model.electrons, 0) if spin else divmod(model.electrons, 2)
    if not odd:
        k = mesh_vectors(model, _mesh(model), shift=0)
        levels = np.linalg.eigvalsh(bloch_hamiltonian(model, k, spin))
        tops = levels[:, filled - 1], -levels[:, filled] if filled < levels.shape[1] else np.full(len(k), -np.inf)
        if tops[0].max() < -tops[1].max():
            return (
                _highest(lambda k: np.linalg.eigvalsh(bloch_hamiltonian(model, k, spin))[filled - 1], k, tops[0]),
                -_highest(lambda k: -np.linalg.eigvalsh(bloch_hamiltonian(model, k, spin))[filled], k, tops[1]),
            )
    raise NoGap(f"model {model.name!r} has no gap, so no band edges; measure energies from 'neutral' or 'zero'")


def _mesh(model):
    """Bloch vectors along each axis; a multiple of 6, so that Gamma, K and M are among them."""
    return 48 if "thickness" in model.lattice else 12


def _highest(energy, k, values):
    """Walk uphill from the best point of a mesh."""
    start, flat = k[np.argmax(values)], np.ptp(k[:, 2]) == 0
    free = start[:2] if flat else start
    best = minimize(lambda v: -energy(v), free, method="Nelder-Mead", options={"xatol": 1e-4, "fatol": 1e-9})
    return max(float(values.max()), -float(best.fun))


def fermi_level(model, reference="neutral", offset=0.0, spin=False):
    """Place the Fermi level; biases are counted from it.

    Parameters
    ----------
    model : str or Model
        Tight-binding model.
    reference : {"neutral", "valence", "conduction", "zero"}
        What the offset is counted from: the level that holds the model's electrons (in a semiconductor the
        middle of the gap), the upper edge of the valence band, the lower edge of the conduction band, or the zero
        of the model's own energies.
    offset : float
        How far above the reference [eV].
    spin : bool
        With spin-orbit coupling.

    Returns
    -------
    float
        On the model's own scale [eV], rounded to 1 µeV.

    Raises
    ------
    ValueError
        If the reference is unknown, or is the edge of a band in a model without a gap.
    """
    model = model_named(model)
    if reference not in REFERENCES:
        raise ValueError(f"Fermi level reference = {reference!r} must be one of {', '.join(REFERENCES)}")
    if reference == "zero":
        return round(float(offset), 6)
    if reference == "neutral":
        return round(_neutral(model, spin) + offset, 6)
    return round(band_edges(model, spin)[reference == "conduction"] + offset, 6)


@cache
def _neutral(model, spin):
    """Middle of the gap, or in a metal the level below which a mesh holds the electrons."""
    with suppress(NoGap):
        return sum(_edges(model, spin)) / 2
    k = mesh_vectors(model, 2 * _mesh(model))
    levels = np.sort(np.linalg.eigvalsh(bloch_hamiltonian(model, k, spin)).ravel())
    filled = model.electrons * len(k) // (1 if spin else 2)
    return float(levels[filled - 1 : filled + 1].mean())
