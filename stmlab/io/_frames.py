"""What the readers of instrument files share: units, bounds on what a file promises, and currents as logarithms."""

import numpy as np

from ._files import FileError

ANGSTROM = 1e10  # Å per m
PREFIXES = {"f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "µ": 1e-6, "μ": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6}
WORDS = {"Å": (1e-10, "m"), "Ampere": (1.0, "A"), "Volt": (1.0, "V"), "Meter": (1.0, "m")}
SMALL = 2**22  # pixels: so many are set aside whatever the file holds, 64 MiB for both passes


def si(unit):
    """Return the factor and the unit that turn a unit with a prefix into SI: ``nm`` -> (1e-9, "m").

    Only metre, ampere, volt, second and hertz are taken apart; any other comes back as it is, with the factor 1.
    """
    unit = unit.strip()
    if unit in WORDS:
        return WORDS[unit]
    for base in ("m", "A", "V", "s", "Hz"):
        if unit.endswith(base) and unit.removesuffix(base) in PREFIXES:
            return PREFIXES[unit.removesuffix(base)], base
    return 1.0, unit


def check_frame(lines, pixels, there):
    """Refuse a frame of which the file cannot hold more than a small part.

    Parameters
    ----------
    lines, pixels : int
        What the header promises.
    there : int
        Values that the file holds.

    Raises
    ------
    FileError
        Before anything is allocated.
    """
    if lines < 1 or pixels < 1:
        raise FileError(f"has a frame of {lines} lines by {pixels} pixels; it is damaged")
    if lines * pixels > max(SMALL, 64 * there):
        raise FileError(f"promises {lines} x {pixels} pixels and holds {there}; copy it again from the instrument")


def finite(values, scale=1.0, offset=0.0):
    """Return values times a scale plus an offset as floats; what is not finite becomes NaN."""
    with np.errstate(all="ignore"):
        values = np.asarray(values, dtype=float) * scale + offset
    return np.where(np.isfinite(values), values, np.nan)


def number(text, decimal="."):
    """Return a text's first word as a finite float, or None."""
    try:
        value = float(str(text).replace(decimal, ".").split()[0])
    except (ValueError, IndexError):
        return None
    return value if np.isfinite(value) else None


def log_ratio(current, setpoint):
    """Return ln(|I| / I_set), NaN where I is 0 or unknown; None without a current or a setpoint."""
    if current is None or not setpoint:
        return None
    current = np.abs(current)
    return np.log(np.where(current > 0, current, np.nan)) - np.log(abs(setpoint))


def choose(names, wanted):
    """Raise the error that lists the channels there are, unless the wanted one is among them."""
    if wanted not in names:
        raise FileError(f"has no channel {wanted!r}; choose one of: {', '.join(names) or 'none'}")
