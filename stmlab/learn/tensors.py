"""Tensors on disk: safetensors with one JSON text beside them. Nothing that is read is ever executed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from .._resources import replacing

LARGEST = 2**26  # bytes; the bundled weights have 2 million, their checkpoints three times as many
HEADER = 2**20
KEY = "stmlab"  # one text: the order of several would change from run to run
DAMAGE = (SafetensorError, ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError,
          RuntimeError, MemoryError)  # fmt: skip


class ModelError(ValueError):
    """Weights that cannot be read or used as asked; its message is one line."""


def write_tensors(path, tensors, said):
    """Write tensors, and what is `said` of them, aside; then rename.

    Parameters
    ----------
    path : path
        The file.
    tensors : dict
        Name -> tensor.
    said : dict
        What JSON can hold.

    Raises
    ------
    OSError
        If it cannot be written; what was there is intact.
    """
    path = Path(path)
    if not path.resolve().parent.is_dir():
        raise OSError(f"cannot write {path}: {path.parent} is not an existing folder; make it first")
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    try:
        with replacing(path) as aside:
            aside.write_bytes(save(plain, {KEY: json.dumps(said)}))
    except (OSError, SafetensorError) as error:
        raise OSError(f"cannot write {path}: {error}; choose another place") from error


def read_tensors(path):
    """Read what `write_tensors` wrote, from a file that anyone may have made.

    Parameters
    ----------
    path : path
        The file.

    Returns
    -------
    tensors, said : dict
        All tensors are finite numbers.

    Raises
    ------
    ModelError
        If it is no such file, larger than 64 MiB, or damaged.
    """
    data = _bounded(Path(path))
    try:
        length = int.from_bytes(data[:8], "little")
        if len(data) < 8 or length > min(HEADER, len(data) - 8):
            raise ValueError("its header does not fit into it")
        said = json.loads(json.loads(data[8 : 8 + length])["__metadata__"][KEY])
        tensors = load(data)
        if not isinstance(said, dict):
            raise ValueError("its description is not a table")
    except DAMAGE as error:
        reason = "its description is missing" if isinstance(error, KeyError) else " ".join(str(error).split())[:160]
        raise ModelError(f"{path} holds no weights of stmlab, or is damaged ({reason}); get it again") from None
    bad = [name for name, tensor in tensors.items()
           if tensor.is_complex() or not torch.isfinite(tensor.float()).all()]  # fmt: skip
    if bad:
        raise ModelError(f"{path}: {bad[0]!r} is not made of finite numbers; the file is damaged, get it again")
    return tensors, said


def _bounded(path):
    if not path.is_file():
        raise ModelError(f"{path} {'is not a regular file' if path.exists() else 'does not exist'}; check the path")
    try:
        size = os.stat(path).st_size
        if size > LARGEST:
            raise ModelError(f"{path} has {size} bytes, more than the {LARGEST} that weights may have; check the path")
        with open(path, "rb") as file:
            return file.read(size)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}") from None
