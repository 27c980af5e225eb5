"""The network: shapes, size, and what a pixel can see."""

import pytest

torch = pytest.importorskip("torch")

from stmlab.learn import UNet, load_model, save_model  # noqa: E402
from stmlab.learn.unet import BatchNorm, Waves  # noqa: E402


def test_half_a_million_parameters():
    assert sum(p.numel() for p in UNet().parameters()) == 482466


@pytest.mark.parametrize("shape", [(64, 64), (1, 1), (1, 37), (33, 8), (7, 100)])
@pytest.mark.parametrize("channels", [1, 2])
def test_any_size_comes_back_as_it_went_in(shape, channels):
    model = UNet(channels, base=4).eval()
    with torch.no_grad():
        out = model(torch.randn(3, channels, *shape))
    assert out.shape == (3, 2, *shape)
    assert torch.isfinite(out).all()


def test_a_padded_frame_is_one_that_goes_on_as_at_its_edge():
    model, image = UNet(base=4, depth=3).eval(), torch.randn(1, 1, 10, 14)
    wider = torch.nn.functional.pad(image, (0, 2, 0, 2), mode="replicate")
    with torch.no_grad():
        torch.testing.assert_close(model(image), model(wider)[..., :10, :14])


def test_a_pixel_sees_as_far_as_the_levels_reach():
    model = UNet(base=4, depth=2).eval()
    image = torch.zeros(1, 1, 64, 64, requires_grad=True)
    model(image)[0, 0, 32, 32].backward()
    rows, columns = torch.nonzero(image.grad[0, 0], as_tuple=True)
    # two convolutions at full size and two at half size on the way down, two more on the way up: 2 + 2 * 2 + 1 + 2
    assert 32 - 9 <= rows.min() <= 32 - 6
    assert 32 + 6 <= columns.max() <= 32 + 9


def test_the_settings_are_kept():
    said = {"channels_in": 2, "channels_out": 3, "base": 4, "depth": 2, "level": "line", "waves": 5}
    assert UNet(**said).settings == said
    assert UNet(**UNet(**said).settings).head.weight.shape == (3, 4, 1, 1)


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ({"base": 0}, r"base = 0 is not a whole number in \[1, 128\]"),
        ({"base": 10**9}, "base = 1000000000"),
        ({"waves": -1}, r"waves = -1 is not a whole number in \[0, 32\]"),
        ({"depth": 2.0}, "depth = 2.0"),
        ({"channels_in": True}, "channels_in = True"),
        ({"level": "rows"}, "level = 'rows' must be one of surface, line, noise"),
    ],
)
def test_impossible_networks_are_refused(said, complaint):
    with pytest.raises(ValueError, match=complaint):
        UNet(**said)


def test_batch_norm_alone_is_that_of_torch():
    torch.manual_seed(0)
    ours, theirs = BatchNorm(3), torch.nn.BatchNorm2d(3)
    for _ in range(3):
        x = torch.randn(4, 3, 5, 6) * 3 + 1
        torch.testing.assert_close(ours(x), theirs(x))
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict())


def opened(waves, bias):
    """A filter whose gate is the same everywhere, and whose pictures are not scaled."""
    waves = waves.eval()
    for weights in (waves.gate[-1].weight, waves.gate[-1].bias):
        torch.nn.init.zeros_(weights)
    waves.gate[-1].bias.data += bias
    return waves


def test_an_open_gate_changes_nothing_and_a_shut_one_leaves_nothing():
    image = torch.randn(2, 1, 12, 17)
    with torch.no_grad():
        waves = opened(Waves(1, 3), 30.0)
        torch.testing.assert_close(waves(image), waves.pictures(image), atol=1e-4, rtol=1e-4)
        assert opened(waves, -60.0)(image).abs().max() < 1e-6


def test_a_gate_turns_no_wave():
    torch.manual_seed(1)
    waves, image = Waves(1, 2).eval(), torch.randn(1, 1, 12, 16)
    with torch.no_grad():
        before, after = (torch.fft.rfft2(picture) for picture in (waves.pictures(image), waves(image)))
    ratio = after / before
    assert (ratio.imag.abs() < 1e-3 * ratio.abs())[..., 1:-1].all()
    assert (ratio.real[..., 1:-1] > 0).all()


def test_neighbours_in_frequency_lie_beside_each_other():
    waves, seen = Waves(1, 1).eval(), []
    waves.gate.register_forward_pre_hook(lambda _, args: seen.append(args[0][0]))
    waves.pictures = torch.nn.Identity()
    y = torch.arange(16) * 2 * torch.pi / 16
    with torch.no_grad():
        waves((torch.cos(2 * y)[:, None] * torch.ones(16))[None, None])
    plain, windowed, q = seen[0]
    assert torch.nonzero(plain > 0).tolist() == [[6, 0], [10, 0]]
    strong = torch.nonzero(windowed > 0)
    assert {6, 10} < set(strong[:, 0].tolist()) <= {5, 6, 7, 9, 10, 11}
    assert strong[:, 1].max() == 1
    torch.testing.assert_close(q[:, 0], (torch.arange(16) - 8).abs() / 16)


def test_a_network_with_waves_takes_any_size_and_comes_back_from_its_file(tmp_path):
    model = UNet(base=4, depth=2, waves=3).eval()
    save_model(model, tmp_path / "net.safetensors")
    image = torch.randn(1, 1, 9, 14)
    with torch.no_grad():
        torch.testing.assert_close(load_model(tmp_path / "net.safetensors")(image), model(image))
