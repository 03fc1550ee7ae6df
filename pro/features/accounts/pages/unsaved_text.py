"""Unsaved text: fields of a form that was posted after its session ended.

``page_guard`` redirects the post to the sign-in page (307). Hidden fields ``kept.<name>`` carry the text through every
step of the sign-in. It is shown again, and saved only if the staff member sends it.
"""

from __future__ import annotations

from collections.abc import Sequence

from flask import request

PREFIX = "kept."
# The address of the post, and the number of the account (0: unknown).
ADDRESS_FIELD, ACCOUNT_FIELD = "kept_to", "kept_whose"
# Secret fields are never carried: they must be typed again.
SECRET_FIELDS = frozenset({"csrf_token", "password", "old", "new", "again", "code", "pin", "sealed"})
# Fields of buttons: they hold no typed text.
BUTTON_FIELDS = frozenset({"do", "alert", "session", "invitation"})


def has_typed_text() -> bool:
    """Return True if the posted form holds a typed or chosen value."""
    names = (name for name, value in request.form.items(multi=True) if value.strip())
    return any(not _is_secret(name) and name not in BUTTON_FIELDS for name in names)


def _is_secret(name: str) -> bool:
    """Return True for a secret field, with or without the prefix of its form."""
    return name.rpartition("-")[2] in SECRET_FIELDS


def is_reposted() -> bool:
    """Return True if this request is the redirected post of a form whose session ended."""
    return request.method == "POST" and "whose" in request.args


def unsaved_fields() -> Sequence[tuple[str, str]]:
    """Return the unsaved fields as (name, value) pairs of their own form."""
    posted = request.form.items(multi=True)
    if is_reposted():
        return [(name, value) for name, value in posted if not _is_secret(name)]
    return [(name.removeprefix(PREFIX), value) for name, value in posted if name.startswith(PREFIX)]


def hidden_fields() -> Sequence[tuple[str, str]]:
    """Return the hidden fields that carry the unsaved text to the next page."""
    fields = unsaved_fields()
    if not fields:
        return []
    return [
        *((PREFIX + name, value) for name, value in fields),
        (ADDRESS_FIELD, target_address()),
        (ACCOUNT_FIELD, owner_id()),
    ]


def target_address() -> str:
    """Return the address of the post. It comes from the browser: callers must check it."""
    if is_reposted():
        return request.args.get("to") or request.args.get("next", "")
    return request.form.get(ADDRESS_FIELD, "")


def owner_id() -> str:
    """Return the number of the account that typed the text; "0" if unknown."""
    return request.args.get("whose", "0") if is_reposted() else request.form.get(ACCOUNT_FIELD, "0")


def recognisable_texts() -> Sequence[str]:
    """Return the unsaved values that are words or sentences, without buttons and choices."""
    return [
        value for _name, value in unsaved_fields() if " " in value.strip() or not value.isascii() or len(value) > 24
    ]
