r"""Networks and a blob finder against what experts labelled in measured images of WSe2.

    python benchmarks/score_real.py [real main control blobs ...] [--threshold T] [--boot 2000]

48 images of Smalley et al. (``stmlab fetch real`` brings them, or STMLAB_REAL_DATA names the folder), 411 boxes. A
detection counts when it lies inside a box that no other detection took. No network has seen a measured image; each
has its one threshold, fixed on simulated frames. The threshold of the blob finder is the best for these very
images, which flatters it. Written to ``out/``: ``real_scores.csv`` (by image size and class of the label, with
bootstrap intervals over images), ``real_curve.csv`` (precision and recall against the threshold) and
``real_errors.csv`` (each miss and each false alarm, with a reason read off the boxes).

How the networks are made: ``data/networks/README.md``.
"""

import argparse
import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from stmlab.analysis import blobs
from stmlab.io.images import load_image
from stmlab.io.real import labelled_images, real_data
from stmlab.learn import detect, load_model, match_boxes, resample, score

OUT = Path(__file__).parent.parent / "out"
SIZES = {"3-6 nm": (0, 7), "10-20 nm": (7, 25), "30-50 nm": (25, 60)}
LOW = 0.02  # score from which candidates are kept for the curve
NEAR = 10.0  # Å; this close to the frame's edge is at the edge


class Image(NamedTuple):
    """One labelled image."""

    name: str
    heights: np.ndarray  # (L, P)
    pixel: float  # Å
    boxes: np.ndarray  # (n, 4) pixels
    labels: tuple


def images():
    """Read the labelled images; sizes of pixels follow from the width in the name."""
    folder = real_data()
    if folder is None:
        raise SystemExit("the labelled images are not here; get them with: stmlab fetch real")
    for one in labelled_images(folder):
        heights = np.asarray(load_image(one.path), float)
        scale = heights.shape[1] / one.size[0]
        yield Image(one.path.name, heights, 10 * one.width_nm / heights.shape[1], one.boxes * scale, one.labels)


def detector(name):
    """Return a function from an image to all its candidates, and the threshold; None: the best one."""
    if name == "blobs":
        return spots, None
    model = load_model(name)
    find = lambda image: detect(model, image.heights, image.pixel, threshold=LOW)  # noqa: E731
    return find, model.card["detection"]["threshold"]


def spots(image):
    """Find blobs on pixels of 1 Å, as the networks do."""
    had = np.array(image.heights.shape)
    shape = np.maximum(np.rint(had * image.pixel), 30).astype(int)
    found = blobs(resample(image.heights, shape), image.pixel * had[1] / shape[1], threshold=2.0)
    for name, axis in (("y", 0), ("x", 1)):
        found[name] = (found[name] + 0.5) * had[axis] / shape[axis] - 0.5
    return found


def at(threshold, candidates):
    """Return the candidates with at least that score."""
    return [found[found["score"] >= threshold] for found in candidates]


def curve(candidates, every):
    """Return (threshold, precision, recall, F1) at up to 200 thresholds."""
    scores = np.concatenate([found["score"] for found in candidates])
    boxes = [image.boxes for image in every]
    for threshold in np.unique(np.quantile(scores, np.linspace(0, 1, 200))):
        result = score(at(threshold, candidates), boxes)
        yield float(threshold), result.precision, result.recall, result.f1


def groups(every):
    """Yield the name of a group of images and their numbers."""
    yield "all", range(len(every))
    for name, (low, high) in SIZES.items():
        width = [image.pixel * image.heights.shape[1] / 10 for image in every]
        if those := [k for k, w in enumerate(width) if low <= w < high]:
            yield name, those


def table(name, found, every, boot):
    """Return the rows of scores: by size of the frame, and the recall of each class of label."""
    rows = []
    for group, those in groups(every):
        result = score([found[k] for k in those], [every[k].boxes for k in those])
        low, high = result.interval(rounds=boot)
        rows.append([name, group, len(those), int(result.true.sum()), int(result.found.sum()), result.precision,
                     result.recall, result.f1, low, high, result.f1_image])  # fmt: skip
    hit = {}
    for points, image in zip(found, every, strict=True):
        taken = set(match_boxes(places(points), image.boxes)[:, 1].tolist())
        for k, label in enumerate(image.labels):
            right, of = hit.get(label, (0, 0))
            hit[label] = right + (k in taken), of + 1
    rows += [[name, label, "", of, "", "", right / of] + 4 * [""] for label, (right, of) in sorted(hit.items())]
    return rows


