"""What the extension puts beside the pages; the built book tests the rest."""

import shutil
from types import SimpleNamespace

import pytest
from docutils import nodes

from stmlab.interactive import downloads


@pytest.fixture
def app(tmp_path):
    """A book of two chapters and what Sphinx would say about it."""
    root = tmp_path / "root"
    (root / "book").mkdir(parents=True)
    for name in ("01_a", "02_b", "appendix"):
        (root / "book" / f"{name}.md").write_text(f"# Title of {name}\n")
    return SimpleNamespace(srcdir=root, outdir=root / "_build/html", builder=SimpleNamespace(format="html"))


def test_a_chapters_button_comes_first_and_other_pages_get_none(app):
    def buttons(page):
        group = {"label": "download-buttons", "buttons": [{"text": ".md"}]}
        context = {"header_buttons": [{"label": "full-screen"}, group], "pathto": lambda path, _: f"../{path}"}
        downloads.add_button(app, page, "page.html", context, None)
        return [(b["text"], b.get("url")) for b in group["buttons"]]

    assert buttons("book/02_b") == [(".ipynb", "../_downloads/notebooks/02_b.ipynb"), (".md", None)]
    assert buttons("book/appendix") == buttons("genindex") == [(".md", None)]


def test_the_list_names_chapters_and_wheel(app, monkeypatch):
    monkeypatch.setattr(downloads, "wheel", lambda app: SimpleNamespace(name="stmlab-1-py3-none-any.whl"))
    env = SimpleNamespace(app=app, docname="book/index", note_reread=lambda: None)
    directive = downloads.Downloads.__new__(downloads.Downloads)
    directive.state = SimpleNamespace(document=SimpleNamespace(settings=SimpleNamespace(env=env)))
    (made,) = directive.run()
    assert made.children[0].astext() == "Title of 01_a: 01_a.ipynb"
    assert [link["refuri"] for link in made.findall(nodes.reference)] == [
        f"../_downloads/notebooks/{name}" for name in ("01_a.ipynb", "02_b.ipynb", "stmlab-1-py3-none-any.whl")]


def test_numbers_are_those_of_the_pages():
    standard = SimpleNamespace(
        anonlabels={"fig-a": ("book/01_a", "fig-a"), "sec-a": ("book/02_b", "sec-a"), "fig-none": ("x", "id1")},
        labels={"sec-a": ("book/02_b", "sec-a", "A section")})
    math = SimpleNamespace(equations={"eq-a": ("book/01_a", 1), "eq-b": ("book/02_b", 2)})
    counted = {"book/01_a": {"figure": {"fig-a": (3,)}, "displaymath": {"equation-eq-a": (4, 2)}}}
    env = SimpleNamespace(
        get_domain={"std": standard, "math": math}.get, toc_fignumbers=counted,
        config=SimpleNamespace(numfig_format={"figure": "Fig. %s"}))
    assert downloads.numbers(env) == {
        "equations": {"eq-a": "4.2", "eq-b": "2"}, "figures": {"fig-a": "Fig. 3"},
        "labels": {"fig-a": ("01_a", ""), "sec-a": ("02_b", "A section"), "fig-none": ("x", "")},
    }  # fmt: skip


def test_the_wheel_is_built_once_per_state_of_the_library(app):
    root = app.srcdir
    (root / "stmlab").mkdir()
    (root / "stmlab/__init__.py").write_text("")
    (root / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "stmlab"\nversion = "7.1"\nrequires-python = ">=3.11"\n')
    first = downloads.wheel(app)
    assert first.name == "stmlab-7.1-py3-none-any.whl"
    made = first.stat().st_mtime_ns
    assert downloads.wheel(app).stat().st_mtime_ns == made
    (root / "stmlab/__init__.py").write_text("changed = 1")
    second = downloads.wheel(app)
    assert second != first
    assert not first.exists()


def test_a_wheel_that_cannot_be_built_is_an_error(app):
    with pytest.raises(RuntimeError, match="no wheel of stmlab"):
        downloads.wheel(app)


@pytest.mark.parametrize("reason", ["failed", "another builder"])
def test_an_unfinished_book_is_left_alone(app, reason, monkeypatch):
    monkeypatch.setattr(shutil, "copy", lambda *_: pytest.fail("something was written"))
    if reason == "another builder":
        app.builder.format = "latex"
    downloads.finish(app, OSError("disk full") if reason == "failed" else None)
    assert not app.outdir.exists()
