"""Every downloaded notebook runs in an empty folder with nothing but the wheel beside it: `make notebooks`.

Takes as long as the book takes to build, and needs `make book` first.
"""

import os
import zipfile
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

HTML = Path(os.environ.get("STMLAB_HTML", Path(__file__).parents[2] / "_build" / "html"))
FOLDER = HTML / "_downloads" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
WHOSE = "import stmlab\nprint(stmlab.__file__)"

# A figure that uses a name which a later cell takes for something else works in the book, but not in a notebook.
BEFORE = """
from stmlab.interactive.explore import Explore as _Explore

_figures, _make = [], _Explore.__init__


def _look(figure):
    return [[panel.levels().tobytes() if hasattr(panel, "z") else panel.ys.tobytes() for panel in figure.panels(values)]
            for values in (figure.default, figure.points[0], figure.points[-1])]


def _remember(self, *args, **kwargs):
    _make(self, *args, **kwargs)
    _figures.append((self, _look(self)))


_Explore.__init__ = _remember
"""
AFTER = """
for _figure, _first in _figures:
    assert _look(_figure) == _first, f"explore({_figure.name}) shows something else after the last cell"
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The wheel, unpacked where Python finds it first."""
    (wheel,) = FOLDER.glob("stmlab-*.whl")
    folder = tmp_path_factory.mktemp("installed")
    zipfile.ZipFile(wheel).extractall(folder)
    return folder


def test_there_are_notebooks():
    assert len(NOTEBOOKS) >= 12, f"no notebooks in {FOLDER}: run `make book` first"


@pytest.mark.filterwarnings("ignore")  # those of Jupyter's own machinery
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_in_an_empty_folder(path, installed, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(installed))
    for name in ("STMLAB_REAL_DATA", "STMLAB_CACHE", "STMLAB_BOOK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))  # where `stmlab fetch` may have put measurements
    folder = tmp_path / "empty"
    folder.mkdir()
    notebook = nbformat.read(path, 4)
    notebook.cells.insert(1, nbformat.v4.new_code_cell(BEFORE))
    notebook.cells += [nbformat.v4.new_code_cell(AFTER), nbformat.v4.new_code_cell(WHOSE)]
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(folder)}}).execute()
    assert str(installed) in notebook.cells[-1].outputs[0]["text"], "the wheel, not the repository"
    assert list(folder.iterdir()) == []
