"""Linear algebra on one thread: small matrices are faster so, and sums come in the same order everywhere."""

from __future__ import annotations

from functools import cache

from threadpoolctl import ThreadpoolController


@cache
def _blas():
    return ThreadpoolController()  # looking the libraries up takes milliseconds


def one_thread():
    """Context in which the linear algebra libraries use one thread."""
    return _blas().limit(limits=1, user_api="blas")
