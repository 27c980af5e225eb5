"""The secret from which every student's data follow."""

import hashlib
import hmac
import os
import re
import secrets

from .._resources import replacing

BYTES = 32
FORM = re.compile(rf"[0-9a-f]{{{2 * BYTES}}}")
STUDENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")


def create_salt(path):
    """Write a new salt that only its owner may read; an old one is never replaced.

    Parameters
    ----------
    path : Path
        File to write; its folder exists.

    Returns
    -------
    bytes

    Raises
    ------
    ValueError
        If the file is there.
    """
    if path.exists():
        raise ValueError(f"{path} exists; a new salt would change the data of every student: name another file")
    salt = secrets.token_bytes(BYTES)
    with replacing(path) as aside:
        handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(salt.hex() + "\n")
    return salt


def read_salt(path):
    """Read what `create_salt` wrote.

    Raises
    ------
    ValueError
        If there is no such file, or it holds no salt.
    """
    try:
        with open(path, "rb") as file:
            text = file.read(4 * BYTES).decode("ascii", "replace").strip()
    except OSError as error:
        raise ValueError(f"no salt at {path} ({error.strerror}); grading needs the instructor's file") from None
    if not FORM.fullmatch(text):
        raise ValueError(f"{path} holds no salt: that is {2 * BYTES} digits 0-9a-f; take the file of `course new`")
    return bytes.fromhex(text)


def seed(salt, assignment, student):
    r"""Seed of everything that a student gets.

    .. math:: \mathrm{seed} = \mathrm{HMAC}_\mathrm{SHA256}(\mathrm{salt},\ \mathrm{assignment}\ 0\ \mathrm{student})
              \bmod 2^{64}

    Who has not the salt cannot tell it from a random number, and cannot try all of them.

    Parameters
    ----------
    salt : bytes
        Of the course.
    assignment, student : str
        Their names.

    Returns
    -------
    int
        In [0, 2^64).

    Raises
    ------
    ValueError
        If the student's name could not be that of a folder.

    References
    ----------
    RFC 2104, https://doi.org/10.17487/RFC2104.
    """
    if not STUDENT.fullmatch(student):
        raise ValueError(f"student {student[:80]!r}: a name is 1 to 64 letters, digits or . _ @ + -, a letter first")
    return int.from_bytes(_hash(salt, f"{assignment}\0{student}")[-8:], "big")


def fingerprint(salt):
    """Sixteen digits by which one sees that two files belong to the same salt; they do not give it away."""
    return _hash(salt, "fingerprint").hex()[:16]


def _hash(salt, text):
    return hmac.digest(salt, text.encode(), hashlib.sha256)
