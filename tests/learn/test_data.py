"""Normalisation and batches."""

import numpy as np
import pytest

pytest.importorskip("torch")

import stmlab
from stmlab.learn import Mixed, Stored, Streaming, ahead, normalise, patch, published, resample, shared
from stmlab.learn.images import bent, softened
from stmlab.parameters import Choice, SameAs, Study

from .conftest import SIZE, STUDY

RNG = np.random.default_rng
Y, X = np.mgrid[:48, :40] / 40


def rough(seed=0):
    """Noise with a few tall pixels."""
    image = RNG(seed).normal(size=X.shape)
    image[3, 5], image[20, 30] = 40, -60
    return image


# ---- normalise ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", ["surface", "line"])
def test_tilt_drift_unit_and_offset_do_not_show(level):
    image = rough()
    bent = 3e-9 * (image + 7 + 0.1 * X) + 3e-9 * (5 * Y - 4 * Y**2 + 2 * Y**3)
    np.testing.assert_allclose(normalise(bent, level), normalise(image, level), atol=0.1)


def test_jumps_between_lines_show_only_where_they_are_to():
    image = rough()
    jumped = image + RNG(1).normal(size=(48, 1)) * 5
    np.testing.assert_allclose(normalise(jumped, "line"), normalise(image, "line"), atol=1e-5)
    assert np.abs(normalise(jumped) - normalise(image)).mean() > 0.3


def test_the_bulk_has_unit_spread_and_outliers_are_tamed():
    plain, out = RNG(2).normal(size=X.shape), normalise(rough(2))
    assert abs(1.4826 * np.median(np.abs(np.sinh(normalise(1e3 * plain)))) - 1) < 1e-6
    assert np.abs(out).max() == pytest.approx(np.arcsinh(60), rel=0.03)
    more = rough(2)
    more[20, 30] *= 1e6
    kept = np.ones(X.shape, bool)
    kept[20, 30] = False
    np.testing.assert_allclose(normalise(more)[kept], out[kept], atol=1e-6)


def test_many_images_are_normalised_one_by_one():
    images = np.stack([rough(k) * 10.0**k for k in range(6)]).reshape(2, 3, *X.shape)
    many = normalise(images)
    assert (many.shape, many.dtype) == (images.shape, np.float32)
    np.testing.assert_array_equal(many[1, 2], normalise(images[1, 2]))


def test_what_is_not_known_counts_for_nothing():
    image, holed = rough(), rough()
    holed[10:12], holed[30, ::3], holed[31, 0] = np.nan, np.inf, -np.inf
    for level in ("surface", "line"):
        out = normalise(holed, level)
        assert (out[~np.isfinite(holed)] == 0).all()
        known = np.isfinite(holed)
        np.testing.assert_allclose(out[known], normalise(image, level)[known], atol=0.15)


@pytest.mark.parametrize(
    "image",
    [np.full((9, 9), 3.7), np.full((9, 9), np.nan), np.zeros((1, 1)), np.full((5, 1), 1e300), np.ones((1, 9))],
)
def test_where_nothing_is_to_be_seen_there_is_nothing(image):
    np.testing.assert_array_equal(normalise(image), np.zeros(image.shape))


def test_odd_images_stay_finite():
    few = np.zeros((20, 20))
    few[4, 4] = 1.0  # all the other pixels are equal
    for image in (few, few.astype("u1"), few[:1], few.T[:, :1], 1e300 * few, np.outer(np.arange(9), np.ones(9))):
        assert np.isfinite(normalise(image)).all()
    assert normalise(few)[4, 4] > 1


@pytest.mark.parametrize(("shape", "level"), [((3,), "surface"), ((0, 3), "surface"), ((3, 3), "plane")])
def test_wrong_images_are_refused(shape, level):
    with pytest.raises(ValueError, match="level = 'plane'" if level == "plane" else "images have shape"):
        normalise(np.zeros(shape), level)


# ---- batches ------------------------------------------------------------------------------------------


def test_an_epoch_shows_every_sample_once(tiny):
    source = Stored(tiny, 10, seed=3)
    assert source.epoch == 6
    epochs = [np.concatenate([source.numbers(k) for k in range(6 * e, 6 * e + 6)]) for e in (0, 1)]
    for numbers in epochs:
        np.testing.assert_array_equal(np.sort(numbers), np.arange(60))
    assert (epochs[0] != epochs[1]).any()
    some = Stored(tiny, 7, first=20, last=40)
    seen = np.concatenate([some.numbers(0), some.numbers(1)])
    assert len({*seen.tolist()}) == 14
    assert {*seen.tolist()} <= {*range(20, 40)}


