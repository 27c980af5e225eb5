"""Instrument files: written here byte by byte, read back; orientation, units, and whatever can be wrong with a file."""

import os
import struct
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stmlab.io import FileError, MeasuredSpectra, load_scan, load_spectra, nanonis, picture
from stmlab.io._frames import si
from stmlab.scan import Scan

LINES, PIXELS = SHAPE = (6, 8)
POINTS = 7

# ---- tiny writers: each takes images as people see them, row 0 at the top -----------------------------


def corner(which):
    """Return heights in Å (2, L, P), row 0 at the top, with one bright pixel at the top left of one pass."""
    image = np.zeros((2, *SHAPE))
    image[which, 0, 0] = 10.0
    return image


def text16(text):
    data = text.encode("utf-16-le")
    return struct.pack("<I", len(data) // 2) + data


def block(tag, contents, stamped=True):
    return tag + struct.pack("<I", len(contents)) + (bytes(8) if stamped else b"") + contents


def tagged(value):
    if isinstance(value, bool):
        return b"LOOB" + struct.pack("<I", value)
    if isinstance(value, int):
        return b"GNOL" + struct.pack("<i", value)
    if isinstance(value, float):
        return b"BUOD" + struct.pack("<d", value)
    return b"GRTS" + text16(value)


def matrix_property(name, value, unit):
    return text16(name) + text16(unit) + bytes(4) + tagged(value)


def matrix_diary(image="a--1_1.Z_mtrx", change=None, **scanner):
    """Return the bytes of a session's .mtrx."""
    elements = {
        "XYScanner": {
            "Width": (8e-9, "Meter"), "Height": (6e-9, "Meter"), "Points": (PIXELS, "--"), "Lines": (LINES, "--"),
            "X_Offset": (1e-9, "Meter"), "Y_Offset": (2e-9, "Meter"), "Angle": (30, "Degree"),
            "X_Retrace": (True, "--"), "Y_Retrace": (False, "--"), "Raster_Time": (1e-3, "Second"),
        } | scanner,
        "GapVoltageControl": {"Voltage": (-1.4, "Volt")},
        "Regulator": {"Setpoint_1": (5e-11, "Ampere")},
    }  # fmt: skip
    listed = struct.pack("<I", len(elements))
    for element, values in elements.items():
        listed += text16(element) + struct.pack("<I", len(values))
        listed += b"".join(matrix_property(name, *value) for name, value in values.items())
    names = b"".join(struct.pack("<4xI8x", k) + text16(n) + text16(u) for k, n, u in ((1, "Z", "m"), (2, "I", "A")))
    linear = struct.pack("<4xI", 1) + text16("TFF_Linear1D") + text16("m") + struct.pack("<I", 2)
    linear += text16("Factor") + tagged(1e12) + text16("Offset") + tagged(0.0)
    multi = struct.pack("<4xI", 2) + text16("TFF_MultiLinear1D") + text16("A") + struct.pack("<I", 5)
    constants = {"Raw_1": 2.0, "PreOffset": 1.0, "Offset": 0.0, "NeutralFactor": 1e12, "PreFactor": 1.0}
    for name, value in constants.items():
        multi += text16(name) + tagged(value)
    dictionary = block(b"TCID", bytes(8) + struct.pack("<2I", 0, 2) + names, False)
    system = block(b"YSCC", bytes(4) + dictionary + block(b"REFX", linear + multi, False))
    changed = block(b"DOMP", bytes(4) + text16(change[0]) + matrix_property(*change[1:])) if change else b""
    done = block(b"FERB", bytes(4) + text16(image))
    late = block(b"DOMP", bytes(4) + text16("GapVoltageControl") + matrix_property("Voltage", 9.0, "Volt"))
    return b"ONTMATRX0101" + block(b"APEE", bytes(4) + listed) + system + changed + done + late


def matrix_image(values):
    """Return the bytes of an image file from its integers."""
    values = np.asarray(values, "<i4")
    about = block(b"CSED", struct.pack("<20x2I", values.size, values.size), False)
    data = about + block(b"ATAD", values.tobytes(), False)
    return b"ONTMATRX0101" + block(b"TLKB", bytes(4) + data)


def write_matrix(folder, images, direction="up"):
    """Write a frame that was scanned up, or up and then down."""
    shown = np.rint(np.asarray(images) * 1e2).astype(int)  # Å -> 1e-12 m
    if direction == "up":
        order = np.stack([shown[0][::-1], shown[1][::-1, ::-1]], axis=1)  # lines, passes, pixels, in time
    else:
        order = np.concatenate([np.zeros((LINES, 2, PIXELS)), np.stack([shown[0], shown[1][:, ::-1]], axis=1)])
    (folder / "a_0001.mtrx").write_bytes(matrix_diary(Y_Retrace=(direction == "down", "--")))
    (folder / "a--1_1.Z_mtrx").write_bytes(matrix_image(order))
    return folder / "a--1_1.Z_mtrx"


def sm4_texts(label, units):
    texts = [label, "", "", "note", "", "06/17/23", "11:12:42", *units] + [""] * 9
    return b"".join(struct.pack("<H", len(text)) + text.encode("utf-16-le") for text in texts[:14])


def sm4_file(pages):
    """Return the bytes of an .SM4: pages of (kind, changes to the header, label, units, integers, drift)."""
    header, index = 58 + 12, 16 + 12
    size = sum(32 + 3 * 12 for _ in pages)
    at, listed, bodies = header + index + size, b"", b""
    for kind, changes, label, units, values, drift in pages:
        values = np.asarray(values, "<i4")
        head = {
            "strings": 14, "page_type": 1, "source": 0, "line_type": 0, "x_corner": 0, "y_corner": 0,
            "x_size": values.shape[1], "y_size": values.shape[0], "image_type": 0, "scan_type": 0, "group": 0,
            "data_size": 0, "low": 0, "high": 0, "x_scale": 1e-9, "y_scale": 1e-9, "z_scale": 1e-12, "xy_scale": 1.0,
            "x_offset": 1e-9, "y_offset": 2e-9, "z_offset": 0.0, "period": 1e-3, "bias": -1.4, "current": 5e-11,
            "angle": 0.0, "colors": 0, "grid_x": 0, "grid_y": 0, "objects": 2,
        } | changes  # fmt: skip
        packed = struct.pack("<2xH13I11f4I64x", *head.values())
        strings, data = sm4_texts(label, units), values.tobytes()
        places = np.cumsum([at, len(packed) + 24, len(strings), len(drift)])
        inner = struct.pack("<6I", 10, places[1], len(strings), 8, places[2], len(drift))
        objects = ((3, places[0], len(packed)), (4, places[3], len(data)), (99, 0, 0))
        listed += bytes(16) + struct.pack("<4I", kind, 0, 3, 0) + b"".join(struct.pack("<3I", *o) for o in objects)
        body = packed + inner + strings + drift + data
        bodies, at = bodies + body, at + len(body)
    top = struct.pack("<H", 56) + "STiMage 005.004 1".encode("utf-16-le").ljust(36, b"\0")
    top += struct.pack("<8I", len(pages), 1, 12, 0, 0, 1, header, index)
    return top + struct.pack("<7I", len(pages), 1, 0, 0, 2, header + index, size) + listed + bodies


def write_sm4(folder, images, direction="up"):
    """Write trace and retrace; the retrace as an instrument that counts x from right to left."""
    shown = np.rint(np.asarray(images) * 1e2).astype(int)
    rows = shown[:, ::-1] if direction == "up" else shown
    way, units = {"y_scale": 1e-9 if direction == "up" else -1e-9}, ("m", "m", "m")
    pages = [(0, way, "Topography", units, rows[0], b""),
             (0, way | {"scan_type": 1, "x_scale": -1e-9}, "Topography", units, rows[1][:, ::-1], b""),
             (0, way | {"page_type": 2}, "Current", ("m", "m", "A"), np.full(SHAPE, -50), b"")]  # fmt: skip
    (folder / "a.SM4").write_bytes(sm4_file(pages))
    return folder / "a.SM4"


def anfatec_header(changes=None, **file):
    head = {"Version": "1.00", "Date": "21.05.2025", "Time": "10:00", "Bias": "-1400", "BiasPhysUnit": "mV",
            "SetPoint": "50,0", "SetPointPhysUnit": "pA", "XScanRange": "8", "YScanRange": "6", "XPhysUnit": "nm",
            "YPhysUnit": "nm", "xCenter": "1", "yCenter": "2", "Angle": "30", "LineRate": "2", "xPixel": str(PIXELS),
            "yPixel": str(LINES)} | (changes or {})  # fmt: skip
    lines = [";ANFATEC Parameterfile", ";"]
    lines += [f"{key:15s}: {value}" for key, value in head.items() if value is not None]
    for name, unit, scale in (("Topo", "nm", "0.001"), ("It_to_PC", "pA", "1")):
        for way in ("Fwd", "Bwd"):
            entry = {"FileName": f"a{name}{way}.int", "Caption": name, "Scale": scale, "PhysUnit": unit, "Offset": "0"}
            lines += ["FileDescBegin", *(f" {key} : {value}" for key, value in (entry | file).items()), "FileDescEnd"]
    return "\r\n".join(lines).encode("latin-1")


def write_anfatec(folder, images, direction="down"):
    (folder / "a.txt").write_bytes(anfatec_header())
    for way, image in zip(("Fwd", "Bwd"), images, strict=True):
        (folder / f"aTopo{way}.int").write_bytes(np.rint(image * 1e2).astype("<i4").tobytes())
        (folder / f"aIt_to_PC{way}.int").write_bytes(np.full(SHAPE, -50, "<i4").tobytes())
    return folder / "aTopoFwd.int"


def gsf_file(image, **changes):
    head = {"XRes": PIXELS, "YRes": LINES, "XReal": "8e-9", "YReal": "6e-9", "XYUnits": "m", "ZUnits": "nm",
            "XOffset": "1e-9", "YOffset": "2e-9", "Title": "made"} | changes  # fmt: skip
    text = "Gwyddion Simple Field 1.0\n" + "".join(f"{k} = {v}\n" for k, v in head.items() if v is not None)
    text = text.encode()
    return text + bytes(4 - len(text) % 4) + np.asarray(image, "<f4").tobytes()


def write_gsf(folder, images, direction="down"):
    (folder / "a.gsf").write_bytes(gsf_file(images[0] / 10))
    return folder / "a.gsf"


def grid_file(rows=3, columns=4, there=None, stated=None, **changes):
    """Return the bytes of a .3ds grid in which every value is different."""
    head = {
        "Grid dim": f'"{columns} x {rows}"', "Grid settings": "1e-9;2e-9;4e-9;3e-9;9.000E+1",
        "Sweep Signal": '"Bias (V)"', "Fixed parameters": '"Sweep Start;Sweep End"',
        "Experiment parameters": '"X (m);Y (m)"', "# Parameters (4 byte)": 4, "Points": POINTS,
        "Channels": '"Current (nA);LI Demod 1 X (V)"', "Date": '"04.06.2016 20:13:23"',
    } | changes  # fmt: skip
    values = np.zeros((rows, columns, 4 + 2 * POINTS), ">f4")
    values[..., :2] = -1.0, 0.5
    values[..., 2], values[..., 3] = np.meshgrid(np.arange(columns) * 1e-9, np.arange(rows) * 1e-9)
    values[..., 4:] = np.arange(rows * columns * 2 * POINTS).reshape(rows, columns, -1)
    text = "".join(f"{key}={value}\r\n" for key, value in head.items() if value is not None)
    data = values.tobytes()[: None if there is None else there * 4 * (4 + 2 * POINTS)]
    return text.encode("latin-1") + b":HEADER_END:\r\n" + data


def point_file(sweep="Bias calc (V)", rows=POINTS, head="Experiment\tbias spectroscopy\t\n"):
    """Return the bytes of a .dat spectrum."""
    text = head + "Date\t07.07.2020 15:01:50\t\nX (m)\t1E-9\t\nY (m)\t-2E-9\t\n\n[DATA]\n"
    text += f"{sweep}\tCurrent (nA)\tCurrent [bwd] (nA)\tLI Demod 1 X (V)\n"
    return (text + "".join(f"{-1 + 0.5 * k:.5E}\t{k}\t{-k}\t{2 * k}\n" for k in range(rows))).encode("latin-1")


def spectra_file():
    """Return the bytes of an .SM4 with two spectra in two channels."""
    head = {"page_type": 38, "line_type": 7, "x_scale": 0.5, "x_offset": -1.0, "y_scale": 1.0}
    values = np.arange(2 * POINTS).reshape(2, POINTS)
    drift = np.array([[0, 1e-9, 2e-9, 0, 0, 0, 0], [1, 3e-9, 4e-9, 0, 0, 0, 0]], "<f4").tobytes()
    return sm4_file([(1, head, "Current", ("V", "", "A"), values, drift),
                     (1, head | {"z_scale": 1.0}, "LIA\0X", ("V", "", "V"), -values, b"")])  # fmt: skip


WRITERS = {"mtrx": write_matrix, "sm4": write_sm4, "int": write_anfatec, "gsf": write_gsf}
WAYS = {"mtrx": ("up", "down"), "sm4": ("up", "down"), "int": ("down",), "gsf": ("down",)}
CASES = [(kind, way, which) for kind in WRITERS for way in WAYS[kind] for which in (0, 1)]
CASES.remove(("gsf", "down", 1))  # holds one pass

# ---- what a sound file gives --------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "way", "which"), CASES)
def test_bright_corner_lies_where_it_is(tmp_path, kind, way, which):
    """A pixel at the top left of one pass is at the top left of that pass's picture, whatever was scanned first."""
    path = WRITERS[kind](tmp_path, corner(which), way)
    scan = load_scan(path, "Z down" if (kind, way) == ("mtrx", "down") else "Z")
    assert scan.raster.direction == way
    shown = picture(scan.height, scan.raster)  # row 0 at the bottom
    assert shown[which, -1, 0] == pytest.approx(10.0)
    assert np.nansum(np.abs(shown)) == pytest.approx(10.0)
    first = 0 if way == "down" else LINES - 1
    assert np.argwhere(scan.height[which] > 1).tolist() == [[first, 0]]  # row 0 is scanned first


@pytest.mark.parametrize("kind", WRITERS)
def test_units_and_metadata(tmp_path, kind):
    image = np.arange(2.0 * LINES * PIXELS).reshape(2, *SHAPE)
    way = WAYS[kind][0]
    scan = load_scan(WRITERS[kind](tmp_path, image, way))
    raster = scan.raster
    assert (raster.width, raster.height, raster.pixels, raster.lines) == (80.0, 60.0, PIXELS, LINES)
    assert np.allclose(picture(scan.height[0], raster)[::-1], image[0], atol=1e-4)
    assert scan.meta["channels"][0] in ("Z", "Current")
    assert scan.meta["source"]
    if kind == "gsf":
        assert raster.center == pytest.approx((50.0, -50.0))
        assert np.isnan(scan.height[1]).all()
        return
    assert raster.center == pytest.approx((10.0, 20.0))
    assert scan.meta["bias"] == pytest.approx(-1.4)  # not 9 V, which the diary states after the image
    assert scan.meta["setpoint"] == pytest.approx(5e-11)
    assert raster.line_time == pytest.approx(0.25 if kind == "int" else 8e-3)
    assert raster.angle == (0.0 if kind == "sm4" else 30.0)


@pytest.mark.parametrize("kind", ["mtrx", "sm4", "int"])
def test_current_becomes_a_logarithm(tmp_path, kind):
    path = WRITERS[kind](tmp_path, corner(0), WAYS[kind][0])
    if kind == "mtrx":
        assert load_scan(path).current is None
        path.with_suffix(".I_mtrx").write_bytes(matrix_image(np.full(2 * LINES * PIXELS, -50)))
    scan = load_scan(path)
    assert scan.current[0] == pytest.approx(0.0, abs=1e-5)
    other = {"mtrx": "I", "sm4": "Current", "int": "It_to_PC"}[kind]
    currents = load_scan(path, other)
    assert currents.height[0] == pytest.approx(-5e-11)
    assert currents.meta["unit"] == "A"


def test_matrix_takes_the_parameters_that_held(tmp_path):
    path = write_matrix(tmp_path, corner(0))
    (tmp_path / "a_0001.mtrx").write_bytes(matrix_diary("other", change=("GapVoltageControl", "Voltage", 0.3, "Volt")))
    second = b"ONTMATRX0101" + block(b"FERB", bytes(4) + text16(path.name))
    with pytest.raises(FileError, match="does not mention it"):
        load_scan(path)
    (tmp_path / "a_0002.mtrx").write_bytes(second)
    assert load_scan(path).meta["bias"] == 9.0  # the last note of the first diary
    (tmp_path / "a_0001.mtrx").write_bytes(matrix_diary(change=("GapVoltageControl", "Voltage", 0.3, "Volt")))
    assert load_scan(path).meta["bias"] == 0.3


def test_matrix_frame_that_was_stopped(tmp_path):
    path = write_matrix(tmp_path, corner(0))
    path.write_bytes(matrix_image(np.ones(4 * PIXELS + 3)))  # two lines of two passes and a bit
    scan = load_scan(path)
    assert np.isfinite(scan.height[:, :2]).all()
    assert np.isnan(scan.height[:, 2:]).all()
    with pytest.raises(FileError, match="choose one of: up"):
        load_scan(path, "Z down")
    with pytest.raises(FileError, match="choose one of: Z"):
        load_scan(path, "I")
    (tmp_path / "a_0001.mtrx").unlink()
    with pytest.raises(FileError, match=r"a_0001\.mtrx is missing"):
        load_scan(path)


def test_anfatec_by_header_or_by_file(tmp_path):
    path = write_anfatec(tmp_path, corner(1))
    assert np.array_equal(load_scan(tmp_path / "a.txt").height, load_scan(path).height)
    (tmp_path / "aTopoBwd.int").unlink()
    assert np.isnan(load_scan(path).height[1]).all()
    with pytest.raises(FileError, match="choose one of: Z, It_to_PC"):
        load_scan(path, "Phase")
    (tmp_path / "a.txt").unlink()
    with pytest.raises(FileError, match="needs its header"):
        load_scan(path)


def test_grid(tmp_path):
    (tmp_path / "a.3ds").write_bytes(grid_file())
    grid = load_spectra(tmp_path / "a.3ds")
    assert grid.bias == pytest.approx(np.linspace(-1.0, 0.5, POINTS))
    assert grid.current.shape == (3, 4, POINTS)
    assert grid.current[0, 1, 0] == pytest.approx(2 * POINTS * 1e-9)  # x runs fastest; nA became A
    assert grid.conductance[0, 0, 0] == POINTS
    assert grid.units == {"Current": "A", "LI Demod 1 X": "V"}
    assert grid.positions[2, 3] == pytest.approx([30.0, 20.0])
    (tmp_path / "a.3ds").write_bytes(grid_file(there=9))
    assert load_spectra(tmp_path / "a.3ds").current.shape == (2, 4, POINTS)  # nine of twelve: two whole rows


def test_grid_without_recorded_positions_has_the_planned_ones(tmp_path):
    (tmp_path / "a.3ds").write_bytes(grid_file(**{"Experiment parameters": '"P;Q"'}))
    places = load_spectra(tmp_path / "a.3ds").positions  # centre (10, 20) Å, 40 x 30 Å, turned 90 degrees clockwise
    assert places[0, 0] == pytest.approx([-5.0, 40.0])
    assert places[0, 1] - places[0, 0] == pytest.approx([0.0, -10.0])
    assert places[1, 0] - places[0, 0] == pytest.approx([10.0, 0.0])


def test_point_spectrum(tmp_path):
    (tmp_path / "a.DAT").write_bytes(point_file())
    spectrum = load_spectra(tmp_path / "a.DAT")
    assert spectrum.bias == pytest.approx(-1 + 0.5 * np.arange(POINTS))
    assert spectrum.current == pytest.approx(1e-9 * np.arange(POINTS))
    assert spectrum.signals["Current [bwd]"] == pytest.approx(-1e-9 * np.arange(POINTS))
    assert spectrum.conductance == pytest.approx(2.0 * np.arange(POINTS))
    assert spectrum.positions == pytest.approx([10.0, -20.0])


def test_rhk_spectra(tmp_path):
    (tmp_path / "a.sm4").write_bytes(spectra_file())
    spectra = load_spectra(tmp_path / "a.sm4")
    assert spectra.bias == pytest.approx(-1 + 0.5 * np.arange(POINTS))
    assert spectra.current == pytest.approx(1e-12 * np.arange(2 * POINTS).reshape(2, POINTS))
    assert list(spectra.signals) == ["Current", "LIA X"]
    assert spectra.positions == pytest.approx(np.array([[10.0, 20.0], [30.0, 40.0]]))
    with pytest.raises(FileError, match="load_spectra"):
        load_scan(tmp_path / "a.sm4")
    with pytest.raises(FileError, match="load_scan"):
        load_spectra(write_sm4(tmp_path, corner(0)))


def test_spectra_check_their_shapes():
    with pytest.raises(ValueError, match="bias and positions need"):
        MeasuredSpectra(np.zeros(3), {"I": np.zeros((2, 4))}, {"I": "A"}, np.zeros((2, 2)))


@pytest.mark.parametrize(
    ("unit", "factor", "base"),
    [("nm", 1e-9, "m"), ("m", 1.0, "m"), ("µA", 1e-6, "A"), ("pA", 1e-12, "A"), ("Å", 1e-10, "m"), ("e-", 1.0, "e-"),
     ("mV", 1e-3, "V"), ("deg", 1.0, "deg"), ("Ampere", 1.0, "A")],
)  # fmt: skip
def test_units(unit, factor, base):
    assert si(unit) == (factor, base)


# ---- what is wrong with a file ------------------------------------------------------------------------


def says(loader, path, match):
    with pytest.raises(FileError, match=match) as caught:
        loader(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"Points": (2**30, "--")}, "promises"),
        ({"Lines": (-3, "--")}, "damaged|greater than 0"),
        ({"Lines": ("many", "--")}, "damaged"),
        ({"Width": (float("nan"), "Meter")}, "finite"),
        ({"Width": (float("inf"), "Meter")}, "finite"),
        ({"Raster_Time": (0.0, "Second")}, "line_time"),
    ],
)
def test_wrong_matrix_parameters(tmp_path, change, match):
    path = write_matrix(tmp_path, corner(0))
    (tmp_path / "a_0001.mtrx").write_bytes(matrix_diary(**change))
    says(load_scan, path, match)


