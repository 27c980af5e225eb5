"""Real measurements: fetched, labelled and read. What needs the files skips where they are not."""

import hashlib
import http.server
import threading

import numpy as np
import pytest

from stmlab.io import FileError, fetch_real, labelled_images, load_image, load_scan, real_data
from stmlab.io.real import registry

REAL = real_data()
needs_files = pytest.mark.skipif(
    REAL is None, reason="STMLAB_REAL_DATA names no folder and the cache is empty"
)

AUTHORS = "label,x,y,width,height,filename,resX,resY\n"
NAME = "WSe2-SL445_211118_-1.4V_30x30_Z_010.jpg"


# ---- fetching, from this computer alone ---------------------------------------------------------------


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        self.server.asked.append(self.path)


@pytest.fixture
def served(tmp_path, monkeypatch):
    """Serve a folder on the loopback; yields the folder, its address and what was asked for."""
    pytest.importorskip("pooch")
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "served"
    folder.mkdir()
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), lambda *args: Quiet(*args, directory=str(folder))
    )
    server.asked = []
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_address[1]}", server.asked
    server.shutdown()
    thread.join()
    server.server_close()


def entries(folder, address, **contents):
    """Put files on the server and return the registry of them."""
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return [
        {"file": f"formats/{name}", "url": f"{address}/{name}", "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in contents.items()
    ]


def test_fetch_checks_and_goes_on_where_it_was(served, tmp_path):
    folder, address, asked = served
    wanted = entries(folder, address, a=b"alpha", b=b"beta")
    cache = tmp_path / "cache"
    assert fetch_real(progress=False, folder=cache, entries=wanted[:1]) == cache
    assert fetch_real(progress=False, folder=cache, entries=wanted) == cache
    assert (cache / "formats" / "b").read_bytes() == b"beta"
    assert sum("GET /a" in str(path) or path == "/a" for path in asked) == 1  # not a second time
    (cache / "formats" / "a").write_bytes(b"half")
    fetch_real(progress=False, folder=cache, entries=wanted)
    assert (cache / "formats" / "a").read_bytes() == b"alpha"


def test_other_contents_are_deleted_and_the_rest_is_kept(served, tmp_path):
    folder, address, _ = served
    wanted = entries(folder, address, a=b"alpha", b=b"beta")
    (folder / "a").write_bytes(b"not what was registered")
    with pytest.raises(OSError, match=r"1 of 2 files.*formats/a.*deleted.*run it again") as caught:
        fetch_real(progress=False, folder=tmp_path / "cache", entries=wanted)
    assert "\n" not in str(caught.value)
    assert [path.name for path in (tmp_path / "cache" / "formats").iterdir()] == ["b"]


def test_no_network_is_one_clear_error(tmp_path, served):
    _, address, _ = served
    gone = [{"file": "formats/c", "url": f"{address}/c", "sha256": "0" * 64}]
    with pytest.raises(OSError, match=r"formats/c .*404"):
        fetch_real(progress=False, folder=tmp_path / "cache", entries=gone)


def test_what_has_no_hash_is_checked_by_its_contents(served, tmp_path):
    folder, address, _ = served
    (folder / "good.csv").write_text(AUTHORS)
    (folder / "bad.csv").write_text("<html>")
    for name, fine in (("good.csv", True), ("bad.csv", False)):
        wanted = [{"file": f"ml-stm-dev/{name}", "url": f"{address}/{name}"}]
        if fine:
            fetch_real(progress=False, folder=tmp_path, entries=wanted)
        else:
            with pytest.raises(OSError, match="no table of boxes"):
                fetch_real(progress=False, folder=tmp_path, entries=wanted)
        assert (tmp_path / "ml-stm-dev" / name).exists() == fine


def test_registry_never_leaves_its_folder(tmp_path):
    with pytest.raises(OSError, match="outside its folder"):
        fetch_real(progress=False, folder=tmp_path, entries=[{"file": "../x", "url": "http://127.0.0.1/x"}])


def test_registry_is_pinned():
    listed = registry()
    assert len({entry["file"] for entry in listed}) == len(listed) > 50
    for entry in listed:
        assert {"file", "url", "licence", "source"} <= set(entry)
        assert entry["url"].startswith("https://raw.githubusercontent.com/")
        assert len(entry["url"].split("/")[5]) == 40  # a commit, not a branch
        assert len(entry.get("sha256", "0" * 64)) == 64
    assert [entry["file"] for entry in listed if "sha256" not in entry] == ["ml-stm-dev/annotations.csv"]


def test_folder_of_real_data(tmp_path, monkeypatch):
    monkeypatch.setenv("STMLAB_REAL_DATA", str(tmp_path))
    assert real_data() == tmp_path
    monkeypatch.setenv("STMLAB_REAL_DATA", str(tmp_path / "missing"))
    with pytest.raises(FileError, match="is not a directory"):
        real_data()
    monkeypatch.delenv("STMLAB_REAL_DATA")
    monkeypatch.setattr("stmlab.io.real._cache", lambda: tmp_path)
    monkeypatch.setattr("stmlab.io.real.registry", lambda: [{"file": "formats/a"}])
    assert real_data() is None
    (tmp_path / "formats").mkdir()
    (tmp_path / "formats" / "a").touch()
    assert real_data() == tmp_path


# ---- labels -------------------------------------------------------------------------------------------


def test_authors_table(tmp_path):
    (tmp_path / NAME).touch()
    (tmp_path / "annotations.csv").write_text(
        AUTHORS + f"Small Bright Trough,1,2,30,40,{NAME},512,512\nWSe2 Atoms,5,6,7,8,{NAME},512,512\n"
        f"Large Dim Peak,9,8,7,6,{NAME},512,512\nSmall Dim Peak,1,1,1,1,elsewhere_1V_5x5_Z.jpg,512,512\n"
    )
    (image,) = labelled_images(tmp_path)
    assert (image.path, image.width_nm, image.bias) == (tmp_path / NAME, 30.0, -1.4)
    assert image.boxes.tolist() == [[1, 2, 30, 40], [9, 8, 7, 6]]
    assert image.labels == ("SBT", "LDP")


def test_authors_first_pass(tmp_path):
    """Without the names of the columns, and with clicks by accident, as their annotation tool wrote it."""
    (tmp_path / NAME).touch()
    (tmp_path / "first.csv").write_text(
        f"Small Bright Trough,1,2,30,40,{NAME},512,256\nLarge Bright Peak,8,9,1,0,{NAME},512,256\n"
        f"WSe2 Atoms,492,481,1,0,{NAME},512,256\n"
    )
    (image,) = labelled_images(tmp_path, table=tmp_path / "first.csv")
    assert (image.boxes.tolist(), image.labels, image.size) == ([[1, 2, 30, 40]], ("SBT",), (512, 256))


def test_our_table_wins_and_paths_are_not_followed(tmp_path):
    (tmp_path / NAME).touch()
    head = "file,width_nm,bias_V,width_px,height_px,box_x,box_y,box_width,box_height,label\n"
    rows = f"{NAME},30.0,-1.4,512,512,1,2,3,4,SBT\n../{NAME},30.0,-1.4,512,512,1,2,3,4,SBT\n"
    (tmp_path / "boxes.csv").write_text(head + rows)
    (tmp_path / "annotations.csv").write_text("nonsense")
    assert [image.path.name for image in labelled_images(tmp_path)] == [NAME]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,b\n1,2\n", "must name"),
        (AUTHORS + f"Small Dim Peak,1,2,3,{NAME}\n", "too short"),
        (AUTHORS + f"Small Dim Peak,1,2,-3,4,{NAME},5,5\n", "without a size"),
        (AUTHORS + f"Small Dim Peak,1,nan,3,4,{NAME},5,5\n", "without a size"),
        (AUTHORS + f"Small Dim Peak,one,2,3,4,{NAME},5,5\n", "damaged"),
        (AUTHORS + "Small Dim Peak,1,2,3,4,odd.jpg,5,5\n", "cannot be read off its name"),
        (AUTHORS + f"Small Dim Peak,1,2,3,4,{NAME},0,5\n", "0 x 5 pixels"),
        ("Small Dim Peak,1,2,3,4\n", "must name"),
    ],
)
def test_wrong_tables_say_so(tmp_path, text, says):
    (tmp_path / "odd.jpg").touch()
    (tmp_path / "annotations.csv").write_text(text)
    with pytest.raises(FileError, match=says) as caught:
        labelled_images(tmp_path)
    assert "annotations.csv" in str(caught.value)


