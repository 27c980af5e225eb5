"""Every knob of the simulated microscope, in one immutable tree, and studies that vary them.

A leaf is declared once, with its default, unit, bounds and meaning. Sliders, parameter files, the command
line, the book's appendix, the ranges of datasets and provenance are all read off the tree.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import tomlkit
from pydantic import Field

from ._draws import FORMS, Choice, LogUniform, RootUniform, SameAs, Uniform, laws_table, parse_law, shares, stream
from ._groups import Defects, Feedback, Junction, Noise, Piezo, Raster, Relief, Sample, Tip
from ._resources import data_path, write_text
from ._tree import Frozen, Leaf, ParameterError, check, document, of_file, parse, show, unknown

__all__ = [
    "Choice", "Leaf", "LogUniform", "ParameterError", "Parameters", "RootUniform", "SameAs", "Study", "Uniform",
    "leaves", "stream",
]  # fmt: skip


class Parameters(Frozen):
    """One fully specified experiment.

    Examples
    --------
    >>> p = Parameters().set({"junction.bias": -1.2, "feedback.loop_gain": 0.8})
    >>> p.junction.bias
    -1.2

    Raises
    ------
    ParameterError
        One line that names the parameter, its value and unit, the allowed range, and what to do.
    """

    sample: Sample = Field(default_factory=Sample)
    defects: Defects = Field(default_factory=Defects)
    relief: Relief = Field(default_factory=Relief)
    tip: Tip = Field(default_factory=Tip)
    junction: Junction = Field(default_factory=Junction)
    raster: Raster = Field(default_factory=Raster)
    feedback: Feedback = Field(default_factory=Feedback)
    piezo: Piezo = Field(default_factory=Piezo)
    noise: Noise = Field(default_factory=Noise)

    def __init__(self, **groups):
        super().__init__(**{name: _group(name, value) for name, value in groups.items()})

    def __getitem__(self, path):
        """Return the value at a dotted path."""
        group, name = _split(path)
        return getattr(getattr(self, group), name)

    def set(self, changes):
        """Return a copy with changes such as ``{"junction.bias": -1.2}`` applied."""
        groups = {}
        for path, value in changes.items():
            group, name = _split(path)
            if group not in groups:
                groups[group] = dict(getattr(self, group))
            groups[group][name] = value
        return Parameters(**(dict(self) | groups))

    @classmethod
    def loads(cls, toml):
        """Read TOML text; what it does not mention keeps its default."""
        tree = parse(toml)
        if "vary" in tree:
            raise ParameterError("this is a study, not one experiment; read it with Study.load")
        return cls(**tree)

    def dumps(self):
        """Return TOML text with the range, unit and meaning of every value beside it."""
        return tomlkit.dumps(document(leaves(self)))

    @classmethod
    def from_toml(cls, path):
        """Read a parameter file."""
        return of_file(cls.loads, path)

    def to_toml(self, path):
        """Write a parameter file; the comments of a parameter file that is already there stay."""
        write_text(path, tomlkit.dumps(document(leaves(self), over=_existing(path))))


GROUPS = {name: branch.annotation for name, branch in Parameters.model_fields.items()}
LEAVES = {f"{group}.{name}": leaf for group, kind in GROUPS.items() for name, leaf in kind.declared().items()}
PARTS = {path: tuple(path.split(".")) for path in LEAVES}


def leaves(parameters):
    """Map each dotted path to its `Leaf`, in the order of declaration."""
    return {path: replace(leaf, value=parameters[path]) for path, leaf in LEAVES.items()}


def _group(name, value):
    if name not in GROUPS:
        raise unknown("section", name, GROUPS)
    if isinstance(value, GROUPS[name]):
        return value
    if not isinstance(value, Mapping):
        raise ParameterError(f"{name} = {show(value)} is not a section; write [{name}] and its values below")
    return GROUPS[name](**value)


def _changed(parameters, changes):
    """Do what `Parameters.set` does, sooner, for words that are known to be legal; numbers are checked again."""
    groups = {}
    for path, value in changes.items():
        group, name = _split(path)
        groups.setdefault(group, {})[name] = check(path, LEAVES[path], value)
    return parameters.model_copy(update={
        group: getattr(parameters, group).model_copy(update=values) for group, values in groups.items()
    })  # fmt: skip


def _split(path):
    if path not in PARTS:
        raise unknown("parameter", path, LEAVES)
    return PARTS[path]


def _existing(path):
    try:
        Parameters.from_toml(path)
    except ParameterError:
        return ""
    return Path(path).read_text(encoding="utf-8")


@dataclass(frozen=True)
class Study:
    """A base experiment and what varies from sample to sample.

    Parameters
    ----------
    base : Parameters
        What every sample shares.
    vary : dict
        Dotted path -> `Uniform`, `LogUniform`, `RootUniform`, `Choice` or `SameAs`. Whatever can be drawn must be
        legal.
    name, description : str
        What the study is called and for.
    """

    base: Parameters = field(default_factory=Parameters)
    vary: Mapping = field(default_factory=dict)
    name: str = ""
    description: str = ""

    def __post_init__(self):
        object.__setattr__(self, "vary", dict(self.vary))
        for path, law in self.vary.items():
            _split(path)
            if not isinstance(law, tuple(FORMS.values())):
                raise ParameterError(f"vary {path} = {show(law)} is not a distribution; "
                                     "use Uniform, LogUniform, RootUniform, Choice or SameAs")
            for end in self._source(path, law).ends():
                self._legal(path, end)

    def _source(self, path, law):
        """The law that a parameter follows in the end: its own, or that of the one that it copies."""
        if not isinstance(law, SameAs):
            return law
        _split(law.path)
        source = self.vary.get(law.path, Choice([self.base[law.path]]))
        if isinstance(source, SameAs):
            raise ParameterError(f"vary {path} copies {law.path}, itself a copy; name the one that is drawn")
        if any(getattr(LEAVES[law.path], what) != getattr(LEAVES[path], what) for what in ("unit", "kind")):
            raise ParameterError(f"vary {path} cannot be the same as {law.path}: they are not in the same unit")
        return source

    def _legal(self, path, end):
        try:
            self.base.set({path: end})
        except ParameterError as error:
            raise ParameterError(f"vary {error}") from None

    def draw(self, seed, index=0):
        """Return the parameters of sample `index`: a pure function of the study, the seed and the index."""
        laws = {path: law for path, law in self.vary.items() if not isinstance(law, SameAs)}
        where = shares(seed, index, [f"vary {path}" for path in laws])
        drawn = {
            path: law.at(share, whole=LEAVES[path].kind is int)
            for (path, law), share in zip(laws.items(), where, strict=True)
        }
        copied = {path: law.path for path, law in self.vary.items() if isinstance(law, SameAs)}
        return _changed(self.base, drawn | {path: drawn.get(of, self.base[of]) for path, of in copied.items()})

    def fixed(self, changes):
        """Return the same study with some parameters (dotted path -> value) that no longer vary."""
        kept = {path: law for path, law in self.vary.items() if path not in changes}
        return Study(self.base.set(changes), kept, self.name, self.description)

    @classmethod
    def load(cls, name_or_path):
        """Read a bundled study by its name, or any study or parameter file by its path."""
        bundled = {path.stem: path for path in sorted(data_path("studies").glob("*.toml"))}
        if str(name_or_path) in bundled:
            return of_file(cls.loads, bundled[str(name_or_path)])
        if Path(name_or_path).suffix == ".toml" or Path(name_or_path).exists():
            return of_file(cls.loads, name_or_path)
        raise unknown("study", str(name_or_path), bundled)

    @classmethod
    def loads(cls, toml):
        """Read TOML text: a parameter file with a name, a description and a ``[vary]`` table, all optional."""
        tree = parse(toml)
        said = {key: tree.pop(key) for key in ("name", "description") if key in tree}
        for key, value in said.items():
            if not isinstance(value, str):
                raise ParameterError(f"{key} = {show(value)} is not text; put it in quotes")
        vary = tree.pop("vary", {})
        if not isinstance(vary, dict):
            raise ParameterError(f"vary = {show(vary)} is not a section; write [vary] and its distributions below")
        laws = {path: parse_law(path, table) for path, table in vary.items()}
        return cls(Parameters(**tree), laws, **said)

    def dumps(self):
        """Return TOML text that `loads` reads back."""
        doc = tomlkit.document()
        for key in ("name", "description"):
            if getattr(self, key):
                doc.add(key, getattr(self, key))
        doc.update(document(leaves(self.base)))
        if self.vary:
            doc.add("vary", laws_table(self.vary))
        return tomlkit.dumps(doc)

    def to_toml(self, path):
        """Write a study file."""
        write_text(path, self.dumps())