def test_wrong_matrix_files(tmp_path):
    path = write_matrix(tmp_path, corner(0))
    good, diary = path.read_bytes(), (tmp_path / "a_0001.mtrx").read_bytes()
    for content, match in ((good[:-1], "truncated"), (b"ONTMATRX0101", "no data block"), (b"hello", "not a MATRIX"),
                           (good.replace(b"ATAD", b"XXXX"), "truncated|no data"), (matrix_image([]), "complete line"),
                           (good.replace(struct.pack("<I", 96), b"\xff" * 4), "truncated")):  # fmt: skip
        path.write_bytes(content)
        says(load_scan, path, match)
    path.write_bytes(good)
    for content, match in ((diary[:300], "truncated|does not mention"), (b"hello", "not a MATRIX"),
                           (diary.replace(b"BUOD", b"QUOD"), "unknown kind"),
                           (diary.replace(text16("TFF_Linear1D"), text16("TFF_Linear9D")), "unknown transfer"),
                           (diary.replace(text16("Z"), text16("Q")), "calibrated")):  # fmt: skip
        (tmp_path / "a_0001.mtrx").write_bytes(content)
        says(load_scan, path, match)
    odd = tmp_path / "odd.Z_mtrx"
    odd.write_bytes(good)
    says(load_scan, odd, "rename it")
    says(load_scan, tmp_path / "a_0001.mtrx", "give the .Z_mtrx file")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"xPixel": "9"}, "needs 216 bytes"),
        ({"xPixel": "99999999999"}, "xPixel"),
        ({"yPixel": "-6"}, "yPixel"),
        ({"yPixel": "0"}, "lines = 0"),
        ({"XScanRange": None}, "XScanRange"),
        ({"XScanRange": "nan"}, "XScanRange"),
        ({"XPhysUnit": "V"}, "XScanRange"),
        ({"xPixel": "999999", "yPixel": "999999"}, "needs"),
    ],
)
def test_wrong_anfatec_headers(tmp_path, change, match):
    path = write_anfatec(tmp_path, corner(0))
    (tmp_path / "a.txt").write_bytes(anfatec_header(change))
    says(load_scan, tmp_path / "a.txt", match)
    with pytest.raises(FileError):
        load_scan(path)


