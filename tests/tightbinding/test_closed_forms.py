"""Densities of states and levels that are known in closed form, through the same path that a user's model takes."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bcc100
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.sparse import csr_array
from scipy.special import ellipkm1
from threadpoolctl import threadpool_limits

from stmlab.structures import add_defects, wse2
from stmlab.tightbinding import ldos, load_model, model_named, spectrum
from stmlab.tightbinding.bands import bloch_hamiltonian
from stmlab.tightbinding.broadening import gaussian
from stmlab.tightbinding.kpm import band_edges, ldos_kpm
from stmlab.tightbinding.ldos import KERNELS
from stmlab.tightbinding.table import pristine_green
from stmlab.tightbinding.tmatrix import bloch_matrices

T, A = 0.8, 2.0  # hopping [eV] and lattice constant [Å] of every lattice of hydrogen atoms here
PEAKS = ("gaussian", "lorentzian")


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """Threads of BLAS that wait for each other take most of the time of small matrices on a busy machine."""
    with threadpool_limits(1, "blas"):
        yield


@pytest.fixture(scope="module")
def hydrogen(tmp_path_factory):
    """One s orbital with one hopping to its nearest neighbours, from a table like those that users write."""
    path = tmp_path_factory.mktemp("models") / "hydrogen.toml"
    path.write_text(
        f'name = "hydrogen"\nkind = "slater-koster"\nreference = "closed forms"\nlattice = {{ a = {A} }}\n'
        f'[orbitals]\nH = ["s"]\n[onsite]\nH = {{ s = 0.0 }}\n'
        f'[[bond]]\natoms = ["H", "H"]\nlength = {A}\nsss = {T}\n'
    )
    return load_model(path)


def chain(n=1, ring=True):
    """A row of n hydrogen atoms along x."""
    return Atoms(f"H{n}", [[i * A, 0, 0] for i in range(n)], cell=[n * A, 20, 20], pbc=(ring, False, False))


def flat_lattice(angle):
    """4 x 4 cells of a plane lattice whose vectors of equal length enclose an angle [degrees]."""
    a2 = [A * np.cos(np.radians(angle)), A * np.sin(np.radians(angle)), 0]
    return Atoms("H", cell=[[A, 0, 0], a2, [0, 0, 20]], pbc=(True, True, False)).repeat((4, 4, 1))


def broadened(density, edges, energies, kernel, width):
    """Convolve a density with a kernel, in panels between the edges, where the density may have singularities."""
    x, w = np.polynomial.legendre.leggauss(300)
    half, middle = np.diff(edges)[:, None] / 2, (np.array(edges)[1:] + edges[:-1])[:, None] / 2
    e, factor = (middle + half * np.sin(np.pi / 2 * x)).ravel(), (half * np.pi / 2 * np.cos(np.pi / 2 * x) * w).ravel()
    return KERNELS[kernel](np.asarray(energies)[:, None] - e, width) @ (factor * density(e))


def chain_bulk(e):
    return 1 / (np.pi * np.sqrt(4 * T**2 - e**2))


def chain_end(e):
    return np.sqrt(4 * T**2 - e**2) / (2 * np.pi * T**2)


def square(e):
    return ellipkm1((e / 4 / T) ** 2) / (2 * np.pi**2 * T)


def triangular(e):
    """The honeycomb's density at x = sqrt(3 + E/t), divided by x: squared, the honeycomb is two triangular lattices."""
    x = np.sqrt(3 + e / T)
    larger = np.maximum((1 + x) ** 2 - (x**2 - 1) ** 2 / 4, 4 * x)
    return ellipkm1(np.abs(x - 1) ** 3 * (x + 3) / 4 / larger) / (np.pi**2 * T * np.sqrt(larger))


@pytest.mark.parametrize("kernel", PEAKS)
def test_chain(hydrogen, kernel):
    """1 / (pi sqrt(4 t^2 - E^2))."""
    energies = np.linspace(-2, 2, 41)
    found = ldos(chain(), energies, hydrogen, kernel=kernel, broadening=0.1, kpts=(600, 1))[0]
    np.testing.assert_allclose(found, broadened(chain_bulk, [-2 * T, 2 * T], energies, kernel, 0.1), atol=1e-9)


