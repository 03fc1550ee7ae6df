"""Store incoming texts directly in the database."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pro.core.rule_language.level import Level
from pro.models import IncomingMessage, Participant
from tests.support import form_browser
from tests.support.alert_clinic import Clinic
from tests.support.factories import PHONES

STRANGER = "+8613700137000"
BLEEDS = ({"class": "bleed", "term": "大出血", "status": "affirmed"},)


def store_text(
    clinic: Clinic,
    text: str = "请问明天几点来",
    *,
    known: bool = True,
    what: str = "text",
    level: Level = Level.NONE,
    hits: tuple[dict[str, str], ...] = (),
    ago: timedelta = timedelta(),
    **more: Any,
) -> int:
    """Store a text of the clinic's participant, or of an unknown number; return its id."""
    address = PHONES["zh_Hans"] if known else STRANGER
    with form_browser.unit_of_work(clinic.app_context) as work:
        person = work.session.get_one(Participant, clinic.participant_id)
        row = IncomingMessage(
            channel="sms",
            provider_id=None,
            fingerprint=work.vault.fingerprint(f"phone:{address}"),
            address_sealed=work.vault.seal(address),
            text_sealed=work.vault.seal(text),
            participant_id=person.id if known else None,
            kind=what if known else "unmatched",
            level=int(level),
            red_flags=list(hits),
            received_at=work.now - ago,
            **more,
        )
        work.session.add(row)
        work.session.flush()
        return row.id


def store_emergency_text(clinic: Clinic, text: str = "我大出血了", *, known: bool = False, **more: Any) -> int:
    """Store an emergency text, of an unknown number unless ``known``; return its id."""
    return store_text(clinic, text, known=known, level=Level.EMERGENCY, hits=BLEEDS, **more)
