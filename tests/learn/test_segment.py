"""Asking a network."""

import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from stmlab.learn import UNet, normalise, segment  # noqa: E402
from stmlab.learn.segment import masks_of  # noqa: E402

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def model():
    """An untrained network whose statistics have seen something."""
    torch.manual_seed(3)
    model = UNet(base=4, depth=3)
    with torch.no_grad():
        model(torch.randn(8, 1, 16, 16))
    return model.eval()


def test_it_does_what_training_does(model):
    images = 3e-10 * RNG.normal(size=(5, 20, 30)) + 1e-9 * np.arange(30)
    with torch.no_grad():
        wanted = torch.sigmoid(model(torch.from_numpy(normalise(images)[:, None]))).numpy()
    out = segment(model, images)
    np.testing.assert_allclose(out, wanted, atol=1e-5)
    assert (out.dtype, out.shape) == ("f4", (5, 2, 20, 30))
    np.testing.assert_allclose(segment(model, images[2]), out[2], atol=1e-5)
    assert ((out >= 0) & (out <= 1)).all()


def test_trace_and_retrace_go_together():
    model = UNet(2, base=4, depth=2).eval()
    images = RNG.normal(size=(3, 2, 9, 9))
    out = segment(model, images)
    assert out.shape == (3, 2, 9, 9)
    np.testing.assert_allclose(segment(model, images[1]), out[1], atol=1e-6)
    with pytest.raises(ValueError, match="takes trace and retrace"):
        segment(model, images[:, 0])


def test_many_images_go_through_in_parts(model, monkeypatch):
    images = RNG.normal(size=(7, 16, 16))
    whole = segment(model, images)
    monkeypatch.setattr(sys.modules["stmlab.learn.segment"], "AT_ONCE", 3 * 256)
    np.testing.assert_allclose(segment(model, images), whole, atol=1e-5)
    assert segment(model, images[:0]).shape == (0, 2, 16, 16)


def test_the_mode_of_the_model_stays(model):
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    masks_of(model, np.zeros((2, 1, 8, 8), "f4"))
    assert model.training
    torch.testing.assert_close(dict(model.state_dict()), before, rtol=0, atol=0)
    model.eval()


@pytest.mark.parametrize("shape", [(12, 12), (1, 1), (1, 40), (40, 1)])
@pytest.mark.parametrize("value", [5.0, np.nan])
def test_odd_images_give_finite_masks(model, shape, value):
    image = np.full(shape, value)
    out = segment(model, image)
    assert out.shape == (2, *image.shape)
    assert np.isfinite(out).all()


def test_a_level_of_two_channels_takes_one_image():
    net = UNet(channels_in=2, base=4, depth=2, level="noise")
    assert net.passes == 1
    images = np.random.default_rng(0).normal(size=(3, 12, 13))
    out = segment(net, images)
    assert out.shape == (3, 2, 12, 13)
    np.testing.assert_allclose(segment(net, 5 * images[1] + 2), out[1], atol=1e-5)
    both = UNet(channels_in=4, base=4, depth=2, level="noise")
    assert segment(both, np.stack([images, images], axis=1)).shape == (3, 2, 12, 13)
    with pytest.raises(ValueError, match="trace and retrace"):
        segment(both, images)
