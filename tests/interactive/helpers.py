"""Figures that the tests of this folder share."""

import base64
import zlib

import numpy as np

from stmlab.interactive import Image, Lines, Slider, explore

X, Y = np.meshgrid(np.linspace(0, 10, 12), np.linspace(0, 6, 9))


def scene(gap, bias):
    """A lopsided picture, two curves, a moving loop: all that the encoders must carry."""
    z = np.exp(-gap) * (X + 2 * Y) + bias * np.sin(X)
    loop = gap * np.cos(X[0])
    return [
        Image(z, (0, 10, 0, 6), title="Map", clabel="z (Å)", alt=f"A ramp at {gap}.", points=[(gap, bias)]),
        Image(z, (0, 10, 0, 6), vmin=-1, vmax=1, alt="The same, on a fixed scale."),
        Lines(X[0], [z[0], z[-1]], labels=["low", "high"], title="Cuts", alt="Two cuts."),
        Lines(loop, [np.sin(X[0])], ylim=(-2, 2), alt="A loop."),
    ]


def figure():
    """`scene` with two sliders: 3 × 2 frames."""
    return explore(scene, gap=Slider([0.5, 1, 2], 1, "gap", "Å"), bias=Slider((-1, 1, 2), 1.0, "bias", "V"))


def unpack(stored, shape, dtype):
    """Undo `static._pack`, as explore.js does: levels (frames, *shape)."""
    raw = np.frombuffer(zlib.decompress(base64.b64decode(stored["data"])), "u1")
    size = np.dtype(dtype).itemsize
    levels = np.ascontiguousarray(raw.reshape(size, -1).T).view(dtype).reshape(-1, *shape).copy()
    for k in range(len(levels)):
        if k // stored["stride"] % stored["count"]:
            levels[k] += levels[k - stored["stride"]]
    return levels
