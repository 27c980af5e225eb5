"""The command: what it prints, what it writes, and one clear line for every mistake."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import stmlab
from stmlab import cli
from stmlab._resources import data_path
from stmlab.parameters import Parameters, leaves

# A frame that takes a moment, not a minute.
SMALL = [f"--set={change}" for change in ("raster.pixels=8", "raster.lines=6", "raster.width=10", "raster.height=8")]


class FakeScan:
    """What `simulate` is asked for, written instead of an image."""

    def __init__(self, parameters, seed, index):
        self.text = f"{seed} {index}\n{parameters.dumps()}"

    def save(self, path):
        Path(path).write_text(self.text)


@pytest.fixture
def fake(monkeypatch):
    """Replace the simulation, and count how often it is called."""
    calls = []

    def simulate(parameters, seed, index):
        calls.append((parameters, seed, index))
        return FakeScan(parameters, seed, index)

    monkeypatch.setattr(stmlab, "simulate", simulate, raising=False)
    return calls


def run(*argv):
    """Run the command in this process and return its exit status."""
    with pytest.raises(SystemExit) as left:
        cli.main([str(word) for word in argv])
    return left.value.code


def spawn(*argv, **options):
    command = [sys.executable, "-c", "from stmlab.cli import main; main()", *map(str, argv)]
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, **options)


# ---- what works ---------------------------------------------------------------------------------------


def test_version_and_help(capsys):
    assert run("--version") == 0
    assert capsys.readouterr().out == f"stmlab {stmlab.__version__}\n"
    assert run("--help") == 0
    out = capsys.readouterr().out
    assert all(command in out for command in ("simulate", "generate", "parameters", "fetch", "app"))
    assert run("simulate", "--help") == 0
    assert "--set" in capsys.readouterr().out


def test_simulate_hands_on_what_it_was_told(fake, tmp_path, capsys):
    out = tmp_path / "x.png"
    assert run("simulate", "--set", "junction.bias=-1.2", "--set", "tip.apex=111-0-O", "--out", out) == 0
    ((parameters, seed, index),) = fake
    assert parameters == Parameters().set({"junction.bias": -1.2, "tip.apex": "111-0-O"})
    assert (seed, index) == (1, 0)
    assert capsys.readouterr().out == f"{out}\n"
    assert out.exists()


def test_simulate_draws_the_sample_of_a_study(fake, tmp_path):
    study = stmlab.Study.load("first-light")
    assert run("simulate", "first-light", "--seed", 3, "--index", 5, "--out", tmp_path / "x.gwy") == 0
    assert fake == [(study.draw(3, 5), 3, 5)]


def test_set_wins_over_the_study(fake, tmp_path):
    assert run("simulate", "first-light", "--set", "junction.bias=1", "--out", tmp_path / "x.gwy") == 0
    assert fake[0][0] == stmlab.Study.load("first-light").draw(1, 0).set({"junction.bias": 1})


def test_simulate_reads_a_parameter_file(fake, tmp_path):
    Parameters().set({"junction.bias": -1}).to_toml(tmp_path / "mine.toml")
    assert run("simulate", tmp_path / "mine.toml", "--out", tmp_path / "x.nc") == 0
    assert fake[0][0].junction.bias == -1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a.b=1", 1),
        ("a.b = -1.5e-3", -0.0015),
        ("a.b=.5", 0.5),
        ("a.b=true", True),
        ("a.b=111-0-O", "111-0-O"),
        ('a.b="x=y"', "x=y"),
        ("a.b=x=y", "x=y"),
        ("a.b=1\nc=2", "1\nc=2"),
        ("a.b=", ""),
    ],
)
def test_settings_are_toml_scalars_or_bare_words(text, value):
    path, read = cli.parse_setting(text)
    assert (path, read, type(read)) == ("a.b", value, type(value))


def test_parameters_prints_a_file_that_loads(capsys):
    assert run("parameters", "--toml") == 0
    assert Parameters.loads(capsys.readouterr().out) == Parameters()


@pytest.mark.parametrize("width", [20, 60, 80, 100, 200])
def test_the_table_has_every_parameter_at_every_width(width):
    text = cli.table(width)
    words = " ".join(text.split())
    for path, leaf in leaves(Parameters()).items():
        assert f"\n{path} " in text
        assert leaf.meaning in words
    if width >= 80:
        assert max(map(len, text.splitlines())) <= width


def test_the_table_follows_the_terminal(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "160")
    assert run("parameters") == 0
    out = capsys.readouterr().out
    assert 100 < max(map(len, out.splitlines())) <= 160
    assert any(line.split()[:5] == ["junction.bias", "0.5", "V", "[-3,", "3]"] for line in out.splitlines())


def test_fetch_prints_the_folder(monkeypatch, capsys, tmp_path):
    from stmlab import io

    monkeypatch.setattr(io, "fetch_real", lambda progress: tmp_path / str(progress))
    assert run("fetch", "real") == 0
    assert capsys.readouterr().out == f"{tmp_path / 'False'}\n", "no bar without a terminal"


def test_a_failed_fetch_is_one_line(monkeypatch, capsys):
    from stmlab import io

    def unreachable(progress):
        raise OSError("3 of 54 files could not be fetched")

    monkeypatch.setattr(io, "fetch_real", unreachable)
    assert run("fetch", "real") == 2
    assert capsys.readouterr() == ("", "stmlab: 3 of 54 files could not be fetched\n")


# ---- mistakes -----------------------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with everything in it that one can get wrong."""
    monkeypatch.chdir(tmp_path)
    Path("folder.png").mkdir()
    Path("file").touch()
    Path("truncated.toml").write_text(Parameters().dumps().partition("lattice_constant = ")[0] + "lattice_con")
    Path("binary.toml").write_bytes(bytes(range(256)))
    Path("nan.toml").write_text("[junction]\nbias = nan\n")
    Path("vary.toml").write_text('[vary]\n"junction.bias" = {uniform = [-1, 1]}\n')
    Path("backwards.toml").write_text('[vary]\n"junction.bias" = {uniform = [1, 0.5]}\n')
    Path("study.toml").mkdir()
    Path("full").mkdir()
    Path("full/mine").touch()
    return tmp_path


