"""Hide free text and reasons from roles that may not see identities.

Free text can hold a name, a phone number or an address.
"""

from __future__ import annotations

from pro.app_context import UnitOfWork
from pro.core.text import contact_masking
from pro.features.accounts import staff_accounts


def visible_text(work: UnitOfWork, text: str, language: str) -> str:
    """Return free text for roles that may see identities, else a placeholder sentence.

    ``text``: written by a participant, or by staff about a participant; "" stays "". The whole text is hidden, because
    no automatic masking finds every name.
    """
    if not text or staff_accounts.has_right(work.actor.role, "see_identity"):
        return text
    return work.app_context.catalogs.translator(language).gettext("[hidden from your role: may contain a name]")


def visible_reason(work: UnitOfWork, text: str) -> str:
    """Return a reason that staff typed; mask numbers and addresses for other roles.

    Pages that ask for a reason ask for no names. Only roles with the right "see_identity" read it unmasked.
    """
    return text if staff_accounts.has_right(work.actor.role, "see_identity") else contact_masking.mask_contacts(text)
