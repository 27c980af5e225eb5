"""Randomness with a name: independent streams, and the distributions that a study draws from."""

import math
import operator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from struct import pack

import numpy as np
import tomlkit

from ._tree import ParameterError, show


def stream(seed, index, name):
    """Return an independent generator for one named source of randomness.

    The same three arguments give the same numbers on every machine; a different name, index or seed
    gives numbers independent of all others. Switching one source on therefore never moves another.

    Parameters
    ----------
    seed, index : int
        Seed of the run and number of the sample, both in [0, 2^64).
    name : str
        What the numbers are for, such as ``"defects"``.

    Returns
    -------
    numpy.random.Generator

    Raises
    ------
    ParameterError
        If seed or index is not such a whole number, or the name is not a word.
    """
    words = np.frombuffer(_where(seed, index) + _digest(name), "<u4")
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(words)))


def shares(seed, index, names):
    """Return one number in [0, 1) for each name, uniform and independent of all others.

    Each is the first 53 bits of a hash of seed, index and its own name: what else is drawn never counts.

    Parameters
    ----------
    seed, index : int
        As in `stream`.
    names : iterable of str
        What the numbers are for.

    Returns
    -------
    list of float
    """
    where = _where(seed, index)
    words = [blake2b(where + _encoded(name), digest_size=8).digest() for name in names]
    return [(int.from_bytes(word, "little") >> 11) * 2.0**-53 for word in words]


def _where(seed, index):
    """Sixteen bytes, always: of varying number, two (seed, index) pairs could give the same."""
    return pack("<QQ", _count("seed", seed), _count("index", index))


@lru_cache(maxsize=1024)
def _digest(name):
    """Return eight bytes that stand for a name."""
    return blake2b(_encoded(name), digest_size=8).digest()


def _encoded(name):
    if not (isinstance(name, str) and name):
        raise ParameterError(f"stream name = {show(name)} is not a word; name what the numbers are for")
    return name.encode()


def _count(name, value):
    try:
        number = -1 if isinstance(value, bool | np.bool_) else operator.index(value)
    except TypeError:
        number = -1
    if not 0 <= number < 2**64:
        raise ParameterError(f"{name} = {show(value)} is not a whole number in [0, 2^64); choose 0, 1, 2, ...")
    return number


class Law:
    """What `Uniform`, `LogUniform`, `RootUniform` and `Choice` have in common."""

    def draw(self, rng, whole=False):
        """Draw one value."""
        return self.at(rng.random(), whole)


@dataclass(frozen=True)
class Uniform(Law):
    """Every value between `low` and `high` alike; with `either_sign`, half of them negated."""

    low: float
    high: float
    either_sign: bool = False

    def __post_init__(self):
        _check_range(self, least=0 if self.either_sign else -math.inf)

    def ends(self):
        """Return the values that must be legal for every draw to be: the ends, and zero where it lies between."""
        signs = (1, -1) if self.either_sign else (1,)
        ends = [sign * end for sign in signs for end in (self.low, self.high)]
        return [*ends, 0] if self.low < 0 < self.high else ends

    def at(self, share, whole=False):
        """Return the number below which a share in [0, 1) of the draws lies; `whole` gives integers, ends included.

        With `either_sign`, the upper half of the shares is that of the negative numbers.
        """
        sign = 1
        if self.either_sign:
            sign, share = (1, 2 * share) if share < 0.5 else (-1, 2 * share - 1)
        width = self.high - self.low + whole
        value = self.low + (math.floor(width * share) if whole else width * share)
        return sign * (int if whole else float)(min(max(value, self.low), self.high))


@dataclass(frozen=True)
class LogUniform(Law):
    """Every factor alike: the logarithm is uniform between those of `low` and `high`, both above 0."""

    low: float
    high: float

    def __post_init__(self):
        _check_range(self, least=math.ulp(0.0))

    def ends(self):
        """Return the values that must be legal for every draw to be."""
        return [self.low, self.high]

    def at(self, share, whole=False):
        """Return the number below which a share of the draws lies; `whole` gives k the weight ln((k + 1) / k)."""
        return _bent(self, share, whole, math.log, math.exp)


