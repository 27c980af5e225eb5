"""From images to places: summits, tiles, scales, scores."""

import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import stmlab  # noqa: E402
from stmlab.learn import ModelError, UNet, calibrate, candidates, detect, detections, peaks, segment  # noqa: E402
from stmlab.learn.calibrate import _table, _threshold  # noqa: E402
from stmlab.learn.segment import masks_of  # noqa: E402

RNG = np.random.default_rng(5)


def discs(places, shape, radius):
    """Label discs around (row, column), as stmlab.labels draws them."""
    grid = np.stack(np.mgrid[: shape[0], : shape[1]], axis=-1)
    nearest = np.min([np.linalg.norm(grid - place, axis=-1) for place in places], axis=0)
    return np.clip(1.1 - nearest / radius, 0, 1)


# ---- summits ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("radius", [2.6, 4.0, 9.0])
def test_the_middle_of_a_disc_is_found_between_the_pixels(radius):
    for place in RNG.uniform(10, 29, (40, 2)):
        (found,) = peaks(discs([place], (40, 40), radius), 0.5, 1.2 * radius)
        assert np.hypot(found["y"] - place[0], found["x"] - place[1]) < 0.05
        assert found["score"] == pytest.approx(1.0, abs=0.75 / radius)


def test_a_plateau_is_one_summit():
    mask = np.zeros((9, 12))
    mask[3:6, 4:9] = 1
    (found,) = peaks(mask)
    assert (found["y"], found["x"]) == (4, 6)


def test_a_plateau_that_something_higher_touches_is_no_summit():
    mask = np.zeros((20, 40))
    mask[5:15, 5:35] = 0.8  # a wide step
    mask[9:11, 33] = 1.0  # and what stands on its end, 28 pixels from its other end
    (found,) = peaks(mask, 0.5, 3)
    assert found["score"] == 1
    mask[9:11, 33] = 0.8
    assert peaks(mask, 0.5, 3)["score"].tolist() == [0.8]


def test_of_two_summits_that_are_too_close_the_higher_one_stays():
    mask = np.zeros((1, 40))
    mask[0, [10, 13, 16, 30]] = 0.7, 0.9, 0.8, 0.6
    assert sorted(peaks(mask, 0.5, 3.5)["x"].round()) == [13, 30]
    assert sorted(peaks(mask, 0.5, 2.5)["x"].round()) == [10, 13, 16, 30]
    mask[0, 10] = 0.95  # 13 falls to 10, and can no longer drive 16 out
    assert sorted(peaks(mask, 0.5, 3.5)["x"].round()) == [10, 16, 30]


def test_summits_below_the_least_do_not_count_and_the_highest_comes_first():
    mask = discs([(8, 8)], (40, 40), 4) * 0.4 + discs([(8, 30)], (40, 40), 4) * 0.8 + discs([(30, 8)], (40, 40), 4)
    assert peaks(mask, 0.5, 5)["score"].tolist() == sorted(peaks(mask, 0.5, 5)["score"], reverse=True)
    assert [len(peaks(mask, least, 5)) for least in (0.3, 0.5, 0.9, 1.1)] == [3, 2, 1, 0]


@pytest.mark.parametrize("shape", [(0, 5), (1, 1), (1, 30), (30, 1)])
def test_any_mask_has_summits_or_none(shape):
    assert len(peaks(np.zeros(shape))) == 0
    found = peaks(np.ones(shape))
    assert len(found) == min(np.prod(shape), 1)
    assert all(0 <= one["y"] <= shape[0] - 0.5 and 0 <= one["x"] <= shape[1] - 0.5 for one in found)


def test_wrong_arguments_of_peaks():
    with pytest.raises(ValueError, match="apart = 0"):
        peaks(np.zeros((3, 3)), 0.5, 0)
    with pytest.raises(ValueError, match=r"\(3,\)"):
        peaks(np.zeros(3))


# ---- tiles --------------------------------------------------------------------------------------------