def test_anfatec_never_leaves_its_folder(tmp_path):
    write_anfatec(tmp_path, corner(0))
    for name in ("../secret.int", "/etc/passwd", "C:\\x.int", ""):
        (tmp_path / "a.txt").write_bytes(anfatec_header(FileName=name))
        says(load_scan, tmp_path / "a.txt", "plain name")
    (tmp_path / "a.txt").write_bytes(anfatec_header(Scale="none"))
    says(load_scan, tmp_path / "a.txt", "Scale")
    (tmp_path / "a.txt").write_bytes(anfatec_header()[:500])
    says(load_scan, tmp_path / "a.txt", "truncated")
    (tmp_path / "a.txt").write_bytes(b"a letter")
    says(load_scan, tmp_path / "a.txt", "not an Anfatec header")


@pytest.mark.parametrize(
    ("loader", "name", "content", "match"),
    [
        (load_scan, "a.gsf", gsf_file(np.zeros(SHAPE))[:-1], "needs 192 bytes"),
        (load_scan, "a.gsf", gsf_file(np.zeros(SHAPE), XRes="999999", YRes="999999"), "needs"),
        (load_scan, "a.gsf", gsf_file(np.zeros(SHAPE), XRes="-1"), "XRes"),
        (load_scan, "a.gsf", gsf_file(np.zeros(SHAPE), XReal="nan"), "metres"),
        (load_scan, "a.gsf", gsf_file(np.zeros(SHAPE), ZUnits="V"), "choose one of: made"),
        (load_scan, "a.gsf", b"hello", "not a Gwyddion simple field"),
        (load_scan, "a.sm4", b"hello", "not an RHK"),
        (load_scan, "a.sm4", spectra_file()[:100], "truncated|promises"),
        (load_scan, "a.3ds", grid_file(), r"\.3ds is not known; \.sxm"),
        (load_spectra, "a.sxm", grid_file(), r"\.sxm is not known; \.3ds"),
        (load_spectra, "a.3ds", b"hello", "not a Nanonis"),
        (load_spectra, "a.3ds", grid_file(there=2), "no complete row"),
        (load_spectra, "a.3ds", grid_file(Points="999999999"), "no complete row"),
        (load_spectra, "a.3ds", grid_file(Points="9999999999999"), "Points"),
        (load_spectra, "a.3ds", grid_file(Points="0"), "at least 1"),
        (load_spectra, "a.3ds", grid_file(**{"Grid dim": '"4"'}), "Grid dim"),
        (load_spectra, "a.3ds", grid_file(**{"Grid dim": '"4 x 999999999"'})[:400], "complete row"),
        (load_spectra, "a.3ds", grid_file(**{"Sweep Signal": '"Z (m)"'}), "only sweeps of the bias"),
        (load_spectra, "a.3ds", grid_file(**{"Fixed parameters": '"A;B"'}), "start and end"),
        (load_spectra, "a.3ds", grid_file(Channels=""), "no complete row"),
        (load_spectra, "a.dat", b"hello", "not a Nanonis"),
        (load_spectra, "a.dat", point_file("Z rel (m)"), "only sweeps of the bias"),
        (load_spectra, "a.dat", point_file()[:-8], "truncated"),
        (load_spectra, "a.dat", point_file(rows=0), "rows have nothing"),
        (load_spectra, "a.dat", point_file().replace(b"\t3\t", b"\tx\t"), "damaged"),
    ],
)
def test_other_wrong_files_say_so(tmp_path, loader, name, content, match):
    (tmp_path / name).write_bytes(content)
    says(loader, tmp_path / name, match)


