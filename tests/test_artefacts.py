"""What is seen in a scan of each thing that can go wrong with an instrument, and that it is gone when switched off."""

import numpy as np
import pytest
from scipy.ndimage import maximum_filter

import stmlab as stm
from stmlab import instrument
from stmlab.analysis import level
from stmlab.trajectory import frame, trajectory

SMALL = {"raster.width": 16, "raster.height": 16, "raster.pixels": 24, "raster.lines": 24}
QUIET = {"noise.current": 0.0}
PRISTINE = {"defects.se_vacancy_top": 0.0, "defects.se_vacancy_bottom": 0.0}

ARTEFACTS = {
    "drift": {"piezo.drift_x": 0.05, "piezo.drift_y": -0.03, "piezo.drift_z": 0.02},
    "creep": {"piezo.creep": 0.02, "piezo.offset_x": 300.0, "piezo.offset_z": 100.0},
    "bend": {"piezo.bend_x": 1.0, "piezo.bend_z": 0.3},
    "lateral hysteresis": {"piezo.hysteresis_x": 5.0, "piezo.hysteresis_y": 3.0},
    "vertical hysteresis": {"piezo.hysteresis_z": 10.0},
    "jitter": {"piezo.jitter_fast": 0.1, "piezo.jitter_slow": 0.05},
    "current noise": {"noise.current": 0.05},
    "contrast noise": {"noise.contrast": 0.3},
    "electronics": {"noise.preamp": 1.0, "junction.current": 1.0},
    "flicker": {"noise.flicker": 0.03},
    "hum": {"noise.hum": 0.02},
    "spells of flicker": {"noise.flicker": 0.03, "noise.spells": 4.0, "noise.calm": 0.1},
    "wild lines of hum": {"noise.hum": 0.02, "noise.wild_lines": 0.2},
    "line offsets": {"noise.line_offset": 0.02},
    "telegraph": {"noise.telegraph": 0.05},
    "spikes": {"noise.spikes": 5.0},
    "tilt": {"sample.tilt_x": 1.0, "sample.tilt_y": -0.5},
    "second tip": {"tip.second_apex": "111-0-O", "tip.second_height": 0.3},
    "tip changes": {"tip.changes": 6.0},
    "preamp": {"feedback.preamp_bandwidth": 200.0},
    "amplifier": {"feedback.output_bandwidth": 200.0},
    "delay": {"feedback.delay": 2},
}


def recorded(*changes, seed=3):
    p = stm.Parameters().set(SMALL | QUIET)
    for change in changes:
        p = p.set(change)
    return stm.simulate(p, seed=seed)


@pytest.fixture(scope="module")
def plain():
    return recorded()


@pytest.mark.parametrize("name", ARTEFACTS)
def test_an_artefact_changes_the_image_and_not_the_sample(plain, name):
    scan = recorded(ARTEFACTS[name])
    assert np.abs(scan.height - plain.height).max() > 1e-4
    for column in ("kind", "site", "x", "y"):
        near = [s.defects[np.hypot(s.defects["x"], s.defects["y"]) < 11] for s in (scan, plain)]
        np.testing.assert_array_equal(*(np.sort(defects[column]) for defects in near))
    lateral = name in ("drift", "creep", "bend", "lateral hysteresis", "jitter")
    assert lateral == (not np.array_equal(scan.x, plain.x))
    assert lateral == (not np.array_equal(scan.masks(), plain.masks()))


SOURCES = {
    "noise": ("white", "flicker", "hum", "line_offsets", "telegraph", "spells", "arrivals", "spikes"),
    "piezo": ("drift", "bend", "settle", "creep", "displaced", "jitter"),
}


def contributions(monkeypatch, parameters):
    """All that noise and scanner contribute to one simulation, as bytes."""
    heard = set()

    def listening(real):
        def call(*args):
            out = real(*args)
            heard.add(np.asarray(out).tobytes())
            return out

        return call

    with monkeypatch.context() as patch:
        for module, names in SOURCES.items():
            for name in names:
                patch.setattr(f"stmlab.{module}.{name}", listening(getattr(getattr(stm, module), name)))
        stm.simulate(parameters, seed=3)
    return heard


