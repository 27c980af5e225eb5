"""The ``stmlab`` command. A user's mistake is one line and status 2, never a traceback."""

import os
import shutil
import sys
import tempfile
import textwrap
import threading
import tomllib
import warnings
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

# What a file name may end in, and the package that writes it.
WRITERS = {".gwy": "gwyfile", ".nc": "xarray", ".png": "matplotlib"}
# typer has click's errors under no name of its own, and newer versions bring their own copy of click.
UsageError = typer.BadParameter.__base__

app = typer.Typer(
    add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False,
    help="Simulate what a scanning tunnelling microscope records.",
)  # fmt: skip


class Mistake(ValueError):
    """Something that the user can put right; the message is one line."""


def main(argv=None):
    """Run the command and leave with its status: 0 done, 2 a user's mistake, 130 interrupted."""
    with warnings.catch_warnings():
        warnings.showwarning = _remark
        sys.exit(_status(argv))


def _remark(message, *_where):
    """Print a warning as one line, without the line of code that gave it."""
    print("stmlab: warning:", " ".join(str(message).split()), file=sys.stderr)


def _status(argv):
    try:
        # Outside click's standalone mode, what leaves early (--help, --version) returns its status.
        return typer.main.get_command(app)(args=argv, prog_name="stmlab", standalone_mode=False) or 0
    except UsageError as error:
        return _complain(error.format_message())
    except (KeyboardInterrupt, typer.Abort):
        print(file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of a pipe has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except ModuleNotFoundError as error:
        if (error.name or "stmlab").startswith("stmlab"):
            raise
        return _complain(f"{error}; install what is missing with: pip install 'stmlab[io]'")
    except (ValueError, OSError) as error:
        return _complain(str(error) or type(error).__name__)


def _complain(message):
    print("stmlab:", " ".join(message.split()), file=sys.stderr)
    return 2


def _print_version(wanted: bool):
    if wanted:
        from stmlab import __version__

        print(f"stmlab {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and leave.")
    ] = False,
):
    pass


# ---- simulate -----------------------------------------------------------------------------------------


@app.command()
def simulate(
    study: Annotated[str | None, typer.Argument(help="A bundled study, or a study or parameter file.")] = None,
    set: Annotated[
        list[str] | None, typer.Option(metavar="PATH=VALUE", help="Change one parameter; may be repeated.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of every random number.")] = 1,
    index: Annotated[int, typer.Option(min=0, help="Which sample of the study.")] = 0,
    out: Annotated[Path, typer.Option(readable=False, help="File to write: .gwy, .nc or .png.")] = ...,
):
    """Simulate one scan and write it to a file."""
    check_output(out)
    parameters = _parameters(study, seed, index).set(dict(parse_setting(text) for text in set or []))
    import stmlab

    with _patience("simulating"):
        scan = stmlab.simulate(parameters, seed=seed, index=index)
        scan.save(out)
    print(out)


def _parameters(study, seed, index):
    from .parameters import Parameters, Study

    return Parameters() if study is None else Study.load(study).draw(seed, index)


def check_output(path):
    """Refuse an output that could not be written, before any work is done.

    Raises
    ------
    Mistake
        If the ending is unknown, its writer is not installed, or the place cannot be written to.
    """
    writer = WRITERS.get(path.suffix.lower())
    if writer is None:
        raise Mistake(f"{path}: the name must end in {', '.join(list(WRITERS)[:-1])} or {list(WRITERS)[-1]}")
    if find_spec(writer) is None:
        raise Mistake(f"{path}: {path.suffix} needs {writer}, which is missing: pip install 'stmlab[io]'")
    if path.is_dir():
        raise Mistake(f"{path} is a folder; name a file in it")
    if not path.parent.is_dir():
        raise Mistake(f"{path} cannot be written: {path.parent} is not an existing folder")
    if path.exists() and not os.access(path, os.W_OK):
        raise Mistake(f"{path} cannot be written: the file is protected")
    try:
        tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        raise Mistake(f"{path} cannot be written: {error.strerror or error}") from None


def parse_setting(text):
    """Split ``path=value``; the value is a TOML scalar, or a bare word such as ``111-0-O``."""
    path, equals, value = text.partition("=")
    if not equals:
        raise Mistake(f"--set {text}: write path=value, such as --set junction.bias=-1.2")
    return path.strip(), _scalar(value.strip())


def _scalar(text):
    try:
        table = tomllib.loads(f"value = {text}")
        return table["value"] if len(table) == 1 else text
    except tomllib.TOMLDecodeError:
        pass
    try:
        return float(text)  # .5 and 1. are no TOML, yet clear
    except ValueError:
        return text