@pytest.fixture
def small_tiles(monkeypatch):
    """Tiles of 64 pixels that overlap by 32, 12 of which are blind: small enough to be tried."""
    module = sys.modules["stmlab.learn.segment"]
    for name, value in (("TILE", 64), ("OVERLAP", 32), ("BLIND", 12)):
        monkeypatch.setattr(module, name, value)
    return module


def net(**settings):
    """A network with random weights whose statistics have seen something."""
    torch.manual_seed(4)
    model = UNet(**{"base": 4, "depth": 3, **settings})
    with torch.no_grad():
        model(torch.randn(8, model.settings["channels_in"], 32, 32))
    return model.eval()


@pytest.mark.parametrize("shape", [(64, 64), (100, 64), (64, 171), (130, 97), (65, 1), (1, 200)])
def test_tiles_show_what_the_whole_shows(small_tiles, monkeypatch, shape):
    model, image = net(), RNG.normal(size=shape)
    tiled, seen = segment(model, image), []
    monkeypatch.setattr(small_tiles, "masks_of", lambda model, part: seen.append(part.shape) or masks_of(model, part))
    segment(model, image)
    assert max(max(one[-2:]) for one in seen) <= 64
    monkeypatch.setattr(small_tiles, "TILE", 4096)
    whole = segment(model, image)
    assert tiled.shape == whole.shape
    # 12 blind pixels, and 44 that the network of three levels can see: most of what is beyond hardly counts
    assert np.abs(tiled - whole).max() < 0.05
    assert np.sqrt(np.mean((tiled - whole) ** 2)) < 0.005


def test_an_image_that_fits_goes_through_in_one_piece():
    model, image = net(), RNG.normal(size=(48, 64)).astype("f4")
    normalised = stmlab.learn.normalise(image)[None, None]
    assert np.array_equal(segment(model, image), masks_of(model, normalised)[0])


# ---- detect -------------------------------------------------------------------------------------------


class Eye(UNet):
    """A network that answers what it is shown: bright is a defect."""

    def forward(self, image):
        return torch.cat([image[:, :1] * 0, 4 * image[:, :1] - 10], dim=1)


def eye(scale=0.0, fewest=0, **settings):
    model = Eye(base=1, depth=1, **settings)
    model.card = {"detection": {"pixel_size": scale, "apart": 12.0, "fewest": fewest, "threshold": 0.5,
                                "summit": [0.1, 0.4, 1.0], "right": [0.0, 0.5, 1.0]}}  # fmt: skip
    return model


def hills(shape, pixel_size, places, width=3.0):
    """Hills 1 high at (x, y) [Å] on a rough floor, pixels of (fast, slow) Å."""
    y, x = ((np.arange(n) + 0.5) * side for n, side in zip(shape, pixel_size[::-1], strict=True))
    image = 0.01 * np.random.default_rng(5).normal(size=shape)
    for at_x, at_y in places:
        image += np.exp(-((x - at_x) ** 2 + (y[:, None] - at_y) ** 2) / (2 * width**2))
    return image


@pytest.mark.parametrize("pixel_size", [(0.5, 0.5), (1.0, 0.6), (2.0, 1.0)])
@pytest.mark.parametrize("scale", [0.0, 0.4, 1.3])
def test_places_come_back_in_the_pixels_of_the_image(pixel_size, scale):
    places = np.array([(20.3, 41.2), (60.8, 20.1), (70.1, 75.6)])
    shape = round(90 / pixel_size[1]), round(96 / pixel_size[0])
    found = detect(eye(scale), hills(shape, pixel_size, places), pixel_size)
    there = (np.column_stack([found["x"], found["y"]]) + 0.5) * pixel_size
    assert len(found) == 3
    for place in places:
        assert np.linalg.norm(there - place, axis=1).min() < 0.05 + 0.3 * max(pixel_size)


