"""Training speed of the default network, without and with filters for waves: samples per second, best of a few."""

import time
from itertools import product

import torch

from stmlab.learn import UNet, train_step
from stmlab.learn.step import optimizer_of

BATCH, SIZE, ROUNDS = 64, 64, 6


def rate(waves, threads, precision):
    """Samples per second of a training step, batches being there already."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model = UNet(waves=waves).to(memory_format=torch.channels_last)
    optimizer = optimizer_of(model)
    images, masks = torch.randn(BATCH, 1, SIZE, SIZE), torch.rand(BATCH, 2, SIZE, SIZE)
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        train_step(model, optimizer, images, masks, 1e-3, precision=precision)
        best = min(best, time.perf_counter() - start)
    return BATCH / best


if __name__ == "__main__":
    for waves in (0, 8):
        size = sum(p.numel() for p in UNet(waves=waves).parameters())
        print(f"U-Net of {size} parameters, {waves} filters for waves, {BATCH} frames of {SIZE} x {SIZE}")
        for threads, precision in product((1, 2), ("float32", "bfloat16")):
            speed = rate(waves, threads, precision)
            print(f"{threads} threads, {precision:8}: {speed:5.0f} samples/s, 100 000 in {1e5 / speed / 60:.0f} min")
