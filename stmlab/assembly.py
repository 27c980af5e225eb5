"""From parameters to atoms and currents: the sheet under the frame, the tip above it, the junction between them."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from .junction import Junction, kappa
from .parameters import stream
from .structures import DEFECTS, add_defects, defects, draw_defects, draw_depths, images, tip_named, turned, wse2
from .tightbinding import best_method, bias_window, broaden, fermi_level, ldos, model_named, spectrum
from .tightbinding.threads import one_thread

CELLS = 8  # a sheet has a multiple of so many along each side, so that few different ones occur


def wse2_sheet(parameters, path, seed, index):
    """Build a sheet with random defects, so large that the tip sees each of them at most once on its path."""
    s, d = parameters.sample, parameters.defects
    cells = int(np.ceil(4 / np.sqrt(3) * path.radius / s.lattice_constant)) + 1  # a rhombus around the circle
    cells = -(-cells // CELLS) * CELLS
    elements = model_named(s.model).elements  # the metal first
    sheet = pristine(cells, s.lattice_constant, s.thickness, *elements)
    densities = {kind: getattr(d, kind.replace("-", "_")) for kind in DEFECTS}
    sites = draw_defects(sheet, densities, lambda kind: stream(seed, index, f"defects.{kind}"))
    depth, sign = 1.0, 1.0
    if len(charged := sites["charged-dopant"]):
        depth, lot = draw_depths(sheet, charged, d.charge_spread, stream(seed, index, "defects.charges"))
        sign = np.where(lot < d.charge_opposite, -1.0, 1.0)
    return add_defects(
        sheet, sites, dopant_potential=d.dopant_potential, oxygen_potential=d.oxygen_potential,
        oxygen_depth=d.oxygen_depth, substitution_potential=d.substitution_potential,
        charge_potential=sign * d.charge_potential / depth, charge_radius=d.charge_radius * depth,
    )  # fmt: skip


@lru_cache(maxsize=16)
def pristine(cells, a, thickness, *elements):
    """Sheet without defects, of which copies are made."""
    return wse2((cells, cells), a, thickness, *elements)


class Surface(NamedTuple):
    """The truth about the sample inside and around the frame."""

    lattice: np.ndarray  # (K, 2) Å, top atoms
    defects: tuple  # kinds (D,), sites (D,), positions (D, 2) Å
    a: float  # Å


def build_junction(parameters, sample, tip, path, method=None):
    """Weigh every pair of atoms that can carry current anywhere along the path.

    ``sample`` and ``tip`` are atoms, or arrays (positions, weights), or the name of an apex; ``method`` is that of
    `ldos` for the sample; the fastest exact one by default.

    Returns
    -------
    junction : Junction
        Sample atoms under and around the frame, and the atoms at the end of the tip.
    surface : Surface
        Where the top atoms and the defects are.
    """
    (junction,), surface = build_junctions(parameters, sample, [tip], path, method)
    return junction, surface


def build_junctions(parameters, sample, tips, path, method=None):
    """Do as `build_junction` does, for several tips above the same sample: a list of junctions, and the surface."""
    j, s, t = parameters.junction, parameters.sample, parameters.tip
    nodes = max(16, int(np.ceil(abs(j.bias) / s.broadening)))  # enough for the narrowest feature there can be
    energy, factor = bias_window(j.bias, j.temperature, nodes)
    with one_thread():  # sums in another order would change the last bits
        ends, densities = zip(*[needle(t, tip, s.broadening) for tip in tips], strict=True)
        sheet = electrode(sample, s.model, s.broadening, s.fermi, s.fermi_offset, method)
        top = sheet.positions[:, 2].max()
        low, high = surroundings(path, j.height, max(np.abs(end[:, :2]).max() for end in ends))
        cell, pbc = (sample.cell, sample.pbc) if hasattr(sample, "cell") else (np.eye(3), (False, False, False))
        index, positions = images(sheet.positions, cell, pbc, low, high)
        if not len(index):
            raise ValueError("no atom of the sample lies under the frame; move the sample so that it covers x = y = 0")
        used = np.flatnonzero(np.bincount(index))
        place = np.zeros(used[-1] + 1, int)
        place[used] = np.arange(len(used))
        fold = np.concatenate([density(energy - j.bias) for density in densities]).T * factor[:, None]
        weights = sheet.density(energy, used, fold)[place[index]]
        pairs = np.split(weights, np.cumsum([len(end) for end in ends])[:-1], axis=1)
    decay = kappa(j.work_function, j.bias if j.barrier == "tilted" else 0.0)
    junctions = [Junction(positions - [0, 0, top], *both, decay) for both in zip(ends, pairs, strict=True)]
    return junctions, Surface(*truth(sample, positions, top, low, high), lattice_constant(sample, s.lattice_constant))


def needle(parameters, tip, broadening):
    """Turn a tip and cut it down to the atoms that carry current; put the second tip beside it, if there is one.

    Returns
    -------
    positions : ndarray, (M, 3)
        Atoms, the lowest of the (first) tip at z = 0 [Å].
    density : callable
        From energies (K,) [eV] to densities of states (M, K) [1/eV].
    """
    t, ends = parameters, []
    beside = [t.second_x, t.second_y, t.second_height]
    for one, place in [(tip, 0.0)] + ([(t.second_apex, beside)] if t.second_apex != "none" else []):
        whole = electrode(one, t.model, broadening)
        end = turned(whole.positions, t.rotation, t.tilt, t.azimuth)
        end[:, 2] -= end[:, 2].min()
        near = np.flatnonzero(end[:, 2] <= t.depth)
        ends.append((end[near] + place, whole.density, near))
    density = lambda energy: np.concatenate([its(energy, near) for _, its, near in ends])  # noqa: E731
    return np.concatenate([end for end, _, _ in ends]), density


def truth(sample, positions, top, low, high):
    """Where the top atoms are (K, 2) [Å], and kinds, sites and positions of the defects, inside a rectangle."""
    lattice = positions[positions[:, 2] > top - 0.5, :2]
    if not hasattr(sample, "info"):
        return lattice, defects(wse2())
    kinds, sites, points = defects(sample)
    which, points = images(points, sample.cell, sample.pbc, low, high)
    return lattice, (kinds[which], sites[which], points[:, :2])


def lattice_constant(sample, default):
    """Lattice constant [Å] that a sample says it has."""
    return sample.info.get("lattice_constant", default) if hasattr(sample, "info") else default


def surroundings(path, height, width):
    """Corners (2,) of the rectangle [Å] that holds every atom within reach of the tip on its path."""
    extra = Junction.slack + 2.0  # pairs this much longer than the height; 2 Å for the relief
    margin = np.sqrt(extra * (extra + 2 * height)) + width
    return path.bounds[0] - margin, path.bounds[1] + margin


class Electrode(NamedTuple):
    """Atoms, and the density of states of some of them at energies from the Fermi level."""

    positions: np.ndarray  # (N, 3) Å
    density: Callable  # (energies (K,) [eV], only (m,), fold (K, M) or None) -> (m, K) 1/eV, or that times fold


def electrode(atoms, model, broadening, fermi="neutral", offset=0.0, method=None):
    """Make an `Electrode` of atoms, of arrays (positions, weights) or of the name of an apex."""
    if not isinstance(atoms, str) and not hasattr(atoms, "get_chemical_symbols"):
        return fixed_electrode(*atoms)
    zero = fermi_level(model, fermi if model_named(model).electrons else "zero", offset)
    if isinstance(atoms, str):
        positions, *states = apex_spectrum(atoms, model)
        return Electrode(positions, multiplied(lambda e, only: near_levels(*states, e + zero, only, broadening)))
    method = method or best_method(atoms, model)
    how = {"model": model, "method": method, "broadening": broadening, "precision": "single"}
    return Electrode(atoms.positions, lambda e, only, fold=None: ldos(atoms, e + zero, only=only, fold=fold, **how))


def multiplied(density):
    """Give a density of states (energies, only) -> (m, K) a third argument, a matrix (K, M) to multiply it with."""
    return lambda e, only, fold=None: density(e, only) if fold is None else density(e, only) @ fold


def fixed_electrode(positions, weights):
    """Make an `Electrode` of points (N, 3) [Å] with the same density of states (N,) at all energies."""
    positions, weights = np.asarray(positions, float), np.asarray(weights, float)
    if positions.ndim != 2 or positions.shape[1] != 3 or weights.shape != positions.shape[:1]:
        raise ValueError(f"positions {positions.shape} and weights {weights.shape} must be (N, 3) and (N,)")
    return Electrode(positions, multiplied(lambda e, only: np.repeat(weights[only, None], len(e), axis=1)))


APEX_SIZE = {"tungsten-spd": 4}  # cells; nine orbitals to an atom make a larger one too slow to diagonalise


@lru_cache(maxsize=16)
def apex_spectrum(name, model):
    """Positions (M, 3) [Å], levels [eV] and shares of a named apex; the same for every image, so kept."""
    atoms = tip_named(name, APEX_SIZE.get(model, 6))
    return atoms.positions, *spectrum(atoms, model)


def near_levels(levels, shares, energies, only, broadening):
    """Density of states (m, K) [1/eV] of some atoms from their `spectrum`, without levels too far away to count."""
    reach = 9 * broadening + np.diff(levels).max(initial=0.0)  # the nearest level is 9 sigma nearer: e^-40
    first, last = np.searchsorted(levels, [energies.min() - reach, energies.max() + reach])
    return broaden(levels[first:last], shares[only, first:last], energies, broadening)
