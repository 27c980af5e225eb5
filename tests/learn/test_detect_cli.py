"""``stmlab detect``: every kind of file, what it writes, and what it refuses."""

import csv
import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
pillow = pytest.importorskip("PIL.Image")

import stmlab  # noqa: E402
from stmlab import plot  # noqa: E402
from stmlab.io import real_data  # noqa: E402
from stmlab.learn import UNet, save_model  # noqa: E402
from stmlab.scan import Raster  # noqa: E402

from .test_evaluate import run  # noqa: E402

PLACES = np.array([(13.2, 30.7), (40.1, 12.4), (45.0, 40.0)])  # x, y [pixels]


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    """A network that takes what is bright for a defect, in a file."""
    model = UNet(base=1, depth=1)
    with torch.no_grad():
        for name, values in model.state_dict().items():
            if name.endswith(("0.weight", "3.weight")) and values.ndim == 4:
                values.zero_()
                values[..., 1, 1] = 1
        model.head.weight.copy_(torch.tensor([0.0, 4.0])[:, None, None, None])
        model.head.bias.fill_(-10.0)
    said = {"pixel_size": 1.0, "apart": 12.0, "fewest": 0, "threshold": 0.5}
    model.card = {"limits": "a toy", "detection": {**said, "summit": [0.1, 0.4, 1.0], "right": [0.0, 0.5, 1.0]}}
    path = tmp_path_factory.mktemp("net") / "eye.safetensors"
    save_model(model, path)
    return path


@pytest.fixture(scope="module")
def image():
    y, x = np.mgrid[:60, :56]
    rough = 0.01 * np.random.default_rng(2).normal(size=x.shape)
    return rough + sum(np.exp(-((x - at) ** 2 + (y - to) ** 2) / 18) for at, to in PLACES)


def written(path):
    return list(csv.DictReader(path.read_text("utf-8").splitlines()))


def places(rows, *names):
    return np.array([[float(row[name]) for name in names] for row in sorted(rows, key=lambda row: float(row["x_px"]))])


@pytest.mark.parametrize("name", ["a.npy", "a.png", "a.jpg"])
def test_pictures_and_arrays_count_from_the_top_left(net, image, name, tmp_path, capsys):
    path = tmp_path / name
    grey = np.clip(40 + 200 * image, 0, 255).astype("u1")
    np.save(path, image) if name.endswith("npy") else pillow.fromarray(grey).save(path, quality=95)
    out, figure = tmp_path / "found.csv", tmp_path / "over.png"
    assert run("detect", path, "--width-nm", 5.6, "--model", net, "--out", out, "--figure", figure) == 0
    assert capsys.readouterr().out == "3 defects in 1 image\n"
    rows = written(out)
    assert list(rows[0]) == ["file", "x_px", "y_px", "x_nm", "y_nm", "score"]
    assert {row["file"] for row in rows} == {str(path)}
    np.testing.assert_allclose(places(rows, "x_px", "y_px"), PLACES, atol=0.3)
    space = [(0.1 * x + 0.05, 5.95 - 0.1 * y) for x, y in PLACES]
    np.testing.assert_allclose(places(rows, "x_nm", "y_nm"), space, atol=0.03)
    with pillow.open(figure) as drawn:
        assert drawn.size == (900, 900)
    assert {one.name for one in tmp_path.iterdir()} == {name, "found.csv", "over.png"}


@pytest.mark.parametrize("ending", [".gwy", ".nc"])
@pytest.mark.parametrize(("fast", "direction", "axis"), [
    ("forward", "up", "x"), ("backward", "up", "x"), ("forward", "down", "x"), ("forward", "up", "y")])  # fmt: skip
def test_scans_know_their_width_and_lie_in_space(net, image, ending, fast, direction, axis, tmp_path):
    pytest.importorskip({".gwy": "gwyfile", ".nc": "xarray"}[ending])
    raster = Raster(width=56.0, height=60.0, lines=60, pixels=56, fast_direction=fast, direction=direction,
                    fast_axis=axis)  # fmt: skip
    scan = stmlab.simulate(stmlab.Parameters().set({"raster.pixels": 8, "raster.lines": 8}), seed=1)
    scan = type(scan)(height=np.stack([image, image]), raster=raster)
    path = tmp_path / f"scan{ending}"
    scan.save(path)
    out = tmp_path / "found.json"
    assert run("detect", path, "--model", net, "--json", out) == 0
    rows = json.loads(out.read_text())["detections"]
    loaded = stmlab.load_scan(path)
    space = np.transpose(plot.in_picture(*places(rows, "y_px", "x_px").T, loaded.raster))
    np.testing.assert_allclose(places(rows, "x_nm", "y_nm"), space, atol=0.002)
    original = np.array(plot.in_picture(*PLACES.T[::-1], raster)).T
    for place in original:
        assert np.linalg.norm(space - place, axis=1).min() < 0.05  # nm
    assert run("detect", path, "--model", net, "--out", tmp_path / "o.csv", "--width-nm", 11.2) == 0
    twice = places(written(tmp_path / "o.csv"), "x_nm")
    np.testing.assert_allclose(twice.max(), 2 * places(rows, "x_nm").max(), atol=0.02)


