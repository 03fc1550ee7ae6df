"""Passwords and PINs: argon2id, and the same time for a right and a wrong account."""

from __future__ import annotations

import re
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# No 0 O, 1 I L, U V, 2 Z, 8 B, 5 S, 6 G: of a pair that is misread on a card, neither is ever printed.
CODE_ALPHABET = "3479ACDEFHJKMNPQRTWXY"


PASSWORD_LENGTH = 12
# Longer ones would only keep the hash busy.
PASSWORD_AT_MOST = 1024

_HASHER = PasswordHasher()
# Verified when there is no such account, so that an answer takes as long.
_DUMMY_HASH = _HASHER.hash("nobody has this password")


def hash_secret(secret: str) -> str:
    """An argon2id hash with its own salt and parameters."""
    return _HASHER.hash(secret)


def is_secret_correct(stored: str | None, secret: str) -> bool:
    """True if ``secret`` is what ``stored`` was made from; without a stored hash always False, in the same time."""
    try:
        return _HASHER.verify(stored or _DUMMY_HASH, secret) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


def password_problem(password: str, email: str) -> str:
    """Why this is no password for the account ``email``: password_short, password_long, password_email; or ""."""
    if len(password) < PASSWORD_LENGTH:
        return "password_short"
    if len(password) > PASSWORD_AT_MOST:
        return "password_long"
    return "password_email" if password.strip().lower() == email.strip().lower() else ""


def read_pin(typed: str) -> str:
    """The 4 to 6 digits of a PIN as they were typed, at any width; "" if it is no PIN."""
    plain = unicodedata.normalize("NFKC", typed).strip()
    return plain if re.fullmatch(r"[0-9]{4,6}", plain) else ""
