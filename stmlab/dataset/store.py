"""A dataset on disk: a Zarr group, written chunk by chunk, so that a chunk is either complete or absent.

Each array holds one Zarr chunk per chunk of samples. A chunk counts as written once ``defects/<number>`` is there:
its table of defects, whose attributes hold the checksums of all the files that make up the chunk. It is made aside
and renamed into place last.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from .plan import DEFECT_COLUMNS, SAMPLE_COLUMNS, DatasetError, Plan

UNITS = {"images": "Å", "ideal": "Å", "drive": "V", "masks": "1/255"}
CELLS = {"masks": ("lattice", "defects"), "samples": SAMPLE_COLUMNS}
DAMAGE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError, OSError, EOFError)


def zarr():
    """Return the module that stores are written with, or say how to install it."""
    try:
        import zarr
    except ImportError:
        raise DatasetError('a dataset needs zarr, which is missing: pip install "stmlab[io]"') from None
    return zarr


class Store:
    """The files of one dataset.

    Parameters
    ----------
    folder : path
        Where they are.
    plan : Plan
        What they are to hold.

    Raises
    ------
    DatasetError
        If an array is missing, or is not what the plan says.
    """

    def __init__(self, folder, plan):
        self.folder, self.plan = Path(folder), plan
        self.arrays = {name: self._open(name, *item) for name, item in plan.layout().items()}

    def _open(self, name, shape, dtype):
        plan = self.plan
        try:
            # a chunk of nothing but zeros is a file, too; an array asks for this only when it is opened
            with zarr().config.set({"array.write_empty_chunks": True}):
                array = zarr().open_array(self.folder / name, mode="r+" if os.access(self.folder, os.W_OK) else "r")
            found = array.shape, array.chunks, array.dtype
        except DAMAGE as error:
            raise DatasetError(f"{self.folder}: array {name!r} cannot be read ({_short(error)})") from None
        if found != ((plan.count, *shape), (plan.chunk, *shape), np.dtype(dtype)):
            raise DatasetError(f"{self.folder}: array {name!r} is not of the shape and type that its attributes say")
        return array

    def file(self, name, i):
        """Return the file that holds chunk `i` of an array."""
        shape, _ = self.plan.layout()[name]
        return self.folder / name / "c" / str(i) / "/".join("0" * len(shape))

    def marker(self, i):
        """Return the folder of the table of defects, whose presence says that chunk `i` is complete."""
        return self.folder / "defects" / f"{i:06d}"

    # ---- writing --------------------------------------------------------------------------------------

    def write(self, i, chunk):
        """Write chunk `i`; whatever was there of it before does not count from the first moment on."""
        shutil.rmtree(self.marker(i), ignore_errors=True)
        first, last = self.plan.span(i)
        for name, array in self.arrays.items():
            array[first:last] = chunk.arrays[name]
        said = {"first": first, "last": last, "kinds": list(chunk.kinds),
                "failures": [list(failure) for failure in chunk.failures],
                "columns": list(DEFECT_COLUMNS),
                "files": {name: seal(self.file(name, i)) for name in self.arrays}}  # fmt: skip
        said["seal"] = table_seal(chunk.defects, said)
        with fresh(self.folder) as aside:
            table = zarr().create_array(
                aside / "table", shape=chunk.defects.shape, chunks=(max(len(chunk.defects), 1), len(DEFECT_COLUMNS)),
                dtype="f8", compressors=None, attributes=said, fill_value=np.nan)  # fmt: skip
            table[:] = chunk.defects
            os.rename(aside / "table", self.marker(i))

    def finish(self):
        """Note in the store's attributes that it is complete, and how many samples had to be drawn again."""
        group = zarr().open_group(self.folder, mode="r+")
        said = {"complete": True, "failures": self.failures()}
        if {name: group.attrs.get(name) for name in said} != said:
            group.update_attributes(said)

    # ---- checking -------------------------------------------------------------------------------------

    def table(self, i):
        """Return the table of defects of chunk `i` and what is known of it, or None where they are not whole."""
        place = self.marker(i)
        try:  # a plain file of numbers: Zarr takes 3 ms to open one, and there are thousands
            array = json.loads((place / "zarr.json").read_bytes())
            said, shape = array["attributes"], array["shape"]
            flat = np.fromfile(place / "c/0/0", "<f8") if shape[0] else np.empty(0)
            table = flat.reshape(shape)
            whole = said.pop("seal") == table_seal(table, said) and (said["first"], said["last"]) == self.plan.span(i)
            return (table, said) if whole and said["files"].keys() == self.arrays.keys() else None
        except DAMAGE:
            return None

    def damage(self, i, deep=True):
        """Name what is missing or wrong of chunk `i`; without `deep`, only what the sizes of its files show."""
        found = self.table(i)
        if found is None:
            return ["defects"] if self.marker(i).exists() else ["all"]
        files = found[1]["files"]
        return [name for name in self.arrays if not _as_sealed(self.file(name, i), files[name], deep)]

    def failures(self):
        """Count the samples that failed in the chunks that are there."""
        return sum(len(found[1]["failures"]) for i in range(self.plan.chunks) if (found := self.table(i)))


