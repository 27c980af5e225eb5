"""From parameters to atoms and currents: what is left out counts for nothing."""

import numpy as np
import pytest

import stmlab as stm
from stmlab.assembly import apex_spectrum, near_levels, wse2_sheet
from stmlab.structures import defects
from stmlab.tightbinding import broaden
from stmlab.trajectory import frame, trajectory


@pytest.mark.parametrize("model", ["tungsten-single-orbital", "tungsten-spd"])
@pytest.mark.parametrize("width", [0.005, 0.1, 1.0])
@pytest.mark.parametrize("middle", [-30.0, 0.0, 1.7])
def test_levels_far_away_do_not_count(model, width, middle):
    """Of the density summed over the atoms, not a digit, even where there is no level near."""
    _, levels, shares = apex_spectrum("111-1-OXX", model)
    energies, only = middle + np.linspace(-0.3, 0.3, 41), np.arange(0, len(shares), 7)
    near, every = near_levels(levels, shares, energies, only, width), broaden(levels, shares[only], energies, width)
    if middle > -30:
        np.testing.assert_allclose(near.sum(0), every.sum(0), rtol=1e-12, atol=0)
    np.testing.assert_allclose(near, every, rtol=0, atol=1e-12 / width)


def test_levels_far_away_are_not_looked_at():
    levels = np.linspace(-10, 10, 2001)
    shares = np.where(abs(levels) < 0.92, 1.0, np.nan)[None]  # 9 times the width, and one spacing
    density = near_levels(levels, shares, np.zeros(1), [0], 0.1)
    assert density == pytest.approx(100.0)  # levels per eV


def test_streams_are_made_only_for_defects_that_there_may_be(monkeypatch):
    made = []
    p = stm.Parameters().set({"defects.se_vacancy_top": 0.003, "defects.se_vacancy_bottom": 0.0})
    path = trajectory(frame(p), p)
    monkeypatch.setattr("stmlab.assembly.stream", lambda *which: made.append(which[2]) or stm.stream(*which))
    assert len(defects(wse2_sheet(p, path, 0, 0))[0])
    assert made == ["defects.se-vacancy-top"]


def test_molybdenum_disulphide_comes_with_its_model():
    """The model names the elements; lattice constant and thickness are parameters of their own."""
    p = stm.Parameters().set({
        "sample.model": "mos2-fang-2015", "sample.lattice_constant": 3.1824, "sample.thickness": 3.19,
        "junction.bias": 1.2, "raster.width": 15, "raster.height": 15, "raster.pixels": 16, "raster.lines": 16,
    })  # fmt: skip
    sheet = wse2_sheet(p, trajectory(frame(p), p, 1, 0), seed=1, index=0)
    assert set(sheet.get_chemical_symbols()) == {"Mo", "S"}
    assert sheet.info["lattice_constant"] == 3.1824
    assert set(defects(sheet)[0]) == {"se-vacancy-top", "se-vacancy-bottom"}
    scan = stm.simulate(p, seed=1)
    assert np.isfinite(scan.ideal).all()
    assert np.ptp(scan.ideal) > 0.1
