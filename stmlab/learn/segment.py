"""Asking a network where the lattice and the defects are."""

import math
from itertools import product

import numpy as np
import torch
from tqdm import tqdm

from .images import normalise

AT_ONCE = 2**18  # pixels that go through the network together: some 200 MB at 16 channels
TILE = 512  # longest side that goes through the network in one piece [pixels]
OVERLAP = 128  # of neighbouring tiles; TILE - OVERLAP is a multiple of all that the levels halve
BLIND = 32  # pixels along an inner edge of a tile that do not count: the network sees too little around them


def segment(model, images):
    """Label every pixel.

    Parameters
    ----------
    model : UNet
        See `load_model`.
    images : array_like, (..., L, P), or (..., 2, L, P) for a network that takes trace and retrace
        Heights in any unit, in acquisition order; levelled and normalised here as in training. Large ones go through
        the network in overlapping tiles, so that memory stays bounded.

    Returns
    -------
    ndarray, (..., 2, L, P)
        Lattice and defects, between 0 and 1, float32.

    Raises
    ------
    ValueError
        If the images do not have as many passes as the network takes, or no pixel.
    """
    channels, shape = model.settings["channels_in"], np.shape(images)
    if model.passes > 1 and (len(shape) < 3 or shape[-3] != model.passes):
        raise ValueError(f"images {shape} must be (..., {model.passes}, L, P): this network takes trace and retrace")
    images = normalise(images, model.settings["level"])
    before, size = shape[: -2 if model.passes == 1 else -3], shape[-2:]
    out = _segmented(model, images.reshape(math.prod(before), channels, *size))
    return out.reshape(*before, *out.shape[1:])


def segment_normalised(model, image, progress=False):
    """Return the masks (labels, L, P) of one normalised image, of all its channels."""
    return _segmented(model, image.reshape(1, -1, *image.shape[-2:]), progress)[0]


def _segmented(model, images, progress=False):
    """Map normalised images (N, C, L, P) to masks (N, labels, L, P), so many at a time as memory allows."""
    lines, pixels = images.shape[-2:]
    if max(lines, pixels) > TILE:
        done = [_tiled(model, image, progress)[None] for image in images]
    else:
        step = max(AT_ONCE // (lines * pixels), 1)
        done = [masks_of(model, np.ascontiguousarray(images[k : k + step])) for k in range(0, len(images), step)]
    return np.concatenate(done or [np.zeros((0, model.settings["channels_out"], lines, pixels), "f4")])


def _tiled(model, image, progress):
    """Return the masks (labels, L, P) of a normalised image (C, L, P) of any size, tile by tile."""
    out, total = None, np.zeros(image.shape[-2:], "f4")
    tiles = list(product(_spans(image.shape[-2]), _spans(image.shape[-1])))
    for rows, columns in tqdm(tiles, unit=" tiles", leave=False, disable=not progress):
        part = masks_of(model, np.ascontiguousarray(image[None, :, rows, columns]))[0]
        weight = np.minimum.outer(_ramp(rows, image.shape[-2]), _ramp(columns, image.shape[-1]))
        out = np.zeros((len(part), *image.shape[-2:]), "f4") if out is None else out
        out[:, rows, columns] += weight * part
        total[rows, columns] += weight
    return np.divide(out, total, out=out)


def _spans(length):
    """Cut a length into overlapping pieces."""
    if length <= TILE:
        return [slice(0, length)]
    firsts = range(0, length - OVERLAP, TILE - OVERLAP)
    return [slice(first, min(first + TILE, length)) for first in firsts]


def _ramp(span, length):
    """Return the weights of a piece: falling to 0 towards where another one takes over."""
    at = np.arange(span.start, span.stop) + 0.5
    edge = np.full(at.shape, np.inf)
    if span.start:
        edge = at - span.start
    if span.stop < length:
        edge = np.minimum(edge, span.stop - at)
    return np.clip((edge - BLIND) / (OVERLAP - 2 * BLIND), 0, 1).astype("f4")


@torch.inference_mode()
def masks_of(model, images):
    """Return the masks (N, 2, L, P) of normalised images (N, C, L, P), float32 both; the model stays in its mode."""
    where = next(model.parameters()).device
    training = model.training
    model.eval()
    logits = model(torch.from_numpy(images).to(where).contiguous(memory_format=torch.channels_last))
    model.train(training)
    return torch.sigmoid(logits.float()).cpu().numpy()
