"""Weights on disk: what comes back, and what is refused."""

import json
import os
import pickle
import struct
import tomllib

import numpy as np
import pytest

torch = pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors.torch")

from stmlab.learn import ModelError, UNet, load_model, save_model, tensors  # noqa: E402


@pytest.fixture
def stored(tmp_path):
    """A small network in a file."""
    torch.manual_seed(0)
    model = UNet(base=4, depth=2)
    model.card = {"limits": "none", "validation": {"mse": 0.5}, "training": {"toml": "a = 1\nb = '''2'''\n"}}
    save_model(model, tmp_path / "net.safetensors")
    return tmp_path / "net.safetensors", model


def rewritten(path, **changes):
    """Write the file again with another description."""
    found, said = tensors.read_tensors(path)
    tensors.write_tensors(path, found, said | changes)
    return path


def test_a_network_comes_back_bit_for_bit(stored):
    path, model = stored
    back = load_model(path)
    assert back.settings == model.settings
    assert back.card == model.card
    assert not back.training
    torch.testing.assert_close(dict(back.state_dict()), dict(model.state_dict()), rtol=0, atol=0)


def test_the_card_can_be_read(stored):
    path, model = stored
    text = path.with_suffix(".toml").read_text("utf-8")
    assert tomllib.loads(text) == {"architecture": model.settings, **model.card}
    assert "a = 1\n" in text
    assert {other.name for other in path.parent.iterdir()} == {"net.safetensors", "net.toml"}
    assert path.stat().st_mode == path.with_suffix(".toml").stat().st_mode  # whoever may read one may read the other


def test_half_precision_will_do(stored):
    path, model = stored
    found, said = tensors.read_tensors(path)
    tensors.write_tensors(path, {k: v.half() if v.is_floating_point() else v for k, v in found.items()}, said)
    assert load_model(path).head.weight.dtype == torch.float32
    np.testing.assert_allclose(load_model(path).head.weight.detach(), model.head.weight.detach(), rtol=1e-3, atol=1e-6)


def test_a_failure_leaves_what_was_there(stored, monkeypatch):
    path, model = stored
    before = path.read_bytes()

    def fail(*_args):
        raise OSError("disk full")

    monkeypatch.setattr(tensors, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        save_model(model, path)
    assert path.read_bytes() == before
    with pytest.raises(ModelError, match="is not an existing folder"):
        save_model(model, path.parent / "no" / "net.safetensors")
    with pytest.raises(ModelError, match=r"must end in \.safetensors"):
        save_model(model, path.with_suffix(".pt"))


@pytest.mark.parametrize("keep", [0, 1, 7, 8, 9, 200, 2000, -1])
def test_a_truncated_file_is_refused(stored, keep):
    path, _ = stored
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ModelError, match=r"net\.safetensors holds no weights of stmlab, or is damaged") as caught:
        load_model(path)
    assert "\n" not in str(caught.value)


def header(said, body=b""):
    text = json.dumps(said).encode() if isinstance(said, dict) else said
    return struct.pack("<Q", len(text)) + text + body


HOSTILE = {
    "pickle": pickle.dumps(os.getcwd),
    "endless header": struct.pack("<Q", 2**63) + b"{}",
    "deep header": header(b"[" * 100_000),
    "no description": header({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, b"\0" * 4),
    "description of another kind": header({"__metadata__": {"stmlab": "[1, 2]"}}),
    "deep description": header({"__metadata__": {"stmlab": "[" * 100_000}}),
    "beyond the end": header({"__metadata__": {"stmlab": "{}"},
                              "a": {"dtype": "F32", "shape": [9], "data_offsets": [0, 36]}}),
    "huge shape": header({"__metadata__": {"stmlab": "{}"},
                          "a": {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 4]}}, b"\0" * 4),
    "text": b"these are no weights, but a letter",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_in_one_line(tmp_path, name):
    path = tmp_path / "bad.safetensors"
    path.write_bytes(HOSTILE[name])
    with pytest.raises(ModelError, match=r"bad\.safetensors") as caught:
        load_model(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_huge_file_is_not_even_read(stored, monkeypatch):
    path, _ = stored
    with open(path, "r+b") as file:
        file.truncate(2**40)  # sparse
    with pytest.raises(ModelError, match="more than the 67108864 that weights may have"):
        load_model(path)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"format": "stmlab-unet-0"}, "is of format 'stmlab-unet-0'"),
        ({"architecture": {"base": 10**9}}, "base = 1000000000 is not"),
        ({"architecture": {"base": 128, "depth": 6}}, r"is \(4, 8, 3, 3\), the architecture needs \(2048, 4096,"),
        ({"architecture": {"base": 8, "depth": 2}}, r"is \(4,.* needs \(8,.*; these are other weights"),
        ({"architecture": {"base": 4, "depth": 2, "code": "import os"}}, "its description is wrong"),
        ({"architecture": None}, "its description is wrong"),
        ({"card": 3}, "its description is wrong"),
    ],
)
def test_weights_of_another_shape_are_refused(stored, changes, complaint):
    with pytest.raises(ModelError, match=complaint):
        load_model(rewritten(stored[0], **changes))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(stored, value):
    path, _ = stored
    found, said = tensors.read_tensors(path)
    found["head.bias"][0] = value
    tensors.write_tensors(path, found, said)
    with pytest.raises(ModelError, match=r"'head\.bias' is not made of finite numbers"):
        load_model(path)


def test_missing_networks_are_named(tmp_path):
    with pytest.raises(ModelError, match="unknown network 'mian'; known: main, control, real"):
        load_model("mian")
    with pytest.raises(ModelError, match=r"gone\.safetensors does not exist"):
        load_model(tmp_path / "gone.safetensors")
    with pytest.raises(ModelError, match="is not a regular file"):
        load_model(tmp_path)