MISTAKES = [
    ([], "Missing command"),
    (["simulat"], "No such command 'simulat'"),
    (["simulate"], "Missing option '--out'"),
    (["simulate", "--out"], "'--out' requires an argument"),
    (["simulate", "--bogus", "--out", "x.png"], "No such option"),
    (["simulate", "first-light", "more", "--out", "x.png"], "unexpected extra argument"),
    (["simulate", "--seed", "x", "--out", "x.png"], "Invalid value for '--seed'"),
    (["simulate", "--seed", "-1", "--out", "x.png"], "Invalid value for '--seed'"),
    (["simulate", "--index", "1.5", "--out", "x.png"], "Invalid value for '--index'"),
    (["simulate", "--set", "junction.bais=1", "--out", "x.png"], "did you mean 'junction.bias'?"),
    (["simulate", "--set", "junction.bias=7", "--out", "x.png"], "junction.bias = 7 V is outside [-3, 3] V"),
    (["simulate", "--set", "junction.bias=nan", "--out", "x.png"], "junction.bias = nan V is not finite"),
    (["simulate", "--set", "junction.bias=1e999", "--out", "x.png"], "junction.bias = inf V is not finite"),
    (["simulate", "--set", "junction.bias=0", "--out", "x.png"], "at least 0.001 V"),
    (["simulate", "--set", "junction.bias=high", "--out", "x.png"], "junction.bias = 'high' is not a number"),
    (["simulate", "--set", "junction.bias=[1]", "--out", "x.png"], "junction.bias = [1] is not a number"),
    (["simulate", "--set", "junction.bias=", "--out", "x.png"], "junction.bias = '' is not a number"),
    (["simulate", "--set", "junction.bias", "--out", "x.png"], "write path=value"),
    (["simulate", "--set", "raster.pixels=2.5", "--out", "x.png"], "is not a whole number"),
    (["simulate", "--set", "tip.apex=111-1-XXX", "--out", "x.png"], "at least one O"),
    (["simulate", "first-ligth", "--out", "x.png"], "did you mean 'first-light'?"),
    (["simulate", "missing.toml", "--out", "x.png"], "missing.toml does not exist"),
    (["simulate", "study.toml", "--out", "x.png"], "study.toml is a folder"),
    (["simulate", "folder.png", "--out", "x.png"], "folder.png is a folder"),
    (["simulate", "truncated.toml", "--out", "x.png"], "truncated.toml: not valid TOML"),
    (["simulate", "binary.toml", "--out", "x.png"], "binary.toml is not a text file"),
    (["simulate", "nan.toml", "--out", "x.png"], "nan.toml: junction.bias = nan V is not finite"),
    (["simulate", "vary.toml", "--out", "x.png"], "vary.toml: vary junction.bias = 0 V drives no current"),
    (["simulate", "--out", "x.tiff"], "must end in .gwy, .nc or .png"),
    (["simulate", "--out", "x"], "must end in"),
    (["simulate", "--out", "folder.png"], "folder.png is a folder"),
    (["simulate", "--out", "missing/x.png"], "missing is not an existing folder"),
    (["simulate", "--out", "file/x.png"], "file is not an existing folder"),
    (["simulate", "--out", "/proc/x.png"], "/proc"),
    (["generate", "first-light", "--out", "x.zarr"], "Missing option '--count'"),
    (["generate", "first-light", "--count", "3"], "Missing option '--out'"),
    (["generate", "--count", "3", "--out", "x.zarr"], "Missing argument"),
    (["generate", "first-light", "--count", "3", "--out", "x.zarr", "--set", "raster.pixels"], "write path=value"),
    (["generate", "first-light", "--count", "3", "--out", "x.zarr", "--set", "raster.pixels=0"], "raster.pixels = 0"),
    (["generate", "first-light", "--count", "0", "--out", "x.zarr"], "Invalid value for '--count'"),
    (["generate", "first-light", "--count", "-5", "--out", "x.zarr"], "Invalid value for '--count'"),
    (["generate", "first-ligth", "--count", "3", "--out", "x.zarr"], "did you mean 'first-light'?"),
    (["generate", "nan.toml", "--count", "3", "--out", "x.zarr"], "nan.toml: junction.bias = nan V is not finite"),
    (["generate", "backwards.toml", "--count", "3", "--out", "x.zarr"], "put the lower end first"),
    (["generate", "first-light", "--count", "3", "--out", "file"], "file is a file; name a folder, such as file.zarr"),
    (["generate", "first-light", "--count", "3", "--out", "missing/x.zarr"], "missing is not an existing folder"),
    (["generate", "first-light", "--count", "3", "--out", "full"], "full is a folder with something else in it"),
    (["generate", "first-light", "--count", "3", "--out", "/proc/x.zarr"], "cannot write /proc/x.zarr"),
    (["generate", "first-light", "--count", "3", "--workers", "0", "--out", "x.zarr"], "Invalid value for '--workers'"),
    (["generate", "first-light", "--count", "3", "--workers", "2", "--scheduler", "tcp://x:1", "--out", "x.zarr"],
     "not both"),
    (["parameters", "more"], "unexpected extra argument"),
    (["fetch"], "Missing argument"),
    (["fetch", "reel"], "unknown collection 'reel'; known: 'real'"),
]


