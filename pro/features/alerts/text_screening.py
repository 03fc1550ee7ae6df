"""Store incoming texts, screen them for red flags before anything else, and raise alerts (docs/domain.md 5).

A red flag becomes an alert about the text itself; no form is needed for it. A participant's texts that come while an
earlier one waits are one case (docs/alerts.md).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import select

from pro.app_context import UnitOfWork
from pro.core.rule_language.level import Level
from pro.core.study_plan import StudyPlan
from pro.core.text import red_flag_screening
from pro.core.text.red_flag_screening import RedFlagHit, Screening
from pro.features.alerts.evaluation import FREE_TEXT, NOT_SCREENED
from pro.features.alerts.own_words import own_sentences
from pro.features.duty_roster import notifications
from pro.features.duty_roster.notifications import TEXT_CASE_PREFIX
from pro.features.schedule import missed_forms
from pro.models import Alert, Assessment, IncomingMessage, Participant

log = logging.getLogger(__name__)
# Texts of one sender within this time are screened together as well, because one may continue the other.
PARTS_WITHIN = timedelta(minutes=2)
MOST_PARTS = 6


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
    """Store one incoming text; ``address`` in E.164, or "" in the chat, where the person is known."""
    row = IncomingMessage(
        channel=channel,
        provider_id=provider_id,
        fingerprint=_sender_fingerprint(work, address, participant),
        address_sealed=work.vault.seal(address),
        # No text in PostgreSQL holds a NUL.
        text_sealed=work.vault.seal(text.replace("\0", "")),
        participant_id=participant.id if participant else None,
        assessment_id=assessment.id if assessment else None,
        kind=what,
        received_at=work.now,
    )
    work.session.add(row)
    work.record("text.received", row, participant_id=row.participant_id, new={"channel": channel})
    return row


def screen_text(
    work: UnitOfWork, text: str, participant: Participant | None, address: str = "", row: IncomingMessage | None = None
) -> Screening:
    """Return the red flags in ``text``, by the lexicon of the participant's plan; by all lexicons for others.

    A text that continues what the same sender wrote within PARTS_WITHIN is screened alone and together with it, and the
    result of the higher level counts. ``row``: of this text, if it is stored already. A screening that fails is urgent,
    because a person must read what the program could not. A plan without a lexicon finds nothing: its texts wait to be
    read.
    """
    plan = plan_of(work, participant)
    names = [plan.lexicon] if plan else list(work.catalogue.lexicons)
    if plan and plan.lexicon and plan.lexicon not in work.catalogue.lexicons:
        return Screening(Level.URGENT, (RedFlagHit(NOT_SCREENED, "", "affirmed", Level.URGENT),))
    lexicons = [work.catalogue.lexicons[name] for name in names if name in work.catalogue.lexicons]
    try:
        earlier, loudest = _earlier_parts(work, _sender_fingerprint(work, address, participant), row)
        found = [red_flag_screening.screen(text, lexicon, own_sentences(work, lexicon)) for lexicon in lexicons]
        alone = _joined(found)
        # A text may end within a sentence, or within a word.
        wholes = [separator.join([*earlier, text]) for separator in (" ", "")] if earlier else []
        for lexicon in lexicons:
            found += [red_flag_screening.screen(whole, lexicon, own_sentences(work, lexicon)) for whole in wholes]
    except Exception as error:
        log.error("screening of a text failed error=%s", type(error).__name__)
        return Screening(Level.URGENT, (RedFlagHit(NOT_SCREENED, "", "affirmed", Level.URGENT),))
    together = _joined(found)
    # Only a red flag that neither part has alone counts; two greetings are no text that must be read soon.
    return together if together.level > max(alone.level, loudest, Level.WATCH) else alone


def _joined(found: Sequence[Screening]) -> Screening:
    """Return several screenings as one: the highest level, each hit once."""
    level = max((one.level for one in found), default=Level.NONE)
    return Screening(level, tuple(dict.fromkeys(hit for one in found for hit in one.hits)))


def _sender_fingerprint(work: UnitOfWork, address: str, participant: Participant | None) -> str:
    who = f"phone:{address}" if address or participant is None else f"participant:{participant.id}"
    return work.vault.fingerprint(who)


def _earlier_parts(work: UnitOfWork, fingerprint: str, row: IncomingMessage | None) -> tuple[list[str], Level]:
    """Return what the sender wrote just before, oldest first, and the highest level of these texts."""
    query = select(IncomingMessage).where(
        IncomingMessage.fingerprint == fingerprint, IncomingMessage.received_at > work.now - PARTS_WITHIN
    )
    if row is not None and row.id is not None:
        query = query.where(IncomingMessage.id < row.id)
    rows = list(work.session.scalars(query.order_by(IncomingMessage.id.desc()).limit(MOST_PARTS)))
    texts = [work.vault.open(one.text_sealed) for one in reversed(rows)]
    return texts, Level(max((one.level for one in rows), default=Level.NONE))


def plan_of(work: UnitOfWork, participant: Participant | None) -> StudyPlan | None:
    """Return the participant's plan; None for an unknown sender, and for a plan that is no longer installed."""
    return work.catalogue.plans.get(participant.plan) if participant else None


