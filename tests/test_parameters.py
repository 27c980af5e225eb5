"""The tree of parameters: what it holds, what it refuses and how it is written."""

import copy
import math
import pickle
import string
import tomllib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stmlab
from stmlab._groups import PLANE_ATOMS
from stmlab.parameters import ParameterError, Parameters, leaves

LEAVES = leaves(Parameters())


WORDS = ("tip.apex", "tip.second_apex", "tip.other_apex")  # checked by their group


def apexes():
    """Every legal tip apex."""
    planes = [(axis, plane, atoms) for axis in PLANE_ATOMS for plane, atoms in enumerate(PLANE_ATOMS[axis])]
    keeps = st.sampled_from(planes).flatmap(
        lambda tip: st.text("OX", min_size=tip[2], max_size=tip[2])
        .filter(lambda keep: "O" in keep)
        .map(lambda keep: f"{tip[0]}-{tip[1]}-{keep}")
    )
    return keeps


def legal(path):
    """Every legal value of one parameter."""
    leaf = LEAVES[path]
    if path in WORDS:
        return apexes()
    if leaf.choices:
        return st.sampled_from(leaf.choices)
    if leaf.kind is int:
        return st.integers(leaf.low, leaf.high)
    numbers = st.floats(leaf.low, leaf.high)
    return numbers.filter(lambda v: abs(v) >= 0.001) if path == "junction.bias" else numbers


def changes():
    """Legal changes of any few parameters."""
    return st.sets(st.sampled_from(list(LEAVES)), max_size=8).flatmap(
        lambda paths: st.fixed_dictionaries({path: legal(path) for path in paths})
    )


def message(changes):
    with pytest.raises(ParameterError) as caught:
        Parameters().set(changes)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# ---- what is declared ---------------------------------------------------------------------------------


def test_every_leaf_says_what_it_is_and_has_a_legal_default():
    assert list(LEAVES)[:2] == ["sample.model", "sample.fermi"]
    assert [path.split(".")[0] for path in LEAVES] == sorted(
        [path.split(".")[0] for path in LEAVES], key=list(Parameters.model_fields).index
    )
    for path, leaf in LEAVES.items():
        assert len(leaf.meaning) > 10, path
        assert type(leaf.value) is leaf.kind, path
        assert Parameters().set({path: leaf.value}) == Parameters(), path
        assert bool(leaf.choices) + (leaf.low is not None) == (path not in WORDS), path


def test_defaults_are_those_that_the_book_states():
    p = Parameters()
    assert (p.sample.lattice_constant, p.sample.thickness, p.tip.apex) == (3.32, 3.36, "111-1-OXX")
    assert (p.junction.bias, p.junction.height, p.junction.work_function) == (0.5, 5.0, 4.5)
    assert (p.feedback.loop_gain, p.feedback.steps_per_pixel, p.noise.current) == (0.3, 8, 0.02)


def test_both_bounds_are_legal_and_the_next_number_outside_is_not():
    for path, leaf in LEAVES.items():
        if leaf.low is None:
            continue
        step = 1 if leaf.kind is int else 0
        for end, away in ((leaf.low, -math.inf), (leaf.high, math.inf)):
            assert Parameters().set({path: end})[path] == end
            beyond = end + step * int(math.copysign(1, away)) if step else math.nextafter(float(end), away)
            assert f"is outside {leaf.limits}" in message({path: beyond})


# ---- changing -----------------------------------------------------------------------------------------


def test_set_returns_a_changed_copy():
    p = Parameters()
    q = p.set({"junction.bias": -1.2, "junction.height": 6, "raster.pixels": 128})
    assert (q.junction.bias, q.junction.height, q.raster.pixels) == (-1.2, 6.0, 128)
    assert (p.junction.bias, p.raster.pixels) == (0.5, 64)
    assert q.feedback is p.feedback
    assert type(q.junction.height) is float
    assert q["junction.bias"] == -1.2


def test_numpy_numbers_become_plain_ones():
    p = Parameters().set({"junction.bias": np.float32(0.25), "raster.pixels": np.int64(32), "raster.lines": 48.0})
    assert (type(p.junction.bias), type(p.raster.pixels), type(p.raster.lines)) == (float, int, int)


def test_nothing_can_be_assigned():
    p = Parameters()
    for target, name in ((p, "junction"), (p.junction, "bias"), (p.junction, "new")):
        with pytest.raises(ParameterError, match="immutable"):
            setattr(target, name, 1.0)
    assert p == Parameters()


def test_values_compare_hash_pickle_and_copy():
    p = Parameters().set({"tip.apex": "001-1-OXXO"})
    assert p != Parameters()
    assert hash(p) == hash(Parameters().set({"tip.apex": "001-1-OXXO"}))
    assert pickle.loads(pickle.dumps(p)) == copy.deepcopy(p) == p


def test_groups_may_be_given_as_dicts():
    assert Parameters(junction={"bias": -1}) == Parameters().set({"junction.bias": -1})


