"""One row of the dashboard for each parameter: a constant, or the law that a study draws it from."""

from __future__ import annotations

import tomllib
from html import escape
from itertools import product

import ipywidgets
import numpy as np
import tomlkit

from .._groups import PLANE_ATOMS
from ..parameters import Choice, LogUniform, ParameterError, RootUniform, SameAs, Uniform

FORMS = {
    "evenly": Uniform, "by factor": LogUniform, "by its root": RootUniform, "from a list": Choice,
    "the same as": SameAs,
}  # fmt: skip
APEXES = tuple(
    f"{axis}-{plane}-{''.join(keep)}"
    for axis, planes in PLANE_ATOMS.items()
    for plane, atoms in enumerate(planes)
    for keep in product("OX", repeat=atoms)
    if "O" in keep
)


class Look:
    """Layouts and styles that all rows share: a page of a hundred rows loads faster so."""

    def __init__(self):
        self.field = ipywidgets.Layout(width="auto", flex="1 1 12rem", min_width="6rem")
        self.short = ipywidgets.Layout(width="auto", flex="1 1 6rem", min_width="5rem")
        self.button = ipywidgets.Layout(width="3.4rem", flex="none")
        self.row = ipywidgets.Layout(flex_flow="row wrap", align_items="center", width="100%", overflow="visible")
        self._styles = {}

    def make(self, kind, described="initial", layout=None, **options):
        """Make a widget of a kind whose description is so wide, with the layout and style of its kin."""
        style = self._styles.get((kind, described), {"description_width": described})
        widget = kind(style=style, layout=layout or self.short, **options)
        self._styles[kind, described] = widget.style
        return widget


class Knob:
    """One parameter of the form.

    Parameters
    ----------
    path : str
        Dotted path of the parameter.
    leaf : Leaf
        Its default, unit, bounds and meaning.
    look : Look
        Shared by all rows.
    changed : callable
        Called with the path whenever a field of the row changes.
    """

    def __init__(self, path, leaf, look, changed):
        self.path, self.leaf, self.look, self._changed = path, leaf, look, changed
        self.quiet, self.spread, self.meaning = False, None, None
        self.name = path.split(".")[1].replace("_", " ")
        self.tip = ". ".join(part for part in (leaf.meaning, leaf.limits and f"Allowed: {leaf.limits}") if part)
        self.constant = self._field(leaf.value)
        self.vary = ipywidgets.ToggleButton(
            description="vary", tooltip=f"{self.name}: one value, or drawn anew for each sample", layout=look.button)
        self.row = ipywidgets.Box(layout=look.row)
        self.row.add_class("stmlab-row")
        self._arrange()
        self.constant.observe(self.moved, "value")
        self.vary.observe(self._toggled, "value")

    def _field(self, value):
        unit = f" [{self.leaf.unit}]" if self.leaf.unit else ""
        shared = {"value": value, "description": self.name + unit, "tooltip": self.tip}
        if self.leaf.kind is not str:
            kind, more = ipywidgets.FloatText, {"step": step(self.leaf)}
        elif is_closed(self.leaf):
            kind, more = ipywidgets.Dropdown, {"options": self.leaf.choices}
        else:
            kind, more = ipywidgets.Combobox, {"options": known(self.leaf), "continuous_update": False}
        return self.look.make(kind, "11rem", self.look.field, **shared, **more)

    def moved(self, _change=None):
        """Tell the form that a field has another value."""
        if not self.quiet:
            self._changed(self.path)

    def _toggled(self, change):
        if change["new"] and self.spread is None:
            kind = Picks if self.leaf.kind is str else Spread
            self.spread = kind(self)
        self.constant.disabled = change["new"]
        self._arrange()
        self.moved()

    def explain(self, wanted):
        """Show what the parameter means below it, or no longer."""
        self.meaning = self.meaning or self.look.make(ipywidgets.HTML, layout=self.look.field, value=escape(self.tip))
        self.meaning.add_class("stmlab-meaning")
        self._arrange(wanted)

    def _arrange(self, explained=None):
        explained = self.meaning in self.row.children if explained is None else explained
        parts = [self.constant, self.vary, *([self.spread.box] if self.vary.value else [])]
        self.row.children = [*parts, self.meaning] if explained else parts

    @property
    def value(self):
        """The constant as it stands in its field, legal or not."""
        return self.constant.value

    @property
    def law(self):
        """What the parameter is drawn from, or None where it is constant."""
        if not self.vary.value:
            return None
        try:
            return self.spread.law
        except ParameterError as error:
            raise ParameterError(f"vary {self.path}: {error}") from None

    def show(self, value, law):
        """Put a value and a law, or None, into the fields, without telling anybody."""
        self.quiet = True
        try:
            self.constant.value = value
            self.vary.value = law is not None
            if law is not None:
                self.spread.show(law)
        finally:
            self.quiet = False


