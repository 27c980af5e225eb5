"""Green's functions of perfect sheets, kept on disk: they depend on the crystal alone, not on its defects."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

import numpy as np

from .._resources import cache_path, replacing
from ..kernels.tmatrix import RUN

VERSION = 1  # of what is stored; a change of meaning makes new files
BLOCK = 8  # nodes in a file
LARGEST = 64 * 2**20  # bytes of a file; larger ones are worked out anew each time
TOTAL = 2**30  # bytes of all files; the oldest go
# Smallest Green's functions [1/eV] that count in single precision: between a defect and an atom, and at all
FELT, NEGLIGIBLE = 2e-3, 1e-4


def pristine_green(h, z):
    r"""Green's function of a perfect periodic sheet, between the cell at the origin and every cell R.

    .. math:: G^0(R, z) = \frac{1}{n_x n_y} \sum_k e^{i k \cdot R}\, [z - H(k)]^{-1}

    With one Bloch vector for each cell this is exact for the supercell; the sum is a Fourier transform.

    Parameters
    ----------
    h : (nx, ny, n, n) array
        From `stmlab.tightbinding.tmatrix.bloch_matrices` [eV].
    z : complex
        Energy off the real axis [eV].

    Returns
    -------
    ndarray, (nx, ny, n, n)
        From an atom of cell 0 to an atom of cell R [1/eV].
    """
    return np.fft.ifft2(np.linalg.inv(z * np.eye(h.shape[-1]) - h), axes=(0, 1))


def planes(green, cut=(False, False)):
    """Lay Green's functions out so that those between an orbital and its neighbours in a row stand side by side.

    Parameters
    ----------
    green : (K, nx, ny, n, n) array
        From `pristine_green`.
    cut : (bool, bool)
        Along which side the table is smaller than the sheet. There the differences of cells run from -n/2 to n/2 - 1
        instead of from 0 to n - 1.

    Returns
    -------
    ndarray, (K, 2, n, nx, RUN + ny n + RUN)
        Real and imaginary parts; first zeros, and last zeros again or, in a periodic row, its beginning.
    """
    parts = np.moveaxis(green, -1, 1)
    for axis in (0, 1):
        if cut[axis]:
            parts = np.roll(parts, parts.shape[axis + 2] // 2, axis + 2)
    k, n, nx, ny, _ = parts.shape
    out = np.zeros((k, 2, n, nx, 2 * RUN + ny * n), green.real.dtype)
    parts = parts.reshape(k, n, nx, ny * n)
    after = np.arange(RUN) % (ny * n)
    for i, values in enumerate((parts.real, parts.imag)):
        out[:, i, ..., RUN:-RUN] = values
        if not cut[1]:
            out[:, i, ..., -RUN:] = values[..., after]
    return out


@dataclass(frozen=True, eq=False)
class Block:
    """Some nodes of a table, ready for the kernel."""

    first: int  # node
    diagonal: np.ndarray  # (K, n) 1/eV
    planes: np.ndarray
    size: tuple  # cells in the planes
    reach: int  # cells beyond which no Green's function is felt

    @classmethod
    def of(cls, green, first, cut):
        """Prepare Green's functions (K, nx, ny, n, n); of a table that is cut, only what is not negligible is kept."""
        largest = np.abs(green).max(axis=(0, -2, -1))
        steps = [np.minimum(np.arange(n), n - np.arange(n)) for n in largest.shape]
        steps = np.maximum(steps[0][:, None], steps[1])
        diagonal = green[:, 0, 0].diagonal(axis1=-2, axis2=-1).copy()
        if all(cut):
            keep = min(steps[largest > NEGLIGIBLE].max(initial=0) + 1, min(largest.shape) // 2)
            near = np.r_[0:keep, -keep:0]
            green = green[:, near[:, None], near]
        return cls(first, diagonal, planes(green, cut), green.shape[1:3], int(steps[largest > FELT].max(initial=0)))


@dataclass(frozen=True, eq=False)
class Table:
    """Green's functions on a line of complex energies ``m step + i height``, m = ..., -1, 0, 1, ...

    Parameters
    ----------
    h : (nx, ny, n, n) array
        Bloch Hamiltonians of the perfect sheet [eV].
    step, height : float
        Distance between the nodes, and from the real axis [eV].
    dtype : numpy.dtype
        complex128 or complex64.
    """

    h: np.ndarray
    step: float
    height: float
    dtype: np.dtype
    cut: tuple = (False, False)

    def green(self, first, last):
        """Green's functions (K, nx, ny, n, n) [1/eV] at the nodes first <= m <= last."""
        start, stop = first // BLOCK, last // BLOCK + 1
        blocks = np.concatenate([self._block(number) for number in range(start, stop)])
        return blocks[first - start * BLOCK : last + 1 - start * BLOCK]

    @cached_property
    def _key(self):
        said = f"{VERSION} {self.h.shape} {self.step!r} {self.height!r} {self.dtype}".encode()
        return blake2b(said + np.round(self.h, 12).tobytes(), digest_size=12).hexdigest()

    def blocks(self, first, last):
        """Yield, of each block with nodes from first to last, the first and last of them in it, and the `Block`."""
        for number in range(first // BLOCK, last // BLOCK + 1):
            if number not in self._ready:
                self._ready[number] = Block.of(self._block(number), number * BLOCK, self.cut)
            yield (max(first, number * BLOCK), min(last, number * BLOCK + BLOCK - 1)), self._ready[number]

    @cached_property
    def _ready(self):
        return {}

    def _block(self, number):
        shape = (BLOCK, *self.h.shape)
        if np.prod(shape) * self.dtype.itemsize > LARGEST:
            return self._work_out(number)
        path = cache_path("green", f"{self._key}.{number}.npy")
        with suppress(OSError, ValueError, EOFError):  # absent, or damaged: it is made again
            found = np.load(path, mmap_mode="r", allow_pickle=False)
            if found.shape == shape and found.dtype == self.dtype:
                return found.view(np.ndarray)
        green = self._work_out(number)
        with suppress(OSError):  # a cache that cannot be written costs time only
            _store(path, green)
        return green

    def _work_out(self, number):
        nodes = np.arange(number * BLOCK, (number + 1) * BLOCK) * self.step + 1j * self.height
        return np.stack([pristine_green(self.h, z).astype(self.dtype) for z in nodes])


def _store(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as aside, open(aside, "wb") as file:
        np.save(file, array)
    files = sorted(path.parent.glob("*.npy"), key=lambda f: f.stat().st_mtime)
    excess = sum(f.stat().st_size for f in files) - TOTAL
    for old in files:
        if excess <= 0:
            break
        excess -= old.stat().st_size
        old.unlink(missing_ok=True)
