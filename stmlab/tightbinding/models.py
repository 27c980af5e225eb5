"""Tight-binding parameters, one table per published model [eV, Å]."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Model:
    """One orbital per atom and a hopping for each kind of bond.

    Parameters
    ----------
    name, reference : str
        What it is called and where it comes from.
    onsite : dict of str to float
        Energy of the orbital of each element [eV].
    bonds : tuple of (str, str, float, float)
        Two elements, bond length [Å] and hopping [eV].
    tolerance : float
        A pair counts as a bond when its length is within this of the table's [Å].
    """

    name: str
    reference: str
    onsite: dict
    bonds: tuple
    tolerance: float = 0.2

    @property
    def reach(self) -> float:
        """Longest pair that can be a bond [Å]."""
        return max(length for *_, length, _ in self.bonds) + self.tolerance


_THESIS = "V. Luzny, Synthetic STM Imaging, master's thesis; https://github.com/luzny274/Synthetic-STM-Imaging"

MODELS = {
    model.name: model
    for model in (
        Model(
            name="single-orbital",
            reference=_THESIS,
            onsite={"W": 0.0, "Se": 0.0},
            bonds=(("W", "Se", 2.55, 1.19),),
        ),
        Model(
            name="tungsten-single-orbital",
            reference=_THESIS,
            onsite={"W": 0.0},
            bonds=(("W", "W", 2.741, 2.5), ("W", "W", 3.165, 2.0)),
        ),
    )
}


def model_named(model):
    """Return a `Model` for its name (or the model itself).

    Raises
    ------
    ValueError
        If there is no such model.
    """
    if isinstance(model, Model):
        return model
    if model not in MODELS:
        raise ValueError(f"unknown model {model!r}; known: {', '.join(MODELS)}")
    return MODELS[model]
