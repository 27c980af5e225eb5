import numpy as np
import pytest
from ase.build import mx2
from ase.io import read, write
from scipy.spatial.transform import Rotation
from scipy.stats import kstest

from stmlab.structures import (
    BOTTOM,
    DEFECTS,
    METAL,
    TOP,
    add_defects,
    defects,
    draw_defects,
    draw_depths,
    images,
    tip,
    tip_named,
    turned,
    wse2,
)  # fmt: skip


def test_sheet_is_ase_s_mx2():
    ours, theirs = wse2((2, 3), a=3.32, thickness=3.36), mx2("WSe2", "2H", a=3.32, thickness=3.36, size=(2, 3, 1))
    theirs.positions[:, 2] -= theirs.positions[:, 2].max()
    ours_sorted, theirs_sorted = (np.array(sorted(np.round(a.positions, 9).tolist())) for a in (ours, theirs))
    np.testing.assert_allclose(ours_sorted, theirs_sorted, atol=1e-9)
    assert ours.get_chemical_formula() == theirs.get_chemical_formula()


def test_layers_and_bond_length():
    sheet = wse2((2, 2), a=3.32, thickness=3.36)
    z = sheet.positions[:, 2]
    assert [np.unique(z[sheet.get_tags() == t]).tolist() for t in (TOP, METAL, BOTTOM)] == [[0.0], [-1.68], [-3.36]]
    assert sheet.get_distance(0, 1) == pytest.approx(np.sqrt(3.32**2 / 3 + 3.36**2 / 4), abs=1e-12)


@pytest.mark.parametrize(
    ("orientation", "counts", "depths"),
    [("111", [1, 3, 1, 6], [0, 2, 3, 4]), ("001", [1, 4], [0, 1])],
)
def test_planes_of_the_apexes(orientation, counts, depths):
    z = np.round(tip(orientation).positions[:, 2], 6)
    planes, atoms = np.unique(z, return_counts=True)
    unit = 3.165 / (2 * np.sqrt(3)) if orientation == "111" else 3.165 / 2
    assert atoms[: len(counts)].tolist() == counts
    np.testing.assert_allclose(planes[: len(counts)], np.array(depths) * unit, atol=1e-6)


def test_dulling_and_keeping():
    blunt = tip_named("111-1-OXX")
    foot = blunt.positions[blunt.positions[:, 2] < 1e-9]
    np.testing.assert_allclose(foot, [[0, 0, 0]], atol=1e-12)
    three = tip("111", 1)
    side = three.get_distance(0, 1)
    assert side == pytest.approx(3.165 * np.sqrt(2))
    assert len(three) == len(blunt) + 2
    assert np.bincount(blunt.arrays["plane"])[:4].tolist() == [0, 1, 1, 6]


@pytest.mark.parametrize("apex", ["111-1-OX", "111-1-XXX", "111-1-OOY"])
def test_impossible_tips_are_refused(apex):
    with pytest.raises(ValueError, match="letters O or X"):
        tip_named(apex)
    with pytest.raises(ValueError, match="outside 0"):
        tip("001", 2)
    with pytest.raises(ValueError, match="'111' or '001'"):
        tip("110")


def test_vacancies_go_and_dopants_shift():
    sheet = wse2((4, 4))
    out = add_defects(sheet, {"se-vacancy-top": [1], "dopant-bottom": [5]}, dopant_potential=0.25)
    assert len(out) == len(sheet) - 1
    assert 1 not in out.arrays["site"]
    assert out.arrays["onsite"][out.arrays["site"] == 5] == [0.25]
    assert np.count_nonzero(out.arrays["onsite"]) == 1
    kinds, sites, positions = defects(out)
    assert kinds.tolist() == ["se-vacancy-top", "dopant-bottom"]
    assert sites.tolist() == [1, 5]
    np.testing.assert_allclose(positions, sheet.positions[[1, 5]])


@pytest.mark.parametrize(
    ("sites", "message"),
    [
        ({"se-vacancy-top": [1, 1]}, "site 1 is given twice"),
        ({"se-vacancy-top": [1], "dopant-top": [1]}, "site 1 is given twice"),
        ({"se-vacancy-top": [0]}, "no atom for a se-vacancy-top at site 0"),
        ({"se-vacancy-top": [2]}, "no atom for a se-vacancy-top at site 2"),
        ({"se-vacancy-top": [99999]}, "no atom"),
        ({"se-vacancy-top": [-11]}, "no atom for a se-vacancy-top at site -11"),
        ({"hole": [1]}, "unknown defect 'hole'"),
    ],
)
def test_impossible_defects_are_refused(sites, message):
    with pytest.raises(ValueError, match=message):
        add_defects(wse2((2, 2)), sites)


