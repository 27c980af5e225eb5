"""Studies, distributions and named streams of random numbers."""

import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from stmlab._resources import data_path
from stmlab.parameters import (
    GROUPS,
    Choice,
    LogUniform,
    ParameterError,
    Parameters,
    RootUniform,
    SameAs,
    Study,
    Uniform,
    leaves,
    shares,
    stream,
)  # fmt: skip

# ---- streams ------------------------------------------------------------------------------------------


def test_the_bits_never_change():
    assert stream(0, 0, "defects").integers(2**63, size=2).tolist() == [8141097885022816723, 8640061838322494876]
    assert stream(1, 2, "noise").random(2).tolist() == [0.046234534680705375, 0.9154638928936402]


def test_a_stream_repeats_itself():
    assert (stream(3, 5, "noise").random(100) == stream(3, 5, "noise").random(100)).all()


def test_streams_are_all_different():
    seeds = [0, 1, 2, 2**32, 2**32 + 1, 2**64 - 1]
    firsts = {int(stream(s, k, n).integers(2**63)) for s in seeds for k in seeds for n in ("a", "b", "ab")}
    assert len(firsts) == 6 * 6 * 3


def test_streams_are_uncorrelated():
    numbers = np.array([stream(0, index, name).random(2000) for index in range(4) for name in "xyz"])
    correlation = np.corrcoef(numbers) - np.eye(12)
    assert np.abs(correlation).max() < 5 / math.sqrt(2000)
    firsts = np.array([stream(0, index, "x").random() for index in range(2000)])
    assert abs(firsts.mean() - 0.5) < 5 * math.sqrt(1 / 12 / 2000)


def test_numpy_integers_are_integers():
    assert stream(np.int64(1), np.uint8(2), "a").random() == stream(1, 2, "a").random()


@pytest.mark.parametrize("wrong", [-1, 1.0, True, None, "1", 2**64, np.bool_(1)])
def test_wrong_seeds_are_refused(wrong):
    with pytest.raises(ParameterError, match=r"^seed = .* choose 0, 1, 2"):
        stream(wrong, 0, "a")
    with pytest.raises(ParameterError, match=r"^index = "):
        stream(0, wrong, "a")


@pytest.mark.parametrize("wrong", ["", None, 3])
def test_wrong_names_are_refused(wrong):
    with pytest.raises(ParameterError, match="stream name"):
        stream(0, 0, wrong)


def test_a_share_depends_on_seed_index_and_its_own_name_alone():
    assert shares(1, 2, ["a", "b", "c"]) == [shares(1, 2, [name])[0] for name in "abc"]
    seeds = [0, 1, 2, 2**32, 2**32 + 1, 2**64 - 1]
    drawn = [share for s in seeds for k in seeds for share in shares(s, k, ("a", "b", "ab"))]
    assert len(set(drawn)) == 6 * 6 * 3
    assert all(type(share) is float and 0 <= share < 1 and share * 2**53 % 1 == 0 for share in drawn)
    with pytest.raises(ParameterError, match="stream name"):
        shares(0, 0, [""])


@pytest.mark.parametrize("of", [lambda k: (k, 0), lambda k: (0, k), lambda k: (5, 2**48 * k)])
def test_shares_are_uniform_and_independent_along_seeds_and_indices(of):
    drawn = np.array([shares(*of(k), ("vary junction.bias", "vary junction.height", "x")) for k in range(3000)])
    assert all(kstest(column, "uniform").pvalue > 1e-4 for column in drawn.T)
    assert all(kstest(column * 2**20 % 1, "uniform").pvalue > 1e-4 for column in drawn.T)
    together = np.column_stack([drawn[:-1], drawn[1:]])  # three names, and the same of the neighbour
    assert np.abs(np.corrcoef(together.T) - np.eye(6)).max() < 5 / math.sqrt(3000)


# ---- distributions ------------------------------------------------------------------------------------

numbers = st.floats(-1e6, 1e6)
seeds = st.integers(0, 2**32)


@given(numbers, numbers, seeds)
def test_uniform_stays_inside(a, b, seed):
    low, high = min(a, b), max(a, b)
    assert low <= Uniform(low, high).draw(stream(seed, 0, "x")) <= high


@given(st.floats(1e-300, 1e300), st.floats(1e-300, 1e300), seeds)
def test_log_uniform_stays_inside(a, b, seed):
    low, high = min(a, b), max(a, b)
    assert low <= LogUniform(low, high).draw(stream(seed, 0, "x")) <= high


