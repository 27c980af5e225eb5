import numpy as np
import pytest

from stmlab.tightbinding import band_edges, fermi_level, load_model
from stmlab.tightbinding.bands import bloch_hamiltonian, mesh_vectors


@pytest.mark.parametrize(
    ("model", "spin", "gap"),
    [("fang-2015", False, 1.6666), ("silva-guillen-2016", False, 1.636), ("liu-2013", False, 1.540),
     ("liu-2013-tnn", False, 1.541), ("liu-2013-tnn", True, 1.313)],
)  # fmt: skip
def test_gaps(model, spin, gap):
    valence, conduction = band_edges(model, spin)
    assert conduction - valence == pytest.approx(gap, abs=2e-3)


def test_edges_are_no_lower_than_any_mesh_finds():
    for mesh in (17, 31):
        levels = np.linalg.eigvalsh(bloch_hamiltonian("fang-2015", mesh_vectors("fang-2015", mesh)))
        valence, conduction = band_edges("fang-2015")
        assert levels[:, 6].max() <= valence
        assert levels[:, 7].min() >= conduction


def test_references():
    valence, conduction = band_edges("fang-2015")
    assert fermi_level("fang-2015") == pytest.approx((valence + conduction) / 2, abs=1e-6)
    assert fermi_level("fang-2015", "valence", 0.1) == pytest.approx(valence + 0.1, abs=1e-6)
    assert fermi_level("fang-2015", "conduction", -0.1) == pytest.approx(conduction - 0.1, abs=1e-6)
    assert fermi_level("fang-2015", "zero", 0.25) == 0.25


def test_a_metal_is_filled_level_by_level():
    """The flat band of the single-orbital sheet is half full; six electrons for each atom of tungsten."""
    assert fermi_level("single-orbital") == 0.0
    fermi, k = fermi_level("tungsten-spd"), mesh_vectors("tungsten-spd", 14)
    filled = np.sum(np.linalg.eigvalsh(bloch_hamiltonian("tungsten-spd", k)) < fermi) / len(k)
    assert 2 * filled == pytest.approx(6, abs=0.02)


def test_impossible_levels_are_refused(tmp_path):
    with pytest.raises(ValueError, match="reference = 'top' must be one of"):
        fermi_level("fang-2015", "top")
    for reference in ("valence", "conduction"):
        with pytest.raises(ValueError, match="has no gap"):
            fermi_level("single-orbital", reference)
    with pytest.raises(ValueError, match="how many electrons"):
        fermi_level("tungsten-single-orbital")
    path = tmp_path / "odd.toml"
    path.write_text(
        'name = "odd"\nkind = "slater-koster"\nreference = ""\nlattice = {a = 3.3, thickness = 3.3}\nelectrons = 2\n'
        '[orbitals]\nMo = ["s"]\n[onsite]\nMo = {s = 0.5}\n[[bond]]\natoms = ["Mo", "Mo"]\nlength = 3.3\nsss = 1.0\n'
    )
    with pytest.raises(ValueError, match="two elements"):
        band_edges(load_model(path))