# ---- refusing -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"junction.bias": 7}, "junction.bias = 7 V is outside [-3, 3] V; choose a value inside"),
        ({"junction.bias": 0}, "junction.bias = 0 V drives no current; choose a magnitude of at least 0.001 V"),
        ({"junction.bias": math.nan}, "junction.bias = nan V is not finite; choose a number in [-3, 3] V"),
        ({"junction.bias": -math.inf}, "junction.bias = -inf V is not finite; choose a number in [-3, 3] V"),
        ({"junction.bias": np.float64("nan")}, "junction.bias = nan V is not finite; choose a number in [-3, 3] V"),
        ({"junction.bias": "0.5"}, "junction.bias = '0.5' is not a number; choose one in [-3, 3] V"),
        ({"junction.bias": True}, "junction.bias = True is not a number; choose one in [-3, 3] V"),
        ({"junction.bias": None}, "junction.bias = None is not a number; choose one in [-3, 3] V"),
        ({"raster.pixels": 3.5}, "raster.pixels = 3.5 is not a whole number; choose one in [2, 2048]"),
        ({"raster.pixels": 1}, "raster.pixels = 1 is outside [2, 2048]; choose a value inside"),
        ({"raster.direction": "left"}, "raster.direction = 'left' is not known; choose 'up' or 'down'"),
        ({"tip.apex": 3}, "tip.apex = 3 is not text; choose a word in quotes"),
        ({"junction.bais": 1}, "unknown parameter 'junction.bais'; did you mean 'junction.bias'?"),
        ({"bias": 1}, "unknown parameter 'bias'; did you mean 'junction.bias'?"),
        ({"heigth": 1}, "unknown parameter 'heigth'; did you mean 'junction.height' or 'raster.height'?"),
        ({"qqq": 1}, "unknown parameter 'qqq'; `stmlab parameters` lists them all"),
        ({7: 1}, "unknown parameter 7; `stmlab parameters` lists them all"),
    ],
)
def test_a_wrong_value_is_one_line_that_says_what_to_do(wrong, said):
    assert message(wrong) == said


@pytest.mark.parametrize("number", [10**400, -(10**400), 1e308])
def test_absurd_numbers_are_outside(number):
    assert "is outside" in message({"junction.bias": number})
    assert len(message({"raster.pixels": number})) < 200


@pytest.mark.parametrize(
    "apex",
    ["", "111", "111-1", "110-1-OXX", "111-4-O", "111-01-OXX", "111-1-OX", "111-1-XXX", "111-1-OXx", "001-2-O", "1"],
)
def test_impossible_tips_are_refused(apex):
    assert message({"tip.apex": apex}).startswith(f"tip.apex = {apex!r} ")


@given(apexes())
def test_possible_tips_are_accepted(apex):
    assert Parameters().set({"tip.apex": apex}).tip.apex == apex


@pytest.mark.parametrize(
    "groups", [{"junktion": {}}, {"junction": {"bais": 1}}, {"junction": 3}, {"junction": {"bias": "x"}}, {"bias": 1}]
)
def test_wrong_groups_are_refused_in_one_line(groups):
    with pytest.raises(ParameterError) as caught:
        Parameters(**groups)
    assert "\n" not in str(caught.value)


@given(st.text(string.ascii_lowercase + "._", max_size=20).filter(lambda path: path not in LEAVES))
def test_any_unknown_name_is_refused_in_one_line(path):
    assert message({path: 1}).startswith("unknown parameter ")


# ---- files --------------------------------------------------------------------------------------------


@settings(max_examples=50)
@given(changes())
def test_toml_round_trip_is_exact(changes):
    p = Parameters().set(changes)
    assert Parameters.loads(p.dumps()) == p
    assert leaves(Parameters.loads(p.dumps())) == leaves(p)


def test_the_file_says_range_unit_and_meaning_of_every_value():
    lines = Parameters().dumps().splitlines()
    for path, leaf in LEAVES.items():
        assert any(
            line.startswith(f"{path.split('.')[1]} = ") and leaf.meaning in line and leaf.limits in line
            for line in lines
        ), path
    assert tomllib.loads("\n".join(lines))["junction"]["bias"] == 0.5


def test_what_a_file_does_not_mention_keeps_its_default(tmp_path):
    path = tmp_path / "x.toml"
    path.write_text("[junction]\nbias = -1 # filled states\n")
    assert Parameters.from_toml(path) == Parameters().set({"junction.bias": -1.0})


def test_writing_over_a_parameter_file_keeps_its_comments(tmp_path):
    path = tmp_path / "x.toml"
    path.write_text("# for figure 3\n[junction]\nbias = -1 # filled states\n")
    Parameters.from_toml(path).set({"junction.bias": -1.25}).to_toml(path)
    assert "# for figure 3\n" in path.read_text()
    assert "bias = -1.25 # filled states\n" in path.read_text()
    assert Parameters.from_toml(path) == Parameters().set({"junction.bias": -1.25})
    assert [file.name for file in tmp_path.iterdir()] == ["x.toml"]


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x.toml"
    path.write_text("not a parameter file")

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="No space"):
        Parameters().to_toml(path)
    assert [file.read_text() for file in tmp_path.iterdir()] == ["not a parameter file"]


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("[junction]\nbias = 7", "junction.bias = 7 V is outside"),
        ("[junction]\nbias = nan", "is not finite"),
        ("[junction]\nbais = 1", "did you mean 'junction.bias'?"),
        ("[junktion]\nbias = 1", "unknown section 'junktion'; did you mean 'junction'?"),
        ("junction = 1", "is not a section"),
        ("[junction", "not valid TOML"),
        ("[junction]\nbias = ", "not valid TOML"),
        ("[vary]", "read it with Study.load"),
    ],
)
def test_a_wrong_file_is_named(tmp_path, toml, said):
    path = tmp_path / "wrong.toml"
    path.write_text(toml)
    with pytest.raises(ParameterError, match=r"wrong\.toml: ") as caught:
        Parameters.from_toml(path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    for name, said in (("missing.toml", "does not exist"), (".", "is a folder"), ("binary.toml", "not a text file")):
        with pytest.raises(ParameterError, match=said):
            Parameters.from_toml(tmp_path / name)
    with pytest.raises(ParameterError, match="cannot be read"):
        Parameters.from_toml(tmp_path / "binary.toml" / "below.toml")


def test_the_top_level_names_are_these():
    assert stmlab.Parameters is Parameters
    assert issubclass(ParameterError, ValueError)
