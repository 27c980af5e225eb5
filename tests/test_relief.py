"""Shapes that no band model gives: closed forms, streams, and where they show."""

import numpy as np
import pytest

import stmlab as stm
from stmlab.labels import visible
from stmlab.microscope import simulate
from stmlab.relief import Relief, hill, hollow, spots, undulation, waves

Y, X = np.mgrid[:300, :300] * 1.0
BOUNDS = np.array([[0.0, 0.0], [300.0, 300.0]])


def relief(index=0, **said):
    p = stm.Parameters().set({f"relief.{name}": value for name, value in said.items()})
    return Relief(p, BOUNDS, 0, index)


def test_undulation_has_its_spread_and_correlation():
    """The correlation is exp(-r^2 / 2 l^2), here averaged over many frames."""
    length, rms, near, square = 20.0, 0.3, [], []
    for seed in range(300):
        z = undulation(np.array([0.0, 25.0]), np.zeros(2), rms, *waves(np.random.default_rng(seed), length))
        near.append(z[0] * z[1])
        square.append(z[0] ** 2)
    assert np.mean(square) == pytest.approx(rms**2, rel=0.15)
    assert np.mean(near) / rms**2 == pytest.approx(np.exp(-(25**2) / (2 * length**2)), abs=0.12)


def test_a_hill_has_its_height_and_a_rim():
    assert hill(0.0, 2.0, 5.0, 0.4) == pytest.approx(2.0)
    assert hill(0.0, 2.0, 5.0, 0.0) == pytest.approx(2.0)
    r = np.linspace(0, 40, 400)
    assert hill(r**2, 2.0, 5.0, 0.0).min() >= 0
    assert hill(r**2, 2.0, 5.0, 0.4).min() < -0.05


def test_spots_lie_at_their_distance():
    t = spots(X / 10, Y / 10, 6.0, 0.3)
    assert t[0, 0] == pytest.approx(1.0)
    assert t.min() > -1e-9
    towards = 0.3 + np.pi / 6  # a neighbour lies between two wave vectors
    assert spots(6 * np.cos(towards), 6 * np.sin(towards), 6.0, 0.3) == pytest.approx(1.0)
    assert spots(3 * np.cos(towards), 3 * np.sin(towards), 6.0, 0.3) == pytest.approx(1 / 9)


def test_nothing_is_there_unless_asked_for():
    none = relief()
    assert not none.height(X, Y).any()
    assert none.listed()[2].shape == (0, 2)


def test_density_and_members_are_as_asked_for():
    wide, kinds = (320.0) ** 2, []
    for index in range(40):
        kinds += relief(index, clusters=1e-4, cluster_members=2.0, halos=5e-5).listed()[0].tolist()
    assert kinds.count("cluster") == pytest.approx(40 * 1e-4 * wide * 3, rel=0.15)
    assert kinds.count("halo") == pytest.approx(40 * 5e-5 * wide, rel=0.2)


def test_the_surface_rises_where_a_cluster_is_listed():
    one = next(found for index in range(50) if len((found := relief(index, clusters=1e-5)).features) == 1)
    z, (_, _, ((x, y),)) = one.height(X, Y), one.listed()
    top = np.unravel_index(z.argmax(), z.shape)
    assert np.hypot(top[1] - x, top[0] - y) < 1 or not (0 <= x < 300 and 0 <= y < 300)
    assert z.max() == pytest.approx(2.0 * one.features[0][3], rel=0.05)


def test_a_scan_shows_and_lists_them_and_other_streams_stay():
    small = {"raster.width": 80.0, "raster.height": 80.0, "raster.pixels": 24, "raster.lines": 24, "noise.current": 0.0}
    plain = stm.Parameters().set(small)
    flat = simulate(plain, 0)
    shaped = simulate(plain.set({"relief.clusters": 5e-4, "relief.halos": 2e-4, "relief.undulation": 0.1}), 0)
    new = shaped.defects[len(flat.defects) :]
    np.testing.assert_array_equal(shaped.defects[: len(flat.defects)], flat.defects)
    assert set(new["kind"]) == {"cluster", "halo"}
    assert (new["site"] == -1).all()
    tall = np.unravel_index((shaped.ideal - flat.ideal).argmax(), flat.ideal.shape)
    clusters = new[new["kind"] == "cluster"]
    assert np.hypot(clusters["row"] - tall[0], clusters["col"] - tall[1]).min() < 3
    np.testing.assert_allclose(shaped.height[0] - flat.height[0], shaped.ideal - flat.ideal, atol=0.5)


def test_some_halos_are_dark_with_bright_spots():
    bright, dark = (relief(3, halos=2e-4, halo_core=0.0, halo_dark=share) for share in (0.0, 1.0))
    np.testing.assert_array_equal(bright.listed()[2], dark.listed()[2])
    assert [f[3] for f in dark.features] == pytest.approx([-2.0 * f[3] for f in bright.features])
    assert [f[4] for f in dark.features] == pytest.approx([0.7 * f[4] for f in bright.features])
    assert dark.height(X, Y).max() <= 0 <= bright.height(X, Y).min()