def test_density_adds_defects_without_moving_those_there():
    sheet = wse2((30, 30))

    def drawn(density):
        return draw_defects(sheet, {"se-vacancy-top": density}, lambda kind: np.random.default_rng(7))["se-vacancy-top"]

    few, many = drawn(0.002), drawn(0.01)
    assert set(few) < set(many)
    area = sheet.cell.areas()[2]
    assert abs(len(many) - 0.01 * area) < 4 * np.sqrt(0.01 * area)


def test_a_larger_sheet_has_the_same_defects_in_its_middle():
    def places(n):
        sheet = wse2((n, n))
        sites = draw_defects(sheet, {"se-vacancy-top": 0.01}, lambda kind: np.random.default_rng(7))["se-vacancy-top"]
        _, points = images(sheet.positions[sites], sheet.cell, sheet.pbc, [-12, -12], [12, 12])
        return np.array(sorted(np.round(points, 6).tolist()))

    assert len(places(12)) > 3
    np.testing.assert_allclose(places(17), places(12), atol=1e-6)
    np.testing.assert_allclose(places(40), places(12), atol=1e-6)


def test_no_site_is_taken_twice():
    sheet = wse2((20, 20))
    densities = {"se-vacancy-top": 0.02, "dopant-top": 0.02}
    drawn = draw_defects(sheet, densities, lambda kind: np.random.default_rng(len(kind)))
    assert len(drawn["dopant-top"])
    assert not set(drawn["se-vacancy-top"]) & set(drawn["dopant-top"])


def test_images_fill_a_rectangle_with_the_right_density():
    sheet = wse2()
    index, positions = images(sheet.positions, sheet.cell, sheet.pbc, [-50, -40], [50, 40])
    assert len(index) / 8000 == pytest.approx(3 / (3.32**2 * np.sqrt(3) / 2), rel=0.01)
    assert len(np.unique(np.round(positions, 6), axis=0)) == len(positions)
    shift = (positions - sheet.positions[index])[:, :2] @ np.linalg.inv(np.asarray(sheet.cell)[:2, :2])
    np.testing.assert_allclose(shift, np.round(shift), atol=1e-9)


@pytest.mark.parametrize("pbc", [(True, True), (True, False), (False, True), (False, False)])
def test_images_are_all_there_are_and_in_order(pbc):
    """Against every translation within far more than the rectangle, tried one by one."""
    rng = np.random.default_rng(5)
    cell = np.array([[7.0, 0.4, 0], [-3.0, 5.0, 0], [0, 0, 20]])
    points = rng.uniform(-9, 9, (6, 3))  # some of them outside the cell
    low, high = np.array([-11.0, -3.0]), np.array([17.0, 21.0])
    index, positions = images(points, cell, pbc, low, high)
    spans = [range(-12, 13) if periodic else [0] for periodic in pbc]
    wanted = [(n, *(p[:2] + i * cell[0, :2] + j * cell[1, :2]), p[2])
              for n, p in enumerate(points) for i in spans[0] for j in spans[1]]  # fmt: skip
    wanted = np.array([row for row in wanted if np.all((low <= row[1:3]) & (row[1:3] <= high))]).reshape(-1, 4)
    np.testing.assert_array_equal(index, wanted[:, 0])
    np.testing.assert_allclose(positions, wanted[:, 1:], atol=1e-12)
    nothing, nowhere = images(np.zeros((0, 3)), cell, pbc, low, high)
    assert (nothing.shape, nowhere.shape) == ((0,), (0, 3))


def test_a_kind_without_sites_changes_nothing():
    sheet = wse2((3, 3))
    out = add_defects(sheet, dict.fromkeys(DEFECTS, ()))
    assert set(out.arrays) == {"numbers", "positions", "tags", "site", "onsite", "potential"}
    assert len(out) == 27
    assert not out.arrays["onsite"].any()
    assert len(defects(out)[0]) == 0


def test_the_sheet_that_defects_are_added_to_stays_as_it_was():
    sheet = add_defects(wse2((4, 4)), {"oxygen-top": [1]})
    before = sheet.copy()
    add_defects(sheet, {"oxygen-bottom": [2], "w-vacancy": [6], "charged-dopant": [9]})
    for name, values in before.arrays.items():
        np.testing.assert_array_equal(sheet.arrays[name], values)
    assert sheet.info == before.info


