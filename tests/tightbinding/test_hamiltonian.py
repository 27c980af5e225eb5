import warnings

import numpy as np
import pytest
from ase import Atoms

from stmlab._resources import data_path
from stmlab.structures import add_defects, tip, wse2
from stmlab.tightbinding import bloch_hamiltonian, hamiltonian, load_model
from stmlab.tightbinding.bands import primitive_cell


def test_coordination_is_three_and_six():
    bonds = (hamiltonian(wse2((4, 4))) != 0).sum(axis=1)
    np.testing.assert_array_equal(bonds.reshape(-1, 3), np.tile([6, 3, 3], (16, 1)))


@pytest.mark.parametrize("k", [None, (0.3, -0.7)])
def test_hermitian(k):
    h = hamiltonian(add_defects(wse2((3, 3)), {"dopant-top": [1], "se-vacancy-bottom": [5]}), k=k).toarray()
    np.testing.assert_allclose(h, h.conj().T, atol=1e-14)


def test_time_reversal():
    sheet, k = wse2((2, 2)), np.array([0.4, 0.1])
    np.testing.assert_allclose(hamiltonian(sheet, k=-k).toarray(), hamiltonian(sheet, k=k).toarray().conj(), atol=1e-14)


def test_bands_of_the_primitive_cell_in_closed_form():
    """E = 0 and +-sqrt(2) t |1 + e^{i k a1} + e^{i k (a1 + a2)}|, from the honeycomb that is left."""
    sheet = wse2()
    a1, a2 = np.asarray(sheet.cell)[:2, :2]
    for k in np.random.default_rng(1).uniform(-2, 2, (5, 2)):
        edge = np.sqrt(2) * 1.19 * abs(1 + np.exp(1j * k @ a1) + np.exp(1j * k @ (a1 + a2)))
        np.testing.assert_allclose(np.linalg.eigvalsh(hamiltonian(sheet, k=k).toarray()), [-edge, 0, edge], atol=1e-12)


def test_bulk_tungsten_has_eight_and_six_neighbours():
    h = hamiltonian(tip("111"), "tungsten-single-orbital")
    deep = np.asarray((h == 2.5).sum(axis=1)).ravel() == 8
    assert deep.any()
    assert (np.asarray((h == 2.0).sum(axis=1)).ravel()[deep] == 6).any()


def test_onsite_shift_lands_on_the_diagonal():
    sheet = add_defects(wse2((2, 2)), {"dopant-top": [4]}, dopant_potential=-0.4)
    np.testing.assert_array_equal(hamiltonian(sheet).diagonal(), np.where(np.arange(12) == 4, -0.4, 0.0))


def test_strange_elements_and_models_are_refused():
    with pytest.raises(ValueError, match="no parameters for Cu"):
        hamiltonian(Atoms("Cu"))
    with pytest.raises(ValueError, match="unknown model 'fancy'"):
        hamiltonian(wse2(), "fancy")


def test_a_model_of_bands_alone_has_no_hamiltonian_of_atoms():
    with pytest.raises(ValueError, match="'liu-2013' has bands only"):
        hamiltonian(wse2(), "liu-2013")


def test_foreign_atoms_keep_the_hoppings_of_their_host():
    """Oxygen sits elsewhere and niobium is another element; H differs in their energies alone."""
    sheet = wse2((4, 4), 3.3155, 3.36)
    changed = add_defects(sheet, {"oxygen-top": [4], "oxygen-bottom": [8], "w-substitution": [3]})
    for model, orbitals in (("single-orbital", (1, 1)), ("fang-2015", (3, 5))):
        difference = (hamiltonian(changed, model) - hamiltonian(sheet, model)).toarray()
        assert np.count_nonzero(difference - np.diag(difference.diagonal())) == 0
        values, counts = np.unique(np.round(difference.diagonal(), 9), return_counts=True)
        assert dict(zip(values, counts, strict=True)).items() >= {-3.0: 2 * orbitals[0], 1.0: orbitals[1]}.items()


def test_spin_orbit_in_a_supercell_is_that_of_its_bloch_vectors():
    """Levels of 2 x 2 cells are those of the four Bloch vectors that fold onto Gamma."""
    sheet = wse2((2, 2), 3.3155, 3.36)
    h = hamiltonian(sheet, "fang-2015", spin=True)
    assert abs(h - h.conj().T).max() < 1e-13
    b = 2 * np.pi * np.asarray(primitive_cell("fang-2015").cell.reciprocal())[:2]
    k = np.array([i / 2 * b[0] + j / 2 * b[1] for i in (0, 1) for j in (0, 1)])
    expected = np.linalg.eigvalsh(bloch_hamiltonian("fang-2015", k, spin=True))
    np.testing.assert_allclose(np.linalg.eigvalsh(h.toarray()), np.sort(expected.ravel()), atol=1e-10)


def test_a_lattice_that_does_not_fit_is_warned_of_once():
    model = load_model(data_path("models", "silva-guillen-2016.toml"))  # not the one that others may have used
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        hamiltonian(wse2((2, 2), 3.28, 3.315), model)
        hamiltonian(wse2((2, 2), 3.28, 3.315), model)
        hamiltonian(wse2((2, 2), 3.262, 3.315), model)
    assert len(caught) == 1
    assert "3.28 Å is 0.6% off the 3.26 Å" in str(caught[0].message)
    assert caught[0].filename == __file__