@pytest.mark.parametrize("kernel", PEAKS)
def test_end_of_a_chain(hydrogen, kernel):
    """sqrt(4 t^2 - E^2) / (2 pi t^2)."""
    energies = np.linspace(-2, 2, 41)
    found = ldos(chain(300, ring=False), energies, hydrogen, kernel=kernel, broadening=0.1)[0]
    np.testing.assert_allclose(found, broadened(chain_end, [-2 * T, 2 * T], energies, kernel, 0.1), atol=1e-9)


@pytest.mark.parametrize(
    ("angle", "density", "edges"),
    [(90, square, [-4, 0, 4]), (120, triangular, [-3, -2, 6])],
    ids=["square", "triangle"],
)
def test_plane_lattices(hydrogen, angle, density, edges):
    energies = np.linspace(-4, 6, 51)
    found = ldos(flat_lattice(angle), energies, hydrogen, broadening=0.2, kpts=(20, 20))
    expected = broadened(density, T * np.array(edges), energies, "gaussian", 0.2)
    np.testing.assert_allclose(found, np.tile(expected, (16, 1)), atol=1e-6)


@pytest.mark.parametrize("shift", [1.5, -1.5, 0.7])
def test_impurity_binds_one_state(hydrogen, shift):
    """At sign(U) sqrt(U^2 + 4 t^2), with the weight |U| / sqrt(U^2 + 4 t^2) on the impurity."""
    atoms = chain(161)
    atoms.set_array("onsite", np.where(np.arange(161) == 80, shift, 0.0))
    levels, shares = spectrum(atoms, hydrogen)
    outside = np.flatnonzero(np.abs(levels) > 2 * T + 1e-9)
    assert len(outside) == 1
    bound = np.sqrt(shift**2 + 4 * T**2)
    assert levels[outside[0]] == pytest.approx(np.sign(shift) * bound, abs=1e-10)
    assert shares[80, outside[0]] == pytest.approx(abs(shift) / bound, abs=1e-10)


@pytest.mark.parametrize("shift", [1.5, -0.4])
def test_sum_rule_of_friedel(hydrogen, shift):
    """The levels that an impurity moves through E are counted by -Im ln(1 - U G0) / pi, exactly."""
    n, eta, energies = 60, 0.03, np.linspace(-2.5, 2.5, 101)
    h = bloch_matrices(chain(), hydrogen, (n, 1))
    g = np.array([pristine_green(h, e + 1j * eta)[0, 0, 0, 0] for e in energies])
    atoms = chain(n)
    before = counted(spectrum(atoms, hydrogen)[0], energies, eta)
    atoms.set_array("onsite", np.where(np.arange(n) == 7, shift, 0.0))
    after = counted(spectrum(atoms, hydrogen)[0], energies, eta)
    np.testing.assert_allclose(-np.log(1 - shift * g).imag / np.pi, after - before, atol=1e-10)
    assert np.abs(after - before).max() > 0.1


def counted(levels, energies, eta):
    """Levels below each energy, each a Lorentzian of half width eta."""
    return np.sum(0.5 + np.arctan((energies[:, None] - levels) / eta) / np.pi, axis=1)


def sheet_of(model, size):
    lattice = model_named(model).lattice
    return wse2(size, lattice["a"], lattice["thickness"])


def hurt_sheet(model, size, chosen):
    """A sheet with the defects given as {site: vacancy or not}."""
    sites = {}
    for site, vacancy in chosen.items():
        kind = ("se-vacancy-" if vacancy else "dopant-") + {1: "top", 2: "bottom"}[site % 3]
        sites.setdefault(kind, []).append(site)
    return add_defects(sheet_of(model, size), sites, dopant_potential=0.35)


def apart(sheet, model, kernel, **options):
    """Largest difference of the T-matrix from diagonalising, [1/eV] and as a share of the largest density."""
    energies = np.linspace(-1, 1, 9)
    dense = ldos(sheet, energies, model, kernel=kernel, broadening=0.1)
    found = ldos(sheet, energies, model, "tmatrix", kernel=kernel, broadening=0.1, **options)
    error = np.abs(found - dense).max()
    return max(error, error / dense.max())


