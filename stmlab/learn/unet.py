"""The network, whole: an encoder that sees more and more of the frame, and a decoder that says where."""

import torch
from torch import distributed, nn
from torch.distributed.nn.functional import all_reduce
from torch.nn import functional as F

from .images import LEVELS

LARGEST = {"channels_in": 4, "channels_out": 8, "base": 128, "depth": 6, "waves": 32}
FLOOR = 1e-4  # power below which no wave is worth a distinction; the noise of a normalised image has about 1


class UNet(nn.Module):
    r"""U-Net: per pixel, the logit of each label.

    Each level of the encoder halves the frame and doubles the channels; each level of the decoder undoes that and
    is handed what the encoder saw at its own size, so that nothing sharp gets lost on the way through the bottom.

    Parameters
    ----------
    channels_in : int
        1: the trace; 2: trace and retrace; twice as many with the level "noise".
    channels_out : int
        Labels; lattice and defects.
    base : int
        Channels of the first level.
    depth : int
        Levels; the last one sees the frame at 1 / 2^(depth - 1) of its size.
    waves : int
        Channels that `Waves` adds to the image before the first level; 0: none. A lattice is one wave over the whole
        frame: in Fourier space it stands out where no pixel shows it.
    level : {"surface", "line", "noise"}
        How `stmlab.learn.normalise` levels the images; the network itself does not use it.

    Attributes
    ----------
    settings : dict
        The parameters, as given.
    passes : int
        Images that it takes: the trace, or trace and retrace.
    card : dict
        What is known of the weights; see `stmlab.learn.save_model`.

    Raises
    ------
    ValueError
        If a number is not a whole one in its range.

    References
    ----------
    O. Ronneberger, P. Fischer and T. Brox, MICCAI 2015, doi:10.1007/978-3-319-24574-4_28.
    """

    def __init__(self, channels_in=1, channels_out=2, base=16, depth=4, level="surface", waves=0):
        super().__init__()
        self.settings = _checked(channels_in, channels_out, base, depth, level, waves)
        self.card = {}
        width = [base * 2**i for i in range(depth)]  # 16, 32, 64, 128
        self.waves = Waves(channels_in, waves) if waves else None
        self.encoder = nn.ModuleList(map(block, [channels_in + waves, *width[:-1]], width))
        self.enlarge = nn.ModuleList(nn.ConvTranspose2d(2 * n, n, 2, stride=2) for n in width[-2::-1])
        self.decoder = nn.ModuleList(block(2 * n, n) for n in width[-2::-1])
        self.head = nn.Conv2d(base, channels_out, 1)
        nn.init.constant_(self.head.bias, -2.0)  # most pixels bear no label: begin with "rather not"

    @property
    def passes(self):
        """Images that it takes, 1 (the trace) or 2 (trace and retrace)."""
        return self.settings["channels_in"] // LEVELS[self.settings["level"]]

    def forward(self, image):
        """Map normalised images (N, channels_in, L, P) to logits (N, channels_out, L, P)."""
        lines, pixels = image.shape[-2:]
        size = 2 ** (len(self.encoder) - 1)
        x = F.pad(image, (0, -pixels % size, 0, -lines % size), mode="replicate")
        x = torch.cat([x, self.waves(x)], dim=1) if self.waves else x
        seen = []
        for i, stage in enumerate(self.encoder):
            x = stage(F.max_pool2d(x, 2) if i else x)  # (N, base 2^i, L / 2^i, P / 2^i)
            seen.append(x)
        for enlarge, stage, skip in zip(self.enlarge, self.decoder, seen[-2::-1], strict=True):
            x = stage(torch.cat([enlarge(x), skip], dim=1))  # twice the size, half the channels
        return self.head(x)[..., :lines, :pixels]


