"""Training: the same bits again, interrupted or not, in one process or two."""

import csv
import os
import subprocess
import sys
import tomllib
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from stmlab.learn import LOSSES, ModelError, Stored, UNet, load_model, segment, train  # noqa: E402
from stmlab.learn.checkpoint import Log, load_checkpoint, read_log  # noqa: E402
from stmlab.learn.step import optimizer_of  # noqa: E402

from .conftest import STUDY  # noqa: E402

SMALL = {"base": 4, "depth": 2, "batch": 8, "every": 4, "progress": False, "held": 8}
MODULE = sys.modules["stmlab.learn.train"]


def weights(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def assert_same(one, other):
    torch.testing.assert_close(weights(one), weights(other), rtol=0, atol=0)


class Stop(Exception):
    """Whatever ends a process."""


@pytest.fixture
def stopping(monkeypatch):
    """Return a function that makes training stop when it asks for a batch."""

    def stop_at(number):
        take = Stored.batch

        def batch(self, k):
            if k == number and self.size == SMALL["batch"] and self.first == 0:
                raise Stop
            return take(self, k)

        monkeypatch.setattr(Stored, "batch", batch)

    yield stop_at
    monkeypatch.undo()


# ---- the same again -----------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bits_and_another_others(tiny, tmp_path):
    one, again = (train(tiny, steps=9, seed=3, out=tmp_path / f"{k}.safetensors", **SMALL) for k in "ab")
    assert_same(one, again)
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    other = train(tiny, steps=9, seed=4, out=tmp_path / "c.safetensors", **SMALL)
    assert not torch.equal(one.head.weight, other.head.weight)


@pytest.mark.parametrize("schedule", ["one-cycle", "cosine"])
def test_a_resumed_run_equals_an_uninterrupted_one(tiny, tmp_path, stopping, monkeypatch, schedule):
    how = SMALL | {"steps": 15, "schedule": schedule, "flip": True}
    whole = train(tiny, out=tmp_path / "whole.safetensors", **how)
    out = tmp_path / "net.safetensors"
    for number in (6, 9):
        stopping(number)
        with pytest.raises(Stop):
            train(tiny, out=out, **how)
        monkeypatch.undo()
        assert not out.exists()
        assert (tmp_path / "net.checkpoint.safetensors").exists()
    resumed = train(tiny, out=out, **how)
    assert_same(whole, resumed)
    assert_same(whole, load_model(out))
    assert out.read_bytes() == (tmp_path / "whole.safetensors").read_bytes()
    assert not (tmp_path / "net.checkpoint.safetensors").exists()
    rows = [[{k: v for k, v in row.items() if k != "samples_per_s"} for row in read_log(tmp_path / f"{name}.csv")]
            for name in ("whole", "net")]  # fmt: skip
    assert rows[0] == rows[1]
    assert [row["step"] for row in rows[0]] == [4, 8, 12, 15]


def test_a_finished_run_is_not_run_again(tiny, tmp_path, stopping):
    out = tmp_path / "net.safetensors"
    first = train(tiny, steps=4, out=out, **SMALL)
    stopping(0)
    assert_same(first, train(tiny, steps=4, out=out, **SMALL))
    with pytest.raises(ModelError, match=r"net\.safetensors holds a network of another run"):
        train(tiny, steps=5, out=out, **SMALL)
    with pytest.raises(Stop):
        train(tiny, steps=5, out=out, resume=False, **SMALL)


def test_threads_do_not_change_the_bits(tiny, tmp_path):
    one, three = (train(tiny, steps=5, threads=n, out=tmp_path / f"{n}.safetensors", **SMALL) for n in (1, 3))
    assert_same(one, three)


def test_the_generator_of_torch_is_left_alone(tiny, tmp_path):
    torch.manual_seed(11)
    wanted = torch.rand(3)
    torch.manual_seed(11)
    train(tiny, steps=2, out=tmp_path / "a.safetensors", **SMALL)
    torch.testing.assert_close(torch.rand(3), wanted, rtol=0, atol=0)


# ---- it learns ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["bce", "mse", "smooth-l1"])
def test_it_learns(tiny, tmp_path, loss):
    train(tiny, epochs=12, loss=loss, out=tmp_path / "a.safetensors", **SMALL | {"every": 12})
    rows = read_log(tmp_path / "a.csv")
    assert rows[-1]["loss"] < 0.8 * rows[0]["loss"]
    assert rows[-1]["mse"] < 0.8 * rows[0]["mse"]
    assert rows[-1]["samples"] == 12 * 6 * 8  # 52 samples are left to learn from: 6 batches


def test_a_study_is_streamed(tmp_path):
    model = train(STUDY, samples=30, out=tmp_path / "a.safetensors", **SMALL)
    row = read_log(tmp_path / "a.csv")[-1]
    assert (row["step"], row["samples"]) == (4, 32)
    assert model.card["training"]["data"]["study"] == "tiny"
    assert segment(model, np.zeros((9, 9))).shape == (2, 9, 9)


def test_the_card_says_where_it_comes_from(tiny, tmp_path):
    model = train(tiny, steps=3, seed=8, out=tmp_path / "a.safetensors", **SMALL)
    said = tomllib.loads((tmp_path / "a.toml").read_text("utf-8"))
    assert said == {"architecture": model.settings, **model.card}
    run = said["training"]
    assert (run["seed"], run["steps"], run["held"], run["data"]["stored"], run["data"]["seed"]) == (8, 3, 8, 52, 5)
    assert said["size"] == {"parameters": sum(p.numel() for p in model.parameters()), "samples": 24}
    assert said["limits"]
    assert set(said["validation"]) == {"mse", "smooth_l1", "r2_lattice", "r2_defects"}
    assert str(tmp_path) not in (tmp_path / "a.toml").read_text("utf-8")
    last = read_log(tmp_path / "a.csv")[-1]
    assert said["validation"]["mse"] == pytest.approx(last["mse"], rel=1e-5)


def test_it_goes_on_from_a_network(tiny, tmp_path, stopping, monkeypatch):
    first = train(tiny, steps=6, out=tmp_path / "a.safetensors", **SMALL, waves=1)
    how = SMALL | {"steps": 5, "lr": 1e-9, "start": tmp_path / "a.safetensors"}
    model = train(tiny, out=tmp_path / "b.safetensors", **how)
    assert model.settings == first.settings  # one filter for waves, though nobody said so again
    torch.testing.assert_close(dict(model.named_parameters()), dict(first.named_parameters()), rtol=0, atol=1e-6)
    assert model.card["training"]["start"]["training"] == first.card["training"]
    stopping(4)
    with pytest.raises(Stop):
        train(tiny, out=tmp_path / "c.safetensors", **how)
    monkeypatch.undo()
    assert_same(train(tiny, out=tmp_path / "c.safetensors", **how), model)  # and stops and goes on like any other
    (tmp_path / "a.safetensors").unlink()
    train(tiny, steps=1, out=tmp_path / "a.safetensors", **SMALL)
    with pytest.raises(ModelError, match="another run"):  # from another network
        train(tiny, out=tmp_path / "b.safetensors", **how)
    with pytest.raises(ModelError, match="level = surface, not line"):
        train(tiny, out=tmp_path / "d.safetensors", level="line", **how)


def test_validation_samples_are_not_learned_from(tiny, tmp_path, monkeypatch):
    asked = set()
    take = Stored.batch
    monkeypatch.setattr(Stored, "batch", lambda self, k: (asked.update(
        {(self.first, int(number)) for number in self.numbers(k)}), take(self, k))[1])  # fmt: skip
    train(tiny, epochs=2, out=tmp_path / "a.safetensors", **SMALL)
    learned, checked = ({number for first, number in asked if first == part} for part in (0, 52))
    assert checked == {*range(52, 60)}
    assert learned <= {*range(52)}
    assert len(learned) > 45


def test_without_validation(tiny, tmp_path):
    train(tiny, steps=2, out=tmp_path / "a.safetensors", **SMALL | {"held": 0})
    with open(tmp_path / "a.csv", newline="") as file:
        assert next(csv.DictReader(file))["mse"] == ""


# ---- mistakes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ({"schedule": "steps"}, "schedule = 'steps' must be one of one-cycle, cosine"),
        ({"loss": "l2"}, "loss = 'l2' must be one of"),
        ({"lr": 0}, r"lr must be in \(0, 10\]"),
        ({"precision": "half"}, "precision = 'half'"),
        ({"device": "tpu9"}, "device = 'tpu9'"),
        ({"steps": 0}, "how long to train is unclear"),
        ({"steps": 2, "epochs": 1}, "give one of samples, epochs and steps"),
        ({"batch": 64}, "60 samples do not fill a batch of 64"),
        ({"out": "a.pt"}, r"must end in \.safetensors"),
        ({"out": "no/a.safetensors"}, "no is not an existing folder"),
    ],
)
def test_wrong_arguments_are_named(tiny, tmp_path, said, complaint):
    how = SMALL | {"out": tmp_path / "a.safetensors"} | said
    if not {"steps", "epochs"} & said.keys():
        how["steps"] = 2
    with pytest.raises(ValueError, match=complaint):
        train(tiny, **how)
    assert not list(tmp_path.iterdir())


