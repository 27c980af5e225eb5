"""The commands of ``stmlab`` that need PyTorch: train, evaluate, detect. It is loaded when one of them runs."""

import csv
import io
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import typer
from tqdm import tqdm

from . import __version__
from ._resources import replacing, write_text
from .cli import Mistake, app, parse_setting


def _learn():
    try:
        from . import learn
    except ImportError as error:
        raise Mistake(str(error)) from None
    return learn


@app.command()
def train(
    data: Annotated[
        list[str], typer.Argument(metavar="STUDY_OR_ZARR...", help="Studies, or folders of datasets; one or more.")],
    out: Annotated[Path, typer.Option(readable=False, help="File to write, .safetensors.")] = Path("model.safetensors"),
    samples: Annotated[int | None, typer.Option(min=1, help="Samples to learn from; 100000 if left out.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Or times through a dataset.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of every random number.")] = 0,
    batch: Annotated[int, typer.Option(min=1, help="Samples in a batch.")] = 64,
    lr: Annotated[float, typer.Option(help="Highest learning rate.")] = 0.01,
    loss: Annotated[Literal["bce", "rare", "mse", "smooth-l1"], typer.Option(help="What to make small.")] = "bce",
    schedule: Annotated[Literal["one-cycle", "cosine"], typer.Option(help="Course of the rate.")] = "one-cycle",
    base: Annotated[int, typer.Option(min=1, help="Channels of the first level.")] = 16,
    depth: Annotated[int, typer.Option(min=1, help="Levels of the network.")] = 4,
    waves: Annotated[int, typer.Option(min=0, help="Channels filtered in Fourier space.")] = 0,
    start: Annotated[str | None, typer.Option(help="Network to go on from, a name or a file.")] = None,
    passes: Annotated[int, typer.Option(min=1, max=2, help="1: trace; 2: trace and retrace.")] = 1,
    level: Annotated[Literal["surface", "line", "noise"], typer.Option(help="How images are levelled.")] = "surface",
    masks: Annotated[
        Literal["thesis", "visible"] | None, typer.Option(help="Labels, where samples are made.")] = None,
    flip: Annotated[bool, typer.Option("--flip", help="Turn every other image upside down.")] = False,
    patch: Annotated[int, typer.Option(min=0, help="Side of the patches to learn from; 0: whole frames.")] = 0,
    pixel_size: Annotated[float, typer.Option(min=0, help="Resample to this pixel [Å]; 0: as they are.")] = 0.0,
    scatter: Annotated[float, typer.Option(min=0, help="Make that pixel larger or smaller by this share.")] = 0.0,
    crops: Annotated[int, typer.Option(min=1, help="Patches from each frame.")] = 1,
    grey: Annotated[bool, typer.Option("--grey", help="Treat frames like published pictures.")] = False,
    soft: Annotated[float, typer.Option(min=0, help="Blur labels of defects by this width [Å].")] = 0.0,
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"], typer.Option(help="Of the convolutions.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda.")] = "auto",
    threads: Annotated[int, typer.Option(min=1, help="Threads that prepare batches.")] = 2,
    every: Annotated[int, typer.Option(min=1, help="Steps between checkpoints.")] = 100,
    log: Annotated[Path | None, typer.Option(readable=False, help="Table of the run; beside the network.")] = None,
    set: Annotated[
        list[str] | None, typer.Option(metavar="PATH=VALUE", help="Fix one parameter of the studies; may be repeated.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start afresh instead of resuming.")] = False,
):
    """Train a network, or go on with a run that was interrupted."""
    changes = dict(parse_setting(text) for text in set or [])
    sources = [_fixed(name, changes) if changes else name for name in data]
    _learn().train(
        sources if len(sources) > 1 else sources[0], samples=samples, epochs=epochs, seed=seed, batch=batch, lr=lr,
        loss=loss, schedule=schedule, base=base, depth=depth, waves=waves, start=start, passes=passes, level=level,
        flip=flip, patch=patch, pixel_size=pixel_size, scatter=scatter, crops=crops, grey=grey, soft=soft, masks=masks,
        precision=precision, device=device, threads=threads, every=every, out=out, log=log, resume=not fresh,
        progress=sys.stderr.isatty(),
    )  # fmt: skip
    print(out)


def _fixed(name, changes):
    if Path(name).is_dir():
        raise Mistake(f"--set changes studies, and {name} is a dataset that has been made; leave one of them out")
    from .parameters import Study

    return Study.load(name).fixed(changes)


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(help="main, control, real, or a .safetensors file.")],
    dataset: Annotated[Path, typer.Argument(readable=False, help="Folder of a dataset.")],
    count: Annotated[int | None, typer.Option(min=1, help="Samples to look at; all if left out.")] = None,
):
    """Compare what a network sees with the labels of a dataset, beside the figures of the thesis."""
    learn = _learn()
    from .dataset import open_dataset

    print(learn.evaluate(learn.load_model(model), open_dataset(dataset), count, sys.stderr.isatty()).table())


# ---- detect -------------------------------------------------------------------------------------------

COLUMNS = ("file", "x_px", "y_px", "x_nm", "y_nm", "score")
PICTURES = (".png", ".jpg", ".jpeg", ".npy")
DRAWN = (".png", ".pdf", ".svg")


class Frame(NamedTuple):
    """An image to look at: values (L, P), the sides of a pixel [Å], and how it lies in space (None: as a picture)."""

    path: Path
    values: object
    pixel_size: tuple[float, float]
    raster: object