def test_no_table_says_how_to_get_one(tmp_path):
    with pytest.raises(FileError, match="stmlab fetch real"):
        labelled_images(tmp_path)


# ---- the files themselves -----------------------------------------------------------------------------

KNOWN = {
    "STM_Au-111_Flat.sxm": (400.0, 256, "down", 0.0, 1.0, 1e-9),
    "STM_Au-111_Terraced.sxm": (440.0, 256, "up", -33.17, 0.5, 2e-9),
    "Si_7x7_051.sxm": (200.0, 256, "down", 0.0, -2.0, 2.5e-10),
    "sxm_moire_10nm.sxm": (100.0, 160, "down", 0.0, 0.2688, 3e-11),
}


@needs_files
@pytest.mark.parametrize("name", KNOWN)
def test_real_sxm(name):
    path = REAL / "formats" / name
    if not path.is_file():
        pytest.skip(f"{name} is not there")
    scan = load_scan(path)
    raster = scan.raster
    bias, setpoint = scan.meta["bias"], scan.meta["setpoint"]
    assert (raster.width, raster.pixels, raster.direction, raster.angle, bias, setpoint) == KNOWN[name]
    assert np.isfinite(scan.height).all()
    trace, retrace = scan.height - np.median(scan.height, axis=2, keepdims=True)
    assert np.corrcoef(trace.ravel(), retrace.ravel())[0, 1] > 0.65  # only if the retrace is mirrored
    assert abs(np.nanmedian(scan.current)) < 0.01  # the feedback held the setpoint


