import numpy as np
import pytest

from stmlab.tightbinding import band_edges, load_model, model_named, model_names
from stmlab.tightbinding.bands import bands, bloch_hamiltonian, dos, mesh_vectors, primitive_cell
from stmlab.tightbinding.slater_koster import ORBITALS, hopping_block
from stmlab.tightbinding.spin import angular_momentum

# Eigenvalues [eV] of two independent codes at the special points (see the sources in data/models)
FANG = {
    "K": "-5.4487 -5.1445 -4.0241 -3.6748 -3.0386 -2.2103 0.0200 1.6864 2.8016 3.3853 4.3351",
    "G": "-6.6720 -2.5912 -2.5912 -2.2596 -1.1749 -1.1749 -0.2959 2.7696 2.7696 2.8636 2.8636",
    "M": "-6.5826 -5.3191 -4.2079 -3.0148 -2.1914 -1.2232 -0.7964 2.2478 2.4392 3.9326 4.0496",
}
MOS2 = {
    "K": "-5.4959 -4.5008 -3.8287 -3.4912 -2.6734 -2.0644 -0.0347 1.7728 2.9759 3.5546 4.4725",
    "G": "-6.0317 -2.8009 -2.8009 -1.8189 -1.4133 -1.4133 0.0618 2.7018 2.7018 2.8859 2.8859",
    "M": "-5.9907 -4.9660 -4.1233 -3.1946 -1.9288 -1.1407 -0.4360 2.1651 2.5641 4.0961 4.1162",
}
SILVA = {  # from the valence band at K
    "K": "-14.074 -12.325 -11.462 -8.838 -7.712 -6.886 0 1.636 3.693 6.052 7.060",
    "G": "-8.320 -7.858 -7.858 -6.563 -6.563 -5.236 -0.447 3.448 3.448 6.723 6.723",
    "M": "-13.582 -12.060 -10.912 -10.792 -8.144 -4.896 -0.410 2.581 3.581 6.540 7.502",
}
INTEGRALS = {
    "sss": 0.3, "sps": -0.7, "sds": 0.2, "pps": 1.1, "ppp": -0.4,
    "pds": 0.9, "pdp": 0.5, "dds": -0.6, "ddp": 0.8, "ddd": 0.1,
}  # fmt: skip
BROKEN = 'name = "x"\nkind = "slater-koster"\nreference = ""\nlattice = {a = 1}\norbitals = 3\n'
SHEETS = ("fang-2015", "mos2-fang-2015", "liu-2013", "liu-2013-tnn", "silva-guillen-2016", "single-orbital")


def special(model, point):
    a = model_named(model).lattice["a"]
    return np.array({"G": (0, 0), "K": (4 * np.pi / 3 / a, 0), "M": (0, 2 * np.pi / np.sqrt(3) / a)}[point])


def levels(model, point, spin=False):
    return np.linalg.eigvalsh(bloch_hamiltonian(model, special(model, point), spin))


@pytest.mark.parametrize("point", "GKM")
def test_fang_at_special_points(point):
    np.testing.assert_allclose(levels("fang-2015", point), np.fromstring(FANG[point], sep=" "), atol=2e-3)


@pytest.mark.parametrize("point", "GKM")
def test_mos2_at_special_points(point):
    np.testing.assert_allclose(levels("mos2-fang-2015", point), np.fromstring(MOS2[point], sep=" "), atol=4e-4)


def test_gap_of_mos2():
    """1.81 eV at K; the truncated model has its valence band edge at Gamma, 0.10 eV higher; molybdenum splits less."""
    k, g = levels("mos2-fang-2015", "K"), levels("mos2-fang-2015", "G")
    assert k[7] - k[6] == pytest.approx(1.808, abs=2e-3)
    assert g[6] - k[6] == pytest.approx(0.096, abs=2e-3)
    assert band_edges("mos2-fang-2015") == pytest.approx((g[6], k[7]), abs=1e-6)
    split = {m: np.diff(levels(m, "K", spin=True)[12:14])[0] for m in ("mos2-fang-2015", "fang-2015")}
    assert split["mos2-fang-2015"] == pytest.approx(0.144, abs=2e-3)
    assert split["fang-2015"] == pytest.approx(0.495, abs=2e-3)


