"""The networks that come with stmlab: small, described, logged, and as good as their cards say."""

import csv

import pytest

pytest.importorskip("torch")

import stmlab
from stmlab._resources import data_path
from stmlab.learn import detections, evaluate, load_model, r2
from stmlab.learn.models import BUNDLED

LARGEST = 3e6  # bytes


@pytest.fixture(params=BUNDLED)
def name(request):
    return request.param


def test_file_is_small(name):
    assert data_path("networks", f"{name}.safetensors").stat().st_size < LARGEST


def test_card_says_what_it_was_made_of(name):
    card = load_model(name).card
    assert "simulated" in card["limits"]
    assert 0 < card["detection"]["threshold"] < 1
    data = card["training"]["data"]
    for source in data.get("mixed", [data]):
        assert stmlab.Study.loads(source["toml"]).vary


def test_log_ends_with_the_figures_of_the_card(name):
    card = load_model(name).card
    with data_path("networks", f"{name}.csv").open(newline="") as file:
        *_, last = csv.DictReader(file)
    assert int(last["step"]) == card["training"]["steps"]
    for figure, value in card["validation"].items():
        assert float(last[figure]) == pytest.approx(value, rel=1e-4)


@pytest.fixture(scope="module")
def unseen(tmp_path_factory):
    """The same 96 sheets, as an instrument records them and as the ideal image."""
    folder = tmp_path_factory.mktemp("unseen")
    return {study: stmlab.generate(stmlab.Study.load(f"thesis-{study}"), 96, 4242, folder / f"{study}.zarr", workers=1,
                                   progress=False) for study in ("main", "control")}  # fmt: skip


@pytest.mark.parametrize("study", ["main", "control"])
def test_it_is_as_good_on_unseen_samples(unseen, study):
    model = load_model(study)
    lattice, defects = r2(evaluate(model, unseen[study]).sums)
    assert lattice == pytest.approx(model.card["validation"]["r2_lattice"], abs=0.1)
    assert defects == pytest.approx(model.card["validation"]["r2_defects"], abs=0.1)


def test_main_knows_the_instrument_and_control_does_not(unseen):
    main, control = ({study: r2(evaluate(load_model(name), unseen[study]).sums)[1] for study in unseen}
                     for name in ("main", "control"))  # fmt: skip
    assert main["main"] > control["main"] + 0.1
    assert control["control"] > control["main"]


def test_defects_are_found_to_a_third_of_an_angstrom(tmp_path):
    study = stmlab.Study.load("thesis-main").fixed({"raster.width": 25.6, "raster.retrace": "skipped"})  # 0.4 Å pixels
    data = stmlab.generate(study, 128, 4243, tmp_path / "fine.zarr", workers=1, progress=False)
    found = detections(load_model("main"), data)
    assert found.rmse < 1 / 3  # Å; measured 0.302, and 0.286 on 512 frames of seed 4244
    assert found.f1 > 0.9
    assert min(found.recall_by_kind.values()) > 0.8
