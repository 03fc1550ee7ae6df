"""What was typed into a form whose session had ended: carried on and shown again, never acted on by itself.

The guard sends the browser to the sign-in page with the posted body (307). From there on it travels as hidden fields
``kept.<name>`` through every step of the way in.
"""

from __future__ import annotations

from collections.abc import Sequence

from flask import request

PREFIX = "kept."
# The address it was posted to, and the number of the account (0: nobody knows).
ADDRESS_FIELD, ACCOUNT_FIELD = "kept_to", "kept_whose"
# Secrets are typed again.
SECRET_FIELDS = frozenset({"csrf_token", "password", "old", "new", "again", "code", "pin", "sealed"})
# Which button and what it was for: nothing was typed.
BUTTON_FIELDS = frozenset({"do", "alert", "session", "invitation"})


def has_typed_text() -> bool:
    """True if the posted form holds anything that was typed or chosen."""
    names = (name for name, value in request.form.items(multi=True) if value.strip())
    return any(not _is_secret(name) and name not in BUTTON_FIELDS for name in names)


def _is_secret(name: str) -> bool:
    """True of a field that is typed again; where several forms share a page, their names begin with the form's."""
    return name.rpartition("-")[2] in SECRET_FIELDS


def is_reposted() -> bool:
    """True if this very request is the form whose session had ended, posted on."""
    return request.method == "POST" and "whose" in request.args


def unsaved_fields() -> Sequence[tuple[str, str]]:
    """What is kept, as (name, value) pairs of its own form."""
    posted = request.form.items(multi=True)
    if is_reposted():
        return [(name, value) for name, value in posted if not _is_secret(name)]
    return [(name.removeprefix(PREFIX), value) for name, value in posted if name.startswith(PREFIX)]


def hidden_fields() -> Sequence[tuple[str, str]]:
    """The hidden fields that carry it one page further."""
    kept = unsaved_fields()
    if not kept:
        return []
    return [
        *((PREFIX + name, value) for name, value in kept),
        (ADDRESS_FIELD, target_address()),
        (ACCOUNT_FIELD, owner_id()),
    ]


def target_address() -> str:
    """The address that it was posted to, as the browser says; whoever leads there checks it."""
    if is_reposted():
        return request.args.get("to") or request.args.get("next", "")
    return request.form.get(ADDRESS_FIELD, "")


def owner_id() -> str:
    """The number of the account that it was typed under, as text; "0" if nobody knows."""
    return request.args.get("whose", "0") if is_reposted() else request.form.get(ACCOUNT_FIELD, "0")


def recognisable_texts() -> Sequence[str]:
    """What of it a person would recognise: words and sentences, not the values of buttons and choices."""
    return [
        value for _name, value in unsaved_fields() if " " in value.strip() or not value.isascii() or len(value) > 24
    ]