class Spread:
    """The law of a number: its form, its ends and whether the sign is drawn too, or a list."""

    def __init__(self, knob):
        make, say, start = knob.look.make, knob.name, float(knob.value)
        end = {"kind": ipywidgets.FloatText, "value": start, "step": step(knob.leaf)}
        self.form = make(
            ipywidgets.Dropdown, options=list(FORMS), description="drawn", tooltip=f"{say}: how it varies")
        self.low = make(description="from", tooltip=f"{say}: lower end", **end)
        self.high = make(description="to", tooltip=f"{say}: upper end", **end)
        self.sign = make(
            ipywidgets.Checkbox, description="either sign", indent=False, tooltip=f"{say}: half of the values negated")
        self.list = Listing(knob, [start])
        self.other = make(ipywidgets.Text, description="parameter", continuous_update=False,
                          tooltip=f"{say}: which parameter it always equals, such as raster.width")
        self.signed = knob.leaf.low < 0 < knob.leaf.high
        self.box = ipywidgets.Box(layout=knob.look.row)
        self.box.add_class("stmlab-law")
        self._arrange()
        self.form.observe(self._arrange, "value")
        for field in (self.form, self.low, self.high, self.sign, self.other):
            field.observe(knob.moved, "value")

    def _arrange(self, _change=None):
        if self.form.value == "from a list":
            self.box.children = (self.form, self.list.field)
        elif self.form.value == "the same as":
            self.box.children = (self.form, self.other)
        else:
            sign = (self.sign,) if self.signed and self.form.value == "evenly" else ()
            self.box.children = (self.form, self.low, self.high, *sign)

    @property
    def law(self):
        """The law that the fields describe."""
        if self.form.value == "from a list":
            return self.list.law
        if self.form.value == "the same as":
            return SameAs(self.other.value)
        if self.form.value != "evenly":
            return FORMS[self.form.value](self.low.value, self.high.value)
        return Uniform(self.low.value, self.high.value, self.signed and self.sign.value)

    def show(self, law):
        """Put a law into the fields."""
        self.form.value = next(name for name, kind in FORMS.items() if isinstance(law, kind))
        if isinstance(law, Choice):
            self.list.show(law)
        elif isinstance(law, SameAs):
            self.other.value = law.path
        else:
            self.low.value, self.high.value = law.low, law.high
            self.sign.value = getattr(law, "either_sign", False)


class Listing:
    """A law written as a list of values."""

    def __init__(self, knob, values):
        say = f"{knob.name}: values with commas between, words in quotes"
        self.field = knob.look.make(
            ipywidgets.Text, layout=knob.look.field, description="one of", tooltip=say, continuous_update=False)
        self.show(Choice(values))
        self.field.observe(knob.moved, "value")

    @property
    def law(self):
        """The list as a law."""
        try:
            (values,) = tomllib.loads(f"values = [{self.field.value}]").values()
        except ValueError:
            raise ParameterError(f"{self.field.value!r} is no list; write values with commas between, such as "
                                 "0.1, 0.2 or 'up', 'down'") from None
        return Choice(values)

    def show(self, law):
        """Write a law as a list."""
        self.field.value = tomlkit.item(list(law.values)).as_string()[1:-1]


class Picks:
    """The law of a word: several of the known ones, or a list that names some of them more than once."""

    def __init__(self, knob):
        self.leaf = knob.leaf
        say = f"{knob.name}: any of these; hold Ctrl for several"
        self.several = knob.look.make(
            ipywidgets.SelectMultiple, layout=knob.look.field, description="one of", tooltip=say, rows=4)
        self.list = Listing(knob, [knob.value])
        self.box = ipywidgets.Box(layout=knob.look.row)
        self.box.add_class("stmlab-law")
        self.show(Choice([knob.value]))
        self.several.observe(knob.moved, "value")

    @property
    def law(self):
        """The law that the fields describe."""
        return Choice(self.several.value) if self.several in self.box.children else self.list.law

    def show(self, law):
        """Put a law into the fields; the order of its values counts in a draw, and stays."""
        if len(set(law.values)) == len(law.values):
            self.box.children = (self.several,)
            self.several.options = list(dict.fromkeys([*law.values, *known(self.leaf)]))
            self.several.value = law.values
        else:
            self.box.children = (self.list.field,)
            self.list.show(law)


def is_closed(leaf):
    """Whether a word must be one of a few."""
    return bool(leaf.choices) and not any("*" in choice for choice in leaf.choices)


def known(leaf):
    """Words to offer for a leaf; those that are free to choose are the apexes."""
    if leaf.choices:
        return tuple(choice for choice in leaf.choices if "*" not in choice)
    return APEXES if leaf.value in APEXES else (leaf.value, *APEXES)


def step(leaf):
    """Step of a number under the arrow keys: about a hundredth of its range, and round."""
    if leaf.kind is int:
        return 1.0
    raw = (leaf.high - leaf.low) / 200
    power = 10.0 ** np.floor(np.log10(raw))
    return float(f"{next(m for m in (1, 2, 5, 10) if m * power >= raw * (1 - 1e-9)) * power:.3g}")