@pytest.mark.parametrize("name", ARTEFACTS)
def test_an_artefact_leaves_all_others_as_they_are_bit_for_bit(name, monkeypatch):
    everything = stm.Parameters().set(SMALL | {key: v for change in ARTEFACTS.values() for key, v in change.items()})
    none = {key: 0.0 if isinstance(v, float) else (stm.Parameters()[key]) for key, v in ARTEFACTS[name].items()}
    none.pop("junction.current", None)
    if name == "second tip":  # which changes the contrast, in which this noise is measured
        everything = everything.set({"noise.contrast": 0.0})
    whole, without = (contributions(monkeypatch, p) for p in (everything, everything.set(none)))
    new = [part for part in without - whole if np.frombuffer(part).any()]
    assert len(whole) >= 12
    assert new == []


def test_off_is_exactly_nothing(plain):
    """What is recorded is where the tip was, the tip was on the raster, and every line is as the loop left it."""
    np.testing.assert_array_equal(plain.height, plain.true_height)
    np.testing.assert_array_equal(plain.drive, plain.height / 50.0)
    np.testing.assert_allclose(plain.x, [plain.raster.xy[0]] * 2, atol=1e-12)
    assert len(plain.events) == 0


def test_a_slow_scan_tends_to_the_ideal_topograph_linearly():
    """The lag is v tau; a hundred times slower, what is left is below a picometre."""
    errors = []
    for line_time, rate, gain in ((0.1, 2000.0, 0.1), (0.2, 2000.0, 0.1), (0.4, 2000.0, 0.1), (40.0, 38.4, 1.0)):
        scan = recorded({
            "raster.line_time": line_time, "feedback.sampling_rate": rate, "raster.pixels": 48,
            "feedback.loop_gain": gain,
        })  # fmt: skip
        settled = np.abs(scan.height - scan.ideal)[:, 1:, 4:-4]
        errors.append(settled.mean())
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.25)
    assert errors[1] / errors[2] == pytest.approx(2, rel=0.25)
    assert np.median(settled) < 0.01  # Å
    assert settled.max() < 0.01


@pytest.mark.parametrize("gain", [0.05, 0.1, 0.2])
def test_trace_and_retrace_are_two_v_tau_apart(gain):
    """tau = 1 / (2 kappa Ki) = dt / gain; the shift that fits best, on a slowly varying surface."""
    p = {"raster.pixels": 256, "raster.lines": 6, "feedback.loop_gain": gain, "feedback.steps_per_pixel": 8}
    scan = recorded(PRISTINE, p, {"junction.height": 6.0})
    lag = scan.raster.dwell / 8 / gain * scan.raster.width / scan.raster.line_time  # v tau [Å]
    pixel = scan.raster.pixel_size[0]
    trace, retrace = scan.height[:, 3] - scan.height[:, 3].mean()
    at = np.arange(20, 236)
    shifts = np.linspace(0, 4 * lag, 161) / pixel
    miss = [np.sum((np.interp(at + s / 2, np.arange(256), trace) - np.interp(at - s / 2, np.arange(256), retrace)) ** 2)
            for s in shifts]  # fmt: skip
    assert shifts[np.argmin(miss)] * pixel == pytest.approx(2 * lag, rel=0.1)


@pytest.mark.parametrize("axis", ["x", "y"])
@pytest.mark.parametrize("fast", ["forward", "backward"])
@pytest.mark.parametrize("slow", ["up", "down"])
def test_labels_are_where_peaks_are(axis, fast, slow):
    """Atoms standing on nothing, seen through a random trajectory: each peak within half a pixel of its label."""
    rng = np.random.default_rng([len(axis + fast + slow), ord(axis), len(fast)])
    places = np.array([[-5.0, -4.5], [4.0, -5.0], [0.5, 0.5], [-4.5, 4.5], [5.0, 5.0]]) + rng.uniform(-0.5, 0.5, (5, 2))
    floor = np.stack(np.meshgrid(*[np.arange(-14, 14.1, 1.4)] * 2), -1).reshape(-1, 2)
    atoms = np.vstack([np.c_[floor, np.full(len(floor), -3.0)], np.c_[places, np.zeros(5)]])
    p = stm.Parameters().set(SMALL | QUIET | {
        "raster.pixels": 48, "raster.lines": 48, "raster.fast_axis": axis, "raster.fast_direction": fast,
        "raster.direction": slow, "raster.angle": rng.uniform(0, 360), "raster.overscan": 0.05,
        "piezo.drift_x": rng.uniform(-0.1, 0.1), "piezo.drift_y": rng.uniform(-0.1, 0.1),
        "piezo.bend_x": rng.uniform(-0.5, 0.5), "piezo.bend_y": rng.uniform(-0.5, 0.5), "piezo.creep": 0.02,
        "piezo.hysteresis_x": rng.uniform(0, 8), "piezo.hysteresis_y": rng.uniform(0, 8),
        "piezo.offset_x": 50.0, "feedback.loop_gain": 0.9, "feedback.steps_per_pixel": 16,
    })  # fmt: skip
    scan = stm.simulate(p, sample=(atoms, np.ones(len(atoms))), tip=(np.zeros((1, 3)), [1.0]))
    image = scan.height[0]
    peaks = np.argwhere((image == maximum_filter(image, 7)) & (image > image.min() + 0.6 * np.ptp(image)))
    labels = stm.labels.image_coordinates(scan.x[0], scan.y[0], scan.lattice)
    inside = labels[np.all((labels > 2) & (labels < 45), axis=1)]
    assert len(inside) >= 3
    for label in inside:
        near = peaks[np.argmin(np.hypot(*(peaks - label).T))]
        patch = image[near[0] - 1 : near[0] + 2, near[1] - 1 : near[1] + 2]
        cuts = patch[:, 1], patch[1]
        top = near + [np.dot([-0.5, 0, 0.5], cut) / (2 * cut[1] - cut[0] - cut[2]) for cut in cuts]
        assert np.hypot(*(top - label)) < 0.5


