import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

import stmlab as stm
from stmlab import piezo
from stmlab._resources import data_path
from stmlab.analysis import lattice_vectors
from stmlab.assembly import build_junction, wse2_sheet
from stmlab.microscope import simulate_many, topographs
from stmlab.structures import DEFECTS
from stmlab.tightbinding import fermi_level, ldos
from stmlab.tightbinding.ldos import best_method
from stmlab.trajectory import frame, trajectory

SMALL = {"raster.width": 16, "raster.height": 16, "raster.pixels": 24, "raster.lines": 24}
QUIET = {"noise.current": 0.0}
PRISTINE = {"defects.se_vacancy_top": 0.0, "defects.se_vacancy_bottom": 0.0}


@pytest.fixture(scope="module")
def scan():
    return stm.simulate(stm.Parameters().set(SMALL), seed=3)


def test_one_seed_one_image(scan):
    again = stm.simulate(stm.Parameters().set(SMALL), seed=3)
    for name in ("height", "true_height", "current", "drive", "x", "y", "ideal", "defects", "lattice"):
        np.testing.assert_array_equal(getattr(scan, name), getattr(again, name))
    assert not np.array_equal(scan.height, stm.simulate(stm.Parameters().set(SMALL), seed=4).height)
    assert not np.array_equal(scan.height, stm.simulate(stm.Parameters().set(SMALL), seed=3, index=1).height)


@pytest.mark.parametrize(
    "change",
    [{"OPENBLAS_NUM_THREADS": "1"}, {"OPENBLAS_NUM_THREADS": "2"}, {"NUMBA_CACHE_DIR": ""}, {"STMLAB_CACHE": ""}],
)
def test_the_bits_do_not_depend_on_threads_process_or_cache(scan, change, tmp_path):
    """Linear algebra on one thread or two; compiled code and tables from the cache or made anew."""
    code = (
        "import hashlib, stmlab as stm;"
        f"s = stm.simulate(stm.Parameters().set({SMALL!r}), seed=3);"
        "print(hashlib.sha256(s.height.tobytes()).hexdigest())"
    )
    env = os.environ | {key: value or str(tmp_path) for key, value in change.items()}
    run = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == hashlib.sha256(scan.height.tobytes()).hexdigest()


def test_noise_leaves_the_defects_where_they_were(scan):
    quiet = stm.simulate(stm.Parameters().set(SMALL | QUIET), seed=3)
    np.testing.assert_array_equal(quiet.defects, scan.defects)
    np.testing.assert_array_equal(quiet.ideal, scan.ideal)
    assert not np.array_equal(quiet.height, scan.height)


@pytest.mark.parametrize("change", [{"piezo.drift_x": 0.2}, {"raster.width": 19.0}, {"raster.angle": 30.0}])
def test_neither_drift_nor_the_frame_moves_the_defects(scan, change):
    """Those that both frames hold are the same, at the same places of the sample."""
    other = stm.simulate(stm.Parameters().set(SMALL | change), seed=3)

    def inside(s):
        near = s.defects[np.hypot(s.defects["x"], s.defects["y"]) < 11]
        return sorted((d["kind"], round(d["x"], 6), round(d["y"], 6)) for d in near)

    assert inside(scan) == inside(other) != []


def test_shapes_and_units(scan):
    for name in ("height", "true_height", "current", "drive", "x", "y", "time"):
        assert getattr(scan, name).shape == (2, 24, 24)
    np.testing.assert_allclose(scan.drive * scan.parameters.piezo.sensitivity, scan.height)
    assert 3 < scan.height.mean() < 7
    assert scan.masks().shape == (2, 24, 24)


def test_the_ideal_topograph_holds_the_median_current_of_the_start_height(scan):
    """Half of the pixels lie above the start height and half below it, to the flatness of ln I."""
    assert abs(np.median(scan.ideal) - scan.parameters.junction.height) < 0.02


