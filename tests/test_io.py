"""Files: physical units, orientation, round trips, and one clear error for whatever is wrong."""

import json
import os
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stmlab.io import FileError, MissingPackage, draw, load_image, load_scan, picture, save_scan, to_xarray
from stmlab.io.images import recorded
from stmlab.scan import DEFECT_DTYPE, EVENT_DTYPE, Raster, Scan

SHAPE = (6, 8)  # lines, pixels


def header(direction="down", passes="both", **changes):
    """Return the text of a Nanonis header for `SHAPE`."""
    keys = {
        "NANONIS_VERSION": "2",
        "SCANIT_TYPE": "              FLOAT            MSBFIRST",
        "REC_DATE": " 25.02.2021",
        "REC_TIME": "11:36:19",
        "REC_TEMP": "      4.4",
        "ACQ_TIME": "       12.0",
        "SCAN_PIXELS": f"       {SHAPE[1]}       {SHAPE[0]}",
        "SCAN_FILE": "C:\\scans\\made.sxm",
        "SCAN_TIME": "             5.000E-1             6.000E-1",
        "SCAN_RANGE": "           8.000000E-9           6.000000E-9",
        "SCAN_OFFSET": "             1.000000E-8         -2.000000E-9",
        "SCAN_ANGLE": "            3.000E+1",
        "SCAN_DIR": direction,
        "BIAS": "            -1.400E+0",
        "Z-CONTROLLER": "\tName\ton\tSetpoint\tP-gain\n\tlog Current\t1\t5.000E-11 A\t1.0E-12 m",
        "COMMENT": "one\ntwo",
        "DATA_INFO": "\tChannel\tName\tUnit\tDirection\tCalibration\tOffset\n"
        f"\t14\tZ\tm\t{passes}\t1.0E-8\t0.0\n\t0\tCurrent\tA\t{passes}\t1.0E-9\t0.0\n",
    } | changes
    return "".join(f":{key}:\n{text}\n" for key, text in keys.items() if text is not None)


def write_sxm(path, frames, **kwargs):
    """Write a .sxm file: frames (channel, pass, L, P), each in its own order of time."""
    data = np.asarray(frames, ">f4").tobytes()
    path.write_bytes(header(**kwargs).encode("latin-1") + b":SCANIT_END:\n\n\n\x1a\x04" + data)
    return path


def time_ordered(trace, retrace):
    """Return what the instrument stores of two images on the trace's columns."""
    return np.stack([trace, retrace[:, ::-1]])


@pytest.fixture
def frames():
    """Z [m] and current [A]: (channel, pass, L, P), different at every pixel."""
    z = np.arange(2 * np.prod(SHAPE)).reshape(2, *SHAPE) * 1e-11
    return np.stack([z, np.full_like(z, -5e-11)])


@pytest.fixture
def scan():
    """A small scan with every array that a simulation fills."""
    rng = np.random.default_rng(1)
    raster = Raster(8.0, 6.0, SHAPE[1], SHAPE[0], angle=30.0, center=(1.0, -2.0), direction="up")
    stacks = {
        name: rng.normal(size=(2, *SHAPE)) for name in ("height", "true_height", "current", "drive", "x", "y")
    }
    defects = np.array([("dopant_top", 3, 0.5, -1.0, 2.5, 3.5, True)], DEFECT_DTYPE)
    meta = {"bias": -1.4, "setpoint": 5e-11, "lattice_constant": 3.32}
    ideal, lattice = rng.normal(size=SHAPE), rng.normal(size=(5, 2))
    events = np.array([("tip-change", 1.5, 1, 2, True)], EVENT_DTYPE)
    return Scan(raster, ideal=ideal, lattice=lattice, defects=defects, events=events, seed=2**40, meta=meta, **stacks)


# ---- Nanonis ------------------------------------------------------------------------------------------