SIZES = {"single-orbital": (6, 7), "fang-2015": (4, 5), "silva-guillen-2016": (4, 4)}
CASES = [(model, number) for model in SIZES for number in (1, 2, 5, 12, 24)]


def drawn(model, number):
    """Vacancies and dopants on both selenium layers."""
    rng, cells = np.random.default_rng(number), np.prod(SIZES[model])
    sites = rng.permutation([3 * c + layer for c in range(cells) for layer in (1, 2)])[:number]
    return dict(zip(sites.tolist(), (rng.random(number) < 0.5).tolist(), strict=True))


@pytest.mark.parametrize("kernel", PEAKS)
@pytest.mark.parametrize(("model", "number"), CASES)
def test_tmatrix_is_diagonalising(model, number, kernel):
    assert apart(hurt_sheet(model, SIZES[model], drawn(model, number)), model, kernel) < 1e-10


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.dictionaries(st.integers(0, 59).map(lambda n: 3 * (n // 2) + 1 + n % 2), st.booleans(), min_size=1))
def test_tmatrix_wherever_the_defects_are(chosen):
    assert apart(hurt_sheet("single-orbital", (5, 6), chosen), "single-orbital", "lorentzian") < 1e-10


@pytest.mark.parametrize("model", SIZES)
def test_tmatrix_in_single_precision(model):
    sheet = hurt_sheet(model, SIZES[model], drawn(model, 12))
    assert 1e-9 < apart(sheet, model, "gaussian", precision="single") < 3e-5


def test_error_of_the_jackson_kernel_falls_as_one_over_the_moments():
    """At the kink of rho(E) = |E|, the end of a chain with hoppings b_n^2 = (n + 1) / 4n and n / 4(n + 1) in turn."""
    n = np.arange(1.0, 530)
    b = np.sqrt(np.where(n % 2 == 1, (n + 1) / (4 * n), n / (4 * (n + 1))))
    h, energies = csr_array(np.diag(b, 1) + np.diag(b, -1)), np.linspace(-0.5, 0.5, 101)
    half, counts = np.diff(band_edges(h))[0] / 2, 2 ** np.arange(6, 11)
    rho = [ldos_kpm(h, energies, np.pi * half / count * (1 + 1e-9))[0] for count in counts]
    errors = np.abs(rho - np.abs(energies)).max(axis=1)
    assert np.all(np.diff(errors) < 0)
    # at the kink the error is the kernel's mean distance from its centre: 2/pi times the integral of (1 - g) / u^2
    mean = 2 / np.pi * (1 + quad(lambda u: (1 - damping(u)) / u**2, 0, 1)[0])
    np.testing.assert_allclose(errors * counts, mean * half, rtol=0.02)
    np.testing.assert_allclose(errors[-1] * counts[-1], mean * half, rtol=1e-3)


def damping(u):
    """What becomes of Jackson's factors at m = u N when N is large."""
    return (1 - u) * np.cos(np.pi * u) + np.sin(np.pi * u) / np.pi


@pytest.mark.parametrize("count", [64, 256, 1024])
@pytest.mark.parametrize("level", [0.0, 0.6])
def test_width_of_the_jackson_kernel(level, count):
    """The variance that Weisse et al. give (10.1103/RevModPhys.78.275) to all digits, and pi a / N at the centre."""
    h = csr_array(np.diag([level, -1.0, 1.0]))
    low, high = band_edges(h)
    half, theta = (high - low) / 2, np.pi * (np.arange(4 * count) + 0.5) / (4 * count)
    energies = (high + low) / 2 + half * np.cos(theta)
    rho = ldos_kpm(h, energies, np.pi * half / count * (1 + 1e-9))[0] * half * np.sin(theta) * np.pi / (4 * count)
    width = np.sqrt(rho @ energies**2 - (rho @ energies) ** 2)
    x = (level - (high + low) / 2) / half
    expected = (count - x**2 * (count - 1)) / (2 * (count + 1)) * (1 - np.cos(2 * np.pi / (count + 1)))
    assert width == pytest.approx(half * np.sqrt(expected), rel=1e-7)
    assert level != 0 or width == pytest.approx(np.pi * half / count, rel=2 / count)


@pytest.fixture(scope="module")
def vacancies():
    """Levels and shares of 12 x 12 cells with one selenium atom missing, above and below."""
    sheet = sheet_of("fang-2015", (12, 12))
    kinds = {"se-vacancy-top": 3 * 78 + 1, "se-vacancy-bottom": 3 * 78 + 2}
    hurt = [add_defects(sheet, {kind: [site]}) for kind, site in kinds.items()]
    return [(atoms, *spectrum(atoms, "fang-2015")) for atoms in hurt]


@pytest.fixture(scope="module")
def gap():
    """Valence maximum and conduction minimum at K [eV]."""
    k = np.array([4 * np.pi / 3 / model_named("fang-2015").lattice["a"], 0])
    return np.linalg.eigvalsh(bloch_hamiltonian("fang-2015", k))[6:8]


def test_selenium_vacancy_leaves_a_doublet_in_the_gap(vacancies, gap):
    """Two levels, degenerate by symmetry, in the upper half of the gap, and mostly on three tungsten atoms."""
    atoms, levels, shares = vacancies[0]
    inside = np.flatnonzero((levels > gap[0] + 0.05) & (levels < gap[1] - 0.05))
    assert len(inside) == 2
    assert np.ptp(levels[inside]) < 1e-6
    assert levels[inside].mean() - gap[0] == pytest.approx(1.335, abs=0.01)
    assert inside[0] == 7 * 144 - 3  # the three p orbitals took as many levels from the valence band
    tungsten = np.array(atoms.get_chemical_symbols()) == "W"
    shares = shares[:, inside].mean(1)
    assert shares[tungsten].sum() > 0.6
    assert np.sort(shares[tungsten])[-3:].sum() > shares[tungsten].sum() / 2


def test_vacancies_above_and_below_have_the_same_levels(vacancies):
    (_, above, _), (_, below, _) = vacancies
    np.testing.assert_allclose(above, below, atol=1e-9)


D = slice(4, 9)  # the d orbitals of tungsten-spd


def wedge(mesh):
    """A regular mesh over the Brillouin zone of a bcc crystal, less what symmetry repeats, and how often it does."""
    i = np.sort(np.stack(np.meshgrid(*[np.arange(mesh)] * 3, indexing="ij"), -1).reshape(-1, 3), axis=1)
    beyond = i[:, 1] + i[:, 2] >= mesh  # the zone ends at k_x + k_y = 2 pi / a
    i[beyond, 1:] = mesh - 1 - i[beyond, 1:]
    i, count = np.unique(np.sort(i, axis=1), axis=0, return_counts=True)
    return 2 * np.pi / model_named("tungsten-spd").lattice["a"] * (i + 0.5) / mesh, count / mesh**3


@pytest.fixture(scope="module")
def tungsten():
    """Fermi level [eV], and density of states there of all orbitals, both spins (9,) [1/eV]."""
    k, share = wedge(32)
    levels, states = np.linalg.eigh(bloch_hamiltonian("tungsten-spd", k))
    order = np.argsort(levels, axis=None)
    electrons = 2 * np.cumsum(np.repeat(share, 9)[order])
    fermi = levels.ravel()[order][np.searchsorted(electrons, 6)]
    return fermi, 2 * np.einsum("k,kan,kn->a", share, np.abs(states) ** 2, gaussian(fermi - levels, 0.15))


def test_tungsten_at_its_fermi_level(tungsten):
    _, rho = tungsten
    assert 0.3 < rho.sum() < 0.45
    assert rho[D].sum() > 0.75 * rho.sum()


def test_d_states_gather_at_the_001_surface_of_tungsten(tungsten):
    """The middle of the slab is bulk; on its surface atoms the d density is more than twice as high."""
    fermi, bulk = tungsten
    slab = bcc100("W", (1, 1, 13), model_named("tungsten-spd").lattice["a"], vacuum=10)
    slab.pbc = (True, True, False)
    rho = 2 * ldos(slab, [fermi], "tungsten-spd", broadening=0.15, kpts=(12, 12), per="orbital")
    rho = rho.reshape(13, 9)[:, D].sum(axis=1)
    assert rho[3:-3].mean() == pytest.approx(bulk[D].sum(), rel=0.1)
    assert min(rho[0], rho[-1]) > 2 * bulk[D].sum()