def test_a_run_that_breaks_away_ends_without_a_network(tiny, tmp_path, monkeypatch):
    monkeypatch.setitem(LOSSES, "mse", lambda logits, masks: logits.mean() * torch.inf)
    with pytest.raises(ModelError, match=r"the loss is (nan|-?inf) after 4 steps at lr = 0\.5; lower it"):
        train(tiny, steps=8, lr=0.5, loss="mse", out=tmp_path / "a.safetensors", **SMALL)
    assert not list(tmp_path.glob("*.safetensors"))


def test_wrong_data_are_named(tmp_path):
    with pytest.raises(ModelError, match="a study has no end"):
        train(STUDY, epochs=1, out=tmp_path / "a.safetensors", **SMALL)
    with pytest.raises(ModelError, match="cannot train on int"):
        train(3, steps=1, out=tmp_path / "a.safetensors", **SMALL)
    with pytest.raises(ValueError, match="thesis-mian"):
        train("thesis-mian", steps=1, out=tmp_path / "a.safetensors", **SMALL)


def test_checkpoints_of_other_runs_and_damaged_ones_are_refused(tiny, tmp_path, stopping, monkeypatch):
    out = tmp_path / "net.safetensors"
    stopping(6)
    with pytest.raises(Stop):
        train(tiny, steps=9, out=out, **SMALL)
    monkeypatch.undo()
    with pytest.raises(ModelError, match="belongs to a run with other steps, rate"):
        train(tiny, steps=8, lr=0.02, out=out, **SMALL)
    checkpoint = out.with_suffix(".checkpoint.safetensors")
    model = UNet(base=4, depth=2)
    recipe = {"steps": 9}
    checkpoint.write_bytes(checkpoint.read_bytes()[:-50])
    with pytest.raises(ModelError, match="damaged"):
        load_checkpoint(checkpoint, model, optimizer_of(model), recipe)


