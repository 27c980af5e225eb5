"""The bundled studies: what they draw, and what becomes of it."""

import math

import numpy as np
import pytest
from scipy.stats import binomtest, kstest

from stmlab import Parameters, Study, simulate
from stmlab.junction import kappa
from stmlab.parameters import LEAVES, Choice, LogUniform, RootUniform, SameAs
from stmlab.tightbinding.fermi import band_edges

STUDIES = ["thesis-main", "thesis-control", "realistic", "large-frame"]
COUNT = 300


def transformed(law, values):
    """What should be uniform between 0 and 1."""
    bend = {LogUniform: np.log, RootUniform: np.sqrt}.get(type(law), lambda v: v)
    size = np.abs(values) if getattr(law, "either_sign", False) else np.asarray(values)
    return (bend(size) - bend(law.low)) / (bend(law.high) - bend(law.low))


@pytest.fixture(scope="module")
def drawn():
    return {name: [Study.load(name).draw(11, k) for k in range(COUNT)] for name in STUDIES}


@pytest.mark.parametrize("name", STUDIES)
def test_what_varies_has_the_law_that_the_file_says(name, drawn):
    laws, p_values = Study.load(name).vary, []
    for path, law in laws.items():
        values = [p[path] for p in drawn[name]]
        if isinstance(law, SameAs):
            assert values == [p[law.path] for p in drawn[name]]
        elif isinstance(law, Choice):
            for value in set(law.values):
                share = law.values.count(value) / len(law.values)
                assert binomtest(values.count(value), COUNT, share).pvalue > 1e-5
        else:
            p_values.append(kstest(transformed(law, values), "uniform").pvalue)
            if getattr(law, "either_sign", False):
                assert binomtest(sum(v > 0 for v in values), COUNT, 0.5).pvalue > 1e-5
    assert min(p_values) > 1e-2 / len(p_values)  # Bonferroni: one false alarm in a hundred seeds
    assert kstest(p_values, "uniform").pvalue > 1e-3  # they are neither too bad nor too good


# ---- the thesis ----------------------------------------------------------------------------------------

RANGES = {
    "raster.width": (10, 40), "raster.height": (10, 40), "junction.height": (3, 6), "raster.angle": (0, 360),
    "tip.rotation": (0, 360), "tip.azimuth": (0, 360), "defects.dopant_potential": (0.1, 0.5),
    "feedback.loop_gain": (0.1, 2.5), "noise.contrast": (0, 0.6), "piezo.bend_magnitude": (0.1, 10),
    "piezo.jitter_fast": (0, 0.3), "piezo.jitter_slow": (0, 0.1), "piezo.hysteresis_a": (0.1, 1),
    "piezo.hysteresis_beta": (0.1, 1), "piezo.hysteresis_gamma": (0.1, 1),
    **{f"defects.{kind}": (0.001, 0.0025)
       for kind in ("se_vacancy_top", "se_vacancy_bottom", "dopant_top", "dopant_bottom")},
    **{f"piezo.bend_{axis}": (-2, 2) for axis in "xyz"},
}  # fmt: skip


def test_the_thesis_has_the_ranges_of_its_slides(drawn):
    main = drawn["thesis-main"]
    for path, (low, high) in RANGES.items():
        values = [p[path] for p in main]
        assert low <= min(values) < low + 0.03 * (high - low)
        assert high - 0.03 * (high - low) < max(values) <= high
    biases = np.array([p.junction.bias for p in main])
    assert 0.2 <= np.abs(biases).min() < 0.21 < 0.49 < np.abs(biases).max() <= 0.5
    assert {p.raster.fast_axis + p.raster.fast_direction + p.raster.direction for p in main} == {
        a + f + d for a in "xy" for f in ("forward", "backward") for d in ("up", "down")}
    decay = [kappa(p.junction.work_function) for p in main]
    assert kstest((np.array(decay) - 0.9) / 0.2, "uniform").pvalue > 1e-3
    frames = [2 * p.raster.line_time * p.raster.lines for p in main]
    for axis in "xyz":
        drift = np.array([p[f"piezo.drift_{axis}"] for p in main]) * frames
        assert kstest((drift + 4) / 8, "uniform").pvalue > 1e-3
    for tilt in ("sample.tilt_x", "sample.tilt_y", "tip.tilt"):
        assert 0.0095 < math.radians(max(p[tilt] for p in main)) < 0.01001


def test_the_tips_of_the_thesis_end_in_one_atom_each_and_none_is_left_out():
    apexes = Study.load("thesis-main").vary["tip.apex"].values
    assert len(set(apexes)) == len(apexes) == 1 + 3 + 1 + 6 + 1 + 4
    assert all(apex.split("-")[2].count("O") == 1 for apex in apexes)


