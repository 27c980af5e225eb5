"""One step of learning."""

import torch
from torch import nn
from torch.nn import functional as F

CLIP = 1.0  # longest gradient that is followed; a freak batch must not throw the weights away
DECAY = 0.01


def _of_masks(function):
    return lambda logits, masks: function(torch.sigmoid(logits), masks)


RARE = 9.0  # how much more a pixel in the middle of a label counts than one without, where labels are rare


def _of_rare(logits, masks):
    masks = masks * masks.new_tensor([0, 1])[:, None, None]
    return F.binary_cross_entropy_with_logits(logits, masks, weight=1 + RARE * masks)


LOSSES = {
    "bce": F.binary_cross_entropy_with_logits,  # lowest at the same masks as "mse", and steeper when it is quite wrong
    "rare": _of_rare,  # a few labels in a large frame would else hardly count against all that is empty
    "mse": _of_masks(F.mse_loss),
    "smooth-l1": _of_masks(F.smooth_l1_loss),
}


def optimizer_of(model):
    """Return AdamW for a network; the rate is set at every step."""
    return torch.optim.AdamW(model.parameters(), lr=0.0, weight_decay=DECAY)


def train_step(model, optimizer, images, masks, rate, loss="bce", precision="float32"):
    r"""Follow the gradient of the loss of one batch.

    The loss is the mean over all pixels and labels of, with p the logistic function of the logits and t the masks,

    .. math:: -t \ln p - (1 - t) \ln (1 - p) \quad \text{("bce")}, \qquad (p - t)^2 \quad \text{("mse")},

    or of the smooth L1 loss, which is half of the latter here; with "rare" the first, each pixel times 1 + 9 t, and
    all of the lattice's labels 0: a network for large frames should spend nothing on atoms that it can hardly see.

    Parameters
    ----------
    model : UNet
        Or `torch.nn.parallel.DistributedDataParallel` around one, which averages the gradients of all processes.
    optimizer : torch.optim.Optimizer
        From `optimizer_of`.
    images, masks : Tensor, (N, C, L, P) and (N, 2, L, P)
        Normalised images and what is to come out.
    rate : float
        Learning rate.
    loss : {"bce", "rare", "mse", "smooth-l1"}
        What to make small.
    precision : {"float32", "bfloat16"}
        Of the convolutions.

    Returns
    -------
    Tensor
        The loss before the step.
    """
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.zero_grad()
    with torch.autocast(images.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
        logits = model(images.contiguous(memory_format=torch.channels_last))
    value = LOSSES[loss](logits.float(), masks)
    value.backward()
    nn.utils.clip_grad_norm_(model.parameters(), CLIP)
    optimizer.step()
    return value.detach()