def test_sxm_units_and_metadata(tmp_path, frames):
    scan = load_scan(write_sxm(tmp_path / "made.sxm", frames))
    raster = scan.raster
    assert (raster.width, raster.height, raster.pixels, raster.lines) == (80.0, 60.0, 8, 6)
    assert raster.center == (100.0, -20.0)
    assert raster.angle == -30.0  # Nanonis counts clockwise
    assert raster.line_time == 0.5
    assert scan.height[0, 0, 1] == pytest.approx(0.1)  # 1e-11 m
    assert scan.meta["bias"] == -1.4
    assert scan.meta["setpoint"] == 5e-11
    assert scan.meta["temperature"] == 4.4
    assert scan.meta["date"] == "2021-02-25T11:36:19"
    assert scan.meta["comment"] == "one\ntwo"
    assert scan.meta["channels"] == ["Z", "Current"]
    assert scan.meta["source"] == "made.sxm"
    assert scan.current == pytest.approx(0, abs=1e-6)  # |I| = I_set, though I is negative


@pytest.mark.parametrize("direction", ["up", "down"])
@pytest.mark.parametrize("which", [0, 1])
def test_bright_corner_lies_where_it_is(tmp_path, direction, which):
    """A feature at the top left is at the top left of the picture, in either pass and direction."""
    spatial = np.zeros((2, *SHAPE))  # row 0 at the bottom
    spatial[which, -1, 0] = 1e-9
    trace, retrace = spatial if direction == "up" else spatial[:, ::-1]
    path = write_sxm(tmp_path / "corner.sxm", [time_ordered(trace, retrace)] * 2, direction=direction)
    scan = load_scan(path)
    assert picture(scan.height, scan.raster)[which, -1, 0] == pytest.approx(10.0)
    assert scan.height.sum() == pytest.approx(10.0)
    x, y = scan.raster.xy
    row, col = np.argwhere(scan.height[which] > 1)[0]
    u, v = (
        x[row, col] - 100.0,
        y[row, col] + 20.0,
    )  # back into the frame, which is turned 30 degrees clockwise
    c, s = np.cos(np.pi / 6), np.sin(np.pi / 6)
    assert (c * u - s * v, s * u + c * v) == pytest.approx((-35.0, 25.0))


@pytest.mark.parametrize("direction", ["up", "down"])
@pytest.mark.parametrize("which", [0, 1])
def test_gwyddion_shows_the_corner_where_it_is(tmp_path, direction, which):
    """Gwyddion draws row 0 of a field at the top."""
    gwyfile = pytest.importorskip("gwyfile")
    raster = Raster(8.0, 6.0, SHAPE[1], SHAPE[0], direction=direction)
    height = np.zeros((2, *SHAPE))
    height[which, -1 if direction == "up" else 0, 0] = 1.0  # top left
    save_scan(Scan(raster, height), tmp_path / "corner.gwy")
    container = gwyfile.load(str(tmp_path / "corner.gwy"))
    field = container[f"/{which}/data"]
    assert container[f"/{which}/data/title"] == ("Z trace", "Z retrace")[which]
    assert field.data[0, 0] == pytest.approx(1e-10)
    assert (field.xreal, field.yreal, field.si_unit_z.unitstr) == (8e-10, 6e-10, "m")
    assert np.array_equal(load_scan(tmp_path / "corner.gwy").height, height)


def test_aborted_scan_keeps_its_missing_rows(tmp_path, frames):
    frames[:, :, 4:] = np.nan
    scan = load_scan(write_sxm(tmp_path / "aborted.sxm", frames))
    assert np.isnan(scan.height[:, 4:]).all()
    assert np.isfinite(scan.height[:, :4]).all()
    for ending in ("gwy", "nc", "png"):
        save_scan(scan, tmp_path / f"aborted.{ending}")
    for ending in ("gwy", "nc"):
        assert np.allclose(load_scan(tmp_path / f"aborted.{ending}").height, scan.height, equal_nan=True)


