"""How a parameter is declared, checked and written: the machinery under `stmlab.parameters`."""

import difflib
import math
import numbers
import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import tomlkit
from pydantic import BaseModel, ConfigDict, Field, ValidationError


class ParameterError(ValueError):
    """A parameter, study or parameter file that cannot be used; its message is one line."""


@dataclass(frozen=True)
class Leaf:
    """One parameter as it stands in a tree: its value and everything its declaration says."""

    value: object
    unit: str
    low: float | None
    high: float | None
    choices: tuple
    meaning: str
    kind: type = float

    @property
    def limits(self):
        """What is allowed, in words, such as ``[-3, 3] V`` or ``'up' or 'down'``."""
        if self.choices:
            return " or ".join(map(repr, self.choices))
        return "" if self.low is None else f"[{show(self.low)}, {show(self.high)}] {self.unit}".rstrip()


# ---- declaring ----------------------------------------------------------------------------------------


def quantity(default, unit, low, high, meaning):
    """Declare a number that must stay within [low, high], in `unit`."""
    return _declare(default, meaning, unit=unit, low=low, high=high)


def option(default, choices, meaning):
    """Declare a word that must be one of `choices`, which may be patterns such as ``*.toml``."""
    return _declare(default, meaning, choices=choices)


def text(default, meaning):
    """Declare a word whose form its group checks."""
    return _declare(default, meaning)


def _declare(default, meaning, unit="", low=None, high=None, choices=()):
    extra = {"unit": unit, "low": low, "high": high, "choices": list(choices)}
    return Field(default, description=meaning, json_schema_extra=extra)


class Frozen(BaseModel):
    """A value object that cannot be changed and refuses names it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def __setattr__(self, name, value):
        raise ParameterError(f"{name} cannot be assigned: parameters are immutable; use .set({{path: value}})")


class Group(Frozen):
    """A named set of parameters that refuses values outside their bounds."""

    def __init__(self, **values):
        path = f"{type(self).__name__.lower()}.{{}}".format
        known = {path(name): name for name in type(self).model_fields}
        for name in values:
            if path(name) not in known:
                raise unknown("parameter", path(name), known)
        declared = type(self).declared()
        clean = {name: check(path(name), declared[name], value) for name, value in values.items()}
        try:
            super().__init__(**clean)
        except ValidationError as error:
            raise _translated(error, path, declared) from None

    @classmethod
    @cache
    def declared(cls):
        """Map each name to the `Leaf` that was declared, holding its default."""
        return {name: _leaf(field) for name, field in cls.model_fields.items()}


def _leaf(field):
    said = dict(field.json_schema_extra)
    said["choices"] = tuple(said["choices"])
    return Leaf(value=field.default, meaning=field.description, kind=field.annotation, **said)


# ---- checking -----------------------------------------------------------------------------------------


def check(path, leaf, value):
    """Return `value` in the leaf's own type, or raise a `ParameterError` that says what is allowed."""
    if leaf.kind is str:
        return _checked_word(path, leaf, value)
    return _checked_number(path, leaf, value)


def _checked_word(path, leaf, value):
    if not isinstance(value, str):
        raise ParameterError(f"{path} = {show(value)} is not text; choose {leaf.limits or 'a word in quotes'}")
    if leaf.choices and not any(fnmatchcase(value, choice) for choice in leaf.choices):
        raise ParameterError(f"{path} = {show(value)} is not known; choose {leaf.limits}")
    return str(value)


def _checked_number(path, leaf, value):
    if type(value) is leaf.kind and leaf.low <= value <= leaf.high:  # what is right, most of the time, is right soon
        return value
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise ParameterError(f"{path} = {show(value)} is not a number; choose one in {leaf.limits}")
    said = f"{path} = {show(value)} {leaf.unit}".rstrip()
    if value != value or abs(value) == math.inf:
        raise ParameterError(f"{said} is not finite; choose a number in {leaf.limits}")
    if not leaf.low <= value <= leaf.high:
        raise ParameterError(f"{said} is outside {leaf.limits}; choose a value inside")
    if leaf.kind is int and value != int(value):
        raise ParameterError(f"{said} is not a whole number; choose one in {leaf.limits}")
    return leaf.kind(value)


def _translated(error, path, declared):
    """Turn pydantic's many lines into our one: only the groups' own validators get this far."""
    first = error.errors()[0]
    name, reason = first["loc"][0], first["msg"].removeprefix("Value error, ")
    said = f"{path(name)} = {show(first['input'])} {declared[name].unit}".rstrip()
    return ParameterError(f"{said} {reason}")


def show(value):
    """Print a value as one would write it by hand, on one short line."""
    if isinstance(value, numbers.Real) and not isinstance(value, bool | int):
        value = float(value)
    said = repr(value).removesuffix(".0")
    return said if len(said) <= 80 else said[:77] + "..."


def unknown(what, name, known):
    """Return the error for a name that does not exist, with the nearest ones that do."""
    near = _nearest(str(name), list(known))
    if near:
        hint = f"did you mean {' or '.join(map(repr, near))}?"
    else:
        hint = f"known: {', '.join(known)}" if len(known) <= 12 else "`stmlab parameters` lists them all"
    return ParameterError(f"unknown {what} {show(name)}; {hint}")


def _nearest(name, known):
    """Nearest whole names; else those that end alike; else whatever is not too far away."""
    ends = {path: path.rsplit(".", 1)[-1] for path in known}
    alike = difflib.get_close_matches(name.rsplit(".", 1)[-1], list(dict.fromkeys(ends.values())), cutoff=0.7)
    return (
        difflib.get_close_matches(name, known, cutoff=0.85)
        or [path for path in known if ends[path] in alike[:1]]
        or difflib.get_close_matches(name, known)
    )


# ---- files --------------------------------------------------------------------------------------------


def read_text(path):
    """Read a small text file, or raise a `ParameterError` that says why it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except IsADirectoryError:
        reason = "is a folder, not a .toml file"
    except FileNotFoundError:
        reason = "does not exist"
    except UnicodeDecodeError:
        reason = "is not a text file (UTF-8)"
    except OSError as error:
        reason = f"cannot be read: {error.strerror or error}"
    raise ParameterError(f"{path} {reason}")


def of_file(loads, path):
    """Apply `loads` to a file's text, with the file's name in front of what it complains about."""
    toml = read_text(path)
    try:
        return loads(toml)
    except ParameterError as error:
        raise ParameterError(f"{path}: {error}") from None


def parse(toml):
    """Parse TOML text into plain dicts."""
    try:
        return tomllib.loads(toml)
    except tomllib.TOMLDecodeError as error:
        raise ParameterError(f"not valid TOML: {' '.join(str(error).split())}") from None


def document(leaves, over=""):
    """Return a TOML document of the leaves; values replace those in the text `over`, whose comments stay."""
    doc = tomlkit.parse(over)
    for path, leaf in leaves.items():
        section, name = path.split(".")
        table = doc.setdefault(section, tomlkit.table())
        if name in table:
            table[name] = leaf.value
        else:
            table.add(name, tomlkit.item(leaf.value).comment(_remark(leaf)))
    return doc


def _remark(leaf):
    return f"{leaf.limits}: {leaf.meaning}" if leaf.limits else leaf.meaning