@contextmanager
def _patience(doing, after=2.0):
    """Say on a terminal what takes so long, once it does."""
    timer = threading.Timer(after, lambda: print(f"{doing} ...", file=sys.stderr, flush=True))
    timer.daemon = True
    if sys.stderr.isatty():
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


# ---- generate -----------------------------------------------------------------------------------------


MANY = 1000  # samples


@app.command()
def generate(
    study: Annotated[str, typer.Argument(help="A bundled study, or a study or parameter file.")],
    count: Annotated[int, typer.Option(min=1, help="Number of samples.")] = ...,
    seed: Annotated[int, typer.Option(min=0, help="Seed of every random number.")] = 0,
    out: Annotated[Path, typer.Option(readable=False, help="Folder to write, such as main.zarr.")] = ...,
    set: Annotated[
        list[str] | None, typer.Option(metavar="PATH=VALUE", help="Fix one parameter for all; may be repeated.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Workers; as many as cores if left out.")] = None,
    processes: Annotated[
        bool | None, typer.Option("--processes/--threads", help="What the workers are; processes from 1000 samples on.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Dask scheduler, such as tcp://host:8786.")
    ] = None,
    ideal: Annotated[bool, typer.Option("--ideal", help="Store the ideal images, too.")] = False,
    drive: Annotated[bool, typer.Option("--drive", help="Store the voltages on the z piezo, too.")] = False,
):
    """Make a dataset of labelled images, or go on with one that was interrupted."""
    if workers and scheduler:
        raise Mistake("give --workers or --scheduler, not both")
    from .dataset import generate
    from .parameters import Study

    study = Study.load(study).fixed(dict(parse_setting(text) for text in set or []))
    if processes is None:  # which pay for their start only in a longer run
        processes = count >= MANY and workers != 1 and not scheduler
    generate(
        study, count, seed, out, workers, progress=sys.stderr.isatty(), processes=processes, scheduler=scheduler,
        ideal=ideal, drive=drive,
    )  # fmt: skip
    print(out)


# ---- parameters, fetch --------------------------------------------------------------------------------


@app.command()
def parameters(toml: Annotated[bool, typer.Option("--toml", help="Print a parameter file instead.")] = False):
    """List every parameter with its default, unit, range and meaning."""
    from .parameters import Parameters

    print(Parameters().dumps() if toml else table(shutil.get_terminal_size((100, 24)).columns), end="")


def table(width):
    """Return the table of all parameters as plain text of at most `width` columns, where that is possible."""
    rows = [("name", "default", "unit", "range", "meaning"), *_rows()]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "".join(_line(row, widths, width) for row in rows)


def _rows():
    from .parameters import Parameters, leaves

    for path, leaf in leaves(Parameters()).items():
        limits = leaf.limits.removesuffix(leaf.unit).strip().replace("'", "")
        meaning = leaf.meaning
        if len(limits) > 16:  # would leave no room for the meaning beside it
            limits, meaning = "", f"{meaning} ({limits})"
        yield path, str(leaf.value).removesuffix(".0"), leaf.unit, limits, meaning


def _line(row, widths, width):
    """Lay out one row, its meaning wrapped beside it or, where there is no room, below it."""
    cells = "  ".join(cell.ljust(space) for cell, space in zip(row, widths, strict=False))
    room = width - len(cells) - 2
    if room < 24:
        below = _wrap(row[-1], max(width, 30), "    ", "    ")
        return f"{cells.rstrip()}\n{below}\n"
    indent = " " * (len(cells) + 2)
    return _wrap(row[-1], width, f"{cells}  ", indent).rstrip() + "\n"


def _wrap(text, width, first, rest):
    return textwrap.fill(text, width, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)


@app.command()
def fetch(what: Annotated[str, typer.Argument(help="What to download: real.")]):
    """Download public measurements into the user's cache; nothing else ever downloads."""
    if what != "real":
        raise Mistake(f"unknown collection {what!r}; known: 'real'")
    from .io import fetch_real

    print(fetch_real(progress=sys.stderr.isatty()))


# ---- app ----------------------------------------------------------------------------------------------


@app.command(name="app")
def open_app(
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port; the first free one from 8866 on.")] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser window.")] = True,
):
    """Open the dashboard in a browser, served to this machine only."""
    if find_spec("voila") is None or find_spec("ipywidgets") is None:
        raise Mistake("the app needs voila, which is missing: pip install 'stmlab[app,book]'")
    from .interactive.served import serve

    serve(port, browser)


from . import _course, _learning  # noqa: E402, F401, add the commands of a course, and those that train and evaluate
