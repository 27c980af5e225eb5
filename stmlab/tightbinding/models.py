"""Tight-binding parameters: one table (TOML, with its source) for each published model."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from .._resources import data_path
from . import fang
from .slater_koster import hopping_block

UNITS = {"eV": 1.0, "Ry": 13.605693}
TOLERANCE = 0.2  # a pair is a bond when its length is within this of the table's [Å]


@dataclass(frozen=True, eq=False)
class Model:
    """Orbitals of each element, their energies, and a rule for the hoppings between two atoms.

    Parameters
    ----------
    name, reference, doi : str
        What it is called and where it comes from.
    kind : {"slater-koster", "fang", "liu"}
        Rule for the hoppings.
    lattice : dict
        ``a`` and, for a sheet, ``thickness`` [Å] that the parameters belong to.
    orbitals : dict of str to tuple of str
        Orbitals of each element.
    onsite : dict of str to ndarray
        Their energies [eV].
    spin_orbit : dict of str to float
        lambda in lambda L.S [eV].
    electrons : int
        In a neutral primitive cell, both spins; 0 where unknown.
    table : dict
        What the rule needs.
    """

    name: str
    reference: str
    kind: str
    lattice: dict
    orbitals: dict
    onsite: dict
    spin_orbit: dict
    electrons: int
    table: dict = field(repr=False)
    doi: str = ""

    @property
    def elements(self) -> tuple:
        """Elements of the primitive cell, the metal first."""
        return tuple(self.orbitals)

    @cached_property
    def reach(self) -> float:
        """Longest pair that can be a bond [Å]."""
        if self.kind == "fang":
            return 1.5 * self.lattice["a"]
        return max(bond["length"] for bond in self.table["bond"]) + TOLERANCE

    def labels(self, atoms):
        """What tells the atoms of a structure apart, (N,): their element, and for `fang` the layer."""
        symbols = np.array(atoms.get_chemical_symbols(), dtype="U3")
        if self.kind == "fang":
            metal, z = symbols == self.elements[0], atoms.positions[:, 2]
            above = z > (z[metal] if metal.any() else z).mean()
            return np.where(metal, fang.METAL_ATOM, np.where(above, fang.TOP_ATOM, fang.BOTTOM_ATOM))
        return symbols

    def block(self, left, right, vector):
        """Hoppings [eV] from the orbitals of one atom to those of another, ``vector`` [Å] apart; None if no bond."""
        if self.kind == "fang":
            return fang.block(self.table["hoppings"], left, right, self._thirds(vector))
        length = np.linalg.norm(vector)
        for bond in self.table["bond"]:
            if sorted(bond["atoms"]) == sorted((left, right)) and abs(length - bond["length"]) < TOLERANCE:
                return hopping_block(self.orbitals[left], self.orbitals[right], vector / length, bond)
        return None

    def _thirds(self, vector):
        a = self.lattice["a"]
        steps = vector[:2] @ np.linalg.inv([[a, 0], [-a / 2, a * np.sqrt(3) / 2]]) * 3
        if np.abs(steps - np.rint(steps)).max() > 0.3:
            raise ValueError(f"model {self.name!r} needs a sheet with a1 along x, as wse2 makes it")
        return tuple(int(n) for n in np.rint(steps))


def load_model(path):
    """Read a `Model` from a TOML table.

    Raises
    ------
    ValueError
        If the table is incomplete or of an unknown kind.
    """
    try:
        table = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        unit = UNITS[table.get("unit", "eV")]
        common = {key: table[key] for key in ("name", "reference", "kind", "lattice")}
        common |= {"doi": table.get("doi", ""), "electrons": int(table.get("electrons", 0))}
        soc = {element: unit * value for element, value in table.get("spin-orbit", {}).items()}
        make = {"slater-koster": _slater_koster, "fang": _fang, "liu": _liu}[table["kind"]]
        return Model(**common, spin_orbit=soc, **make(table, unit))
    except OSError as problem:
        raise ValueError(f"{path}, a table of a tight-binding model, cannot be read: {problem.strerror}") from problem
    except (KeyError, TypeError, AttributeError, ValueError) as problem:
        raise ValueError(f"{path} is no table of a tight-binding model: {problem}") from problem


def _slater_koster(table, unit):
    orbitals = {element: tuple(names) for element, names in table["orbitals"].items()}
    onsite = {e: unit * np.array([table["onsite"][e][o] for o in names]) for e, names in orbitals.items()}
    bonds = [
        {key: value if key in ("atoms", "length") else unit * value for key, value in bond.items()}
        for bond in table["bond"]
    ]
    return {"orbitals": orbitals, "onsite": onsite, "table": {"bond": bonds}}


def _fang(table, unit):
    t1, t5, t6 = (
        {tuple(map(int, key.split(","))): unit * value for key, value in table[name].items()}
        for name in ("t1", "t5", "t6")
    )
    energy = unit * np.array(table["onsite"]["energy"])
    hoppings = fang.parity_hoppings(t1, t5, t6, energy)
    atoms = dict(zip(table["elements"], (fang.METAL_ATOM, fang.TOP_ATOM), strict=True))
    return {
        "orbitals": {element: fang.ORBITALS[label] for element, label in atoms.items()},
        "onsite": {element: fang.block(hoppings, label, label, (0, 0)).diagonal() for element, label in atoms.items()},
        "table": {"hoppings": hoppings},
    }


def _liu(table, unit):
    return {"orbitals": {}, "onsite": {}, "table": {key: unit * value for key, value in table["hopping"].items()}}


@lru_cache
def _bundled(name):
    if name not in model_names():
        raise ValueError(f"unknown model {name!r}; known: {', '.join(model_names())}")
    return load_model(data_path("models", f"{name}.toml"))


def model_names():
    """Names of the bundled models."""
    return sorted(path.stem for path in data_path("models").glob("*.toml"))


def model_named(model):
    """Return a `Model` for its name, for the path of a TOML table, or for itself.

    Raises
    ------
    ValueError
        If there is no such model.
    """
    if isinstance(model, Model):
        return model
    if str(model).endswith(".toml"):
        return load_model(model)
    return _bundled(model)