@pytest.mark.parametrize(("argv", "said"), MISTAKES, ids=lambda part: " ".join(part) if isinstance(part, list) else "")
def test_a_mistake_is_one_line_and_status_2(place, fake, capsys, argv, said):
    before = sorted(place.rglob("*"))
    assert run(*argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("stmlab: ")
    assert err.count("\n") == 1
    assert said in err
    assert fake == [], "found out only after the simulation"
    assert sorted(place.rglob("*")) == before


def test_a_seed_too_large_is_a_mistake(place, capsys):
    assert run("simulate", "first-light", "--seed", 2**64, "--out", "x.png") == 2
    assert "is not a whole number in [0, 2^64)" in capsys.readouterr().err


def test_a_protected_file_is_a_mistake(place, fake, capsys, monkeypatch):
    Path("mine.png").touch()
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anything
    assert run("simulate", "--out", "mine.png") == 2
    assert "protected" in capsys.readouterr().err
    assert fake == []


def test_a_missing_writer_is_a_mistake(place, fake, capsys, monkeypatch):
    monkeypatch.setattr(cli, "find_spec", lambda name: None)
    assert run("simulate", "--out", "x.gwy") == 2
    assert "pip install 'stmlab[io]'" in capsys.readouterr().err
    assert fake == []


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ValueError("two\nlines")])
def test_what_goes_wrong_later_is_one_line_too(place, fake, capsys, monkeypatch, error):
    def fail(*args):
        raise error

    monkeypatch.setattr(FakeScan, "save", fail)
    assert run("simulate", "--out", "x.png") == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_bug_is_not_called_a_mistake(place, monkeypatch):
    monkeypatch.setattr(stmlab, "simulate", lambda *a, **k: 1 / 0, raising=False)
    with pytest.raises(ZeroDivisionError):
        cli.main(["simulate", "--out", "x.png"])