def test_the_loop_of_the_piezo_is_as_wide_as_asked():
    """Up and down a slope, line by line: trace and retrace are 10 % of the stroke apart at one drive, within 2 %."""
    scan = recorded(PRISTINE, {
        "sample.tilt_x": 5.0, "junction.height": 9.0, "raster.pixels": 96, "raster.lines": 4, "feedback.loop_gain": 1.0,
        "piezo.hysteresis_z": 10.0, "feedback.steps_per_pixel": 16,
    })  # fmt: skip
    (up, down), (low, high) = ([v[k, 3] for k in (0, 1)] for v in (scan.height, scan.true_height))
    drive = np.linspace(*np.percentile(up, [10, 90]), 201)
    width = np.abs(np.interp(drive, up, low) - np.interp(drive, down, high)).max() / np.ptp(scan.ideal)
    assert width == pytest.approx(0.10, rel=0.02)


def test_hysteresis_shows_in_the_drive_and_not_in_the_true_height(plain):
    scan = recorded(ARTEFACTS["vertical hysteresis"])
    assert np.abs(scan.true_height - plain.true_height)[:, 1:].max() < 0.02  # the loop does its work
    assert np.abs(scan.height - plain.height).max() > 0.02
    assert np.abs((scan.height[0] - scan.height[1]) - (plain.height[0] - plain.height[1])).max() > 0.02


def test_mains_hum_is_read_off_the_image():
    """Its frequency from the phase that runs on from line to line; the loop is too slow to matter at 37 Hz."""
    p = {"noise.hum": 0.05, "noise.hum_frequency": 37.3, "noise.hum_harmonics": 0.0, "feedback.loop_gain": 0.6,
         "raster.pixels": 64, "raster.lines": 32}  # fmt: skip
    noisy, clean = recorded(p), recorded(p, {"noise.hum": 0.0})
    signal = (noisy.height - clean.height).ravel()
    time = noisy.time.ravel()
    trial = np.linspace(20, 60, 4001)
    power = np.abs(np.exp(-2j * np.pi * trial[:, None] * time) @ signal)
    assert trial[power.argmax()] == pytest.approx(37.3, abs=0.02)


def test_a_tilted_sample_is_a_plane(plain):
    """Its slope is what was asked for, and nothing else changes."""
    scan = recorded({"sample.tilt_x": 2.0, "sample.tilt_y": -1.0, "feedback.loop_gain": 0.9})
    flat = recorded({"feedback.loop_gain": 0.9})
    x, y = scan.raster.xy
    expected = np.tan(np.deg2rad(2.0)) * x - np.tan(np.deg2rad(1.0)) * y
    np.testing.assert_allclose(scan.ideal - flat.ideal, expected, atol=1e-9)
    lag = 16 / 24 / 8 / 0.9 * np.tan(np.deg2rad(2.0))
    settled = (scan.height - flat.height - expected)[:, 1:, 3:-3]
    np.testing.assert_allclose(settled.mean((1, 2)), [-lag, lag], atol=2e-3)
    assert np.abs(level(scan.height[0]) - level(flat.height[0]))[1:, 3:-3].max() < 0.02