def create(folder, plan):
    """Make the store of a plan, without any samples; it appears whole or not at all."""
    folder = Path(folder)
    with fresh(folder) as aside:
        _skeleton(aside / "store", plan)
        os.rename(aside / "store", folder)
    return Store(folder, plan)


def repair(folder, plan):
    """Put right what describes the arrays of an interrupted or damaged store, and remove what was left half-written."""
    folder = Path(folder)
    for stray in folder.rglob("*.partial"):
        stray.unlink(missing_ok=True)
    with fresh(folder) as aside:
        _skeleton(aside / "store", plan)
        for name in (*plan.layout(), "defects"):
            wanted, there = (place / name / "zarr.json" for place in (aside / "store", folder))
            if not there.is_file() or there.read_bytes() != wanted.read_bytes():
                there.parent.mkdir(exist_ok=True)
                os.replace(wanted, there)
    return Store(folder, plan)


def _skeleton(folder, plan):
    group = zarr().create_group(folder, attributes=plan.attributes())
    for name, (shape, dtype) in plan.layout().items():
        cells = CELLS.get(name) or ([column["path"] for column in plan.columns] if name == "parameters" else None)
        said = {"unit": UNITS.get(name), "holds": list(cells) if cells else None}
        group.create_array(
            name, shape=(plan.count, *shape), chunks=(plan.chunk, *shape), dtype=dtype,
            fill_value=np.nan if dtype == "f4" else 0, compressors="auto" if plan.varies else None,
            attributes={key: value for key, value in said.items() if value})  # fmt: skip
    group.create_group("defects")


def read_plan(folder):
    """Return the plan of the store in a folder, and the rest of its attributes.

    Raises
    ------
    DatasetError
        If there is no such store, or it is damaged.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DatasetError(f"{folder} {'is a file, not a dataset' if folder.exists() else 'does not exist'}")
    try:
        said = dict(zarr().open_group(folder, mode="r").attrs)
    except DatasetError:
        raise
    except DAMAGE as error:
        raise DatasetError(f"{folder} is no dataset, or a damaged one ({_short(error)})") from None
    try:
        return Plan.read(said), said
    except DatasetError as error:
        raise DatasetError(f"{folder} {error}") from None


@contextmanager
def fresh(folder):
    """Yield an empty folder beside a store, which is gone afterwards; only the one writer uses it."""
    aside = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        aside.mkdir()
        yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def seal(path):
    """Size and SHA-256 of a file."""
    with open(path, "rb") as file:
        return [os.fstat(file.fileno()).st_size, hashlib.file_digest(file, "sha256").hexdigest()]


def table_seal(table, said):
    """SHA-256 of a table and of what is said about it."""
    text = json.dumps(said, sort_keys=True).encode()
    return hashlib.sha256(np.ascontiguousarray(table, "<f8").tobytes() + text).hexdigest()


def _as_sealed(path, wanted, deep):
    if _size(path) != wanted[0]:
        return False
    try:
        return not deep or seal(path) == wanted
    except OSError:
        return False


def _size(path):
    try:
        return os.stat(path).st_size
    except OSError:
        return -1


def _short(error):
    return (" ".join(str(error).split()) or type(error).__name__)[:120]