def test_a_hollow_has_its_depth_width_and_floor():
    assert hollow(0.0, 0.4, 5.0) == pytest.approx(-0.4)
    assert hollow(2 * np.log(2) * 5.0**2, 0.4, 5.0) == pytest.approx(-0.2)  # half of it at the half width
    assert hollow((1.3 * 5.0) ** 2, 0.4, 5.0, flat=True) == pytest.approx(-0.2)
    r = np.linspace(0, 60, 600)
    assert (np.diff(hollow(r**2, 0.4, 5.0)) >= 0).all()
    assert hollow(r**2, 0.4, 5.0, ring=-0.5).max() > 0.01
    assert hollow(0.0, 0.4, 5.0, ring=0.5) == pytest.approx(-0.4)


def test_depressions_are_dark_unless_asked_for_and_of_the_density_asked_for():
    many = [one for index in range(30) for one in relief(index, depressions=2e-4, depression_bright=0.25).features]
    assert len(many) == pytest.approx(30 * 2e-4 * 320**2, rel=0.15)
    assert np.mean([one.taller < 0 for one in many]) == pytest.approx(0.25, abs=0.06)
    deep = [abs(one.taller) for one in relief(0, depressions=5e-3, depression_weak=0.0).features]
    weak = [abs(one.taller) for one in relief(0, depressions=5e-3, depression_weak=1.0).features]
    assert min(deep) >= 0.6
    assert max(deep) <= 1.4
    assert min(np.divide(weak, deep)) == pytest.approx(1 / 8, rel=0.1)


def test_a_lattice_has_its_spots_where_its_sites_are():
    one = relief(corrugation=0.1)
    sites = one.sites(*BOUNDS)
    np.testing.assert_allclose(one.height(*sites.T), 0.1)
    assert len(sites) == pytest.approx(300**2 / (np.sqrt(3) / 2 * 3.32**2), rel=0.02)
    assert one.height(X, Y).min() == pytest.approx(-0.05, rel=0.01)
    assert relief(corrugation=-0.1).height(*sites.T) == pytest.approx(np.full(len(sites), -0.1))


def test_prominence_is_that_of_the_profile():
    """The integral of the square of a Gaussian h exp(-r^2 / 2 s^2) is pi s^2 h^2."""
    one = relief(depressions=2e-4, depression_flat=0.0, halos=1e-4, halo_core=0.0)
    plain = [k for k, f in enumerate(one.features) if not f.ring]
    sides = {"depression": (0.2, 6.0), "halo": (0.05, 15.0)}
    expected = [np.sqrt(np.pi / 200) * abs(f.taller) * f.wider * np.prod(sides[f.kind]) for f in one.features]
    np.testing.assert_allclose(one.prominences()[plain], np.array(expected)[plain], rtol=0.01)


PAINTED = {
    "sample.surface": "painted", "relief.depressions": 4e-4, "relief.depression_depth": 0.5, "relief.corrugation": 0.01,
    "raster.width": 200.0, "raster.height": 200.0, "raster.pixels": 128, "raster.lines": 128, "noise.current": 0.0,
}  # fmt: skip


def test_a_painted_surface_is_scanned_as_it_is_and_its_labels_are_on_it():
    p = stm.Parameters().set(PAINTED)
    scan = simulate(p, 2)
    assert set(scan.defects["kind"]) == {"depression"}
    row, col = np.unravel_index((scan.ideal - scan.ideal.mean()).argmin(), scan.ideal.shape)
    assert np.hypot(scan.defects["row"] - row, scan.defects["col"] - col).min() < 4
    lattice, _ = scan.masks("thesis")
    brightest = scan.ideal[lattice > 0.9].mean() - scan.ideal[lattice == 0].mean()
    assert brightest == pytest.approx(0.015, rel=0.4)  # spots at 1, hollows at -1/2
    assert scan.masks("visible")[1].max() > 0.9


def test_a_perfect_loop_draws_what_was_painted():
    """A pixel is the mean along its length, which takes up to d^2 / 24 times the curvature, h / s^2, off its middle."""
    smooth = {"feedback.form": "perfect", "relief.corrugation": 0.0}
    scan = simulate(stm.Parameters().set(PAINTED | smooth), 2)
    np.testing.assert_allclose(scan.height[0], scan.ideal, atol=1.4 * 0.5 / 6**2 * 1.56**2 / 24 * 2)


def test_a_change_of_the_tip_takes_contrast_and_labels():
    strong = PAINTED | {"tip.changes": 1.0, "relief.depression_depth": 0.3, "noise.flicker": 0.1}
    faint = simulate(stm.Parameters().set(strong | {"relief.other_contrast": 0.01}), 2)
    same = simulate(stm.Parameters().set(strong), 2)
    assert len(faint.events) > 0
    assert len(visible(faint)) < len(visible(same))


def test_only_painted_shapes_that_stand_out_of_the_noise_are_visible():
    p = stm.Parameters().set(PAINTED | {"relief.depression_depth": 0.1})
    calm, restless = (len(visible(simulate(p.set({"noise.flicker": rms}), 2))) for rms in (0.0, 0.5))
    assert calm > 2 * restless
