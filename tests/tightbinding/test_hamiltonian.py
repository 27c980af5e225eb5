import numpy as np
import pytest
from ase import Atoms

from stmlab.structures import add_defects, tip, wse2
from stmlab.tightbinding import hamiltonian


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