@given(st.integers(1, 50), st.integers(0, 50), seeds)
def test_whole_draws_stay_inside(low, more, seed):
    for law in (Uniform(low, low + more), LogUniform(low, low + more)):
        value = law.draw(stream(seed, 0, "x"), whole=True)
        assert type(value) is int
        assert low <= value <= low + more


def test_moments_are_those_of_the_closed_forms():
    rng, n = stream(0, 0, "x"), 4000
    uniform = [Uniform(2, 5).draw(rng) for _ in range(n)]
    assert abs(np.mean(uniform) - 3.5) < 5 * math.sqrt(9 / 12 / n)
    decades = np.log10([LogUniform(0.01, 100).draw(rng) for _ in range(n)])
    assert abs(decades.mean()) < 5 * math.sqrt(16 / 12 / n)
    both = np.array([Uniform(0.2, 0.5, either_sign=True).draw(rng) for _ in range(n)])
    assert abs((both > 0).mean() - 0.5) < 5 * 0.5 / math.sqrt(n)
    assert abs(both).min() >= 0.2
    dice = [Uniform(1, 6).draw(rng, whole=True) for _ in range(n)]
    assert np.abs(np.bincount(dice)[1:] / n - 1 / 6).max() < 5 * math.sqrt(5 / 36 / n)
    digits = [LogUniform(1, 9).draw(rng, whole=True) for _ in range(n)]  # Benford's law
    assert np.abs(np.bincount(digits)[1:] / n - np.log10(1 + 1 / np.arange(1, 10))).max() < 5 * 0.5 / math.sqrt(n)
    assert {Choice(["a", "b"]).draw(rng) for _ in range(50)} == {"a", "b"}


TOP = 1 - 2.0**-53  # the largest share


def test_laws_turn_shares_into_their_quantiles():
    assert [Uniform(2, 6).at(share) for share in (0.0, 0.25, TOP)] == pytest.approx([2, 3, 6])
    assert [Uniform(2, 6, either_sign=True).at(s) for s in (0.0, 0.25, 0.5, 0.75)] == [2, 4, -2, -4]
    assert [Uniform(1, 4).at(share, whole=True) for share in (0.0, 0.249, 0.25, TOP)] == [1, 1, 2, 4]
    assert [LogUniform(1e-2, 1e2).at(share) for share in (0.0, 0.5, TOP)] == pytest.approx([1e-2, 1, 1e2])
    assert [RootUniform(4, 16).at(share) for share in (0.0, 0.5, TOP)] == pytest.approx([4, 9, 16])
    assert [Choice(["abc", "d", "e"]).at(share) for share in (0.0, 0.34, TOP)] == ["abc", "d", "e"]


@pytest.mark.parametrize("law", [Uniform(1, 3), Uniform(0, 3, either_sign=True), LogUniform(1, 3), RootUniform(0, 3)])
def test_the_last_share_stays_inside(law):
    for whole in (True, False):
        for share in (0.0, 0.5 - 2.0**-53, 0.5, TOP):
            assert abs(law.at(share, whole)) <= 3
            assert type(law.at(share, whole)) is (int if whole else float)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Uniform(2, 1),
        lambda: Uniform(0, math.nan),
        lambda: Uniform(0, math.inf),
        lambda: Uniform("a", 1),
        lambda: Uniform(True, 2),
        lambda: Uniform(-1, 1, either_sign=True),
        lambda: LogUniform(0, 1),
        lambda: LogUniform(2, 1),
        lambda: Choice([]),
        lambda: Choice("abc"),
        lambda: Choice(3),
    ],
)
def test_impossible_distributions_are_refused_in_one_line(wrong):
    with pytest.raises(ParameterError) as caught:
        wrong()
    assert "\n" not in str(caught.value)


# ---- studies ------------------------------------------------------------------------------------------

VARY = {
    "junction.bias": Uniform(0.2, 0.5, either_sign=True),
    "raster.pixels": Uniform(32, 64),
    "noise.current": LogUniform(0.001, 0.1),
    "tip.apex": Choice(["111-0-O", "001-0-O"]),
}