def test_patience_speaks_only_on_a_terminal(monkeypatch, capsys):
    with cli._patience("simulating", after=0.01):
        time.sleep(0.1)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with cli._patience("simulating", after=0.01):
        time.sleep(0.1)
    with cli._patience("simulating", after=60):
        pass
    assert capsys.readouterr().err == "simulating ...\n"


def test_a_closed_pipe_is_quiet():
    command = f"{sys.executable} -c 'from stmlab.cli import main; main()' parameters | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.stderr == ""


# ---- the whole way, in a process of its own -----------------------------------------------------------


@pytest.mark.parametrize("ending", ["gwy", "nc", "png"])
def test_a_scan_is_written(tmp_path, ending):
    out = tmp_path / f"scan.{ending}"
    done = spawn("simulate", "first-light", *SMALL, "--seed", 2, "--out", out)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", f"{out}\n")
    assert [file.name for file in tmp_path.iterdir()] == [out.name]
    assert out.stat().st_size > 1000


def test_the_scan_is_the_one_that_python_makes(tmp_path):
    out = tmp_path / "scan.nc"
    assert spawn("simulate", *SMALL, "--seed", 2, "--index", 3, "--out", out).returncode == 0
    p = Parameters().set(dict(cli.parse_setting(change.removeprefix("--set=")) for change in SMALL))
    wanted = stmlab.simulate(p, seed=2, index=3)
    np.testing.assert_array_equal(stmlab.load_scan(out).height, wanted.height)