@app.command()
def detect(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", readable=False, help=(
        "Images: .sxm, .Z_mtrx, .sm4, .int, .gwy, .gsf, .nc, .npy, .png, .jpg."))],
    width_nm: Annotated[float | None, typer.Option(help="Width of the frame, where the file does not say it.")] = None,
    model: Annotated[str, typer.Option(help="main, control, real, or a .safetensors file.")] = "real",
    threshold: Annotated[float | None, typer.Option(help="Least score, 0 to 1; the network's own if left out.")] = None,
    channel: Annotated[str, typer.Option(help="Recorded signal to look at.")] = "Z",
    out: Annotated[Path | None, typer.Option(readable=False, help="Table to write, .csv; printed if left out.")] = None,
    as_json: Annotated[Path | None, typer.Option("--json", readable=False, help="The same as .json.")] = None,
    figure: Annotated[Path | None, typer.Option(readable=False, help="Picture to draw of one image.")] = None,
):
    """Find the point defects in measured images.

    x_px and y_px count columns and lines in the order of the file's rows (of acquisition, where the file knows it),
    from 0 in the middle of the first; x_nm and y_nm are places in space, from the lower left corner of the picture.
    """
    for path, endings in ((out, (".csv",)), (as_json, (".json",)), (figure, DRAWN)):
        if path is not None and path.suffix.lower() not in endings:
            raise Mistake(f"{path}: the name must end in {' or '.join(endings)}")
        if path is not None and not path.resolve().parent.is_dir():
            raise Mistake(f"{path} cannot be written: {path.parent} is not an existing folder; make it first")
    if figure is not None and len(files) > 1:
        raise Mistake(f"--figure draws one image, and {len(files)} files were given; give one of them")
    learn = _learn()
    network = learn.load_model(model)
    frames = [_frame(path, width_nm, channel) for path in files]
    show = sys.stderr.isatty()
    bar = tqdm(frames, unit=" images", disable=not show or len(frames) == 1)
    found = [_found(learn, network, frame, threshold, show) for frame in bar]
    rows = [row for frame, one in zip(frames, found, strict=True) for row in _rows_of(frame, one)]
    table = _csv(rows)
    if out is not None:
        write_text(out, table)
    if as_json is not None:
        least = network.card["detection"]["threshold"] if threshold is None else threshold
        said = {"stmlab": __version__, "model": model, "threshold": least}
        said["detections"] = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
        write_text(as_json, json.dumps(said, indent=1))
    if figure is not None:
        _draw(frames[0], found[0], figure)
    if out is None and as_json is None:
        print(table, end="")
    else:
        print(f"{len(rows)} defects in {len(frames)} image{'s' * (len(frames) != 1)}")


def _frame(path, width_nm, channel):
    """Read an image and find out how large its pixels are."""
    from . import io as readers

    if width_nm is not None and not 0 < width_nm < 1e6:
        raise Mistake(f"--width-nm = {width_nm} must be above 0 nm and below 1e6 nm")
    if path.suffix.lower() in PICTURES:
        values = (readers.load_array if path.suffix.lower() == ".npy" else readers.load_image)(path)
        if width_nm is None:
            raise Mistake(f"{path} does not say how wide its frame is; give --width-nm")
        side = 10 * width_nm / values.shape[1]
        return Frame(path, values, (side, side), None)
    scan = readers.load_scan(path, channel)
    raster = scan.raster
    if width_nm is not None:
        raster = replace(raster, width=10 * width_nm, height=raster.height * 10 * width_nm / raster.width)
    return Frame(path, scan.height[0], raster.pixel_size, raster)


def _found(learn, network, frame, threshold, progress):
    try:
        return learn.detect(network, frame.values, frame.pixel_size, threshold, progress=progress)
    except ValueError as error:
        raise Mistake(f"{frame.path}: {error}") from None


def _rows_of(frame, found):
    (fast, slow), lines = frame.pixel_size, frame.values.shape[0]
    for x, y, score in found.tolist():
        if frame.raster is None:
            place = (x + 0.5) * fast / 10, (lines - 0.5 - y) * slow / 10
        else:
            from .plot import in_picture

            place = in_picture(y, x, frame.raster)
        yield [str(frame.path), *(round(float(v), 3) for v in (x, y, *place)), round(score, 4)]


def _csv(rows):
    file = io.StringIO()
    table = csv.writer(file, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows(rows)
    return file.getvalue()


def _draw(frame, found, path):
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    from .analysis import level
    from .io import picture
    from .plot import detections, in_picture

    fig, ax = plt.subplots(figsize=(6, 6), layout="constrained")
    values, size = frame.values, frame.pixel_size
    if frame.raster is not None:  # as it lies in space
        values = picture(values, frame.raster)
        size = [side / count for side, count in zip(frame.raster.extent, values.shape[::-1], strict=True)]
        place = in_picture(found["y"], found["x"], frame.raster)
        found = found.copy()
        found["x"], found["y"] = (10 * nm / side - 0.5 for nm, side in zip(place, size, strict=True))
    detections(level(values), found, size, ax, upwards=frame.raster is not None)
    ax.set_title(f"{frame.path.name}: {len(found)} defects", fontsize=10)
    with replacing(path) as aside:
        fig.savefig(aside, dpi=150, format=path.suffix.lower().removeprefix("."))
    plt.close(fig)
