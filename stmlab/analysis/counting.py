"""How many defects there are on an area, and how well a count says so."""

from typing import NamedTuple

import numpy as np
from scipy.special import gammaincinv

ONE_SIGMA = 0.6826894921370859  # share of a normal distribution within one standard deviation
PER_CM2 = 1e14  # nm2 in a cm2


class Density(NamedTuple):
    """A number of defects per area with the limits of a confidence interval, all in 1/nm2."""

    value: float
    low: float
    high: float

    @property
    def per_cm2(self):
        """The same in 1/cm2."""
        return Density(*(PER_CM2 * number for number in self))


def defect_density(count, area, confidence=ONE_SIGMA):
    r"""Density of defects from a count, with the exact interval of a Poisson variable.

    .. math::
        n_\mathrm{low} = \tfrac12 \chi^2_{\alpha/2}(2 n), \qquad
        n_\mathrm{high} = \tfrac12 \chi^2_{1-\alpha/2}(2 n + 2), \qquad \alpha = 1 - \mathrm{confidence}

    with :math:`\chi^2_p(k)` the quantile of k degrees of freedom (Garwood's interval). It covers the true mean at
    least as often as it promises, also for few counts, where :math:`\sqrt n` does not. Missed and false
    detections are not in it.

    Parameters
    ----------
    count : int
        Number n of defects found.
    area : float
        On which they were sought, what was left out taken off [nm2].
    confidence : float
        Probability that the interval covers the truth; one standard deviation by default.

    Returns
    -------
    Density
        In 1/nm2; `Density.per_cm2` for 1/cm2. Without a single count the lower limit is 0.

    Raises
    ------
    ValueError
        If the count is no whole number of at least 0, the area not positive, or the confidence not inside 0 to 1.

    References
    ----------
    F. C. Porter, arXiv:2509.02852: why Garwood's interval, among the many.

    Examples
    --------
    >>> density = defect_density(16, 900.0)
    >>> print(f"{density.value:.4f} ({density.low:.4f} to {density.high:.4f}) per nm2")
    0.0178 (0.0134 to 0.0234) per nm2
    """
    if not (float(count).is_integer() and count >= 0):
        raise ValueError(f"count = {count} must be a whole number of at least 0")
    if not (np.isfinite(area) and area > 0):
        raise ValueError(f"area = {area} nm2 must be finite and greater than 0")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence = {confidence} must lie between 0 and 1")
    tail = (1 - confidence) / 2
    low = gammaincinv(count, tail) if count else 0.0  # half the quantile of chi2; scipy.stats would be slow to import
    return Density(*(float(number) / area for number in (count, low, gammaincinv(count + 1, 1 - tail))))
