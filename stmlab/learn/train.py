"""Training: a loop in which everything is a function of the number of the step, so that it can stop and go on.

On several GPUs, or in several processes, of one machine::

    torchrun --standalone --nproc-per-node=2 --no-python stmlab train thesis-main --samples 1000000

Each process makes and learns from its part of every batch; the gradients, and the statistics of batch
normalisation, are averaged, so that the weights are those of one process up to rounding.
"""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from tqdm import tqdm

from .. import __version__
from ..dataset import Dataset, open_dataset
from ..dataset.plan import labels_of
from ..parameters import Study
from . import metrics
from .checkpoint import Log, load_checkpoint, save_checkpoint
from .data import Mixed, Stored, Streaming, ahead, shared
from .images import LEVELS
from .models import ModelError, beginning, check_name, load_model, save_model
from .processes import processes, repeatable
from .rate import SCHEDULES
from .segment import masks_of
from .step import LOSSES, optimizer_of, train_step

RATE = 1e-2
FAR = 2**40  # where the samples that a streaming run is validated on begin: no run gets there
HELD = 256
LIMITS = ("Learned from simulated images of one study; on images unlike these, in pixels per lattice constant, noise "
          "or kind of defect, its masks mean little. They are no probabilities.")  # fmt: skip


@dataclass(frozen=True)
class Recipe:
    """All that decides the weights, as plain values: the second half of a model card."""

    data: dict
    steps: int
    batch: int
    rate: float
    schedule: str
    loss: str
    seed: int
    flip: bool
    patch: int
    pixel_size: float
    precision: str
    held: int
    start: dict
    architecture: dict


def train(
    data, *, samples=None, epochs=None, steps=None, batch=64, lr=RATE, schedule="one-cycle", loss="bce", seed=0,
    passes=1, level="surface", flip=False, patch=0, pixel_size=0.0, scatter=0.0, crops=1, grey=False, soft=0.0,
    base=16, depth=4, waves=0, start=None, masks=None, held=None, precision="auto", device="auto", threads=2,
    out="model.safetensors", log=None, every=100, resume=True, progress=True,
):  # fmt: skip
    r"""Train a U-Net, or go on with a run that was stopped.

    AdamW, the learning rate of `one_cycle` or `cosine`, gradients no longer than 1. Batch k is the same whatever
    came before, and the checkpoint holds weights and moments: a run that was stopped and resumed ends with the same
    bits as one that was not, and the same seed gives the same bits, on the same machine with as many torch threads.

    Parameters
    ----------
    data : Dataset, Study, str, or list
        A stored dataset, seen in a new order every epoch; or a study, of which every sample is made when it is
        needed and seen once. A name or path of either, or a list of several, which share every batch evenly.
    samples, epochs, steps : int, optional
        How long, one of them: samples seen, times through a stored dataset, or batches. 100 000 samples if left out.
    batch : int
        Samples in a batch, over all processes.
    lr : float
        Highest learning rate; see `lr_range_test`.
    schedule : {"one-cycle", "cosine"}
        Its course.
    loss : {"bce", "rare", "mse", "smooth-l1"}
        See `train_step`.
    seed : int
        Of the first weights, and of the order or the samples.
    passes, level, flip, patch, pixel_size, scatter, crops, grey, soft
        What the network is shown: see `Stored`.
    base, depth, waves : int
        See `UNet`.
    start : str or path, optional
        A network to go on from, see `load_model`, instead of random weights: its architecture holds, and its card
        goes into the new one. Choose `passes` and `level` as they were there, and a lower `lr`.
    masks : {"thesis", "visible"}, optional
        Labels, where samples are made; those of `stmlab.generate` if left out.
    held : int, optional
        Samples kept for validation: the last ones of a stored dataset (an eighth of it, 256 at most, if left out).
    precision : {"auto", "float32", "bfloat16"}
        Of the convolutions; "auto" takes bfloat16 on a GPU that has it.
    device : str
        "auto", "cpu", "cuda" or what `torch.device` takes.
    threads : int
        How many prepare batches in the background.
    out : path
        Where the network goes, with its card beside it; the checkpoint lies there, too, until the run is over.
    log : path, optional
        A table of the run, ``.csv``; beside `out` if left out.
    every : int
        Steps between two lines of the log, each with a validation and a checkpoint.
    resume : bool
        Whether to go on from a checkpoint; if not, start afresh.
    progress : bool
        Whether to show samples per second, the time left and the loss.

    Returns
    -------
    UNet

    Raises
    ------
    ValueError
        If an argument is wrong, there are too few samples, or `out` holds another network or another run.
    """
    for name, value, known in (("schedule", schedule, SCHEDULES), ("loss", loss, LOSSES)):
        if value not in known:
            raise ModelError(f"{name} = {value!r} must be one of {', '.join(known)}")
    if not 0 < lr <= 10 or every < 1 or threads < 1:
        raise ModelError(f"lr = {lr}, every = {every}, threads = {threads}: lr must be in (0, 10], the others positive")
    settings = {"channels_in": passes * LEVELS.get(level, 1), "level": level}
    model, before = beginning(start, seed, base=base, depth=depth, waves=waves, **settings)
    with processes(device) as place:
        how = {"passes": passes, "level": level, "flip": flip, "patch": patch, "pixel_size": pixel_size,
               "scatter": scatter, "crops": crops, "grey": grey, "soft": soft}  # fmt: skip
        source = source_of(data, batch, seed, masks, **how)
        source, check = _split(source, held)
        precision = _precision(precision, place.device)
        recipe = Recipe(
            describe(source), _steps(source, samples, epochs, steps), batch, lr, schedule, loss, seed, flip, patch,
            pixel_size, precision, 0 if check is None else check.size, before, model.settings)  # fmt: skip
        run = Run(recipe, shared(source, place.rank, place.count), check, place, check_name(out), log, every, threads)
        return run.run(model.to(place.device, memory_format=torch.channels_last), resume, progress and place.first)


