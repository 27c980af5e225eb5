"""The scripts that finish a network and that score detectors on labelled pictures."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import stmlab

torch = pytest.importorskip("torch")
Image = pytest.importorskip("PIL.Image")
from stmlab.learn import UNet, load_model, save_model  # noqa: E402

ROOT = Path(__file__).parents[2]
HEAD = "file,width_nm,bias_V,width_px,height_px,box_x,box_y,box_width,box_height,label\n"


@pytest.fixture
def pictures(tmp_path):
    """Four pictures of 20 nm with five dark spots each, all boxed but one, which would be a false alarm."""
    folder, rng, rows = tmp_path / "real" / "ml-stm-dev", np.random.default_rng(5), []
    folder.mkdir(parents=True)
    y, x = np.mgrid[:200, :200]
    for k in range(4):
        name, z = f"WSe2-S1_211118_-1.4V_20x20_Z_{k:03}.png", 130 + rng.normal(0, 4, (200, 200))
        places = [(30, 40), (90, 150), (160, 50), (60, 100), (150, 160)]
        for a, b in places:
            z -= 70 * np.exp(-((x - a) ** 2 + (y - b) ** 2) / (2 * 8**2))
        Image.fromarray(np.clip(z, 0, 255).astype("u1")).save(folder / name)
        rows += [f"{name},20,-1.4,200,200,{a - 15},{b - 15},30,30,Large Dim Trough\n" for a, b in places[k > 0 :]]
    (folder / "boxes.csv").write_text(HEAD + "".join(rows))
    return folder.parent


def table(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_scores_are_those_of_the_pictures(pictures, tmp_path, monkeypatch):
    """17 of 20 spots are boxed: precision 17/20, recall 1, F1 = 34/37."""
    monkeypatch.setenv("STMLAB_REAL_DATA", str(pictures))
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import score_real

    monkeypatch.setattr(score_real, "OUT", tmp_path / "out")
    monkeypatch.setattr(sys, "argv", ["score_real.py", "blobs", "--boot", "50", "--threshold", "15"])
    score_real.main()
    rows = {row["group"]: row for row in table(tmp_path / "out" / "real_scores.csv")}
    assert float(rows["all"]["precision"]) == pytest.approx(17 / 20, abs=1e-3)
    assert float(rows["all"]["recall"]) == 1
    assert float(rows["all"]["f1"]) == pytest.approx(34 / 37, abs=1e-3)
    assert rows["10-20 nm"]["images"] == "4"
    assert "3-6 nm" not in rows
    assert float(rows["Large Dim Trough"]["recall"]) == 1
    wrong = table(tmp_path / "out" / "real_errors.csv")
    assert [row["error"] for row in wrong] == 3 * ["false alarm"]
    assert {row["reason"] for row in wrong} == {"elsewhere"}
    assert max(float(row["f1"]) for row in table(tmp_path / "out" / "real_curve.csv")) >= 34 / 37 - 1e-3


def test_without_pictures_one_line_says_where_they_come_from(monkeypatch, tmp_path):
    monkeypatch.setenv("STMLAB_REAL_DATA", str(tmp_path / "none"))
    (tmp_path / "none").mkdir()
    done = subprocess.run([sys.executable, ROOT / "benchmarks" / "score_real.py"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "stmlab fetch real" in done.stderr.splitlines()[-1]


def test_a_network_is_finished_with_a_threshold_of_its_own(tmp_path, monkeypatch):
    study = stmlab.Study.load("thesis-control").fixed({"raster.pixels": 32, "raster.lines": 32})
    stmlab.generate(study, 6, 3, tmp_path / "held.zarr", workers=1, progress=False)
    torch.manual_seed(0)
    save_model(UNet(base=2, depth=1), tmp_path / "net.safetensors")
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import finish_network

    names = [str(tmp_path / name) for name in ("net.safetensors", "held.zarr", "out.safetensors")]
    monkeypatch.setattr(sys, "argv", ["finish_network.py", *names])
    finish_network.main()
    said = load_model(tmp_path / "out.safetensors").card["detection"]
    assert said["images"] == 6
    assert 0 <= said["threshold"] <= 1
    assert said["study"] == study.name
