"""The whole microscope as a page of knobs and pictures."""

from __future__ import annotations

from stmlab.interactive.explore import in_book


def dashboard(study=None):
    """Return the dashboard: every parameter, constant or varied, and what the microscope makes of them.

    Parameters
    ----------
    study : Study, Parameters or str, optional
        Where the knobs start: a study, one experiment, the name of a bundled study or the path of a file.

    Returns
    -------
    Dashboard
        Displays itself in a notebook; in the rendered book, where nothing can be turned, as pictures.

    Raises
    ------
    ParameterError
        If the study cannot be read.
    ImportError
        If ipywidgets is not installed.
    """
    start = as_study(study)
    if in_book():
        return Leaflet(start)
    try:
        from stmlab.interactive.dashboard_window import Dashboard
    except ModuleNotFoundError as error:
        if error.name != "ipywidgets":
            raise
        raise ImportError("the dashboard needs ipywidgets: pip install 'stmlab[book]'") from error
    return Dashboard(start)


def as_study(study):
    """Turn whatever names a study into one."""
    from stmlab.parameters import Parameters, Study

    if study is None or isinstance(study, Parameters):
        return Study(study or Parameters())
    return study if isinstance(study, Study) else Study.load(study)


class Leaflet:
    """What the dashboard shows of the first sample, for a page without a kernel."""

    def __init__(self, study):
        self.study = study

    def _repr_mimebundle_(self, include=None, exclude=None):
        from stmlab.interactive.dashboard_panels import TITLES, panels
        from stmlab.interactive.dashboard_render import render
        from stmlab.interactive.dashboard_style import STYLE

        charts = panels(render(self.study).shots[0])
        html = f'{STYLE}<div class="stmlab-panels">{"".join(charts.values())}</div>'
        return {"text/html": html, "text/plain": f"The dashboard's pictures: {', '.join(TITLES.values())}."}
