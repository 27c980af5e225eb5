"""The learning rate, and the test that finds one."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from stmlab import plot  # noqa: E402
from stmlab.learn import Stored, UNet, cosine, lr_range_test, one_cycle, train_step  # noqa: E402
from stmlab.learn.step import LOSSES, optimizer_of  # noqa: E402


def test_one_cycle_rises_and_falls():
    rates = [one_cycle(k, 400, 0.02) for k in range(400)]
    assert rates[0] == pytest.approx(0.02 / 25)
    assert rates[100] == max(rates) == pytest.approx(0.02)
    assert rates[50] == pytest.approx(0.5 * (0.02 / 25 + 0.02))
    assert rates[250] == pytest.approx(0.5 * (0.02 + 0.02e-3))
    assert 0.02e-3 < rates[-1] < 0.022e-3
    assert (np.diff(rates[:101]) > 0).all()
    assert (np.diff(rates[100:]) < 0).all()


def test_cosine_falls_after_a_short_rise():
    rates = [cosine(k, 500, 0.1) for k in range(500)]
    assert rates[0] == pytest.approx(0.01)
    assert rates[250] == pytest.approx(0.05)
    assert rates[400] == pytest.approx(0.05 * (1 + math.cos(0.8 * math.pi)))
    assert 0 < rates[-1] < 1e-5


@pytest.mark.parametrize("law", [one_cycle, cosine])
@pytest.mark.parametrize("steps", [1, 2, 5])
def test_short_runs_have_positive_rates(law, steps):
    assert all(0 < law(k, steps, 1.0) <= 1 for k in range(steps))


# ---- one step -----------------------------------------------------------------------------------------


class Line(torch.nn.Module):
    """One weight: logits = w x."""

    def __init__(self, weight):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(weight))

    def forward(self, image):
        return self.weight * image


@pytest.mark.parametrize(
    ("loss", "wanted"),
    [
        ("mse", lambda p, t: (p - t) ** 2),
        ("smooth-l1", lambda p, t: (p - t) ** 2 / 2),
        ("bce", lambda p, t: -t * math.log(p) - (1 - t) * math.log(1 - p)),
    ],
)
def test_a_step_is_that_of_adamw(loss, wanted):
    weight, x, t, rate = 0.7, 1.3, 0.25, 1e-3
    model = Line(weight)
    images, masks = torch.full((1, 1, 2, 2), x), torch.full((1, 1, 2, 2), t)
    before = train_step(model, optimizer_of(model), images, masks, rate, loss)
    assert float(before) == pytest.approx(wanted(1 / (1 + math.exp(-weight * x)), t), rel=1e-5)
    # the first step of Adam is as long as the rate, whatever the gradient (here uphill: p > t); decay is 1 %
    assert float(model.weight.detach()) == pytest.approx(weight * (1 - 0.01 * rate) - rate, abs=1e-7)


def test_the_rare_loss_weighs_labels_and_leaves_the_lattice_out():
    logits, t = torch.tensor([[[[0.3]], [[-0.7]]]]), 0.25
    lattice, defect = (1 / (1 + math.exp(-float(v))) for v in logits.ravel())
    wanted = -(1 + 9 * t) * (t * math.log(defect) + (1 - t) * math.log(1 - defect)) - math.log(1 - lattice)
    for label in (0.0, 0.9):
        masks = torch.tensor([[[[label]], [[t]]]])
        assert float(LOSSES["rare"](logits, masks)) == pytest.approx(wanted / 2, rel=1e-5)


def test_bfloat16_gives_nearly_the_same_loss(tiny):
    images, masks = map(torch.from_numpy, Stored(tiny, 8).batch(0))
    losses = []
    for precision in ("float32", "bfloat16"):
        torch.manual_seed(1)
        model = UNet(base=4, depth=2)
        losses.append(float(train_step(model, optimizer_of(model), images, masks, 1e-3, precision=precision)))
        assert all(p.dtype == torch.float32 for p in model.parameters())
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)


# ---- range test ---------------------------------------------------------------------------------------


def test_the_range_test_leaves_the_model_alone_and_finds_the_valley(tiny):
    torch.manual_seed(0)
    model = UNet(base=4, depth=2)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    found = lr_range_test(model, Stored(tiny, 8), 1e-5, 10.0, 60)
    torch.testing.assert_close(model.state_dict(), before, rtol=0, atol=0)
    np.testing.assert_allclose(np.diff(np.log(found.rates)), math.log(1e6) / 59)
    assert len(found.rates) == len(found.losses) == len(found.smooth) <= 60
    k = found.rates.tolist().index(found.suggestion)
    assert found.smooth[k - 1] - found.smooth[k + 1] >= np.max(found.smooth[:-2] - found.smooth[2:])
    assert 1e-4 < found.suggestion < found.rates[found.smooth.argmin()]
    assert found.smooth.min() < 0.8 * found.smooth[0]


def test_the_range_test_ends_where_learning_breaks_away(tiny):
    class Jumpy(Line):
        def forward(self, image):
            return self.weight * 300 * torch.ones_like(image).expand(-1, 2, -1, -1)

    found = lr_range_test(Jumpy(0.0), Stored(tiny, 4), 1e-4, 100.0, 100)
    assert len(found.rates) < 100
    assert np.isfinite(found.losses).all()


@pytest.mark.parametrize(("low", "high", "steps"), [(1e-3, 1e-4, 50), (0, 1, 50), (1e-3, 1, 5), (1, 1e9, 50)])
def test_a_senseless_range_is_refused(tiny, low, high, steps):
    with pytest.raises(ValueError, match="rates must rise"):
        lr_range_test(UNet(base=4, depth=2), Stored(tiny, 8), low, high, steps)


def test_a_range_test_and_a_log_can_be_drawn(tiny):
    figure = pytest.importorskip("matplotlib.figure").Figure()
    above, below = figure.subplots(2)
    found = lr_range_test(UNet(base=4, depth=2), Stored(tiny, 8), 1e-4, 1.0, 20)
    plot.range_test(found, above)
    assert f"suggestion {found.suggestion:.2g}" in [text.get_text() for text in above.get_legend().get_texts()]
    plot.learning_curve([{"samples": 8, "loss": 2.0}, {"samples": 16, "loss": 1.0, "mse": 0.5}], below)
    assert [line.get_xdata().tolist() for line in below.lines] == [[8, 16], [16]]
