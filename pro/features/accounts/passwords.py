"""Hash and verify passwords and PINs with argon2id, in the same time for unknown accounts."""

from __future__ import annotations

import re
import secrets
import unicodedata
from dataclasses import dataclass
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# Without 0 O, 1 I L, U V, 2 Z, 8 B, 5 S, 6 G: characters of pairs that are easily confused on paper are not printed.
CODE_ALPHABET = "3479ACDEFHJKMNPQRTWXY"


PASSWORD_LENGTH = 12
# Limits the time that hashing one password can take.
PASSWORD_AT_MOST = 1024

_HASHER = PasswordHasher()


@cache
def prepare_dummy_hash() -> str:
    """Return the hash that is verified if an account does not exist.

    Response times then do not reveal which accounts exist. Made once a process; an application makes it at its start,
    so that the first unknown account does not take longer than the second.
    """
    return _HASHER.hash(secrets.token_urlsafe())


def hash_secret(secret: str) -> str:
    """Return an argon2id hash of ``secret``; salt and parameters are part of it."""
    return _HASHER.hash(secret)


@dataclass(frozen=True, slots=True, repr=False)
class HashedSecret:
    """A secret with its hash, for many rows with the same one: hashing takes a fifth of a second."""

    secret: str
    hash: str

    @classmethod
    def of(cls, secret: str) -> HashedSecret:
        """Return ``secret`` with its hash."""
        return cls(secret, hash_secret(secret))


def is_secret_correct(stored: str | None, secret: str) -> bool:
    """Return True if ``secret`` matches the hash ``stored``.

    Without a stored hash return False after the same time.
    """
    try:
        return _HASHER.verify(stored or prepare_dummy_hash(), secret) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


def password_problem(password: str, email: str) -> str:
    """Return why ``password`` is not accepted for the account ``email``, or "".

    One of "password_short", "password_long", "password_email" (same as the address).
    """
    if len(password) < PASSWORD_LENGTH:
        return "password_short"
    if len(password) > PASSWORD_AT_MOST:
        return "password_long"
    return "password_email" if password.strip().lower() == email.strip().lower() else ""


def read_pin(typed: str) -> str:
    """Return the 4 to 6 digits of a typed PIN, or "" if it is not a PIN.

    Full-width digits and surrounding spaces are accepted.
    """
    plain = unicodedata.normalize("NFKC", typed).strip()
    return plain if re.fullmatch(r"[0-9]{4,6}", plain) else ""
