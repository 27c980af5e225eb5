"""One writer at a time."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import contextmanager
from pathlib import Path

from .plan import DatasetError

try:
    import fcntl
except ImportError:  # Windows: a second process is not refused there
    fcntl = None

_GUARD, _HELD = threading.Lock(), set()


@contextmanager
def only_writer(folder):
    """Hold the lock of a store: a file beside it that names process and host.

    The lock goes with the process that holds it, so that a writer that died is in nobody's way. (A record lock:
    child processes do not inherit it, as they would one of `fcntl.flock`.)

    Raises
    ------
    DatasetError
        If another writer, in this or any other process, holds it.
    """
    path = lock_path(folder)
    key = str(path.resolve())
    with _GUARD:
        if key in _HELD:
            raise DatasetError(f"{folder} is being written by this process; wait for it")
        _HELD.add(key)
    file = None
    try:
        file = _acquire(path, folder)
        yield
    finally:
        if file is not None:
            path.unlink(missing_ok=True)
            file.close()
        with _GUARD:
            _HELD.discard(key)


def lock_path(folder):
    """Where the lock of a store is."""
    folder = Path(folder)
    return folder.with_name(f".{folder.name}.lock")


def _acquire(path, folder):
    """Open and lock the file, or say who has it; whoever held it before may just have taken the file away."""
    while True:
        file = open(path, "a+", encoding="utf-8")  # noqa: SIM115, kept open: closing it lets go of the lock
        try:
            if fcntl is not None:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if fcntl is None or (path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat())):
                file.truncate(0)
                file.write(f"process {os.getpid()} on {socket.gethostname()}")
                file.flush()
                return file
            file.close()
        except BlockingIOError:
            file.seek(0)
            who = file.read(200) or "another process"
            file.close()
            raise DatasetError(f"{folder} is being written by {who}; wait for it, or stop it") from None
        except OSError:
            file.close()
            raise