def test_a_log_that_is_none_is_not_overwritten_silently(tmp_path):
    path = tmp_path / "notes.csv"
    path.write_text("dear diary\n1,2\n")
    for step in (0, 5):
        with pytest.raises(ModelError, match="is not the log of a training run"):
            Log(path, step)
    assert path.read_text().startswith("dear diary")
    assert read_log(tmp_path / "none.csv") == []


# ---- two processes ------------------------------------------------------------------------------------

SCRIPT = """
import sys, torch
torch.set_num_threads(1)
import stmlab
from stmlab.learn import train
if __name__ == "__main__":
    train(stmlab.open_dataset(sys.argv[1]), out=sys.argv[2], steps=6, base=4, depth=2, batch=8, every=3,
          progress=False, held=8, lr=1e-3)
"""


def test_two_processes_learn_what_one_learns(tiny, tmp_path):
    script, out = tmp_path / "script.py", tmp_path / "two.safetensors"
    script.write_text(SCRIPT)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(script)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run([*command, str(tiny.path), str(out)], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    two = load_model(out)
    one = train(tiny, out=tmp_path / "one.safetensors", steps=6, lr=1e-3, **SMALL | {"every": 3})
    start, _ = MODULE.beginning(None, 0, base=4, depth=2)
    for (name, a), b, before in zip(weights(one).items(), weights(two).values(), weights(start).values(), strict=True):
        if a.is_floating_point():
            moved = float((a - before).abs().max())
            assert float((a - b).abs().max()) < 1e-3 * moved + 1e-6, name
    rows = [read_log(tmp_path / f"{name}.csv") for name in ("one", "two")]
    for here, there in zip(*rows, strict=True):
        assert here["loss"] == pytest.approx(there["loss"], rel=1e-4)
        assert here["mse"] == pytest.approx(there["mse"], rel=1e-3)


def test_several_sources_share_every_batch(tiny, tmp_path):
    model = train([tiny, STUDY], steps=2, patch=8, pixel_size=1.0, out=tmp_path / "a.safetensors", **SMALL)
    data = model.card["training"]["data"]["mixed"]
    assert [one["stored"] for one in data] == [56, 0]
    assert (model.card["training"]["patch"], model.card["training"]["pixel_size"]) == (8, 1.0)
    with pytest.raises(ModelError, match="a batch of 8 cannot be shared evenly by 3 sources"):
        train([tiny, tiny, STUDY], steps=2, out=tmp_path / "b.safetensors", **SMALL)


def test_labels_of_a_stream_are_those_of_the_study_unless_said():
    from stmlab.learn.train import source_of

    large = replace(STUDY, name="large-frame")
    assert [source_of(one, 8, 0).masks for one in (STUDY, large)] == ["thesis", "visible"]
    assert source_of(large, 8, 0, "thesis").masks == "thesis"
    mixed = source_of([STUDY, large], 8, 0)
    assert [one.masks for one in mixed.sources] == ["thesis", "visible"]


def test_what_is_done_to_frames_is_in_the_recipe_only_where_it_is_unusual(tiny):
    from stmlab.learn.train import describe

    assert "crops" not in describe(Stored(tiny, 8))
    said = describe(Stored(tiny, 8, patch=8, crops=2, grey=True, scatter=0.1))
    assert (said["crops"], said["grey"], said["scatter"]) == (2, True, 0.1)