def test_without_a_file_to_write_the_table_is_printed(net, image, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    np.save("a.npy", image)
    np.save("b.npy", 0 * image)
    assert run("detect", "a.npy", "b.npy", "--width-nm", 5.6, "--model", net) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "file,x_px,y_px,x_nm,y_nm,score"
    assert [line.split(",")[0] for line in lines[1:]] == ["a.npy"] * 3
    assert run("detect", "a.npy", "--width-nm", 5.6, "--model", net, "--threshold", 1) == 0
    assert len(capsys.readouterr().out.splitlines()) <= 4


def test_json_says_how_it_was_found(net, image, tmp_path):
    np.save(tmp_path / "a.npy", image)
    out = tmp_path / "a.json"
    assert run("detect", tmp_path / "a.npy", "--width-nm", 5.6, "--model", net, "--json", out, "--threshold", 0.25) == 0
    said = json.loads(out.read_text())
    assert (said["stmlab"], said["model"], said["threshold"]) == (stmlab.__version__, str(net), 0.25)
    assert len(said["detections"]) == 3


@pytest.mark.parametrize(("arguments", "complaint"), [
    (("a.npy",), "a.npy does not say how wide its frame is; give --width-nm"),
    (("a.npy", "--width-nm", 0), "--width-nm = 0.0 must be above 0 nm"),
    (("a.npy", "--width-nm", "nan"), "--width-nm = nan must be above 0 nm"),
    (("a.npy", "--width-nm", 5, "--threshold", 2), "threshold = 2.0 is not in [0, 1]"),
    (("a.npy", "--width-nm", 5, "--out", "a.txt"), "a.txt: the name must end in .csv"),
    (("a.npy", "--width-nm", 5, "--json", "gone/a.json"), "gone is not an existing folder"),
    (("a.npy", "a.npy", "--width-nm", 5, "--figure", "a.png"), "--figure draws one image"),
    (("a.npy", "--width-nm", 1e-4), "pixel_size"),
    (("gone.npy", "--width-nm", 5), "gone.npy"),
    (("words.npy", "--width-nm", 5), "words.npy: holds (2,) of <U5"),
    (("objects.npy", "--width-nm", 5), "objects.npy: is no .npy file that can be read"),
    (("cube.npy", "--width-nm", 5), "cube.npy: holds (2, 3, 4)"),
    (("cut.npy", "--width-nm", 5), "cut.npy: is no .npy file"),
    (("text.png", "--width-nm", 5), "text.png: is no JPEG or PNG image"),
    (("a.xyz", "--width-nm", 5), "a.xyz"),
])  # fmt: skip
def test_mistakes_are_one_line_and_nothing_is_written(net, image, arguments, complaint, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    np.save("a.npy", image)
    np.save("words.npy", np.array(["never", "mind"]))
    np.save("objects.npy", np.array([[{}]]), allow_pickle=True)
    np.save("cube.npy", np.zeros((2, 3, 4)))
    (tmp_path / "cut.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:200])
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "a.xyz").write_text("hello")
    before = sorted(tmp_path.iterdir())
    assert run("detect", *arguments, "--model", net) == 2
    said = capsys.readouterr()
    assert complaint in said.err
    assert said.err.strip().count("\n") == 0
    assert said.out == ""
    assert sorted(tmp_path.iterdir()) == before


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([".npy", ".png", ".jpg"]), st.binary(max_size=300), st.integers(0, 400))
def test_no_file_brings_it_down(net, tmp_path_factory, ending, junk, kept):
    folder = tmp_path_factory.mktemp("junk")
    good = folder / f"good{ending}"
    np.save(good, np.eye(9)) if ending == ".npy" else pillow.fromarray(np.eye(9, dtype="u1") * 99).save(good)
    bad = folder / f"bad{ending}"
    bad.write_bytes(good.read_bytes()[:kept] + junk)
    assert run("detect", bad, "--width-nm", 1, "--model", net, "--out", folder / "o.csv") in (0, 2)


@pytest.mark.skipif(real_data() is None, reason="needs the measurements of `stmlab fetch real`")
def test_files_of_instruments(net, tmp_path, capsys):
    for path in sorted((real_data() / "formats").iterdir()):
        if path.suffix in (".sxm", ".Z_mtrx"):
            assert run("detect", path, "--model", net, "--out", tmp_path / f"{path.stem}.csv") == 0, path
    # an image of photographs' size: 1 m wide
    assert run("detect", real_data() / "formats" / "test.gwy", "--model", net, "--channel", "Test") == 2
    assert "test.gwy: pixel_size = (10000000000.0" in capsys.readouterr().err
