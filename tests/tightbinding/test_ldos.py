import numpy as np
import pytest
from scipy.special import ellipk

from stmlab.structures import add_defects, tip, wse2
from stmlab.tightbinding import bloch_hamiltonian, broaden, hamiltonian, ldos, spectrum
from stmlab.tightbinding.bands import primitive_cell
from stmlab.tightbinding.broadening import gaussian, lorentzian
from stmlab.tightbinding.contour import PRECISIONS, contour, fitted, folded, weighed
from stmlab.tightbinding.models import model_named
from stmlab.tightbinding.tmatrix import _table, problem

T = np.sqrt(2) * 1.19  # hopping of the honeycomb that the single-orbital model hides


def honeycomb(energy):
    """Density of states per site of the honeycomb lattice (Castro Neto et al., 10.1103/RevModPhys.81.109)."""
    x = np.abs(energy) / T
    a, b = (1 + x) ** 2 - (x**2 - 1) ** 2 / 4, 4 * x
    low, high = np.where(x <= 1, a, b), np.where(x <= 1, b, a)
    with np.errstate(all="ignore"):
        rho = x / (np.pi**2 * T) * ellipk(high / low) / np.sqrt(low)
    return np.where((x > 0) & (x < 3), rho, 0.0)


def broadened_honeycomb(energies, width, kernel):
    """Convolution by Gauss-Legendre panels between the singular points of the density."""
    x, w = np.polynomial.legendre.leggauss(400)
    edges = T * np.array([-3, -1, 0, 1, 3])
    e = ((edges[1:] + edges[:-1]) / 2)[:, None] + (np.diff(edges) / 2)[:, None] * x
    return (np.diff(edges)[:, None] / 2 * w * honeycomb(e)).ravel() @ kernel(energies - e.ravel()[:, None], width)


@pytest.fixture(scope="module")
def pristine():
    energies = np.linspace(-6, 6, 241)
    return energies, ldos(wse2(), energies, broadening=0.1, kpts=(96, 96))


def test_tungsten_is_a_honeycomb(pristine):
    energies, rho = pristine
    np.testing.assert_allclose(rho[0], broadened_honeycomb(energies, 0.1, gaussian), atol=1e-3)


def test_selenium_is_half_flat_band_half_honeycomb(pristine):
    energies, rho = pristine
    expected = (gaussian(energies, 0.1) + broadened_honeycomb(energies, 0.1, gaussian)) / 2
    np.testing.assert_allclose(rho[1], expected, atol=1e-3)
    np.testing.assert_allclose(rho[1], rho[2], atol=1e-12)


def test_a_vacancy_takes_the_flat_band_from_its_partner():
    sheet = wse2((8, 8))
    missing = 1 + 3 * 14
    rho = ldos(add_defects(sheet, {"se-vacancy-top": [missing]}), [0.0], broadening=0.02)[:, 0]
    sites = add_defects(sheet, {"se-vacancy-top": [missing]}).arrays["site"]
    flat = 0.5 * gaussian(0.0, 0.02)
    assert rho[sites == missing + 1][0] < 0.05 * flat
    assert rho[sites == 2][0] > 0.99 * flat


@pytest.mark.parametrize("kernel", ["gaussian", "lorentzian"])
def test_sum_rule_and_symmetry(kernel):
    energies = np.linspace(-400, 400, 160001) if kernel == "lorentzian" else np.linspace(-7, 7, 1401)
    rho = ldos(wse2((2, 2)), energies, kernel=kernel)
    np.testing.assert_allclose(np.trapezoid(rho, energies, axis=1), 1.0, atol=1e-3)
    np.testing.assert_allclose(rho, rho[:, ::-1], atol=1e-9)


def test_second_moment_counts_the_bonds():
    """Integral of E^2 rho_i is sum_j H_ij^2, plus the width of the kernel squared."""
    sheet, energies = add_defects(wse2((3, 3)), {"dopant-top": [1]}), np.linspace(-8, 8, 3201)
    second = np.trapezoid(energies**2 * ldos(sheet, energies, broadening=0.1), energies, axis=1)
    expected = hamiltonian(sheet).power(2).sum(axis=1) + 0.1**2
    np.testing.assert_allclose(second, np.asarray(expected).ravel(), rtol=1e-6)


