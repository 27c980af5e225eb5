"""The table of figures, and the commands."""

import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import stmlab  # noqa: E402
from stmlab import cli  # noqa: E402
from stmlab.learn import Evaluation, Stored, UNet, evaluate, load_model, pixel_sums, save_model, segment  # noqa: E402
from stmlab.learn.train import validate  # noqa: E402

from .conftest import STUDY  # noqa: E402


@pytest.fixture(scope="module")
def model(tiny):
    """A network that has seen a little."""
    torch.manual_seed(0)
    model = UNet(base=4, depth=2)
    with torch.no_grad():
        model(torch.from_numpy(Stored(tiny, 40).batch(0)[0]))
    return model.eval()


def test_it_is_what_segment_makes_of_all_images(tiny, model, monkeypatch):
    images, masks = tiny[:]
    sums = pixel_sums(segment(model, images[:, 0]), masks)
    monkeypatch.setattr(sys.modules["stmlab.learn.evaluate"], "AT_ONCE", 25)
    found = evaluate(model, tiny)
    for part, wanted in zip(found.sums, sums, strict=True):
        np.testing.assert_allclose(part, wanted, rtol=1e-5)
    assert len(evaluate(model, tiny, 7).sums.pixels) == 7
    wide = tiny.drawn["raster.width"] > 15
    np.testing.assert_allclose(
        found.chosen(wide).figures["MSE"][2],
        ((segment(model, images[wide, 0]) - masks[wide]) ** 2).mean(), rtol=1e-5)  # fmt: skip
    assert found.study == "tiny"


def test_validation_in_training_and_evaluation_agree(tiny, model):
    images, masks = Stored(tiny, 60).batch(0)
    said, figures = validate(model, images, masks), evaluate(model, tiny).figures
    assert said["mse"] == pytest.approx(figures["MSE"][2], rel=1e-5)
    assert said["smooth_l1"] == pytest.approx(figures["smooth L1"][2], rel=1e-5)
    assert [said["r2_lattice"], said["r2_defects"]] == pytest.approx(figures["R2"][:2], rel=1e-4)


def test_figures_of_both_labels_together():
    rng = np.random.default_rng(0)
    target, guess = rng.random((2, 3, 2, 8, 8))
    figures = Evaluation(pixel_sums(guess, target)).figures
    assert figures["MSE"][2] == pytest.approx(((guess - target) ** 2).mean())
    assert figures["target variance"][2] == pytest.approx(target.var())


def test_the_table_puts_the_thesis_beside(tiny, model):
    sums = evaluate(model, tiny).sums
    lines = Evaluation(sums, "thesis-main").table().splitlines()
    assert lines[0].split() == ["lattice", "defects", "both", "thesis"]
    assert [line.split()[-1] for line in lines[1:4]] == ["0.0173", "0.00864", "0.071"]
    assert Evaluation(sums, "thesis-control").table().splitlines()[1].split()[-1] == "0.0137"
    assert len(Evaluation(sums, "tiny").table().splitlines()[1].split()) == 4
    assert "60 images" in lines[-1]


def test_what_cannot_be_compared_is_refused(tmp_path):
    study = stmlab.Study(STUDY.base, {"raster.pixels": stmlab.Choice([8, 16])}, name="varied")
    data = stmlab.generate(study, 3, 0, tmp_path / "varied.zarr", workers=1, progress=False)
    with pytest.raises(ValueError, match="frames differ in size"):
        evaluate(UNet(base=4, depth=2), data)


# ---- commands -----------------------------------------------------------------------------------------


def run(*arguments):
    with pytest.raises(SystemExit) as left:
        cli.main([str(argument) for argument in arguments])
    return left.value.code


def test_the_commands_train_and_evaluate(tiny, tmp_path, capsys):
    out = tmp_path / "net.safetensors"
    how = ("--samples", 40, "--batch", 8, "--base", 4, "--depth", 2, "--every", 3, "--seed", 2, "--out", out)
    assert run("train", tiny.path, *how) == 0
    assert capsys.readouterr().out.strip() == str(out)
    assert load_model(out).card["training"]["seed"] == 2
    assert {path.name for path in tmp_path.iterdir()} == {"net.safetensors", "net.toml", "net.csv"}
    assert run("evaluate", out, tiny.path, "--count", 20) == 0
    assert "20 images" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("train", "thesis-mian"), "thesis-mian"),
        (("train", "thesis-main", "--epochs", 2), "a study has no end, and so no epochs"),
        (("train", "thesis-main", "--set", "raster.lines=0"), "raster.lines = 0"),
        (("train", ".", "--set", "raster.lines=8"), "--set changes studies"),
        (("train", "thesis-main", "--loss", "l2"), "'l2' is not one of"),
        (("train", "thesis-main", "--out", "net.pt"), "must end in .safetensors"),
        (("evaluate", "gone.safetensors", "."), "gone.safetensors does not exist"),
        (("evaluate", "mian", "."), "unknown network 'mian'"),
    ],
)
def test_mistakes_are_one_line(arguments, complaint, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) == 2
    said = capsys.readouterr().err.strip()
    assert complaint in said
    assert "\n" not in said
    assert not list(tmp_path.iterdir())


def test_evaluating_on_no_dataset_is_a_mistake(model, tmp_path, capsys):
    save_model(model, tmp_path / "net.safetensors")
    assert run("evaluate", tmp_path / "net.safetensors", tmp_path) == 2
    assert "is no dataset" in capsys.readouterr().err


MISSING = """
import sys
sys.modules["{package}"] = None
{then}
"""


@pytest.mark.parametrize("package", ["torch", "safetensors"])
def test_a_missing_package_is_named_with_its_extra(package):
    def outcome(then):
        script = MISSING.format(package=package, then=then)
        return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    done = outcome("import stmlab.learn")
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1] == (
        f"ImportError: stmlab.learn needs {package}, which is missing: pip install 'stmlab[learn]'"
    )
    done = outcome("from stmlab.cli import main; main(['train', 'thesis-main'])")
    assert done.returncode == 2
    assert done.stderr.strip() == f"stmlab: stmlab.learn needs {package}, which is missing: pip install 'stmlab[learn]'"


def test_a_study_can_be_fixed_for_training(tmp_path):
    out = tmp_path / "net.safetensors"
    fixed = ("--set", "raster.pixels=16", "--set", "raster.lines=16", "--set", "raster.retrace=skipped")
    how = ("--samples", 8, "--batch", 4, "--base", 2, "--depth", 2, "--out", out)
    assert run("train", "thesis-control", *fixed, *how) == 0
    study = stmlab.Study.loads(load_model(out).card["training"]["data"]["toml"])
    assert (study.base["raster.pixels"], study.base["raster.retrace"]) == (16, "skipped")
