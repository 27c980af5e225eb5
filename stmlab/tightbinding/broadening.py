"""Shapes that stand for a sharp level [1/eV]."""

from __future__ import annotations

import numpy as np


def gaussian(energy, width):
    r"""Broadening :math:`e^{-E^2/2\sigma^2} / \sigma\sqrt{2\pi}` [1/eV] of standard deviation ``width`` [eV]."""
    return np.exp(-0.5 * (energy / width) ** 2) / (width * np.sqrt(2 * np.pi))


def lorentzian(energy, width):
    r"""Broadening :math:`\eta / \pi (E^2 + \eta^2)` [1/eV] of half width ``width`` at half maximum [eV]."""
    return width / np.pi / (energy**2 + width**2)