def test_supercell_and_bloch_vectors_agree():
    energies = np.linspace(-3, 3, 13)
    small, large = ldos(wse2(), energies, kpts=(4, 4)), ldos(wse2((4, 4)), energies)
    np.testing.assert_allclose(large[:3], small, atol=1e-12)


@pytest.mark.parametrize("kernel", [gaussian, lorentzian])
def test_kernels_have_unit_area(kernel):
    e = np.linspace(-2000, 2000, 4_000_001)
    assert np.trapezoid(kernel(e, 0.1), e) == pytest.approx(1, abs=1e-4)


def test_bad_arguments_are_refused():
    sheet = wse2()
    with pytest.raises(ValueError, match="broadening = 0 eV must be greater than 0 eV"):
        ldos(sheet, [0.0], broadening=0)
    with pytest.raises(ValueError, match="kernel = 'box'"):
        ldos(sheet, [0.0], kernel="box")
    with pytest.raises(ValueError, match="method = 'magic'"):
        ldos(sheet, [0.0], method="magic")
    with pytest.raises(ValueError, match="needs a sheet made by wse2"):
        ldos(tip("111", size=2), [0.0], "tungsten-single-orbital", "tmatrix")
    with pytest.raises(ValueError, match="more than 400 defects"):
        ldos(add_defects(wse2((21, 21)), {"dopant-top": range(1, 1323, 3)}), [0.0], method="tmatrix")
    with pytest.raises(ValueError, match="too many to diagonalise"):
        ldos(wse2((60, 60)), [0.0])


@pytest.mark.parametrize(("kernel", "error"), [("lorentzian", 1e-12), ("gaussian", 1e-8)])
def test_tmatrix_is_exact(kernel, error):
    """Three kinds of defects, two of them neighbours, against diagonalising the same supercell."""
    sites = {"se-vacancy-top": [1, 100], "dopant-bottom": [5, 200], "se-vacancy-bottom": [2], "dopant-top": [4]}
    sheet, energies = add_defects(wse2((9, 11)), sites, 0.4), np.linspace(-0.7, 0.7, 15)
    both = [ldos(sheet, energies, method=m, kernel=kernel, broadening=0.08) for m in ("tmatrix", "exact")]
    np.testing.assert_allclose(*both, rtol=0, atol=error)


def test_tmatrix_of_a_perfect_sheet_is_its_green_function():
    sheet = wse2((7, 5))
    both = [ldos(sheet, np.linspace(-6, 6, 25), method=m, kernel="lorentzian") for m in ("tmatrix", "exact")]
    np.testing.assert_allclose(*both, rtol=0, atol=1e-12)


@pytest.mark.parametrize("width", [0.01, 0.1, 0.5])
def test_contour_stands_for_a_gaussian(width):
    z, step = contour(np.array([-0.2, 0.4]), width)
    level, energy = np.linspace(-5, 5, 41)[:, None], 0.1
    found = -step / np.pi * np.imag(gaussian(energy - z, width) / (z - level)).sum(1)
    np.testing.assert_allclose(found, gaussian(energy - level[:, 0], width), atol=1e-8 / width)


def test_tmatrix_never_rounds_below_zero():
    """Four cells have no level within 1 eV of most energies, where the sum over the contour cancels to nothing."""
    rho = ldos(wse2((4, 4)), np.linspace(0, 0.5, 48), method="tmatrix")
    assert rho.min() >= 0
    np.testing.assert_allclose(rho, ldos(wse2((4, 4)), np.linspace(0, 0.5, 48)), atol=1e-9)


def test_a_spectrum_broadened_is_the_density_of_states():
    sheet, energies = add_defects(wse2((3, 4)), {"dopant-top": [1]}), np.linspace(-2, 2, 9)
    levels, shares = spectrum(sheet)
    np.testing.assert_allclose(shares.sum(0), 1)
    np.testing.assert_allclose(shares.sum(1), 1)
    np.testing.assert_allclose(broaden(levels, shares, energies, 0.07), ldos(sheet, energies, broadening=0.07))


@pytest.mark.parametrize("method", ["exact", "kpm", "tmatrix"])
@pytest.mark.parametrize("per", ["atom", "orbital"])
def test_some_atoms_alone(method, per):
    sheet = add_defects(wse2((5, 4), 3.3155), {"se-vacancy-top": [4], "w-substitution": [9]})
    energies, only = np.linspace(-1.5, 1.5, 7), [7, 0, 22]
    whole, some = (ldos(sheet, energies, "fang-2015", method, 0.2, per=per, only=o) for o in (None, only))
    counts = np.array([5 if s == "W" else 3 for s in sheet.arrays["host"]])
    starts = np.cumsum(counts) - counts
    rows = only if per == "atom" else np.concatenate([np.arange(starts[i], starts[i] + counts[i]) for i in only])
    np.testing.assert_allclose(some, whole[rows], atol=1e-10)