def test_sm4_counts_are_checked(tmp_path):
    path = write_sm4(tmp_path, corner(0))
    good = bytearray(path.read_bytes())
    for at, value, match in ((70, 2**31, "pages"), (42, 2**31, "objects"), (74, 2**31, "objects")):
        data = bytearray(good)
        struct.pack_into("<I", data, at, value)
        path.write_bytes(data)
        says(load_scan, path, match)


# ---- damage at random ---------------------------------------------------------------------------------

FUZZED = ("mtrx", "diary", "sm4", "spectra", "int", "gsf", "3ds", "dat")
_GOOD = {}


def sound(folder, kind):
    """Write a sound file, and return its path, the path to damage, and what loads it."""
    if kind in ("mtrx", "diary"):
        path = write_matrix(folder, corner(0))
        return path, folder / "a_0001.mtrx" if kind == "diary" else path, load_scan
    if kind in ("sm4", "gsf"):
        path = WRITERS[kind](folder, corner(0))
        return path, path, load_scan
    if kind == "int":
        return write_anfatec(folder, corner(0)), folder / "a.txt", load_scan
    content = {"spectra": spectra_file, "3ds": grid_file, "dat": point_file}[kind]()
    path = folder / f"b.{'sm4' if kind == 'spectra' else kind}"
    path.write_bytes(content)
    return path, path, load_spectra