def test_small_frames_get_finer_pixels(monkeypatch):
    seen = []
    module = sys.modules["stmlab.learn.detect"]
    monkeypatch.setattr(module, "resample", lambda image, shape: seen.append(shape) or image)
    for size in (20, 200):
        candidates(eye(), RNG.normal(size=(size, size)), 1.0, 2.0, fewest=60)
    assert seen == [(60, 60), (100, 100)]


def test_both_ways_up_are_averaged():
    class Lopsided(Eye):
        def forward(self, image):
            below = torch.linspace(0, 1, image.shape[-2])[:, None]
            return super().forward(image) * below - 20 * (1 - below)  # blind to what comes first

    model = Lopsided(base=1, depth=1)
    image = hills((60, 60), (1, 1), [(30.0, 30.0), (30, 8), (30, 52)])
    once, twice = (candidates(model, image, 1.0, apart=12.0, flips=flips) for flips in (False, True))
    assert once["y"].min() > 20  # the first hill is not seen
    assert np.sort(twice["y"]) == pytest.approx([7.5, 51.5], abs=1.5)
    last = [found["score"][found["y"] > 45][0] for found in (once, twice)]
    assert last[1] < 0.6 * last[0]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("image", [
    np.zeros((20, 20)), np.full((8, 8), np.nan), np.full((8, 8), 7, "u1"), np.zeros((1, 30)), np.array([[3.0]]),
])  # fmt: skip
def test_where_there_is_nothing_nothing_is_found(image):
    assert len(detect(eye(), image, 1.0, threshold=0.0)) == 0
    assert len(detect(eye(0.5, 60), image, 1.0, threshold=0.0)) == 0


def test_unknown_pixels_and_other_types_do_no_harm():
    image = hills((50, 50), (1, 1), [(12.5, 30.5)])
    image[40:, :] = np.nan
    image[3, 4] = np.inf
    (known,) = detect(eye(0.7), image, 1.0)
    assert (known["x"], known["y"]) == pytest.approx((12, 30), abs=0.3)
    grey = (200 * hills((50, 50), (1, 1), [(12.5, 30.5)]) + 20).astype("u1")
    assert len(detect(eye(0.7), grey, 1.0)) == len(detect(eye(0.7), grey.astype("f4"), 1.0)) == 1


def test_trace_and_retrace_are_looked_at_together():
    model = eye(channels_in=2)
    image = hills((30, 30), (1, 1), [(15.0, 15.0)])
    assert len(detect(model, np.stack([image, image]), 1.0)) == 1
    with pytest.raises(ValueError, match="trace and retrace"):
        detect(model, image, 1.0)
    with pytest.raises(ValueError, match=r"\(2, 30, 30\)"):
        detect(eye(), np.stack([image, image]), 1.0)


@pytest.mark.parametrize("pixel_size", [0, -1.0, np.nan, np.inf, 1e9, (1, 2, 3), "a"])
def test_pixels_of_impossible_size(pixel_size):
    with pytest.raises(ValueError, match="Å must be one number or two"):
        detect(eye(), np.eye(4), pixel_size)


def test_what_cannot_be_looked_at_says_why():
    with pytest.raises(ValueError, match=r"threshold = 1\.5 is not in \[0, 1\]"):
        detect(eye(), np.eye(4), 1.0, 1.5)
    with pytest.raises(ModelError, match="calibrate"):
        detect(net(), np.eye(4), 1.0)
    with pytest.raises(ValueError, match="give this network numbers"):
        detect(eye(), np.array([["a", "b"]]), 1.0)
    with pytest.raises(ValueError, match="check pixel_size, or cut the image"):
        detect(eye(0.4), np.eye(4000), 1000.0)
    with pytest.raises(ModelError, match="unknown network"):
        detect("mian", np.eye(4), 1.0)


# ---- what scores are worth ----------------------------------------------------------------------------


