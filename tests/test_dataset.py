"""Datasets: the same bytes whoever makes them and however often they are interrupted; nothing wrong is read."""

import csv
import errno
import hashlib
import json
import os
import pickle
import random
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import Future, ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

import stmlab
from stmlab.dataset import LATER, DatasetError, lock, run, samples, store
from stmlab.parameters import Choice, Parameters, SameAs, Study, Uniform
from stmlab.scan import DEFECT_DTYPE

SMALL = {"raster.pixels": 8, "raster.lines": 8, "raster.width": 10, "raster.height": 10}
BASE = Parameters().set(SMALL | {"defects.se_vacancy_top": 0.02})
STUDY = Study(
    BASE,
    {
        "junction.bias": Uniform(0.2, 0.5, either_sign=True),
        "raster.fast_axis": Choice(["x", "y"]),
        "raster.width": Uniform(8, 12),
        "raster.height": SameAs("raster.width"),
        "tip.apex": Choice(["111-0-O", "001-0-O"]),
        "feedback.steps_per_pixel": Uniform(1, 3),
    },
    name="tiny",
)
# A bias of more than twice the work function leaves no barrier: about half of the draws make no image.
FAILING = Study(
    BASE.set({"junction.barrier": "tilted", "junction.work_function": 1.0}),
    {"junction.bias": Uniform(1.5, 2.5)},
    "half",
)
COUNT, CHUNK = 24, 5
quiet = partial(stmlab.generate, progress=False)
make = partial(quiet, STUDY, COUNT, 7, chunk=CHUNK)