def test_atoms_that_are_not_there_are_refused():
    for only in ([-1], [12], [0.5]):
        with pytest.raises(ValueError, match="numbers of atoms, each in 0"):
            ldos(wse2((2, 2)), [0.0], only=only)
    with pytest.raises(ValueError, match="precision = 'half'"):
        ldos(wse2(), [0.0], precision="half")


def test_bulk_has_three_bloch_indices():
    """A mesh that holds Gamma, shifted by nothing: levels of the eight corners of a 2 x 2 x 2 mesh."""
    cell = primitive_cell("tungsten-spd")
    b = 2 * np.pi * np.asarray(cell.cell.reciprocal())
    k = np.array([np.array(n) / 2 @ b for n in np.ndindex(2, 2, 2)])
    levels = np.linalg.eigvalsh(bloch_hamiltonian("tungsten-spd", k)).ravel()
    energies = np.linspace(5, 20, 31)
    expected = gaussian(energies[:, None] - levels, 0.2).sum(1) / 8
    rho = ldos(cell, energies, "tungsten-spd", broadening=0.2, kpts=(2, 2, 2))
    np.testing.assert_allclose(rho[0], expected, atol=1e-10)


@pytest.mark.parametrize("method", ["kpm", "tmatrix"])
def test_bloch_vectors_go_with_diagonalising_alone(method):
    with pytest.raises(ValueError, match=r"kpts = \(1, 1\)"):
        ldos(wse2((2, 2)), [0.0], method=method, kpts=(2, 2))


def test_a_smooth_potential_shifts_the_energies_of_a_place():
    """Constant: exactly. Slowly varying: the better, the slower, against H with the potential in it."""
    sheet, energies = wse2((9, 9)), np.linspace(-0.8, 0.8, 9)
    sheet.set_array("potential", np.full(len(sheet), 0.15))
    both = [ldos(sheet, energies, method=m) for m in ("tmatrix", "exact")]
    np.testing.assert_allclose(*both, atol=1e-10)

    def error(cells, radius):
        big = add_defects(wse2((cells, cells)), {"charged-dopant": [0]}, charge_potential=0.1, charge_radius=radius)
        shifted, exact = (ldos(big, energies, method=m, only=[1, 16, 31]) for m in ("tmatrix", "exact"))
        unmoved = ldos(wse2((cells, cells)), energies, only=[1, 16, 31])
        return np.abs(shifted - exact).max() / np.abs(unmoved - exact).max()

    errors = [error(6, 3.0), error(15, 8.0)]
    assert errors[1] < 0.6 * errors[0]
    assert errors[1] < 0.15


def test_a_lorentzian_and_a_smooth_potential_do_not_mix():
    sheet = add_defects(wse2((3, 3)), {"charged-dopant": [0]})
    with pytest.raises(ValueError, match="does not go with a smooth potential"):
        ldos(sheet, [0.0], method="tmatrix", kernel="lorentzian")


@pytest.mark.parametrize("width", [0.1, 0.02, 0.005])
def test_bent_levels_as_products_are_the_plain_sum(width):
    """Against an array of atoms x energies x nodes, for potentials up to 0.4 eV, most of them 0."""
    rng = np.random.default_rng(0)
    energies = np.linspace(-1.8, 0, 40)
    z, _ = contour([-2.2, 0.4], width, 0.85, 5.0)
    green = (rng.standard_normal((len(z), 60)) + 1j * rng.standard_normal((len(z), 60))).astype(np.complex64)
    potential = rng.uniform(-0.4, 0.4, 60) * (rng.random(60) < 0.5)
    plain = 2.0 * sum((g[:, None] * gaussian(energies - potential[:, None] - e, width)).imag
                      for g, e in zip(green, z, strict=True))  # fmt: skip
    products = weighed(green, 2.0, energies, z, width, potential)
    np.testing.assert_allclose(products, plain, atol=1e-12 * np.abs(plain).max())


