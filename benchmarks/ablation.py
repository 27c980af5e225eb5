"""What each artefact teaches: networks trained without one of them, judged on images that have them all.

Every network has the same size, first weights, budget and order of samples, and sees a `thesis-main` in which one
artefact is exactly off; "nothing" is left out of two, with different seeds, so that the difference between those two
says how much of the others is chance. All are judged on the same held-out samples of `thesis-main` and
`thesis-control`. Rows are added one by one, and a run that was stopped goes on where it was::

    .venv/bin/python benchmarks/ablation.py --out data/networks/ablation.csv
    .venv/bin/python benchmarks/ablation.py --models main control real --out data/networks/transfer.csv

With ``--models`` nothing is trained: bundled networks, or files, are judged.
"""

import argparse
import csv
import sys
import tempfile
from pathlib import Path

from stmlab import Study, generate, open_dataset
from stmlab.learn import evaluate, load_model, train

SAMPLES, HELD, SEED_OF_TESTS = 12_800, 1024, 777
TESTS = ("thesis-main", "thesis-control")
LEFT_OUT = {
    "nothing": {},
    "feedback": {"feedback.form": "perfect"},
    "hysteresis": {"piezo.hysteresis_a": 0.0},
    "creep": {f"piezo.bend_{axis}": 0.0 for axis in "xyz"},
    "drift": {f"piezo.drift_{axis}": 0.0 for axis in "xyz"},
    "jitter": {"piezo.jitter_fast": 0.0, "piezo.jitter_slow": 0.0},
    "noise": {"noise.contrast": 0.0},
    "tilt": {"sample.tilt_x": 0.0, "sample.tilt_y": 0.0, "tip.tilt": 0.0},
    "tips": {"tip.apex": "111-0-O"},
}


def without(name):
    """Return the study with one artefact off; its index and seed give the same sheets as ever."""
    unused = {"feedback": {"feedback.loop_gain"}, "hysteresis": {"piezo.hysteresis_beta", "piezo.hysteresis_gamma"},
              "creep": {"piezo.bend_magnitude"}}.get(name, set())  # fmt: skip
    study = Study.load("thesis-main").fixed({**LEFT_OUT[name], "raster.retrace": "skipped"})
    kept = {path: law for path, law in study.vary.items() if path not in unused}
    return Study(study.base, kept, f"thesis-main without {name}")


def tests(folder, count):
    """Return the held-out datasets, made if they are not there."""
    for name in TESTS:
        generate(Study.load(name), count, seed=SEED_OF_TESTS, out=folder / f"{name}.zarr")
    return [open_dataset(folder / f"{name}.zarr") for name in TESTS]


def row(model, datasets):
    """Return the figures of one network on every dataset."""
    out = {}
    for name, dataset in zip(TESTS, datasets, strict=True):
        judged, test = evaluate(model, dataset), name.removeprefix("thesis-")
        (lattice, defects, both), r2 = judged.figures["MSE"], judged.figures["R2"]
        low, high = judged.interval(lambda sums: sums.square.sum() / sums.pixels.sum())
        found = {"mse": both, "mse_low": low, "mse_high": high, "mse_lattice": lattice, "mse_defects": defects,
                 "r2_lattice": r2[0], "r2_defects": r2[1]}  # fmt: skip
        out |= {f"{key}_{test}": value for key, value in found.items()}
    return out


def trained(name, seed, samples, folder):
    out = folder / f"{name}-{seed}.safetensors"
    shown = sys.stderr.isatty()
    return train(without(name), samples=samples, seed=seed, held=0, threads=1, out=out, progress=shown)


def written(path):
    return list(csv.DictReader(path.open(newline=""))) if path.exists() else []


def main(said):
    out = Path(said.out)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(said.work or folder)
        folder.mkdir(parents=True, exist_ok=True)
        jobs = [(name, 0, "") for name in said.models] or [(name, 0, said.samples) for name in LEFT_OUT]
        jobs += [] if said.models else [("nothing", 1, said.samples)]
        for name, seed, samples in jobs:
            done = written(out)
            if any((name, str(seed)) == (line["network"], line["seed"]) for line in done):
                continue
            model = load_model(name) if said.models else trained(name, seed, samples, folder)
            figures = row(model, tests(folder, said.held))
            line = {"network": name, "seed": seed, "samples": samples, "held": said.held,
                    **{key: f"{value:.5g}" for key, value in figures.items()}}  # fmt: skip
            with out.open("w", newline="") as file:
                table = csv.DictWriter(file, line, lineterminator="\n")
                table.writeheader()
                table.writerows([*done, line])
            print(name, seed, line["mse_main"], flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="*", default=[], help="judge these instead of training")
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--held", type=int, default=HELD)
    parser.add_argument("--work", help="keep datasets and networks here")
    parser.add_argument("--out", required=True)
    main(parser.parse_args())