def test_a_sample_is_a_pure_function_of_study_seed_and_index():
    study = Study(vary=VARY)
    bulk = [study.draw(7, k) for k in range(20)]
    assert study.draw(7, 13) == bulk[13]
    assert len(set(bulk)) == 20
    assert study.draw(8, 13) != bulk[13]
    assert {p.junction.bias > 0 for p in bulk} == {True, False}
    assert {p.tip.apex for p in bulk} == {"111-0-O", "001-0-O"}
    assert all(type(p.raster.pixels) is int and 32 <= p.raster.pixels <= 64 for p in bulk)


def test_the_draws_never_change():
    drawn = Study(vary=VARY).draw(1, 2)
    assert (drawn.junction.bias, drawn.raster.pixels, drawn.tip.apex) == (0.20116106261152852, 56, "001-0-O")
    assert drawn.noise.current == pytest.approx(0.01068388471012326, rel=1e-14)  # the platform's exp


def test_varying_one_more_leaf_moves_no_other():
    more = Study(vary={"piezo.drift_x": Uniform(-1, 1), **VARY})
    for k in range(5):
        few, many = Study(vary=VARY).draw(1, k), more.draw(1, k)
        assert many.set({"piezo.drift_x": 0.0}) == few


@pytest.mark.parametrize("path", sorted(data_path("studies").glob("*.toml")), ids=lambda path: path.stem)
def test_what_is_drawn_is_what_set_would_make_of_it(path):
    """A draw leaves out the checks of words, which the study made of all of them beforehand."""
    study = Study.load(path.stem)
    for k in range(5):
        drawn = study.draw(3, k)
        checked = study.base.set({path: drawn[path] for path in study.vary})
        assert drawn == checked
        assert hash(drawn) == hash(checked)
        assert pickle.loads(pickle.dumps(drawn)) == checked
        assert leaves(drawn) == leaves(checked)
        assert [type(leaf.value) for leaf in leaves(drawn).values()] == [leaf.kind for leaf in leaves(drawn).values()]


def test_no_rule_ties_two_parameters_to_each_other():
    """What is legal one by one is legal together: a draw may therefore check each on its own."""
    for kind in [Parameters, *GROUPS.values()]:
        rules = kind.__pydantic_decorators__
        assert not rules.model_validators
        assert not rules.root_validators
        assert all(len(rule.info.fields) and rule.info.mode == "after" for rule in rules.field_validators.values())
    assert {name for kind in GROUPS.values() for rule in kind.__pydantic_decorators__.field_validators.values()
            for name in rule.info.fields} == {"apex", "second_apex", "other_apex", "bias"}  # fmt: skip


def test_a_number_out_of_bounds_is_refused_even_when_drawn(monkeypatch):
    study = Study(vary={"junction.bias": Uniform(0.2, 0.5)})
    monkeypatch.setattr(Uniform, "at", lambda *_, **__: 7.0)
    with pytest.raises(ParameterError, match=r"junction.bias = 7 V is outside \[-3, 3\] V"):
        study.draw(0, 0)


@given(st.floats(-3, 3), st.floats(-3, 3), st.booleans(), st.integers(0, 2**53 - 1))
def test_no_legal_range_holds_a_bias_that_is_not(a, b, either_sign, share):
    """The one gap inside a range: a law must begin or end beyond it, or be refused."""
    law = (abs(a), abs(b)) if either_sign else (a, b)
    try:
        study = Study(vary={"junction.bias": Uniform(min(law), max(law), either_sign)})
    except ParameterError:
        return
    Parameters().set({"junction.bias": study.vary["junction.bias"].at(share * 2.0**-53)})


def test_what_does_not_vary_is_the_base():
    base = Parameters().set({"raster.angle": 30.0})
    assert Study(base).draw(0, 5) == base
    drawn = Study(base, VARY).draw(0, 5)
    assert all(drawn[path] == base[path] for path in leaves(base) if path not in VARY)


