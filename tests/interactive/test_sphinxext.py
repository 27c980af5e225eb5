"""The Sphinx extension, piece by piece; the built book tests the rest."""

import os
import re
import subprocess
from types import SimpleNamespace

import pytest
from docutils import nodes

from stmlab import __version__
from stmlab.interactive import sphinxext
from stmlab.interactive.static import player


@pytest.fixture
def root(tmp_path):
    """A repository with a library and data."""
    for name in ("stmlab/a.py", "stmlab/interactive/explore.js", "data/table.toml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


@pytest.mark.parametrize("name", ["stmlab/a.py", "stmlab/interactive/explore.js", "data/table.toml", "data/new.toml"])
def test_fingerprint_follows_library_and_data(root, name):
    before = sphinxext.fingerprint(root)
    (root / name).write_text("changed")
    assert sphinxext.fingerprint(root) != before


@pytest.mark.parametrize("name", ["README.md", "stmlab/__pycache__/a.pyc", "stmlab/a.nbi"])
def test_fingerprint_ignores_the_rest(root, name):
    before = sphinxext.fingerprint(root)
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).write_text("x")
    assert sphinxext.fingerprint(root) == before


def test_fingerprint_follows_a_renamed_file(root):
    before = sphinxext.fingerprint(root)
    (root / "data/table.toml").rename(root / "data/other.toml")
    assert sphinxext.fingerprint(root) != before


def test_fingerprint_follows_the_real_measurements(root, tmp_path_factory):
    real = tmp_path_factory.mktemp("real")
    without, empty = sphinxext.fingerprint(root), sphinxext.fingerprint(root, real)
    (real / "scan.sxm").write_bytes(b"x")
    one = sphinxext.fingerprint(root, real)
    (real / "scan.sxm").write_bytes(b"xy")
    assert len({without, empty, one, sphinxext.fingerprint(root, real)}) == 4
    assert sphinxext.fingerprint(root, real / "gone") != without


def application(root):
    return SimpleNamespace(srcdir=root, outdir=root / "_build/html", doctreedir=root / "_build/.doctrees")


def test_outputs_are_dropped_when_the_library_changed_and_only_then(root, monkeypatch):
    monkeypatch.setattr(sphinxext, "real_data", lambda: None)
    app = application(root)
    kept = [root / "_build/.jupyter_cache/one.ipynb", root / "_build/.doctrees/one.doctree"]
    for path, present in [("first", False), ("same", True), ("changed", False)]:
        for file in kept:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("x")
        if path == "changed":
            (root / "stmlab/a.py").write_text("changed")
        sphinxext.drop_stale_outputs(app, None)
        assert [file.exists() for file in kept] == [present, present], path


def test_kernels_know_that_this_is_a_book(root):
    environ = {"PYTHONPATH": "/elsewhere"}
    sphinxext.prepare_kernels(root, environ)
    sphinxext.prepare_kernels(root, environ)
    assert environ["STMLAB_BOOK"] == "1"
    assert environ["PYTHONPATH"] == f"{root}{os.pathsep}/elsewhere"


def test_footer_names_version_and_commit(root):
    def git(*command):
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
        done = subprocess.run(["git", *identity, *command], cwd=root, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    assert sphinxext.version_line(root) == f"stmlab {__version__}"
    git("init", "-q")
    git("add", "stmlab")
    git("commit", "-qm", "One")
    git("tag", "v9")
    commit = git("rev-parse", "--short", "HEAD")
    assert sphinxext.version_line(root) == f"stmlab {__version__}, commit {commit}"
    (root / "stmlab/a.py").write_text("changed")
    assert sphinxext.version_line(root) == f"stmlab {__version__}, commit {commit}, with changes"


def test_footer_joins_the_theme_options(root):
    config = SimpleNamespace(html_theme_options={"navbar_end": [], "extra_footer": "<p>Hello</p>"})
    sphinxext.add_footer(application(root), config)
    assert config.html_theme_options["navbar_end"] == []
    assert config.html_theme_options["extra_footer"] == f"<p>stmlab {__version__}</p><p>Hello</p>"


def test_thebe_is_removed_and_nothing_else():
    asset = SimpleNamespace
    thebe = [
        asset(filename="_static/sphinx-thebe.js", attributes={}),
        asset(filename=None, attributes={"body": "const THEBE_JS_URL = 'https://unpkg.com/thebe'"}),
        "_static/sphinx-thebe.css",
    ]
    kept = [
        asset(filename="_static/doctools.js", attributes={}),
        asset(filename=None, attributes={"body": None}),
        "a.js",
    ]
    context = {"script_files": [*thebe, *kept], "css_files": [thebe[2], "b.css"]}
    sphinxext.drop_thebe(None, "index", "page.html", context, None)
    assert context == {"script_files": kept, "css_files": ["b.css"]}


def test_player_becomes_a_script_without_exports():
    script = sphinxext.classic_script(player())
    assert not re.search(r"^\s*export\b", script, re.MULTILINE)
    assert script.rstrip().endswith("mountAll();\n})();")


def test_player_with_two_exports_is_refused():
    with pytest.raises(ValueError, match="one export"):
        sphinxext.classic_script("export const a = 1;\nexport default a;")


def test_ids_that_sphinx_exercise_repeats_are_numbered():
    page = nodes.document(None, None)
    for name in ("exercise-content", "solution-content", "exercise-content", "mine"):
        page += nodes.section(ids=[name])
    sphinxext.number_repeated_ids(None, page, "page")
    assert [s["ids"][0] for s in page.findall(nodes.section)] == [
        "exercise-content-1", "solution-content-1", "exercise-content-2", "mine",
    ]  # fmt: skip
