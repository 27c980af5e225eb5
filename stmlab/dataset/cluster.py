"""Workers on other machines."""

from __future__ import annotations

from contextlib import contextmanager

from .plan import DatasetError

PATIENCE = 10  # s


@contextmanager
def connected(address):
    """Connect to a Dask scheduler; yield its executor and how many threads its workers have.

    Raises
    ------
    DatasetError
        If Dask is missing, or nobody answers at the address within 10 s.
    """
    try:
        from distributed import Client
    except ImportError:
        raise DatasetError('a scheduler needs dask, which is missing: pip install "stmlab[cluster]"') from None
    try:
        client = Client(address, timeout=PATIENCE)
    except (OSError, ValueError, TypeError) as error:
        reason = "" if isinstance(error, OSError) else f" ({' '.join(str(error).split())[:100]})"
        raise DatasetError(f"no Dask scheduler answered at {address} within {PATIENCE} s{reason}; "
                           "give an address such as tcp://host:8786") from None
    with client:
        yield client.get_executor(), sum(client.nthreads().values()) or 1