@dataclass(frozen=True)
class Run:
    """A recipe and where it is followed."""

    recipe: Recipe
    source: Stored | Streaming | Mixed
    check: Stored | Streaming | Mixed | None
    place: object
    out: Path
    log: Path | None
    every: int
    threads: int

    @property
    def checkpoint(self):
        """Where the run can be taken up again."""
        return self.out.with_suffix(".checkpoint.safetensors")

    def run(self, model, resume, progress):
        """Follow the recipe to its end; return the network."""
        said = asdict(self.recipe)
        if resume and (done := _finished(self.out, said)):
            return done
        optimizer, first = optimizer_of(model), 0
        if resume and self.checkpoint.is_file():
            first = load_checkpoint(self.checkpoint, model, optimizer, said)
        log = Log(self.log or self.out.with_suffix(".csv"), first) if self.place.first else None
        found = self._learn(model, optimizer, first, log, progress)
        model.card = card(said, found, model)
        if self.place.first:
            save_model(model, self.out)
            self.checkpoint.unlink(missing_ok=True)
        return model.eval()

    def _learn(self, model, optimizer, first, log, progress):
        recipe, net, found = self.recipe, self.place.parallel(model), {}
        held = None if self.check is None or not self.place.first else self.check.batch(0)
        batches, sofar, since = ahead(self.source, first, recipe.steps, self.threads), [], time.perf_counter()
        bar = tqdm(total=recipe.steps * recipe.batch, initial=first * recipe.batch, unit=" samples",
                   disable=not progress)  # fmt: skip
        with bar, repeatable(self.place.device):
            for k, batch in enumerate(batches, start=first):
                rate = SCHEDULES[recipe.schedule](k, recipe.steps, recipe.rate)
                images, masks = (torch.from_numpy(part).to(self.place.device) for part in batch)
                model.train()
                sofar.append(train_step(net, optimizer, images, masks, rate, recipe.loss, recipe.precision))
                bar.update(recipe.batch)
                if (k + 1) % self.every and k + 1 < recipe.steps:
                    continue
                loss = self.place.mean(torch.stack(sofar).mean())
                if not math.isfinite(loss):
                    raise ModelError(f"the loss is {loss} after {k + 1} steps at lr = {recipe.rate:g}; lower it")
                speed = len(sofar) * recipe.batch / (time.perf_counter() - since)
                if log is not None:
                    found = validate(model, *held) if held else {}
                    log.add(k + 1, (k + 1) * recipe.batch, rate, loss, found, speed)
                    bar.set_postfix(loss=f"{loss:.4f}", **{name: f"{value:.4f}" for name, value in found.items()})
                    save_checkpoint(self.checkpoint, model, optimizer, k + 1, asdict(recipe))
                sofar, since = [], time.perf_counter()
        return found