def test_the_two_fang_tables_differ_in_every_number():
    """A copy of the other material's line would show."""
    one, other = (model_named(m).table["hoppings"] for m in ("fang-2015", "mos2-fang-2015"))
    assert one.keys() == other.keys()
    same = [key for key, hops in one.items() for d, v in hops.items() if np.isclose(v, other[key][d], rtol=1e-9) and v]
    assert not same


@pytest.mark.parametrize("point", "GKM")
def test_silva_guillen_at_special_points(point):
    from_valence = levels("silva-guillen-2016", point) - levels("silva-guillen-2016", "K")[6]
    np.testing.assert_allclose(from_valence, np.fromstring(SILVA[point], sep=" "), atol=2e-3)


def test_liu_at_special_points():
    top = levels("liu-2013", "K")[0]
    np.testing.assert_allclose(levels("liu-2013", "K") - top, [0, 1.540, 3.419], atol=2e-3)
    np.testing.assert_allclose(levels("liu-2013", "G") - top, [-0.323, 3.046, 3.046], atol=2e-3)


def test_third_neighbours_bring_the_q_valley():
    """Valence band at Gamma and M, and the lowest conduction band between Gamma and K, from the edges at K."""
    k = special("liu-2013-tnn", "K") * np.linspace(0, 1, 400)[:, None]
    e = np.linalg.eigvalsh(bloch_hamiltonian("liu-2013-tnn", k))
    top, bottom = e[-1, :2]
    valley = [i for i in range(100, 399) if e[i, 1] < min(e[i - 1, 1], e[i + 1, 1])]
    assert bottom - top == pytest.approx(1.541, abs=2e-3)
    assert e[0, 0] - top == pytest.approx(-0.322, abs=2e-3)
    assert levels("liu-2013-tnn", "M")[0] - top == pytest.approx(-0.857, abs=2e-3)
    assert e[valley, 1] - bottom == pytest.approx([0.108], abs=2e-3)


def test_gaps():
    for model, valence, gap in (("fang-2015", 7, 1.6666), ("silva-guillen-2016", 7, 1.636), ("liu-2013", 1, 1.540)):
        k = np.stack([special(model, "K") + t * np.array(d) for t in (0, 0.02) for d in ((1, 0), (-1, 0), (0, 1))])
        e = np.linalg.eigvalsh(bloch_hamiltonian(model, k))
        assert e[:, valence].min() - e[:, valence - 1].max() == pytest.approx(gap, abs=2e-3)


@pytest.mark.parametrize(
    ("model", "filled", "gap", "splitting"),
    [("liu-2013", 2, 1.312, 0.456), ("liu-2013-tnn", 2, 1.313, 0.456), ("silva-guillen-2016", 14, 1.352, 0.497)],
)
def test_spin_orbit_splitting_at_k(model, filled, gap, splitting):
    e = levels(model, "K", spin=True)
    assert e[filled] - e[filled - 1] == pytest.approx(gap, abs=4e-3)
    assert e[filled - 1] - e[filled - 2] == pytest.approx(splitting, abs=1e-2)