@pytest.mark.parametrize(
    ("vary", "said"),
    [
        ({"junction.bias": Uniform(1, 4)}, "vary junction.bias = 4 V is outside [-3, 3] V"),
        ({"junction.bias": Uniform(-1, 1)}, "vary junction.bias = 0 V drives no current"),
        ({"junction.bias": Uniform(0.0, 1, either_sign=True)}, "drives no current"),
        ({"junction.bias": Uniform(1, 4, either_sign=True)}, "is outside"),
        ({"raster.pixels": Uniform(16.5, 64)}, "is not a whole number"),
        ({"raster.pixels": Choice([32, "64"])}, "is not a number"),
        ({"tip.apex": Choice(["111-0-O", "111-0-X"])}, "vary tip.apex = '111-0-X' does not fit"),
        ({"tip.apex": Uniform(0, 1)}, "is not text"),
        ({"junction.bais": Uniform(0, 1)}, "did you mean 'junction.bias'?"),
        ({"junction.bias": (0.2, 0.5)}, "use Uniform, LogUniform, RootUniform, Choice or SameAs"),
    ],
)
def test_whatever_could_be_drawn_must_be_legal(vary, said):
    with pytest.raises(ParameterError) as caught:
        Study(vary=vary)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_study_survives_its_file(tmp_path):
    study = Study(Parameters().set({"raster.angle": 0.1}), VARY, name="mine", description='says "why"')
    study.to_toml(tmp_path / "mine.toml")
    assert Study.load(tmp_path / "mine.toml") == study == Study.load(str(tmp_path / "mine.toml"))
    assert '"junction.bias" = {uniform = [0.2, 0.5], either_sign = true}\n' in study.dumps()
    assert pickle.loads(pickle.dumps(study)) == study


def test_a_parameter_file_is_a_study_in_which_nothing_varies():
    p = Parameters().set({"junction.bias": -1.0})
    assert Study.loads(p.dumps()) == Study(p)