def test_one_loop_in_five_has_a_gain_above_the_limit_of_stability():
    study, share = Study.load("thesis-main"), 0.5 / 2.4  # 21 %
    drawn = [study.draw(0, k).feedback.loop_gain for k in range(COUNT)]
    assert binomtest(sum(g > 2 for g in drawn), COUNT, share).pvalue > 1e-3


def roughness(scan):
    """Change of slope from pixel to pixel, as a share of the range of the ideal topograph."""
    return np.std(np.diff(scan.height[0], 2, axis=1)) / np.ptp(scan.ideal)


def test_images_above_the_limit_of_stability_look_unstable():
    study, rough = Study.load("thesis-main"), {True: [], False: []}
    for k in range(60):
        p = study.draw(0, k)
        rough[p.feedback.loop_gain > 2].append(roughness(simulate(p, 0, k)))
    assert len(rough[True]) >= 5
    assert np.median(rough[True]) > 5 * np.median(rough[False])


def test_the_control_has_the_labels_of_the_main_set():
    main, control = Study.load("thesis-main"), Study.load("thesis-control")
    for k in range(6):
        p, q = main.draw(3, k), control.draw(3, k)
        a, b = simulate(p, 3, k), simulate(q, 3, k)
        assert (a.masks() == b.masks()).all()
        assert (a.defects == b.defects).all()
        assert (a.x == b.x).all()
        assert (a.lattice == b.lattice).all()
        assert (a.ideal == b.ideal).all()
        assert not np.allclose(a.height, b.height, atol=0.01)
        assert p.noise == q.noise


def test_the_control_records_the_ideal_height_and_the_noise():
    """Without distortion it is the ideal topograph; the noise on top is that of ln I over 2 kappa."""
    q = Study.load("thesis-control").draw(3, 1)
    still = {f"piezo.{name}": 0.0 for name in ("drift_x", "drift_y", "bend_x", "bend_y", "jitter_fast", "jitter_slow")}
    quiet = simulate(q.set(still | {"noise.contrast": 0.0}), 3, 1)
    np.testing.assert_allclose(quiet.height, [quiet.ideal] * 2, atol=2e-4)
    noisy = simulate(q.set(still | {"noise.contrast": 0.5}), 3, 1)
    more = simulate(q.set(still | {"noise.contrast": 1.0}), 3, 1)
    np.testing.assert_allclose(more.height - quiet.height, 2 * (noisy.height - quiet.height), atol=1e-9)
    np.testing.assert_array_equal(noisy.true_height, quiet.true_height)


def test_the_target_varies_as_much_as_that_of_the_thesis():
    """Pixel variance of the masks, both channels together: 0.071 of the thesis, within 10 %."""
    study, sums = Study.load("thesis-main"), []
    for k in range(40):
        masks = simulate(study.draw(0, k), 0, k).masks()
        sums.append([masks.mean(), (masks**2).mean()])
    mean, square = np.mean(sums, axis=0)
    assert square - mean**2 == pytest.approx(0.071, rel=0.1)


# ---- the others ----------------------------------------------------------------------------------------


def test_realistic_biases_lie_outside_the_gap_of_the_model(drawn):
    valence, conduction = band_edges("fang-2015")
    half = (conduction - valence) / 2
    for name in ("realistic", "large-frame"):
        biases = [p.junction.bias for p in drawn[name]]
        assert min(np.abs(biases)) > half + 0.1
        assert min(biases) < 0 < max(biases)


def test_realistic_crystals_are_as_rare_in_defects_as_grown_ones(drawn):
    kinds = [path for path in LEAVES if path.startswith("defects.") and LEAVES[path].unit == "1/Å²"]
    total = np.array([sum(p[path] for path in kinds) for p in drawn["realistic"]])
    assert 1e11 < total.min() * 1e16 < total.max() * 1e16 < 6e12
    expected = total * [p.raster.width * p.raster.height for p in drawn["realistic"]]
    assert 0.6 < np.mean(-np.expm1(-expected)) < 0.95  # frames with a defect at least


def test_everything_that_can_be_drawn_can_be_simulated_small():
    """A few samples of the slow studies, on few pixels of a small frame."""
    small = {"raster.width": 40.0, "raster.height": 40.0, "raster.pixels": 32, "raster.lines": 32}
    for name in ("realistic", "large-frame"):
        for k in range(2):
            scan = simulate(Study.load(name).draw(0, k).set(small), 0, k)
            assert np.isfinite(scan.height[0]).all()
            assert scan.masks("visible").shape == (2, 32, 32)


def test_defaults_are_untouched_by_the_studies():
    assert Study.load("thesis-main").base.set({
        "tip.depth": 1.0, "feedback.form": "position", "feedback.steps_per_pixel": 8, "feedback.step_limit": 0.0,
        "noise.current": 0.02}) == Parameters()
