"""Trained networks: how they are stored, described and found."""

from __future__ import annotations

import hashlib
from pathlib import Path

import tomlkit
import torch

from .._resources import data_path, write_text
from .tensors import ModelError, read_tensors, write_tensors
from .unet import UNet

FORMAT = "stmlab-unet-1"
BUNDLED = ("main", "control", "real")


def save_model(model, path):
    """Write a network: weights and model card as safetensors, and the card once more as text, ``.toml``, beside it.

    Parameters
    ----------
    model : UNet
        Its ``card``, a dict, says what it was trained on, how, how good it is, and where it ends.
    path : path
        Ends in ``.safetensors``.

    Raises
    ------
    ModelError
        If the name ends otherwise.
    OSError
        If it cannot be written.
    """
    path = check_name(path)
    said = {"format": FORMAT, "architecture": model.settings, "card": model.card}
    write_tensors(path, model.state_dict(), said)
    write_text(path.with_suffix(".toml"), tomlkit.dumps(_readable({"architecture": model.settings, **model.card})))


def load_model(name_or_path="main"):
    """Read a bundled network by its name, or any by its path.

    Nothing in the file is executed, and nothing is built before its description and all shapes agree.

    Parameters
    ----------
    name_or_path : str or path
        "main", "control", "real", or a ``.safetensors`` file.

    Returns
    -------
    UNet
        Ready to be used: `stmlab.learn.segment`.

    Raises
    ------
    ModelError
        If there is no such network, or the file is not one.
    """
    path = _found(name_or_path)
    tensors, said = read_tensors(path)
    if said.get("format") != FORMAT:
        raise ModelError(f"{path} is of format {said.get('format')!r}, not {FORMAT!r}; train it again")
    try:
        with torch.device("meta"):  # shapes without memory
            wanted = UNet(**said["architecture"]).state_dict()
        card = dict(said["card"])
    except (TypeError, ValueError, LookupError) as error:
        raise ModelError(f"{path}: its description is wrong ({' '.join(str(error).split())[:160]})") from None
    _check_shapes(path, tensors, wanted)
    model = UNet(**said["architecture"])
    model.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    model.card = card
    return model.to(memory_format=torch.channels_last).eval()


def beginning(start, seed, **settings):
    """Return a network with these settings to begin a training with, and what its card says of an earlier one.

    Either the first weights follow from the seed, and the global generator stays as it is; or they are those of the
    network `start`, of which only `channels_in` and `level` must agree with the settings: what it is shown.
    """
    if start is None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return UNet(**settings), {}
    model = load_model(start)
    for name in ("level", "channels_in"):
        if model.settings[name] != settings[name]:
            raise ModelError(f"{start} was shown images with {name} = {model.settings[name]}, not {settings[name]}")
    digest = hashlib.sha256(b"".join(value.numpy().tobytes() for value in model.state_dict().values()))
    return model, {"sha256": digest.hexdigest(), "training": model.card.get("training", {})}


def check_name(path):
    """Return the path of a network that is to be written."""
    path = Path(path)
    if path.suffix != ".safetensors":
        raise ModelError(f"{path}: the name of a network must end in .safetensors")
    if not path.resolve().parent.is_dir():
        raise ModelError(f"{path} cannot be written: {path.parent} is not an existing folder; make it first")
    return path


def _readable(value):
    """Spread texts of many lines over as many lines."""
    if isinstance(value, dict):
        return {name: _readable(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_readable(inner) for inner in value]
    if isinstance(value, str) and "\n" in value:
        return tomlkit.string(value, multiline=True)
    return value


def _check_shapes(path, tensors, wanted):
    for name in sorted(tensors.keys() | wanted.keys()):
        here, there = (tuple(side[name].shape) if name in side else "absent" for side in (tensors, wanted))
        if here != there:
            raise ModelError(f"{path}: {name} is {here}, the architecture needs {there}; these are other weights")


def _found(name_or_path):
    if name_or_path in BUNDLED:
        path = data_path("networks", f"{name_or_path}.safetensors")
        if not path.is_file():
            raise ModelError(f"the network {name_or_path!r} is not part of this version; train it and give its path")
        return path
    if Path(name_or_path).suffix != ".safetensors" and not Path(name_or_path).exists():
        raise ModelError(f"unknown network {str(name_or_path)!r}; known: {', '.join(BUNDLED)}, or the path of a file")
    return Path(name_or_path)
