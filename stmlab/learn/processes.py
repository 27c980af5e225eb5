"""Where a run takes place: a processor, a GPU, or several processes that torchrun has started."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from .tensors import ModelError


@dataclass(frozen=True)
class Place:
    """A device, and which of how many processes this is."""

    device: torch.device
    rank: int = 0
    count: int = 1

    @property
    def first(self):
        """Whether this is the process that writes files and shows progress."""
        return self.rank == 0

    def parallel(self, model):
        """Return the network as it is to be called in training: gradients are averaged over all processes."""
        if self.count == 1:
            return model
        ids = [self.device.index] if self.device.type == "cuda" else None
        return DistributedDataParallel(model, device_ids=ids, broadcast_buffers=False)

    def mean(self, value):
        """Return the mean of a number over all processes."""
        if self.count > 1:
            distributed.all_reduce(value)
        return float(value / self.count)


@contextmanager
def processes(device="auto"):
    """Yield the `Place`; under torchrun join the other processes first, and leave them at the end.

    Raises
    ------
    ModelError
        If there is no such device.
    """
    rank, count, local = (int(os.environ.get(name, default)) for name, default in
                          (("RANK", 0), ("WORLD_SIZE", 1), ("LOCAL_RANK", 0)))  # fmt: skip
    where = _device(device, local)
    if count == 1 or distributed.is_initialized():
        yield Place(where, rank, count)
        return
    distributed.init_process_group("nccl" if where.type == "cuda" else "gloo")
    try:
        yield Place(where, rank, count)
        distributed.barrier()  # the first one is still writing
    finally:
        distributed.destroy_process_group()


def _device(device, local):
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        where = torch.device(device)
    except RuntimeError:
        raise ModelError(f"device = {device!r} is not one; use 'auto', 'cpu' or 'cuda'") from None
    if where.type == "cuda" and not torch.cuda.is_available():
        raise ModelError(f"device = {device!r}: there is no CUDA GPU here; use 'cpu' or 'auto'")
    if where.type == "cuda":
        where = torch.device("cuda", local if where.index is None else where.index)
        torch.cuda.set_device(where)
    return where


@contextmanager
def repeatable(device):
    """Context in which a GPU takes only algorithms that repeat bit for bit."""
    if device.type != "cuda":
        yield
        return
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
        yield