@settings(max_examples=120, deadline=None)
@given(
    cut=st.integers(0, 5000),
    flips=st.lists(st.tuples(st.integers(0, 4999), st.sampled_from([0, 1, 45, 57, 127, 128, 255])), max_size=8),
    word=st.tuples(st.integers(0, 4999), st.sampled_from([2**31, 2**32 - 1, 2**16, 2**24, 0])),
)
@pytest.mark.parametrize("kind", FUZZED)
def test_damaged_files_give_an_answer_or_one_clear_error(tmp_path_factory, kind, cut, flips, word):
    folder = tmp_path_factory.getbasetemp() / f"fuzz-{kind}"
    if kind not in _GOOD:
        folder.mkdir()
        _GOOD[kind] = (*sound(folder, kind), None)
        _GOOD[kind] = (*_GOOD[kind][:3], _GOOD[kind][1].read_bytes())
    path, target, loader, good = _GOOD[kind]
    data = bytearray(good)
    for at, value in flips:
        data[at % len(data)] = value
    if cut % 2:
        struct.pack_into("<I", data, word[0] % (len(data) - 4), word[1])
    target.write_bytes(data if cut % 3 else data[: cut % len(data)])
    said = what_loading_says(loader, path)
    assert said == "" or (said.startswith(str(path)) and "\n" not in said)


