"""What a dataset is made of: the study, the seed, the count, and the layout that follows from them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

import numpy as np

from .. import __version__
from ..parameters import LEAVES, SameAs, Study
from ..scan import DEFECT_DTYPE

FORMAT = 1
SEEN = "large-frame", "painted-frame"  # studies whose labels are what can be seen
LARGEST = 256  # samples in a chunk, ...
PIXELS = 2**20  # ... and at most as many pixels, so that a chunk of large frames takes little memory and time
SAMPLE_COLUMNS = ("attempt", "lines", "pixels", "defects")
DEFECT_COLUMNS = DEFECT_DTYPE.names


def labels_of(name):
    """Kind of labels that a study of that name has, unless another one is asked for."""
    return "visible" if name in SEEN else "thesis"


class DatasetError(ValueError):
    """A dataset that cannot be made, continued or read as asked; its message is one line."""


@dataclass(frozen=True)
class Plan:
    """Everything that decides what is in a store, as plain values: they are the attributes of the store."""

    study: str  # TOML
    seed: int
    count: int
    chunk: int  # samples in a chunk
    masks: str
    ideal: bool
    drive: bool
    passes: int  # 1 where the study records no retrace, else 2
    frame: tuple[int, int]  # (L, P) of the largest frame
    varies: bool  # whether there are smaller frames, which are padded
    columns: tuple[dict, ...]  # of the parameters that vary
    stmlab: str = __version__
    format: int = FORMAT

    @classmethod
    def of(cls, study, count, seed=0, chunk=None, masks=None, ideal=False, drive=False):
        """Lay out a dataset of a `Study`."""
        lines, pixels = ends(study, "raster.lines"), ends(study, "raster.pixels")
        frame = int(max(lines)), int(max(pixels))
        if chunk is None:
            chunk = int(np.clip(PIXELS // (frame[0] * frame[1]), 1, LARGEST))
        passes = 1 if set(ends(study, "raster.retrace")) == {"skipped"} else 2
        return cls(
            study.dumps(), whole("seed", seed, 0, 2**64 - 1), whole("count", count, 1, 2**48),
            whole("chunk", chunk, 1, 2**20), masks or labels_of(study.name), bool(ideal), bool(drive),
            passes, frame, len({*lines}) > 1 or len({*pixels}) > 1, tuple(columns(study)),
        )  # fmt: skip

    @property
    def chunks(self):
        """Number of chunks."""
        return -(-self.count // self.chunk)

    def span(self, i):
        """First sample of chunk `i`, and the one after its last."""
        return i * self.chunk, min((i + 1) * self.chunk, self.count)

    def layout(self):
        """Map the name of each array to the shape of one sample, and its dtype."""
        return layout(self.passes, self.frame, len(self.columns), self.ideal, self.drive)

    def attributes(self):
        """Return the plan as JSON can hold it."""
        return asdict(self) | {"frame": list(self.frame), "columns": list(self.columns)}

    @classmethod
    def read(cls, attributes):
        """Return the plan that a store's attributes hold.

        Raises
        ------
        DatasetError
            If they are not such a plan.
        """
        if not isinstance(attributes, dict) or attributes.get("format") != FORMAT:
            raise DatasetError(f"is no dataset of format {FORMAT}, the one that this version of stmlab reads")
        said = {f.name: attributes.get(f.name) for f in fields(cls)}
        try:
            frame, table = (tuple(said[name]) for name in ("frame", "columns"))
        except TypeError:
            frame, table = (), ()
        words = all(isinstance(said[name], str) for name in ("study", "masks", "stmlab"))
        flags = all(isinstance(said[name], bool) for name in ("ideal", "drive", "varies"))
        numbers = all(_is_count(said[name], least) for name, least in (("seed", 0), ("count", 1), ("chunk", 1)))
        shape = len(frame) == 2 and all(_is_count(n) and n <= 2**16 for n in frame) and said["passes"] in (1, 2)
        if not (words and flags and numbers and shape and all(map(_is_column, table))):
            raise DatasetError("has damaged attributes; generate it again in a new folder")
        return cls(**said | {"frame": frame, "columns": table})

    def differences(self, other):
        """Say in words what another plan has otherwise."""
        said = [f"{name} {getattr(other, name)}, not {getattr(self, name)}"
                for name in ("count", "seed", "stmlab", "chunk", "masks", "ideal", "drive", "passes", "frame")
                if getattr(other, name) != getattr(self, name)]  # fmt: skip
        return [*said, *(f"study ({what})" for what in study_differences(self.study, other.study))]


def layout(passes, frame, parameters, ideal, drive):
    """Map the name of each array to the shape of one sample, and its dtype."""
    out = {"images": ((passes, *frame), "f4"), "masks": ((2, *frame), "u1"), "samples": ((len(SAMPLE_COLUMNS),), "i4")}
    if parameters:
        out["parameters"] = (parameters,), "f8"
    if ideal:
        out["ideal"] = frame, "f4"
    if drive:
        out["drive"] = (passes, *frame), "f4"
    return out


def ends(study, path):
    """Return what a parameter of a study can be: its ends, its choices, or the one value that it has."""
    law = study.vary.get(path)
    if isinstance(law, SameAs):
        path, law = law.path, study.vary.get(law.path)
    return law.ends() if law else [study.base[path]]


def columns(study):
    """List the parameters that vary, with their units; a word is stored as its place in ``values``."""
    for path in study.vary:
        leaf = LEAVES[path]
        column = {"path": path, "kind": leaf.kind.__name__, "unit": leaf.unit}
        yield column | ({"values": list(ends(study, path))} if leaf.kind is str else {})


def study_differences(one, two):
    """Name what differs between two studies (TOML)."""
    if one == two:
        return []
    try:
        a, b = Study.loads(one), Study.loads(two)
    except ValueError:
        return ["its text"]
    if a.name != b.name:
        return [f"{b.name!r}, not {a.name!r}"]
    paths = [path for path in LEAVES if (a.base[path], a.vary.get(path)) != (b.base[path], b.vary.get(path))]
    return [", ".join(paths[:4] + ["..."] * (len(paths) > 4)) or "its text"]


def whole(name, value, low, high):
    """Return a whole number in [low, high], or say what is wrong with it."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not low <= value <= high:
        raise DatasetError(f"{name} = {value!r} is not a whole number in [{low}, {high}]; choose one")
    return int(value)


def _is_count(value, least=1):
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_column(column):
    if not (isinstance(column, dict) and isinstance(column.get("path"), str)):
        return False
    return column.get("kind") in ("float", "int") or (
        column.get("kind") == "str" and isinstance(column.get("values"), list) and len(column["values"]) > 0)