def test_a_perfect_slow_loop_records_the_ideal_topograph():
    p = stm.Parameters().set(SMALL | QUIET | {"feedback.loop_gain": 1.0, "feedback.steps_per_pixel": 64})
    s = stm.simulate(p, seed=3)
    # what is left is the corrugation within a pixel, over which the recorded height is an average
    assert np.abs(s.height - s.ideal).max() < 0.05 * np.ptp(s.ideal)


def test_trace_and_retrace_lag_in_opposite_directions():
    """Behind by v tau each, tau = dt / g, so that they are shifted against each other by 2 / g steps."""
    p = stm.Parameters().set(SMALL | QUIET | PRISTINE | {"feedback.loop_gain": 0.2, "feedback.steps_per_pixel": 4})
    p = p.set({"raster.pixels": 96, "raster.lines": 4, "junction.height": 4.0})
    s = stm.simulate(p, seed=0)
    line = s.ideal[2] - s.ideal[2].mean()
    lags = []
    for leg in s.height[:, 2]:
        shifts = np.arange(-12, 13)
        score = [np.dot(np.roll(leg - leg.mean(), -k)[15:-15], line[15:-15]) for k in shifts]
        k = int(np.argmax(score))
        a, b, c = score[k - 1 : k + 2]
        lags.append(shifts[k] + (a - c) / (2 * (a - 2 * b + c)))
    assert lags[0] > 0 > lags[1]
    assert lags[0] - lags[1] == pytest.approx(2 / 0.2 / 4, rel=0.25)


def test_vertical_drift_is_followed_by_the_drive():
    """The tip stays at its height; the recorded height ramps against the drift."""
    p = stm.Parameters().set(SMALL | QUIET | PRISTINE | {"piezo.drift_z": 0.05})
    still, moving = stm.simulate(p.set({"piezo.drift_z": 0.0})), stm.simulate(p)
    np.testing.assert_allclose(moving.true_height, still.true_height, atol=2e-3)
    ramp = np.polyfit(moving.time.ravel(), (moving.height - still.height).ravel(), 1)
    assert ramp[0] == pytest.approx(-0.05, rel=1e-2)


def test_drift_of_known_velocity_shears_the_lattice_as_predicted():
    """10 nm, 256 pixels: both lattice vectors within 0.5 % of (1 + v grad t)^-1 a."""
    velocity = (0.05, -0.08)
    p = stm.Parameters().set(QUIET | {
        "raster.width": 100, "raster.height": 100, "raster.pixels": 256, "raster.lines": 256, "raster.angle": 10,
        "junction.height": 4.0, "feedback.steps_per_pixel": 2, "feedback.loop_gain": 0.9,
        "piezo.drift_x": velocity[0], "piezo.drift_y": velocity[1],
    })  # fmt: skip
    sheet = stm.wse2((6, 6))
    scan = stm.simulate(p, sample=sheet)
    a = 3.32 * np.array([[1, 0], [0.5, np.sqrt(3) / 2], [-0.5, np.sqrt(3) / 2]])
    expected = piezo.drifted_lattice(a, velocity, scan.raster)
    assert np.abs(np.linalg.norm(expected, axis=1) / 3.32 - 1).max() > 0.05
    c, s = np.cos(np.deg2rad(10)), np.sin(np.deg2rad(10))
    found = lattice_vectors(scan.height[0], scan.raster.pixel_size[0]) @ np.array([[c, s], [-s, c]])
    for vector in found:
        gaps = [np.linalg.norm(vector - sign * e) / np.linalg.norm(e) for e in expected for sign in (1, -1)]
        assert min(gaps) < 0.005


