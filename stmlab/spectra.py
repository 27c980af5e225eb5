"""Tunnelling spectroscopy: current and conductance against bias, at a fixed tip."""

from __future__ import annotations

from dataclasses import dataclass
from warnings import warn

import numpy as np
from scipy.interpolate import BSpline, make_interp_spline
from scipy.special import expit

from .junction import DECAY, Junction
from .tightbinding.weights import BOLTZMANN

REACH = 25  # kT around a Fermi edge; beyond, occupations differ from 0 or 1 by 1e-11
DEGREE = 5  # of the splines through the densities
CHUNK = 2_000_000  # pairs of atoms at a time; 16 MB


@dataclass(frozen=True)
class Spectra:
    r"""Spectra at many places, each in units of the current at its own set-point.

    Parameters
    ----------
    bias : ndarray, (V,)
        Sample voltage [V].
    current : ndarray, (..., V)
        :math:`I(V) / |I(V_\mathrm{set})|`, without unit. It has the sign of the bias.
    conductance : ndarray, (..., V)
        :math:`(dI/dV) / |I(V_\mathrm{set})|` [1/V].
    setpoint_bias : float
        Voltage V_set of the reference [V].
    log_setpoint : ndarray, (...)
        :math:`\ln |I(V_\mathrm{set})|` in the units of `Junction.log_current`: differences count. To compare places
        at one height take ``current * exp(log_setpoint - log_setpoint.max())[..., None]``.
    """

    bias: np.ndarray
    current: np.ndarray
    conductance: np.ndarray
    setpoint_bias: float
    log_setpoint: np.ndarray


def spectroscopy(
    positions, density, tip, tip_density, points, bias, kappa, temperature=0.0, modulation=0.0, setpoint_bias=None,
    step=0.01,
):  # fmt: skip
    r"""Current and differential conductance against bias, with the tip held still at each point.

    .. math::
        I(r, V) = \sum_{ij} e^{-2 \kappa |r + t_j - s_i|}
                  \int [f(E - eV) - f(E)]\, \rho_i(E)\, \rho_j(E - eV)\, dE

    V > 0 (sample positive) shows empty states of the sample. The derivative is taken inside the integral, not by
    differences. Model and bias give no absolute current, so it is counted in units of its own magnitude at the
    set-point, as in an experiment that opens the feedback loop there. The barrier does not depend on the bias.

    Parameters
    ----------
    positions : (N, 3) array
        Atoms s of the sample [Å].
    density : callable
        Densities of states (N, K) [1/eV] of these atoms at energies (K,) from the sample's Fermi level [eV].
    tip : (M, 3) array
        Atoms t of the tip relative to its origin [Å].
    tip_density : callable
        Densities (M, K) [1/eV] of these atoms at energies (K,) from the tip's Fermi level [eV].
    points : (..., 3) array
        Where the tip's origin is [Å].
    bias : (V,) array
        Sample voltages, all rising or all falling [V]; 0 is allowed.
    kappa : float
        Decay constant [1/Å]; see `stmlab.junction.kappa`.
    temperature : float
        Temperature of both electrodes [K].
    modulation : float
        Peak voltage of the lock-in modulation [V]; 0 for the plain derivative. It broadens the conductance (see
        `lock_in`), not the current.
    setpoint_bias : float, optional
        Voltage of the reference [V]; the first bias by default.
    step : float
        Spacing of the energies at which the densities are asked for [eV]; splines join them. A Gaussian level
        needs a step of no more than half its standard deviation; a UserWarning says if a density is too sharp.

    Returns
    -------
    Spectra
        Signed current (..., V), conductance (..., V) [1/V], and what they are relative to.

    Raises
    ------
    ValueError
        If the bias is empty or not monotonic, the temperature or modulation is negative, the step is not positive,
        a point is less than 1 Å above the sample, shapes do not fit, or no current flows at the set-point.

    References
    ----------
    Tersoff and Hamann, Phys. Rev. B 31, 805 (1985), https://doi.org/10.1103/PhysRevB.31.805
    """
    bias, setpoint = _checked_bias(bias, setpoint_bias)
    _check_sign("temperature", temperature, "K")
    _check_sign("modulation", modulation, "V")
    if not (np.isfinite(step) and step > 0):
        raise ValueError(f"step = {step} eV must be finite and greater than 0 eV; take half the width of a level")
    junction = Junction(positions, tip, np.ones((len(positions), len(tip))), kappa)
    points = _checked_points(points, junction.floor)

    kt = BOLTZMANN * temperature
    energies = _energies([*bias, setpoint], REACH * kt + modulation, step)
    states = _tabulated("density", density, energies, len(positions))
    needle = _tabulated("tip_density", tip_density, -energies[::-1], len(tip))

    sharp, smooth = _semi_ellipse(0.0, step), _semi_ellipse(modulation, step)
    folded = [_folded(_current, v, needle, states, sharp, kt, step) for v in (setpoint, *bias)]
    folded += [_folded(_conductance, v, needle, states, smooth, kt, step) for v in bias]
    pairs = np.tensordot(states.c, folded, axes=(0, 1)).transpose(0, 2, 1)  # (N, M, 1 + 2 V)
    values, log_scale = _summed(junction, points, pairs)
    reference = _checked_reference(np.abs(values[..., 0]), values[..., 1 : 1 + len(bias)], setpoint)
    current, conductance = np.split(values[..., 1:] / reference[..., None], 2, axis=-1)
    return Spectra(bias, current, conductance, setpoint, np.log(reference) + log_scale)