def test_a_stored_batch_is_what_the_dataset_holds(tiny):
    source = Stored(tiny, 6, passes=2, level="line")
    images, masks = source.batch(4)
    assert (images.dtype, masks.dtype) == ("f4", "f4")
    assert images.shape == masks.shape == (6, 2, SIZE, SIZE)
    for image, mask, number in zip(images, masks, source.numbers(4), strict=True):
        raw, wanted = tiny[int(number)]
        np.testing.assert_array_equal(image, normalise(raw, "line"))
        np.testing.assert_array_equal(mask, wanted)


def test_streamed_batches_are_the_samples_of_the_dataset(tiny):
    source = Streaming(STUDY, 4, seed=5)
    for k in (0, 3):
        images, masks = source.batch(k)
        raw, wanted = tiny[4 * k : 4 * k + 4]
        np.testing.assert_array_equal(images, normalise(raw[:, :1]))
        np.testing.assert_array_equal(masks, wanted)


@pytest.mark.parametrize("threads", [1, 3])
def test_batches_come_in_order_whatever_the_threads(tiny, threads):
    source = Stored(tiny, 5)
    got = list(ahead(source, 2, 9, threads))
    assert len(got) == 7
    for k, (images, _) in enumerate(got, start=2):
        np.testing.assert_array_equal(images, source.batch(k)[0])


def test_batches_are_made_only_a_few_ahead():
    asked = []

    class Source:
        def batch(self, k):
            asked.append(k)
            return k

    batches = ahead(Source(), 0, 10**9, threads=2)
    assert [next(batches) for _ in range(5)] == [0, 1, 2, 3, 4]
    batches.close()
    assert max(asked) <= 4 + 3


def test_an_error_in_a_thread_arrives():
    class Source:
        def batch(self, k):
            if k == 2:
                raise ValueError("no such batch")
            return k

    with pytest.raises(ValueError, match="no such batch"):
        list(ahead(Source(), 0, 5))


@pytest.mark.parametrize("make", [lambda tiny: Stored(tiny, 6, flip=True), lambda tiny: Streaming(STUDY, 6, flip=True),
                                  lambda tiny: Stored(tiny, 6, patch=9),
                                  lambda tiny: Streaming(STUDY, 6, patch=9, pixel_size=0.8)])
def test_the_shares_of_all_processes_are_the_batch(tiny, make):
    source = make(tiny)
    whole = source.batch(1)
    parts = [shared(source, part, 3).batch(1) for part in range(3)]
    for which in (0, 1):
        np.testing.assert_array_equal(np.concatenate([part[which] for part in parts]), whole[which])


def test_flips_turn_image_and_masks_upside_down_together(tiny):
    plain, flipped = Stored(tiny, 20, passes=2).batch(0), Stored(tiny, 20, passes=2, flip=True).batch(0)
    turned = 0
    for before, after in zip(zip(*plain, strict=True), zip(*flipped, strict=True), strict=True):
        same = [np.array_equal(a, b) for a, b in zip(before, after, strict=True)]
        upside_down = [np.array_equal(a[:, ::-1], b) for a, b in zip(before, after, strict=True)]
        assert all(same) or all(upside_down)
        turned += all(upside_down)
    assert 4 <= turned <= 16


def test_what_does_not_fit_is_refused(tiny, tmp_path):
    with pytest.raises(ValueError, match="60 samples do not fill a batch of 64"):
        Stored(tiny)
    with pytest.raises(ValueError, match="a batch of 10 cannot be shared evenly by 4; choose a multiple of 4"):
        shared(Stored(tiny, 10), 0, 4)
    sizes = {"raster.pixels": Choice([8, 16]), "raster.lines": SameAs("raster.pixels")}
    varied = Study(STUDY.base, sizes, name="varied")
    with pytest.raises(ValueError, match="'varied': its frames differ in size"):
        Streaming(varied)
    data = stmlab.generate(varied, 4, 0, tmp_path / "varied.zarr", workers=1, progress=False)
    with pytest.raises(ValueError, match="its frames differ in size"):
        Stored(data, 2)
    single = Study(STUDY.base.set({"raster.retrace": "skipped"}), name="single")
    data = stmlab.generate(single, 4, 0, tmp_path / "single.zarr", workers=1, progress=False)
    with pytest.raises(ValueError, match="holds the trace alone; choose passes = 1"):
        Stored(data, 2, passes=2)
    with pytest.raises(ValueError, match="cut them with patch"):
        Stored(data, 2, pixel_size=1.0)


# ---- patches ------------------------------------------------------------------------------------------