@needs_files
@pytest.mark.parametrize("name", KNOWN)
def test_real_sxm_agrees_with_nanonispy2(name):
    read = pytest.importorskip("nanonispy2.read")
    path = REAL / "formats" / name
    if not path.is_file():
        pytest.skip(f"{name} is not there")
    theirs, ours = read.Scan(str(path)).signals["Z"], load_scan(path).height
    assert np.allclose(ours[0], theirs["forward"] * 1e10, rtol=1e-6)
    assert np.allclose(ours[1], theirs["backward"][:, ::-1] * 1e10, rtol=1e-6)


@needs_files
def test_gwyddion_file_of_another_program():
    path = REAL / "formats" / "test.gwy"
    if not path.is_file():
        pytest.skip("test.gwy is not there")
    gwyfile = pytest.importorskip("gwyfile")
    with pytest.raises(FileError, match="choose one of: Test"):
        load_scan(path)
    scan = load_scan(path, "Test")
    assert np.array_equal(scan.height[0], gwyfile.load(str(path))["/0/data"].data)
    assert np.isnan(scan.height[1]).all()


@needs_files
def test_labelled_images():
    images = labelled_images(REAL)
    assert len(images) == 48
    for image in images:
        pixels = load_image(image.path)
        assert (image.boxes[:, :2] >= 0).all()
        assert (image.boxes[:, :2] + image.boxes[:, 2:] <= pixels.shape[::-1]).all()
        assert image.size == pixels.shape[::-1]
        assert 3 <= image.width_nm <= 50
        assert len(image.labels) == len(image.boxes) > 0
        assert set("".join(image.labels)) <= set("SLBDPT")
    if (REAL / "ml-stm-dev" / "boxes.csv").is_file():
        assert sum(len(image.boxes) for image in images) == 411


@needs_files
def test_files_are_those_of_the_registry():
    for entry in registry():
        path = REAL / entry["file"]
        if path.is_file() and "sha256" in entry:
            assert path.stat().st_size == entry["bytes"]
            assert hashlib.sha256(path.read_bytes()).hexdigest() == entry["sha256"], entry["file"]