@pytest.mark.parametrize("count", [9, 12, 20, 40])
def test_fitted_weights_stand_for_a_gaussian(count):
    """Wherever the level lies, far from all nodes or among them; energies as near to the ends as they come."""
    line = PRECISIONS["single"]
    x = line.spacing * np.arange(count)
    points, weights = fitted(count)
    level = np.concatenate([np.linspace(-12, x[-1] + 12, 997), [-900, -60, 60 + x[-1], 900]])
    pole = 1 / (x + 1j * line.height - level[:, None])
    for energy in np.linspace(line.reach, x[-1] - line.reach, 7):
        found = np.hstack([pole.real, pole.imag]) @ weights @ gaussian(points - energy, 1.0)
        np.testing.assert_allclose(found, gaussian(level - energy, 1.0), rtol=0, atol=5e-6)
    assert np.abs(weights @ gaussian(points[:, None] - energy, 1.0)).sum() < 30  # else rounding would count


def test_folding_is_adding_up_later():
    """And potentials between two levels of the table are met by the cubic."""
    rng = np.random.default_rng(0)
    green = (rng.standard_normal((20, 50)) + 1j * rng.standard_normal((20, 50))).astype(np.complex64)
    energies, fold, potential = np.linspace(-0.4, 0.4, 9), rng.random((9, 3)), rng.uniform(-0.08, 0.08, 50)
    plain = np.stack([folded(green[:, [i]], -9, energies - u, 0.1, np.zeros(1))[0] for i, u in enumerate(potential)])
    np.testing.assert_allclose(folded(green, -9, energies, 0.1, potential), plain, atol=1e-5 * np.abs(plain).max())
    both = folded(green, -9, energies, 0.1, potential, fold)
    np.testing.assert_allclose(both, plain @ fold, atol=1e-5 * np.abs(plain @ fold).max())


def hurt(cells, model, share, seed=0):
    """A sheet of many cells with vacancies and dopants on a share of the selenium sites, and a smooth potential."""
    lattice, rng = model_named(model).lattice, np.random.default_rng(seed)
    chosen = rng.permutation([3 * c + layer for c in range(cells**2) for layer in (1, 2)])[: int(2 * share * cells**2)]
    sites = {"se-vacancy-top": [], "dopant-top": [], "se-vacancy-bottom": [], "dopant-bottom": []}
    for i, site in enumerate(chosen.tolist()):
        sites[("se-vacancy-" if i % 2 else "dopant-") + ("top" if site % 3 == 1 else "bottom")].append(site)
    sheet = add_defects(wse2((cells, cells), lattice["a"], lattice["thickness"]), sites, dopant_potential=0.35)
    sheet.set_array("potential", 0.1 * np.sin(sheet.positions[:, 0] / 30))
    return sheet


@pytest.mark.parametrize(("cells", "model", "share", "energies"), [
    (24, "single-orbital", 0.03, [-0.4, 0.0, 0.3]), (56, "fang-2015", 0.004, [-0.5, 0.9, 2.0]),
])  # fmt: skip
def test_error_of_all_that_single_precision_leaves_out(cells, model, share, energies):
    """Fewer nodes, small terms, far defects and, for the larger sheet, a table smaller than the sheet."""
    sheet = hurt(cells, model, share)
    only = np.random.default_rng(1).permutation(len(sheet))[:400]
    exact, found = (ldos(sheet, energies, model, "tmatrix", only=only, precision=p) for p in ("double", "single"))
    assert 1e-9 < np.abs(found - exact).max() / exact.max() < 3e-5
    fold = np.array([[0.1, 0.0], [0.2, 0.3], [0.0, 0.4]])
    sums = ldos(sheet, energies, model, "tmatrix", only=only, precision="single", fold=fold)
    np.testing.assert_allclose(sums, exact @ fold, atol=3e-5 * (exact @ fold).max())


def test_large_sheets_share_a_table():
    """Small ones have their own, exact to rounding; two that are larger than the table ask for one and the same."""
    problems = [problem(wse2((n, n), 3.3155), "fang-2015") for n in (40, 56, 64)]
    small, *large = (_table(p.perfect, 0.1, "single") for p in problems)
    assert small.h.shape[:2] == (40, 40)
    assert not any(small.cut)
    assert {table.h.shape[:2] for table in large} == {(48, 48)}
    assert all(all(table.cut) for table in large)
    assert large[0] is large[1]
    assert _table(problems[2].perfect, 0.1, "double").h.shape[:2] == (64, 64)
