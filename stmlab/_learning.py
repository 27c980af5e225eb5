"""The commands of ``stmlab`` that need PyTorch: train, evaluate. It is loaded when one of them runs."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from .cli import Mistake, app


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
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"], typer.Option(help="Of the convolutions.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda.")] = "auto",
    threads: Annotated[int, typer.Option(min=1, help="Threads that prepare batches.")] = 2,
    every: Annotated[int, typer.Option(min=1, help="Steps between checkpoints.")] = 100,
    log: Annotated[Path | None, typer.Option(readable=False, help="Table of the run; beside the network.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start afresh instead of resuming.")] = False,
):
    """Train a network, or go on with a run that was interrupted."""
    _learn().train(
        data if len(data) > 1 else data[0], samples=samples, epochs=epochs, seed=seed, batch=batch, lr=lr, loss=loss,
        schedule=schedule, base=base, depth=depth, passes=passes, level=level, flip=flip, patch=patch,
        pixel_size=pixel_size, scatter=scatter, crops=crops, grey=grey, masks=masks, precision=precision,
        device=device, threads=threads, every=every, out=out, log=log, resume=not fresh, progress=sys.stderr.isatty(),
    )  # fmt: skip
    print(out)


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