def contents(folder):
    """Map each file of a folder to its checksum."""
    files = [path for path in Path(folder).rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A store that one thread made without interruption."""
    folder = tmp_path_factory.mktemp("whole") / "whole.zarr"
    make(out=folder, workers=1)
    return folder


@pytest.fixture
def copy(whole, tmp_path):
    """A copy of it to damage."""
    return Path(shutil.copytree(whole, tmp_path / "copy.zarr"))


# ---- what is in it ------------------------------------------------------------------------------------


def test_each_sample_is_what_simulate_makes_of_it(whole):
    data = stmlab.open_dataset(whole)
    assert len(data) == COUNT
    for k in range(COUNT):
        parameters = data.parameters(k)
        assert parameters == STUDY.draw(7, k)
        scan = stmlab.simulate(parameters, data.seed, data.index(k))
        image, masks = data[k]
        assert (image.dtype, masks.dtype) == ("f4", "f4")
        np.testing.assert_array_equal(image, scan.height.astype("f4"))
        np.testing.assert_allclose(masks, scan.masks(), atol=0.5001 / 255)
        np.testing.assert_array_equal(data.defects(k), scan.defects)
        assert data.defects(k).dtype == DEFECT_DTYPE
    assert sum(len(data.defects(k)) for k in range(COUNT)) > COUNT


def test_it_knows_where_it_comes_from(whole):
    data = stmlab.open_dataset(whole)
    assert data.study == STUDY
    assert (data.seed, data.version, data.failures) == (7, stmlab.__version__, [])
    assert {path: set(values.tolist()) for path, values in data.drawn.items()} == {
        path: {STUDY.draw(7, k)[path] for k in range(COUNT)} for path in STUDY.vary
    }
    attributes = json.loads((whole / "zarr.json").read_text())["attributes"]
    assert Study.loads(attributes["study"]) == STUDY
    assert (attributes["count"], attributes["chunk"], attributes["failures"]) == (COUNT, CHUNK, 0)
    assert repr(data) == f"<Dataset {whole}: 24 samples of 8 x 8 pixels, seed 7>"


def test_slices_and_numbers_agree(whole):
    data = stmlab.open_dataset(whole)
    for key in (slice(None), slice(3, 11), slice(2, 20, 7), slice(None, None, -5), slice(5, 5), slice(20, 99)):
        images, masks = data[key]
        rows = range(COUNT)[key]
        assert images.shape == (len(rows), 2, 8, 8)
        assert masks.shape == (len(rows), 2, 8, 8)
        for image, mask, k in zip(images, masks, rows, strict=True):
            np.testing.assert_array_equal(image, data[k][0])
            np.testing.assert_array_equal(mask, data[k][1])
    np.testing.assert_array_equal(data[-1][0], data[np.int64(COUNT - 1)][0])
    np.testing.assert_array_equal(data.images[4], data[4][0])
    assert data.masks.dtype == np.uint8
    for wrong in (COUNT, -COUNT - 1):
        with pytest.raises(IndexError, match=f"sample {wrong} is not one of 24"):
            data[wrong]
    with pytest.raises(TypeError, match=r"sample 1.5 is not a whole number or a slice"):
        data[1.5]


def test_it_serves_a_loader(whole):
    """That of torch: len, iteration by number, pickling for its workers, writable arrays."""
    data = pickle.loads(pickle.dumps(stmlab.open_dataset(whole)))
    batch = np.stack([data[k][0] for k in random.Random(1).sample(range(len(data)), 8)])
    assert batch.shape == (8, 2, 8, 8)
    data[0][0][:] = 0
    assert data[0][0].any(), "what one reader does to its copy is nobody else's affair"
    loader = pytest.importorskip("torch.utils.data").DataLoader(data, batch_size=8, shuffle=True)
    images, masks = next(iter(loader))
    assert (images.shape, masks.shape) == ((8, 2, 8, 8), (8, 2, 8, 8))
    assert images.numpy().dtype == np.float32


def test_a_sample_does_not_depend_on_the_size_of_the_set(whole, tmp_path):
    few = quiet(STUDY, 7, 7, tmp_path / "few.zarr", chunk=3)
    np.testing.assert_array_equal(few[:][0], stmlab.open_dataset(whole)[:7][0])
    other = quiet(STUDY, 7, 8, tmp_path / "other.zarr", chunk=3)
    assert not np.array_equal(few[:][0], other[:][0])


def test_ideal_images_and_drive_on_demand(tmp_path, whole):
    data = quiet(STUDY, 3, 7, tmp_path / "more.zarr", ideal=True, drive=True)
    scan = stmlab.simulate(data.parameters(2), 7, 2)
    np.testing.assert_array_equal(data.ideal[2], scan.ideal.astype("f4"))
    np.testing.assert_array_equal(data.drive[2], scan.drive.astype("f4"))
    assert stmlab.open_dataset(whole).ideal is None
    assert stmlab.open_dataset(whole).drive is None


def test_no_retrace_no_second_pass(tmp_path):
    study = Study(BASE.set({"raster.retrace": "skipped"}), {}, "one-way")
    data = quiet(study, 2, 1, tmp_path / "x.zarr")
    assert data.images.shape == (2, 1, 8, 8)
    np.testing.assert_array_equal(data[1][0], stmlab.simulate(study.base, 1, 1).height[:1].astype("f4"))
    assert data.parameters(1) == study.base, "a study in which nothing varies but the random numbers"


def test_frames_of_several_sizes_lie_in_the_corner(tmp_path):
    vary = {"raster.pixels": Choice([4, 6, 8]), "raster.lines": SameAs("raster.pixels")}
    data = quiet(Study(BASE, vary, "sizes"), 9, 2, tmp_path / "x.zarr", chunk=4)
    assert data.images.shape == (9, 2, 8, 8)
    assert set(data.sizes[:, 0]) == {4, 6, 8}
    for k in range(9):
        image, masks = data[k]
        n = data.drawn["raster.pixels"][k]
        assert image.shape == masks.shape == (2, n, n)
        np.testing.assert_array_equal(image, stmlab.simulate(data.parameters(k), 2, k).height.astype("f4"))
        assert np.isnan(data.images[k]).sum() == 2 * (64 - n * n)
        np.testing.assert_array_equal(data[k : k + 1][0][0, :, :n, :n], image)


def test_large_frames_come_in_small_chunks_with_labels_of_what_is_visible():
    plan = run.Plan.of(Study.load("large-frame"), 100)
    assert (plan.frame, plan.varies, plan.masks, plan.chunk) == ((384, 384), True, "visible", 7)
    plan = run.Plan.of(Study.load("thesis-main"), 100_000)
    assert (plan.frame, plan.varies, plan.masks, plan.chunk) == ((64, 64), False, "thesis", 256)


def test_frames_in_which_nothing_is_to_be_seen(tmp_path):
    """Labels are all 0 then, and a chunk of zeros must be written like any other."""
    nothing = dict.fromkeys((f"relief.{n}" for n in ("depressions", "halos", "clusters", "corrugation")), 0.0)
    sizes = {"raster.pixels": 32, "raster.lines": 32, "raster.width": 100.0, "raster.height": 100.0}
    data = stmlab.generate(Study.load("painted-frame").fixed(nothing | sizes), 3, 0, tmp_path / "a.zarr", workers=1,
                           progress=False)  # fmt: skip
    assert not data.masks[:].any()
    assert np.isfinite(data.images[:]).all()


def test_exports(whole, tmp_path):
    data = stmlab.open_dataset(whole)
    data.export(tmp_path / "some.npz", slice(2, 9))
    with np.load(tmp_path / "some.npz") as some:
        np.testing.assert_array_equal(some["images"], data[2:9][0])
        np.testing.assert_array_equal(some["junction.bias"], data.drawn["junction.bias"][2:9])
        assert Study.loads(str(some["study"])) == STUDY
    data.export_keypoints(tmp_path / "points.csv")
    rows = list(csv.DictReader((tmp_path / "points.csv").read_text("utf-8").splitlines()))
    assert len(rows) == sum(len(data.defects(k)) for k in range(COUNT))
    wanted = data.defects(5)
    mine = [row for row in rows if row["sample"] == "5"]
    assert [float(row["row"]) for row in mine] == wanted["row"].tolist(), "to the last digit"
    assert [row["kind"] for row in mine] == wanted["kind"].tolist()
    with pytest.raises(DatasetError, match=r"export writes \.npz"):
        data.export(tmp_path / "x.txt")


# ---- the same from everyone ---------------------------------------------------------------------------


def test_threads_make_the_same_store(whole, tmp_path):
    make(out=tmp_path / "two.zarr", workers=2)
    assert contents(tmp_path / "two.zarr") == contents(whole)


def test_a_process_pool_makes_the_same_store(whole, tmp_path):
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        make(out=tmp_path / "pool.zarr", executor=pool)
    assert contents(tmp_path / "pool.zarr") == contents(whole)


class Backwards:
    """An executor that hands its results back in the wrong order, three at a time."""

    def __init__(self):
        self.waiting = []

    def submit(self, function, *arguments):
        function, arguments = pickle.loads(pickle.dumps((function, arguments)))
        future = Future()
        self.waiting.append((future, function, arguments))
        if len(self.waiting) == 3 or arguments[3] == COUNT:
            for future_, function_, arguments_ in reversed(self.waiting):
                future_.set_result(function_(*arguments_))
            self.waiting = []
        return future


def test_any_executor_in_any_order_makes_the_same_store(whole, tmp_path):
    make(out=tmp_path / "x.zarr", executor=Backwards(), workers=2)
    assert contents(tmp_path / "x.zarr") == contents(whole)


@pytest.mark.filterwarnings("ignore")
def test_a_dask_cluster_that_loses_a_worker_makes_the_same_store(whole, tmp_path):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        victims = []

        class KillingExecutor:
            def __init__(self, client):
                self.executor, self.pids = client.get_executor(), [*client.run(os.getpid).values()]

            def submit(self, *arguments):
                future = self.executor.submit(*arguments)
                future.add_done_callback(self.kill)
                return future

            def kill(self, _future):
                if not victims:
                    victims.append(self.pids[0])
                    os.kill(victims[0], 9)

        with distributed.Client(cluster) as client:
            make(out=tmp_path / "dask.zarr", executor=KillingExecutor(client), workers=2)
            assert len(victims) == 1
        assert contents(tmp_path / "dask.zarr") == contents(whole)
        make(out=tmp_path / "address.zarr", scheduler=cluster.scheduler_address)
    assert contents(tmp_path / "address.zarr") == contents(whole)


@pytest.mark.filterwarnings("ignore")
def test_a_scheduler_that_does_not_answer(tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    from stmlab.dataset import cluster

    assert cluster.PATIENCE == 10
    monkeypatch.setattr(cluster, "PATIENCE", 0.5)
    start = time.monotonic()
    with pytest.raises(DatasetError, match=r"no Dask scheduler answered at tcp://127\.0\.0\.1:1 within"):
        make(out=tmp_path / "x.zarr", scheduler="tcp://127.0.0.1:1")
    assert time.monotonic() - start < 8
    with pytest.raises(DatasetError, match="no Dask scheduler answered at nonsense://x"):
        make(out=tmp_path / "x.zarr", scheduler="nonsense://x")
    assert list(tmp_path.iterdir()) == []


def test_linear_algebra_keeps_to_one_thread_until_the_last_has_left():
    from threadpoolctl import threadpool_info, threadpool_limits

    def threads():
        return {info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas"}

    with threadpool_limits(2, user_api="blas"):
        first, second = samples._one_thread_each(), samples._one_thread_each()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert threads() == {1}
        second.__exit__(None, None, None)
        assert threads() == {2}


# ---- interrupted --------------------------------------------------------------------------------------


WRITER = """
import sys, stmlab
stmlab.generate(stmlab.Study.load(sys.argv[2]), 40, 7, sys.argv[1], progress=False, chunk=1)
"""


def complete(folder):
    return len([*(folder / "defects").glob("0*")])


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_kill_9_at_three_random_moments(tmp_path):
    STUDY.to_toml(tmp_path / "tiny.toml")
    study = Study.load(tmp_path / "tiny.toml")
    out, reached, chance = tmp_path / "killed.zarr", [], random.SystemRandom()
    for least, most in ((0, 9), (11, 20), (22, 30)):
        wanted, rest = chance.randint(least, most), chance.uniform(0, 0.02)
        command = [sys.executable, "-c", WRITER, str(out), str(tmp_path / "tiny.toml")]
        writer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        while writer.poll() is None and not (out.exists() and complete(out) >= wanted):
            time.sleep(0.001)
        time.sleep(rest)
        writer.kill()
        assert writer.communicate()[1] == ""
        reached.append((wanted, complete(out)))
    assert all(wanted <= there < 40 for wanted, there in reached), reached
    quiet(study, 40, 7, out, chunk=1)
    quiet(study, 40, 7, tmp_path / "whole.zarr", chunk=1)
    assert contents(out) == contents(tmp_path / "whole.zarr"), reached
    assert sorted(path.name for path in tmp_path.iterdir()) == ["killed.zarr", "tiny.toml", "whole.zarr"]


class Killed(BaseException):
    """What nothing catches."""


@pytest.mark.parametrize("moment", range(0, 40, 3))
def test_a_stop_before_any_step_of_writing(whole, tmp_path, monkeypatch, moment):
    """Every file that is renamed or sealed is a moment to stop at."""
    left = [moment]

    def counted(function):
        def step(*arguments, **options):
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return function(*arguments, **options)

        return step

    with monkeypatch.context() as patched:
        patched.setattr(os, "rename", counted(os.rename))
        patched.setattr(Path, "replace", counted(Path.replace))
        patched.setattr(store, "seal", counted(store.seal))
        with pytest.raises(Killed):
            make(out=tmp_path / "x.zarr", workers=1)
    if (tmp_path / "x.zarr").exists():
        with pytest.raises(DatasetError, match=r"holds \d+ of 24 samples; run generate again"):
            stmlab.open_dataset(tmp_path / "x.zarr")
    make(out=tmp_path / "x.zarr")
    assert contents(tmp_path / "x.zarr") == contents(whole)


def test_what_is_complete_is_not_made_again(whole, monkeypatch):
    before = contents(whole)
    monkeypatch.setattr(run, "make_chunk", None)
    make(out=whole)
    quiet(STUDY, COUNT, 7, whole)  # the store knows the size of its chunks
    assert contents(whole) == before


# ---- damaged ------------------------------------------------------------------------------------------


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path):
    path.write_bytes(path.read_bytes()[:-7])


def remove(path):
    path.unlink()


HURT = [
    ("images/c/2/0/0/0", "chunk 2 (samples 10 to 14: images)"),
    ("masks/c/4/0/0/0", "chunk 4 (samples 20 to 23: masks)"),
    ("samples/c/0/0", "chunk 0 (samples 0 to 4: samples)"),
    ("parameters/c/1/0", "chunk 1 (samples 5 to 9: parameters)"),
    ("defects/000003/c/0/0", "chunk 3 (samples 15 to 19: defects)"),
    ("defects/000003/zarr.json", "chunk 3 (samples 15 to 19: defects)"),
]


@pytest.mark.parametrize("hurt", [flip, cut, remove])
@pytest.mark.parametrize(("file", "said"), HURT)
def test_a_damaged_chunk_is_named_and_made_again(copy, whole, file, said, hurt):
    hurt(copy / file)

    def read():
        stmlab.open_dataset(copy).verify()

    with pytest.raises(DatasetError) as told:
        read()
    assert said in str(told.value) or (hurt is flip and "damaged" in str(told.value))
    assert "run generate again" in str(told.value)
    assert "\n" not in str(told.value)
    make(out=copy)
    assert contents(copy) == contents(whole)


@pytest.mark.parametrize("hurt", [cut, remove])
@pytest.mark.parametrize("file", [file for file, _ in HURT])
def test_a_chunk_that_is_cut_off_does_not_even_open(copy, file, hurt):
    hurt(copy / file)
    with pytest.raises(DatasetError, match=r"chunk \d \(samples .*\) damaged; run generate again"):
        stmlab.open_dataset(copy)


@pytest.mark.parametrize("name", ["images", "masks", "samples", "parameters", "defects"])
def test_what_describes_an_array_is_put_right(copy, whole, name):
    (copy / name / "zarr.json").write_text("{}")
    if name != "defects":
        with pytest.raises(DatasetError, match=f"array '{name}' cannot be read"):
            stmlab.open_dataset(copy)
    make(out=copy)
    assert contents(copy) == contents(whole)


@pytest.mark.parametrize(
    ("name", "value"),
    [("format", 2), ("count", -1), ("count", "24"), ("chunk", 0), ("frame", [8]), ("frame", [8, 10**9]), ("passes", 3),
     ("columns", [{}]), ("columns", 5), ("seed", None), ("study", None), ("ideal", "yes")],
)  # fmt: skip
def test_damaged_attributes_are_refused(copy, name, value):
    said = json.loads((copy / "zarr.json").read_text())
    said["attributes"][name] = value
    (copy / "zarr.json").write_text(json.dumps(said))
    with pytest.raises(DatasetError, match=r"damaged attributes|no dataset of format"):
        stmlab.open_dataset(copy)
    with pytest.raises(DatasetError):
        make(out=copy)


def test_attributes_of_another_shape_are_refused(copy):
    said = json.loads((copy / "zarr.json").read_text())
    said["attributes"]["frame"] = [8, 9]
    (copy / "zarr.json").write_text(json.dumps(said))
    with pytest.raises(DatasetError, match="not of the shape and type"):
        stmlab.open_dataset(copy)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"zarr_format": 3, "node_type": "group"}', "\x00"])
def test_a_store_without_a_description_is_refused(copy, text):
    (copy / "zarr.json").write_text(text)
    with pytest.raises(DatasetError, match=r"is no dataset"):
        stmlab.open_dataset(copy)
    with pytest.raises(DatasetError, match=r"is no dataset"):
        make(out=copy)


# ---- failures -----------------------------------------------------------------------------------------


def test_failed_samples_are_listed_and_drawn_again(tmp_path):
    data = quiet(FAILING, 12, 1, tmp_path / "x.zarr", chunk=5)
    assert len(data.failures) == data.attempts.sum() > 0
    for k in range(12):
        index = int(data.attempts[k]) * 2**48 + k
        assert data.index(k) == index
        assert data.parameters(k) == FAILING.draw(1, index)
        assert data.parameters(k).junction.bias < 2
        np.testing.assert_array_equal(data[k][0], stmlab.simulate(data.parameters(k), 1, index).height.astype("f4"))
    for sample, attempt, reason in data.failures:
        bias = FAILING.draw(1, sample + attempt * LATER).junction.bias
        assert bias >= 2
        assert reason == f"work function = 1.0 eV at bias = {bias} V leaves no barrier; lower the bias"
    assert json.loads((tmp_path / "x.zarr" / "zarr.json").read_text())["attributes"]["failures"] == len(data.failures)
    again = quiet(FAILING, 12, 1, tmp_path / "y.zarr", chunk=1, workers=1)
    np.testing.assert_array_equal(again[:][0], data[:][0])
    assert again.failures == data.failures


def test_the_bar_counts_samples_and_failures(tmp_path, capsys):
    stmlab.generate(FAILING, 12, 1, tmp_path / "x.zarr", chunk=5)
    shown = capsys.readouterr().err
    failed = len(stmlab.open_dataset(tmp_path / "x.zarr").failures)
    assert "12/12" in shown
    assert "samples/s" in shown
    assert f"failures={failed}" in shown
    quiet(FAILING, 3, 1, tmp_path / "y.zarr")
    assert capsys.readouterr() == ("", "")


def test_a_study_that_always_fails_says_why(tmp_path):
    hopeless = Study(FAILING.base, {"junction.bias": Uniform(2.5, 3)}, "hopeless")
    with pytest.raises(DatasetError, match=r"sample 0 failed 20 times; change the study: work function = 1.0 eV"):
        quiet(hopeless, 4, 1, tmp_path / "x.zarr", chunk=2, workers=1)


def test_a_frame_that_is_not_finite_is_a_failure(tmp_path, monkeypatch):
    def spoilt(parameters, seed, indices, ideal):
        scans = stmlab.microscope.simulate_many(parameters, seed, indices, ideal)
        for scan, index in zip(scans, indices, strict=True):
            if index == 1:
                scan.height[0, 3, 3] = np.nan
        return scans

    monkeypatch.setattr(samples, "simulate_many", spoilt)
    data = quiet(STUDY, 3, 7, tmp_path / "x.zarr", workers=1)
    assert data.failures == [(1, 0, "the recorded height is not finite")]
    assert data.index(1) == 1 + 2**48


def test_one_sample_that_spoils_its_batch_is_found(tmp_path, monkeypatch, whole):
    def refuse(parameters, seed, indices, ideal):
        raise ValueError("one of them is bad")

    monkeypatch.setattr(samples, "simulate_many", refuse)
    data = quiet(STUDY, 3, 7, tmp_path / "x.zarr", workers=1)
    np.testing.assert_array_equal(data[:][0], stmlab.open_dataset(whole)[:3][0])
    assert data.failures == []


# ---- refused ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": 8}, "seed 7, not 8"),
        ({"count": 25}, "count 24, not 25"),
        ({"chunk": 6}, "chunk 5, not 6"),
        ({"ideal": True}, "ideal False, not True"),
        ({"masks": "visible"}, "masks thesis, not visible"),
        ({"study": Study(BASE, STUDY.vary, "other")}, "study ('tiny', not 'other')"),
        ({"study": Study(BASE.set({"tip.depth": 0.5}), STUDY.vary, "tiny")}, "study (tip.depth)"),
        ({"study": Study(BASE, STUDY.vary | {"junction.bias": Uniform(0.2, 0.6)}, "tiny")}, "study (junction.bias)"),
    ],
)
def test_another_dataset_is_not_continued(whole, change, said):
    before = contents(whole)
    with pytest.raises(DatasetError) as told:
        quiet(**{"study": STUDY, "count": COUNT, "seed": 7, "out": whole, "chunk": CHUNK} | change)
    assert said in str(told.value)
    assert str(told.value).startswith(f"{whole} is another dataset: ")
    assert contents(whole) == before


def test_another_version_does_not_continue_a_store(copy, monkeypatch):
    path = copy / "zarr.json"
    path.write_text(path.read_text().replace(f'"stmlab": "{stmlab.__version__}"', '"stmlab": "0.0.1"'))
    with pytest.raises(DatasetError, match=f"stmlab 0.0.1, not {stmlab.__version__}"):
        make(out=copy)
    assert stmlab.open_dataset(copy).version == "0.0.1", "but one may read it"
    with pytest.raises(DatasetError, match="a worker has stmlab"):
        samples.make_chunk(STUDY.dumps(), 7, 0, 2, version="0.0.1")


@pytest.mark.parametrize("count", [0, -1, 1.5, True, "3", None])
def test_a_count_that_is_none(tmp_path, count):
    with pytest.raises(DatasetError, match=r"count = .* is not a whole number in \[1, "):
        quiet(STUDY, count, 0, tmp_path / "x.zarr")
    assert list(tmp_path.iterdir()) == []


def test_other_bad_arguments(tmp_path):
    out = tmp_path / "x.zarr"
    for options, said in [
        ({"seed": -1}, "seed = -1"),
        ({"workers": 0}, "workers = 0"),
        ({"chunk": -3}, "chunk = -3"),
        ({"masks": "none"}, "masks = 'none' must be"),
        ({"executor": 1, "scheduler": "tcp://x:1"}, "give one of"),
        ({"study": "tihny"}, "unknown study 'tihny'"),
        ({"out": tmp_path / "no" / "x.zarr"}, "not an existing folder"),
    ]:
        with pytest.raises(ValueError, match=re.escape(said)):
            quiet(**{"study": STUDY, "count": 2, "out": out} | options)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_is_taken(tmp_path):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "mine").touch()
    with pytest.raises(DatasetError, match="file is a file; name a folder"):
        make(out=tmp_path / "file")
    with pytest.raises(DatasetError, match="folder is a folder with something else in it"):
        make(out=tmp_path / "folder")
    for name in ("file", "folder", "nothing"):
        with pytest.raises(DatasetError, match=f"{name} (is a file, not a dataset|is no dataset|does not exist)"):
            stmlab.open_dataset(tmp_path / name)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder", "mine"]


@pytest.mark.parametrize(("name", "extra"), [("zarr", "io"), ("distributed", "cluster")])
def test_what_is_missing_is_named(tmp_path, monkeypatch, name, extra):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(DatasetError, match=rf'missing: pip install "stmlab\[{extra}\]"'):
        make(out=tmp_path / "x.zarr", scheduler="tcp://x:1")
    assert list(tmp_path.iterdir()) == []


# ---- one writer, and a disk that is full --------------------------------------------------------------


def test_a_second_writer_is_refused(tmp_path):
    out = tmp_path / "x.zarr"
    code = ("import sys\nfrom stmlab.dataset.lock import only_writer\n"
            "with only_writer(sys.argv[1]): print('locked', flush=True); sys.stdin.read()")  # fmt: skip
    first = subprocess.Popen(
        [sys.executable, "-c", code, str(out)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert first.stdout.readline() == "locked\n"
    with pytest.raises(DatasetError, match=rf"is being written by process {first.pid} on "):
        make(out=out)
    first.kill()
    first.communicate()
    assert lock.lock_path(out).exists(), "a dead writer leaves its file"
    with lock.only_writer(out), pytest.raises(DatasetError, match="is being written by this process"):
        make(out=out)
    make(out=out)
    assert [path.name for path in tmp_path.iterdir()] == ["x.zarr"]


@pytest.mark.parametrize(("code", "said"), [(errno.ENOSPC, "No space left"), (errno.EROFS, "Read-only file system")])
@pytest.mark.parametrize("moment", [0, 1, 7, 12, 23])
def test_a_disk_that_takes_no_more(whole, tmp_path, monkeypatch, code, said, moment):
    from zarr.storage import _local

    left, put = [moment], _local._put

    def refuse(*arguments, **options):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(code, os.strerror(code))
        return put(*arguments, **options)

    out = tmp_path / "x.zarr"
    with monkeypatch.context() as patched:
        patched.setattr(_local, "_put", refuse)
        with pytest.raises(OSError, match=f"cannot write .*x.zarr: {said}"):
            make(out=out)
    make(out=out)
    assert contents(out) == contents(whole)


LIMITED = """
import resource, sys, stmlab
resource.setrlimit(resource.RLIMIT_FSIZE, (19000, 19000))  # the images of a chunk are 20 480 bytes
try:
    stmlab.generate(stmlab.Study.load(sys.argv[2]), 40, 7, sys.argv[1], progress=False, chunk=40)
except OSError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits")
def test_a_file_that_the_system_cuts_off(tmp_path):
    STUDY.to_toml(tmp_path / "tiny.toml")
    out = tmp_path / "x.zarr"
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(out), str(tmp_path / "tiny.toml")], capture_output=True, text=True
    )
    wanted = f"cannot write {out}: File too large; what was there before is intact, run the same again to go on\n"
    assert (done.stdout, done.stderr) == (wanted, "")
    with pytest.raises(DatasetError, match="holds 0 of 40 samples"):
        stmlab.open_dataset(out)
    quiet(STUDY, 40, 7, out, chunk=40).verify()


def test_a_folder_that_may_not_be_written_to():
    with pytest.raises(OSError, match=r"cannot write /proc/x\.zarr: "):
        make(out="/proc/x.zarr")
