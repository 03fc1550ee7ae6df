"""Typed text as the reader may see it: it can hold a name, a phone number or an address."""

from __future__ import annotations

from pro.app_context import UnitOfWork
from pro.core.text import contact_masking
from pro.features.accounts import staff_accounts


def visible_text(work: UnitOfWork, text: str, language: str) -> str:
    """What a participant wrote, or staff wrote about one: whole for those who may see identities, else a sentence.

    No machine finds every name. "" stays "".
    """
    if not text or staff_accounts.has_right(work.actor.role, "see_identity"):
        return text
    return work.app_context.catalogs.translator(language).gettext("[hidden from your role: it may hold a name]")


def visible_reason(work: UnitOfWork, text: str) -> str:
    """What staff typed where the page asks for no names: numbers and addresses are covered for everybody else."""
    return text if staff_accounts.has_right(work.actor.role, "see_identity") else contact_masking.mask_contacts(text)