@pytest.mark.parametrize("spin", [False, True])
@pytest.mark.parametrize("model", SHEETS)
def test_symmetries(model, spin):
    """Hermitian; H(-k) = H(k)* without spin; levels keep under time reversal and a turn by 120 degrees."""
    k = np.array([[0.31, -0.12], [0.7, 0.45]])
    h = bloch_hamiltonian(model, k, spin)
    np.testing.assert_allclose(h, h.conj().swapaxes(-1, -2), atol=1e-13)
    if not spin:
        np.testing.assert_allclose(bloch_hamiltonian(model, -k), h.conj(), atol=1e-13)
    e = np.linalg.eigvalsh(h)
    c, s = np.cos(2 * np.pi / 3), np.sin(2 * np.pi / 3)
    for other in (-k, k @ np.array([[c, s], [-s, c]])):
        np.testing.assert_allclose(np.linalg.eigvalsh(bloch_hamiltonian(model, other, spin)), e, atol=1e-10)


def test_mirror_keeps_even_and_odd_apart():
    """In the parity basis of the two selenium atoms, five and six orbitals do not mix."""
    h = bloch_hamiltonian("fang-2015", np.array([0.3, 0.5]))
    r = np.sqrt(0.5)
    turn = np.zeros((11, 11))
    for i in range(3):  # pz: odd is the sum; px, py: odd is the difference
        sign = 1 if i == 0 else -1
        turn[[5 + i, 8 + i], 5 + i] = r, sign * r
        turn[[5 + i, 8 + i], 8 + i] = r, -sign * r
    turn[range(5), range(5)] = 1
    h = turn.T @ h @ turn
    odd = [0, 1, 5, 6, 7]
    assert np.abs(h[np.ix_(odd, np.setdiff1d(range(11), odd))]).max() < 1e-12


def test_tungsten_at_special_points():
    b, fermi = 2 * np.pi / 3.1645, 11.435
    points = {
        (0, 0, 0): [-10.28, -1.19, -1.19, -1.19, 1.55, 1.55],
        (0, 0, b): [-6.17, -6.17, 4.65, 4.65, 4.65, 8.13],
        (b / 2, b / 2, 0): [-6.79, -4.03, 0.49, 1.61, 2.92],
        (b / 2, b / 2, b / 2): [-3.03, -3.03, -3.03, 2.92, 2.92],
    }
    for k, expected in points.items():
        e = np.linalg.eigvalsh(bloch_hamiltonian("tungsten-spd", np.array(k))) - fermi
        np.testing.assert_allclose(e[: len(expected)], expected, atol=0.006)


def test_tungsten_holds_six_electrons_and_has_a_pseudogap():
    k = mesh_vectors("tungsten-spd", 16)
    e = np.sort(np.linalg.eigvalsh(bloch_hamiltonian("tungsten-spd", k)).ravel())
    fermi = e[3 * len(k) - 1 : 3 * len(k) + 1].mean()
    assert fermi == pytest.approx(11.43, abs=0.06)
    energies = fermi + np.linspace(-5, 4, 181)
    rho = dos("tungsten-spd", energies, mesh=16, broadening=0.15)
    near = np.abs(energies - fermi) < 1
    assert rho[near].min() < 0.5 < 1.5 < rho.max()


def test_angular_momentum_commutes_as_it_must():
    for orbitals, l in ((("px", "py", "pz"), 1), (("dz2", "dx2-y2", "dxy", "dxz", "dyz"), 2)):
        lx, ly, lz = angular_momentum(orbitals)
        np.testing.assert_allclose(lx @ ly - ly @ lx, 1j * lz, atol=1e-14)
        np.testing.assert_allclose(lx @ lx + ly @ ly + lz @ lz, l * (l + 1) * np.eye(2 * l + 1), atol=1e-14)


def test_two_centre_blocks_along_the_axes_and_the_diagonal():
    """Entries of Slater and Koster's table at l = m = n = 1/sqrt(3) and along z."""
    v = INTEGRALS
    n = np.ones(3) / np.sqrt(3)
    block = hopping_block(("s", "px"), ("py", "dxy"), n, v)
    assert block[0, 0] == pytest.approx(n[1] * v["sps"])
    assert block[0, 1] == pytest.approx(np.sqrt(3) * n[0] * n[1] * v["sds"])
    assert block[1, 0] == pytest.approx(n[0] * n[1] * (v["pps"] - v["ppp"]))
    sigma, pi = np.sqrt(3) * n[0] ** 2 * n[1], n[1] * (1 - 2 * n[0] ** 2)
    assert block[1, 1] == pytest.approx(sigma * v["pds"] + pi * v["pdp"])
    up = hopping_block(("pz", "dxz", "dxy"), ("dz2", "dxz", "dxy"), np.array([0, 0, 1.0]), v)
    np.testing.assert_allclose(up, np.diag([v["pds"], v["ddp"], v["ddd"]]), atol=1e-14)


