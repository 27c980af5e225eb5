import numpy as np
import pytest

from stmlab.structures import wse2
from stmlab.tightbinding import table
from stmlab.tightbinding.table import Table, pristine_green
from stmlab.tightbinding.tmatrix import bloch_matrices


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("STMLAB_CACHE", str(tmp_path))
    return tmp_path / "green"


def fresh(dtype=complex, size=(3, 4)):
    """A table that has nothing in memory."""
    return Table(bloch_matrices(wse2(), "single-orbital", size), 0.06, 0.26, np.dtype(dtype))


def counted(monkeypatch):
    calls = []
    monkeypatch.setattr(table, "pristine_green", lambda h, z: calls.append(z) or pristine_green(h, z))
    return calls


def test_nodes_lie_where_they_should(cache):
    green = fresh().green(-9, 17)
    assert green.shape == (27, 3, 4, 3, 3)
    for m in (-9, 0, 17):
        np.testing.assert_array_equal(green[m + 9], pristine_green(fresh().h, m * 0.06 + 0.26j))


@pytest.mark.parametrize("dtype", [complex, np.complex64])
def test_what_is_read_is_what_was_written(cache, monkeypatch, dtype):
    first = fresh(dtype).green(0, 20)
    assert len(list(cache.glob("*.npy"))) == 3
    calls = counted(monkeypatch)
    again = fresh(dtype).green(0, 20)
    assert not calls
    np.testing.assert_array_equal(first, again)
    assert again.dtype == dtype


def test_another_crystal_or_version_has_files_of_its_own(cache, monkeypatch):
    fresh().green(0, 3)
    fresh(np.complex64).green(0, 3)
    fresh(size=(4, 4)).green(0, 3)
    monkeypatch.setattr(table, "VERSION", table.VERSION + 1)
    fresh().green(0, 3)
    assert len(list(cache.glob("*.npy"))) == 4


@pytest.mark.parametrize("damage", [b"", b"nonsense", b"\x93NUMPY\x01\x00"])
def test_damaged_files_are_made_again(cache, damage):
    right = fresh().green(0, 3)
    (path,) = cache.glob("*.npy")
    path.write_bytes(damage)
    np.testing.assert_array_equal(fresh().green(0, 3), right)
    assert np.load(path).shape == (table.BLOCK, 3, 4, 3, 3)


def test_a_file_of_another_shape_is_not_believed(cache):
    right = fresh().green(0, 3)
    (path,) = cache.glob("*.npy")
    np.save(path, np.zeros((2, 2), complex))
    np.testing.assert_array_equal(fresh().green(0, 3), right)


def test_a_cache_that_cannot_be_written_costs_time_only(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("STMLAB_CACHE", str(tmp_path / "file"))
    assert fresh().green(0, 3).shape == (4, 3, 4, 3, 3)


def test_the_oldest_files_go_when_there_are_too_many(cache, monkeypatch):
    monkeypatch.setattr(table, "TOTAL", 3 * 20_000)
    for size in ((2, 2), (2, 3), (3, 3), (3, 4), (4, 4)):
        fresh(size=size).green(0, 3)
    assert 0 < sum(f.stat().st_size for f in cache.glob("*")) <= 3 * 20_000


def test_large_tables_are_not_stored(cache, monkeypatch):
    monkeypatch.setattr(table, "LARGEST", 1000)
    fresh().green(0, 3)
    assert not cache.exists()
