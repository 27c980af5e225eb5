"""Coherent tunnelling against closed forms: one orbital, lattice sums by plane waves, foldings and symmetries."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import erf, j0

from stmlab.junction import Junction
from stmlab.modes import constant_current
from stmlab.scan import Raster
from stmlab.structures import add_defects, images, wse2
from stmlab.tersoff_hamann import CHANNELS, TersoffHamann, corrugation, local_states, tersoff_hamann
from stmlab.tersoff_hamann.tails import harmonic
from stmlab.tightbinding import bias_window, fermi_level, ldos, spectrum
from stmlab.tightbinding.slater_koster import ORBITALS

KAPPA, A = 1.05, 3.32
CELL = np.array([[A, 0, 0], [-A / 2, A * np.sqrt(3) / 2, 0], [0, 0, 20]])
RECIPROCAL = 2 * np.pi * np.linalg.inv(CELL[:2, :2]).T
AREA = A**2 * np.sqrt(3) / 2
GAMMA, K = np.zeros(2), np.array([4 * np.pi / (3 * A), 0])
HEIGHTS = np.array([4.0, 6.0, 8.0, 10.0])


def lattice(k, channel="s", reach=45.0):
    """One Bloch state of one s orbital per cell."""
    return TersoffHamann([[0, 0, 0]], [[1.0]], [1.0], KAPPA, cell=CELL, k=[k], channel=channel, reach=reach)


def lattice_of_pairs():
    _, atoms = images([[0, 0, 0]], CELL, (True, True, False), [-30, -30], [30, 30])
    return Junction(atoms, [[0, 0, 0]], np.ones((len(atoms), 1)), KAPPA, slack=30)


def cluster(channel="s", seed=0, atoms=6, states=4, orbitals=tuple(ORBITALS)):
    rng = np.random.default_rng(seed)
    positions = np.repeat(rng.uniform([-4, -4, -2], [4, 4, 0], (atoms, 3)), len(orbitals), axis=0)
    size = (len(positions), states)
    c = rng.normal(size=size) + 1j * rng.normal(size=size)
    return TersoffHamann(positions, c, rng.uniform(0.1, 1, states), KAPPA, orbitals * atoms, channel=channel)


def points(count=20, seed=1):
    return np.random.default_rng(seed).uniform([-5, -5, 3], [5, 5, 9], (count, 3)).T


# ---- one orbital --------------------------------------------------------------------------------------


def test_one_orbital_is_one_pair():
    """ln I = -2 kappa r, d ln I/dz = -2 kappa z/r."""
    junction, (x, y, z) = TersoffHamann([[0, 0, 0]], [[1.0]], [1.0], KAPPA), points()
    r = np.sqrt(x**2 + y**2 + z**2)
    value, slope = junction.log_current_and_slope(x, y, z)
    np.testing.assert_allclose(value, -2 * KAPPA * r, rtol=0, atol=1e-12)
    np.testing.assert_allclose(slope, -2 * KAPPA * z / r, rtol=0, atol=1e-12)
    assert junction.log_current(0, 0, 2000.0) == pytest.approx(-4200)
    assert isinstance(junction.log_current(0, 0, 5.0), float)


@pytest.mark.parametrize("channel", CHANNELS)
def test_derivative_rule_on_one_s_orbital(channel):
    """Of exp(-kappa r): -(z/r) for p_z; (z/r)^2 - (1 - z^2/r^2)/(kappa r) - 1/3 for d_z2."""
    junction, (x, y, z) = TersoffHamann([[0, 0, 0]], [[1.0]], [1.0], KAPPA, channel=channel), points()
    r = np.sqrt(x**2 + y**2 + z**2)
    factor = {"s": 1.0, "pz": -z / r, "dz2": (z / r) ** 2 - (1 - (z / r) ** 2) / (KAPPA * r) - 1 / 3}[channel]
    expected = np.log(factor**2 * np.exp(-2 * KAPPA * r))
    np.testing.assert_allclose(junction.log_current(x, y, z), expected, rtol=0, atol=1e-11)


def test_angular_factors_in_full():
    x, y, z = offset = points()
    r2 = x**2 + y**2 + z**2
    full = {
        "s": 1 + 0 * x, "px": np.sqrt(3) * x, "py": np.sqrt(3) * y, "pz": np.sqrt(3) * z,
        "dxy": np.sqrt(15) * x * y, "dyz": np.sqrt(15) * y * z, "dxz": np.sqrt(15) * x * z,
        "dx2-y2": np.sqrt(15) / 2 * (x**2 - y**2), "dz2": np.sqrt(5) / 2 * (3 * z**2 - r2),
    }  # fmt: skip
    assert set(full) == set(ORBITALS)
    for name, value in full.items():
        np.testing.assert_allclose(harmonic(name, offset, 0) + 0 * x, value, rtol=1e-12, atol=1e-12)
        rank = ORBITALS[name].ndim
        one = TersoffHamann([[0, 0, 0]], [[1.0]], [1.0], KAPPA, (name,))
        expected = 2 * np.log(np.abs(value)) - rank * np.log(r2) - 2 * KAPPA * np.sqrt(r2)
        np.testing.assert_allclose(one.log_current(x, y, z), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("channel", CHANNELS)
def test_slope_is_the_derivative(channel):
    junction, (x, y, z), h = cluster(channel), points(), 1e-3
    f = [junction.log_current(x, y, z + d) for d in (-2 * h, -h, h, 2 * h)]
    numeric = (f[0] - 8 * f[1] + 8 * f[2] - f[3]) / (12 * h)
    np.testing.assert_allclose(junction.log_current_and_slope(x, y, z)[1], numeric, rtol=0, atol=1e-7)


# ---- interference -------------------------------------------------------------------------------------


def test_states_on_single_atoms_give_the_pair_sum():
    rng = np.random.default_rng(3)
    atoms, w = rng.uniform([-6, -6, -3], [6, 6, 0], (30, 3)), rng.uniform(0, 1, 30)
    pairs = Junction(atoms, [[0, 0, 0]], w[:, None], KAPPA, slack=1e3)
    x, y, z = points()
    for mine, theirs in zip(
        TersoffHamann(atoms, np.eye(30), w, KAPPA).log_current_and_slope(x, y, z),
        pairs.log_current_and_slope(x, y, z),
        strict=True,
    ):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-12)


def test_a_full_set_of_states_of_one_weight_gives_the_pair_sum():
    """Sum over n of c_in c_jn* = delta_ij: interference cancels, whatever the states."""
    rng = np.random.default_rng(4)
    atoms = rng.uniform([-6, -6, -3], [6, 6, 0], (30, 3))
    states = np.linalg.qr(rng.normal(size=(30, 30)) + 1j * rng.normal(size=(30, 30)))[0]
    pairs = Junction(atoms, [[0, 0, 0]], np.full((30, 1), 0.4), KAPPA, slack=1e3)
    mine = TersoffHamann(atoms, states, np.full(30, 0.4), KAPPA)
    np.testing.assert_allclose(mine.log_current(*points()), pairs.log_current(*points()), rtol=0, atol=1e-12)


def test_two_orbitals_interfere():
    """Midway between two equal orbitals the amplitude doubles, or vanishes."""
    atoms = [[-1.5, 0, 0], [1.5, 0, 0]]
    bond, antibond = (TersoffHamann(atoms, [[1], [s]], [0.5], KAPPA) for s in (1.0, -1.0))
    pairs = Junction(atoms, [[0, 0, 0]], [[0.5], [0.5]], KAPPA)
    assert bond.log_current(0, 0, 4.0) - pairs.log_current(0, 0, 4.0) == pytest.approx(np.log(2), abs=1e-12)
    value, slope = antibond.log_current_and_slope(0, 0, 4.0)
    assert value < -700  # a node, and yet a number
    assert slope == 0
    assert antibond.log_current(1.5, 0, 4.0) > antibond.log_current(0.5, 0, 4.0)


def test_turning_tip_and_sample_about_the_normal_changes_nothing():
    """With angular factors, p_x and p_y turn into each other as the amplitudes do."""
    angle = 0.7
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    names, (x, y, z) = ("pz", "px", "py"), points()
    junction = cluster(orbitals=names)
    c, positions = junction.states.reshape(-1, 3, 4).copy(), junction.positions.copy()
    c[:, 1:], positions[:, :2] = turn @ c[:, 1:], positions[:, :2] @ turn.T
    turned = TersoffHamann(positions, c.reshape(-1, 4), junction.weights, KAPPA, junction.orbitals)
    u, v = turn @ [x, y]
    np.testing.assert_allclose(turned.log_current(u, v, z), junction.log_current(x, y, z), rtol=0, atol=1e-11)


def test_tip_offset_and_floor():
    moved = TersoffHamann([[0, 0, -0.3]], [[1.0]], [1.0], KAPPA, tip=(0.5, 0, 0.2))
    assert moved.log_current(0, 0, 5.0) == pytest.approx(-2 * KAPPA * np.hypot(0.5, 5.5), abs=1e-12)
    assert moved.floor == pytest.approx(0.5)


# ---- decay laws of a lattice --------------------------------------------------------------------------


def transform(q, z, kappa=KAPPA, channel="s"):
    r"""Fourier transform of D exp(-kappa r) over the plane at height z: s = sqrt(kappa^2 + q^2)."""
    s = np.sqrt(kappa**2 + q**2)
    plain = 2 * np.pi * kappa * (1 + s * z) * np.exp(-s * z) / s**3
    if channel == "s":
        return plain
    if channel == "pz":
        return -2 * np.pi * z * np.exp(-s * z) / s
    return 2 * np.pi * (s * z - 1) * np.exp(-s * z) / (s * kappa) - plain / 3


@pytest.mark.parametrize(("q", "z"), [(0.0, 3.0), (1.262, 4.0), (2.185, 5.0)])
def test_fourier_transform_of_an_exponential(q, z):
    numeric, _ = quad(lambda p: 2 * np.pi * p * j0(q * p) * np.exp(-KAPPA * np.hypot(p, z)), 0, 60, limit=400)
    assert transform(q, z) == pytest.approx(numeric, rel=1e-6, abs=1e-10)


def waves(k, reach=7):
    """Every k + G within some shells."""
    n = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1).T
    return n, n @ RECIPROCAL + k


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("k", [GAMMA, K, np.array([0.3, 0.5])], ids=["Gamma", "K", "general"])
def test_bloch_sum_is_its_sum_of_plane_waves(k, channel):
    """psi_k(r) = (1/A) sum_G F(|k + G|, z) exp[i (k + G).r]."""
    x, y, z = points(12)
    q = waves(k)[1]
    terms = transform(np.linalg.norm(q, axis=1), z[:, None], channel=channel) * np.exp(1j * np.stack([x, y], 1) @ q.T)
    expected = 2 * np.log(np.abs(terms.sum(1)) / AREA)
    np.testing.assert_allclose(lattice(k, channel).log_current(x, y, z), expected, rtol=0, atol=1e-8)


def component(k, z, step):
    """Fourier component of |psi_k|^2 at the reciprocal vector of whole numbers ``step``: all pairs of waves."""
    n, q = waves(k)
    f = dict(zip(map(tuple, n), transform(np.linalg.norm(q, axis=1), z) / AREA, strict=True))
    return sum(value * f.get((a - step[0], b - step[1]), 0.0) for (a, b), value in f.items())


@pytest.mark.parametrize("k", [GAMMA, K], ids=["Gamma", "K"])
def test_mean_and_corrugation_of_a_bloch_state(k):
    log_mean, relative = corrugation(lattice(k), CELL, HEIGHTS)
    mean = np.array([component(k, z, (0, 0)) for z in HEIGHTS])
    first = np.array([component(k, z, (1, 0)) for z in HEIGHTS])
    np.testing.assert_allclose(log_mean, np.log(mean), rtol=0, atol=1e-9)
    np.testing.assert_allclose(relative, first / mean, rtol=1e-8)


def test_mean_and_corrugation_of_the_pair_sum():
    log_mean, relative = corrugation(lattice_of_pairs(), CELL, HEIGHTS)
    mean, first = (transform(q, HEIGHTS, 2 * KAPPA) / AREA for q in (0, np.linalg.norm(RECIPROCAL[0])))
    np.testing.assert_allclose(log_mean, np.log(mean), rtol=0, atol=1e-9)
    np.testing.assert_allclose(relative, first / mean, rtol=1e-7)


def test_asymptotic_rates():
    """Relative corrugation: sqrt(kappa^2 + G^2) - kappa at Gamma, less for pairs, none at K."""
    g, z = np.linalg.norm(RECIPROCAL[0]), np.array([9.0, 9.01])
    s, pair, at_k = np.hypot(KAPPA, g), np.hypot(2 * KAPPA, g), np.hypot(KAPPA, K[0])
    assert [s - KAPPA, pair - 2 * KAPPA, 2 * at_k] == pytest.approx([1.374, 0.930, 3.283], abs=1e-3)
    assert s + KAPPA == pytest.approx(3.474, abs=1e-3)

    def rate(s):  # -d ln F/dz, prefactor and all
        return s * s * z.mean() / (1 + s * z.mean())

    def rates(junction):
        log_mean, relative = corrugation(junction, CELL, z)
        return -np.diff(log_mean)[0] / 0.01, -np.diff(np.log(relative))[0] / 0.01

    assert rates(lattice(GAMMA)) == pytest.approx((2 * rate(KAPPA), rate(s) - rate(KAPPA)), abs=2e-4)
    assert rates(lattice_of_pairs()) == pytest.approx((rate(2 * KAPPA), rate(pair) - rate(2 * KAPPA)), abs=1e-5)
    assert rates(lattice(K)) == pytest.approx((2 * rate(at_k), 0), abs=5e-4)
    assert corrugation(lattice(K), CELL, [11.0])[1] == pytest.approx(1 / 3, abs=1e-4)


def test_a_state_at_k_is_brightest_on_the_atoms_and_dark_in_the_hollows():
    x, y = np.array([0, A / 2, A / 2]), np.array([0, 0, A / (2 * np.sqrt(3))])  # atom, bridge, hollow
    atom, bridge, hollow = lattice(K).log_current(x, y, 7.0)
    assert atom - bridge == pytest.approx(np.log(9), abs=2e-2)  # |3|^2 against |1|^2, three waves
    assert hollow < atom - 50
    assert lattice(-K).log_current(x[:2], y[:2], 7.0) == pytest.approx([atom, bridge], abs=1e-11)


def test_what_the_cutoff_leaves_out_is_as_small_as_the_docstring_says():
    z, reach, xy = np.array([6.0, 10.0]), 20.0, [2.0, 2.0]  # the middle of a tile, and so 2 Å safer
    error = (lattice(GAMMA).log_current(*xy, z) - lattice(GAMMA, reach=reach).log_current(*xy, z)) / 2
    d = np.hypot(z, reach)
    stated = (1 + KAPPA * d) / (1 + KAPPA * z) * np.exp(-KAPPA * (d - z))
    assert stated == pytest.approx([5e-7, 5e-6], rel=0.1)
    assert np.all(error < stated)
    assert np.all(error > 0.05 * stated)
    x, y = np.meshgrid(np.linspace(0.01, 3.99, 8), np.linspace(0.01, 3.99, 8))  # a whole tile
    for height, at_k in zip(z, [1e-6, 1e-4], strict=True):
        whole, cut = (lattice(K, reach=r).log_current(x, y, height) / 2 for r in (45.0, reach))
        lost = np.abs(np.exp(cut - whole.max()) - np.exp(whole - whole.max())).max()
        assert lost == pytest.approx(at_k, rel=0.4)


def test_values_do_not_depend_on_company():
    junction, (x, y, z) = lattice(K), points(300)
    together = junction.log_current(x, y, z)
    alone = [junction.log_current(*p) for p in np.stack([x, y, z], 1)[:10]]
    np.testing.assert_allclose(together[:10], alone, rtol=0, atol=1e-11)


# ---- from atoms ---------------------------------------------------------------------------------------

FANG = {"bias": -1.4, "kappa": KAPPA, "model": "fang-2015"}


@pytest.mark.parametrize("moved", [False, True])
def test_a_mesh_of_bloch_vectors_is_a_supercell(moved):
    """Three by three vectors of a cell are the Gamma point of three by three cells."""
    cell = wse2((1, 1), 3.3155)
    if moved:  # H does not know of it, the tails do
        cell.arrays["host"] = np.array(cell.get_chemical_symbols())
        cell.arrays["displacement"] = np.array([[0, 0, 0], [0.3, 0.2, 0.1], [0, 0, 0]])
        cell.positions += cell.arrays["displacement"]
    mesh, supercell = tersoff_hamann(cell, kpts=(3, 3), **FANG), tersoff_hamann(cell.repeat((3, 3, 1)), **FANG)
    np.testing.assert_allclose(mesh.log_current(*points()), supercell.log_current(*points()), rtol=0, atol=1e-6)
    assert mesh.k.shape == (len(mesh.weights), 2)
    assert np.isrealobj(supercell.states)


def test_angular_factors_keep_the_threefold_axis_and_bare_tails_break_it():
    sheet, (x, y, z) = wse2((3, 3), 3.3155), points(6)
    centre = sheet.positions[1, :2]  # a top selenium atom
    c, s = np.cos(2 * np.pi / 3), np.sin(2 * np.pi / 3)
    change = {}
    for kind in ("harmonic", "isotropic"):
        junction = tersoff_hamann(sheet, orbital_tails=kind, **FANG)
        change[kind] = np.abs(
            junction.log_current(centre[0] + x, centre[1] + y, z)
            - junction.log_current(centre[0] + c * x - s * y, centre[1] + s * x + c * y, z)
        ).max()
    assert change["harmonic"] < 1e-6
    assert change["isotropic"] > 1e-3


def test_weights_of_states_add_up_to_the_density_of_states():
    """Sum over n of w_n |c_in|^2 is what the pair sum weighs its atoms with."""
    sheet = add_defects(wse2((3, 3), 3.3155), {"se-vacancy-top": [4]})
    junction = tersoff_hamann(sheet, temperature=50.0, **FANG)
    energy, factor = bias_window(-1.4, 50.0, nodes=100)
    density = ldos(sheet, energy + fermi_level("fang-2015"), "fang-2015", per="orbital") @ factor
    np.testing.assert_allclose(np.abs(junction.states) ** 2 @ junction.weights, density, rtol=1e-5, atol=1e-7)
    assert junction.positions[:, 2].max() == 0
    assert list(junction.orbitals[:5]) == ["dxz", "dyz", "dz2", "dxy", "dx2-y2"]


def test_only_states_in_the_window_are_kept():
    sheet = wse2((3, 3), 3.3155)
    levels, zero = spectrum(sheet, "fang-2015")[0], fermi_level("fang-2015")
    junction = tersoff_hamann(sheet, broadening=0.01, **FANG)
    inside = np.count_nonzero((levels > zero - 1.4) & (levels < zero))
    assert inside == np.count_nonzero(junction.weights > 0.5)
    assert inside <= len(junction.weights) < inside + 5
    kept = levels[(levels > zero - 1.5) & (levels < zero + 0.1)] - zero
    by_hand = (erf(-kept / np.sqrt(2) / 0.01) - erf((-1.4 - kept) / np.sqrt(2) / 0.01)) / 2
    np.testing.assert_allclose(junction.weights, by_hand[by_hand > 1e-8], rtol=0, atol=1e-9)
    same = tersoff_hamann(sheet, broadening=0.01, fermi=zero, **FANG)
    np.testing.assert_array_equal(same.weights, junction.weights)


def test_valence_edge_at_k_keeps_its_corrugation_and_the_pair_sum_loses_it():
    """The three waves of K outlive everything else: |I_G| / I_0 = 1/3, as for one orbital to a cell."""
    cell, z = wse2((1, 1), 3.26).cell, np.array([6.0, 7.0])
    sheet = wse2((3, 3), 3.26)
    states = tersoff_hamann(sheet, -0.2, KAPPA, "silva-guillen-2016", fermi="valence", broadening=0.05)
    local = np.abs(states.states) ** 2 @ states.weights
    index, atoms = images(states.positions, sheet.cell, sheet.pbc, [-25, -25], [30, 30])
    pairs = Junction(atoms, [[0, 0, 0]], local[index, None], KAPPA, slack=15)
    np.testing.assert_allclose(corrugation(states, cell, z)[1], 1 / 3, rtol=0.02)
    g = 4 * np.pi / (np.sqrt(3) * 3.26)
    of_pairs = corrugation(pairs, cell, z)[1]
    assert of_pairs[0] < 1e-3
    assert np.log(of_pairs[0] / of_pairs[1]) == pytest.approx(np.hypot(2 * KAPPA, g) - 2 * KAPPA, rel=0.05)


def test_a_finite_set_of_atoms_has_no_images():
    flake = wse2((3, 3), 3.3155)
    flake.pbc = False
    junction = tersoff_hamann(flake, **FANG)
    assert junction.log_current(40.0, 0, 5.0) < junction.log_current(3.0, 3.0, 5.0) - 20


# ---- surface of constant current ----------------------------------------------------------------------


@pytest.mark.parametrize("channel", CHANNELS)
def test_surface_has_the_current_asked_for(channel):
    junction, raster = lattice(np.array([0.3, 0.2]), channel, reach=20.0), Raster(5.0, 4.0, 6, 5)
    setpoint = junction.log_current(0.0, 0.0, 6.0)
    z = constant_current(junction, raster, setpoint, start=7.0, tolerance=1e-10)
    assert z.shape == raster.shape
    assert np.ptp(z) > 1e-3
    np.testing.assert_allclose(junction.log_current(*raster.xy, z), setpoint, rtol=0, atol=1e-8)


def test_a_setpoint_inside_the_sample_is_refused():
    with pytest.raises(ValueError, match="lower the setpoint"):
        constant_current(lattice(GAMMA), Raster(2.0, 2.0, 2, 2), 30.0, tolerance=1e-10)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": [-1.0]}, "at least 0"),
        ({"weights": [0.0]}, "widen the bias window"),
        ({"states": [[np.nan]]}, "states of a Tersoff-Hamann junction must be finite"),
        ({"states": [[1.0, 2.0]]}, r"\(n, S\)"),
        ({"k": [[0.0, 0.0, 0.0]]}, r"\(S, 2\)"),
        ({"channel": "px"}, "channel = 'px'"),
        ({"orbitals": ("f",)}, "orbitals"),
        ({"kappa": 0.0}, "kappa = 0.0"),
        ({"reach": np.inf}, "reach = inf"),
    ],
)
def test_impossible_junctions_are_refused(change, message):
    good = {"positions": [[0, 0, 0]], "states": [[1.0]], "weights": [1.0], "kappa": 1.0, "cell": CELL}
    with pytest.raises(ValueError, match=message):
        TersoffHamann(**(good | change))


@pytest.mark.parametrize("change", [{"orbital_tails": "none"}, {"broadening": 0.0}, {"bias": 0.0}])
def test_impossible_requests_are_refused(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        tersoff_hamann(wse2(), **({"bias": 0.5, "kappa": 1.0} | change))


# ---- spectra from states ------------------------------------------------------------------------------


@pytest.mark.parametrize("channel", CHANNELS)
def test_densities_add_up_to_the_current(channel):
    """Of a free cluster with complex amplitudes, and of a periodic one with Bloch vectors."""
    periodic = TersoffHamann(
        [[0, 0, 0], [0.4, 0.7, -1.0]], [[1, 0.5j, 2], [1j, 2, 0.1]], [0.3, 2.0, 1.0], KAPPA, ("pz", "dz2"), CELL,
        k=[GAMMA, K, 0.3 * K], channel=channel,
    )  # fmt: skip
    for junction in (cluster(channel), periodic):
        x, y, z = points()
        seen = junction.densities(x, y, z)
        assert seen.shape == (20, len(junction.weights))
        np.testing.assert_allclose(np.log(seen @ junction.weights), junction.log_current(x, y, z), rtol=0, atol=1e-12)


SMALL = wse2((3, 3), a=3.3155)


@pytest.mark.parametrize(("bias", "kpts"), [(1.3, (1, 1)), (-1.2, (2, 2))])
def test_current_of_local_states_is_that_of_tersoff_hamann(bias, kpts):
    """Two ways: an error function for each level, and a quadrature over the window."""
    spots = np.stack(np.broadcast_arrays(*points(5)), axis=-1) * [1, 1, 0] + [0, 0, 5.0]
    how = {"model": "fang-2015", "broadening": 0.1, "kpts": kpts}
    seen = local_states(SMALL, spots, KAPPA, **how).current([bias])[:, 0]
    expected = tersoff_hamann(SMALL, bias, KAPPA, **how).log_current(*spots.T)
    np.testing.assert_allclose(np.log(seen * np.sign(bias)), expected, rtol=0, atol=1e-6)


def test_conductance_of_local_states_is_the_derivative_of_their_current():
    volts, h = np.linspace(-1.9, 1.9, 39), 1e-4
    seen = local_states(SMALL, [[0, 0, 5.0], [1.6, 1.0, 5.0]], KAPPA, "fang-2015", broadening=0.05)
    numeric = (seen.current(volts + h) - seen.current(volts - h)) / (2 * h)
    np.testing.assert_allclose(seen.conductance(volts), numeric, rtol=0, atol=1e-6 * numeric.max())
    assert seen.current([0.0]).ravel() == pytest.approx(0)


def test_reading_leaves_out_only_what_does_not_count():
    few = local_states(SMALL, [[0, 0, 5.0]], KAPPA, "fang-2015", broadening=0.05, reading=(0.5, 1.2))
    all_of_them = local_states(SMALL, [[0, 0, 5.0]], KAPPA, "fang-2015", broadening=0.05, reading=(-9, 9))
    assert len(few.levels) < len(all_of_them.levels) == 99
    for what in ("current", "conductance"):
        seen, expected = (getattr(states, what)([0.5, 0.9, 1.2]) for states in (few, all_of_them))
        np.testing.assert_allclose(seen, expected, rtol=0, atol=1e-12 * expected.max())


def test_state_of_a_vacancy_has_three_corners():
    """The doublet in the gap, added up, keeps the threefold axis and the mirror; neither is sixfold."""
    sheet = wse2((6, 6), a=3.3155)
    site = int(sheet.arrays["site"][(sheet.get_tags() == 1) & (np.arange(108) // 3 == 21)][0])
    spot = sheet.positions[site, :2]
    hole = add_defects(sheet, {"se-vacancy-top": [site]})
    turn = np.exp(2j * np.pi * np.arange(6) / 6)
    around = 2.0 * np.exp(1j * (0.3 + np.angle(turn)))
    mirrored = 2.0 * np.exp(1j * (np.pi - 0.3 - np.angle(turn)))  # x -> -x
    ring = np.array([[spot[0] + p.real, spot[1] + p.imag, 5.0] for p in np.concatenate([around, mirrored])])
    seen = local_states(hole, ring, KAPPA, "fang-2015", broadening=0.05, reading=(0.3, 0.7)).conductance([0.5])[:, 0]
    one, other = seen[:6:2], seen[1:6:2]
    np.testing.assert_allclose(one, one[0], rtol=1e-6)
    np.testing.assert_allclose(other, other[0], rtol=1e-6)
    np.testing.assert_allclose(np.sort(seen[6:]), np.sort(seen[:6]), rtol=1e-6)
    assert abs(np.log(one[0] / other[0])) > 0.05


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"points": [[0, 0]]}, "points must be finite"),
        ({"points": [[0, 0, np.nan]]}, "points must be finite"),
        ({"reading": (1.0, 1.0)}, r"reading = \(1.0, 1.0\) V must rise"),
        ({"broadening": 0.0}, "broadening = 0.0 eV be greater than 0 eV"),
        ({"orbital_tails": "round"}, "orbital_tails = 'round' must be one of harmonic, isotropic"),
        ({"reading": (-0.1, 0.1)}, "no level lies between -0.1 V and 0.1 V"),
    ],
)
def test_local_states_refuse(how, words):
    settings = {"points": [[0, 0, 5.0]], "model": "fang-2015", "broadening": 0.01} | how
    with pytest.raises(ValueError, match=words):
        local_states(SMALL, settings.pop("points"), KAPPA, **settings)
