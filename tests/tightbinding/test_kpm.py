import numpy as np
import pytest
from scipy.sparse import csr_array

from stmlab.structures import add_defects, tip, wse2
from stmlab.tightbinding import hamiltonian, ldos
from stmlab.tightbinding.kpm import band_edges, chebyshev_moments, jackson, ldos_kpm


@pytest.fixture(scope="module")
def hurt():
    return add_defects(wse2((5, 6)), {"se-vacancy-top": [1], "dopant-bottom": [8]}, 0.4)


def test_gaussian_kernel_gives_what_diagonalising_gives(hurt):
    energies = np.linspace(-6, 6, 41)
    both = [ldos(hurt, energies, method=m, broadening=0.15) for m in ("kpm", "exact")]
    np.testing.assert_allclose(*both, atol=1e-11)


def test_multi_orbital_atoms(hurt):
    energies = np.linspace(-1, 2, 7)
    both = [ldos(hurt, energies, "fang-2015", m, 0.1) for m in ("kpm", "exact")]
    np.testing.assert_allclose(*both, atol=1e-10)


def test_compiled_and_readable_agree(hurt):
    h = hamiltonian(hurt)
    both = [ldos_kpm(h, np.linspace(-1, 1, 9), 0.2, compiled=c) for c in (True, False)]
    np.testing.assert_allclose(*both, atol=1e-12)


def test_first_moments_in_closed_form(hurt):
    """mu_0 = 1, mu_1 = H_ii, mu_2 = 2 sum_j H_ij^2 - 1."""
    h = csr_array(hamiltonian(hurt) / 8.0)
    mu = chebyshev_moments(h, np.arange(h.shape[0]), 3)
    np.testing.assert_allclose(mu[:, 0], 1)
    np.testing.assert_allclose(mu[:, 1], h.diagonal(), atol=1e-14)
    np.testing.assert_allclose(mu[:, 2], 2 * h.power(2).sum(axis=1) - 1, atol=1e-14)


def test_jackson_sum_rule(hurt):
    """The integral over the band is mu_0 = 1, by the rule that is exact for the polynomial."""
    h = hamiltonian(hurt)
    low, high = band_edges(h)
    theta = np.pi * (np.arange(4000) + 0.5) / 4000
    energies = (high + low) / 2 + (high - low) / 2 * np.cos(theta)
    rho = ldos_kpm(h, energies, 0.1)
    area = rho @ (np.pi / 4000 * (high - low) / 2 * np.sin(theta))
    np.testing.assert_allclose(area, 1, atol=1e-10)
    assert rho.min() > -1e-12


def test_jackson_width_at_the_centre_is_pi_over_the_number_of_moments():
    level = csr_array(np.diag([0.0, -1.0, 1.0]))
    energies = np.linspace(-0.3, 0.3, 2001)
    rho = ldos_kpm(level, energies, 0.02)[0]
    width = np.sqrt(np.trapezoid(energies**2 * rho, energies) / np.trapezoid(rho, energies))
    assert width == pytest.approx(0.02, rel=0.05)
    assert jackson(100)[0] == 1


def test_semi_infinite_chain_has_its_surface_density():
    """sqrt(4 t^2 - E^2) / (2 pi t^2) at the end of a long chain, broadened."""
    n = 600
    chain = csr_array(np.diag(np.ones(n - 1), 1) + np.diag(np.ones(n - 1), -1))
    energies = np.linspace(-1.5, 1.5, 31)
    rho = ldos_kpm(chain, energies, 0.03)[0]
    np.testing.assert_allclose(rho, np.sqrt(4 - energies**2) / (2 * np.pi), rtol=5e-3)


def test_impurity_on_a_chain_binds_a_state():
    """A shift U binds a state at sqrt(U^2 + 4 t^2) with weight U / sqrt(U^2 + 4 t^2)."""
    n, u = 401, 1.5
    chain = np.diag(np.ones(n - 1), 1) + np.diag(np.ones(n - 1), -1)
    chain[n // 2, n // 2] = u
    energies = np.linspace(2.3, 2.54, 701)
    rho = ldos_kpm(csr_array(chain), energies, 0.01)[n // 2]
    assert energies[rho.argmax()] == pytest.approx(2.5, abs=1e-3)
    assert np.trapezoid(rho, energies) == pytest.approx(0.6, abs=2e-3)


def test_what_does_not_go_together_is_refused(hurt):
    for change in ({"method": "exact", "kernel": "jackson"}, {"method": "kpm", "kernel": "lorentzian"}):
        with pytest.raises(ValueError, match="does not go with"):
            ldos(hurt, [0.0], **change)
    with pytest.raises(ValueError, match="Gamma point only"):
        ldos(hurt, [0.0], method="kpm", kpts=(2, 2))
    with pytest.raises(ValueError, match="inside the band"):
        ldos(hurt, [50.0], method="kpm", kernel="jackson")


def test_a_tip_of_any_shape():
    energies = np.linspace(-1, 1, 5)
    both = [ldos(tip("111", size=4), energies, "tungsten-single-orbital", m, 0.5) for m in ("kpm", "exact")]
    np.testing.assert_allclose(*both, atol=1e-11)
