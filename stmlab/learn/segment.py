"""Asking a network where the lattice and the defects are."""

import math

import numpy as np
import torch

from .images import normalise

AT_ONCE = 2**18  # pixels that go through the network together: some 200 MB at 16 channels


def segment(model, images):
    """Label every pixel.

    Parameters
    ----------
    model : UNet
        See `load_model`.
    images : array_like, (..., L, P), or (..., 2, L, P) for a network that takes trace and retrace
        Heights in any unit, in acquisition order; levelled and normalised here as in training.

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
    before, (lines, pixels) = shape[: -2 if model.passes == 1 else -3], shape[-2:]
    flat = images.reshape(math.prod(before), channels, lines, pixels)
    step = max(AT_ONCE // (lines * pixels), 1)
    done = [masks_of(model, flat[k : k + step]) for k in range(0, len(flat), step)]
    labels = model.settings["channels_out"]
    return np.concatenate(done or [np.zeros((0, labels, lines, pixels), "f4")]).reshape(*before, labels, lines, pixels)


@torch.inference_mode()
def masks_of(model, images):
    """Return the masks (N, 2, L, P) of normalised images (N, C, L, P), float32 both; the model stays in its mode."""
    where = next(model.parameters()).device
    training = model.training
    model.eval()
    logits = model(torch.from_numpy(images).to(where).contiguous(memory_format=torch.channels_last))
    model.train(training)
    return torch.sigmoid(logits.float()).cpu().numpy()