def test_coarser_pixels_are_means_of_what_they_cover():
    image = RNG(0).normal(size=(12, 20))
    np.testing.assert_allclose(resample(image, (4, 5)), image.reshape(4, 3, 5, 4).mean(axis=(1, 3)))
    assert resample(image, (5, 7)).mean() == pytest.approx(image.mean())
    np.testing.assert_allclose(resample([[0.0, 3.0, 6.0]], (1, 2)), [[1.0, 5.0]])  # the middle one is shared


def test_finer_pixels_lie_on_the_line_between():
    ramp = np.arange(8.0)[None] + 0.5
    finer = resample(ramp, (3, 16))
    np.testing.assert_allclose(finer[:, 1:-1], np.tile(0.25 + 0.5 * np.arange(1, 15), (3, 1)))
    image = RNG(0).normal(size=(2, 6, 7))
    np.testing.assert_allclose(resample(image, (6, 7)), image)


def test_a_patch_lies_anywhere_inside_or_is_padded():
    images = np.arange(2 * 5 * 7.0).reshape(2, 5, 7) + 1
    seen = set()
    for seed in range(60):
        out = patch(images, 4, RNG(seed))
        row, column = divmod(int(out[0, 0, 0]) - 1, 7)
        np.testing.assert_array_equal(out, images[:, row : row + 4, column : column + 4])
        seen.add((row, column))
    assert seen == {(row, column) for row in range(2) for column in range(4)}
    padded = patch(images, 9, RNG(0))
    np.testing.assert_array_equal(padded[:, :5, :7], images)
    assert padded.shape == (2, 9, 9)
    assert padded.sum() == images.sum()


def test_frames_of_all_sizes_become_patches_of_one_scale(tmp_path):
    sizes = {"raster.pixels": Choice([8, 16, 40]), "raster.lines": SameAs("raster.pixels")}
    study = Study(STUDY.base.set({"raster.width": 16, "raster.height": 12}), sizes, name="varied")
    data = stmlab.generate(study, 12, 0, tmp_path / "varied.zarr", workers=1, progress=False)
    stored, streamed = Stored(data, 12, patch=32, pixel_size=0.5), Streaming(study, 12, patch=32, pixel_size=0.5)
    images, masks = streamed.batch(0)
    assert images.shape == (12, 1, 32, 32)
    assert (images[..., 24:, :] == 0).all()  # 12 Å are 24 lines of 0.5 Å, 16 Å are 32 pixels
    assert (np.abs(images[..., :24, :]).max(axis=(1, 2)) > 0).all()
    assert len({*data.sizes[:, 0].tolist()}) == 3
    order = stored.numbers(0)
    for which, part in enumerate(stored.batch(0)):
        np.testing.assert_allclose(part, (images, masks)[which][order], atol=1e-6)


def test_a_patch_is_cut_from_image_and_masks_alike(tiny):
    source = Stored(tiny, 8, patch=6, flip=True)
    images, masks = source.batch(2)
    for image, mask, number in zip(images, masks, source.numbers(2), strict=True):
        raw, wanted = tiny[int(number)]
        both, whole = np.concatenate([image, mask]), np.concatenate([normalise(raw[:1]), wanted])
        windows = np.lib.stride_tricks.sliding_window_view(whole, (6, 6), axis=(1, 2))
        same = [(windows == both[:, None, None, ::way]).all(axis=(0, 3, 4)).sum() for way in (1, -1)]
        assert sum(same) == 1


def test_sources_may_be_mixed(tiny):
    one, two = Stored(tiny, 4, seed=1), Streaming(STUDY, 2, seed=9)
    mixed = Mixed((one, two))
    assert mixed.size == 6
    for which in (0, 1):
        parts = np.concatenate([one.batch(3)[which], two.batch(3)[which]])
        np.testing.assert_array_equal(mixed.batch(3)[which], parts)
        halves = [shared(mixed, part, 2).batch(3)[which] for part in (0, 1)]
        np.testing.assert_array_equal(np.sort(np.concatenate(halves), axis=0), np.sort(parts, axis=0))


# ---- frames like published pictures -------------------------------------------------------------------


def test_restless_lines_stand_out_no_more_than_calm_ones():
    image = RNG(0).normal(size=(200, 300))
    image[80:140] *= 6
    frame, line = normalise(image, "noise")
    spread = lambda part: 1.4826 * np.median(np.abs(np.sinh(part)))  # noqa: E731
    assert spread(frame[90:130]) > 4 * spread(frame[:60])
    assert spread(line[90:130]) == pytest.approx(0.5, rel=0.1)  # scaled by twice the spread
    assert spread(line[:60]) == pytest.approx(0.5, rel=0.1)
    np.testing.assert_allclose(normalise(7 * image + 3, "noise"), normalise(image, "noise"), atol=1e-5)


