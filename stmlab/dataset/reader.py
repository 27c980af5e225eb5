"""Reading a dataset, sample by sample or in slices, without loading the rest."""

from __future__ import annotations

import csv
import operator
from functools import lru_cache
from pathlib import Path

import numpy as np

from .._resources import replacing
from ..parameters import Study
from ..scan import DEFECT_DTYPE
from .plan import DatasetError
from .samples import index_of
from .store import DAMAGE, Store, read_plan

KEPT = 8  # chunks that stay in memory where they cannot be mapped from the file


def open_dataset(path):
    """Open a dataset that `generate` has made.

    Parameters
    ----------
    path : path
        Its folder.

    Returns
    -------
    Dataset

    Raises
    ------
    DatasetError
        If there is none, it is not complete, or files of it are missing or cut off; the message names them. What
        only a look at every byte shows, `Dataset.verify` finds.
    """
    return Dataset(path)


class Dataset:
    """Labelled images on disk; a map-style dataset for PyTorch as it is.

    ``data[k]`` is an image (passes, L, P) [Å, float32] and its masks (2, L, P) [0 to 1, float32]; passes are trace
    and retrace, or the trace alone where the study records no retrace. ``data[a:b]`` is the same for several samples.
    Where frames are of different sizes, a single sample has its own size; in the store and in slices it lies in the
    corner (first lines and columns) of the largest frame, padded with NaN, its masks with 0.

    Parameters
    ----------
    path : path
        The folder.

    Attributes
    ----------
    images, masks, ideal, drive : zarr.Array
        (S, passes, L, P) [Å], (S, 2, L, P) [uint8, 255 is 1], (S, L, P) [Å], (S, passes, L, P) [V]; the last two
        are None unless they were asked for. They are read when indexed.
    seed : int
        Of every random number.
    version : str
        The version of stmlab that made the set.
    attempts : ndarray, (S,)
        How many times each sample failed before.
    sizes : ndarray, (S, 2)
        Lines and pixels of each frame.
    drawn : dict
        Path -> values (S,) of each parameter that varies.
    failures : list of (int, int, str)
        Sample, attempt and reason of each failure.
    """

    def __init__(self, path):
        self.path = Path(path)
        self.plan, said = read_plan(path)
        self._store = Store(path, self.plan)
        self._check(said)
        self.seed, self.version = self.plan.seed, self.plan.stmlab
        self.images, self.masks, self.ideal, self.drive = map(
            self._store.arrays.get, ("images", "masks", "ideal", "drive"))
        table = self._slice("samples")
        self.attempts, self.sizes = table[:, 0], table[:, 1:3]
        if (self.sizes < 1).any() or (self.sizes > self.plan.frame).any() or (table[:, [0, 3]] < 0).any():
            raise DatasetError(f"{self.path}: its table of samples is damaged; run generate again to repair it")
        self._defect_counts = table[:, 3]
        self.drawn = self._drawn()
        self._chunk = lru_cache(maxsize=None if not self.plan.varies else KEPT)(self._load)
        self._table = lru_cache(maxsize=KEPT)(self._load_table)

    def __reduce__(self):
        return open_dataset, (self.path,)

    def __repr__(self):
        lines, pixels = self.plan.frame
        return f"<Dataset {self.path}: {len(self)} samples of {lines} x {pixels} pixels, seed {self.seed}>"

    def __len__(self):
        return self.plan.count

    def __getitem__(self, key):
        if isinstance(key, slice):
            return self._slice("images", key), np.asarray(self._slice("masks", key), "f4") / np.float32(255)
        i, row = divmod(self._number(key), self.plan.chunk)
        lines, pixels = self.sizes[i * self.plan.chunk + row]
        image, masks = (self._chunk(name, i)[row][..., :lines, :pixels] for name in ("images", "masks"))
        return np.array(image, "f4"), np.array(masks, "f4") / np.float32(255)

    # ---- what is known of a sample --------------------------------------------------------------------

    @property
    def study(self):
        """The `Study` that the samples were drawn from."""
        return Study.loads(self.plan.study)

    def index(self, k):
        """Return the index of sample `k` for the random streams: k, unless the sample had to be drawn again."""
        k = self._number(k)
        return index_of(k, int(self.attempts[k]))

    def parameters(self, k):
        """Return the `Parameters` of a sample.

        ``simulate(data.parameters(k), data.seed, data.index(k))`` gives the stored image, bit for bit once it is
        rounded to single precision.
        """
        k = self._number(k)
        if not hasattr(self, "_base"):
            self._base = self.study.base
        return self._base.set({path: _plain(values[k]) for path, values in self.drawn.items()})

    def defects(self, k):
        """Return the table of defects of a sample, as ``Scan.defects``."""
        k = self._number(k)
        i = k // self.plan.chunk
        table, kinds = self._table(i)
        first = self.plan.span(i)[0]
        start = int(self._defect_counts[first:k].sum())
        rows = table[start : start + self._defect_counts[k]]
        out = np.zeros(len(rows), DEFECT_DTYPE)
        out["kind"] = kinds[rows[:, 0].astype(int)] if len(rows) else ""
        for column, name in enumerate(DEFECT_DTYPE.names[1:], start=1):
            out[name] = rows[:, column]
        return out

    @property
    def failures(self):
        """Sample, attempt and reason of each failure."""
        tables = [self._store.table(i) for i in range(self.plan.chunks)]
        return [tuple(failure) for found in tables if found for failure in found[1]["failures"]]

    # ---- checking and exporting -----------------------------------------------------------------------

    def verify(self):
        """Compare every byte with its checksum.

        Raises
        ------
        DatasetError
            If a chunk is damaged; the message names it, and what of it.
        """
        self._blame({i: what for i in range(self.plan.chunks) if (what := self._store.damage(i))})

    def export(self, path, samples=slice(None)):
        """Write images, masks, and the parameters that were drawn, to an ``.npz`` file.

        Parameters
        ----------
        path : path
            The file, ``.npz``.
        samples : slice
            Which samples.
        """
        path = Path(path)
        if path.suffix != ".npz" or not isinstance(samples, slice):
            raise DatasetError(f"{path}: export writes .npz files, of a slice of samples")
        images, masks = self._slice("images", samples), self._slice("masks", samples)
        drawn = {name: values[samples] for name, values in self.drawn.items()}
        with replacing(path) as aside, open(aside, "wb") as file:
            np.savez_compressed(file, images=images, masks=masks, sizes=self.sizes[samples], seed=self.seed,
                                study=self.plan.study, version=self.version, **drawn)  # fmt: skip

    def export_keypoints(self, path):
        """Write one line for each defect to a ``.csv`` file: the sample, and the columns of `defects`."""
        with replacing(Path(path)) as aside, open(aside, "w", encoding="utf-8", newline="") as file:
            lines = csv.writer(file, lineterminator="\n")
            lines.writerow(["sample", *DEFECT_DTYPE.names])
            for k in range(len(self)):
                lines.writerows([k, *defect] for defect in self.defects(k).tolist())

    # ---- inside ---------------------------------------------------------------------------------------

    def _check(self, said):
        bad = {i: what for i in range(self.plan.chunks) if (what := self._store.damage(i, deep=False))}
        missing = sum(self.plan.span(i)[1] - self.plan.span(i)[0] for i, what in bad.items() if what == ["all"])
        if missing and not said.get("complete"):
            raise DatasetError(f"{self.path} holds {len(self) - missing} of {len(self)} samples; "
                               "run generate again with the same arguments to finish it")
        self._blame(bad)

    def _blame(self, bad):
        if bad:
            names = [f"chunk {i} (samples {self.plan.span(i)[0]} to {self.plan.span(i)[1] - 1}: {', '.join(what)})"
                     for i, what in bad.items()]  # fmt: skip
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            raise DatasetError(f"{self.path}: {', '.join(names[:3])}{more} damaged; "
                               "run generate again with the same arguments to repair")

    def _number(self, k):
        try:
            k = operator.index(k)
        except TypeError:
            raise TypeError(f"sample {k!r} is not a whole number or a slice") from None
        if not -len(self) <= k < len(self):
            raise IndexError(f"sample {k} is not one of {len(self)}")
        return k % len(self)

    def _load(self, name, i):
        """Return chunk `i` of an array: mapped from the file where that holds plain numbers, else read."""
        array = self._store.arrays[name]
        try:
            if not self.plan.varies:
                return np.memmap(self._store.file(name, i), array.dtype, "r", shape=array.chunks)
            first, last = self.plan.span(i)
            return array[first:last]
        except DAMAGE:
            return self._blame({i: [name]})

    def _load_table(self, i):
        found = self._store.table(i)
        if found is None:
            self._blame({i: ["defects"]})
        return found[0], np.array(found[1]["kinds"], DEFECT_DTYPE["kind"])

    def _slice(self, name, key=slice(None)):
        array, step = self._store.arrays[name], key.indices(len(self))[2]
        try:
            return np.asarray(array[key] if step == 1 else array.oindex[np.arange(len(self))[key]])
        except DAMAGE:
            raise DatasetError(f"{self.path}: array {name!r} is damaged; run generate again to repair it") from None

    def _drawn(self):
        if not self.plan.columns:
            return {}
        table, out = self._slice("parameters"), {}
        for values, said in zip(table.T, self.plan.columns, strict=True):
            if said["kind"] == "str" and not np.isin(values, np.arange(len(said["values"]))).all():
                raise DatasetError(f"{self.path}: its parameters are damaged; run generate again to repair it")
            as_stored = {"float": values, "int": np.nan_to_num(values).astype(int)}
            words = said["kind"] == "str"
            out[said["path"]] = np.array(said["values"])[values.astype(int)] if words else as_stored[said["kind"]]
        return out


def _plain(value):
    return value.item()
