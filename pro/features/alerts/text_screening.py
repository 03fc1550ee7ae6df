"""What people wrote, kept and read for red flags before anything else is made of it (docs/domain.md 5).

A hit becomes an alert about the text itself, told like any other: no form is needed for it.
"""

from __future__ import annotations

from pro.app_context import UnitOfWork
from pro.core.rule_language.level import Level
from pro.core.study_plan import StudyPlan
from pro.core.text import red_flag_screening
from pro.core.text.red_flag_screening import Screening
from pro.features.alerts.evaluation import FREE_TEXT
from pro.features.alerts.own_words import own_sentences
from pro.features.duty_roster import notifications
from pro.models import Alert, Assessment, IncomingMessage, Participant

# What an alert about a text is filed under.
TEXT_CASE_PREFIX = "inbound:"


def keep_text(
    work: UnitOfWork,
    *,
    channel: str,
    address: str,
    text: str,
    participant: Participant | None = None,
    assessment: Assessment | None = None,
    provider_id: str | None = None,
    what: str = "text",
) -> IncomingMessage:
    """Keep one text that reached us; ``address`` in E.164, or "" in the chat, where the person is known."""
    who = f"phone:{address}" if address or participant is None else f"participant:{participant.id}"
    row = IncomingMessage(
        channel=channel,
        provider_id=provider_id,
        fingerprint=work.vault.fingerprint(who),
        address_sealed=work.vault.seal(address),
        # No text in PostgreSQL holds a NUL.
        text_sealed=work.vault.seal(text.replace("\0", "")),
        participant_id=participant.id if participant else None,
        assessment_id=assessment.id if assessment else None,
        what=what,
        received_at=work.now,
    )
    work.session.add(row)
    work.record("text.received", row, participant_id=row.participant_id, new={"channel": channel})
    return row


def screen_text(work: UnitOfWork, text: str, participant: Participant | None) -> Screening:
    """The red flags in ``text``, by the lexicon of the participant's plan; by all of them for an unknown sender.

    A plan without a lexicon finds nothing: its texts wait to be read.
    """
    plan = plan_of(work, participant)
    names = [plan.lexicon] if plan else list(work.catalogue.lexicons)
    lexicons = [work.catalogue.lexicons[name] for name in names if name in work.catalogue.lexicons]
    found = [red_flag_screening.screen(text, lexicon, own_sentences(work, lexicon)) for lexicon in lexicons]
    level = max((one.level for one in found), default=Level.NONE)
    return Screening(level, tuple(dict.fromkeys(hit for one in found for hit in one.hits)))


def plan_of(work: UnitOfWork, participant: Participant | None) -> StudyPlan | None:
    """The participant's plan; None for an unknown sender, and for a plan that is no longer there."""
    return work.catalogue.plans.get(participant.plan) if participant else None


def note_flags(
    work: UnitOfWork, inbound: IncomingMessage, participant: Participant | None, found: Screening
) -> Alert | None:
    """Keep the result of screening a text and raise the alert; None without a finding or a known sender."""
    inbound.level = int(found.level)
    inbound.hits = [{"class": hit.class_id, "status": hit.status} for hit in found.hits]
    return raise_text_alert(work, inbound, participant) if participant is not None else None


def raise_text_alert(work: UnitOfWork, inbound: IncomingMessage, participant: Participant) -> Alert | None:
    """What the screening of ``inbound`` said as an alert of ``participant``, told like any other; None for nothing."""
    plan = plan_of(work, participant)
    level = Level(inbound.level)
    if level is Level.NONE:
        return None
    # A plan may have left the catalogue while its participants still write.
    version = plan.version if plan else ""
    work.session.flush()
    alert = Alert(
        participant_id=participant.id,
        assessment_id=None,
        source=f"{TEXT_CASE_PREFIX}{inbound.id}",
        rule=FREE_TEXT,
        level=int(level),
        suspects="free_text",
        basis="",
        plan_version=version,
        inputs={"saw": [f"{hit['class']}: {hit['status']}" for hit in inbound.hits], "channel": inbound.channel},
        unresolved=[],
        raised_at=work.now,
    )
    work.session.add(alert)
    said = {"rule": FREE_TEXT, "level": level.word, "plan_version": version}
    work.record("alert.raised", alert, participant_id=participant.id, new=said)
    if level >= Level.URGENT:
        work.session.flush()
        notifications.notify_staff(work, plan, [alert])
    return alert


def needs_advice(found: Screening) -> bool:
    """True if the sender gets the fixed safety sentence: a red flag that is urgent or more as it is meant.

    A report of a death is never answered by it.
    """
    return not found.is_death and any(hit.level >= Level.URGENT for hit in found.hits)