def places(found):
    """Return x and y (n, 2) [pixels]."""
    return np.column_stack([found["x"], found["y"]])


def errors(name, found, every):
    """Yield detector, image, kind of error, reason, x, y [Å] and label of each miss and each false alarm."""
    for points, image in zip(found, every, strict=True):
        at_points, size = places(points), np.array(image.heights.shape[::-1])
        pairs = match_boxes(at_points, image.boxes)
        corners = np.column_stack([image.boxes[:, :2], image.boxes[:, :2] + image.boxes[:, 2:]])
        for k in sorted(set(range(len(image.boxes))) - set(pairs[:, 1].tolist())):
            middle = (corners[k, :2] + corners[k, 2:]) / 2
            yield name, image.name, "miss", missed(k, corners, size), *(middle * image.pixel).tolist(), image.labels[k]
        for k in sorted(set(range(len(points))) - set(pairs[:, 0].tolist())):
            reason = alarmed(at_points[k], corners, size, image.pixel)
            yield name, image.name, "false alarm", reason, *(at_points[k] * image.pixel).tolist(), ""


def missed(k, corners, size):
    """Say what is special about a box that nobody found."""
    if (corners[k, :2] <= 1).any() or (corners[k, 2:] >= size - 1).any():
        return "at the edge"
    middle = (corners[:, :2] + corners[:, 2:]) / 2
    close = np.all(np.abs(middle - middle[k]) < (corners[k, 2:] - corners[k, :2]), axis=1).sum() > 1
    return "one of a close pair or cluster" if close else "alone"


def alarmed(point, corners, size, pixel):
    """Say where a detection lies that is in no box, or in one that is taken."""
    outside = np.maximum(np.maximum(corners[:, :2] - point, point - corners[:, 2:]), 0)
    apart = np.hypot(*outside.T).min() * pixel
    if apart == 0:
        return "second one in a box"
    if min(point.min(), (size - point).min()) * pixel < NEAR:
        return "at the edge"
    return "beside a box" if apart < NEAR else "elsewhere"


def write(name, head, rows):
    """Write a table below ``out/``, numbers to four digits."""
    OUT.mkdir(exist_ok=True)
    with open(OUT / name, "w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(head)
        out.writerows([f"{v:.4g}" if isinstance(v, float) else v for v in row] for row in rows)


def main():
    """Score all detectors and print one line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("detectors", nargs="*", default=["real", "main", "control", "blobs"])
    parser.add_argument("--threshold", type=float, help="instead of each network's own")
    parser.add_argument("--boot", type=int, default=2000, help="rounds of the bootstrap")
    said = parser.parse_args()
    every, scores, curves, wrong = list(images()), [], [], []
    for name in said.detectors:
        find, threshold = detector(name)
        candidates = [find(image) for image in tqdm(every, desc=Path(name).stem)]
        line = list(curve(candidates, every))
        best = max(line, key=lambda row: row[3])
        threshold = said.threshold or threshold or best[0]
        found = at(threshold, candidates)
        rows = table(Path(name).stem, found, every, said.boot)
        _, _, _, boxes, count, precision, recall, f1, low, high, f1_image = rows[0]
        print(f"{Path(name).stem:10} threshold {threshold:.3f}: F1 {f1:.3f} [{low:.3f}, {high:.3f}], per image "
              f"{f1_image:.3f}, precision {precision:.3f}, recall {recall:.3f} of {boxes} boxes with {count} "
              f"detections; best threshold {best[0]:.3f}: F1 {best[3]:.3f}")  # fmt: skip
        scores += rows
        curves += [[Path(name).stem, *row] for row in line]
        wrong += errors(Path(name).stem, found, every)
    write("real_scores.csv", ["detector", "group", "images", "boxes", "detections", "precision", "recall", "f1",
                              "f1_low", "f1_high", "f1_image"], scores)  # fmt: skip
    write("real_curve.csv", ["detector", "threshold", "precision", "recall", "f1"], curves)
    write("real_errors.csv", ["detector", "image", "error", "reason", "x_A", "y_A", "label"], wrong)


if __name__ == "__main__":
    main()
