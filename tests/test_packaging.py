"""What is said twice about the project must agree, and the wheel must hold what the library needs."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import stmlab

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]


def bounds(lines):
    """Map each package to its version bounds."""
    requirements = [Requirement(line) for line in lines]
    return {canonicalize_name(r.name): r.specifier for r in requirements}


def declared(*extras):
    return bounds([*PROJECT["dependencies"], *(line for extra in extras for line in EXTRAS[extra])])


def pins():
    text = (ROOT / "constraints.txt").read_text("utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {canonicalize_name(Requirement(line).name): Version(line.split("==")[1]) for line in lines}


def test_every_package_is_listed_once():
    lines = [*PROJECT["dependencies"], *(line for extra in EXTRAS.values() for line in extra)]
    names = [canonicalize_name(Requirement(line).name) for line in lines]
    assert sorted(names) == sorted(set(names))


def test_the_conda_environment_agrees():
    wanted = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))["dependencies"]
    pip = next(item["pip"] for item in wanted if isinstance(item, dict))
    conda = bounds(item for item in wanted if isinstance(item, str) and item != "pip")
    assert conda.pop("python") == Requirement(f"python{PROJECT['requires-python']}").specifier
    assert "-e ." in pip
    everything = conda | bounds(item for item in pip if item != "-e .")
    assert everything == declared("app", "book", "cluster", "io", "learn", "test")


def test_what_was_tested_is_within_the_bounds():
    tested = pins()
    for name, bound in declared(*EXTRAS).items():
        assert name in tested, f"{name} has no line in constraints.txt"
        assert bound.contains(tested[name], prereleases=True), f"{name} {tested[name]} is not {bound}"
    assert tested["torch"] == Version("2.13.0")
    assert "stmlab" not in tested


def test_make_installs_extras_that_exist():
    extras = re.search(r'-e "\.\[(.*)\]"', (ROOT / "Makefile").read_text("utf-8"))[1]
    assert extras.split(",") == ["app", "book", "cluster", "io", "learn", "test"]
    assert set(extras.split(",")) <= set(EXTRAS)


def test_the_citation_is_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["version"] == stmlab.__version__
    assert citation["license"] == PROJECT["license"]
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert f"## [{stmlab.__version__}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_the_workflow_runs_what_contributors_run():
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text("utf-8"))["jobs"]
    steps = [step.get("run", "").split("#")[0].strip() for job in jobs.values() for step in job["steps"]]
    ci = (ROOT / ".ci/run").read_text("utf-8")
    for command in ("make test", "make book", "make browser"):
        assert command in steps
        assert f"stage {command}\n" in ci
    assert os.access(ROOT / ".ci/run", os.X_OK)


# ---- make book ----------------------------------------------------------------------------------------

# Like Sphinx: complains about a page once, then remembers that it was read.
FAKE_BUILDER = """#!/bin/sh
test -e broken && test ! -e _build/.doctrees/page && status=1 || status=0
mkdir -p _build/html _build/.doctrees && touch _build/html/index.html _build/.doctrees/page
exit $status
"""


def make_book(folder):
    command = ["make", "--no-print-directory", "book"]  # this may run under make itself
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def test_a_failed_book_fails_again_until_it_is_mended(tmp_path):
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_text((ROOT / name).read_text("utf-8"))
    builder = tmp_path / ".venv/bin/jupyter-book"
    builder.parent.mkdir(parents=True)
    builder.write_text(FAKE_BUILDER)
    builder.chmod(0o755)
    (tmp_path / ".venv/.stamp").touch()
    (tmp_path / "broken").touch()
    for _ in range(3):
        assert make_book(tmp_path).returncode != 0
        assert not (tmp_path / "_build/html").exists()
    (tmp_path / "broken").unlink()
    for _ in range(2):
        done = make_book(tmp_path)
        assert done.returncode == 0
        assert done.stdout.strip().endswith(f"{tmp_path}/_build/html/index.html")


# ---- the wheel ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = ["wheel", str(ROOT), "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder)]
    subprocess.run(pip + build, check=True)
    (built,) = folder.glob("*.whl")
    install = ["install", str(built), "--no-deps", "--no-index", "--target", str(folder / "site")]
    subprocess.run(pip + install, check=True)
    return built


def test_the_wheel_holds_the_data_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {"stmlab", f"stmlab-{stmlab.__version__}.dist-info"}
    for path in (ROOT / "data").rglob("*"):
        if path.is_file():
            assert f"stmlab/{path.relative_to(ROOT).as_posix()}" in names
    for path in (ROOT / "stmlab").rglob("*"):
        if path.suffix in (".py", ".js", ".css"):
            assert path.relative_to(ROOT).as_posix() in names
    assert not [name for name in names if "__pycache__" in name]


def test_studies_load_from_an_installed_wheel(wheel, tmp_path):
    code = "import stmlab as s; print(s.__file__); print(s.Study.load('first-light').draw(1, 2).dumps(), end='')"
    env = os.environ | {"PYTHONPATH": str(wheel.parent / "site")}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=env, stdout=subprocess.PIPE, check=True)
    where, _, drawn = done.stdout.decode().partition("\n")
    assert Path(where).is_relative_to(wheel.parent / "site")
    assert drawn == stmlab.Study.load("first-light").draw(1, 2).dumps()
