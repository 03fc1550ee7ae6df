"""What people typed, as whoever looks may see it: words can hold a name, and a number or an address of somebody."""

from __future__ import annotations

from pro.core import contacts
from pro.services import staffing
from pro.work import Work


def words(work: Work, text: str, language: str) -> str:
    """What a participant wrote, or staff wrote about one: whole for those who may see identities, else a sentence.

    No machine finds every name. "" stays "".
    """
    if not text or staffing.may(work.actor.role, "see_identity"):
        return text
    return work.house.catalogs.translator(language).gettext("[hidden from your role: it may hold a name]")


def reason(work: Work, text: str) -> str:
    """What staff typed where the page asks for no names: numbers and addresses are covered for everybody else."""
    return text if staffing.may(work.actor.role, "see_identity") else contacts.covered(text)