def test_a_mistake_leaves_the_old_file(tmp_path):
    out = tmp_path / "scan.png"
    out.write_text("old")
    done = spawn("simulate", "--set", "junction.bias=7", "--out", out)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "stmlab: junction.bias = 7 V is outside [-3, 3] V; choose a value inside\n"
    assert out.read_text() == "old"


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_leaves_with_130_and_no_file(tmp_path):
    code = (
        "import stmlab, time; stmlab.simulate = lambda *a, **k: (print('started', flush=True), time.sleep(60));"
        "from stmlab.cli import main; main()"
    )
    command = [sys.executable, "-c", code, "simulate", "--out", str(tmp_path / "x.png")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "started\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("default")
def test_a_warning_is_one_line(place, capsys):
    """Whose hoppings do not fit the lattice is told, and gets the image."""
    model = data_path("models", "single-orbital.toml").read_text("utf-8").replace("a = 3.32", "a = 3.25")
    Path("other.toml").write_text(model, "utf-8")
    small = [f"--set=raster.{name}=8" for name in ("width", "height", "pixels", "lines")]
    assert run("simulate", "--set", "sample.model=other.toml", *small, "--out", "x.png") == 0
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("stmlab: warning: lattice constant 3.32 Å is 2.2% off")


# ---- generate -----------------------------------------------------------------------------------------


@pytest.fixture
def tiny(tmp_path):
    """A study of frames that take no time."""
    base = Parameters().set(dict(cli.parse_setting(change.removeprefix("--set=")) for change in SMALL))
    stmlab.Study(base, {"junction.bias": stmlab.Uniform(0.2, 0.5)}, "tiny").to_toml(tmp_path / "tiny.toml")
    return tmp_path / "tiny.toml"


@pytest.mark.parametrize("how", ["--processes", "--threads"])
def test_processes_and_threads_make_the_same_dataset(how, tiny, tmp_path):
    out = tmp_path / "x.zarr"
    assert run("generate", tiny, "--count", 3, "--seed", 5, "--out", out, "--workers", 2, how) == 0
    np.testing.assert_array_equal(stmlab.open_dataset(out).images[1], np.float32(
        stmlab.simulate(stmlab.Study.load(tiny).draw(5, 1), 5, 1).height))  # fmt: skip


def test_a_dataset_is_written_and_not_written_again(tiny, tmp_path, capsys):
    out = tmp_path / "x.zarr"
    argv = ["generate", tiny, "--count", 3, "--seed", 5, "--out", out, "--ideal", "--workers", 1]
    assert run(*argv) == 0
    assert capsys.readouterr() == (f"{out}\n", ""), "no bar without a terminal"
    data = stmlab.open_dataset(out)
    assert (len(data), data.seed, data.study.name) == (3, 5, "tiny")
    np.testing.assert_array_equal(data.ideal[2], stmlab.simulate(data.parameters(2), 5, 2).ideal.astype("f4"))
    written = sorted(out.rglob("*"))
    times = [path.stat().st_mtime_ns for path in written]
    assert run(*argv) == 0
    assert [path.stat().st_mtime_ns for path in sorted(out.rglob("*"))] == times


@pytest.mark.parametrize(
    ("option", "value", "said"), [("--seed", 6, "seed 5, not 6"), ("--count", 4, "count 3, not 4")]
)
def test_another_dataset_is_refused(tiny, tmp_path, capsys, option, value, said):
    out = tmp_path / "x.zarr"
    options = {"--count": 3, "--seed": 5, "--out": out}
    assert run("generate", tiny, *[word for item in options.items() for word in item]) == 0
    capsys.readouterr()
    options[option] = value
    assert run("generate", tiny, *[word for item in options.items() for word in item]) == 2
    assert capsys.readouterr() == ("", f"stmlab: {out} is another dataset: {said}; name a new folder\n")


@pytest.mark.filterwarnings("ignore")
def test_a_scheduler_that_is_not_there_is_one_line(tiny, tmp_path, capsys, monkeypatch):
    pytest.importorskip("distributed")
    from stmlab.dataset import cluster

    monkeypatch.setattr(cluster, "PATIENCE", 0.5)
    argv = ["generate", tiny, "--count", 3, "--out", tmp_path / "x.zarr", "--scheduler", "tcp://127.0.0.1:1"]
    assert run(*argv) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "no Dask scheduler answered at tcp://127.0.0.1:1" in err
    assert not (tmp_path / "x.zarr").exists()


@pytest.mark.parametrize(("package", "extra"), [("zarr", "io"), ("distributed", "cluster")])
def test_a_dataset_without_its_packages(tiny, tmp_path, capsys, monkeypatch, package, extra):
    monkeypatch.setitem(sys.modules, package, None)
    argv = ["generate", tiny, "--count", 3, "--out", tmp_path / "x.zarr", "--scheduler", "tcp://127.0.0.1:1"]
    assert run(*argv) == 2
    assert f'{package if package == "zarr" else "dask"}, which is missing: pip install "stmlab[{extra}]"' in (
        capsys.readouterr().err
    )


# ---- app ----------------------------------------------------------------------------------------------


def test_app_without_voila_names_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr(cli, "find_spec", lambda name: None if name == "voila" else True)
    assert run("app", "--no-browser") == 2
    said = "stmlab: the app needs voila, which is missing: pip install 'stmlab[app,book]'\n"
    assert capsys.readouterr() == ("", said)


@pytest.mark.parametrize("port", ["0", "65536", "x"])
def test_app_refuses_what_is_no_port(port, capsys):
    assert run("app", "--port", port) == 2
    assert "Invalid value for '--port'" in capsys.readouterr().err


def test_app_refuses_a_port_that_is_taken(monkeypatch, capsys):
    monkeypatch.setattr(cli, "find_spec", lambda name: True)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert run("app", "--no-browser", "--port", port) == 2
    assert capsys.readouterr().err == f"stmlab: port {port} is taken; choose another with --port\n"


@pytest.mark.parametrize(
    ("argv", "wanted"), [([], (8866, 50, True)), (["--no-browser", "--port", 54321], (54321, 0, False))]
)
def test_app_listens_to_this_machine_only(monkeypatch, tmp_path, argv, wanted):
    """What Voila is told, without Voila."""
    from stmlab.interactive import served

    told, page = [], SimpleNamespace()
    page.initialize, page.start = (lambda argv: told.extend(argv)), (lambda: told.append("started"))
    monkeypatch.setattr(served, "make_app", lambda browser: told.append(browser) or page)
    monkeypatch.setattr(cli, "find_spec", lambda name: True)
    for name in ("STMLAB_FOLDER", "JUPYTER_PATH", "JUPYTER_PREFER_ENV_PATH"):
        monkeypatch.setenv(name, "")  # to be put back as it was
    monkeypatch.chdir(tmp_path)
    assert run("app", *argv) == 0
    browser, notebook, started = told
    assert (page.ip, page.port, page.port_retries, browser, started) == ("127.0.0.1", *wanted, "started")
    assert len(page.token) >= 32
    assert Path(notebook).is_file()
    assert Path(os.environ["STMLAB_FOLDER"]) == tmp_path
    (place, *_) = os.environ["JUPYTER_PATH"].split(os.pathsep)
    assert (Path(place) / "voila" / "templates" / "stmlab" / "index.html.j2").is_file()