def test_the_table_is_the_share_of_what_is_right():
    heights = RNG.uniform(0, 1, 20_000)
    right = RNG.uniform(size=20_000) < heights**2
    summit, share = map(np.array, _table(heights, right))
    assert (np.diff(summit) > 0).all()
    assert (np.diff(share) >= 0).all()
    assert len(summit) <= 32
    assert np.abs(share - summit**2).max() < 0.08


def test_the_threshold_is_the_middle_of_the_flat_top():
    heights = np.concatenate([np.linspace(0.6, 1.0, 500), np.linspace(0.05, 0.2, 500)])
    least, f1 = _threshold(heights, np.arange(1000) < 500, 500)  # everything between 0.2 and 0.6 is equally good
    assert f1 == 1.0
    assert least == pytest.approx(0.4, abs=0.01)


@pytest.fixture(scope="module")
def spotted(tmp_path_factory):
    """Frames with defects that anybody would see."""
    off = {"feedback.form": "perfect", "noise.contrast": 0.05, "raster.width": 25.6, "raster.height": 25.6}
    study = stmlab.Study.load("thesis-control").fixed({**off, "junction.height": 3.0, "raster.retrace": "skipped"})
    folder = tmp_path_factory.mktemp("spotted") / "spotted.zarr"
    return stmlab.generate(study, 24, 8, folder, workers=1, progress=False)


class Oracle(UNet):
    """A network that has the labels before it, a little worn."""

    def __init__(self, dataset, wear):
        super().__init__(base=1, depth=1)
        rng = np.random.default_rng(0)
        self.labels = {}
        for image, masks in (dataset[k] for k in range(len(dataset))):
            worn = np.clip(masks * rng.uniform(1 - wear, 1, (2, 1, 1)), 1e-4, 1 - 1e-4)
            key = stmlab.learn.normalise(image[0]).tobytes()
            self.labels[key] = torch.tensor(np.log(worn / (1 - worn)), dtype=torch.float32)

    def forward(self, image):
        return torch.stack([self.labels[one[0].numpy().tobytes()] for one in image.contiguous()])


def test_a_network_that_knows_is_worth_much(spotted):
    model = Oracle(spotted, 0.3)
    said = calibrate(model, spotted, flips=False)
    assert said["f1"] > 0.9
    assert said["pixel_size"] == pytest.approx(0.4)
    assert (said["study"], said["images"], said["apart"]) == ("thesis-control", 24, 2.0)
    with pytest.raises(ValueError, match="take more images"):
        calibrate(eye(), spotted, 1)


def test_detections_agree_with_the_calibration(spotted):
    class Upright(Oracle):
        def forward(self, image):
            return torch.stack([self._either(one) for one in image.contiguous()])

        def _either(self, one):
            key, turned = (part.contiguous().numpy().tobytes() for part in (one[0], one[0].flip(0)))
            return self.labels[key] if key in self.labels else self.labels[turned].flip(-2)

    model = Upright(spotted, 0.3)
    model.card = {"detection": calibrate(model, spotted)}
    found = detections(model, spotted)
    assert found.f1 == pytest.approx(model.card["detection"]["f1"], abs=0.03)
    assert found.rmse < 0.3  # Å, at pixels of 0.4 Å
    assert set(found.recall_by_kind) <= {"se-vacancy-top", "se-vacancy-bottom", "dopant-top", "dopant-bottom"}


def test_a_large_image_shows_how_far_it_has_come(capfd, monkeypatch):
    monkeypatch.setattr(sys.modules["stmlab.learn.segment"], "TILE", 256)
    model, image = UNet(base=2, depth=2).eval(), np.random.default_rng(0).normal(size=(200, 600))
    quiet = candidates(model, image, 1.0)
    assert capfd.readouterr().err == ""
    np.testing.assert_array_equal(candidates(model, image, 1.0, progress=True), quiet)
    said = capfd.readouterr().err
    assert said.count("0/4") == 2  # as it is, and upside down
    candidates(model, image[:, :200], 1.0, progress=True)
    assert capfd.readouterr().err == ""
