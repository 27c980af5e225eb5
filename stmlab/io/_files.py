"""What every reader and writer shares: one clear line per error, and no half-written file."""

import importlib
import os
import struct
from contextlib import contextmanager
from pathlib import Path

MAX_BYTES = 2**30  # what is read whole; a frame of 8192 x 8192 with both passes is 1 GiB in double precision

# What a damaged file can make a parser raise: all of it means "this file is bad", never "stmlab is broken".
_DAMAGE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, AssertionError, EOFError,
           MemoryError, RecursionError, NotImplementedError, struct.error)  # fmt: skip


class FileError(ValueError):
    """A file that cannot be read or written as asked; its message is one line that says what to do."""


class MissingPackage(FileError, ImportError):
    """An optional package that is not installed."""


def need(module):
    """Import an optional package of the ``io`` extra, or say how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError:
        package = module.split(".")[0]
        raise MissingPackage(f'this needs {package}, which is missing: pip install "stmlab[io]"') from None


def readable(path):
    """Return `path` as a `Path` that is a regular, readable file with something in it."""
    path = Path(path)
    if path.is_dir():
        raise FileError(f"{path} is a directory; give the path of a file inside it")
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; check the path")
    if not path.is_file():
        raise FileError(f"{path} is not a regular file; copy its contents to one first")
    if path.stat().st_size == 0:
        raise FileError(f"{path} is empty; copy it again from where it came")
    if not os.access(path, os.R_OK):
        raise PermissionError(f"{path} may not be read; change its permissions")
    return path


def read_bounded(path, limit=MAX_BYTES):
    """Return the bytes of a file that is no larger than `limit`."""
    size = path.stat().st_size  # asked for first: Python sets aside as many bytes as are to be read
    if size > limit:
        raise FileError(f"is larger than {limit / 2**20:.0f} MiB, the most that is read")
    with open(path, "rb") as file:
        return file.read(size)


@contextmanager
def blamed(path):
    """Turn whatever a damaged file makes a parser raise into one `FileError` that names the file."""
    try:
        yield
    except MissingPackage:
        raise
    except FileError as error:
        raise FileError(f"{path}: {error}") from None
    except _DAMAGE as error:
        reason = " ".join(f"{type(error).__name__} {error}".split())[:200]
        raise FileError(f"{path}: is damaged ({reason}); copy it again from where it came") from error


@contextmanager
def aside(path):
    """Open a file beside `path` for writing bytes; on success it becomes `path`, on failure it is gone.

    It is opened before the work starts, so that a target that cannot be written is known at once.
    """
    path = Path(path)
    if path.is_dir():
        raise FileError(f"{path} is a directory; add a file name")
    if not path.parent.is_dir():
        raise FileError(f"{path.parent} is not a directory that exists; make it first")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(part, "wb") as file:
            yield file
        os.replace(part, path)
    except OSError as error:
        raise OSError(f"cannot write {path}: {error.strerror or error}; choose another place") from error
    finally:
        part.unlink(missing_ok=True)