def validate(model, images, masks):
    """Return the figures of a batch (N, C, L, P), (N, 2, L, P): MSE, smooth L1, R2 of lattice and defects."""
    sums = metrics.pixel_sums(masks_of(model, images), masks)
    lattice, defects = metrics.r2(sums)
    return {"mse": float(metrics.mse(sums).mean()), "smooth_l1": float(metrics.smooth_l1(sums).mean()),
            "r2_lattice": float(lattice), "r2_defects": float(defects)}  # fmt: skip


def source_of(data, batch, seed, masks=None, **how):
    """Return batches of a dataset or a study, given itself, its name or its path."""
    if isinstance(data, list | tuple) and data:
        if batch % len(data):
            raise ModelError(f"a batch of {batch} cannot be shared evenly by {len(data)} sources; choose a multiple")
        return Mixed(tuple(source_of(one, batch // len(data), seed, masks, **how) for one in data))
    if isinstance(data, str | Path):
        data = open_dataset(data) if Path(data).is_dir() else Study.load(data)
    if isinstance(data, Dataset):
        return Stored(data, batch, seed, **how)
    if isinstance(data, Study):
        return Streaming(data, batch, seed, masks=masks or labels_of(data.name), **how)
    raise ModelError(f"cannot train on {type(data).__name__}; give a dataset, a study, or the name of one")


def describe(source):
    """Say where samples come from, without where they lie, and what is done to them that is not usual."""
    if isinstance(source, Mixed):
        return {"mixed": [describe(one) for one in source.sources]}
    usual = {"scatter": 0.0, "crops": 1, "grey": False, "soft": 0.0}
    more = {name: getattr(source, name) for name, value in usual.items() if getattr(source, name) != value}
    if isinstance(source, Streaming):
        said = {"study": source.study.name, "toml": source.study.dumps(), "seed": source.seed, "masks": source.masks}
        return said | {"stored": 0, "stmlab": __version__} | more
    plan = source.dataset.plan
    said = {"study": source.dataset.study.name, "toml": plan.study, "seed": plan.seed, "masks": plan.masks}
    return said | {"stored": source.count, "stmlab": plan.stmlab} | more


def card(recipe, found, model):
    """Return what is to be known of trained weights, as a table of plain values."""
    numbers = {"parameters": sum(p.numel() for p in model.parameters()), "samples": recipe["steps"] * recipe["batch"]}
    return {"limits": LIMITS, "stmlab": __version__, "torch": torch.__version__.split("+")[0], "size": numbers,
            "validation": found, "training": recipe}  # fmt: skip


def _split(source, held):
    """Return the batches to learn from, and those to validate with or None."""
    if isinstance(source, Mixed):
        pairs = [_split(one, held if held is None else held // len(source.sources)) for one in source.sources]
        learned, checks = zip(*pairs, strict=True)
        return Mixed(learned), Mixed(checks) if all(checks) else None
    if isinstance(source, Streaming):
        held = HELD if held is None else held
        return source, replace(source, size=held, first=FAR, flip=False, crops=1) if held else None
    held = min(HELD, source.count // 8) if held is None else held
    last = source.count - held
    check = replace(source, size=held, first=last, last=source.count, flip=False, crops=1) if held else None
    return replace(source, last=last), check


def _steps(source, samples, epochs, steps):
    given = {"samples": samples, "epochs": epochs, "steps": steps}
    given = {name: value for name, value in given.items() if value is not None} or {"samples": 100_000}
    name, value = next(iter(given.items()))
    if len(given) > 1 or value < 1:
        raise ModelError(f"how long to train is unclear from {given}; give one of samples, epochs and steps, positive")
    if name == "epochs" and not isinstance(source, Stored):
        raise ModelError("a study has no end, and so no epochs; give samples")
    return value if name == "steps" else value * source.epoch if name == "epochs" else -(-value // source.size)


def _precision(precision, device):
    if precision not in ("auto", "float32", "bfloat16"):
        raise ModelError(f"precision = {precision!r} must be 'auto', 'float32' or 'bfloat16'")
    if precision != "auto":
        return precision
    return "bfloat16" if device.type == "cuda" and torch.cuda.is_bf16_supported() else "float32"


def _finished(out, recipe):
    """Return the network that this very recipe has made before; another one is in the way."""
    if not out.exists():
        return None
    model = load_model(out)
    if model.card.get("training") != recipe:
        raise ModelError(f"{out} holds a network of another run; move it, or name another file")
    return model