@pytest.mark.parametrize("passes", ["forward", "backward"])
def test_sxm_with_one_pass(tmp_path, frames, passes):
    scan = load_scan(write_sxm(tmp_path / "one.sxm", frames[:, :1], passes=passes))
    there = ("forward", "backward").index(passes)
    columns = slice(None, None, -1 if there else 1)
    assert np.allclose(scan.height[there], frames[0, 0, :, columns] * 1e10)
    assert np.isnan(scan.height[1 - there]).all()
    assert np.isnan(scan.current[1 - there]).all()


def test_sxm_other_channels_and_missing_details(tmp_path, frames):
    path = write_sxm(
        tmp_path / "bare.sxm", frames, SCAN_TIME=None, BIAS=None, REC_TEMP="n/a", **{"Z-CONTROLLER": None}
    )
    scan = load_scan(path, "Current")
    assert scan.height == pytest.approx(-5e-11)
    assert (scan.meta["channel"], scan.meta["unit"], scan.meta["bias"]) == ("Current", "A", None)
    assert scan.current is None  # no setpoint
    assert scan.raster.line_time == Raster(1, 1, 1, 1).line_time
    save_scan(scan, tmp_path / "current.gwy")
    assert load_scan(tmp_path / "current.gwy", "Current").height == pytest.approx(-5e-11)
    assert to_xarray(scan).height.units == "A"


def test_zero_current_is_nan(tmp_path, frames):
    frames[1, 0, 0, 0] = 0.0
    scan = load_scan(write_sxm(tmp_path / "zero.sxm", frames))
    assert np.argwhere(np.isnan(scan.current)).tolist() == [[0, 0, 0]]


def test_reader_agrees_with_nanonispy2(tmp_path, frames):
    read = pytest.importorskip("nanonispy2.read")
    path = write_sxm(tmp_path / "made.sxm", frames)
    theirs, ours = read.Scan(str(path)), load_scan(path)
    assert np.allclose(ours.height[0], theirs.signals["Z"]["forward"] * 1e10)
    assert np.allclose(ours.height[1], theirs.signals["Z"]["backward"][:, ::-1] * 1e10)
    assert ours.meta["bias"] == float(theirs.header["bias"])


# ---- what is wrong with a file ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"SCAN_PIXELS": "8 600"}, "truncated"),
        ({"SCAN_PIXELS": "8 5"}, "header promises"),
        ({"SCAN_PIXELS": "8"}, "SCAN_PIXELS"),
        ({"SCAN_PIXELS": "-8 -6"}, "greater than 0"),
        ({"SCAN_PIXELS": "99999999999 99999999999"}, "truncated"),
        ({"SCAN_RANGE": "nan 1e-9"}, "SCAN_RANGE"),
        ({"SCAN_DIR": "sideways"}, "direction"),
        ({"SCANIT_TYPE": "DOUBLE MSBFIRST"}, "SCANIT_TYPE"),
        ({"DATA_INFO": "nothing"}, "DATA_INFO"),
        ({"SCAN_OFFSET": "inf 0"}, "SCAN_OFFSET"),
    ],
)
def test_wrong_headers_say_so(tmp_path, frames, change, says):
    path = write_sxm(tmp_path / "wrong.sxm", frames, **change)
    with pytest.raises(FileError, match=says) as caught:
        load_scan(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_other_wrong_files_say_so(tmp_path, frames):
    good = write_sxm(tmp_path / "good.sxm", frames).read_bytes()
    cases = {
        "short.sxm": (good[:-1], "truncated"),
        "head.sxm": (good[:200], "truncated"),
        "empty.sxm": (b"", "empty"),
        "text.sxm": (b"hello", "not a Nanonis"),
        "a.gwy": (b"hello", "not a Gwyddion"),
        "b.gwy": (b"GWYPhello", "truncated"),
        "c.gwy": (
            b"GWYPGwyContainer\0\6\0\0\0a\0sxyz",
            "text without an end",
        ),  # gwyfile never returns from it
        "d.gwy": (b"GWYP" + b"o\0\xff\0\0\0" * 9, "truncated"),
        "a.nc": (b"hello", "not NetCDF 3"),
        "b.nc": (b"CDF\1x", "damaged"),
        "a.xyz": (b"x", r"\.xyz is not known; \.sxm, _mtrx, .*\.gwy, \.gsf, \.nc"),
        "none": (b"x", "without an ending"),
    }
    for name, (content, says) in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FileError, match=says) as caught:
            load_scan(tmp_path / name)
        assert name in str(caught.value)
    with pytest.raises(FileError, match="is a directory"):
        load_scan(tmp_path)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        load_scan(tmp_path / "missing.sxm")
    with pytest.raises(FileError, match="choose one of: Z, Current"):
        load_scan(tmp_path / "good.sxm", "LI_X")