def test_singular_values_do_not_depend_on_direction():
    v = INTEGRALS
    shells = (("s", "px", "py", "pz"), ("dz2", "dx2-y2", "dxy", "dxz", "dyz"))
    rng, along = np.random.default_rng(0), np.array([0, 0, 1.0])
    for left in shells:
        for right in shells:
            direction = rng.standard_normal(3)
            turned = hopping_block(left, right, direction / np.linalg.norm(direction), v)
            straight = hopping_block(left, right, along, v)
            values = (np.linalg.svd(b, compute_uv=False) for b in (turned, straight))
            np.testing.assert_allclose(*values, atol=1e-13)


def test_reversing_a_bond_transposes_its_block():
    v, n = {"sps": 1.0, "pds": 0.9, "pdp": 0.5, "sds": 0.3}, np.array([0.6, 0.0, 0.8])
    everything = tuple(ORBITALS)
    np.testing.assert_allclose(
        hopping_block(everything, everything, n, v), hopping_block(everything, everything, -n, v).T, atol=1e-14
    )


def test_bands_follow_an_ase_path():
    distance, energy, ticks = bands("silva-guillen-2016", "GMKG", points=40)
    assert energy.shape == (40, 11)
    assert [name for _, name in ticks] == ["G", "M", "K", "G"]
    np.testing.assert_allclose(energy[0], levels("silva-guillen-2016", "G"), atol=1e-9)
    a = model_named("silva-guillen-2016").lattice["a"]
    assert distance[-1] == pytest.approx(2 * np.pi / np.sqrt(3) / a + 2 * np.pi / 3 / a + 4 * np.pi / 3 / a)


def test_density_of_states_counts_the_orbitals():
    energies = np.linspace(-8, 6, 1401)
    assert np.trapezoid(dos("fang-2015", energies, mesh=6), energies) == pytest.approx(22, rel=1e-3)


def test_every_bundled_model_names_its_source():
    for name in model_names():
        model = model_named(name)
        assert model.name == name
        assert model.doi or "https://" in model.reference
        if model.kind != "liu":
            assert len(primitive_cell(model)) in (1, 3)


def test_one_s_own_table_goes_through_the_same_code(tmp_path):
    path = tmp_path / "graphene-like.toml"
    path.write_text(
        'name = "mine"\nkind = "slater-koster"\nreference = "me"\nlattice = {a = 3.3, thickness = 3.3}\n'
        '[orbitals]\nMo = ["s"]\nS = ["s"]\n[onsite]\nMo = {s = 0.5}\nS = {s = 0.0}\n'
        '[[bond]]\natoms = ["Mo", "S"]\nlength = 2.5\nsss = 1.0\n'
    )
    np.testing.assert_allclose(np.linalg.eigvalsh(bloch_hamiltonian(load_model(path), np.zeros(2))).sum(), 0.5)


@pytest.mark.parametrize(
    "text", ["", "name = 3", 'name = "x"\nkind = "magic"\nreference = ""\nlattice = {a = 1}', "[", BROKEN]
)
def test_damaged_tables_are_refused(tmp_path, text):
    path = tmp_path / "x.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match="no table of a tight-binding model"):
        load_model(path)


def test_a_table_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match=r"none\.toml, a table of a tight-binding model, cannot be read: No such file"):
        model_named(str(tmp_path / "none.toml"))