def test_a_level_of_the_sample_shows_only_beyond_its_bias():
    """Lower left atom with its level at +0.3 eV beside one at -0.3 eV: each is bright at its own polarity."""
    from ase import Atoms

    pair = Atoms("Se2", positions=[[-2, 0, 0], [2, 0, 0]])
    pair.set_array("onsite", np.array([0.3, -0.3]))
    p = stm.Parameters().set(SMALL | QUIET | {"sample.broadening": 0.05, "junction.height": 8.0})
    p = p.set({"raster.width": 8, "raster.height": 8})

    def heights(bias):
        s = stm.simulate(p.set({"junction.bias": bias}), sample=pair, tip=(np.zeros((1, 3)), [1.0]))
        x = s.raster.xy[0]
        return s.ideal[:, x[0] < 0].max(), s.ideal[:, x[0] > 0].max()

    left, right = heights(0.5)
    assert left > right + 0.2
    left, right = heights(-0.5)
    assert right > left + 0.2


def test_one_s_own_arrays_as_sample_and_tip():
    """One atom under one atom: z = sqrt(d^2 - x^2) through the whole microscope."""
    p = stm.Parameters().set(SMALL | QUIET | {"raster.width": 6, "raster.height": 6})
    s = stm.simulate(p, sample=([[0, 0, -2.0]], [1.0]), tip=([[0, 0, 7.0]], [0.5]))
    x, y = s.raster.xy
    d2 = s.ideal[12, 12] ** 2 + x[12, 12] ** 2 + y[12, 12] ** 2
    np.testing.assert_allclose(s.ideal, np.sqrt(d2 - x**2 - y**2), atol=2e-5)
    np.testing.assert_allclose(s.lattice, [[0, 0]])
    assert len(s.defects) == 0


def test_one_s_own_sheet_brings_its_defects():
    sheet = stm.add_defects(stm.wse2((8, 8)), {"se-vacancy-top": [1 + 3 * 27]})
    s = stm.simulate(stm.Parameters().set(SMALL), sample=sheet, seed=1)
    assert set(s.defects["site"]) == {82}
    shift = stm.simulate(stm.Parameters().set(SMALL), seed=1)
    assert not np.array_equal(s.ideal, shift.ideal)


@pytest.mark.parametrize(("kind", "site"), [("se-vacancy-top", 28), ("se-vacancy-bottom", 29)])
def test_a_top_vacancy_is_dark_and_a_bottom_one_dims_its_partner(kind, site):
    sheet = stm.wse2((8, 8))
    hurt = stm.add_defects(sheet, {kind: [site]})
    p = stm.Parameters().set(SMALL | QUIET | {"junction.height": 4.0})
    whole, dented = (stm.simulate(p, sample=s) for s in (sheet, hurt))
    x, y = whole.raster.xy
    away = np.hypot(x - sheet.positions[28, 0], y - sheet.positions[28, 1])
    depth = whole.ideal - dented.ideal
    assert away.min() < 0.5
    assert depth.max() > 0.3
    assert away.flat[depth.argmax()] < 1
    assert np.abs(depth[away > 7]).max() < 0.1


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        (([[0, 0]], [1.0]), "must be \\(N, 3\\)"),
        (([[0, 0, 0]], [1.0, 2.0]), "must be \\(N, 3\\)"),
        (([[500.0, 0, 0]], [1.0]), "no atom of the sample lies under the frame"),
        (([[0, 0, 0]], [0.0]), "at least 0"),
        (([[0, 0, np.nan]], [1.0]), "finite|no atom"),
    ],
)
def test_impossible_samples_are_refused(sample, message):
    with pytest.raises(ValueError, match=message):
        stm.simulate(stm.Parameters().set(SMALL), sample=sample)


