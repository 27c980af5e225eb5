"""Every knob of the simulated microscope, in one immutable tree, and studies that vary them.

A leaf is declared once, with its default, unit, bounds and meaning. Sliders, parameter files, the command
line, the book's appendix, the ranges of datasets and provenance are all read off the tree.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import tomlkit
from pydantic import Field, field_validator

from ._draws import Choice, LogUniform, Uniform, laws_table, parse_law, stream
from ._resources import data_path, write_text
from ._tree import Frozen, Group, Leaf, ParameterError, document, of_file, option, parse, quantity, show, text, unknown

__all__ = ["Choice", "Leaf", "LogUniform", "ParameterError", "Parameters", "Study", "Uniform", "leaves", "stream"]

# Atoms in each plane of a tungsten tip, counted from its lowest atom; plane 0 is the lowest.
PLANE_ATOMS = {"111": (1, 3, 1, 6), "001": (1, 4)}


class Sample(Group):
    """The WSe2 sheet and how its electrons are modelled."""

    model: str = option("single-orbital", ("single-orbital",), "tight-binding model of the sheet")
    lattice_constant: float = quantity(3.32, "Å", 3.0, 3.6, "in-plane lattice constant")
    thickness: float = quantity(3.36, "Å", 3.0, 3.7, "distance between the two selenium planes")
    broadening: float = quantity(0.1, "eV", 0.005, 1.0, "standard deviation of the Gaussian that broadens each level")


class Defects(Group):
    """Point defects: each site is one with probability density times area per site."""

    se_vacancy_top: float = quantity(0.003, "1/Å²", 0.0, 0.02, "missing selenium atoms in the top layer")
    se_vacancy_bottom: float = quantity(0.001, "1/Å²", 0.0, 0.02, "missing selenium atoms in the bottom layer")
    dopant_top: float = quantity(0.0, "1/Å²", 0.0, 0.02, "dopants on selenium sites of the top layer")
    dopant_bottom: float = quantity(0.0, "1/Å²", 0.0, 0.02, "dopants on selenium sites of the bottom layer")
    dopant_potential: float = quantity(0.3, "eV", -3.0, 3.0, "shift of the on-site energy at a dopant")


class Tip(Group):
    """The tungsten tip."""

    apex: str = text(
        "111-1-OXX",
        "ORIENTATION-PLANE-KEEP: axis 111 or 001, lowest plane left, O keeps and X removes each atom of it")
    rotation: float = quantity(0.0, "deg", -360.0, 360.0, "counter-clockwise rotation about the tip's axis")
    depth: float = quantity(1.0, "Å", 0.0, 4.0, "atoms up to this far above the lowest one also carry current")

    @field_validator("apex")
    @classmethod
    def _apex_exists(cls, apex):
        axis, plane, keep = (apex.split("-") + ["", ""])[:3] if apex.count("-") == 2 else ("", "", "")
        planes = PLANE_ATOMS.get(axis)
        if planes is None or plane not in map(str, range(len(planes))):
            raise ValueError("is no ORIENTATION-PLANE-KEEP with 111 and plane 0 to 3, or 001 and plane 0 or 1; "
                             "choose one such as 111-1-OXX")
        atoms = planes[int(plane)]
        if len(keep) != atoms or set(keep) - set("OX") or "O" not in keep:
            raise ValueError(f"does not fit plane {plane} of {axis}; choose {atoms} letters O (keep) or X (remove), "
                             "at least one O")
        return apex


class Junction(Group):
    """The vacuum junction between tip and sample."""

    bias: float = quantity(0.5, "V", -3.0, 3.0, "sample voltage, never 0; positive probes empty sample states")
    work_function: float = quantity(4.5, "eV", 1.0, 8.0, "mean height of the tunnelling barrier")
    height: float = quantity(
        5.0, "Å", 2.5, 12.0,
        "start height of the lowest tip atom above the top Se plane; the median current there is the setpoint")
    temperature: float = quantity(4.2, "K", 0.0, 1000.0, "temperature of the electrons in tip and sample")

    @field_validator("bias")
    @classmethod
    def _bias_drives_a_current(cls, bias):
        if abs(bias) < 0.001:
            raise ValueError("drives no current; choose a magnitude of at least 0.001 V")
        return bias


class Raster(Group):
    """The frame and the order in which the tip visits its pixels."""

    width: float = quantity(30.0, "Å", 5.0, 500.0, "size of the frame along the fast axis")
    height: float = quantity(30.0, "Å", 5.0, 500.0, "size of the frame along the slow axis")
    pixels: int = quantity(64, "", 2, 2048, "pixels along the fast axis")
    lines: int = quantity(64, "", 2, 2048, "lines along the slow axis")
    angle: float = quantity(0.0, "deg", -360.0, 360.0, "counter-clockwise rotation of the frame")
    line_time: float = quantity(0.25, "s", 0.001, 60.0, "time for one trace; the retrace takes as long")
    direction: str = option("up", ("up", "down"), "whether the slow axis starts at the bottom or the top")


class Feedback(Group):
    """The loop that moves the tip to hold the current."""

    loop_gain: float = quantity(
        0.3, "", 0.0, 2.5, "2 kappa Ki dt: share of the height error removed per update; 1 = dead-beat, 2 = unstable")
    kp: float = quantity(0.0, "Å", 0.0, 5.0, "proportional gain, per unit of ln I")
    kd: float = quantity(0.0, "Å s", 0.0, 1.0, "derivative gain, per unit of ln I")
    steps_per_pixel: int = quantity(8, "", 1, 64, "controller updates per pixel")


class Piezo(Group):
    """The scanner and what it does besides what was commanded."""

    drift_x: float = quantity(0.0, "Å/s", -5.0, 5.0, "velocity of the tip over the sample beyond the command, along x")
    drift_y: float = quantity(0.0, "Å/s", -5.0, 5.0, "velocity of the tip over the sample beyond the command, along y")
    drift_z: float = quantity(0.0, "Å/s", -5.0, 5.0, "velocity of the tip over the sample beyond the command, along z")
    sensitivity: float = quantity(50.0, "Å/V", 1.0, 1000.0, "nominal calibration of the z piezo")


class Noise(Group):
    """What disturbs the measurement."""

    current: float = quantity(0.02, "", 0.0, 1.0, "relative rms noise of the current at each controller update")


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
            groups.setdefault(group, dict(getattr(self, group)))[name] = value
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


def _split(path):
    if path not in LEAVES:
        raise unknown("parameter", path, LEAVES)
    return path.split(".")


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
        Dotted path -> `Uniform`, `LogUniform` or `Choice`. Whatever can be drawn must be legal.
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
            if not isinstance(law, Uniform | LogUniform | Choice):
                raise ParameterError(f"vary {path} = {show(law)} is not a distribution; "
                                     "use Uniform, LogUniform or Choice")
            for end in law.ends():
                self._legal(path, end)

    def _legal(self, path, end):
        try:
            self.base.set({path: end})
        except ParameterError as error:
            raise ParameterError(f"vary {error}") from None

    def draw(self, seed, index=0):
        """Return the parameters of sample `index`: a pure function of the study, the seed and the index."""
        return self.base.set({
            path: law.draw(stream(seed, index, f"vary {path}"), whole=LEAVES[path].kind is int)
            for path, law in self.vary.items()
        })

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