def test_a_second_tip_doubles_what_is_seen():
    """One atom under two tips: two hills, as far apart as the tips are, the higher tip's lower by its height."""
    p = stm.Parameters().set(SMALL | QUIET | {"tip.apex": "111-0-O", "tip.second_apex": "111-0-O", "tip.second_x": 6.0,
                                              "tip.second_height": 0.4, "tip.depth": 0.0})  # fmt: skip
    floor = np.stack(np.meshgrid(*[np.arange(-20, 20.1, 1.4)] * 2), -1).reshape(-1, 2)
    atoms = np.vstack([np.c_[floor, np.full(len(floor), -4.0)], [[3.0, 0.0, 0.0]]])
    scan = stm.simulate(p, sample=(atoms, np.ones(len(atoms))))
    x = scan.raster.xy[0][0]
    line = scan.ideal[12]
    first, second = line[x > 0].max(), line[x < 0].max()
    assert x[np.argmax(line)] == pytest.approx(3.0, abs=0.4)
    assert x[x < 0][np.argmax(line[x < 0])] == pytest.approx(-3.0, abs=0.4)
    assert first - second == pytest.approx(0.4, abs=0.02)


def test_changes_of_the_tip_are_labelled_and_seen():
    scan, before = recorded({"tip.changes": 2.0, "tip.change_length": 0.5}, seed=5), recorded(seed=5)
    assert len(scan.events) > 0
    assert set(scan.events["kind"]) == {"tip-change"}
    event, dwell = scan.events[0], scan.raster.dwell
    early = scan.time < event["time"] - dwell
    np.testing.assert_allclose(scan.height[early], before.height[early])
    at = scan.time[int(event["retrace"]), event["row"], event["col"]]
    assert abs(at - event["time"]) <= dwell / 2
    end = scan.events["time"][1] if len(scan.events) > 1 else np.inf
    late = (scan.time > event["time"] + 10 * dwell) & (scan.time < end)
    assert late.any()
    assert (scan.height - before.height)[late].mean() > 0.3  # the longer tip must be held higher


def test_shot_and_johnson_noise_are_negligible_at_usual_setpoints():
    quiet, usual = recorded(), recorded({"noise.preamp": 1.0, "feedback.sampling_rate": 1000.0})
    assert 0 < (usual.height - recorded({"feedback.sampling_rate": 1000.0}).height).std() < 2e-3  # Å
    assert quiet.height.shape == usual.height.shape


def test_drift_that_leaves_the_frame_does_not_spoil_the_ideal():
    """The ideal topograph needs atoms under the nominal frame, whether or not the tip ever gets there."""
    p = stm.Parameters().set(SMALL | QUIET | PRISTINE)
    still, gone = (stm.simulate(p.set({"piezo.drift_y": v}), seed=4) for v in (0.0, -0.8))
    assert np.abs(gone.y - still.y).max() > 8
    np.testing.assert_allclose(gone.ideal, still.ideal, atol=0.02)


def test_a_skipped_retrace_is_missing_and_the_trace_goes_on(plain):
    scan = recorded({"raster.retrace": "skipped"})
    for name in ("height", "true_height", "current", "drive", "x", "y"):
        assert np.isnan(getattr(scan, name)[1]).all()
        assert np.isfinite(getattr(scan, name)[0]).all()
    np.testing.assert_array_equal(scan.x[0], plain.x[0])
    np.testing.assert_array_equal(scan.time, plain.time)
    np.testing.assert_array_equal(scan.masks(), plain.masks())
    np.testing.assert_allclose(scan.height[0, 0], plain.height[0, 0], atol=1e-3)  # the first trace has no past
    np.testing.assert_allclose(scan.height[0, 1:, 8:], plain.height[0, 1:, 8:], atol=0.02)


def test_flicker_and_hum_keep_to_their_spells_and_lines():
    """Between the spells nothing is left if the calm is perfect; wild lines are as much stronger as they say."""
    p = stm.Parameters().set(SMALL | QUIET | {"noise.flicker": 0.05, "noise.hum": 0.03})
    everywhere = lifted(p)
    spells = lifted(p.set({"noise.spells": 3.0, "noise.calm": 0.0}))
    share = (spells == 0).mean()
    assert 0.1 < share < 0.9
    np.testing.assert_array_equal(spells[spells != 0], everywhere[spells != 0])
    wild = lifted(p.set({"noise.wild_lines": 0.3, "noise.wild_strength": 4.0})) / everywhere
    assert set(np.unique(wild.round(9))) == {1.0, 4.0}
    assert np.ptp(wild, axis=(1, 2)).max() < 1e-9
    assert 0 < (wild[:, 0, 0] > 2).mean() < 0.7


def lifted(p):
    raster = frame(p)
    return instrument.lift(trajectory(raster, p, 3), raster, p, 3, 0)