def test_ones_own_table_works_like_a_bundled_one(scan, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(data_path("models", "single-orbital.toml").read_text("utf-8"), "utf-8")
    mine = stm.simulate(stm.Parameters().set(SMALL | {"sample.model": str(path)}), seed=3)
    np.testing.assert_array_equal(mine.height, scan.height)


def sheet_and_weight(change):
    """A pristine sheet, and the weight of one of its top atoms and a tip of one atom."""
    p = stm.Parameters().set(SMALL | PRISTINE | {"tip.depth": 0.0, "junction.temperature": 0.0} | change)
    raster = frame(p)
    sheet = wse2_sheet(p, trajectory(raster, p), 0, 0)
    junction, _ = build_junction(p, sheet, p.tip.apex, trajectory(raster, p), "tmatrix")
    return sheet, junction.weights[np.argmax(junction.sample[:, 2]), 0]


@pytest.mark.parametrize("bias", [-1.1, 1.1])
@pytest.mark.parametrize(("reference", "offset"), [("neutral", 0.1), ("valence", 0.3), ("zero", 0.9)])
def test_biases_count_from_the_fermi_level(bias, reference, offset):
    """Against a plain sum over the window; in the gap, where there is next to nothing, to 1e-7 per eV."""
    model, zero = "fang-2015", fermi_level("fang-2015", reference, offset)
    change = {"sample.model": model, "sample.fermi": reference, "sample.fermi_offset": offset, "junction.bias": bias}
    sheet, weight = sheet_and_weight(change)
    e = np.linspace(0, bias, 401)
    sample = ldos(sheet, e + zero, model, "tmatrix", only=[1])[0]
    apex = ldos(stm.tip("111", 1, "OXX"), e - bias, "tungsten-single-orbital", only=[0])[0]
    expected = np.trapezoid(sample * apex, e) * np.sign(bias)
    assert weight == pytest.approx(expected, rel=3e-3, abs=1e-7 * abs(bias) * apex.max())


def test_spd_tips_have_their_fermi_level_where_six_electrons_end():
    e, zero = np.linspace(0, 0.5, 201), fermi_level("tungsten-spd")
    sheet, weight = sheet_and_weight({"tip.model": "tungsten-spd"})
    sample = ldos(sheet, e, "single-orbital", "tmatrix", only=[1])[0]
    apex = ldos(stm.tip("111", 1, "OXX", size=4), e - 0.5 + zero, "tungsten-spd", only=[0])[0]
    assert weight == pytest.approx(np.trapezoid(sample * apex, e), rel=1e-3)


@pytest.mark.parametrize("kind", DEFECTS)
def test_every_kind_of_defect_is_seen_and_labelled(kind):
    change = PRISTINE | QUIET | {f"defects.{kind.replace('-', '_')}": 0.01}
    p = stm.Parameters().set(SMALL | change | {"sample.model": "fang-2015", "junction.bias": -1.2})
    scan, bare = (stm.simulate(q, seed=3) for q in (p, p.set({f"defects.{kind.replace('-', '_')}": 0.0})))
    assert set(scan.defects["kind"]) == {kind}
    assert np.ptp((scan.ideal - scan.ideal.mean()) - (bare.ideal - bare.ideal.mean())) > 0.02  # Å
    assert scan.masks()[1].max() > 0.7


def test_a_negative_charge_is_dark_at_one_bias_and_bright_at_the_other():
    """It lifts all levels: fewer empty ones, more filled ones, within the window."""
    atoms = stm.wse2((20, 20), 3.3155)
    charged = stm.add_defects(atoms, {"charged-dopant": [0]}, charge_potential=0.15, charge_radius=6.0)
    p = stm.Parameters().set(SMALL | {"sample.model": "fang-2015", "raster.width": 40, "raster.height": 40})

    def contrast(bias):
        with_it, without = (stm.simulate(p.set({"junction.bias": bias}), sample=s).ideal for s in (charged, atoms))
        change = with_it - without
        return change[10:14, 10:14].mean() - change[:2].mean()

    assert contrast(1.0) < -0.02
    assert contrast(-1.0) > 0.02


def test_a_tip_of_one_atom_looks_the_same_tilted():
    p = stm.Parameters().set(SMALL | {"tip.depth": 0.0, "tip.model": "tungsten-single-orbital"})
    straight, leaning = (stm.simulate(p.set({"tip.tilt": t, "tip.azimuth": 40.0}), seed=3).ideal for t in (0.0, 4.0))
    np.testing.assert_allclose(leaning, straight, atol=1e-9)


def test_tilting_a_blunt_tip_lifts_its_far_side():
    """Three atoms; leaning towards one of them lifts it, and the image becomes that of the other two."""
    p = stm.Parameters().set(SMALL | {"tip.apex": "111-1-OOO", "tip.depth": 0.5})
    straight, leaning = (stm.simulate(p.set({"tip.tilt": t}), seed=3).ideal for t in (0.0, 20.0))
    assert np.ptp(leaning - straight) > 0.05


def test_one_s_own_sheet_takes_the_fast_way_and_a_strained_one_does_not():
    sheet = stm.add_defects(stm.wse2((6, 6)), {"se-vacancy-top": [1], "oxygen-bottom": [5]})
    strained = sheet.copy()
    strained.positions[4] += 0.01
    assert best_method(sheet, "single-orbital") == "tmatrix"
    assert best_method(strained, "single-orbital") == "exact"
    exchanged = stm.wse2((6, 6))
    exchanged.symbols[0] = "Mo"  # by hand, so that the bookkeeping knows nothing of it
    with pytest.raises(ValueError, match="no parameters for Mo"):
        stm.simulate(stm.Parameters().set(SMALL), sample=exchanged)
    assert best_method(stm.tip("111", size=12), "tungsten-single-orbital") == "kpm"
    assert best_method(stm.wse2((25, 25)).repeat((2, 1, 1)), "single-orbital") == "kpm"


def test_topographs_at_several_biases_are_those_of_single_scans():
    p = stm.Parameters().set(SMALL | {"sample.model": "fang-2015"})
    both = topographs(p, [-1.2, 1.2], seed=3)
    assert both.shape == (2, 24, 24)
    for bias, image in zip((-1.2, 1.2), both, strict=True):
        np.testing.assert_array_equal(image, stm.simulate(p.set({"junction.bias": bias}), seed=3).ideal)
    assert np.abs(both[0] - both[1]).max() > 0.05


def test_a_tilted_barrier_lets_more_current_through_further_up():
    p = stm.Parameters().set(SMALL | PRISTINE | {"junction.bias": 1.0})
    path = trajectory(frame(p), p)
    decay = [build_junction(q, wse2_sheet(q, path, 0, 0), q.tip.apex, path)[0].kappa
             for q in (p, p.set({"junction.barrier": "tilted"}))]  # fmt: skip
    assert decay[1] / decay[0] == pytest.approx(np.sqrt(4.0 / 4.5))


def test_many_at_a_time_are_the_same_as_one_by_one():
    """Loops of several kinds among them, and one sample that makes no image."""
    p = stm.Parameters().set(SMALL | {"raster.pixels": 12, "raster.lines": 12})
    several = [p, p.set({"feedback.form": "increment"}), p.set({"feedback.lowest": 9.0, "feedback.highest": 5.0})]
    several = several * 2 + [p] * 15
    many = simulate_many(several, 3, range(7, 7 + len(several)))
    for k, (one, scan) in enumerate(zip(several, many, strict=True)):
        if k in (2, 5):
            assert "must be less than" in str(scan)
            continue
        alone = stm.simulate(one, seed=3, index=7 + k)
        np.testing.assert_array_equal(alone.height, scan.height)
        np.testing.assert_array_equal(alone.defects, scan.defects)


def test_charges_of_both_signs_at_different_depths():
    """Every second charge is turned round, the deeper ones bend the levels less and wider."""
    p = stm.Parameters().set(SMALL | {"sample.model": "fang-2015", "defects.charged_dopant": 0.004})
    path = trajectory(frame(p), p)
    one = wse2_sheet(p, path, 3, 0)
    both = wse2_sheet(p.set({"defects.charge_opposite": 0.5}), path, 3, 0)
    deep = wse2_sheet(p.set({"defects.charge_spread": 3.0}), path, 3, 0)
    np.testing.assert_array_equal(both.info["defect_site"], one.info["defect_site"])
    assert one.arrays["potential"].min() >= 0
    assert both.arrays["potential"].min() < -0.05
    assert np.std(deep.arrays["potential"]) < np.std(one.arrays["potential"])