def test_a_flake_is_not_repeated():
    index, _ = images(wse2((2, 2)).positions, np.eye(3), (False, False, False), [-99, -99], [99, 99])
    assert sorted(index) == list(range(12))


def test_ase_writes_and_reads_the_bookkeeping(tmp_path):
    sheet = add_defects(wse2((2, 2)), {"se-vacancy-top": [1]})
    write(tmp_path / "sheet.extxyz", sheet)
    back = read(tmp_path / "sheet.extxyz")
    assert back.arrays["site"].tolist() == sheet.arrays["site"].tolist()
    assert defects(back)[0].tolist() == ["se-vacancy-top"]


def test_tungsten_can_be_missing_and_selenium_be_oxygen():
    sheet = wse2((4, 4))
    out = add_defects(sheet, {"w-vacancy": [3], "oxygen-top": [1], "oxygen-bottom": [2], "w-substitution": [6]},
                      oxygen_depth=0.6, substitute="Mo")  # fmt: skip
    at = {site: i for i, site in enumerate(out.arrays["site"])}
    assert 3 not in at
    assert [out[at[s]].symbol for s in (1, 2, 6, 4)] == ["O", "O", "Mo", "Se"]
    assert out.positions[at[1], 2] == pytest.approx(-0.6)
    assert out.positions[at[2], 2] == pytest.approx(-3.36 + 0.6)
    np.testing.assert_allclose(out.positions - out.arrays["displacement"], sheet.positions[out.arrays["site"]])
    assert [out.arrays["host"][at[s]] for s in (1, 2, 6)] == ["Se", "Se", "W"]
    assert [out.arrays["onsite"][at[s]] for s in (1, 2, 6, 4)] == [-3.0, -3.0, 1.0, 0.0]


def test_a_charge_bends_the_energies_around_it_and_removes_nothing():
    sheet = wse2((30, 30))
    centre = 3 * (15 * 30 + 15)
    out = add_defects(sheet, {"charged-dopant": [centre]}, charge_potential=-0.2, charge_radius=8.0)
    r = np.hypot(*(sheet.positions - sheet.positions[centre])[:, :2].T)
    near = r < 30
    assert len(out) == len(sheet)
    np.testing.assert_allclose(out.arrays["potential"][near], -0.2 * np.exp(-(r[near] ** 2) / 128), atol=1e-4)
    assert out.arrays["potential"][centre] == pytest.approx(-0.2, abs=1e-4)
    assert not out.arrays["onsite"].any()


def test_the_potential_of_a_charge_is_periodic():
    """A charge at the corner of the cell acts on atoms beyond all four of its edges alike."""
    sheet = wse2((12, 12))
    corner, middle = (add_defects(sheet, {"charged-dopant": [s]}).arrays["potential"] for s in (0, 3 * (6 * 12 + 6)))
    np.testing.assert_allclose(np.sort(corner), np.sort(middle), atol=1e-9)


def test_defects_can_be_added_one_after_the_other():
    sheet = wse2((4, 4))
    at_once = add_defects(sheet, {"dopant-top": [1], "oxygen-top": [4], "w-vacancy": [6]})
    in_turn = add_defects(add_defects(sheet, {"dopant-top": [1], "oxygen-top": [4]}), {"w-vacancy": [6]})
    for name in ("site", "onsite", "potential", "displacement", "positions"):
        np.testing.assert_array_equal(at_once.arrays[name], in_turn.arrays[name])
    assert defects(in_turn)[1].tolist() == [1, 4, 6]
    with pytest.raises(ValueError, match="site 6 is given twice"):
        add_defects(in_turn, {"w-vacancy": [6]})


def test_bad_densities_and_radii_are_refused():
    sheet = wse2((3, 3))
    for density in (-0.01, 0.2, np.nan):
        with pytest.raises(ValueError, match="density of w-vacancy"):
            draw_defects(sheet, {"w-vacancy": density}, np.random.default_rng)
    with pytest.raises(ValueError, match="charge_radius = 0 Å"):
        add_defects(sheet, {"charged-dopant": [0]}, charge_radius=0)


