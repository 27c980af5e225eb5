"""What a run leaves behind so that it can go on: weights and moments, and a log without what came after them."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import torch

from .._resources import write_text
from .tensors import ModelError, read_tensors, write_tensors

MOMENTS = ("exp_avg", "exp_avg_sq")
COLUMNS = ("step", "samples", "lr", "loss", "mse", "smooth_l1", "r2_lattice", "r2_defects", "samples_per_s")


def save_checkpoint(path, model, optimizer, step, recipe):
    """Write weights and the moments of AdamW after so many steps; there is no other state."""
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    for name, weight in model.named_parameters():
        tensors |= {f"{moment}.{name}": optimizer.state[weight][moment] for moment in MOMENTS}
    write_tensors(path, tensors, {"step": step, "recipe": recipe})


def load_checkpoint(path, model, optimizer, recipe):
    """Put weights and moments back; return the number of steps that were taken.

    Raises
    ------
    ModelError
        If the file is damaged, or belongs to a run with another recipe; the message names what differs.
    """
    tensors, said = read_tensors(path)
    there, step = said.get("recipe"), said.get("step")
    if there != recipe:
        other = [name for name in recipe if not isinstance(there, dict) or there.get(name) != recipe[name]]
        raise ModelError(f"{path} belongs to a run with other {', '.join(other) or 'arguments'}; go on with the same "
                         "arguments, name another file, or start afresh without resuming")  # fmt: skip
    try:
        if not isinstance(step, int) or not 0 < step <= recipe["steps"]:
            raise ValueError(f"step {step!r}")
        model.load_state_dict({name: tensors[f"model.{name}"] for name in model.state_dict()})
        for name, weight in model.named_parameters():
            moments = {moment: torch.zeros_like(weight).copy_(tensors[f"{moment}.{name}"]) for moment in MOMENTS}
            optimizer.state[weight] = {"step": torch.tensor(float(step)), **moments}
    except (LookupError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:120]
        raise ModelError(f"{path} is damaged ({reason}); start afresh without resuming") from None
    return step


class Log:
    """The table of a run, ``.csv``: rows up to the step from which it goes on stay, later ones go.

    Parameters
    ----------
    path : path
        The file.
    step : int
        Where the run goes on.
    """

    def __init__(self, path, step):
        self.path = Path(path)
        self.rows = [row for row in read_log(self.path) if row["step"] <= step]
        self._write()

    def add(self, step, samples, rate, loss, found, speed):
        """Add a row; what was found in validation fills its columns."""
        self.rows.append({"step": step, "samples": samples, "lr": rate, "loss": loss, **found, "samples_per_s": speed})
        self._write()

    def _write(self):
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: f"{row[name]:.6g}" if isinstance(row.get(name), float) else row.get(name, "")
                          for name in COLUMNS} for row in self.rows)  # fmt: skip
        write_text(self.path, text.getvalue())


def read_log(path):
    """Return the rows of a log, column -> number; what was not measured is missing.

    Raises
    ------
    ModelError
        If it is no such table.
    """
    if not Path(path).is_file():
        return []
    try:
        with open(path, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        plain = [{name: float(row[name]) for name in COLUMNS if row[name]} for row in rows]
        return [row | {name: int(row[name]) for name in ("step", "samples")} for row in plain]
    except (ValueError, LookupError, TypeError, csv.Error):
        raise ModelError(f"{path} is not the log of a training run; move it, or name another file") from None