@settings(max_examples=150, deadline=None)
@given(
    cut=st.integers(0, 3000), flips=st.lists(st.tuples(st.integers(0, 2999), st.integers(0, 255)), max_size=8)
)
@pytest.mark.parametrize("ending", ["sxm", "gwy", "nc"])
def test_damaged_files_give_a_scan_or_one_clear_error(tmp_path_factory, ending, cut, flips):
    good = _good(tmp_path_factory, ending)
    data = bytearray(good)
    for at, value in flips:
        data[at % len(data)] = value
    path = tmp_path_factory.getbasetemp() / f"damaged.{ending}"
    path.write_bytes(data if cut % 3 else data[: cut % len(data)])
    said = _what_loading_says(path)
    assert said == "" or (said.startswith(str(path)) and "\n" not in said)


def _what_loading_says(path):
    try:
        return "" if isinstance(load_scan(path), Scan) else "no scan"
    except FileError as error:
        return str(error)


@pytest.mark.parametrize("ending", ["sxm", "gwy", "nc"])
def test_small_files_take_little_memory(tmp_path_factory, ending):
    path = tmp_path_factory.mktemp("small") / f"small.{ending}"
    path.write_bytes(_good(tmp_path_factory, ending))
    load_scan(path)
    tracemalloc.start()
    load_scan(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**22


_GOOD = {}


def _good(tmp_path_factory, ending):
    """Return the bytes of a sound file of some kind, with a header that takes up most of it."""
    if not _GOOD:
        folder = tmp_path_factory.mktemp("good")
        z = np.arange(4.0 * np.prod(SHAPE)).reshape(2, 2, *SHAPE)
        scan = load_scan(write_sxm(folder / "good.sxm", z))
        for kind in ("gwy", "nc"):
            save_scan(scan, folder / f"good.{kind}")
        _GOOD.update({kind: (folder / f"good.{kind}").read_bytes() for kind in ("sxm", "gwy", "nc")})
    return _GOOD[ending]


# ---- writing ------------------------------------------------------------------------------------------


def test_netcdf_round_trip_keeps_everything(tmp_path, scan):
    save_scan(scan, tmp_path / "scan.nc")
    again = load_scan(tmp_path / "scan.nc")
    for name in ("height", "true_height", "current", "drive", "x", "y", "ideal", "lattice"):
        assert np.array_equal(getattr(again, name), getattr(scan, name)), name
    assert np.array_equal(again.defects, scan.defects)
    assert np.array_equal(again.events, scan.events)
    assert again.raster == scan.raster
    assert (again.seed, again.meta) == (scan.seed, scan.meta)


def test_netcdf_opens_with_xarray(tmp_path, scan):
    xarray = pytest.importorskip("xarray")
    save_scan(scan, tmp_path / "scan.nc")
    with xarray.open_dataset(tmp_path / "scan.nc", engine="scipy") as data:
        assert data.sel(sweep="retrace").height.shape == SHAPE
        assert all("units" in data[name].attrs for name in data.data_vars)
        assert data.attrs["seed"] == str(2**40)
        assert {"mask_lattice", "mask_defects"} <= set(data.data_vars)
        assert np.array_equal(data.time, scan.time)
        x, y = scan.raster.to_sample(data.u.values, data.v.values[:, None])
        assert np.allclose([x, y], scan.raster.xy)


WAYS = [(axis, fast, slow) for axis in "xy" for fast in ("forward", "backward") for slow in ("up", "down")]


@pytest.mark.parametrize(("axis", "fast", "slow"), WAYS)
@pytest.mark.parametrize("ending", ["gwy", "nc"])
def test_a_scan_along_any_axis_is_shown_in_space(tmp_path, axis, fast, slow, ending):
    """Each pixel of the picture lies further right and further up than the one before, whatever was scanned first."""
    raster = Raster(9.0, 6.0, 9, 4, fast_axis=axis, fast_direction=fast, direction=slow, overscan=0.1)
    x, y = raster.xy
    right, up = picture(x, raster), picture(y, raster)
    assert (np.diff(right, axis=1) > 0).all()
    assert (np.diff(up, axis=0) > 0).all()
    corner = [(e - p) / 2 for e, p in zip(raster.extent, _spacing(raster), strict=True)]
    assert (right[-1, -1], up[-1, -1]) == pytest.approx(corner)
    assert np.array_equal(recorded(picture(x, raster), raster), x)
    save_scan(Scan(raster, np.stack([x + 10 * y, y])), tmp_path / f"scan.{ending}")
    again = load_scan(tmp_path / f"scan.{ending}")
    assert again.raster == raster
    assert np.allclose(again.height[0], x + 10 * y)
    data = to_xarray(again)
    where = raster.to_sample(data.u, data.v)
    assert all(np.allclose(place.transpose("line", "pixel"), v) for place, v in zip(where, (x, y), strict=True))


def _spacing(raster):
    return raster.pixel_size if raster.fast_axis == "x" else raster.pixel_size[::-1]


def test_gwyddion_round_trip(tmp_path, scan):
    gwyfile = pytest.importorskip("gwyfile")
    save_scan(scan, tmp_path / "scan.gwy")
    again = load_scan(tmp_path / "scan.gwy")
    assert np.allclose(again.height, scan.height, rtol=1e-12)
    assert np.array_equal(again.current, scan.current)
    assert (again.raster, again.seed) == (scan.raster, scan.seed)
    container = gwyfile.load(str(tmp_path / "scan.gwy"))
    titles = [container[f"/{k}/data/title"] for k in range(6)]
    assert titles[4:] == ["mask lattice", "mask defects"]
    assert container["/0/meta"]["bias"] == "-1.4 V"
    assert np.allclose(container["/5/data"].data, picture(scan.masks()[1], scan.raster)[::-1])


def test_parameters_travel_as_toml(tmp_path, scan):
    from dataclasses import replace

    from stmlab.parameters import Parameters

    known = replace(scan, parameters=Parameters().set({"junction.bias": -1.2}))
    for name in ("scan.gwy", "scan.nc"):
        save_scan(known, tmp_path / name)
        assert load_scan(tmp_path / name).parameters == known.parameters
    save_scan(
        replace(scan, parameters="tip = 3"), tmp_path / "other.nc"
    )  # of a version that is no longer known
    assert load_scan(tmp_path / "other.nc").meta["parameters"] == "tip = 3"


def test_png_holds_provenance_and_leaves_pyplot_alone(tmp_path, scan):
    image_module = pytest.importorskip("PIL.Image")
    save_scan(scan, tmp_path / "scan.png")
    with image_module.open(tmp_path / "scan.png") as image:
        assert image.text["seed"] == str(2**40)
        assert image.width > 400
    axes = draw(scan).axes
    assert (axes[0].get_xlabel(), axes[1].get_ylabel()) == ("x [nm]", "Z [pm]")
    assert axes[0].get_title().startswith("-1.4 V, 50 pA")


@pytest.mark.parametrize("name", ["no/such/folder.gwy", "scan.xyz", "taken.gwy"])
def test_unwritable_targets_are_known_at_once(tmp_path, scan, name, monkeypatch):
    (tmp_path / "taken.gwy").mkdir()
    monkeypatch.setattr("stmlab.io.WRITERS", {".gwy": lambda scan: pytest.fail("worked before it looked")})
    with pytest.raises(FileError) as caught:
        save_scan(scan, tmp_path / name)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_forbidden_folder_is_known_at_once(tmp_path, scan):
    tmp_path.chmod(0o500)
    with pytest.raises(OSError, match="cannot write"):
        save_scan(scan, tmp_path / "scan.gwy")


def test_failure_leaves_what_was_there(tmp_path, scan, monkeypatch):
    (tmp_path / "scan.gwy").write_bytes(b"before")

    def break_off(scan):
        raise RuntimeError("half-way")

    monkeypatch.setattr("stmlab.io.WRITERS", {".gwy": break_off})
    with pytest.raises(RuntimeError):
        save_scan(scan, tmp_path / "scan.gwy")
    assert [path.name for path in tmp_path.iterdir()] == ["scan.gwy"]
    assert (tmp_path / "scan.gwy").read_bytes() == b"before"


def test_missing_package_names_the_extra(tmp_path, scan, monkeypatch):
    monkeypatch.setitem(sys.modules, "gwyfile", None)
    with pytest.raises(MissingPackage, match=r'pip install "stmlab\[io\]"'):
        save_scan(scan, tmp_path / "scan.gwy")
    assert not list(tmp_path.iterdir())


def test_import_loads_nothing_heavy():
    code = "import sys, json, stmlab.io; print(json.dumps([m for m in sys.argv[1:] if m in sys.modules]))"
    heavy = ["matplotlib", "xarray", "gwyfile", "pooch", "PIL", "torch", "nanonispy2", "scipy.io"]
    run = subprocess.run([sys.executable, "-c", code, *heavy], capture_output=True, text=True, check=True)
    assert json.loads(run.stdout) == []


# ---- images -------------------------------------------------------------------------------------------


def test_images_are_grey_levels_from_the_top(tmp_path):
    image_module = pytest.importorskip("PIL.Image")
    grey = np.arange(48, dtype=np.uint8).reshape(SHAPE)
    image_module.fromarray(grey).save(tmp_path / "grey.png")
    image_module.fromarray(np.stack([grey] * 3, axis=-1)).save(tmp_path / "colour.png")
    assert np.array_equal(load_image(tmp_path / "grey.png"), grey)
    assert np.array_equal(load_image(tmp_path / "colour.png"), grey)
    deep = np.arange(48, dtype=np.uint16).reshape(SHAPE) * 1000  # more than 8 bits hold
    image_module.fromarray(deep).save(tmp_path / "deep.png")
    image_module.fromarray(np.stack([grey] * 3 + [grey * 5], axis=-1)).save(tmp_path / "clear.png")  # half transparent
    image_module.fromarray(grey).convert("P").save(tmp_path / "palette.png")
    assert np.array_equal(load_image(tmp_path / "deep.png"), deep)
    assert np.array_equal(load_image(tmp_path / "clear.png"), grey)
    assert np.array_equal(load_image(tmp_path / "palette.png"), grey)


def test_wrong_images_say_so(tmp_path, monkeypatch):
    image_module = pytest.importorskip("PIL.Image")
    image_module.fromarray(np.zeros((400, 400), np.uint8)).save(tmp_path / "good.png")
    (tmp_path / "text.jpg").write_bytes(b"hello")
    (tmp_path / "cut.png").write_bytes((tmp_path / "good.png").read_bytes()[:60])
    for name, says in (("text.jpg", "no JPEG"), ("cut.png", "cut.png")):
        with pytest.raises(FileError, match=says):
            load_image(tmp_path / name)
    monkeypatch.setattr("PIL.Image.MAX_IMAGE_PIXELS", 100_000)
    with pytest.raises(FileError, match="pixels"):
        load_image(tmp_path / "good.png")
    monkeypatch.setattr("stmlab.io.images.MAX_PIXELS", 1000)
    monkeypatch.setattr("PIL.Image.MAX_IMAGE_PIXELS", None)
    with pytest.raises(FileError, match="at most 1000"):
        load_image(tmp_path / "good.png")