@pytest.mark.parametrize("kind", DEFECTS)
def test_every_kind_is_drawn_uniformly_over_the_frame(kind):
    """In 20 sheets, as many in each quarter as chance allows, at the density asked for."""
    sheet = wse2((40, 40))
    area, sites = sheet.cell.areas()[2], []
    for seed in range(20):
        sites.extend(draw_defects(sheet, {kind: 0.01}, lambda k, seed=seed: np.random.default_rng(seed))[kind])
    assert abs(len(sites) - 0.2 * area) < 4 * np.sqrt(0.2 * area)
    i, j = np.divmod(np.array(sites) // 3, 40)
    quarters = np.bincount(2 * (i >= 20) + (j >= 20), minlength=4)
    assert np.abs(quarters - len(sites) / 4).max() < 4 * np.sqrt(len(sites) / 4)


def test_every_kind_survives_ase(tmp_path):
    within = {METAL: 0, TOP: 1, BOTTOM: 2}  # a cell
    sheet = add_defects(wse2((5, 5)), {k: [3 * i + within[rule.layer]] for i, (k, rule) in enumerate(DEFECTS.items())})
    write(tmp_path / "sheet.extxyz", sheet)
    back = read(tmp_path / "sheet.extxyz")
    assert sorted(defects(back)[0]) == sorted(DEFECTS)
    assert back.arrays["host"].tolist() == sheet.arrays["host"].tolist()
    for name in ("site", "onsite", "potential", "displacement"):
        np.testing.assert_allclose(back.arrays[name], sheet.arrays[name], atol=1e-7)


def test_a_tip_can_be_turned_and_tilted():
    straight, leaning = tip("111", 1), tip("111", 1, rotation=20, tilt=6, azimuth=90)
    assert leaning.positions[:, 2].min() == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(leaning.get_all_distances(), straight.get_all_distances(), atol=1e-9)
    axis = turned([[0, 0, 1.0]], rotation=123, tilt=6, azimuth=90)[0]
    np.testing.assert_allclose(axis, [0, np.sin(np.deg2rad(6)), np.cos(np.deg2rad(6))], atol=1e-12)
    np.testing.assert_allclose(turned([[1.0, 0, 0]], rotation=90)[0], [0, 1, 0], atol=1e-12)


def test_turning_is_that_of_scipy_s_rotations():
    points = np.random.default_rng(1).normal(size=(5, 3))
    for rotation, tilt, azimuth in ((0, 0, 0), (33, 0, 120), (-70, 25, 0), (200, 12, -130)):
        alpha = np.deg2rad(azimuth)
        lean = Rotation.from_rotvec(np.deg2rad(tilt) * np.array([-np.sin(alpha), np.cos(alpha), 0]))
        wanted = (lean * Rotation.from_rotvec([0, 0, np.deg2rad(rotation)])).apply(points)
        np.testing.assert_allclose(turned(points, rotation, tilt, azimuth), wanted, atol=1e-12)


def test_several_atoms_of_a_plane_make_a_double_tip():
    foot = tip("111", 3, "OXXOXX").positions[:2]
    assert foot[:, 2].tolist() == pytest.approx([0, 0])
    assert np.linalg.norm(foot[1] - foot[0]) > 4


# ---- charges at different depths ------------------------------------------------------------------------


def test_charges_add_up_each_with_its_own_potential_and_radius():
    sheet = wse2((14, 14))
    first, second = 3 * (3 * 14 + 3), 3 * (9 * 14 + 8)
    both = add_defects(sheet, {"charged-dopant": [first, second]}, charge_potential=[0.2, -0.1], charge_radius=[4, 7])
    alone = [
        add_defects(sheet, {"charged-dopant": [site]}, charge_potential=u, charge_radius=r).arrays["potential"]
        for site, u, r in ((first, 0.2, 4), (second, -0.1, 7))
    ]
    np.testing.assert_allclose(both.arrays["potential"], sum(alone), atol=1e-12)
    with pytest.raises(ValueError, match="charge_radius"):
        add_defects(sheet, {"charged-dopant": [first, second]}, charge_radius=[4, 0])


def test_depths_are_spread_evenly_in_their_logarithm_and_belong_to_the_cells():
    small, large = wse2((40, 40)), wse2((64, 64))
    every = 3 * np.arange(40 * 40)
    depth, lot = draw_depths(small, every, 4.0, np.random.default_rng(0))
    assert kstest(np.log(depth) / np.log(4), "uniform").pvalue > 0.01
    assert kstest(lot, "uniform").pvalue > 0.01
    assert abs(np.corrcoef(depth, lot)[0, 1]) < 0.08
    np.testing.assert_array_equal(draw_depths(small, every, 1.0, np.random.default_rng(0))[0], 1.0)
    same = zip((small, large), (40, 64), strict=True)
    np.testing.assert_array_equal(*(draw_depths(s, [3 * (5 * n + 7)], 4.0, np.random.default_rng(0)) for s, n in same))