class Waves(nn.Module):
    r"""A Wiener filter that is learned: keeps the waves that stand out of the noise.

    Each Fourier coefficient X of a picture is multiplied by a gate between 0 and 1, which leaves its phase as it was,

    .. math:: Y(q) = g(q)\, X(q), \qquad g = \operatorname{sigmoid}\, G\big(\ln |X|^2, \ln |X_w|^2, |q|\big),

    where G is a few convolutions over what is seen at q and around it, and :math:`X_w` belongs to the picture under a
    Hann window: its peaks are wider, but the edges of the frame do not blur them. Wiener's own gate is
    :math:`1 - |N|^2 / |X|^2`, with the power N of the noise known; here it is guessed from the neighbours.

    Parameters
    ----------
    inner, outer : int
        Channels of the image, and of pictures of it that are filtered.
    """

    def __init__(self, inner, outer):
        super().__init__()
        self.pictures = nn.Conv2d(inner, outer, 3, padding=1)
        seen = 2 * outer + 1
        self.gate = nn.Sequential(BatchNorm(seen), block(seen, 3 * outer), nn.Conv2d(3 * outer, outer, 1))
        self.norm = BatchNorm(outer)

    def forward(self, image):
        """Map images (N, inner, L, P) to filtered pictures (N, outer, L, P)."""
        waves, gates = self.gated(image)
        return self.norm(torch.fft.irfft2(gates * waves, s=image.shape[-2:], norm="ortho"))

    def gated(self, image):
        """Return the Fourier coefficients of the pictures of images, and their gates, each (N, outer, L, P / 2 + 1)."""
        size = image.shape[-2:]
        pictures = self.pictures(image).float().contiguous()
        level = pictures.mean(dim=(-2, -1), keepdim=True)
        waves = torch.fft.rfft2(pictures, norm="ortho")
        windowed = torch.fft.rfft2((pictures - level) * window(size, image.device), norm="ortho")
        seen = torch.cat([log_power(waves), log_power(windowed), frequency(size, image)], dim=1)
        # rows of neighbouring frequencies lie beside each other while the gate looks around
        gates = torch.sigmoid(self.gate(torch.fft.fftshift(seen, dim=-2)).float())
        return waves, torch.fft.ifftshift(gates, dim=-2)


def window(size, device):
    """Return the Hann window of a frame (L, P), nowhere 0."""
    rows, columns = (torch.hann_window(n + 2, periodic=False, device=device)[1:-1] for n in size)
    return rows[:, None] * columns


def frequency(size, image):
    """Return |q| of all coefficients of real frames (N, 1, L, P / 2 + 1) [1 / pixel]."""
    rows, columns = torch.fft.fftfreq(size[0], device=image.device), torch.fft.rfftfreq(size[1], device=image.device)
    return torch.hypot(rows[:, None], columns).expand(len(image), 1, -1, -1)


def log_power(waves):
    """Return ln |X|^2 of Fourier coefficients, and of the floor where there is nothing."""
    return (waves.real.square() + waves.imag.square() + FLOOR).log()


def block(inner, outer):
    """Two convolutions of 3 x 3, (N, inner, L, P) -> (N, outer, L, P), each normalised and rectified."""
    return nn.Sequential(
        nn.Conv2d(inner, outer, 3, padding=1, bias=False), BatchNorm(outer), nn.SiLU(),
        nn.Conv2d(outer, outer, 3, padding=1, bias=False), BatchNorm(outer), nn.SiLU(),
    )  # fmt: skip


class BatchNorm(nn.BatchNorm2d):
    """Batch normalisation over the whole batch, also where processes have a part of it each.

    PyTorch's own, `torch.nn.SyncBatchNorm`, knows GPUs alone.
    """

    def forward(self, x):
        """Map (N, C, L, P) to the same shape, each channel with mean 0 and variance 1 while training."""
        if not (self.training and distributed.is_available() and distributed.is_initialized()):
            return super().forward(x)
        x = x.float()
        sums = torch.stack([x.mean(dim=(0, 2, 3)), x.square().mean(dim=(0, 2, 3))])
        parts = distributed.get_world_size()
        mean, square = all_reduce(sums) / parts  # of the whole batch; gradients flow back to all processes
        variance = square - mean.square()
        count = parts * x[:, 0].numel()
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / max(count - 1, 1), self.momentum)
        scale = self.weight * (variance + self.eps).rsqrt()
        return x * scale[:, None, None] + (self.bias - mean * scale)[:, None, None]


def _checked(channels_in, channels_out, base, depth, level, waves):
    said = {"channels_in": channels_in, "channels_out": channels_out, "base": base, "depth": depth, "waves": waves}
    for name, most in LARGEST.items():
        least = 0 if name == "waves" else 1
        if isinstance(said[name], bool) or not isinstance(said[name], int) or not least <= said[name] <= most:
            raise ValueError(f"UNet {name} = {said[name]!r} is not a whole number in [{least}, {most}]; choose one")
    if level not in LEVELS:
        raise ValueError(f"UNet level = {level!r} must be one of {', '.join(LEVELS)}")
    return said | {"level": level}