def what_loading_says(loader, path):
    try:
        return "" if isinstance(loader(path), Scan | MeasuredSpectra) else "nothing of use"
    except FileError as error:
        return str(error)


@pytest.mark.parametrize("kind", FUZZED)
def test_promises_cost_neither_memory_nor_time(tmp_path, kind):
    """A huge number at any place of the file: never more than what a small frame takes."""
    path, target, loader = sound(tmp_path, kind)
    good = target.read_bytes()
    loader(path)
    start = time.perf_counter()
    tracemalloc.start()
    for at in range(0, len(good) - 4, max(1, len(good) // 150)):
        data = bytearray(good)
        struct.pack_into("<I", data, at, 2**31 - 1)
        target.write_bytes(data)
        what_loading_says(loader, path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**28
    assert time.perf_counter() - start < 20


# ---- the files themselves -----------------------------------------------------------------------------

REAL = Path(os.environ.get("STMLAB_REAL_DATA", "/nonexistent"))


def real(name):
    path = REAL / "formats" / name
    if not path.is_file():
        pytest.skip(f"{name} is not there; set STMLAB_REAL_DATA")
    return path


def test_real_matrix():
    path = real("20201111--4_1.Z_mtrx")
    scan = load_scan(path)
    assert (scan.raster.width, scan.raster.shape, scan.raster.direction) == (1000.0, (400, 400), "up")
    assert (scan.meta["bias"], scan.meta["setpoint"]) == pytest.approx((0.6, 3e-10))
    trace, retrace = scan.height - np.median(scan.height, axis=2, keepdims=True)
    assert np.corrcoef(trace.ravel(), retrace.ravel())[0, 1] > 0.65  # only if the retrace is mirrored
    module = pytest.importorskip("access2thematrix")
    theirs = module.MtrxData()
    theirs.open(str(path))
    for k, name in enumerate(("forward/up", "backward/up")):
        assert np.allclose(scan.height[k], theirs.select_image(name)[0].data * 1e10, rtol=1e-9)


def test_real_rhk():
    path = real("test_iv.SM4")
    spectra = load_spectra(path)
    assert spectra.current.shape == (5, 299)
    assert spectra.bias[[0, -1]] == pytest.approx([-1.5005, 1.5005], abs=1e-4)
    assert len(spectra.signals) == 5
    theirs = pytest.importorskip("sm4file").Sm4(str(path))[0].data
    assert np.allclose(theirs[:, 1:].T, spectra.signals["DC Current"], rtol=1e-6)
    assert np.allclose(theirs[:, 0], spectra.bias)


def test_real_grid():
    path = real("NanonisReader_STS_grid_lockin.3ds")
    grid = load_spectra(path)
    assert grid.current.shape == grid.conductance.shape == (30, 30, 200)
    assert grid.bias[[0, -1]] == pytest.approx([-0.22, 0.22])
    steps = np.diff(grid.positions, axis=1)
    assert np.hypot(*steps.mean(axis=(0, 1))) == pytest.approx(50 / 30, rel=0.01)
    assert np.corrcoef(grid.current.mean(axis=(0, 1)), grid.bias)[0, 1] > 0.8  # the current rises with the bias
    header, _ = nanonis._header(path.read_bytes())
    planned = nanonis._positions(header, {}, (30, 30))
    assert np.abs(planned - grid.positions).max() < 0.2  # Å; the angle is counted clockwise


def test_real_point():
    spectrum = load_spectra(real("NanonisReader_BiasSpectroscopy.dat"))
    assert spectrum.bias[[0, -1]] == pytest.approx([-2.0, 2.0])
    assert spectrum.positions == pytest.approx([11012.3, 18972.4])
    assert spectrum.current[0] == pytest.approx(-1.00007e-8)