def lock_in(bias, current, modulation):
    r"""Differential conductance as a lock-in amplifier reads it off a sampled current.

    The bias swings as :math:`V + V_p \cos \omega t`. The first harmonic of the current, divided by :math:`V_p`, is

    .. math:: \frac{1}{\pi V_p} \int_0^{2\pi} I(V + V_p \cos\theta) \cos\theta \, d\theta
        = \int \frac{dI}{dV}(V + v)\, \frac{2}{\pi V_p^2} \sqrt{V_p^2 - v^2}\, dv ,

    so a sharp peak becomes a half ellipse, :math:`\sqrt{3} V_p` wide at half maximum. Straight lines join the
    samples, and their convolution is exact.

    Parameters
    ----------
    bias : (V,) array
        Sample voltages, all rising or all falling [V].
    current : (..., V) array
        Current, of any unit.
    modulation : float
        Peak voltage V_p [V]; 0 for the plain derivative.

    Returns
    -------
    ndarray, (..., V)
        In the current's unit per V; NaN within V_p of the ends, where the swing leaves the record.

    Raises
    ------
    ValueError
        If there are fewer than 3 biases or they are not monotonic, shapes do not fit, or the modulation is negative.
    """
    bias, current = _checked_bias(bias)[0], np.asarray(current, float)
    if len(bias) < 3 or current.shape[-1:] != bias.shape:
        raise ValueError(f"lock_in needs current (..., V) at V biases, 3 or more, not {current.shape} at {len(bias)}")
    _check_sign("modulation", modulation, "V")
    if modulation == 0:
        return np.gradient(current, bias, axis=-1, edge_order=2)
    x = np.clip((bias[:, None] - bias) / modulation, -1, 1)  # (sample, reading)
    share = np.diff((x * np.sqrt(1 - x**2) + np.arcsin(x)) / np.pi, axis=0)  # of the half ellipse on each line
    reading = (np.diff(current) / np.diff(bias)) @ np.abs(share)
    inside = np.minimum(bias - bias.min(), bias.max() - bias) >= modulation * (1 - 1e-9)
    return np.where(inside, reading, np.nan)


def apparent_barrier(slope):
    r"""Barrier height that a current-distance curve seems to have.

    .. math:: \phi_\mathrm{app} = \frac{\hbar^2}{8 m} \left( \frac{d \ln I}{dz} \right)^2
              = 0.952\, \left( \frac{d \ln I}{dz} \mathrm{Å} \right)^2 \mathrm{eV}

    Right above a single atom it is the work function; beside it, or above a layer of atoms, it is less.

    Parameters
    ----------
    slope : float or array
        d ln I/dz [1/Å], as from `Junction.log_current_and_slope`.

    Returns
    -------
    float or ndarray
        In eV.
    """
    return (np.asarray(slope) / (2 * DECAY))[()] ** 2


def _energies(bias, margin, step):
    """Evenly spaced energies (K,), K odd, around all windows of tunnelling [eV]."""
    low, high = min(0.0, *bias) - margin - 6 * step, max(0.0, *bias) + margin + 6 * step
    return np.linspace(low, high, 2 * int(np.ceil((high - low) / step / 2)) + 1)


def _tabulated(name, density, energies, count):
    """Spline (K, count) through the densities; a warning if every second energy would not do within 3 %."""
    values = np.asarray(density(energies), float)
    if values.shape != (count, len(energies)) or not np.isfinite(values).all():
        raise ValueError(f"{name} must give finite numbers ({count}, {len(energies)}), not {values.shape}")
    between = make_interp_spline(energies[::2], values[:, ::2].T, DEGREE)(energies[1::2]).T
    if np.abs(between - values[:, 1::2]).max() > 0.03 * np.abs(values).max():
        step = energies[1] - energies[0]
        warn(f"{name} changes faster than step = {step:.3g} eV can follow; take a smaller step", stacklevel=3)
    return make_interp_spline(energies, values.T, DEGREE)


def _semi_ellipse(modulation, step):
    r"""Gauss-Chebyshev nodes [V] and weights of :math:`2 \sqrt{V_p^2 - v^2} / \pi V_p^2`; one node without it."""
    n = 8 + int(np.ceil(np.pi * modulation / step)) if modulation > 0 else 1
    angle = np.pi * np.arange(1, n + 1) / (n + 1)
    return modulation * np.cos(angle), 2 / (n + 1) * np.sin(angle) ** 2