def test_the_study_keeps_its_own_copy_of_what_varies():
    vary = dict(VARY)
    study = Study(vary=vary)
    vary["junction.bias"] = None
    assert study.draw(0, 0).junction.bias


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ('[vary]\n"junction.bias" = {unifrom = [0, 1]}', "is not a distribution"),
        ('[vary]\n"junction.bias" = {uniform = [0.1]}', "is not a distribution"),
        ('[vary]\n"junction.bias" = {uniform = [0.1, 1], choice = [1]}', "is not a distribution"),
        ('[vary]\n"junction.bias" = {uniform = [0.1, 1], eitherSign = true}', "is not a distribution"),
        ('[vary]\n"junction.bias" = {uniform = [0.1, 1], either_sign = 1}', "is not a distribution"),
        ('[vary]\n"noise.current" = {log_uniform = [0.1, 1], either_sign = true}', "is not a distribution"),
        ('[vary]\n"junction.bias" = {choice = 3}', "is not a distribution"),
        ('[vary]\n"junction.bias" = 3', "is not a distribution"),
        ("[vary]\njunction.bias = {uniform = [0.1, 1]}", "is not a distribution"),
        ('[vary]\n"junction.bias" = {uniform = [0.1, "1"]}', "is not a finite number"),
        ('[vary]\n"junction.bias" = {uniform = [0.1, nan]}', "is not a finite number"),
        ('[vary]\n"junction.bias" = {uniform = [1, 0.1]}', "put the lower end first"),
        ('[vary]\n"junction.bais" = {uniform = [0.1, 1]}', "did you mean 'junction.bias'?"),
        ("vary = 3", "is not a section"),
        ("name = 3", "is not text"),
        ("title = 'x'", "unknown section 'title'"),
        ("[vary", "not valid TOML"),
    ],
)
def test_a_wrong_study_file_is_named(tmp_path, toml, said):
    path = tmp_path / "wrong.toml"
    path.write_text(toml)
    with pytest.raises(ParameterError, match=r"wrong\.toml: ") as caught:
        Study.load(path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_study_lists_or_names_the_bundled_ones():
    with pytest.raises(ParameterError, match="unknown study 'first-ligth'; did you mean 'first-light'"):
        Study.load("first-ligth")
    with pytest.raises(ParameterError, match=r"unknown study 'zzz'; known: .*first-light"):
        Study.load("zzz")
    with pytest.raises(ParameterError, match=r"zzz.toml does not exist"):
        Study.load("zzz.toml")


@pytest.mark.parametrize("path", sorted(data_path("studies").glob("*.toml")), ids=lambda path: path.stem)
def test_every_bundled_study_loads_and_draws(path):
    study = Study.load(path.stem)
    assert study.name == path.stem
    assert study.description
    assert study.vary
    assert Study.loads(study.dumps()) == study
    assert len({study.draw(0, k) for k in range(20)}) == 20


# ---- laws for what depends on something else ----------------------------------------------------------


@given(st.floats(0, 1e6), st.floats(0, 1e6), seeds)
def test_root_uniform_stays_inside(a, b, seed):
    low, high = min(a, b), max(a, b)
    assert low <= RootUniform(low, high).draw(stream(seed, 0, "x")) <= high


def test_the_root_of_root_uniform_is_uniform():
    rng, n = stream(0, 0, "x"), 4000
    roots = np.sqrt([RootUniform(4, 25).draw(rng) for _ in range(n)])
    assert abs(roots.mean() - 3.5) < 5 * math.sqrt(9 / 12 / n)
    assert abs(roots.var() - 9 / 12) < 0.05
    dice = np.bincount([RootUniform(0, 3).draw(rng, whole=True) for _ in range(n)])
    assert np.abs(dice / n - np.diff(np.sqrt(np.arange(5))) / 2).max() < 5 * 0.5 / math.sqrt(n)
    with pytest.raises(ParameterError, match="must start at 0"):
        RootUniform(-1, 1)


def test_what_is_the_same_as_another_follows_it():
    square = {"raster.width": Uniform(10, 40), "raster.height": SameAs("raster.width")}
    drawn = [Study(vary=square).draw(1, k) for k in range(10)]
    assert all(p.raster.height == p.raster.width for p in drawn)
    assert len({p.raster.width for p in drawn}) == 10
    alone = Study(vary={"raster.width": Uniform(10, 40)})
    assert [alone.draw(1, k).raster.width for k in range(10)] == [p.raster.width for p in drawn]
    still = Study(Parameters().set({"raster.pixels": 48}), {"raster.lines": SameAs("raster.pixels")})
    assert still.draw(0, 0).raster.lines == 48


def test_coupled_leaves_survive_their_file():
    vary = {"raster.height": SameAs("raster.width"), "junction.work_function": RootUniform(3.0, 5.0),
            "raster.width": Uniform(10, 40)}  # fmt: skip
    study = Study(vary=vary)
    assert '"raster.height" = {same_as = "raster.width"}\n' in study.dumps()
    assert '"junction.work_function" = {root_uniform = [3.0, 5.0]}\n' in study.dumps()
    assert Study.loads(study.dumps()) == study


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ('"raster.height" = {same_as = "raster.widht"}', "did you mean 'raster.width'?"),
        ('"raster.height" = {same_as = "raster.height"}', "itself a copy; name the one that is drawn"),
        ('"raster.height" = {same_as = "raster.width"}\n"raster.width" = {same_as = "raster.height"}', "itself a copy"),
        ('"raster.height" = {same_as = "raster.angle"}', "they are not in the same unit"),
        ('"raster.lines" = {same_as = "noise.current"}', "they are not in the same unit"),
        ('"piezo.jitter_fast" = {same_as = "raster.width"}', "vary piezo.jitter_fast = 30 Å is outside [0, 5] Å"),
        ('"tip.second_apex" = {same_as = "raster.width"}', "they are not in the same unit"),
        ('"tip.apex" = {same_as = "tip.second_apex"}', "vary tip.apex = 'none' is no"),
        ('"raster.height" = {same_as = 3}', "is not a distribution"),
        ('"raster.height" = {same_as = "raster.width", either_sign = true}', "is not a distribution"),
        ('"raster.height" = {root_uniform = [10]}', "is not a distribution"),
        ('"raster.height" = {root_uniform = [40, 10]}', "put the lower end first"),
    ],
)
def test_wrong_couplings_are_refused_in_one_line(toml, said):
    with pytest.raises(ParameterError) as caught:
        Study.loads(f"[vary]\n{toml}")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_fixed_varies_no_more_and_the_rest_as_before():
    laws = {"raster.width": Uniform(10, 20), "raster.height": SameAs("raster.width"), "junction.bias": Uniform(1, 2)}
    study = Study(vary=laws, name="three")
    fixed = study.fixed({"raster.width": 15.0, "raster.pixels": 32})
    drawn, before = fixed.draw(3, 7), study.draw(3, 7)
    assert (drawn["raster.width"], drawn["raster.height"], drawn["raster.pixels"]) == (15.0, 15.0, 32)
    assert drawn["junction.bias"] == before["junction.bias"]
    assert (fixed.name, study.base["raster.width"]) == ("three", Study().base["raster.width"])
    with pytest.raises(ParameterError, match=r"raster\.pixels"):
        study.fixed({"raster.pixels": -1})