def test_the_level_noise_is_line_with_another_scale():
    image = rough()
    np.testing.assert_allclose(np.sinh(normalise(image, "noise")[0]), np.sinh(normalise(image, "line")) / 2, rtol=1e-5)
    many = normalise(np.stack([image, 2 * image[::-1]]), "noise")
    assert many.shape == (2, 2, *image.shape)
    np.testing.assert_array_equal(many[0], normalise(image, "noise"))
    known = image.copy()
    known[4] = np.nan
    assert not normalise(known, "noise")[:, 4].any()
    assert not normalise(np.ones((5, 6)), "noise").any()


def test_a_published_frame_is_of_256_greys_and_levelled_line_by_line():
    image, flat = RNG(0).normal(size=(30, 40)).cumsum(axis=0), 0
    for seed in range(40):
        out = published(image, RNG(seed))
        assert set(np.unique(out)) <= set(range(256))
        flat += np.ptp(out.mean(axis=1)) < 12
    assert 20 <= flat < 40
    assert np.isfinite(published(np.zeros((4, 5)), RNG(0))).all()


def test_the_beginning_of_lines_may_be_bent():
    image = RNG(0).normal(size=(4, 1000))
    out = bent(image, np.array([0, 1, -2, 3.0]), 0.01) - image
    assert not out[0].any()
    np.testing.assert_allclose(out[1:, 0] / out[1, 0], [1, -2, 3])
    assert out[1, 0] == pytest.approx(np.exp(-0.05), rel=0.1)  # the spread is about 1
    assert out[3, 10] / out[3, 0] == pytest.approx(np.exp(-1))


def test_a_tilt_does_not_bend_more():
    image, x = RNG(0).normal(size=(4, 1000)), np.arange(1000)
    bends = [(bent(z, np.ones(4), 0.01) - z)[:, 0] for z in (image, image + 0.1 * x)]
    np.testing.assert_allclose(bends[1], bends[0], rtol=0.05)


def test_atoms_between_the_pixels_are_not_labelled(tiny):
    fine, coarse = (Stored(tiny, 4, patch=8, pixel_size=size).batch(0)[1] for size in (0.95, 0.97))
    assert fine[:, 0].max() > 0.3
    assert not coarse[:, 0].any()
    assert coarse[:, 1].any() == fine[:, 1].any()


def test_softened_labels_are_wider_and_as_high():
    y, x = np.mgrid[:60, :80] * 0.8
    disc = np.clip(1.1 - np.hypot(x - 24, y - 24) / 4.5, 0, 1)
    out = softened(disc, 3.0, 0.8)
    assert out[30, 30] == pytest.approx(1.0, abs=1e-6)
    var = [(((x - 24) ** 2) * m).sum() / m.sum() for m in (disc, out)]
    assert var[1] - var[0] == pytest.approx(9.0, rel=0.02)  # variances add up
    np.testing.assert_array_equal(softened(0 * disc, 3.0, 0.8), 0)


def test_several_patches_of_a_frame_fill_a_batch(tiny):
    how = {"size": 8, "patch": 8, "crops": 4, "flip": True, "grey": True, "level": "noise"}
    source = Stored(tiny, **how)
    images, masks = source.batch(0)
    assert (images.shape, masks.shape) == ((8, 2, 8, 8), (8, 2, 8, 8))
    assert len(source.numbers(0)) == 2
    assert source.epoch == len(tiny) // 2
    assert len(np.unique(images[:4].reshape(4, -1), axis=0)) > 1
    for a, b in zip(source.batch(3), Stored(tiny, **how).batch(3), strict=True):
        np.testing.assert_array_equal(a, b)
    halves = [shared(source, part, 2).batch(1) for part in range(2)]
    np.testing.assert_array_equal(np.concatenate([half[0] for half in halves]), source.batch(1)[0])
    for wrong in ({"crops": 3}, {"crops": 0}, {"patch": 0}, {"scatter": 1.0}):
        with pytest.raises(ValueError, match=r"share|crops|scatter"):
            Stored(tiny, **(how | wrong))


def test_the_pixel_may_be_scattered(tmp_path):
    data = stmlab.generate(STUDY, 4, 0, tmp_path / "few.zarr", workers=1, progress=False)
    size = STUDY.base["raster.width"] / STUDY.base["raster.pixels"]
    ones = [Stored(data, 4, patch=8, pixel_size=size, scatter=scatter).batch(0)[0] for scatter in (0.0, 0.3)]
    assert not np.allclose(*ones)