def _quadrature(bias, kt, step):
    """Gauss-Legendre nodes and weights (Q,) [eV] on panels shorter than a step, and than 2.5 kT at a Fermi edge."""
    low, high = min(0.0, bias) - REACH * kt, max(0.0, bias) + REACH * kt
    even = np.linspace(low, high, int(np.ceil((high - low) / step)) + 1)
    soft = kt * np.linspace(-REACH, REACH, 21)
    edges = np.unique(np.concatenate([even, soft, bias + soft]))
    x, w = np.polynomial.legendre.leggauss(8 if 0 < kt < 2 * step else 4)
    half, middle = np.diff(edges) / 2, (edges[1:] + edges[:-1]) / 2
    return (middle[:, None] + half[:, None] * x).ravel(), (half[:, None] * w).ravel()


def _occupation(energy, kt):
    return expit(-energy / kt) if kt > 0 else (energy < 0).astype(float)


def _current(bias, needle, kt, step):
    """Energies (Q,) [eV] and what sample densities there are multiplied with (Q, M) to sum to the current."""
    energy, factor = _quadrature(bias, kt, step)
    factor *= _occupation(energy - bias, kt) - _occupation(energy, kt)
    return energy, factor[:, None] * needle(energy - bias)


def _conductance(bias, needle, kt, step):
    """Do the same for dI/dV: states at the sample's moving Fermi edge, and the tip's states shifted past it."""
    energy, factor = _quadrature(bias, kt, step)
    upper, lower = _occupation(energy - bias, kt), _occupation(energy, kt)
    shift = -(factor * (upper - lower))[:, None] * needle(energy - bias, nu=1)
    if kt == 0:
        return np.append(energy, bias), np.vstack([shift, needle([0.0])])
    return energy, shift + (factor * upper * (1 - upper) / kt)[:, None] * needle(energy - bias)


def _folded(terms, bias, needle, states, swing, kt, step):
    """Turn a sum over energies into one over the coefficients of the sample's splines, (K, M)."""
    total = 0.0
    for offset, share in zip(*swing, strict=True):
        energy, values = terms(bias + offset, needle, kt, step)
        if len(energy):
            total = total + share * (BSpline.design_matrix(energy, states.t, states.k).T @ values)
    return np.broadcast_to(total, (states.c.shape[0], needle.c.shape[1]))


def _summed(junction, points, pairs):
    """Sum the pairs (N, M, C) at points (..., 3) to (..., C), in units whose logarithm (...) comes with them."""
    flat, pairs = points.reshape(-1, 3), np.ascontiguousarray(pairs).reshape(-1, pairs.shape[-1])
    values, scale = np.empty((len(flat), pairs.shape[1])), np.empty(len(flat))
    for part in np.array_split(np.arange(len(flat)), -(-len(flat) * len(pairs) // CHUNK) or 1):
        offset = flat[part, None, None] + junction.tip - junction.sample[:, None]
        exponent = -2 * junction.kappa * np.linalg.norm(offset, axis=-1).reshape(len(part), len(pairs))
        scale[part] = exponent.max(axis=1, initial=-np.inf)
        values[part] = np.exp(exponent - scale[part, None]) @ pairs
    return values.reshape(*points.shape[:-1], -1), scale.reshape(points.shape[:-1])


def _check_sign(name, value, unit):
    if not (np.isfinite(value) and value >= 0):
        raise ValueError(f"{name} = {value} {unit} must be finite and at least 0 {unit}")


def _checked_bias(bias, setpoint=None):
    bias = np.atleast_1d(np.asarray(bias, float))
    if bias.ndim != 1 or not bias.size or not np.isfinite(bias).all():
        raise ValueError(f"bias = {bias} V must be a row of finite voltages, at least one")
    if not (np.all(np.diff(bias) > 0) or np.all(np.diff(bias) < 0)):
        raise ValueError(f"bias from {bias[0]} V to {bias[-1]} V must rise or fall all the way; sort it")
    setpoint = float(bias[0] if setpoint is None else setpoint)
    if not np.isfinite(setpoint):
        raise ValueError(f"setpoint_bias = {setpoint} V must be finite; take one of the biases, such as {bias[0]} V")
    return bias, setpoint


def _checked_points(points, floor):
    points = np.asarray(points, float)
    if points.shape[-1:] != (3,) or not points.size or not np.isfinite(points).all():
        raise ValueError(f"points must be finite x, y, z of shape (..., 3) in Å, not {points.shape}")
    if (low := points[..., 2].min()) < floor:
        raise ValueError(f"points at z = {low:.2f} Å, less than 1 Å above the sample; raise them to {floor:.2f} Å")
    return points


def _checked_reference(reference, current, setpoint):
    silent = ~(reference > 1e-12 * np.abs(current).max(axis=-1))
    if silent.any():
        where = f"setpoint_bias = {setpoint} V at {silent.sum()} of {silent.size} points"
        raise ValueError(f"no current flows at {where}; choose a setpoint_bias outside the gap, and not 0 V")
    return reference
