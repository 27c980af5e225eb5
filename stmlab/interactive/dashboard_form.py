"""The dashboard's form: every parameter of the tree, and the study that they make together."""

from __future__ import annotations

import re

import ipywidgets

from ..parameters import GROUPS, Choice, Parameters, SameAs, Study, leaves
from .dashboard_knobs import Knob, Look

CHANGED = "changed"


class Form:
    """A study in widgets.

    Parameters
    ----------
    study : Study
        What the fields show at first.
    changed : callable
        Called without arguments whenever a field changes.

    Attributes
    ----------
    box : ipywidgets.VBox
        What is displayed.
    knobs : dict of str to Knob
        Dotted path -> its row.
    """

    def __init__(self, study, changed=lambda: None):
        self._changed, self.defaults, look = changed, leaves(Parameters()), Look()
        self.knobs = {path: Knob(path, leaf, look, self._moved) for path, leaf in self.defaults.items()}
        wide = {"layout": ipywidgets.Layout(width="auto"), "style": {"description_width": "initial"}}
        self.name = ipywidgets.Text(description="study", placeholder="its name", continuous_update=False, **wide)
        self.description = ipywidgets.Text(description="about", placeholder="what it is for",
                                           continuous_update=False, **wide)  # fmt: skip
        self.find = ipywidgets.Text(description="find", placeholder="part of a name or a meaning", **wide)
        self.section = ipywidgets.ToggleButtons(
            options=[*GROUPS, CHANGED], style={"button_width": "auto"}, layout=ipywidgets.Layout(width="100%"),
            tooltips=[*(f"the {name}'s parameters" for name in GROUPS), "all that differ from the defaults or vary"])
        self.explain = ipywidgets.Checkbox(False, description="explain every parameter", indent=False)
        self.rows = ipywidgets.VBox(layout=ipywidgets.Layout(width="100%"))
        self.box = ipywidgets.VBox(
            [self.name, self.description, self.find, self.section, self.explain, self.rows])
        self.box.add_class("stmlab-form")
        for widget in (self.find, self.section):
            widget.observe(self._arrange, "value")
        self.explain.observe(self._explained, "value")
        self.show(study)

    @property
    def study(self):
        """The study that the fields describe.

        Raises
        ------
        ParameterError
            If a field holds what the parameters refuse.
        """
        laws = {path: law for path, knob in self.knobs.items() if (law := knob.law) is not None}
        base = Parameters().set({path: knob.value for path, knob in self.knobs.items()})
        return Study(base, {path: exact(law, self.defaults[path]) for path, law in laws.items()},
                     self.name.value, self.description.value)  # fmt: skip

    def show(self, study):
        """Put a study into the fields."""
        for path, leaf in leaves(study.base).items():
            self.knobs[path].show(leaf.value, study.vary.get(path))
        self.name.value, self.description.value = study.name, study.description
        self.mark("")
        self._arrange()

    def mark(self, message):
        """Mark the row that a message begins with, and no other."""
        said = re.match(r"(?:vary )?([a-z_]+\.\w+)", message)
        for path, knob in self.knobs.items():
            (knob.row.add_class if said and path == said[1] else knob.row.remove_class)("stmlab-wrong")

    def visible(self):
        """Paths whose rows are shown: those found, or those of the section."""
        wanted = self.find.value.strip().lower()
        if wanted:
            return [path for path, knob in self.knobs.items() if wanted in f"{path} {knob.name} {knob.tip}".lower()]
        if self.section.value == CHANGED:
            return [path for path, knob in self.knobs.items() if self._differs(path, knob)]
        return [path for path in self.knobs if path.startswith(f"{self.section.value}.")]

    def _differs(self, path, knob):
        return knob.vary.value or knob.value != self.defaults[path].value

    def _arrange(self, _change=None):
        self.rows.children = [self.knobs[path].row for path in self.visible()]

    def _explained(self, change):
        for knob in self.knobs.values():
            knob.explain(change["new"])

    def _moved(self, _path):
        self._changed()


def exact(law, leaf):
    """Make whole numbers whole again: a field of the browser knows no difference between 3 and 3.0."""
    if leaf.kind is not int or isinstance(law, Choice | SameAs):
        return law
    ends = {name: int(end) for name in ("low", "high") if (end := getattr(law, name)) % 1 == 0}
    return type(law)(**vars(law) | ends)