@dataclass(frozen=True)
class RootUniform(Law):
    """The square root is uniform between those of `low` and `high`, both at least 0.

    What depends on the root of a parameter is then uniform, such as kappa, which is proportional to that of the
    work function.
    """

    low: float
    high: float

    def __post_init__(self):
        _check_range(self, least=0)

    def ends(self):
        """Return the values that must be legal for every draw to be."""
        return [self.low, self.high]

    def at(self, share, whole=False):
        """Return the number below which a share of the draws lies; `whole` gives k the weight sqrt(k + 1) - sqrt(k)."""
        return _bent(self, share, whole, math.sqrt, lambda root: root * root)


def _bent(law, share, whole, there, back):
    """Quantile of what is uniform after a transform `there`, whose inverse is `back`."""
    top = law.high + 1 if whole else law.high
    value = back(there(law.low) + (there(top) - there(law.low)) * share)
    value = min(max(math.floor(value) if whole else value, law.low), law.high)
    return int(value) if whole else float(value)


@dataclass(frozen=True)
class Choice(Law):
    """One of a few values, each as likely as the others."""

    values: tuple

    def __post_init__(self):
        if isinstance(self.values, str) or not hasattr(self.values, "__iter__"):
            raise ParameterError(f"Choice({show(self.values)}) needs a list of values")
        object.__setattr__(self, "values", tuple(self.values))
        if not self.values:
            raise ParameterError("Choice([]) has nothing to choose from; give at least one value")

    def ends(self):
        """Return the values that must be legal for every draw to be."""
        return list(self.values)

    def at(self, share, whole=False):
        """Return the value in whose part of [0, 1) the share lies."""
        return self.values[min(int(len(self.values) * share), len(self.values) - 1)]  # rounding may reach the end


@dataclass(frozen=True)
class SameAs:
    """Whatever another parameter of the sample is, drawn or not: the two go together."""

    path: str

    def __post_init__(self):
        if not isinstance(self.path, str):
            raise ParameterError(f"SameAs({show(self.path)}) needs the name of a parameter in quotes")


def _check_range(law, least):
    low, high = law.low, law.high
    said = f"{type(law).__name__}({show(low)}, {show(high)})"
    for end in (low, high):
        if isinstance(end, bool) or not isinstance(end, int | float) or not math.isfinite(end):
            raise ParameterError(f"{said}: {show(end)} is not a finite number")
    if low > high:
        raise ParameterError(f"{said} is empty; put the lower end first")
    if low < least:
        raise ParameterError(f"{said} must start {'above 0' if least else 'at 0 or above: the sign is drawn apart'}")


FORMS = {
    "uniform": Uniform, "log_uniform": LogUniform, "root_uniform": RootUniform, "choice": Choice, "same_as": SameAs,
}  # fmt: skip


def parse_law(path, table):
    """Read one distribution: the keys of `FORMS`, each as the message below writes it."""
    help = ("write {uniform = [low, high]}, {log_uniform = [low, high]}, {root_uniform = [low, high]}, "
            '{choice = [a, b, ...]} or {same_as = "group.name"}')
    if not isinstance(table, dict) or len(forms := [key for key in FORMS if key in table]) != 1:
        raise ParameterError(f"vary {path} = {show(table)} is not a distribution; {help}")
    (form,), said = forms, table[forms[0]]
    rest = {key: value for key, value in table.items() if key != form}
    allowed = {"either_sign"} if form == "uniform" else set()
    fits = isinstance(said, str if form == "same_as" else list) and (form in ("choice", "same_as") or len(said) == 2)
    if not fits or not rest.keys() <= allowed or not all(isinstance(v, bool) for v in rest.values()):
        raise ParameterError(f"vary {path} = {show(table)} is not a distribution; {help}")
    return FORMS[form](said) if form in ("choice", "same_as") else FORMS[form](*said, **rest)


def laws_table(laws):
    """Return the ``[vary]`` table that `parse_law` reads, one distribution a line."""
    table = tomlkit.table()
    for path, law in laws.items():
        table.add(path, tomlkit.inline_table())
        table[path].update(_law_dict(law))
    return table


def _law_dict(law):
    form = next(name for name, kind in FORMS.items() if isinstance(law, kind))
    said = {"choice": lambda: list(law.values), "same_as": lambda: law.path}.get(form, lambda: [law.low, law.high])()
    return {form: said} | ({"either_sign": True} if getattr(law, "either_sign", False) else {})