def note_flags(
    work: UnitOfWork,
    inbound: IncomingMessage,
    participant: Participant | None,
    found: Screening,
    assessment: Assessment | None = None,
) -> Alert | None:
    """Store the result of screening a text and raise the alert; None without a finding or a known sender.

    ``assessment``: the form in whose chat it was written, which shows the advice at once. A report that the participant
    died makes a call task, and no message is sent until that call was made.
    """
    inbound.level = int(found.level)
    inbound.red_flags = [{"class": hit.class_id, "status": hit.status} for hit in found.hits]
    if participant is None:
        return None
    alert = raise_text_alert(work, inbound, participant, advice_on(work, participant, found), assessment)
    if found.is_death:
        report_death(work, inbound, participant)
    return alert


def report_death(work: UnitOfWork, inbound: IncomingMessage, participant: Participant) -> None:
    """Have the family called after a text that reports a death. Never raises: the text and its alert are stored."""
    try:
        with work.session.begin_nested():
            missed_forms.report_death(work, participant, str(inbound.id))
    except Exception as error:
        log.error("call task for a death not made inbound=%s error=%s", inbound.id, type(error).__name__)


def advice_on(work: UnitOfWork, participant: Participant | None, found: Screening) -> str:
    """Return the advice block of the plan for an emergency in a text; "" for none.

    What a person died of is no emergency, because the class of a death silences it; a wish to die beside it is one.
    """
    plan = plan_of(work, participant)
    lexicon = work.catalogue.lexicons.get(plan.lexicon) if plan else None
    if plan is None or lexicon is None or found.level is not Level.EMERGENCY:
        return ""
    first = red_flag_screening.first_class(found.hits, lexicon)
    return plan.advice_on_text(first) if first else ""


def raise_text_alert(
    work: UnitOfWork,
    inbound: IncomingMessage,
    participant: Participant,
    advice: str = "",
    assessment: Assessment | None = None,
) -> Alert | None:
    """Raise an alert of ``participant`` from the screening of ``inbound``; None for level none.

    ``advice``: what ``assessment``, the form in which it was written, shows at once.

    It joins the case of the participant's texts that still waits; otherwise it begins one.
    """
    level = Level(inbound.level)
    if level is Level.NONE:
        return None
    plan = plan_of(work, participant)
    work.session.flush()
    source, before = _waiting_text_case(work, participant.id)
    alert = Alert(
        participant_id=participant.id,
        assessment_id=assessment.id if assessment else None,
        source=source or f"{TEXT_CASE_PREFIX}{inbound.id}",
        rule=FREE_TEXT,
        # Two texts at once must not get the same one.
        occurrence=inbound.id,
        incoming_message_id=inbound.id,
        level=int(level),
        suspects="free_text",
        basis="",
        plan_version=plan.version if plan else "",
        inputs={"saw": [f"{hit['class']}: {hit['status']}" for hit in inbound.red_flags], "channel": inbound.channel},
        unresolved=[],
        advice=advice if assessment else "",
        raised_at=work.now,
    )
    work.session.add(alert)
    said = {"rule": FREE_TEXT, "level": level.word, "plan_version": alert.plan_version}
    work.record("alert.raised", alert, participant_id=participant.id, new=said)
    work.session.flush()
    if level >= Level.URGENT:
        notifications.notify_staff(work, plan, [alert], before)
    return alert


def has_alert(work: UnitOfWork, inbound: IncomingMessage) -> bool:
    """Return True if an alert about the text was raised."""
    return work.session.scalar(select(Alert.id).where(Alert.incoming_message_id == inbound.id).limit(1)) is not None


def _waiting_text_case(work: UnitOfWork, participant_id: int) -> tuple[str, list[Alert]]:
    """Return the source and the alerts of the participant's texts that wait for a person; "" and none without."""
    waiting = (
        select(Alert.source)
        .where(
            Alert.participant_id == participant_id,
            Alert.incoming_message_id.is_not(None),
            Alert.acknowledged_at.is_(None),
            Alert.closed_at.is_(None),
        )
        .order_by(Alert.id.desc())
        .limit(1)
    )
    source = work.session.scalar(waiting)
    if source is None:
        return "", []
    query = select(Alert).where(Alert.source == source).order_by(Alert.id)
    return source, list(work.session.scalars(query))


def needs_advice(found: Screening) -> bool:
    """Return True if the sender gets the safety sentence: a red flag that is urgent or more as it is meant.

    A report of a death is not answered by it, unless it holds an emergency of its own.
    """
    least = Level.EMERGENCY if found.is_death else Level.URGENT
    return any(hit.level >= least for hit in found.hits)
