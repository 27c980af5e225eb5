"""The kernel polynomial method against pybinding's, on a flake 34 nm wide with free edges and twelve defects."""

import warnings

import numpy as np
import pytest
from scipy.spatial import cKDTree

from stmlab.structures import add_defects, defects, wse2
from stmlab.tightbinding import hamiltonian, ldos, model_named

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pb = pytest.importorskip("pybinding")

CELLS, POTENTIAL, WIDTH = 103, 0.4, 0.1
RANGE = 5.3  # eV; the band ends at 3 sqrt(2) t = 5.05 eV, and 170 moments suit pybinding, which takes 4 n + 2
LATTICE = model_named("single-orbital").lattice
ENERGIES = np.linspace(-1, 1, 200)


@pytest.fixture(scope="module")
def flake():
    """A rhombus of 103 x 103 cells: ten defects near its middle, some of them neighbours, and two at an edge."""
    middle = 3 * (51 * CELLS + 51)
    edge, near = 3 * 40, [middle + 3 * (i * CELLS + j) for i, j in ((0, 0), (0, 1), (3, -2), (-4, 1), (6, 6))]
    sites = {
        "se-vacancy-top": [near[0] + 1, near[2] + 1, edge + 1],
        "se-vacancy-bottom": [near[1] + 2, near[2] + 2, near[3] + 2],
        "dopant-top": [near[1] + 1, near[3] + 1, near[4] + 1],
        "dopant-bottom": [near[0] + 2, near[4] + 2, edge + 5],
    }
    sheet = add_defects(wse2((CELLS, CELLS), LATTICE["a"], LATTICE["thickness"]), sites, POTENTIAL)
    sheet.pbc = False
    return sheet


@pytest.fixture(scope="module")
def theirs(flake):
    """The same flake built by pybinding, in double precision, and the row of ours for each of its sites."""
    a, t = LATTICE["a"], LATTICE["thickness"]
    lattice = pb.Lattice(a1=[a, 0], a2=[-a / 2, a * np.sqrt(3) / 2])
    selenium = {"top": [a / 2, a / np.sqrt(12), 0], "bottom": [a / 2, a / np.sqrt(12), -t]}
    lattice.add_sublattices(("W", [0, 0, -t / 2]), *selenium.items())
    lattice.add_hoppings(*((cell, "W", layer, 1.19) for layer in selenium for cell in ([0, 0], [-1, 0], [-1, -1])))
    kinds, _, places = defects(flake)
    shift = CELLS // 2 * np.array([a / 2, a * np.sqrt(3) / 2, 0])  # pybinding counts cells from the middle
    at = cKDTree(places - shift)
    missing = np.char.find(kinds, "vacancy") >= 0

    def hits(x, y, z, those):
        distance, which = at.query(np.column_stack([x, y, z]))
        return (distance < 0.1) & those[which]

    @pb.site_state_modifier
    def vacancies(state, x, y, z):
        state[hits(x, y, z, missing)] = False
        return state

    @pb.onsite_energy_modifier
    def dopants(energy, x, y, z):
        energy[hits(x, y, z, ~missing)] += POTENTIAL
        return energy

    shape = pb.primitive(CELLS, CELLS)
    model = pb.Model(lattice, shape, vacancies, dopants, pb.force_double_precision())
    positions = np.column_stack(model.system.positions)
    distance, row = cKDTree(flake.positions - shift).query(positions)
    assert distance.max() < 1e-3
    return model, row


def test_both_write_down_the_same_hamiltonian(flake, theirs):
    (model, row), h = theirs, hamiltonian(flake)
    assert h.shape[0] == 3 * CELLS**2 - 6
    assert abs(h[row][:, row] - model.hamiltonian).max() < 1e-12


def test_density_of_states_by_jackson_s_kernel(flake, theirs, monkeypatch):
    """At defects and beside vacancies, at an edge, at two corners and far from everything."""
    model, row = theirs
    near = cKDTree(flake.positions).query(defects(flake)[2])[1]
    only = np.unique([0, len(flake) - 1, len(flake) // 3, *near])
    # both over the same range, to which pybinding adds 1 %; it keeps it in single precision
    monkeypatch.setattr("stmlab.tightbinding.kpm.band_edges", lambda h: (-1.01 * RANGE, 1.01 * RANGE))
    kpm, number = pb.kpm(model, energy_range=(-RANGE, RANGE), silent=True), np.argsort(row)
    green = np.array([kpm.calc_greens(int(i), int(i), ENERGIES, WIDTH) for i in number[only]])
    found = ldos(flake, ENERGIES, method="kpm", kernel="jackson", broadening=WIDTH, only=only)
    np.testing.assert_allclose(found, -green.imag / np.pi, atol=1e-6 * found.max())
